//! Where webhooks come in: the client's listeners and their connections.

use super::{
    driver::Driver,
    error::Error,
    lock::lock,
    model::{Delivery, Event},
    subscriptions::Subscriptions,
    turns::{Arrival, Entry, Turn, Turns},
};
use async_io::{Async, Timer};
use dubhook_core::{
    client::{self as core, ANSWER_BYTES_MAX, Answer, Change, Drive, Outcome, Source, read_event},
    http::RecvBuf,
    model::Data,
    out::{Out, Overflow},
    signature::VerifyError,
    time::Timestamp,
};
use futures_lite::{
    FutureExt, StreamExt,
    io::{AsyncReadExt, AsyncWriteExt},
    stream::{self, Stream},
};
use smol::{Executor, channel::Receiver, lock::Semaphore, unblock};
use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

/// The largest delivery, in bytes, its head included: well above the largest event.
const DELIVERY_BYTES_MAX: usize = 32 * 1024;
/// Connections at once. More wait until one of them ends.
const CONNECTIONS_MAX: usize = 256;
/// How long to leave a listener alone when the operating system has no descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// When a webhook is answered though whoever has it is not done with it: before the server gives it up, after 15 s.
const ANSWER_MAX: Duration = Duration::from_secs(13);
/// How often a port that is free on all addresses is looked for.
const PORT_TRIES: u32 = 8;

/// Listeners on every address that `host` has, all on one port, and that port. 0 takes a free one.
///
/// `localhost` has two addresses, and which of them a server will call is not for us to guess.
pub(super) async fn listen(host: &str, port: u16) -> Result<(Vec<Async<TcpListener>>, u16), Error> {
    let blame = |error: io::Error| Error::Listen {
        address: format!("{host}:{port}"),
        error: Arc::new(error),
    };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let name = bare.unwrap_or(host).to_owned();
    let found = unblock(move || (name, port).to_socket_addrs()).await;
    let addresses: Vec<_> = found.map_err(blame)?.collect();
    let mut tries = 0;
    loop {
        tries += 1;
        match listen_on(&addresses) {
            Ok(found) => return Ok(found),
            // The port that was free on one address is taken on the other.
            Err(error)
                if port == 0 && error.kind() == io::ErrorKind::AddrInUse && tries < PORT_TRIES => {}
            Err(error) => return Err(blame(error)),
        }
    }
}

fn listen_on(addresses: &[SocketAddr]) -> io::Result<(Vec<Async<TcpListener>>, u16)> {
    let mut listeners = Vec::new();
    let mut port = None;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        let mut address = *address;
        address.set_port(port.unwrap_or(address.port()));
        match Async::<TcpListener>::bind(address) {
            Ok(listener) => {
                port = Some(listener.get_ref().local_addr()?.port());
                listeners.push(listener);
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            // A machine without IPv6 has a name for it all the same.
            Err(error) => last = error,
        }
    }
    port.map(|port| (listeners, port)).ok_or(last)
}

/// Takes on connections at all listeners, for ever.
pub(super) async fn accept<'d>(
    driver: &'d Driver<'_>,
    listeners: &[Async<TcpListener>],
    executor: &Executor<'d>,
) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut incoming: Incoming<'_> = Box::pin(stream::pending());
    for listener in listeners {
        incoming = Box::pin(stream::race(incoming, listener.incoming()));
    }
    loop {
        let slot = slots.acquire_arc().await;
        match incoming.next().await {
            Some(Ok(stream)) => {
                let serve = async move {
                    // A connection that breaks is the server's to open again.
                    let _ = serve(driver, stream).await;
                    drop(slot);
                };
                executor.spawn(serve).detach();
            }
            _ => {
                Timer::after(EXHAUSTED).await;
            }
        }
    }
}

/// New connections of any number of listeners.
type Incoming<'l> = Pin<Box<dyn Stream<Item = io::Result<Async<TcpStream>>> + Send + 'l>>;

