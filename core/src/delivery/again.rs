//! What is sent again: dead letters that somebody asks for, those of one subject in their order.
//!
//! A dead letter is a stream of one event. Those of one subject that go to one lane take turns: the earliest is sent, the
//! others wait behind it ([`Phase::Behind`]) until it has arrived or is a dead letter again. They wait for nothing else.

use super::{
    CHANGED, IN_LANE, Message, OF_SUBJECT, Outbox,
    lane::Held,
    slots::{Phase, StreamSlot},
};
use crate::{
    slab::{Ix, Link, List},
    time::Instant,
};

impl<E: Message> Outbox<'_, E> {
    /// Sends again, now, what a lane is owed whose subject and event are `wanted`: dead letters, and what waits for another
    /// attempt or for the end of a pause, which ends. Looks at `limit` deliveries of each kind at most. Returns how many are
    /// sent.
    pub(crate) fn redeliver(
        &mut self,
        lane: Ix,
        limit: usize,
        wanted: impl Fn(Link, &E) -> bool,
    ) -> usize {
        let Some(slot) = self.lanes.get(lane) else {
            return 0;
        };
        let mut at = slot.dead.head();
        let mut count = self.hasten_all(lane, limit, &wanted);
        let last = self.lanes.get(lane).and_then(|lane| lane.live.tail());
        for _ in 0..limit {
            let Some(ix) = at.filter(|_| self.streams_spare() > 0) else {
                break;
            };
            at = List::<IN_LANE>::next(&self.streams, ix);
            if self.is_wanted(ix, &wanted) {
                self.revive(ix);
                count += 1;
            }
        }
        self.start_after(lane, last);
        self.forgive(lane);
        count
    }

    /// Sends now what a lane is owed that is `wanted` and waits, for another attempt or for the end of a pause, which the
    /// caller ends. Looks at `limit` deliveries at most. Returns how many are sent.
    pub(crate) fn hasten_all(
        &mut self,
        lane: Ix,
        limit: usize,
        wanted: impl Fn(Link, &E) -> bool,
    ) -> usize {
        let Some(slot) = self.lanes.get(lane) else {
            return 0;
        };
        let (held, mut at) = (slot.held, slot.live.head());
        let mut count = 0;
        for _ in 0..limit {
            let Some(ix) = at else {
                break;
            };
            at = List::<IN_LANE>::next(&self.streams, ix);
            if self.is_wanted(ix, &wanted) && self.hasten(ix, held) {
                count += 1;
            }
        }
        count
    }

    fn is_wanted(&self, ix: Ix, wanted: impl Fn(Link, &E) -> bool) -> bool {
        let head = self.head_of(ix);
        head.is_some_and(|slot| wanted(slot.subject, &slot.event))
    }

    /// Ends what a stream waits for that is owed: its pause. Returns whether it waited, for that or for its lane's.
    fn hasten(&mut self, ix: Ix, held: Held) -> bool {
        match self.streams.get(ix).map(|stream| stream.phase) {
            Some(Phase::Waiting) => {
                self.dequeue(ix);
                if let Some(stream) = self.streams.get_mut(ix) {
                    stream.due = Instant::ZERO;
                }
                self.streams.mark(ix, CHANGED);
                self.enqueue(ix);
                true
            }
            Some(Phase::Ready) => held != Held::Nothing,
            _ => false,
        }
    }

    /// Makes a dead letter a delivery that is owed, and waits for its turn.
    fn revive(&mut self, ix: Ix) {
        self.letters.remove(&mut self.streams, ix);
        let Some(stream) = self.streams.get_mut(ix) else {
            return;
        };
        stream.phase = Phase::Behind;
        stream.attempts = 0;
        stream.rejected = false;
        if let Some(lane) = stream.lane.and_then(|lane| self.lanes.get_mut(lane)) {
            lane.dead.remove(&mut self.streams, ix);
            lane.live.push_back(&mut self.streams, ix);
        }
        self.streams.mark(ix, CHANGED);
    }

    /// Sends what was revived, which hangs in its lane behind `last`: of each subject the earliest.
    fn start_after(&mut self, lane: Ix, last: Link) {
        let mut at = match last {
            Some(last) => List::<IN_LANE>::next(&self.streams, last),
            None => self.lanes.get(lane).and_then(|lane| lane.live.head()),
        };
        while let Some(ix) = at {
            at = List::<IN_LANE>::next(&self.streams, ix);
            self.start_turn(ix);
        }
    }

    /// Sends all whose turn has come, after a restart.
    #[cfg(feature = "records")]
    pub(super) fn start_turns(&mut self) {
        let mut at = self.streams.next_used(None);
        while let Some(ix) = at {
            self.start_turn(ix);
            at = self.streams.next_used(Some(ix));
        }
    }

    /// Sends a stream that waits for its turn if that has come.
    fn start_turn(&mut self, ix: Ix) {
        let Some(stream) = self.streams.get(ix) else {
            return;
        };
        if stream.phase != Phase::Behind {
            return;
        }
        match stream.subject {
            Some(_) => self.take_turns(stream.subject, stream.lane),
            None => self.enqueue(ix),
        }
    }

    /// Lets those behind a stream that is a dead letter, or none any more, go on.
    pub(super) fn go_on_behind(&mut self, ix: Ix) {
        if let Some(stream) = self.streams.get(ix) {
            let (subject, lane) = (stream.subject, stream.lane);
            self.take_turns(subject, lane);
        }
    }

    /// Whether another stream waits behind this one.
    pub(super) fn waits_behind(&self, ix: Ix) -> bool {
        self.streams.get(ix).is_some_and(|stream| {
            self.sent_again(stream.subject, stream.lane)
                .any(|(_, other)| other.phase == Phase::Behind)
        })
    }

    /// Sends the earliest of the events of a subject that are sent again to a lane, unless an attempt at one of them was
    /// begun. Any that was to go before it waits behind it.
    pub(super) fn take_turns(&mut self, subject: Link, lane: Link) {
        let mut earliest: Option<(u32, Ix)> = None;
        let mut waiting: Link = None;
        let mut others = false;
        for (ix, stream) in self.sent_again(subject, lane) {
            if stream.has_begun() {
                return;
            }
            others |= stream.phase == Phase::Behind;
            if stream.phase != Phase::Behind {
                waiting = Some(ix);
            }
            let sequence = self.head_of(ix).map_or(0, |slot| slot.event.sequence());
            if earliest.is_none_or(|(before, _)| sequence < before) {
                earliest = Some((sequence, ix));
            }
        }
        let Some((_, first)) = earliest.filter(|_| others) else {
            return;
        };
        if waiting == Some(first) {
            return;
        }
        if let Some(waiting) = waiting {
            self.dequeue(waiting);
            if let Some(stream) = self.streams.get_mut(waiting) {
                stream.phase = Phase::Behind;
            }
        }
        self.enqueue(first);
    }

    /// The streams of single events of a subject that are owed to a lane.
    fn sent_again(
        &self,
        subject: Link,
        lane: Link,
    ) -> impl Iterator<Item = (Ix, &StreamSlot)> + '_ {
        let chain = subject.and_then(|subject| self.chains.get(subject));
        let first = chain.and_then(|chain| chain.streams.head());
        core::iter::successors(first, |ix| List::<OF_SUBJECT>::next(&self.streams, *ix))
            .filter_map(|ix| Some((ix, self.streams.get(ix)?)))
            .filter(move |(_, stream)| {
                stream.solo
                    && !stream.callback
                    && stream.lane == lane
                    && stream.phase != Phase::Dead
            })
    }
}
