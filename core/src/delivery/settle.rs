//! What an attempt's end brings about: for the lane, and for the delivery.

use super::{
    CHANGED, Message, OF_SUBJECT, Outbox, RETRY_AFTER_MS_MAX,
    attempt::{Failure, Outcome, Target, Verdict},
    slots::{AttemptSlot, Phase, StreamSlot},
};
use crate::{
    random::Random,
    slab::{Ix, List},
    time::Instant,
};

impl<E: Message> Outbox<'_, E> {
    /// Learns about the lane from how an attempt ended. Returns for how long the lane pauses because of it, in
    /// milliseconds; 0 where it does not.
    pub(super) fn adjust(
        &mut self,
        now: Instant,
        lane: Ix,
        attempt: &AttemptSlot,
        outcome: Outcome,
        random: &mut Random,
    ) -> u64 {
        let Some(slot) = self.lanes.get_mut(lane) else {
            return 0;
        };
        slot.in_flight = slot.in_flight.saturating_sub(1);
        slot.took(now.ms_since(attempt.started));
        let (failure, hint_ms) = match outcome {
            Outcome::Delivered => {
                slot.succeeded(self.limits.window_max);
                return 0;
            }
            Outcome::Gone => {
                slot.unreachable();
                return 0;
            }
            Outcome::Failed {
                failure,
                retry_after_ms,
            } => (failure, retry_after_ms),
        };
        let throttled = failure == Failure::Throttled;
        if failure == Failure::Refused {
            slot.refused();
        } else {
            slot.unreachable();
        }
        // Overload is no matter of one delivery.
        let doublings = slot.failed(throttled || attempt.number == 1);
        let mut pause_ms = doublings.map_or(0, |n| self.limits.probe_pause_ms(n, random));
        if throttled {
            let overload_ms = hint_ms.unwrap_or(self.limits.throttle_ms);
            pause_ms = pause_ms.max(overload_ms.min(RETRY_AFTER_MS_MAX));
        }
        if pause_ms > 0 {
            slot.hold();
            let until = now.after_ms(pause_ms);
            if slot.timer.get() < Some(until) {
                self.lane_timers.set(&mut self.lanes, lane, until);
            }
        }
        pause_ms
    }

    /// Forgets how a lane's endpoint has fared, and ends its pause.
    pub(crate) fn forgive(&mut self, lane: Ix) {
        if let Some(slot) = self.lanes.get_mut(lane) {
            slot.forgive();
        }
        self.lane_timers.clear(&mut self.lanes, lane);
        self.offer(lane);
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
        let retry_after_ms = match outcome {
            Outcome::Delivered => {
                self.advance(ix);
                return Verdict::Delivered;
            }
            Outcome::Gone => {
                self.set_aside(ix);
                return Verdict::Dead;
            }
            Outcome::Failed { retry_after_ms, .. } => retry_after_ms,
        };
        stream.attempts = stream.attempts.saturating_add(1);
        let (attempts, lane) = (stream.attempts, stream.lane);
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
            None => self.letters_dropped += 1,
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
        self.dead.push_back(&mut self.streams, ix);
        self.dead_letters += 1;
    }

    /// Makes a dead letter a delivery that is owed.
    pub(super) fn revive(&mut self, ix: Ix) {
        self.dead.remove(&mut self.streams, ix);
        self.dead_letters = self.dead_letters.saturating_sub(1);
        let Some(stream) = self.streams.get_mut(ix) else {
            return;
        };
        stream.phase = Phase::Unsaved;
        stream.attempts = 0;
        if let Some(lane) = stream.lane.and_then(|lane| self.lanes.get_mut(lane)) {
            lane.dead.remove(&mut self.streams, ix);
            lane.live.push_back(&mut self.streams, ix);
        }
        self.streams.mark(ix, CHANGED);
        self.enqueue(ix);
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
            self.letters_dropped += 1;
            self.remove_stream(ix);
        }
        true
    }

    /// Forgets the oldest dead letter. `false` where there is none.
    pub(super) fn evict_dead_letter(&mut self) -> bool {
        match self.dead.head() {
            Some(oldest) => {
                self.letters_dropped += 1;
                self.remove_stream(oldest);
                true
            }
            None => false,
        }
    }
}
