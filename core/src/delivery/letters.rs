//! Dead letters: deliveries that were given up and can be sent again, oldest first.

use super::{QUEUED, StreamSlot};
use crate::slab::{Ix, Link, List, Slab};

/// The dead letters of all lanes.
#[derive(Debug)]
pub(super) struct Letters {
    list: List<QUEUED>,
    len: usize,
    dropped: u64,
}

impl Letters {
    pub(super) const NONE: Self = Self {
        list: List::EMPTY,
        len: 0,
        dropped: 0,
    };

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// How many were forgotten because room was wanted.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Notes that one was forgotten, or found no room.
    pub(super) const fn count_dropped(&mut self) {
        self.dropped += 1;
    }

    pub(super) const fn oldest(&self) -> Link {
        self.list.head()
    }

    pub(super) fn push(&mut self, streams: &mut Slab<'_, StreamSlot>, ix: Ix) {
        self.list.push_back(streams, ix);
        self.len += 1;
    }

    pub(super) fn remove(&mut self, streams: &mut Slab<'_, StreamSlot>, ix: Ix) {
        self.list.remove(streams, ix);
        self.len = self.len.saturating_sub(1);
    }

    /// Puts them in an order anew.
    #[cfg(feature = "records")]
    pub(super) fn sort(
        &mut self,
        streams: &mut Slab<'_, StreamSlot>,
        is_before: impl Fn(&StreamSlot, &StreamSlot) -> bool,
    ) {
        self.list.sort(streams, is_before);
    }

    /// Their list, to be counted.
    pub(super) const fn list(&self) -> &List<QUEUED> {
        &self.list
    }
}
