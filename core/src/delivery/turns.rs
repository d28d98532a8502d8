//! Lanes taking turns, and lanes that close.

use super::{IN_LANE, Outbox, slots::Phase};
use crate::slab::{Ix, Link, List};

/// Streams that a closing lane lets go of in one call at most.
const STEP: usize = 64;

impl Outbox<'_> {
    /// Puts a lane that could send into its ring, unless it hangs there already.
    pub(super) fn offer(&mut self, lane: Ix) {
        let Some(slot) = self.lanes.get_mut(lane) else {
            return;
        };
        if slot.queued || !slot.is_ready() {
            return;
        }
        slot.queued = true;
        if slot.proven {
            self.ring_proven.push_back(&mut self.lanes, lane);
        } else {
            self.ring_unproven.push_back(&mut self.lanes, lane);
        }
    }

    /// Takes the next lane that can send out of its ring. The rings take turns, but lanes that are not
    /// proven may hold half of all attempts at most.
    pub(super) fn next_lane(&mut self) -> Option<Ix> {
        let half = self.attempts.capacity().div_ceil(2);
        loop {
            let allowed = self.unproven_in_flight < half && !self.ring_unproven.is_empty();
            let unproven = allowed && (self.unproven_turn || self.ring_proven.is_empty());
            self.unproven_turn = !unproven;
            let ring = if unproven {
                &mut self.ring_unproven
            } else {
                &mut self.ring_proven
            };
            let lane = ring.pop_front(&mut self.lanes)?;
            let slot = self.lanes.get_mut(lane)?;
            slot.queued = false;
            if slot.is_ready() {
                return Some(lane);
            }
        }
    }

    /// Takes the next stream that can be sent out of its queue, with its lane.
    ///
    /// One whose event is progress that newer events have overtaken before its first attempt goes on to the newest; it
    /// keeps its turn if that is durable.
    pub(super) fn next_stream(&mut self) -> Option<(Ix, Ix)> {
        loop {
            let lane = self.next_lane()?;
            let slot = self.lanes.get_mut(lane)?;
            let retry = slot.takes_retry();
            let queue = if retry {
                &mut slot.retries
            } else {
                &mut slot.fresh
            };
            let ix = queue.pop_front(&mut self.streams)?;
            let stream = self.streams.get(ix)?;
            // What is solo was asked for by somebody.
            if retry || stream.solo || !self.is_overtaken(stream.event?) {
                return Some((lane, ix));
            }
            let next = self.next_event(ix);
            let durable = next
                .and_then(|next| self.events.get(next))
                .is_some_and(|slot| slot.batch <= self.committed);
            if durable {
                self.point(ix, next);
                self.streams_dirty.mark(ix);
                return Some((lane, ix));
            }
            self.advance(ix);
            self.offer(lane);
        }
    }

    /// Lets go of some of what a closed lane still has, and comes back for the rest.
    ///
    /// What is in flight stays until its attempt has ended, so that no event is ever in flight twice; unless the lane's
    /// endpoint is gone for good.
    pub(super) fn drain(&mut self, lane: Ix) {
        let mut at = self.lanes.get(lane).and_then(|slot| slot.live.head());
        for _ in 0..STEP {
            let Some(slot) = self.lanes.get(lane) else {
                return;
            };
            if slot.open {
                return;
            }
            if slot.removing {
                at = slot.live.head().or(slot.dead.head());
            }
            let Some(ix) = at else {
                self.drained(lane);
                return;
            };
            at = self.let_go(ix, slot.removing);
        }
        self.lanes_closing.mark(lane);
    }

    /// Lets go of one event that a stream of a closed lane has before it. Returns where to go on.
    fn let_go(&mut self, ix: Ix, remove: bool) -> Link {
        let phase = self.streams.get(ix)?.phase;
        let next = List::<IN_LANE>::next(&self.streams, ix);
        if remove {
            self.remove_stream(ix);
            return None;
        }
        if phase == Phase::InFlight {
            return next;
        }
        self.dequeue(ix);
        self.set_aside(ix);
        let dead = self.streams.get(ix)?.phase == Phase::Dead;
        if dead { next } else { Some(ix) }
    }

    /// A closed lane has let go of what it could. When that was all, the room kept for it is free.
    pub(super) fn drained(&mut self, lane: Ix) {
        if let Some(slot) = self.lanes.get_mut(lane)
            && slot.live.is_empty()
            && core::mem::take(&mut slot.counted)
        {
            self.lanes_for_all = self.lanes_for_all.saturating_sub(1);
        }
    }
}
