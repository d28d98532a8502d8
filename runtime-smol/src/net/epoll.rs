//! Linux: one edge-triggered epoll for all connections, watched as one descriptor.

use super::{ENDED, Interest, READ, Readiness, Stream, WRITE, Watched};
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, CreateFlags, Event, EventData, EventFlags},
    fd::OwnedFd,
    time::Timespec,
};
use smol::{Async, future};
use std::{
    cell::RefCell,
    convert::Infallible,
    fmt, io,
    net::TcpStream,
    rc::Rc,
    task::{Context, Poll},
};

/// Events taken in one call at most.
const EVENTS_MAX: usize = 256;
/// With so many events at once more are likely to be there already, and waiting would be the dearer question.
const EVENTS_BUSY: usize = 8;

/// Watches connections.
pub struct Net {
    epoll: Async<OwnedFd>,
    sockets: RefCell<Sockets>,
    /// Room for what the kernel says at once.
    events: RefCell<Vec<Event>>,
}

/// Who is watched, by the number that events carry.
#[derive(Debug, Default)]
struct Sockets {
    watched: Vec<Option<Rc<Readiness>>>,
    free: Vec<usize>,
}

/// A socket that is watched.
#[derive(Debug)]
pub(super) struct Socket {
    socket: TcpStream,
    readiness: Rc<Readiness>,
    number: usize,
    net: Rc<Net>,
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The kernel's events have no words for themselves.
        let net = &mut f.debug_struct("Net");
        net.field("sockets", &self.sockets).finish_non_exhaustive()
    }
}

impl Net {
    /// Watches nothing yet.
    ///
    /// # Errors
    ///
    /// Where the operating system has no descriptor left.
    pub fn new() -> io::Result<Rc<Self>> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Rc::new(Self {
            epoll: Async::new_nonblocking(epoll)?,
            sockets: RefCell::default(),
            events: RefCell::new(Vec::with_capacity(EVENTS_MAX)),
        }))
    }

    /// Takes on a connection.
    ///
    /// # Errors
    ///
    /// Where the operating system cannot watch it.
    pub fn watch(self: &Rc<Self>, socket: TcpStream) -> io::Result<Stream> {
        self.watch_socket(socket).map(Stream::new)
    }

    pub(super) fn watch_socket(self: &Rc<Self>, socket: TcpStream) -> io::Result<Socket> {
        socket.set_nonblocking(true)?;
        // Each write is a whole message, so holding it back gains nothing.
        socket.set_nodelay(true)?;
        let readiness = Rc::new(Readiness::new());
        let number = self.sockets.borrow_mut().insert(&readiness);
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        let data = EventData::new_u64(number as u64);
        // From here on dropping it gives the number back.
        let socket = Socket {
            socket,
            readiness,
            number,
            net: Rc::clone(self),
        };
        epoll::add(&self.epoll, &socket.socket, data, flags)?;
        Ok(socket)
    }

    /// Wakes the tasks whose connections have news, for ever.
    ///
    /// # Errors
    ///
    /// Where the operating system fails to tell.
    pub async fn run(&self) -> io::Result<Infallible> {
        loop {
            if self.dispatch()? >= EVENTS_BUSY {
                future::yield_now().await;
            } else {
                self.epoll.readable().await?;
            }
        }
    }

    /// Wakes the tasks whose connections have news by now: for a task that does much, between two pieces of it, since
    /// the executor runs many tasks before it looks for news itself.
    pub(crate) fn look(&self) {
        // What is wrong shows again where it can be told.
        let _ = self.dispatch();
    }

    fn dispatch(&self) -> io::Result<usize> {
        const AT_ONCE: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut events = self.events.borrow_mut();
        events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut *events), Some(&AT_ONCE)) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(EVENTS_BUSY),
            Err(error) => return Err(error.into()),
        }
        let sockets = self.sockets.borrow();
        for event in &*events {
            let (number, flags) = (event.data.u64() as usize, event.flags);
            // A number may have passed to another connection in the meantime; that one then tries in vain, once.
            if let Some(Some(readiness)) = sockets.watched.get(number) {
                readiness.set(bits(flags));
                readiness.wake();
            }
        }
        Ok(events.len())
    }
}

fn bits(flags: EventFlags) -> u8 {
    let mut bits = 0;
    if flags.contains(EventFlags::IN) {
        bits |= READ;
    }
    if flags.contains(EventFlags::OUT) {
        bits |= WRITE;
    }
    if flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR) {
        bits |= READ | WRITE | ENDED;
    }
    bits
}

impl Sockets {
    fn insert(&mut self, readiness: &Rc<Readiness>) -> usize {
        let number = self.free.pop().unwrap_or(self.watched.len());
        if number == self.watched.len() {
            self.watched.push(None);
        }
        self.watched[number] = Some(Rc::clone(readiness));
        number
    }
}

impl Watched for Socket {
    fn socket(&self) -> &TcpStream {
        &self.socket
    }

    fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    fn poll_edge(&self, cx: &mut Context<'_>, _: Interest) -> Poll<()> {
        self.readiness.wait(cx);
        Poll::Pending
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Closing the descriptor takes it out of the epoll.
        let mut sockets = self.net.sockets.borrow_mut();
        sockets.watched[self.number] = None;
        sockets.free.push(self.number);
    }
}
