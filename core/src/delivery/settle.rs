//! What an attempt's end brings about: for the lane, and for the delivery.

use super::{
    Outbox,
    slots::{Phase, StreamSlot},
    types::{Failure, Outcome, Target, Verdict},
};
use crate::{random::Random, slab::Ix, time::Instant};

impl Outbox<'_> {
    /// Learns about the lane from how an attempt ended.
    pub(super) fn adjust(&mut self, now: Instant, lane: Ix, outcome: Outcome) {
        let Some(slot) = self.lanes.get_mut(lane) else {
            return;
        };
        slot.in_flight = slot.in_flight.saturating_sub(1);
        match outcome {
            Outcome::Delivered => slot.succeeded(self.limits.window_max),
            Outcome::Gone => slot.unreachable(),
            Outcome::Failed {
                failure,
                retry_after_ms,
            } => match failure {
                Failure::Refused => slot.refused(),
                Failure::Unreachable => slot.unreachable(),
                Failure::Throttled => {
                    slot.unreachable();
                    slot.paused = true;
                    let pause = retry_after_ms.unwrap_or(self.limits.throttle_ms);
                    let pause = pause.min(super::RETRY_AFTER_MS_MAX);
                    self.lane_timers.set(lane, now.after_ms(pause));
                }
            },
        }
    }

    /// Decides what becomes of the stream whose attempt ended.
    pub(super) fn conclude(
        &mut self,
        now: Instant,
        ix: Ix,
        outcome: Outcome,
        random: &mut Random,
    ) -> Verdict {
        let Some(stream) = self.streams.get_mut(ix) else {
            return Verdict::Dropped;
        };
        stream.attempt = None;
        self.streams_dirty.mark(ix);
        let retry_after_ms = match outcome {
            Outcome::Delivered => {
                self.advance(ix);
                return Verdict::Delivered;
            }
            Outcome::Gone => {
                self.bury(ix);
                return Verdict::Dead;
            }
            Outcome::Failed { retry_after_ms, .. } => retry_after_ms,
        };
        stream.attempts = stream.attempts.saturating_add(1);
        let pause = self
            .limits
            .schedule
            .pause_ms(stream.attempts, retry_after_ms, random);
        match pause {
            Some(pause_ms) => {
                stream.phase = Phase::Waiting;
                stream.due = now.after_ms(pause_ms);
                self.stream_timers.set(ix, stream.due);
                Verdict::Retry { pause_ms }
            }
            None => {
                self.set_aside(ix);
                Verdict::Dead
            }
        }
    }

    /// Makes the head of a stream a dead letter of its own and lets the stream go on.
    pub(super) fn set_aside(&mut self, ix: Ix) {
        let Some(stream) = self.streams.get(ix).copied() else {
            return;
        };
        let (Some(lane), Some(event)) = (stream.lane, stream.event) else {
            return;
        };
        if stream.solo {
            self.bury(ix);
            return;
        }
        let target = Target {
            lane,
            callback: stream.callback,
        };
        let mut letter = StreamSlot::new(stream.job, target, event, true);
        letter.attempts = stream.attempts;
        if self.streams.room() == 0 {
            self.evict_dead_letter();
        }
        if let Some(letter) = self.streams.insert(letter) {
            self.link(letter);
            self.bury(letter);
        }
        self.advance(ix);
    }

    /// Makes a stream a dead letter. It must wait in nothing.
    pub(super) fn bury(&mut self, ix: Ix) {
        self.count_active(ix, -1);
        let Some(stream) = self.streams.get_mut(ix) else {
            return;
        };
        stream.phase = Phase::Dead;
        stream.due = Instant::ZERO;
        let (job, lane, solo) = (stream.job, stream.lane, stream.solo);
        if let Some(lane) = lane.and_then(|lane| self.lanes.get_mut(lane)) {
            lane.live.remove(&mut self.streams, ix);
            lane.dead.push_back(&mut self.streams, ix);
        }
        if let Some(chain) = job.and_then(|job| self.chain_mut(job))
            && !solo
        {
            chain.streams_live = chain.streams_live.saturating_sub(1);
        }
        self.dead.push_back(&mut self.streams, ix);
        self.dead_letters += 1;
        self.streams_dirty.mark(ix);
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
        let (job, lane, solo) = (stream.job, stream.lane, stream.solo);
        if let Some(lane) = lane.and_then(|lane| self.lanes.get_mut(lane)) {
            lane.dead.remove(&mut self.streams, ix);
            lane.live.push_back(&mut self.streams, ix);
        }
        if let Some(chain) = job.and_then(|job| self.chain_mut(job))
            && !solo
        {
            chain.streams_live += 1;
        }
        self.count_active(ix, 1);
        self.streams_dirty.mark(ix);
        self.enqueue(ix);
    }

    /// Forgets the oldest dead letter. `false` where there is none.
    pub(super) fn evict_dead_letter(&mut self) -> bool {
        match self.dead.head() {
            Some(oldest) => {
                self.remove_stream(oldest);
                true
            }
            None => false,
        }
    }
}
