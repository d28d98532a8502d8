//! Which slots of a table are marked: a queue through the slots themselves.
//!
//! A mark is one word beside what lies in a slot, and stays when that goes: its flags in the upper byte, and in the
//! 24 bits below the slot marked after it. A slot whose flags are 0 is not marked. Like the book of free slots it sees
//! a table only through a trait, and on small processors all tables share this code.

use super::{Ix, Link};

/// Where a mark's flags begin.
const FLAGS_SHIFT: u32 = super::SLOTS_MAX.count_ones();
/// The bits of a mark that name the slot marked next.
const NEXT: u32 = super::SLOTS_MAX as u32;

/// A table as its marks see it.
pub(crate) trait Markable {
    /// The mark of a slot, whether that is in use or not; `None` where there is no such slot.
    fn mark_mut(&mut self, ix: Ix) -> Option<&mut u32>;
}

/// The slots that are marked, in the order in which they came to be.
#[derive(Debug)]
pub(crate) struct Marks {
    head: Link,
    tail: Link,
}

impl Marks {
    /// No slot is marked.
    pub(crate) const NONE: Self = Self {
        head: None,
        tail: None,
    };

    /// Whether no slot is marked.
    pub(crate) const fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// Puts flags on a slot. It keeps its place if it has some already.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    #[cfg_attr(not(target_pointer_width = "32"), inline(always))]
    pub(crate) fn put(&mut self, slots: &mut dyn Markable, ix: Ix, flags: u8) {
        let Some(mark) = slots.mark_mut(ix) else {
            return;
        };
        let before = *mark;
        *mark |= u32::from(flags) << FLAGS_SHIFT;
        if before != 0 || *mark == 0 {
            return;
        }
        match self.tail {
            Some(tail) => {
                if let Some(mark) = slots.mark_mut(tail) {
                    *mark |= ix.get();
                }
            }
            None => self.head = Some(ix),
        }
        self.tail = Some(ix);
    }

    /// Takes the lowest flag off the slot that was marked first.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    #[cfg_attr(not(target_pointer_width = "32"), inline(always))]
    pub(crate) fn pop(&mut self, slots: &mut dyn Markable) -> Option<(Ix, u8)> {
        let ix = self.head?;
        let mark = slots.mark_mut(ix)?;
        let flags = *mark >> FLAGS_SHIFT;
        let lowest = flags & flags.wrapping_neg();
        if flags == lowest {
            self.head = Ix::new(*mark & NEXT);
            *mark = 0;
            if self.head.is_none() {
                self.tail = None;
            }
        } else {
            *mark ^= lowest << FLAGS_SHIFT;
        }
        Some((ix, lowest as u8))
    }
}
