//! What comes out of the outbox: attempts to make, deadlines, and how much is owed.

use super::{
    Message, NARROWED, Outbox,
    attempt::{Attempt, AttemptId, Owed},
    lane::Held,
    slots::{AttemptSlot, Phase},
};
use crate::{
    slab::{Ix, List},
    time::{self, Instant},
};

/// Streams whose pause ended taken in one call at most.
const STEP: usize = 64;

impl<E: Message> Outbox<'_, E> {
    /// The next attempt to make, if there is one that may be made now.
    #[must_use]
    pub(crate) fn poll_attempt(&mut self, now: Instant) -> Option<Attempt<E>> {
        if self.attempts.room() == 0 {
            return None;
        }
        let (lane, ix) = self.next_stream()?;
        let slot = self.lanes.get_mut(lane)?;
        slot.in_flight += 1;
        slot.asked = false;
        let held = core::mem::replace(&mut slot.held, Held::Nothing);
        let pace = slot.pace;
        if held != Held::Nothing {
            // What goes past a pause ends it, and shows whether there must be another.
            self.lane_timers.clear(&mut self.lanes, lane);
        }
        self.count_pace(pace, 1);
        self.offer(lane);

        self.serial = self.serial.wrapping_add(1);
        let stream = self.streams.get_mut(ix)?;
        stream.phase = Phase::InFlight;
        let number = stream.attempts.saturating_add(1);
        let attempt = self.attempts.insert(AttemptSlot {
            stream: Some(ix),
            lane: Some(lane),
            serial: self.serial,
            number,
            callback: stream.callback,
            pace,
            started: now,
        })?;
        stream.attempt = Some(attempt);
        let (subject, callback) = (stream.subject, stream.callback);
        Some(Attempt {
            id: AttemptId {
                ix: attempt,
                serial: self.serial,
            },
            subject,
            event: self.head_of(ix)?.event,
            lane,
            callback,
            number,
        })
    }

    /// An attempt in flight, as it came out. `None` where there is none by this name; one without a delivery where that is
    /// no longer owed.
    #[must_use]
    pub(crate) fn attempt(&self, id: AttemptId) -> Option<Option<Attempt<E>>> {
        let slot = self.attempts.get(id.ix)?;
        if slot.serial != id.serial {
            return None;
        }
        Some(slot.stream.and_then(|ix| {
            let callback = slot.callback;
            Some(Attempt {
                id,
                subject: self.streams.get(ix)?.subject,
                event: self.head_of(ix)?.event,
                lane: slot.lane?,
                callback,
                number: slot.number,
            })
        }))
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do next.
    #[must_use]
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.lanes.has_marked() {
            return Some(Instant::ZERO);
        }
        let streams = self.stream_timers.next();
        let lanes = self.lane_timers.next();
        time::earlier(streams, lanes)
    }

    /// Does what is due: pauses that have ended, lanes that are closing. What is left when it has
    /// done its share is due at once.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        for _ in 0..STEP {
            let Some(lane) = self.lane_timers.pop_due(&mut self.lanes, now) else {
                break;
            };
            if let Some(slot) = self.lanes.get_mut(lane) {
                slot.held = Held::Nothing;
            }
            self.offer(lane);
        }
        for _ in 0..STEP {
            let Some(ix) = self.stream_timers.pop_due(&mut self.streams, now) else {
                break;
            };
            self.enqueue(ix);
        }
        if let Some((lane, _)) = self.lanes.pop_marked() {
            self.drain(lane);
        }
    }

    /// How many subjects there can be.
    #[must_use]
    pub(crate) const fn subjects_capacity(&self) -> usize {
        self.chains.0.len()
    }

    /// The targets that only this subject has, as its user lists them.
    pub(crate) fn narrowed(&self, subject: Ix) -> List<NARROWED> {
        let chain = self.chains.get(subject);
        chain.map_or(List::EMPTY, |chain| chain.narrowed)
    }

    /// The same list, to change it.
    pub(crate) fn narrowed_mut(&mut self, subject: Ix) -> Option<&mut List<NARROWED>> {
        let chain = self.chains.get_mut(subject)?;
        Some(&mut chain.narrowed)
    }

    /// How much is owed.
    #[must_use]
    pub(crate) const fn owed(&self) -> Owed {
        Owed {
            streams: self.streams_live(),
            dead_letters: self.dead_letters(),
            letters_dropped: self.letters_dropped(),
            events: self.events_len(),
            attempts: self.attempts_in_flight(),
        }
    }

    /// How many attempts are in flight.
    #[must_use]
    pub(crate) const fn attempts_in_flight(&self) -> usize {
        self.attempts.len()
    }

    /// How many attempts may be in flight.
    #[cfg(feature = "hub")]
    #[must_use]
    pub(crate) const fn attempts_capacity(&self) -> usize {
        self.attempts.capacity()
    }

    /// How many deliveries are owed and not dead.
    #[must_use]
    pub(crate) const fn streams_live(&self) -> usize {
        self.streams.len().saturating_sub(self.letters.len())
    }

    /// How many dead letters are kept.
    #[must_use]
    pub(crate) const fn dead_letters(&self) -> usize {
        self.letters.len()
    }

    /// How many dead letters were forgotten because room was wanted.
    #[must_use]
    pub(crate) const fn letters_dropped(&self) -> u64 {
        self.letters.dropped()
    }

    /// Whether a lane is open.
    #[must_use]
    pub(crate) fn is_open(&self, lane: Ix) -> bool {
        self.lanes.get(lane).is_some_and(|lane| lane.open)
    }

    /// Whether a subject is admitted and has not ended.
    #[must_use]
    pub(crate) fn is_active(&self, subject: Ix) -> bool {
        self.chains.get(subject).is_some_and(|chain| chain.active)
    }

    /// How many events are kept because somebody is owed them.
    #[must_use]
    pub(crate) const fn events_len(&self) -> usize {
        self.events.len()
    }

    /// Whether an event can be the next one of its subject: no other one has its number, nor a later one.
    #[must_use]
    pub(crate) fn follows(&self, subject: Ix, event: &E) -> bool {
        self.chains
            .get(subject)
            .is_some_and(|chain| event.sequence() > chain.sequence)
    }

    /// Whether a subject owes nobody anything, dead letters included.
    #[must_use]
    pub(crate) fn is_settled(&self, subject: Ix) -> bool {
        self.chains.get(subject).is_none_or(|chain| {
            !chain.active && chain.streams.is_empty() && chain.events.is_empty()
        })
    }
}
