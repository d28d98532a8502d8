//! What of the outbox is written down, and how it comes back.

use super::{
    CHANGED, Message, OF_SUBJECT, Outbox,
    attempt::{SavedStream, Target},
    slots::{EventSlot, Phase, StreamSlot},
};
use crate::{
    slab::{Ix, Link, List},
    time::{Instant, Timestamp},
};

impl<E: Message> Outbox<'_, E> {
    /// The next event slot whose record has changed, with what it holds: nothing if it is gone.
    pub(crate) fn poll_dirty_event(&mut self) -> Option<(Ix, Option<(Link, E)>)> {
        let (ix, _) = self.events.pop_marked()?;
        Some((
            ix,
            self.events.get(ix).map(|slot| (slot.subject, slot.event)),
        ))
    }

    /// The next stream slot whose record has changed, with what it holds: nothing if it is gone.
    pub(crate) fn poll_dirty_stream(&mut self) -> Option<(Ix, Option<SavedStream>)> {
        let (ix, _) = self.streams.pop_marked()?;
        let saved = self.streams.get(ix).and_then(|stream| {
            Some(SavedStream {
                subject: stream.subject,
                target: Target {
                    lane: stream.lane?,
                    callback: stream.callback,
                },
                event: stream.event?,
                attempts: stream.attempts,
                dead: stream.phase == Phase::Dead,
                solo: stream.solo,
                due: stream.due,
            })
        });
        Some((ix, saved))
    }

    /// Whether a record has changed.
    #[must_use]
    pub(crate) const fn is_dirty(&self) -> bool {
        self.events.has_marked() || self.streams.has_marked()
    }

    /// Puts an event back after a restart. Events of a subject may come in any order. `false` where it
    /// has no place.
    #[must_use]
    pub(crate) fn restore_event(&mut self, ix: Ix, subject: Link, event: E) -> bool {
        if self
            .events
            .insert_at(ix, EventSlot::new(event, subject, 0))
            .is_none()
        {
            return false;
        }
        let Some(subject) = subject else {
            return true;
        };
        let Some(chain) = self.chains.get_mut(subject) else {
            return false;
        };
        chain.sequence = chain.sequence.max(event.sequence());
        let mut after = chain.events.tail();
        while let Some(at) = after {
            let earlier = self.events.get(at).map(|slot| slot.event.sequence());
            if earlier <= Some(event.sequence()) {
                break;
            }
            after = List::<OF_SUBJECT>::prev(&self.events, at);
        }
        chain.events.insert_after(&mut self.events, after, ix);
        true
    }

    /// Puts a stream back after all events are back. `false` where it contradicts them.
    #[must_use]
    pub(crate) fn restore_stream(&mut self, ix: Ix, saved: &SavedStream) -> bool {
        let fits = self.events.get(saved.event).map(|slot| slot.subject) == Some(saved.subject)
            && self.lanes.get(saved.target.lane).is_some();
        let solo = saved.solo || saved.dead;
        let mut stream = StreamSlot::new(saved.subject, saved.target, saved.event, solo);
        stream.attempts = saved.attempts;
        stream.due = saved.due;
        if !fits || self.streams.insert_at(ix, stream).is_none() {
            return false;
        }
        self.link(ix);
        if saved.dead {
            self.bury(ix);
        } else if saved.due > Instant::ZERO {
            if let Some(stream) = self.streams.get_mut(ix) {
                stream.phase = Phase::Waiting;
            }
            self.stream_timers.set(&mut self.streams, ix, saved.due);
        } else {
            self.enqueue_restored(ix);
        }
        true
    }

    /// Puts a stream back that is due at once. Where it ends with one event, whose turn it is shows when all are back.
    fn enqueue_restored(&mut self, ix: Ix) {
        #[cfg(feature = "redelivery")]
        if let Some(stream) = self.streams.get_mut(ix)
            && stream.solo
            && stream.attempts == 0
            && !stream.callback
        {
            stream.phase = Phase::Behind;
            return;
        }
        self.enqueue(ix);
    }

    /// Notes that an event's record is to be written.
    pub(crate) fn mark_event(&mut self, ix: Ix) {
        self.events.mark(ix, CHANGED);
    }

    /// Notes that a stream's record stands for nothing any more and must be deleted.
    pub(crate) fn forget_stream(&mut self, ix: Ix) {
        self.streams.mark(ix, CHANGED);
    }

    /// How many slots for events there are.
    #[must_use]
    pub(crate) const fn events_capacity(&self) -> usize {
        self.events.capacity()
    }

    /// How many slots for streams there are.
    #[must_use]
    pub(crate) const fn streams_capacity(&self) -> usize {
        self.streams.capacity()
    }

    /// Puts the room kept for a subject's future back, once its events and streams are back.
    #[must_use]
    pub(crate) fn restore_active(
        &mut self,
        subject: Ix,
        state_events: u8,
        targets_own: u32,
    ) -> bool {
        let Some(chain) = self.chains.get_mut(subject) else {
            return false;
        };
        chain.active = true;
        chain.events_kept = state_events;
        chain.targets_own = targets_own;
        let live = chain.streams_live as usize;
        self.promises.begin(state_events, targets_own, live);
        true
    }

    /// Sorts out what is back, before room is kept for subjects: closed lanes let go of what they still have, dead letters
    /// are put in the order of their events, and events that nobody is owed are forgotten.
    pub(crate) fn restore_done(&mut self) {
        while let Some((lane, _)) = self.lanes.pop_marked() {
            self.drain(lane);
        }
        #[cfg(feature = "redelivery")]
        self.start_turns();
        let events = &self.events;
        let age = |stream: &StreamSlot| {
            stream
                .event
                .and_then(|ix| events.get(ix))
                .map_or((Timestamp::EPOCH, 0), |slot| {
                    (slot.event.at(), slot.event.sequence())
                })
        };
        self.letters.sort(&mut self.streams, |a, b| age(a) < age(b));
        let mut at = self.lanes.next_used(None);
        while let Some(ix) = at {
            if let Some(lane) = self.lanes.get_mut(ix) {
                lane.dead.sort(&mut self.streams, |a, b| age(a) < age(b));
            }
            at = self.lanes.next_used(Some(ix));
        }
        let mut at = self.events.next_used(None);
        while let Some(ix) = at {
            self.tidy(ix);
            at = self.events.next_used(Some(ix));
        }
    }
}
