//! Linux: one edge-triggered epoll for all connections, watched as one descriptor.

use super::{
    alarm::{AT_ONCE, Alarm},
    idle::IdleWatch,
    readiness::{ENDED, Interest, READ, Readiness, WRITE, Watched},
};
use crate::signal::wait;
use async_io::Async;
use futures_lite::future;
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, CreateFlags, Event, EventData, EventFlags},
    fd::OwnedFd,
    time::Timespec,
};
use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    fmt, io,
    net::TcpStream,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Instant,
};

/// Events taken in one call at most.
const EVENTS_MAX: usize = 256;
/// With so many events at once more are likely to be there already, and waiting would be the dearer question.
const EVENTS_BUSY: usize = 8;

/// Watches connections.
pub struct Net {
    epoll: Async<OwnedFd>,
    sockets: RefCell<Sockets>,
    /// Room for what the kernel says when a task [looks](Self::look).
    events: RefCell<Vec<Event>>,
    /// Whether a thread waits in the epoll itself, so that no reactor need watch it.
    waited_in: Cell<bool>,
    idle_watch: IdleWatch,
    alarm: Alarm,
}

/// As long as it lives, a thread waits in the epoll itself.
pub(super) struct WaitedIn<'n>(&'n Cell<bool>);

impl Drop for WaitedIn<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Who is watched, by the number that events carry.
#[derive(Debug, Default)]
struct Sockets {
    watched: Vec<Option<Rc<Watch>>>,
    free: Vec<usize>,
}

/// What the kernel has said of a socket, and who waits for more: one task at a time.
#[derive(Debug)]
struct Watch {
    readiness: Readiness,
    waker: RefCell<Option<Waker>>,
}

/// A socket that is watched.
#[derive(Debug)]
pub(super) struct Socket {
    socket: TcpStream,
    watch: Rc<Watch>,
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
            events: RefCell::new(Self::events()),
            waited_in: Cell::new(false),
            idle_watch: IdleWatch::default(),
            alarm: Alarm::default(),
        }))
    }

    /// Watches a connection.
    pub(super) fn watch_socket(self: &Rc<Self>, socket: TcpStream) -> io::Result<Socket> {
        socket.set_nonblocking(true)?;
        // Each write is a whole message, so holding it back gains nothing.
        socket.set_nodelay(true)?;
        let watch = Rc::new(Watch {
            readiness: Readiness::new(),
            waker: RefCell::new(None),
        });
        let number = self.sockets.borrow_mut().insert(&watch);
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        let data = EventData::new_u64(number as u64);
        // From here on dropping it gives the number back.
        let socket = Socket {
            socket,
            watch,
            number,
            net: Rc::clone(self),
        };
        epoll::add(&self.epoll, &socket.socket, data, flags)?;
        Ok(socket)
    }

    /// Waits until the thread has nothing else to do, or has looked for more to do a few times and found it. Under another
    /// executor, which does not say so, until its other tasks have had a turn.
    pub(crate) async fn idle(&self) {
        if self.waited_in.get() {
            self.idle_watch.idle().await;
        } else {
            future::yield_now().await;
        }
    }

    /// Has the thread that waits here ring the alarm at some time. `false` where no thread does.
    pub(crate) fn ring_at(&self, at: Instant) -> bool {
        if self.waited_in.get() {
            self.alarm.set(at);
        }
        self.waited_in.get()
    }

    /// Whether the alarm has rung that was [set](Self::ring_at) last.
    pub(crate) fn poll_alarm(&self, cx: &Context<'_>) -> Poll<()> {
        self.alarm.poll(cx)
    }

    pub(super) const fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    pub(super) const fn idle_watch(&self) -> &IdleWatch {
        &self.idle_watch
    }

    /// Who has no number: of its events nobody is told.
    pub(super) const NOBODY: EventData = EventData::new_u64(u64::MAX);

    pub(super) fn epoll(&self) -> &Async<OwnedFd> {
        &self.epoll
    }

    pub(super) fn wait_here(&self) -> WaitedIn<'_> {
        self.waited_in.set(true);
        WaitedIn(&self.waited_in)
    }

    /// Room for events.
    pub(super) fn events() -> Vec<Event> {
        Vec::with_capacity(EVENTS_MAX)
    }

    /// Wakes the tasks whose connections have news, for ever. Under [`block_on`](Self::block_on) the thread does that, and
    /// this does nothing.
    ///
    /// # Errors
    ///
    /// Where the operating system fails to tell.
    pub async fn run(&self) -> io::Result<Infallible> {
        if self.waited_in.get() {
            return future::pending().await;
        }
        let mut events = Self::events();
        loop {
            self.wait(&mut events, Some(&AT_ONCE))?;
            self.tell(&events);
            if events.len() >= EVENTS_BUSY {
                future::yield_now().await;
            } else {
                self.epoll.readable().await?;
            }
        }
    }

    /// Wakes the tasks whose connections have news by now: for a task that does much, between two pieces of it, since
    /// the executor runs many tasks before it looks for news itself.
    pub(crate) fn look(&self) {
        let mut events = self.events.borrow_mut();
        // What is wrong shows again where it can be told.
        if self.wait(&mut events, Some(&AT_ONCE)).is_ok() {
            self.tell(&events);
        }
    }

    /// Waits for news, until `wait` is over if it is said.
    pub(super) fn wait(&self, events: &mut Vec<Event>, wait: Option<&Timespec>) -> io::Result<()> {
        events.clear();
        match epoll::wait(&self.epoll, spare_capacity(events), wait) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Wakes the tasks that news concern.
    pub(super) fn tell(&self, events: &[Event]) {
        let sockets = self.sockets.borrow();
        for event in events {
            let (number, flags) = (event.data.u64() as usize, event.flags);
            // A number may have passed to another connection in the meantime; that one then tries in vain, once.
            if let Some(Some(watch)) = sockets.watched.get(number) {
                watch.readiness.set(bits(flags));
                if let Some(waker) = watch.waker.take() {
                    waker.wake();
                }
            }
        }
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
    fn insert(&mut self, watch: &Rc<Watch>) -> usize {
        let number = self.free.pop().unwrap_or(self.watched.len());
        if number == self.watched.len() {
            self.watched.push(None);
        }
        self.watched[number] = Some(Rc::clone(watch));
        number
    }
}

impl Watched for Socket {
    fn socket(&self) -> &TcpStream {
        &self.socket
    }

    fn readiness(&self) -> &Readiness {
        &self.watch.readiness
    }

    fn poll_edge(&self, cx: &mut Context<'_>, _: Interest) -> Poll<()> {
        wait(&self.watch.waker, cx);
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
