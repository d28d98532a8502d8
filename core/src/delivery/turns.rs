//! Lanes taking turns, and lanes that close.

use super::Outbox;
use crate::slab::Ix;

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

    /// Lets go of some of what a closed lane still has, and comes back for the rest.
    pub(super) fn drain(&mut self, lane: Ix) {
        for _ in 0..STEP {
            let Some(slot) = self.lanes.get(lane) else {
                return;
            };
            if slot.open {
                return;
            }
            let next = if slot.removing {
                slot.live.head().or(slot.dead.head())
            } else {
                slot.live.head()
            };
            let Some(ix) = next else {
                return;
            };
            if slot.removing {
                self.remove_stream(ix);
            } else {
                self.dequeue(ix);
                self.bury(ix);
            }
        }
        self.lanes_closing.mark(lane);
    }
}
