//! What a stream goes through: it is made, waits, is sent, and ends.

use super::{
    CHANGED, CLOSING, Message, OF_SUBJECT, Outbox,
    attempt::Target,
    slots::{EventSlot, Phase, StreamSlot},
};
use crate::slab::{Ix, Link, List};

impl<E: Message> Outbox<'_, E> {
    /// The stream by which a target gets a subject's events, dead letters and such apart.
    pub(super) fn stream_of(&self, subject: Ix, target: Target) -> Link {
        let mut at = self.chains.get(subject)?.streams.head();
        while let Some(ix) = at {
            let stream = self.streams.get(ix)?;
            // A callback is owed by one stream, whichever lane it is in.
            let fits = stream.callback == target.callback
                && (target.callback || stream.lane == Some(target.lane));
            if fits && !stream.solo {
                return Some(ix);
            }
            at = List::<OF_SUBJECT>::next(&self.streams, ix);
        }
        None
    }

    pub(super) fn head_of(&self, stream: Ix) -> Option<&EventSlot<E>> {
        self.events.get(self.streams.get(stream)?.event?)
    }

    /// Notes on each lane that already has a stream of the subject that it needs no other one. Returns
    /// whether the subject's callback has one.
    pub(super) fn mark_lanes(&mut self, subject: Ix) -> bool {
        let mut callback = false;
        let mut at = self
            .chains
            .get(subject)
            .and_then(|chain| chain.streams.head());
        while let Some(ix) = at {
            if let Some(stream) = self.streams.get(ix) {
                if stream.callback {
                    callback |= !stream.solo;
                } else if let Some(lane) = stream.lane.and_then(|lane| self.lanes.get_mut(lane))
                    && !stream.solo
                {
                    lane.mark = self.publications;
                }
            }
            at = List::<OF_SUBJECT>::next(&self.streams, ix);
        }
        callback
    }

    /// Makes a stream that owes `event` to `target`.
    pub(super) fn owe(&mut self, subject: Link, target: Target, event: Ix, solo: bool) {
        let stream = StreamSlot::new(subject, target, event, solo);
        if let Some(ix) = self.add_stream(stream) {
            self.enqueue(ix);
        }
    }

    /// Puts a new stream into the table, where the oldest dead letter makes room if need be, and hangs it where it
    /// belongs.
    pub(super) fn add_stream(&mut self, stream: StreamSlot) -> Link {
        if self.streams.room() == 0 {
            self.evict_dead_letter();
        }
        let ix = self.streams.insert(stream)?;
        self.streams.mark(ix, CHANGED);
        self.link(ix);
        Some(ix)
    }

    /// Hangs a new stream where it belongs.
    pub(super) fn link(&mut self, ix: Ix) {
        let Some(stream) = self.streams.get(ix).copied() else {
            return;
        };
        if let Some(slot) = stream.event.and_then(|event| self.events.get_mut(event)) {
            slot.heads += 1;
        }
        if let Some(chain) = stream
            .subject
            .and_then(|subject| self.chains.get_mut(subject))
        {
            chain.streams.push_back(&mut self.streams, ix);
        }
        if !stream.solo {
            self.count_live(stream.subject, 1);
        }
        if let Some(lane) = stream.lane.and_then(|lane| self.lanes.get_mut(lane)) {
            lane.live.push_back(&mut self.streams, ix);
            if !lane.open
                && let Some(lane) = stream.lane
            {
                self.lanes.mark(lane, CLOSING);
            }
        }
    }

    /// Counts a stream that is neither dead nor solo in or out: of its subject, and if that is under way of the sum that
    /// [`admit`](Self::admit) keeps.
    fn count_live(&mut self, subject: Link, by: i32) {
        if let Some(chain) = subject.and_then(|subject| self.chains.get_mut(subject)) {
            chain.streams_live = chain.streams_live.saturating_add_signed(by);
            if chain.active {
                self.promises.count_streams(by);
            }
        }
    }

    /// Puts a stream that may be sent, as far as its own state goes, where it waits.
    pub(super) fn enqueue(&mut self, ix: Ix) {
        let saved = self
            .head_of(ix)
            .is_some_and(|slot| self.is_durable(slot.batch));
        let Some(stream) = self.streams.get_mut(ix) else {
            return;
        };
        let Some(lane) = stream.lane else {
            return;
        };
        if !saved {
            stream.phase = Phase::Unsaved;
            self.batches.wait(&mut self.streams, ix);
            return;
        }
        stream.phase = Phase::Ready;
        let retry = stream.attempts > 0;
        // A test, or a dead letter that is to be sent again: somebody waits for it.
        let asked = stream.solo && !retry;
        let test = asked && stream.subject.is_none();
        if let Some(slot) = self.lanes.get_mut(lane) {
            slot.asked |= asked;
            let queue = slot.queue(retry);
            if test {
                queue.push_front(&mut self.streams, ix);
            } else {
                queue.push_back(&mut self.streams, ix);
            }
        }
        self.offer(lane);
    }

    /// Takes a stream out of whatever it waits in.
    pub(super) fn dequeue(&mut self, ix: Ix) {
        let Some(stream) = self.streams.get_mut(ix) else {
            return;
        };
        let retry = stream.attempts > 0;
        match stream.phase {
            Phase::Unsaved => self.batches.wait_no_more(&mut self.streams, ix),
            Phase::Waiting => self.stream_timers.clear(&mut self.streams, ix),
            Phase::Dead => self.letters.remove(&mut self.streams, ix),
            #[cfg(feature = "redelivery")]
            Phase::Behind => {}
            Phase::Ready => {
                if let Some(lane) = stream.lane.and_then(|lane| self.lanes.get_mut(lane)) {
                    lane.queue(retry).remove(&mut self.streams, ix);
                }
            }
            Phase::InFlight => {
                if let Some(attempt) = stream.attempt.take().and_then(|a| self.attempts.get_mut(a))
                {
                    attempt.stream = None;
                }
            }
        }
    }

    /// Cuts a stream off from what comes after its event.
    pub(super) fn make_solo(&mut self, ix: Ix) {
        let Some(stream) = self.streams.get_mut(ix) else {
            return;
        };
        let subject = stream.subject;
        if !core::mem::replace(&mut stream.solo, true) {
            self.count_live(subject, -1);
        }
    }

    /// Ends a stream, wherever it is.
    pub(super) fn remove_stream(&mut self, ix: Ix) {
        self.dequeue(ix);
        self.end_stream(ix);
    }

    /// Ends a stream, which must wait in nothing.
    pub(super) fn end_stream(&mut self, ix: Ix) {
        let Some(stream) = self.streams.get(ix).copied() else {
            return;
        };
        if let Some(lane) = stream.lane.and_then(|lane| self.lanes.get_mut(lane)) {
            if stream.phase == Phase::Dead {
                lane.dead.remove(&mut self.streams, ix);
            } else {
                lane.live.remove(&mut self.streams, ix);
            }
        }
        if let Some(chain) = stream
            .subject
            .and_then(|subject| self.chains.get_mut(subject))
        {
            chain.streams.remove(&mut self.streams, ix);
        }
        if !stream.solo {
            self.count_live(stream.subject, -1);
        }
        self.point(ix, None);
        self.streams.remove(ix);
        self.streams.mark(ix, CHANGED);
        #[cfg(feature = "redelivery")]
        if stream.solo {
            self.take_turns(stream.subject, stream.lane);
        }
    }
}
