//! What lies in the outbox's tables.

use super::{IN_LANE, Message, NARROWED, OF_SUBJECT, QUEUED, Target, lane::Pace};
use crate::{
    slab::{Ix, Link, Links, List, Node},
    time::Instant,
    timer::{Timed, Timer},
};
use zerocopy::FromZeros;

/// One event that somebody is still owed.
#[derive(Debug, Clone, Copy, FromZeros)]
pub(crate) struct EventSlot<E> {
    pub(super) event: E,
    pub(super) subject: Link,
    /// How many streams have this event to send next.
    pub(super) heads: u32,
    /// The batch of records that makes it durable; 0 from before a restart.
    pub(super) batch: u64,
    links: Links,
}

impl<E: Message> EventSlot<E> {
    /// A filler for empty slots: all zero.
    pub(crate) const EMPTY: Self = Self::new(E::EMPTY, None, 0);

    pub(super) const fn new(event: E, subject: Link, batch: u64) -> Self {
        Self {
            event,
            subject,
            heads: 0,
            batch,
            links: Links::NONE,
        }
    }
}

impl<E> Node<OF_SUBJECT> for EventSlot<E> {
    fn links(&self) -> &Links {
        &self.links
    }
    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}

/// What a stream is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
#[repr(u8)]
pub(super) enum Phase {
    /// For its event to be durable.
    Unsaved = 0,
    /// For its lane's turn.
    Ready,
    /// For its pause to end.
    Waiting,
    /// For the receiver's answer.
    InFlight,
    /// For somebody to ask for it: a dead letter.
    Dead,
    /// For an earlier event of its subject that is sent again too.
    #[cfg(feature = "redelivery")]
    Behind,
}

/// What one target is owed of one subject, from one event on.
#[derive(Debug, Clone, Copy, FromZeros)]
pub(crate) struct StreamSlot {
    pub(super) subject: Link,
    pub(super) lane: Link,
    /// The event to send next.
    pub(super) event: Link,
    /// The attempt in flight.
    pub(super) attempt: Link,
    pub(super) due: Instant,
    pub(super) attempts: u8,
    pub(super) phase: Phase,
    pub(super) callback: bool,
    /// Whether it ends with this one event: a dead letter split off, or a test.
    pub(super) solo: bool,
    /// Whether the receiver rejected it last: the request, not the time.
    pub(super) rejected: bool,
    of_subject: Links,
    in_lane: Links,
    queued: Links,
    /// The end of its pause.
    pub(super) timer: Timer,
}

impl StreamSlot {
    /// A filler for empty slots: all zero.
    pub(crate) const EMPTY: Self = Self {
        subject: None,
        lane: None,
        event: None,
        attempt: None,
        due: Instant::ZERO,
        attempts: 0,
        phase: Phase::Unsaved,
        callback: false,
        solo: false,
        rejected: false,
        of_subject: Links::NONE,
        in_lane: Links::NONE,
        queued: Links::NONE,
        timer: Timer::NONE,
    };

    pub(super) const fn new(subject: Link, target: Target, event: Ix, solo: bool) -> Self {
        Self {
            subject,
            lane: Some(target.lane),
            event: Some(event),
            callback: target.callback,
            solo,
            ..Self::EMPTY
        }
    }

    /// Whether an attempt at its event was begun.
    pub(super) const fn has_begun(&self) -> bool {
        #[cfg(feature = "redelivery")]
        if matches!(self.phase, Phase::Behind) {
            return false;
        }
        self.attempts > 0 || !matches!(self.phase, Phase::Unsaved | Phase::Ready)
    }
}

impl Node<OF_SUBJECT> for StreamSlot {
    fn links(&self) -> &Links {
        &self.of_subject
    }
    fn links_mut(&mut self) -> &mut Links {
        &mut self.of_subject
    }
}

impl Node<IN_LANE> for StreamSlot {
    fn links(&self) -> &Links {
        &self.in_lane
    }
    fn links_mut(&mut self) -> &mut Links {
        &mut self.in_lane
    }
}

impl Node<QUEUED> for StreamSlot {
    fn links(&self) -> &Links {
        &self.queued
    }
    fn links_mut(&mut self) -> &mut Links {
        &mut self.queued
    }
}

impl Timed for StreamSlot {
    fn timer_mut(&mut self) -> &mut Timer {
        &mut self.timer
    }
}

/// An attempt in flight.
#[derive(Debug, Clone, Copy, FromZeros)]
pub(crate) struct AttemptSlot {
    /// The stream it is for; none when the delivery is no longer owed.
    pub(super) stream: Link,
    pub(super) lane: Link,
    pub(super) serial: u32,
    pub(super) number: u8,
    pub(super) callback: bool,
    /// Its lane's pace when it began.
    pub(super) pace: Pace,
    pub(super) started: Instant,
}

impl AttemptSlot {
    /// A filler for empty slots: all zero.
    pub(crate) const EMPTY: Self = Self {
        stream: None,
        lane: None,
        serial: 0,
        number: 0,
        callback: false,
        pace: Pace::New,
        started: Instant::ZERO,
    };
}

/// A subject's part in the outbox: its events, its streams, and the room kept for what is still to come.
#[derive(Debug, Clone, Copy, FromZeros)]
pub(crate) struct Chain {
    pub(super) events: List<OF_SUBJECT>,
    pub(super) streams: List<OF_SUBJECT>,
    /// What is narrowed to the subject, in the user's tables.
    pub(super) narrowed: List<NARROWED>,
    /// Streams that are neither dead nor solo.
    pub(super) streams_live: u32,
    /// That of the newest event.
    pub(super) sequence: u32,
    /// Changes of state that are still to come at most, each with an event slot set aside.
    pub(super) events_kept: u8,
    /// Targets that only this subject has: its callback, and endpoints narrowed to it.
    pub(super) targets_own: u32,
    /// Whether the subject is admitted and has not ended.
    pub(super) active: bool,
}

impl Chain {
    /// No subject: all zero.
    pub(crate) const EMPTY: Self = Self {
        events: List::EMPTY,
        streams: List::EMPTY,
        narrowed: List::EMPTY,
        streams_live: 0,
        sequence: 0,
        events_kept: 0,
        targets_own: 0,
        active: false,
    };
}

/// The chains of all subjects, by the slot of the subject.
#[derive(Debug)]
pub(super) struct Chains<'a>(pub(super) &'a mut [Chain]);

impl Chains<'_> {
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn get(&self, subject: Ix) -> Option<&Chain> {
        self.0.get(subject.get() as usize - 1)
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn get_mut(&mut self, subject: Ix) -> Option<&mut Chain> {
        self.0.get_mut(subject.get() as usize - 1)
    }
}
