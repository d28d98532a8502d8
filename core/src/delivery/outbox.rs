//! The machine: commands in, attempts out.

use super::{
    CLOSING, Message, NARROWED, OutboxLimits, QUEUED,
    attempt::{Attempt, AttemptId, Outcome, Owed, Settled, Target, Verdict},
    lane::{Held, Lane, Pace},
    slots::{AttemptSlot, Chain, Chains, EventSlot, Phase, StreamSlot},
    turns::Rings,
};
use crate::{
    random::Random,
    record::Keep,
    setup::{self, Lent, SetupError},
    slab::{Ix, Link, List, Slab, Slot},
    time::{self, Instant},
    timer::Timers,
};

/// The tables of an outbox, lent by the caller. All zero bytes is an empty table.
#[derive(Debug)]
pub(crate) struct Tables<'a, E: Message> {
    /// One for each subject that there can be.
    pub chains: &'a mut [Chain],
    /// Events that somebody is still owed.
    pub events: &'a mut [Slot<EventSlot<E>>],
    /// What one target is owed of one subject.
    pub streams: &'a mut [Slot<StreamSlot>],
    /// One for each endpoint that there can be, and behind them those that callbacks share.
    pub lanes: &'a mut [Slot<Lane<E::Filter>>],
    /// One for each attempt that may be in flight.
    pub attempts: &'a mut [Slot<AttemptSlot>],
}

impl<E: Message> Tables<'_, E> {
    /// Whether something could be delivered with them, to so many endpoints.
    pub(crate) fn check(&self, endpoints: usize) -> Result<(), SetupError> {
        setup::at_least(&[
            (Lent::Lanes, self.lanes.len(), endpoints.max(1)),
            (Lent::Chains, self.chains.len(), 1),
            (Lent::Events, self.events.len(), 1),
            (Lent::Streams, self.streams.len(), 1),
            (Lent::Attempts, self.attempts.len(), 1),
        ])
    }
}

/// Streams whose pause ended, or that a closing lane must let go, taken in one call at most.
const STEP: usize = 64;

/// Who is owed which event. See the [module](super) for how it works.
#[derive(Debug)]
pub(crate) struct Outbox<'a, E: Message> {
    pub(super) chains: Chains<'a>,
    pub(super) events: Slab<'a, EventSlot<E>>,
    pub(super) streams: Slab<'a, StreamSlot>,
    pub(super) lanes: Slab<'a, Lane<E::Filter>>,
    pub(super) stream_timers: Timers,
    pub(super) lane_timers: Timers,
    pub(super) attempts: Slab<'a, AttemptSlot>,
    pub(super) limits: OutboxLimits,

    /// Streams whose event is not durable yet, in the order of their batches.
    pub(super) unsaved: List<QUEUED>,
    /// Dead letters, oldest first.
    pub(super) dead: List<QUEUED>,
    /// Lanes with something to send.
    pub(super) rings: Rings,
    pub(super) open_batch: u64,
    pub(super) committed: u64,
    serial: u32,
    pub(super) publications: u64,
    /// Attempts in flight on lanes that were new when they began.
    pub(super) new_in_flight: usize,
    /// Attempts in flight on lanes that were slow when they began.
    pub(super) slow_in_flight: usize,

    pub(super) dead_letters: usize,
    pub(super) letters_dropped: u64,
    pub(super) lanes_for_all: usize,
    pub(super) subjects_active: usize,
    pub(super) targets_own: usize,
    pub(super) streams_active: usize,
    pub(super) events_kept: usize,
}

