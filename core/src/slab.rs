//! Tables in memory that the caller lends, with handles that cannot go wrong.
//!
//! A slab hands out slots of a lent slice. Memory that is all zero bytes is an empty slab, so a
//! table can be a `static` in `.bss` or fresh pages of the operating system that nobody has touched.
//! Slots are named by [`Ix`], a number from 1 on, so that a link which leads nowhere is all zero too.
//! A list threads slots together without memory of its own, and so does a mark: what belongs to a slot
//! lies in the slot.

mod book;
mod list;
mod marks;
#[cfg(any(test, feature = "records"))]
mod sort;

use book::{Book, Slots, USED};
use core::num::NonZeroU32;
pub(crate) use list::{Links, List, Node};
pub(crate) use marks::{Markable, Marks};
use zerocopy::FromZeros;

/// The place of a slot in its table, counted from 1.
pub type Ix = NonZeroU32;

/// A link to a slot, or to none.
pub(crate) type Link = Option<Ix>;

/// The most slots a table may have, so that a slot's number fits the 24 bits that an id keeps for it.
pub const SLOTS_MAX: usize = (1 << 24) - 1;

/// One slot of a table: what the caller lends a slice of.
#[derive(Debug, FromZeros)]
// Whether a slot is in use is looked at together with how what lies in it begins.
#[repr(C)]
pub(crate) struct Slot<T> {
    /// `USED`, or the next free slot, or 0 where there is none.
    state: u32,
    /// The place's own, whatever lies in it: see [`Marks`].
    mark: u32,
    value: T,
}

impl<T> Slot<T> {
    /// An empty slot. `value` is a filler; all zero bytes keep a static table out of flash.
    #[must_use]
    pub(crate) const fn new(value: T) -> Self {
        Self {
            state: 0,
            mark: 0,
            value,
        }
    }
}

impl<T> Slots for &mut [Slot<T>] {
    fn state_mut(&mut self, ix: Ix) -> Option<&mut u32> {
        let slot = self.get_mut(ix.get() as usize - 1)?;
        Some(&mut slot.state)
    }
}

impl<T> Markable for &mut [Slot<T>] {
    fn mark_mut(&mut self, ix: Ix) -> Option<&mut u32> {
        let slot = self.get_mut(ix.get() as usize - 1)?;
        Some(&mut slot.mark)
    }
}

/// A table of `T` over a lent slice. Inserting and removing are O(1).
///
/// Looking a slot up is done in a hundred places: on small processors it is a call there, since a copy in each of them
/// takes more flash than anything else in a server.
#[derive(Debug)]
pub(crate) struct Slab<'a, T> {
    slots: &'a mut [Slot<T>],
    book: Book,
    marks: Marks,
    has_marks: bool,
}

impl<'a, T> Slab<'a, T> {
    /// An empty table. Slots past [`SLOTS_MAX`] are left alone.
    #[must_use]
    pub(crate) fn new(slots: &'a mut [Slot<T>]) -> Self {
        let capacity = slots.len().min(SLOTS_MAX);
        Self {
            slots: slots.get_mut(..capacity).unwrap_or_default(),
            book: Book::EMPTY,
            marks: Marks::NONE,
            has_marks: true,
        }
    }

    /// The same table, with marks or without: where nobody asks for them, [`mark`](Self::mark) does nothing.
    #[must_use]
    pub(crate) const fn with_marks(mut self, has_marks: bool) -> Self {
        self.has_marks = has_marks;
        self
    }

    /// How many slots are in use.
    #[must_use]
    pub(crate) const fn len(&self) -> usize {
        self.book.len
    }

    /// How many slots there are.
    #[must_use]
    pub(crate) const fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// How many slots are free.
    #[must_use]
    pub(crate) const fn room(&self) -> usize {
        self.slots.len().saturating_sub(self.book.len)
    }

    /// Puts `value` into a free slot; `None` where there is none, and the value is gone.
    pub(crate) fn insert(&mut self, value: T) -> Link {
        let ix = self.book.take(&mut self.slots);
        self.put(ix, value)
    }

    /// The slot that the next [`insert`](Self::insert) takes, for an id that must hold it.
    #[must_use]
    pub(crate) fn vacant(&mut self) -> Link {
        self.book.vacant(&mut self.slots)
    }

    /// Puts `value` where it was before a restart.
    ///
    /// Only for tables from which nothing was removed yet. `None` where there is no such slot, or
    /// where it is in use.
    #[cfg(any(test, feature = "records"))]
    pub(crate) fn insert_at(&mut self, ix: Ix, value: T) -> Link {
        let ix = self.book.take_at(&mut self.slots, ix);
        self.put(ix, value)
    }

