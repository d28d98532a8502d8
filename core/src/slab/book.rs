//! Which slots of a table are free.
//!
//! It sees a table only through [`Slots`]: on small processors all tables share this code. Elsewhere it is inlined, and
//! knows the table's type.

use super::{Ix, Link};

/// The state of a slot in use; of a free one it is the next free slot, or 0 where there is none.
pub(super) const USED: u32 = u32::MAX;

/// A table as its book sees it.
pub(super) trait Slots {
    /// The state of a slot; `None` where there is no such slot.
    fn state_mut(&mut self, ix: Ix) -> Option<&mut u32>;
}

/// What a table knows of its free slots.
#[derive(Debug)]
pub(super) struct Book {
    /// The last slot that was freed, or 0.
    free: u32,
    /// How many slots were ever looked at; those behind were never touched.
    fresh: u32,
    /// How many are in use.
    pub(super) len: usize,
}

impl Book {
    /// Of a table in which nothing was ever put.
    pub(super) const EMPTY: Self = Self {
        free: 0,
        fresh: 0,
        len: 0,
    };

    /// The slot that [`take`](Self::take) takes next.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    #[cfg_attr(not(target_pointer_width = "32"), inline(always))]
    pub(super) fn vacant(&mut self, slots: &mut dyn Slots) -> Link {
        if let Some(free) = Ix::new(self.free) {
            return Some(free);
        }
        loop {
            let ix = Ix::new(self.fresh.wrapping_add(1))?;
            // Restored slots may lie ahead: they are in use already.
            if *slots.state_mut(ix)? != USED {
                return Some(ix);
            }
            self.fresh = ix.get();
        }
    }

    /// Takes a free slot into use.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    #[cfg_attr(not(target_pointer_width = "32"), inline(always))]
    pub(super) fn take(&mut self, slots: &mut dyn Slots) -> Link {
        let ix = self.vacant(slots)?;
        let state = slots.state_mut(ix)?;
        if self.free == ix.get() {
            self.free = *state;
        } else {
            self.fresh = ix.get();
        }
        self.mark_used(state);
        Some(ix)
    }

    /// Takes this slot into use. Only before any was freed.
    #[cfg(any(test, feature = "records"))]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    #[cfg_attr(not(target_pointer_width = "32"), inline(always))]
    pub(super) fn take_at(&mut self, slots: &mut dyn Slots, ix: Ix) -> Link {
        let state = slots.state_mut(ix)?;
        if *state == USED || self.free != 0 {
            return None;
        }
        self.mark_used(state);
        Some(ix)
    }

    /// Frees a slot in use.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    #[cfg_attr(not(target_pointer_width = "32"), inline(always))]
    pub(super) fn give(&mut self, slots: &mut dyn Slots, ix: Ix) {
        if let Some(state) = slots.state_mut(ix)
            && *state == USED
        {
            *state = self.free;
            self.free = ix.get();
            self.len = self.len.saturating_sub(1);
        }
    }

    const fn mark_used(&mut self, state: &mut u32) {
        *state = USED;
        self.len = self.len.saturating_add(1);
    }
}
