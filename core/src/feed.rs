//! The feed: what was told last, of all jobs, in the order in which it happened.
//!
//! A ring in lent memory. Each event has a position that counts up by one; the ring holds the newest ones, and whoever
//! reads on from a position learns where the oldest one is now. Nothing is written down: after a restart the feed begins
//! anew.

use crate::{event::Event, id::Id};
use zerocopy::FromZeros;

/// One event of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
pub(crate) struct Entry {
    /// The job it happened to.
    pub job: Id,
    /// What happened.
    pub event: Event,
    /// The batch of records that makes it durable.
    pub batch: u64,
}

impl Entry {
    /// A filler for memory that is lent: all zero.
    pub(crate) const EMPTY: Self = Self {
        job: Id::NONE,
        event: Event::NOTHING_YET,
        batch: 0,
    };

    /// The event's id: its `webhook-id`.
    #[must_use]
    pub(crate) const fn id(&self) -> Id {
        self.job.event(self.event.sequence, self.event.at)
    }
}

/// The newest events of all jobs, as many as there is memory for.
#[derive(Debug)]
pub(crate) struct Feed<'a> {
    ring: &'a mut [Entry],
    /// The position of the next event.
    end: u64,
}

impl<'a> Feed<'a> {
    /// A feed of which nothing was told yet. Without memory it keeps nothing.
    #[must_use]
    pub(crate) const fn new(ring: &'a mut [Entry]) -> Self {
        Self { ring, end: 0 }
    }

    /// Tells one more event; the oldest makes room for it.
    pub(crate) fn push(&mut self, told: Entry) {
        if let Some(place) = self.place(self.end).and_then(|at| self.ring.get_mut(at)) {
            *place = told;
            self.end += 1;
        }
    }

    /// The position of the oldest event that is held.
    #[must_use]
    pub(crate) const fn start(&self) -> u64 {
        self.end.saturating_sub(self.ring.len() as u64)
    }

    /// The position of the next event: behind the newest.
    #[cfg(test)]
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    /// The event at a position, if it is still held.
    #[must_use]
    pub(crate) fn get(&self, position: u64) -> Option<&Entry> {
        if position < self.start() || position >= self.end {
            return None;
        }
        self.ring.get(self.place(position)?)
    }

    /// The position of the event with this id, if it is still held. Looks at all of them: for whoever comes back, once.
    #[must_use]
    pub(crate) fn find(&self, event: Id) -> Option<u64> {
        let mut positions = (self.start()..self.end).rev();
        positions.find(|at| self.get(*at).is_some_and(|told| told.id() == event))
    }

    /// Where in the ring a position is. `None` without memory.
    fn place(&self, position: u64) -> Option<usize> {
        let at = position.checked_rem(self.ring.len() as u64)?;
        usize::try_from(at).ok()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::{event::Kind, time::Timestamp};
    use std::vec;

    fn told(sequence: u32) -> Entry {
        Entry {
            job: Id::from_bits(u128::from(sequence % 3) << 30),
            event: Event {
                at: Timestamp::from_unix_ms(sequence.into()),
                sequence,
                kind: Kind::Progress,
                progress: 1,
            },
            batch: sequence.into(),
        }
    }

    #[test]
    fn it_holds_the_newest_and_finds_them_by_id() {
        for len in 0..5_u64 {
            let mut memory = vec![Entry::EMPTY; len as usize];
            let mut feed = Feed::new(&mut memory);
            for sequence in 0..20_u32 {
                feed.push(told(sequence));
                if len == 0 {
                    assert_eq!((feed.start(), feed.end()), (0, 0));
                    continue;
                }
                let end = u64::from(sequence) + 1;
                assert_eq!((feed.start(), feed.end()), (end.saturating_sub(len), end));
                for at in 0..end + 2 {
                    let held = at >= feed.start() && at < end;
                    let expect = held.then(|| told(at as u32));
                    assert_eq!(feed.get(at).copied(), expect, "{at} of {end}, {len} held");
                    let found = feed.find(told(at as u32).id());
                    assert_eq!(found, held.then_some(at));
                }
            }
        }
    }
}
