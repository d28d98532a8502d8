//! The server's tasks.

use core::cell::{Cell, RefCell};

use dubhook_core::{
    dispatch::{Answer, AttemptId, AttemptResult},
    http::RecvBuf,
    id::Id,
    log::AttemptError,
    out::Out,
    server::{
        Config, ConnId, Drive, HandleError, Input, Output, PollError, REFUSED, Ready, Server,
    },
    service::Report,
    time::Now,
    url::Url,
};
use embassy_futures::select::{Either, select};
use embassy_sync::{blocking_mutex::raw::NoopRawMutex, channel::Channel, signal::Signal};
use embedded_io_async::{Read, Write};

use super::{Clock, Network, Store, before, until};

/// How long a peer may take to take an answer, in milliseconds.
const SEND_MS: u64 = 5_000;
/// How long translating takes here, in milliseconds.
const TRANSLATING_MS: u64 = 200;

/// A server within [`Config::DEVICE`], and what its tasks have in common: with `CONNS` connections and `ATTEMPTS` attempts at
/// deliveries at a time, as the memory of its machine has.
pub struct ServerDriver<'a, const CONNS: usize, const ATTEMPTS: usize> {
    server: RefCell<Server<'a>>,
    /// Something has gone into the machine.
    changed: Signal<NoopRawMutex, ()>,
    /// The machine has named the connection in this slot.
    named: [Signal<NoopRawMutex, ()>; CONNS],
    attempts: Channel<NoopRawMutex, AttemptId, ATTEMPTS>,
    /// The job that the worker is to start on.
    job: Signal<NoopRawMutex, Id>,
    /// Whether the worker has one.
    working: Cell<bool>,
}

/// Why a server cannot go on.
#[derive(Debug)]
pub enum ServerError<E> {
    /// The driver has called at a wrong time.
    Poll(PollError),
    /// The driver has told something wrong.
    Handle(HandleError),
    /// Its records cannot be kept.
    Store(E),
}

