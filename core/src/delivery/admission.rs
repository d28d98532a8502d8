//! Room that is kept, so that "full" never swallows an ending.
//!
//! When a subject is admitted, the outbox sets aside an event slot for every change of state that the subject
//! can still go through, and a stream slot for every target it has. An endpoint that is opened later
//! needs a stream for each subject under way. Whoever would break that sum is refused, at the door, before
//! anything was promised. Dead letters are outside the sum: the oldest make room when it is wanted.

use super::{Message, Outbox, slots::Chain};
use crate::slab::Ix;

/// How many dead letters one admission may push out: it bounds the work of a call.
const EVICTIONS_MAX: usize = 16;

impl<E: Message> Outbox<'_, E> {
    /// Admits a subject that will go through at most `state_events` changes of state and has
    /// `targets_own` targets of its own. `false`, and nothing has changed, where there is no room.
    #[must_use]
    pub(crate) fn admit(&mut self, subject: Ix, state_events: u8, targets_own: u32) -> bool {
        let targets = self
            .promises
            .lanes_for_all()
            .saturating_add(targets_own as usize);
        if self.streams_spare() < targets {
            return false;
        }
        for _ in 0..EVICTIONS_MAX {
            if self.events_spare() >= usize::from(state_events) || !self.evict_dead_letter() {
                break;
            }
        }
        if self.events_spare() < usize::from(state_events) {
            return false;
        }
        let Some(chain) = self.chains.get_mut(subject) else {
            return false;
        };
        *chain = Chain {
            events_kept: state_events,
            targets_own,
            active: true,
            ..Chain::EMPTY
        };
        self.promises.begin(state_events, targets_own, 0);
        true
    }

    /// Keeps room for one more target of a subject, if that is under way. `false` where there is none, nor such a slot.
    #[must_use]
    pub(crate) fn admit_target(&mut self, subject: Ix) -> bool {
        if self.streams_spare() == 0 {
            return false;
        }
        match self.chains.get_mut(subject) {
            Some(chain) if chain.active => chain.targets_own += 1,
            Some(_) => return true,
            None => return false,
        }
        self.promises.add_target();
        true
    }

    /// Gives back the room kept for one target of a subject under way.
    pub(super) fn release_target(&mut self, subject: Ix) {
        if let Some(chain) = self.chains.get_mut(subject)
            && chain.active
            && chain.targets_own > 0
        {
            chain.targets_own -= 1;
            self.promises.remove_target();
        }
    }

    /// Keeps room for so many more changes of state of a subject under way. `false`, and nothing has changed, where there
    /// is none.
    #[cfg(any(feature = "hub", feature = "records"))]
    #[must_use]
    pub(crate) fn admit_events(&mut self, subject: Ix, state_events: u8) -> bool {
        if self.events_spare() < usize::from(state_events) {
            return false;
        }
        let Some(chain) = self.chains.get_mut(subject).filter(|chain| chain.active) else {
            return false;
        };
        chain.events_kept = chain.events_kept.saturating_add(state_events);
        self.promises.add_events(state_events);
        true
    }

    /// Gives back what was kept for the future of a subject that has none any more.
    pub(super) fn end(&mut self, subject: Ix) {
        let Some(chain) = self.chains.get_mut(subject) else {
            return;
        };
        if !chain.active {
            return;
        }
        chain.active = false;
        let kept = core::mem::take(&mut chain.events_kept);
        let own = core::mem::take(&mut chain.targets_own);
        self.promises.end(kept, own, chain.streams_live as usize);
    }

    /// How many events are neither used nor needed by what was admitted.
    fn events_spare(&self) -> usize {
        self.events.room().saturating_sub(self.promises.events())
    }

    /// Whether what was admitted fits, as it must: a restart may have brought smaller tables.
    #[cfg(feature = "records")]
    #[must_use]
    pub(crate) fn fits(&self) -> bool {
        self.promises.events() <= self.events.room()
            && self.streams_needed() <= self.streams.capacity()
    }

    /// How many streams are neither used nor needed by what was admitted, dead letters not counted.
    pub(super) fn streams_spare(&self) -> usize {
        self.streams
            .capacity()
            .saturating_sub(self.streams_needed())
    }

    /// How many streams are used, dead letters not counted, or needed by what was admitted.
    pub(super) fn streams_needed(&self) -> usize {
        let settling = self
            .streams
            .len()
            .saturating_sub(self.letters.len())
            .saturating_sub(self.promises.streams());
        settling.saturating_add(self.promises.streams_promised())
    }
}