// Commands.
impl<'a, E: Message> Outbox<'a, E> {
    /// An empty outbox over lent tables, which were looked at. It has no lanes yet. Where it keeps nothing, everything is
    /// durable at once.
    pub(crate) fn of(tables: Tables<'a, E>, limits: OutboxLimits, keep: Keep) -> Self {
        let records = keep.records();
        Self {
            chains: Chains(tables.chains),
            events: Slab::new(tables.events).with_marks(records),
            streams: Slab::new(tables.streams).with_marks(records),
            lanes: Slab::new(tables.lanes),
            stream_timers: Timers::NONE,
            lane_timers: Timers::NONE,
            attempts: Slab::new(tables.attempts),
            limits,
            unsaved: List::EMPTY,
            dead: List::EMPTY,
            rings: Rings::EMPTY,
            open_batch: 1,
            // Where nothing is written, all is as good as written.
            committed: if records { 0 } else { u64::MAX },
            serial: 0,
            publications: 0,
            new_in_flight: 0,
            slow_in_flight: 0,
            dead_letters: 0,
            letters_dropped: 0,
            lanes_for_all: 0,
            subjects_active: 0,
            targets_own: 0,
            streams_active: 0,
            events_kept: 0,
        }
    }

    /// Makes the lanes of `endpoints`, and of all that are left those that callbacks share.
    pub(crate) fn make_lanes(&mut self, endpoints: usize) {
        let lanes = &mut self.lanes;
        while lanes.len() < endpoints && lanes.insert(Lane::closed(E::NO_FILTER)).is_some() {}
        while lanes.insert(Lane::shared(E::NO_FILTER)).is_some() {}
    }

    /// Opens a lane for an endpoint with this filter. `for_all` says that it gets the events of every
    /// subject, for which room must be there; `false`, and nothing has changed, where it is not.
    #[must_use]
    pub(crate) fn open_lane(&mut self, lane: Ix, filter: E::Filter, for_all: bool) -> bool {
        let spare = self.streams_spare();
        let Some(slot) = self.lanes.get_mut(lane) else {
            return false;
        };
        // A lane that has not let go of everything yet still has its room.
        let counts = for_all && !slot.counted;
        if counts && spare < self.subjects_active {
            return false;
        }
        if slot.in_flight == 0 {
            // It may be another endpoint's now.
            slot.pace = Pace::New;
        }
        slot.open = true;
        slot.filter = filter;
        slot.removing = false;
        if counts {
            slot.counted = true;
            self.lanes_for_all += 1;
        }
        self.forgive(lane);
        true
    }

    /// Changes what an open lane lets through, for events from now on.
    pub(crate) fn set_filter(&mut self, lane: Ix, filter: E::Filter) {
        if let Some(slot) = self.lanes.get_mut(lane) {
            slot.filter = filter;
        }
    }

    /// Closes a lane: nothing more is owed to it. What it is owed now becomes dead letters, each event its own and
    /// what is in flight when that has failed; or with `remove` is forgotten; a piece at a time, in [`handle_timeout`](Self::handle_timeout).
    pub(crate) fn close_lane(&mut self, lane: Ix, remove: bool) {
        let Some(slot) = self.lanes.get_mut(lane) else {
            return;
        };
        slot.open = false;
        slot.removing |= remove;
        slot.unreachable();
        self.lanes.mark(lane, CLOSING);
        self.drained(lane);
    }

    /// Whether a closed lane has let go of everything and can serve another endpoint.
    #[must_use]
    pub(crate) fn is_vacant(&self, lane: Ix) -> bool {
        self.lanes.get(lane).is_some_and(|lane| {
            let used = lane.open || lane.counted || lane.in_flight > 0;
            !used && lane.live.is_empty() && lane.dead.is_empty()
        })
    }

    /// Publishes an event of a subject to those of `targets` that are open.
    ///
    /// A target that is still owed an earlier event of the subject gets this one after it. The caller
    /// leaves out targets that do not want this kind of event. `false` where there is no room for the event, and nobody is
    /// owed it.
    pub(crate) fn publish(
        &mut self,
        subject: Ix,
        event: E,
        targets: impl Iterator<Item = Target>,
    ) -> bool {
        let Some(ix) = self.append(subject, event) else {
            if event.is_last() {
                self.end(subject);
            }
            return false;
        };
        self.publications += 1;
        let callback_owed = self.mark_lanes(subject);
        for target in targets {
            let owed = match self.lanes.get(target.lane) {
                _ if target.callback => callback_owed,
                Some(lane) => !lane.open || lane.mark == self.publications,
                None => true,
            };
            if !owed {
                self.owe(Some(subject), target, ix, false);
            }
        }
        if event.is_last() {
            self.end(subject);
        }
        self.unpin(ix);
        true
    }

