//! The way in and the way out of a server, but for the bytes of connections, which are [`drive`](Server::drive)'s.
//!
//! What has happened in the world goes in with [`handle`](Server::handle); what is to be done comes out of
//! [`poll`](Server::poll). It is the [service](crate::service)'s door with connections beside it, which come last: by then
//! all that their answers may speak of has happened.

use super::{ConnId, Server, conn::Waiting};
use crate::{
    delivery::AttemptId,
    id::Id,
    record::Batch,
    service::{
        self, AttemptResult, Attempted, HandleError, NOT_STARTED, PollError, Ready, Report,
        RequestError,
    },
    time::{self, Instant, Now},
    url::Url,
};
#[cfg(feature = "records")]
use crate::{record::Key, service::RestoreError};

/// Something that has happened in the world.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Input<'a> {
    /// A worker says something of its job.
    Report {
        /// The job.
        job: Id,
        /// What it says.
        report: Report<'a>,
    },
    /// An attempt has ended. Every attempt that came out must be told of.
    Attempt {
        /// Which one.
        id: AttemptId,
        /// How it went.
        result: AttemptResult<'a>,
    },
    /// All records of a batch are in the store for good.
    Durable(Batch),
    /// The server is to stop: no connection is taken on, the idle ones close, the others after their answer.
    Shutdown,
}

/// The next thing to do: what a [service](service::Output)'s is, and connections to drive.
pub type Output<'m> = service::Output<'m, ConnId>;

/// Why a connection was not taken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AcceptError {
    /// The driver: records were put back, and work was not begun.
    NotStarted,
    /// No slot is free. Send [`REFUSED`](super::REFUSED) and close.
    Full,
    /// The server is about to stop. Send [`REFUSED`](super::REFUSED) and close.
    Stopping,
}

impl AcceptError {
    /// The error as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => NOT_STARTED,
            Self::Full => "all connections are taken",
            Self::Stopping => "the server is about to stop",
        }
    }
}

impl core::fmt::Display for AcceptError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for AcceptError {}

/// Timers taken in one call at most.
const STEP: usize = 64;

