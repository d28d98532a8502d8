//! Batches of records: a change belongs to the open one, and what speaks of it waits until that is durable.

use super::{Message, Outbox, QUEUED, StreamSlot};
use crate::slab::{Ix, List, Slab};

/// Which batch is open, which are durable, and what waits for that.
#[derive(Debug)]
pub(super) struct Batches {
    open: u64,
    durable: u64,
    /// Streams whose event is not durable yet, in the order of their batches.
    unsaved: List<QUEUED>,
}

impl Batches {
    /// None yet. Where there are no records, all is as good as written.
    pub(super) const fn new(records: bool) -> Self {
        Self {
            open: 1,
            durable: if records { 0 } else { u64::MAX },
            unsaved: List::EMPTY,
        }
    }

    pub(super) fn wait(&mut self, streams: &mut Slab<'_, StreamSlot>, ix: Ix) {
        self.unsaved.push_back(streams, ix);
    }

    pub(super) fn wait_no_more(&mut self, streams: &mut Slab<'_, StreamSlot>, ix: Ix) {
        self.unsaved.remove(streams, ix);
    }

    /// What waits, to be counted.
    pub(super) const fn unsaved(&self) -> &List<QUEUED> {
        &self.unsaved
    }
}

impl<E: Message> Outbox<'_, E> {
    /// The batch of records that the next change belongs to. The first one is 1: 0 is what was there at the start.
    #[must_use]
    pub(crate) const fn batch(&self) -> u64 {
        self.batches.open
    }

    /// Closes the open batch and opens the next one. Returns the number of the closed one.
    #[cfg(any(test, feature = "records"))]
    pub(crate) const fn seal(&mut self) -> u64 {
        let batch = self.batches.open;
        self.batches.open += 1;
        batch
    }

    /// Whether everything up to and with `batch` is durable.
    #[must_use]
    pub(crate) const fn is_durable(&self, batch: u64) -> bool {
        // Without records the compiler knows that too.
        cfg!(not(feature = "records")) || batch <= self.batches.durable
    }

    /// Says that everything up to and with batch number `batch` is durable.
    #[cfg(any(test, feature = "records"))]
    pub(crate) fn committed(&mut self, batch: u64) {
        self.batches.durable = self.batches.durable.max(batch);
        while let Some(ix) = self.batches.unsaved.head() {
            if self
                .head_of(ix)
                .is_some_and(|slot| !self.is_durable(slot.batch))
            {
                return;
            }
            self.batches.wait_no_more(&mut self.streams, ix);
            self.enqueue(ix);
        }
    }
}
