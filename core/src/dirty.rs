//! Which slots of a table have changed since they were last written down.
//!
//! A queue of slot numbers in lent memory: marking one that is marked already costs nothing, and each
//! comes out once, in the order in which they were first marked. It knows slots by number only, so a
//! slot that is free again can still be marked: that is how the store hears that it is gone.
//!
//! ```
//! use dubhook_core::{dirty::Dirty, slab::Ix};
//!
//! let mut memory = [0; 4];
//! let mut dirty = Dirty::new(&mut memory);
//! let (two, three) = (Ix::new(2).unwrap(), Ix::new(3).unwrap());
//! dirty.mark(three);
//! dirty.mark(two);
//! dirty.mark(three);
//! assert_eq!(dirty.pop(), Some(three));
//! assert_eq!(dirty.pop(), Some(two));
//! assert_eq!(dirty.pop(), None);
//! ```

use crate::slab::{Ix, Link};

const END: u32 = u32::MAX;

/// A queue of changed slots. One `u32` of lent memory for each slot; all zero is an empty queue.
#[derive(Debug)]
pub struct Dirty<'a> {
    /// The slot marked after this one, `END` for the last, 0 for a slot that is not marked.
    next: &'a mut [u32],
    head: Link,
    tail: Link,
}

impl<'a> Dirty<'a> {
    /// An empty queue for slots 1 to the length of `memory`.
    #[must_use]
    pub const fn new(memory: &'a mut [u32]) -> Self {
        Self {
            next: memory,
            head: None,
            tail: None,
        }
    }

    /// Whether no slot is marked.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// Marks a slot as changed. One without memory is left alone.
    pub fn mark(&mut self, ix: Ix) {
        match self.place(ix) {
            Some(next) if *next == 0 => *next = END,
            _ => return,
        }
        match self.tail {
            Some(tail) => {
                if let Some(next) = self.place(tail) {
                    *next = ix.get();
                }
            }
            None => self.head = Some(ix),
        }
        self.tail = Some(ix);
    }

    /// Takes out the slot that was marked first.
    pub fn pop(&mut self) -> Link {
        let ix = self.head?;
        let next = core::mem::take(self.place(ix)?);
        self.head = if next == END { None } else { Ix::new(next) };
        if self.head.is_none() {
            self.tail = None;
        }
        Some(ix)
    }

    fn place(&mut self, ix: Ix) -> Option<&mut u32> {
        self.next.get_mut(ix.get() as usize - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_taken_out_can_be_marked_again() {
        let mut memory = [0; 2];
        let mut dirty = Dirty::new(&mut memory);
        let (one, two) = (Ix::new(1).unwrap(), Ix::new(2).unwrap());
        for _ in 0..3 {
            dirty.mark(one);
            dirty.mark(two);
            assert_eq!(dirty.pop(), Some(one));
            dirty.mark(one);
            assert_eq!(dirty.pop(), Some(two));
            assert_eq!(dirty.pop(), Some(one));
            assert_eq!(dirty.pop(), None);
            assert!(dirty.is_empty());
        }
        dirty.mark(Ix::new(3).unwrap());
        assert!(dirty.is_empty());
    }
}
