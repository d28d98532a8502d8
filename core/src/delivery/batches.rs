//! Batches of records: a change belongs to the open one, and what speaks of it waits until that is durable.

use super::{Message, Outbox};

impl<E: Message> Outbox<'_, E> {
    /// The batch of records that the next change belongs to. The first one is 1: 0 is what was there at the start.
    #[must_use]
    pub(crate) const fn batch(&self) -> u64 {
        self.open_batch
    }

    /// Closes the open batch and opens the next one. Returns the number of the closed one.
    #[cfg(any(test, feature = "records"))]
    pub(crate) const fn seal(&mut self) -> u64 {
        let batch = self.open_batch;
        self.open_batch += 1;
        batch
    }

    /// Whether everything up to and with `batch` is durable.
    #[must_use]
    pub(crate) const fn is_durable(&self, batch: u64) -> bool {
        // Without records the compiler knows that too.
        cfg!(not(feature = "records")) || batch <= self.committed
    }

    /// Says that everything up to and with batch number `batch` is durable.
    #[cfg(any(test, feature = "records"))]
    pub(crate) fn committed(&mut self, batch: u64) {
        self.committed = self.committed.max(batch);
        while let Some(ix) = self.unsaved.head() {
            if self
                .head_of(ix)
                .is_some_and(|slot| !self.is_durable(slot.batch))
            {
                return;
            }
            self.unsaved.remove(&mut self.streams, ix);
            self.enqueue(ix);
        }
    }
}