    /// Frees a slot. One that is free already is left alone.
    pub(crate) fn remove(&mut self, ix: Ix) {
        self.book.give(&mut self.slots, ix);
    }

    /// Puts flags on a slot, one bit each: that its record must be written, for example. They outlive what lies in the
    /// slot, so that it can be heard that this is gone. A slot that is marked already keeps its place in the order.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn mark(&mut self, ix: Ix, flags: u8) {
        if self.has_marks {
            self.marks.put(&mut self.slots, ix, flags);
        }
    }

    /// Takes one flag, its lowest, off the slot that was marked first. With its last flag a slot is out of the order.
    pub(crate) fn pop_marked(&mut self) -> Option<(Ix, u8)> {
        self.marks.pop(&mut self.slots)
    }

    /// The word in which a slot's mark is, whatever lies in the slot: for a table that has another use for it and no
    /// marks.
    pub(crate) fn aside(&self, ix: Ix) -> Option<u32> {
        Some(self.slots.get(ix.get() as usize - 1)?.mark)
    }

    /// The same word, to change it.
    pub(crate) fn aside_mut(&mut self, ix: Ix) -> Option<&mut u32> {
        self.slots.mark_mut(ix)
    }

    /// Whether a slot is marked.
    #[must_use]
    pub(crate) const fn has_marked(&self) -> bool {
        !self.marks.is_empty()
    }

    /// Fills a slot that was taken.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn put(&mut self, ix: Link, value: T) -> Link {
        *self.get_mut(ix?)? = value;
        ix
    }

    /// What is in a slot.
    #[must_use]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn get(&self, ix: Ix) -> Option<&T> {
        let slot = self.slots.get(ix.get() as usize - 1)?;
        (slot.state == USED).then_some(&slot.value)
    }

    /// What is in a slot, to change it.
    #[must_use]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn get_mut(&mut self, ix: Ix) -> Option<&mut T> {
        let slot = self.slots.get_mut(ix.get() as usize - 1)?;
        (slot.state == USED).then_some(&mut slot.value)
    }

    /// The first slot in use after `ix` (or from the start), for walks over everything: a restart's.
    #[must_use]
    pub(crate) fn next_used(&self, after: Link) -> Link {
        let start = after.map_or(0, |ix| ix.get() as usize);
        let found = self
            .slots
            .get(start..)?
            .iter()
            .position(|slot| slot.state == USED)?;
        Ix::new((start + found) as u32 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: Slot<u8> = Slot::new(0);

    #[test]
    fn marks_come_out_in_order_one_flag_at_a_time_and_outlive_what_is_in_the_slot() {
        let mut memory = [EMPTY; 3];
        let mut slab = Slab::new(&mut memory);
        let [one, two, three] = [1, 2, 3].map(|ix| Ix::new(ix).unwrap());
        slab.insert(b'a').unwrap();
        for _ in 0..3 {
            assert!(!slab.has_marked());
            slab.mark(one, 2);
            slab.mark(three, 0x80);
            slab.remove(one);
            slab.mark(one, 1);
            slab.mark(two, 0);
            slab.mark(Ix::new(4).unwrap(), 1);
            assert_eq!(slab.pop_marked(), Some((one, 1)));
            assert_eq!(slab.insert(b'b'), Some(one));
            slab.mark(one, 4);
            assert_eq!(slab.pop_marked(), Some((one, 2)));
            assert_eq!(slab.pop_marked(), Some((one, 4)));
            slab.mark(one, 1);
            assert_eq!(slab.pop_marked(), Some((three, 0x80)));
            assert_eq!(slab.pop_marked(), Some((one, 1)));
            assert_eq!(slab.pop_marked(), None);
        }
    }

    #[test]
    fn restored_slots_keep_their_place_and_are_not_given_out_again() {
        let mut memory = [EMPTY; 3];
        let mut slab = Slab::new(&mut memory);
        let second = Ix::new(2).unwrap();
        assert_eq!(slab.insert_at(second, b'r'), Some(second));
        assert_eq!(slab.insert_at(second, b'x'), None);
        assert_eq!(slab.insert_at(Ix::new(4).unwrap(), b'x'), None);
        assert_eq!(slab.insert(b'1').unwrap().get(), 1);
        assert_eq!(slab.insert(b'3').unwrap().get(), 3);
        assert_eq!(slab.insert(b'4'), None);
        assert_eq!(slab.get(second).unwrap(), &b'r');
        slab.remove(second);
        slab.remove(second);
        assert!(slab.get(second).is_none());
        assert_eq!(slab.insert(b'n'), Some(second));
        assert_eq!(slab.len(), 3);
    }
}