    /// Sends one event to one target, apart from whatever else it is owed: a test (with no subject), or
    /// the ending of a subject that ended before the target came. `false` where there is no room.
    #[must_use]
    pub(crate) fn send(&mut self, subject: Link, event: E, target: Target) -> bool {
        if self.streams_spare() == 0 {
            return false;
        }
        let Some(ix) = self.hold(subject, event) else {
            return false;
        };
        if !target.callback {
            // Somebody asks for it, so it is not to wait.
            self.forgive(target.lane);
        }
        self.owe(subject, target, ix, true);
        self.unpin(ix);
        true
    }

    /// A pinned event to send apart: the subject's last one if that is it, or a new one.
    fn hold(&mut self, subject: Link, event: E) -> Link {
        let last = subject.and_then(|subject| self.chains.get(subject)?.events.tail());
        if let Some(ix) = last
            && let Some(slot) = self.events.get_mut(ix)
            && slot.event == event
        {
            slot.heads += 1;
            return Some(ix);
        }
        if self.events.room() <= self.events_kept {
            return None;
        }
        match subject {
            Some(subject) => self.append(subject, event),
            None => self.insert_event(event, None),
        }
    }

    /// Lets go of what a target that only `subject` has is owed of it: that becomes dead letters, or with `remove` is
    /// forgotten. Gives back the room that was kept for what it would have been owed.
    pub(crate) fn close_target(&mut self, subject: Ix, target: Target, remove: bool) {
        while let Some(ix) = self.stream_of(subject, target) {
            if remove {
                self.remove_stream(ix);
            } else {
                self.dequeue(ix);
                self.set_aside(ix);
            }
        }
        self.release_target(subject);
    }

    /// As [`close_target`](Self::close_target), of the subject's callback, whichever lane it is in: what it is owed becomes
    /// dead letters.
    pub(crate) fn close_callback(&mut self, subject: Ix) {
        // A callback's stream is found in whatever lane it is.
        let target = Target {
            lane: Ix::MIN,
            callback: true,
        };
        self.close_target(subject, target, false);
    }

    /// Tells how an attempt ended.
    pub(crate) fn settle(
        &mut self,
        now: Instant,
        id: AttemptId,
        outcome: Outcome,
        random: &mut Random,
    ) -> Option<Settled<E>> {
        let attempt = *self.attempts.get(id.ix)?;
        if attempt.serial != id.serial {
            return None;
        }
        self.attempts.remove(id.ix);
        let lane = attempt.lane?;
        self.count_pace(attempt.pace, -1);
        let (held_ms, of_event) = self.adjust(now, lane, &attempt, outcome, random);
        let mut settled = Settled {
            subject: None,
            event: None,
            target: Target {
                lane,
                callback: attempt.callback,
            },
            number: attempt.number,
            started: attempt.started,
            verdict: Verdict::Dropped,
            held_ms,
            of_event,
        };
        if let Some(ix) = attempt.stream {
            settled.event = self.head_of(ix).map(|slot| slot.event);
            settled.subject = self.streams.get(ix)?.subject;
            settled.verdict = self.conclude(now, ix, outcome, random);
        }
        if !self.is_open(lane) {
            self.lanes.mark(lane, CLOSING);
        }
        self.offer(lane);
        Some(settled)
    }
}

// Outputs.
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
        self.streams.len().saturating_sub(self.dead_letters)
    }

    /// How many dead letters are kept.
    #[must_use]
    pub(crate) const fn dead_letters(&self) -> usize {
        self.dead_letters
    }

    /// How many dead letters were forgotten because room was wanted.
    #[must_use]
    pub(crate) const fn letters_dropped(&self) -> u64 {
        self.letters_dropped
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

    /// Whether a subject owes nobody anything, dead letters included.
    #[must_use]
    pub(crate) fn is_settled(&self, subject: Ix) -> bool {
        self.chains.get(subject).is_none_or(|chain| {
            !chain.active && chain.streams.is_empty() && chain.events.is_empty()
        })
    }
}
