//! Lanes taking turns, and lanes that close.

use super::{
    CLOSING, IN_LANE, Message, Outbox,
    lane::{Pace, Ring},
    slots::Phase,
};
use crate::slab::{Ix, Link, List};

/// Streams that a closing lane lets go of in one call at most.
const STEP: usize = 64;

/// The lanes that wait for their turn.
#[derive(Debug)]
pub(super) struct Rings {
    /// The lanes of each [`Ring`] but `Nowhere`, in the order of their numbers.
    lanes: [List<0>; 4],
    /// Whose turn it is first when several may send.
    first: Ring,
    /// Attempts in flight on lanes that were new when they began.
    new_in_flight: usize,
    /// Attempts in flight on lanes that were slow when they began.
    slow_in_flight: usize,
}

impl Rings {
    pub(super) const EMPTY: Self = Self {
        lanes: [List::EMPTY; 4],
        first: Ring::Idle,
        new_in_flight: 0,
        slow_in_flight: 0,
    };

    /// Counts an attempt on a lane of this pace in, or out.
    const fn count(&mut self, pace: Pace, by: isize) {
        let count = match pace {
            Pace::New => &mut self.new_in_flight,
            Pace::Slow => &mut self.slow_in_flight,
            Pace::Quick => return,
        };
        *count = count.saturating_add_signed(by);
    }

    /// Whether so many attempts are in flight on new lanes, and so many on slow ones.
    pub(super) const fn has_in_flight(&self, new: usize, slow: usize) -> bool {
        self.new_in_flight == new && self.slow_in_flight == slow
    }

    fn is_empty(&self) -> bool {
        self.lanes.iter().all(List::is_empty)
    }

    fn get(&self, ring: Ring) -> Option<&List<0>> {
        self.lanes.get((ring as usize).checked_sub(1)?)
    }

    fn get_mut(&mut self, ring: Ring) -> Option<&mut List<0>> {
        self.lanes.get_mut((ring as usize).checked_sub(1)?)
    }
}

/// The ring whose turn comes after a ring's.
const fn after(ring: Ring) -> Ring {
    match ring {
        Ring::Nowhere | Ring::Slow => Ring::Idle,
        Ring::Idle => Ring::Busy,
        Ring::Busy => Ring::New,
        Ring::New => Ring::Slow,
    }
}

impl<E: Message> Outbox<'_, E> {
    /// Puts a lane that could send into its ring, unless it hangs there already.
    pub(super) fn offer(&mut self, lane: Ix) {
        let Some(slot) = self.lanes.get_mut(lane) else {
            return;
        };
        if !slot.is_ready() {
            return;
        }
        let (before, ring) = (slot.ring, slot.place());
        if before == ring {
            return;
        }
        slot.ring = ring;
        if let Some(before) = self.rings.get_mut(before) {
            before.remove(&mut self.lanes, lane);
        }
        if let Some(ring) = self.rings.get_mut(ring) {
            ring.push_back(&mut self.lanes, lane);
        }
    }

    /// Takes the next lane that can send out of its ring. The rings that may send now take turns.
    fn next_lane(&mut self) -> Option<Ix> {
        loop {
            let ring = self.next_ring()?;
            let lane = self.rings.get_mut(ring)?.pop_front(&mut self.lanes)?;
            let slot = self.lanes.get_mut(lane)?;
            slot.ring = Ring::Nowhere;
            if slot.is_ready() {
                return Some(lane);
            }
        }
    }

    /// The ring whose turn it is, of those that have a lane and may send.
    fn next_ring(&mut self) -> Option<Ring> {
        if self.rings.is_empty() {
            return None;
        }
        let mut ring = self.rings.first;
        for _ in 0..4 {
            let next = after(ring);
            let waits = self.rings.get(ring).is_some_and(|list| !list.is_empty());
            if waits && self.may_send(ring) {
                self.rings.first = next;
                return Some(ring);
            }
            ring = next;
        }
        None
    }

    /// Whether the lanes of a ring may have one attempt more.
    fn may_send(&self, ring: Ring) -> bool {
        if matches!(ring, Ring::Idle) {
            return true;
        }
        let most = self.attempts.capacity();
        let kept = (most / 4).max(1).min(most.saturating_sub(1));
        let (new, slow) = (self.rings.new_in_flight, self.rings.slow_in_flight);
        let spare = self.attempts.room() > kept;
        let may_be_slow = spare && new + slow < most - kept;
        match ring {
            Ring::Idle => true,
            Ring::Busy => spare,
            Ring::New => may_be_slow,
            Ring::Slow => may_be_slow && slow < (most / 2).max(1),
            Ring::Nowhere => false,
        }
    }

    /// Counts an attempt on a lane of this pace in, or out.
    pub(super) const fn count_pace(&mut self, pace: Pace, by: isize) {
        self.rings.count(pace, by);
    }

    /// Takes the next stream that can be sent out of its queue, with its lane.
    ///
    /// One that has gone on since to progress that is not durable yet loses its turn.
    pub(super) fn next_stream(&mut self) -> Option<(Ix, Ix)> {
        loop {
            let lane = self.next_lane()?;
            let slot = self.lanes.get_mut(lane)?;
            let retry = slot.takes_retry();
            let ix = slot.queue(retry).pop_front(&mut self.streams)?;
            if self.is_durable(self.head_of(ix)?.batch) {
                return Some((lane, ix));
            }
            self.enqueue(ix);
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
        self.lanes.mark(lane, CLOSING);
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
            self.promises.remove_lane();
        }
    }
}
