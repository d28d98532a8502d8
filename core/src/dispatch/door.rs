//! The one way in and the one way out of a dispatcher that is used alone.
//!
//! What has happened in the world goes in with [`handle`](Dispatcher::handle); what is to be done there comes out of
//! [`poll`](Dispatcher::poll), one thing at a time. What is due is done before anything comes out, and while a batch of
//! records is on its way to the store no record of the next one comes out.

use super::{AttemptResult, Attempted, Dispatcher, Event, NOT_STARTED, Subjects};
use crate::{
    delivery::{Attempt, AttemptId},
    record::{Batch, Key, Value},
    time::{Instant, Now},
};

/// Something that has happened in the world.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Input<'a> {
    /// An attempt has ended. Every attempt that came out must be told of.
    Attempt {
        /// Which one.
        id: AttemptId,
        /// How it went.
        result: AttemptResult<'a>,
    },
    /// All records of a batch are in the store for good.
    Durable(Batch),
}

/// Why an [`Input`] was not taken. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum HandleError {
    /// The driver: records were put back, and work was not begun.
    NotStarted,
    /// The driver: the batch is another machine's.
    Batch,
    /// The driver: no such attempt is in flight. It was told of before.
    Attempt,
}

/// What a driver can take at this moment. What it cannot take stays in the machine and loses nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Whether an attempt can be made.
    pub attempts: bool,
    /// Whether records can be gathered. The later they are, the more a batch holds.
    pub records: bool,
}

impl Ready {
    /// Everything.
    pub const ALL: Self = Self {
        attempts: true,
        records: true,
    };
    /// Attempts alone: for a driver that keeps nothing, or gathers records elsewhere.
    pub const ATTEMPTS: Self = Self {
        attempts: true,
        records: false,
    };
}

/// The next thing to do.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "it comes out once"]
pub enum Output<'m, E> {
    /// Make this attempt at a delivery, and tell how it went.
    Attempt(Attempt<E>),
    /// Put this record into the batch that is being gathered.
    Save {
        /// Which record.
        key: Key,
        /// Its value, in the memory that was lent; with none the record is deleted.
        value: Option<Value<'m>>,
    },
    /// The batch is complete: write all that came since the last one in one transaction, then say that it is
    /// [durable](Input::Durable).
    Commit(Batch),
    /// Nothing, until something comes or it is this time. A time that has passed already means: ask again soon.
    Sleep(Option<Instant>),
}

/// Why nothing came out. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PollError {
    /// The driver: records were put back, and work was not begun.
    NotStarted,
    /// The driver: a record is due, and the lent memory is shorter than the longest one.
    ShortMemory,
}

impl HandleError {
    /// The error as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => NOT_STARTED,
            Self::Batch => "the batch is another machine's",
            Self::Attempt => "no such attempt is in flight",
        }
    }
}

impl PollError {
    /// The error as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => NOT_STARTED,
            Self::ShortMemory => "the lent memory is shorter than the longest record",
        }
    }
}

impl core::fmt::Display for HandleError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::fmt::Display for PollError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for HandleError {}
impl core::error::Error for PollError {}

impl<E: Event> Dispatcher<'_, E> {
    /// Takes something that has happened in the world. Of an attempt it says what came of it.
    ///
    /// # Errors
    ///
    /// [`HandleError`] says why it was not taken.
    pub fn handle(
        &mut self,
        now: Now,
        input: Input<'_>,
        subjects: &impl Subjects<E>,
    ) -> Result<Option<Attempted>, HandleError> {
        self.clock.check(now);
        if !self.begin() {
            return Err(HandleError::NotStarted);
        }
        match input {
            Input::Attempt { id, result } => {
                let attempted = self.handle_attempt(now, id, result, subjects);
                attempted.map(Some).ok_or(HandleError::Attempt)
            }
            #[cfg(feature = "records")]
            Input::Durable(batch) if self.durable(&batch) => Ok(None),
            #[cfg(feature = "records")]
            Input::Durable(_) => Err(HandleError::Batch),
        }
    }

    /// The next thing to do, after doing what is due. Ask until it is [`Output::Sleep`].
    ///
    /// `memory` is where records come out: [`record_bytes_max`](Self::record_bytes_max) of it are enough for any. A driver
    /// that takes none, or whose dispatcher keeps none, need not lend any.
    ///
    /// # Errors
    ///
    /// [`PollError`] says what is wrong with the call.
    pub fn poll<'m>(
        &mut self,
        now: Now,
        ready: Ready,
        memory: &'m mut [u8],
    ) -> Result<Output<'m, E>, PollError> {
        self.clock.check(now);
        if !self.begin() {
            return Err(PollError::NotStarted);
        }
        if self.deadline().is_some_and(|due| due <= now.instant) {
            self.outbox.handle_timeout(now.instant);
            self.reap_endpoints();
        }
        #[cfg(feature = "records")]
        if ready.records
            && let Some(output) = self.gather(now, memory)?
        {
            return Ok(output);
        }
        #[cfg(not(feature = "records"))]
        let _ = memory;
        if ready.attempts
            && let Some(attempt) = self.outbox.poll_attempt(now.instant)
        {
            return Ok(Output::Attempt(attempt));
        }
        Ok(Output::Sleep(self.deadline()))
    }

    /// When something is due next, though nothing comes: what [`Output::Sleep`] says.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.outbox.poll_timeout()
    }

    /// Whether something has changed that is in no complete batch yet.
    #[must_use]
    pub const fn has_unsaved(&self) -> bool {
        #[cfg(feature = "records")]
        return self.course.is_gathering() || self.is_dirty();
        #[cfg(not(feature = "records"))]
        return false;
    }
}
