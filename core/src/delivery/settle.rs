//! What an attempt's end brings about: for the lane, and for the delivery.

use super::{
    CHANGED, Message, OF_SUBJECT, Outbox, RETRY_AFTER_MS_MAX,
    attempt::{Failure, Outcome, Settled, Target, Verdict},
    lane::Pause,
    slots::{AttemptSlot, Phase, StreamSlot},
};
use crate::{
    random::Random,
    slab::{Ix, List},
    time::Instant,
};

/// How often an event is rejected before it gives way to what says more.
const REJECTED_MAX: u8 = 2;

impl<E: Message> Outbox<'_, E> {
    /// Learns about the lane from how an attempt ended. Returns for how long the lane pauses because of it, in
    /// milliseconds, 0 where it does not; and whether the attempt says nothing of the endpoint.
    pub(super) fn adjust(
        &mut self,
        now: Instant,
        lane: Ix,
        attempt: &AttemptSlot,
        outcome: Outcome,
        random: &mut Random,
    ) -> (u64, bool) {
        let Some(slot) = self.lanes.get_mut(lane) else {
            return (0, false);
        };
        slot.in_flight = slot.in_flight.saturating_sub(1);
        slot.took(now.ms_since(attempt.started));
        let (failure, hint_ms) = match outcome {
            Outcome::Delivered => {
                slot.succeeded(now, self.limits.window_max);
                return (0, false);
            }
            Outcome::Gone => {
                slot.unreachable();
                return (0, false);
            }
            Outcome::Failed {
                failure,
                retry_after_ms,
            } => (failure, retry_after_ms),
        };
        let throttled = failure == Failure::Throttled;
        match failure {
            Failure::Rejected if slot.rejects_the_event(now) => return (0, true),
            Failure::Refused | Failure::Rejected => slot.refused(),
            Failure::Throttled | Failure::Unreachable => slot.unreachable(),
        }
        // Overload is no matter of one delivery.
        let doublings = slot.failed(throttled || attempt.number == 1);
        let mut pause_ms = doublings.map_or(0, |n| self.limits.probe_pause_ms(n, random));
        let mut why = Pause::Failing;
        if throttled {
            let overload_ms = hint_ms.unwrap_or(self.limits.throttle_ms);
            pause_ms = pause_ms.max(overload_ms.min(RETRY_AFTER_MS_MAX));
            why = match hint_ms {
                Some(_) => Pause::Asked,
                None => Pause::Overloaded,
            };
        }
        if pause_ms > 0 {
            slot.hold();
            let until = now.after_ms(pause_ms);
            if slot.timer.get() < Some(until) {
                slot.why = why;
                self.lane_timers.set(&mut self.lanes, lane, until);
            }
        }
        (pause_ms, false)
    }

    /// Forgets how a lane's endpoint has fared, and ends its pause.
    pub(crate) fn forgive(&mut self, lane: Ix) {
        if let Some(slot) = self.lanes.get_mut(lane) {
            slot.forgive();
        }
        self.lane_timers.clear(&mut self.lanes, lane);
        self.offer(lane);
    }

    /// When a lane's pause ends, and why there is one.
    #[must_use]
    pub(crate) fn pause(&self, lane: Ix) -> Option<(Instant, Pause)> {
        let slot = self.lanes.get(lane)?;
        Some((slot.timer.get()?, slot.why))
    }

    /// Decides what becomes of the stream whose attempt ended.
    pub(super) fn conclude(
        &mut self,
        now: Instant,
        ix: Ix,
        outcome: Outcome,
        random: &mut Random,
    ) -> Verdict {
        self.streams.mark(ix, CHANGED);
        let Some(stream) = self.streams.get_mut(ix) else {
            return Verdict::Dropped;
        };
        stream.attempt = None;
        let (failure, retry_after_ms) = match outcome {
            Outcome::Delivered => {
                self.advance(ix);
                return Verdict::Delivered;
            }
            Outcome::Gone => {
                self.set_aside(ix);
                return Verdict::Dead;
            }
            Outcome::Failed {
                failure,
                retry_after_ms,
            } => (failure, retry_after_ms),
        };
        stream.attempts = stream.attempts.saturating_add(1);
        stream.rejected = failure == Failure::Rejected;
        let (attempts, lane) = (stream.attempts, stream.lane);
        if self.gives_way(ix) {
            self.set_aside(ix);
            return Verdict::Overtaken;
        }
        let schedule = &self.limits.schedule;
        let pause = match lane {
            Some(lane) if self.is_open(lane) => schedule.pause_ms(attempts, retry_after_ms, random),
            _ => None,
        };
        match (pause, self.streams.get_mut(ix)) {
            (Some(pause_ms), Some(stream)) => {
                stream.phase = Phase::Waiting;
                let due = now.after_ms(pause_ms);
                stream.due = due;
                self.stream_timers.set(&mut self.streams, ix, due);
                Verdict::Retry { pause_ms }
            }
            _ => {
                self.set_aside(ix);
                Verdict::Dead
            }
        }
    }

    /// Makes the event before a stream, which must wait in nothing, a dead letter of its own and lets the stream go on.
    pub(super) fn set_aside(&mut self, ix: Ix) {
        let Some(stream) = self.streams.get(ix).copied() else {
            return;
        };
        let (Some(lane), Some(event)) = (stream.lane, stream.event) else {
            return;
        };
        if self.next_event(ix).is_none() {
            self.make_solo(ix);
            self.bury(ix);
            self.streams.mark(ix, CHANGED);
            return;
        }
        let target = Target {
            lane,
            callback: stream.callback,
        };
        let mut letter = StreamSlot::new(stream.subject, target, event, true);
        letter.attempts = stream.attempts;
        match self.add_stream(letter) {
            Some(letter) => self.bury(letter),
            None => self.letters.count_dropped(),
        }
        self.advance(ix);
    }

    /// Makes a stream a dead letter. It must be solo, and wait in nothing.
    pub(super) fn bury(&mut self, ix: Ix) {
        let Some(stream) = self.streams.get_mut(ix) else {
            return;
        };
        stream.phase = Phase::Dead;
        stream.due = Instant::ZERO;
        if let Some(lane) = stream.lane.and_then(|lane| self.lanes.get_mut(lane)) {
            lane.live.remove(&mut self.streams, ix);
            lane.dead.push_back(&mut self.streams, ix);
        }
        self.letters.push(&mut self.streams, ix);
        #[cfg(feature = "redelivery")]
        self.go_on_behind(ix);
    }

    /// Whether a stream stands before an event that its receiver rejected twice, and what comes after it must not wait for
    /// as long as that is tried: the ending of a subject, which says all that the event says, or what is sent again.
    fn gives_way(&self, ix: Ix) -> bool {
        let Some(stream) = self.streams.get(ix) else {
            return false;
        };
        if !stream.rejected || stream.attempts < REJECTED_MAX {
            return false;
        }
        if stream.solo {
            #[cfg(feature = "redelivery")]
            return self.waits_behind(ix);
            #[cfg(not(feature = "redelivery"))]
            return false;
        }
        let last = || {
            let chain = self.chains.get(stream.subject?)?;
            let last = chain
                .events
                .tail()
                .filter(|last| stream.event != Some(*last));
            let event = self.events.get(last?)?.event;
            let filter = self.lanes.get(stream.lane?)?.filter;
            Some(event.is_last() && (stream.callback || event.passes(filter)))
        };
        last() == Some(true)
    }

    /// Lets one stream of a subject that has just ended go on to the ending, if what it stands before was rejected twice and
    /// is not in flight. Returns what became a dead letter by that; none where there is no such stream.
    pub(crate) fn make_way(&mut self, subject: Ix) -> Option<Settled<E>> {
        let mut at = self.chains.get(subject)?.streams.head();
        while let Some(ix) = at {
            at = List::<OF_SUBJECT>::next(&self.streams, ix);
            let stream = self.streams.get(ix)?;
            let rests = matches!(stream.phase, Phase::Waiting | Phase::Ready);
            if stream.solo || !rests || !self.gives_way(ix) {
                continue;
            }
            let settled = Settled {
                subject: Some(subject),
                event: self.head_of(ix).map(|slot| slot.event),
                target: Target {
                    lane: stream.lane?,
                    callback: stream.callback,
                },
                number: stream.attempts,
                started: Instant::ZERO,
                verdict: Verdict::Overtaken,
                held_ms: 0,
                of_event: true,
            };
            self.dequeue(ix);
            self.set_aside(ix);
            return Some(settled);
        }
        None
    }

    /// Forgets a subject's dead letters because room is wanted. `false`, and nothing has changed, where the subject still owes
    /// somebody something, or may come to.
    pub(crate) fn drop_letters(&mut self, subject: Ix) -> bool {
        let letters = |outbox: &Self| {
            outbox
                .chains
                .get(subject)
                .and_then(|chain| chain.streams.head())
        };
        let mut at = letters(self);
        while let Some(ix) = at {
            if self
                .streams
                .get(ix)
                .is_none_or(|stream| stream.phase != Phase::Dead)
            {
                return false;
            }
            at = List::<OF_SUBJECT>::next(&self.streams, ix);
        }
        if self.is_active(subject) {
            return false;
        }
        while let Some(ix) = letters(self) {
            self.letters.count_dropped();
            self.remove_stream(ix);
        }
        true
    }

    /// Forgets the oldest dead letter. `false` where there is none.
    pub(super) fn evict_dead_letter(&mut self) -> bool {
        match self.letters.oldest() {
            Some(oldest) => {
                self.letters.count_dropped();
                self.remove_stream(oldest);
                true
            }
            None => false,
        }
    }
}