impl Server<'_> {
    /// Puts a record back, before anything else is done with a new server. Records come in the order of their keys.
    ///
    /// # Errors
    ///
    /// [`RestoreError`] says what is wrong with it.
    #[cfg(feature = "records")]
    pub fn restore(&mut self, now: Now, key: Key, value: &[u8]) -> Result<(), RestoreError> {
        self.service.restore(now, key, value)
    }

    /// Begins work after all records are back; jobs that were with a worker are pending again. Where nothing was put back,
    /// work begins by itself.
    ///
    /// # Errors
    ///
    /// [`RestoreError`] where the records contradict each other, or work has begun already.
    #[cfg(feature = "records")]
    pub fn start(&mut self, now: Now) -> Result<(), RestoreError> {
        self.service.start(now)
    }

    /// Takes something that has happened in the world. Of an attempt it says what came of it.
    ///
    /// # Errors
    ///
    /// [`HandleError`] says why it was not taken.
    pub fn handle(&mut self, now: Now, input: Input<'_>) -> Result<Option<Attempted>, HandleError> {
        self.check_clock(now);
        if !self.service.begin() {
            return Err(HandleError::NotStarted);
        }
        match input {
            Input::Report { job, report } => return self.service.handle_report(now, job, report),
            Input::Attempt { id, result } => return self.service.handle_attempt(now, id, result),
            #[cfg(feature = "records")]
            Input::Durable(batch) => {
                self.service.handle_durable(&batch)?;
                self.unblock();
            }
            Input::Shutdown => self.shutdown(),
        }
        Ok(None)
    }

    /// The next thing to do, after doing what is due. Ask until it is [`Output::Sleep`].
    ///
    /// `memory` is where records come out: [`record_bytes_max`](super::Config::record_bytes_max) of it are enough for any. A
    /// driver that takes none, or whose server keeps none, need not lend any.
    ///
    /// # Errors
    ///
    /// [`PollError`] says what is wrong with the call.
    pub fn poll<'m>(
        &mut self,
        now: Now,
        ready: Ready,
        memory: &'m mut [u8],
    ) -> Result<Output<'m>, PollError> {
        self.check_clock(now);
        if !self.service.begin() {
            return Err(PollError::NotStarted);
        }
        if self.deadline().is_some_and(|due| due <= now.instant) {
            self.pass(now);
        }
        if let Some(output) = self.service.next(now, ready, memory)? {
            return Ok(output);
        }
        if ready.conns
            && let Some(conn) = self.next_conn()
        {
            return Ok(Output::Drive(conn));
        }
        Ok(Output::Sleep(self.deadline()))
    }

    /// The URL that an attempt goes to, copied into `memory`, for which
    /// [`callback_bytes_max`](service::Limits::callback_bytes_max) is enough. Where it resolves to is for the
    /// [guard](super::Config::guard) to judge.
    ///
    /// # Errors
    ///
    /// [`RequestError`] says why there is none.
    pub fn attempt_url<'m>(
        &self,
        id: AttemptId,
        memory: &'m mut [u8],
    ) -> Result<Url<'m>, RequestError> {
        self.service.attempt_url(id, memory)
    }

    /// Writes the whole request of an attempt, signed for `now`, to the server that `url` names. To be called when the
    /// connection is there: a receiver compares the time of a signature with its own.
    ///
    /// # Errors
    ///
    /// [`RequestError`] says why it was not written.
    pub fn write_attempt(
        &mut self,
        now: Now,
        id: AttemptId,
        url: &Url<'_>,
        memory: &mut [u8],
    ) -> Result<usize, RequestError> {
        self.service.write_attempt(now, id, url, memory)
    }

    /// When something is due next, though nothing comes: what [`Output::Sleep`] says.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        time::earlier(self.timers.next(), self.service.deadline())
    }

    /// Whether something has changed that is in no complete batch yet: it comes out with [`Ready::records`].
    #[must_use]
    pub const fn has_unsaved(&self) -> bool {
        self.service.has_unsaved()
    }

    /// Whether everything that has happened is durable.
    #[must_use]
    pub const fn is_all_durable(&self) -> bool {
        self.service.is_all_durable()
    }

    /// When an attempt that begins at `now` must have its whole answer.
    #[must_use]
    pub fn attempt_deadline(&self, now: Now) -> Instant {
        self.service.attempt_deadline(now)
    }

    /// Random bytes, for whoever works beside the server: a seed for simulated workers.
    #[must_use]
    pub fn random_bytes(&mut self) -> [u8; 32] {
        self.service.random_bytes()
    }

    /// The next connection that must be driven, though no bytes have come.
    fn next_conn(&mut self) -> Option<ConnId> {
        #[cfg(feature = "hub")]
        self.tell_held();
        let ix = self.ready.pop_front(&mut self.conns)?;
        let conn = self.conns.get_mut(ix)?;
        conn.ready = false;
        Some(ConnId {
            ix,
            serial: conn.serial,
        })
    }

    /// Names the connections whose answers waited for a batch.
    #[cfg(feature = "records")]
    fn unblock(&mut self) {
        while let Some(ix) = self.blocked.pop_front(&mut self.conns) {
            if let Some(conn) = self.conns.get_mut(ix) {
                conn.blocked = false;
            }
            self.wake(ix);
        }
    }

    /// Does what is due: connections that have waited too long, and the service's own.
    fn pass(&mut self, now: Now) {
        for _ in 0..STEP {
            let Some(ix) = self.timers.pop_due(&mut self.conns, now.instant) else {
                break;
            };
            let Some(conn) = self.conns.get_mut(ix) else {
                continue;
            };
            // The timer is not moved with each request; it looks again when it was early. What waits for an answer
            // gets one again with its next wait for bytes.
            let (waiting, deadline) = (conn.waiting, conn.deadline);
            if waiting == Waiting::Answer {
                continue;
            }
            if deadline > now.instant {
                self.timers.set(&mut self.conns, ix, deadline);
            } else {
                self.wake(ix);
            }
        }
        self.service.pass(now);
    }

    fn shutdown(&mut self) {
        self.stopping = true;
        let mut at = self.conns.next_used(None);
        while let Some(ix) = at {
            self.wake(ix);
            at = self.conns.next_used(Some(ix));
        }
    }

    /// Sees, in debug builds, that the clock for pauses never goes back.
    pub(super) fn check_clock(&mut self, now: Now) {
        self.clock.check(now);
    }
}
