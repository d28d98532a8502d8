//! What a service takes in and gives out, for the server's door.
//!
//! What has happened in the world goes in with a call for each kind; what is to be done there comes out of
//! [`next`](Service::next), one thing at a time. In which order things may happen is decided here: work is stopped before
//! other work is started, and while a batch of records is on its way to the store no record of the next one comes out.

use super::{
    Attempt, AttemptResult, Attempted, NOT_STARTED, PollError, Service,
    jobs::{Report, ReportError, Work},
};
use crate::{
    delivery::AttemptId,
    id::Id,
    record::{Batch, Key, Value},
    slab::Ix,
    time::{Instant, Now},
};

/// Why something that has happened was not taken. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum HandleError {
    /// The driver: records were put back, and work was not begun.
    NotStarted,
    /// The driver: the batch is another machine's.
    Batch,
    /// The driver: no such attempt is in flight. It was told of before.
    Attempt,
    /// The worker: its report cannot be taken.
    Report(ReportError),
}

/// What a driver can take at this moment. What it cannot take stays in the machine and loses nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Whether a worker is free to start on a job. Work to stop comes in any case.
    pub work: bool,
    /// Whether an attempt can be made.
    pub attempts: bool,
    /// Whether records can be gathered. The later they are, the more a batch holds.
    pub records: bool,
    /// Whether a connection can be driven. A service alone has none.
    pub conns: bool,
}

impl Ready {
    /// Everything.
    pub const ALL: Self = Self {
        work: true,
        attempts: true,
        records: true,
        conns: true,
    };
    /// Nothing but what cannot wait.
    pub const NONE: Self = Self {
        work: false,
        attempts: false,
        records: false,
        conns: false,
    };
    /// Records and nothing else that can wait: to gather a batch.
    pub const RECORDS: Self = Self {
        records: true,
        ..Self::NONE
    };
    /// Attempts and nothing else that can wait.
    pub const ATTEMPTS: Self = Self {
        attempts: true,
        ..Self::NONE
    };
    /// Jobs to start on and nothing else that can wait.
    pub const WORK: Self = Self {
        work: true,
        ..Self::NONE
    };
    /// Connections and nothing else that can wait.
    pub const CONNS: Self = Self {
        conns: true,
        ..Self::NONE
    };
}

/// The next thing to do, where `Conn` names a connection.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "it comes out once"]
pub enum Output<'m, Conn> {
    /// Drive this connection, though no bytes have come.
    Drive(Conn),
    /// Start on a job.
    Start {
        /// The job.
        job: Id,
        /// Its slot, from 1 to the number of jobs there can be: for a driver that keeps something beside each.
        slot: Ix,
    },
    /// Stop working on a job: it was called off or taken away.
    Stop {
        /// The job.
        job: Id,
        /// Its slot.
        slot: Ix,
    },
    /// Make this attempt at a delivery, and tell how it went.
    Attempt(Attempt),
    /// Put this record into the batch that is being gathered.
    Save {
        /// Which record.
        key: Key,
        /// Its value, in the memory that was lent; with none the record is deleted.
        value: Option<Value<'m>>,
    },
    /// Put this ended job into the same batch, to be kept under its id for longer than memory does.
    Archive {
        /// The job.
        job: Id,
        /// The JSON that it has for ever, in the memory that was lent.
        json: Value<'m>,
    },
    /// The batch is complete: write all that came since the last one in one transaction, then say that it is durable.
    Commit(Batch),
    /// Nothing, until something comes or it is this time. A time that has passed already means: ask again soon.
    Sleep(Option<Instant>),
}

impl HandleError {
    /// The error as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => NOT_STARTED,
            Self::Batch => "the batch is another machine's",
            Self::Attempt => "no such attempt is in flight",
            Self::Report(error) => error.as_str(),
        }
    }
}

impl core::fmt::Display for HandleError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for HandleError {}

impl Service<'_> {
    /// Takes what a worker says of its job.
    pub(crate) fn handle_report(
        &mut self,
        now: Now,
        job: Id,
        report: Report<'_>,
    ) -> Result<Option<Attempted>, HandleError> {
        match self.report(now, job, report) {
            Ok(()) => Ok(None),
            Err(error) => Err(HandleError::Report(error)),
        }
    }

    /// Takes how an attempt went, and says what came of it.
    pub(crate) fn handle_attempt(
        &mut self,
        now: Now,
        id: AttemptId,
        result: AttemptResult<'_>,
    ) -> Result<Option<Attempted>, HandleError> {
        let attempted = self.settle(now, id, result);
        attempted.map(Some).ok_or(HandleError::Attempt)
    }

    /// Takes that all records of a batch are in the store for good.
    #[cfg(feature = "records")]
    pub(crate) fn handle_durable(&mut self, batch: &Batch) -> Result<(), HandleError> {
        if self.dispatch.durable(batch) {
            Ok(())
        } else {
            Err(HandleError::Batch)
        }
    }

    /// The next thing to do at this moment, if there is one.
    pub(crate) fn next<'m, Conn>(
        &mut self,
        now: Now,
        ready: Ready,
        memory: &'m mut [u8],
    ) -> Result<Option<Output<'m, Conn>>, PollError> {
        match self.next_work(now, ready.work) {
            Some(Work::Start(slot, job)) => return Ok(Some(Output::Start { job, slot })),
            Some(Work::Stop(slot, job)) => return Ok(Some(Output::Stop { job, slot })),
            None => {}
        }
        #[cfg(feature = "records")]
        if ready.records
            && let Some(output) = self.gather(now, memory)?
        {
            return Ok(Some(output));
        }
        #[cfg(not(feature = "records"))]
        let _ = memory;
        #[cfg(all(feature = "idempotency", not(feature = "records")))]
        self.forget_expired_keys(now);
        if ready.attempts
            && let Some(attempt) = self.dispatch.outbox.poll_attempt(now.instant)
        {
            return Ok(Some(Output::Attempt(attempt)));
        }
        Ok(None)
    }

    /// How many bytes of memory are enough for whatever is to be saved.
    #[must_use]
    pub const fn record_bytes_max(&self) -> usize {
        if self.keep.archive() {
            self.limits.archive_bytes_max()
        } else {
            self.limits.record_bytes_max()
        }
    }

    /// When something is due next, though nothing comes.
    #[must_use]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        crate::time::earlier(self.job_timers.next(), self.dispatch.outbox.poll_timeout())
    }

    /// Whether something has changed that is in no complete batch yet.
    #[must_use]
    pub(crate) const fn has_unsaved(&self) -> bool {
        #[cfg(feature = "records")]
        return self.dispatch.course.is_gathering() || self.is_dirty();
        #[cfg(not(feature = "records"))]
        return false;
    }

    /// Whether everything that has happened is durable.
    #[must_use]
    pub(crate) const fn is_all_durable(&self) -> bool {
        #[cfg(feature = "records")]
        return !self.dispatch.course.is_committing() && !self.has_unsaved();
        #[cfg(not(feature = "records"))]
        return true;
    }
}