async fn serve(driver: &Driver<'_>, mut stream: Async<TcpStream>) -> io::Result<()> {
    stream.get_ref().set_nodelay(true)?;
    let subscriptions = Arc::clone(lock(&driver.session).subscriptions());
    let mut receiver = lock(&driver.session).client().accept(driver.now());
    let mut memory = vec![0; DELIVERY_BYTES_MAX];
    let mut input = RecvBuf::new(&mut memory, 0);
    loop {
        let mut entry = Entry::Free;
        let late = Timer::after(ANSWER_MAX);
        if !input.filled().is_empty() {
            entry = subscriptions.turns.enter().await;
        }
        let is_full = matches!(entry, Entry::Full) || !subscriptions.has_room();
        receiver.turn_away(is_full);
        let mut answer = [0; ANSWER_BYTES_MAX];
        let (next, len) = {
            let mut out = Out::new(&mut answer);
            let (next, handed) = turn(driver, &mut receiver, &mut input, entry, &mut out);
            if let Some(handed) = handed {
                handed.done(&subscriptions, late).await?;
            }
            (next, out.len())
        };
        stream
            .write_all(answer.get(..len).unwrap_or_default())
            .await?;
        match next {
            Next::Drive => {}
            Next::Close => return stream.get_ref().shutdown(Shutdown::Write),
            Next::Read => {
                let deadline = driver.at(receiver.deadline());
                let read = stream.read(input.room());
                let late = async {
                    Timer::at(deadline).await;
                    Err(io::ErrorKind::TimedOut.into())
                };
                match read.or(late).await? {
                    0 => return Ok(()),
                    len => input.commit(len),
                }
            }
        }
    }
}

enum Next {
    Drive,
    Read,
    Close,
}

/// A webhook that is being handed on.
struct Handed {
    id: String,
    done: Receiver<()>,
}

impl Handed {
    /// Waits until it is handed on, or `late`: then whoever does so has it for so long that it is theirs.
    ///
    /// # Errors
    ///
    /// Where it was not, so that it is not to be answered.
    async fn done(self, subscriptions: &Subscriptions, late: Timer) -> io::Result<()> {
        let done = async { self.done.recv().await.is_ok() };
        let late = async {
            late.await;
            true
        };
        if done.or(late).await {
            return Ok(());
        }
        subscriptions.turns.undo(&self.id);
        Err(io::ErrorKind::ConnectionAborted.into())
    }
}

/// Lets the machine take what has come, and hands on what it told. Its answer is in `out`; it is to be sent when what is
/// handed on is done.
fn turn(
    driver: &Driver<'_>,
    receiver: &mut core::Receiver,
    input: &mut RecvBuf<'_>,
    entry: Entry,
    out: &mut Out<'_>,
) -> (Next, Option<Handed>) {
    let now = driver.now();
    let mut session = lock(&driver.session);
    let drive = session.client_mut().drive(now, receiver, input, out);
    let (answer, mut event) = match drive {
        Ok(Drive::Input { .. }) => return (Next::Read, None),
        Ok(Drive::Flush) => return (Next::Drive, None),
        // There is room for the longest answer, each time.
        Ok(Drive::Close) | Err(Overflow) => return (Next::Close, None),
        Ok(Drive::Answered { answer, update }) => (answer, session.learn(now, update)),
    };
    // There may be a question to ask now, or to put off.
    driver.wake();
    let subscriptions = session.subscriptions();
    let Some(request) = receiver.request(input.filled()) else {
        return (Next::Drive, None);
    };
    let delivery = Arc::new(Delivery::from(&request));
    let is_wanted = match answer {
        Answer::Webhook(Outcome::Taken | Outcome::Test) => true,
        // It was told to the machine, and to nobody else.
        Answer::Webhook(Outcome::Repeat) if subscriptions.turns.redo(&delivery.id) => {
            event = repeated(&delivery.body);
            true
        }
        Answer::Webhook(Outcome::Unverified(VerifyError::TooOld | VerifyError::TooNew)) => {
            tell_clocks(&subscriptions.turns, now.timestamp, &delivery.timestamp);
            false
        }
        _ => false,
    };
    if !is_wanted {
        return (Next::Drive, None);
    }
    let (turn, handed) = match entry {
        Entry::Alone(alone) => {
            let (turn, done) = Turn::new(alone);
            let id = delivery.id.clone();
            (Some(turn), Some(Handed { id, done }))
        }
        Entry::Free | Entry::Full => (None, None),
    };
    match event {
        Some(mut event) => {
            event.delivery = Some(delivery);
            subscriptions.publish(&event, turn);
        }
        None => subscriptions.turns.publish(Arrival::Test(delivery), turn),
    }
    (Next::Drive, handed)
}

/// The event of a webhook that the machine knows already.
fn repeated(body: &[u8]) -> Option<Event> {
    match read_event(body).ok()?.data {
        Data::Translation(kind, job) => Some(Event::from(&Change {
            kind,
            job,
            source: Source::Told,
        })),
        Data::Test(_) | Data::Unknown(_) => None,
    }
}

/// Tells of two clocks that are too far apart.
fn tell_clocks(turns: &Turns, ours: Timestamp, theirs: &str) {
    if let Ok(theirs) = theirs.parse::<u64>() {
        let theirs = Timestamp::from_unix_ms(theirs.saturating_mul(1_000));
        turns.publish(Arrival::Clocks { ours, theirs }, None);
    }
}