impl<E: core::fmt::Display> core::fmt::Display for ServerError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Poll(error) => error.fmt(f),
            Self::Handle(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error> core::error::Error for ServerError<E> {}

impl<'a, const CONNS: usize, const ATTEMPTS: usize> ServerDriver<'a, CONNS, ATTEMPTS> {
    /// Drives a machine whose records are all back.
    #[must_use]
    pub fn new(server: Server<'a>) -> Self {
        Self {
            server: RefCell::new(server),
            changed: Signal::new(),
            named: [const { Signal::new() }; CONNS],
            attempts: Channel::new(),
            job: Signal::new(),
            working: Cell::new(false),
        }
    }

    /// Does what is to be done, until something is wrong. One task.
    pub async fn run<S: Store>(&self, clock: &impl Clock, store: &mut S) -> ServerError<S::Error> {
        loop {
            if let Err(error) = self.turn(clock, store).await {
                return error;
            }
        }
    }

    async fn turn<S: Store>(
        &self,
        clock: &impl Clock,
        store: &mut S,
    ) -> Result<(), ServerError<S::Error>> {
        let ready = Ready {
            work: !self.working.get(),
            attempts: !self.attempts.is_full(),
            ..Ready::ALL
        };
        let mut memory = [0; Config::DEVICE.record_bytes_max()];
        let output = self
            .server
            .borrow_mut()
            .poll(clock.now(), ready, &mut memory);
        match output.map_err(ServerError::Poll)? {
            Output::Drive(conn) => self.named(conn).signal(()),
            Output::Start { job, .. } => {
                self.working.set(true);
                self.job.signal(job);
            }
            // There is room: for as many as the machine has.
            Output::Attempt(attempt) => drop(self.attempts.try_send(attempt.id)),
            Output::Save { key, value } => {
                store.save(key, value).await.map_err(ServerError::Store)?
            }
            Output::Commit(batch) => {
                store.commit().await.map_err(ServerError::Store)?;
                let mut server = self.server.borrow_mut();
                let handled = server.handle(clock.now(), Input::Durable(batch));
                handled.map_err(ServerError::Handle)?;
            }
            // Whoever works hears it from his next report; and there is no archive.
            Output::Stop { .. } | Output::Archive { .. } => {}
            Output::Sleep(moment) => {
                select(self.changed.wait(), until(clock, moment)).await;
            }
        }
        Ok(())
    }

    /// Serves one connection after the other. `CONNS` tasks.
    pub async fn serve(&self, clock: &impl Clock, network: &impl Network) {
        while let Some(socket) = network.accept().await {
            let accepted = self.server.borrow_mut().accept(clock.now());
            let Ok(conn) = accepted else {
                refuse(socket).await;
                continue;
            };
            self.named(conn).reset();
            self.converse(clock, conn, socket).await;
            self.server.borrow_mut().close(conn);
            self.changed.signal(());
        }
    }

    /// A connection, until it ends.
    async fn converse(&self, clock: &impl Clock, conn: ConnId, mut socket: impl Read + Write) {
        let (mut received, mut answer) = ([0; 1_536], [0; Config::DEVICE.answer_bytes_max()]);
        let mut input = RecvBuf::new(&mut received, 0);
        loop {
            let mut out = Out::new(&mut answer);
            let now = clock.now();
            let next = self
                .server
                .borrow_mut()
                .drive(now, conn, &mut input, &mut out);
            self.changed.signal(());
            let sending = socket.write_all(out.written());
            let Some(Ok(())) = before(clock, now.instant.after_ms(SEND_MS), sending).await else {
                return;
            };
            match next {
                // It is named while it waits for bytes where it has waited for too long.
                Ok(Drive::Input { .. }) => {
                    match select(socket.read(input.room()), self.named(conn).wait()).await {
                        Either::First(Ok(0) | Err(_)) => return,
                        Either::First(Ok(len)) => input.commit(len),
                        Either::Second(()) => {}
                    }
                }
                Ok(Drive::Wait) => self.named(conn).wait().await,
                Ok(Drive::Flush) => {}
                _ => return,
            }
        }
    }

    /// Makes one attempt at a delivery after the other. `ATTEMPTS` tasks.
    pub async fn deliver(&self, clock: &impl Clock, network: &impl Network) {
        loop {
            let id = self.attempts.receive().await;
            let deadline = self.server.borrow().attempt_deadline(clock.now());
            let result = before(clock, deadline, self.attempt(clock, network, id)).await;
            let result = result.unwrap_or(Err(AttemptError::Timeout));
            let result = result.unwrap_or_else(AttemptResult::Failed);
            self.tell(clock.now(), Input::Attempt { id, result });
        }
    }

    async fn attempt(
        &self,
        clock: &impl Clock,
        network: &impl Network,
        id: AttemptId,
    ) -> Result<AttemptResult<'static>, AttemptError> {
        let (mut url, mut request) = ([0; 120], [0; Config::DEVICE.attempt_bytes_max()]);
        let url = self.server.borrow().attempt_url(id, &mut url);
        // An error here is a delivery that is no longer owed.
        let url = url.map_err(|_| AttemptError::Closed)?;
        let guard = self.server.borrow().config().guard;
        let permits = |to: core::net::SocketAddr| guard.permits(to.ip(), to.port());
        let mut socket = network.connect(&url, permits).await?;
        let request = self.request(clock.now(), id, &url, &mut request)?;
        let sent = socket.write_all(request).await;
        sent.map_err(|_| AttemptError::Closed)?;
        let (mut memory, mut answer) = ([0; 1_024], Answer::new());
        let mut input = RecvBuf::new(&mut memory, 0);
        loop {
            if let Some(result) = answer.read(clock.now(), &mut input) {
                return Ok(result);
            }
            match socket.read(input.room()).await {
                Ok(0) | Err(_) => return Ok(answer.end(clock.now(), &mut input)),
                Ok(len) => input.commit(len),
            }
        }
    }

    fn request<'m>(
        &self,
        now: Now,
        id: AttemptId,
        url: &Url<'_>,
        memory: &'m mut [u8],
    ) -> Result<&'m [u8], AttemptError> {
        let written = self.server.borrow_mut().write_attempt(now, id, url, memory);
        let written = written.ok().and_then(|len| memory.get(..len));
        written.ok_or(AttemptError::Closed)
    }

    /// Translates, so to say. One task.
    pub async fn translate(&self, clock: &impl Clock) {
        loop {
            let job = self.job.wait().await;
            let done = clock.now().instant.after_ms(TRANSLATING_MS);
            clock.sleep_until(done).await;
            self.working.set(false);
            let report = Report::Completed("https://v.test/1.es.mp4");
            self.tell(clock.now(), Input::Report { job, report });
        }
    }

    /// Tells the machine. What it refuses is of no interest any more: a job that was called off.
    fn tell(&self, now: Now, input: Input<'_>) {
        let _ = self.server.borrow_mut().handle(now, input);
        self.changed.signal(());
    }

    /// The signal of a connection's slot: slots count from 1.
    fn named(&self, conn: ConnId) -> &Signal<NoopRawMutex, ()> {
        &self.named[conn.slot().get() as usize - 1]
    }
}

async fn refuse(mut socket: impl Write) {
    let _ = socket.write_all(REFUSED).await;
}
