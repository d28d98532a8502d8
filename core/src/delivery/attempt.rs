//! What goes into the outbox and comes out of it.

use crate::{slab::Ix, slab::Link, time::Instant};

/// Someone who may be owed an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Target {
    /// The lane that limits the attempts to it.
    pub lane: Ix,
    /// Whether it is the subject's own `callback_url`, which gets every event; its lane is shared with
    /// other callbacks.
    pub callback: bool,
}

/// Names an attempt in flight. A stale one names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AttemptId {
    pub(super) ix: Ix,
    pub(super) serial: u32,
}

impl AttemptId {
    /// The slot of the attempt, from 1 to the number of attempts that may be in flight: for a driver
    /// that keeps something beside each.
    #[must_use]
    pub const fn slot(self) -> Ix {
        self.ix
    }
}

/// An attempt to make now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Attempt<E> {
    /// Its name, to tell how it went.
    pub id: AttemptId,
    /// The subject that the event befell; none for a test.
    pub subject: Link,
    /// The event to send.
    pub event: E,
    /// The slot of the endpoint that it goes to; for a callback, of the lane that it shares with others.
    pub lane: Ix,
    /// Whether it goes to the subject's own `callback_url`.
    pub callback: bool,
    /// Which attempt of this delivery it is, from 1.
    pub number: u8,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Outcome {
    /// The receiver has it.
    Delivered,
    /// The receiver does not have it, or did not say so.
    Failed {
        /// What went wrong, as far as it matters for what is sent next.
        failure: Failure,
        /// How long the receiver asks to be left alone, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The receiver wants nothing any more (`410 Gone`).
    Gone,
}

/// Kinds of failure, by what they say about the receiver's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Failure {
    /// It answered, and not with success.
    Refused,
    /// It answered that this request is one that it does not take.
    Rejected,
    /// It, or something before it, is overloaded: 429, 502, 503 or 504.
    Throttled,
    /// No whole answer came.
    Unreachable,
}

/// What became of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Verdict {
    /// It is done.
    Delivered,
    /// It will be tried again.
    Retry {
        /// After so many milliseconds.
        pause_ms: u64,
    },
    /// It is a dead letter.
    Dead,
    /// It is a dead letter, because the receiver rejected it twice while what comes after it waits that says more: the
    /// ending of its subject, or others that are sent again.
    Overtaken,
    /// It was no longer owed; its endpoint is gone.
    Dropped,
}

/// An attempt that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled<E> {
    /// The subject that the event befell; none for a test or a delivery no longer owed.
    pub subject: Link,
    /// The event, if it is still owed or was just delivered.
    pub event: Option<E>,
    /// Where the attempt went.
    pub target: Target,
    /// Which attempt of the delivery it was, from 1.
    pub number: u8,
    /// When it began.
    pub started: Instant,
    /// What became of the delivery.
    pub verdict: Verdict,
    /// For how long all that its lane carries is held back from now on because of it, in milliseconds; 0 where it is not.
    pub held_ms: u64,
    /// Whether it says nothing of the endpoint: the receiver rejects this event, and takes others.
    pub of_event: bool,
}

/// How much is owed, and what became of what was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owed {
    /// Streams that are to be sent: what one target is owed of one subject.
    pub streams: usize,
    /// Deliveries that were given up and are kept.
    pub dead_letters: usize,
    /// Deliveries that were given up and had to make room.
    pub letters_dropped: u64,
    /// Events that somebody is owed.
    pub events: usize,
    /// Attempts in flight.
    pub attempts: usize,
}

/// A stream as its record holds it.
#[cfg(feature = "records")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SavedStream {
    /// The subject; none for a test.
    pub subject: Link,
    /// Where to.
    pub target: Target,
    /// The slot of the event that is owed first.
    pub event: Ix,
    /// Failed attempts so far.
    pub attempts: u8,
    /// Whether it is a dead letter.
    pub dead: bool,
    /// Whether it ends with this one event.
    pub solo: bool,
    /// When the next attempt is due; [`Instant::ZERO`] for at once.
    pub due: Instant,
}
