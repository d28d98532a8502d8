//! The machine, and the commands that go in.

use super::{
    CLOSING, Message, OutboxLimits,
    attempt::{AttemptId, Outcome, Settled, Target, Verdict},
    batches::Batches,
    lane::{Lane, Pace},
    letters::Letters,
    promises::Promises,
    slots::{AttemptSlot, Chain, Chains, EventSlot, StreamSlot},
    turns::Rings,
};
use crate::{
    random::Random,
    record::Keep,
    setup::{self, Lent, SetupError},
    slab::{Ix, Link, Slab, Slot},
    time::Instant,
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

    pub(super) batches: Batches,
    pub(super) letters: Letters,
    /// Lanes with something to send.
    pub(super) rings: Rings,
    pub(super) promises: Promises,
    pub(super) serial: u32,
    pub(super) publications: u64,
}

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
            batches: Batches::new(records),
            letters: Letters::NONE,
            rings: Rings::EMPTY,
            promises: Promises::NONE,
            serial: 0,
            publications: 0,
        }
    }

    /// Makes the lanes of `endpoints`, and of all that are left those that callbacks share.
    pub(crate) fn make_lanes(&mut self, endpoints: usize) {
        let lanes = &mut self.lanes;
        while lanes.len() < endpoints && lanes.insert(Lane::closed(E::NO_FILTER)).is_some() {}
        while lanes.insert(Lane::shared(E::NO_FILTER)).is_some() {}
    }

    /// The number of the attempt that was begun last.
    pub(crate) const fn serial(&self) -> u32 {
        self.serial
    }

    /// Counts attempts from here on: those of another machine are told from them.
    pub(crate) const fn begin_serials(&mut self, serial: u32) {
        self.serial = serial;
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
        if counts && spare < self.promises.subjects() {
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
            self.promises.add_lane();
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
        if self.events.room() <= self.promises.events() {
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
