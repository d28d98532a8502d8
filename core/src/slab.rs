//! Tables in memory that the caller lends, with handles that cannot go wrong.
//!
//! A slab hands out slots of a lent slice. Memory that is all zero bytes is an empty slab, so a
//! table can be a `static` in `.bss` or fresh pages of the operating system that nobody has touched.
//! Slots are named by [`Ix`], a number from 1 on, so that a link which leads nowhere is all zero too.
//! A list threads slots together without memory of its own, and so does a mark: what belongs to a slot
//! lies in the slot.

mod book;
mod marks;
#[cfg(any(test, feature = "records"))]
mod sort;

use book::{Book, Slots, USED};
use core::num::NonZeroU32;
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

/// The two links by which a slot hangs in a [`List`].
#[derive(Debug, Clone, Copy, Default, FromZeros)]
pub(crate) struct Links {
    prev: Link,
    next: Link,
}

impl Links {
    /// Links that lead nowhere.
    pub(crate) const NONE: Self = Self {
        prev: None,
        next: None,
    };
}

/// A slot that can hang in list number `LIST`.
pub(crate) trait Node<const LIST: u8> {
    /// Its links in that list.
    fn links(&self) -> &Links;
    /// Its links in that list, to change them.
    fn links_mut(&mut self) -> &mut Links;
}

/// A doubly linked list through the slots of a table. Every operation is O(1).
///
/// A slot hangs in at most one list of each number; the caller knows which.
#[derive(Debug, Clone, Copy, Default, FromZeros)]
pub(crate) struct List<const LIST: u8>(Ends);

impl<const LIST: u8> List<LIST> {
    /// A list with nothing in it.
    pub(crate) const EMPTY: Self = Self(Ends::EMPTY);

    /// The first slot.
    #[must_use]
    pub(crate) const fn head(&self) -> Link {
        self.0.head
    }

    /// The last slot.
    #[must_use]
    pub(crate) const fn tail(&self) -> Link {
        self.0.tail
    }

    /// Whether nothing hangs in it.
    #[must_use]
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.head.is_none()
    }

    /// The slot after `ix`.
    #[must_use]
    pub(crate) fn next<T: Node<LIST>>(slab: &Slab<'_, T>, ix: Ix) -> Link {
        slab.get(ix)?.links().next
    }

    /// The slot before `ix`.
    #[cfg(any(test, feature = "records"))]
    #[must_use]
    pub(crate) fn prev<T: Node<LIST>>(slab: &Slab<'_, T>, ix: Ix) -> Link {
        slab.get(ix)?.links().prev
    }

    /// Hangs `ix` behind the last slot.
    pub(crate) fn push_back<T: Node<LIST>>(&mut self, slab: &mut Slab<'_, T>, ix: Ix) {
        self.0.link(&mut Row::<LIST, _>(slab), self.0.tail, ix);
    }

    /// Hangs `ix` before the first slot.
    pub(crate) fn push_front<T: Node<LIST>>(&mut self, slab: &mut Slab<'_, T>, ix: Ix) {
        self.0.link(&mut Row::<LIST, _>(slab), None, ix);
    }

    /// Hangs `ix` behind `after`, which hangs in this list, or before the first slot.
    #[cfg(any(test, feature = "records"))]
    pub(crate) fn insert_after<T: Node<LIST>>(
        &mut self,
        slab: &mut Slab<'_, T>,
        after: Link,
        ix: Ix,
    ) {
        self.0.link(&mut Row::<LIST, _>(slab), after, ix);
    }

    /// Takes the first slot off.
    pub(crate) fn pop_front<T: Node<LIST>>(&mut self, slab: &mut Slab<'_, T>) -> Link {
        let ix = self.0.head?;
        self.remove(slab, ix);
        Some(ix)
    }

    /// Takes `ix` off, which hangs in this list.
    pub(crate) fn remove<T: Node<LIST>>(&mut self, slab: &mut Slab<'_, T>, ix: Ix) {
        self.0.unlink(&mut Row::<LIST, _>(slab), ix);
    }

    /// Sorts the list so that `before` holds between neighbours: in place and stable. Stretches that are in order
    /// already are merged as they are, so it is O(n) where there are few and O(n log n) at worst.
    #[cfg(any(test, feature = "records"))]
    pub(crate) fn sort<T: Node<LIST>>(
        &mut self,
        slab: &mut Slab<'_, T>,
        before: impl Fn(&T, &T) -> bool,
    ) {
        let mut row = sort::Sorting {
            row: Row::<LIST, _>(slab),
            before,
        };
        self.0 = sort::sorted(self.0.head, &mut row);
    }
}

/// A table as one list sees it: on small processors the lists of all tables share their code.
trait Linked {
    /// A slot's links in the list.
    fn links_mut(&mut self, ix: Ix) -> Option<&mut Links>;
}

/// A table by its links in list number `LIST`.
struct Row<'s, 'a, const LIST: u8, T>(&'s mut Slab<'a, T>);

impl<const LIST: u8, T: Node<LIST>> Linked for Row<'_, '_, LIST, T> {
    fn links_mut(&mut self, ix: Ix) -> Option<&mut Links> {
        Some(self.0.get_mut(ix)?.links_mut())
    }
}

/// The ends of a list, which know nothing of the table.
#[derive(Debug, Clone, Copy, Default, FromZeros)]
struct Ends {
    head: Link,
    tail: Link,
}

impl Ends {
    const EMPTY: Self = Self {
        head: None,
        tail: None,
    };

    #[cfg_attr(target_pointer_width = "32", inline(never))]
    #[cfg_attr(not(target_pointer_width = "32"), inline(always))]
    fn link(&mut self, row: &mut dyn Linked, after: Link, ix: Ix) {
        let next = match after {
            Some(after) => row.links_mut(after).and_then(|links| links.next),
            None => self.head,
        };
        let Some(links) = row.links_mut(ix) else {
            return;
        };
        *links = Links { prev: after, next };
        self.join(row, after, Some(ix));
        self.join(row, Some(ix), next);
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))]
    #[cfg_attr(not(target_pointer_width = "32"), inline(always))]
    fn unlink(&mut self, row: &mut dyn Linked, ix: Ix) {
        let Some(links) = row.links_mut(ix) else {
            return;
        };
        let Links { prev, next } = core::mem::take(links);
        self.join(row, prev, next);
    }

    /// Makes `left` and `right` neighbours; `None` stands for the list's end on that side.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    #[cfg_attr(not(target_pointer_width = "32"), inline(always))]
    fn join(&mut self, row: &mut dyn Linked, left: Link, right: Link) {
        match left {
            None => self.head = right,
            Some(left) => {
                if let Some(links) = row.links_mut(left) {
                    links.next = right;
                }
            }
        }
        match right {
            None => self.tail = left,
            Some(right) => {
                if let Some(links) = row.links_mut(right) {
                    links.prev = left;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, FromZeros)]
    struct Item {
        name: u8,
        links: Links,
    }

    impl Node<0> for Item {
        fn links(&self) -> &Links {
            &self.links
        }
        fn links_mut(&mut self) -> &mut Links {
            &mut self.links
        }
    }

    const EMPTY: Slot<Item> = Slot::new(Item {
        name: 0,
        links: Links::NONE,
    });

    fn item(name: u8) -> Item {
        Item {
            name,
            links: Links::NONE,
        }
    }

    #[track_caller]
    fn check(list: &List<0>, slab: &Slab<'_, Item>, names: &[u8]) {
        let mut at = list.head();
        for name in names {
            let ix = at.expect("the list is too short");
            assert_eq!(slab.get(ix).unwrap().name, *name);
            at = List::<0>::next(slab, ix);
        }
        assert_eq!(at, None, "the list is too long");
        let mut at = list.tail();
        for name in names.iter().rev() {
            let ix = at.expect("the list is too short backwards");
            assert_eq!(slab.get(ix).unwrap().name, *name);
            at = List::<0>::prev(slab, ix);
        }
        assert_eq!(at, None);
    }

    #[test]
    fn a_list_keeps_its_order_through_every_removal() {
        let mut memory = [EMPTY; 4];
        let mut slab = Slab::new(&mut memory);
        let mut list = List::<0>::EMPTY;
        let a = slab.insert(item(b'a')).unwrap();
        let b = slab.insert(item(b'b')).unwrap();
        let c = slab.insert(item(b'c')).unwrap();
        list.push_back(&mut slab, b);
        list.push_back(&mut slab, c);
        list.push_front(&mut slab, a);
        check(&list, &slab, b"abc");
        list.remove(&mut slab, b);
        check(&list, &slab, b"ac");
        list.insert_after(&mut slab, Some(a), b);
        check(&list, &slab, b"abc");
        list.remove(&mut slab, c);
        check(&list, &slab, b"ab");
        assert_eq!(list.pop_front(&mut slab), Some(a));
        assert_eq!(list.pop_front(&mut slab), Some(b));
        check(&list, &slab, b"");
        assert_eq!(list.pop_front(&mut slab), None);
    }

    #[test]
    fn a_list_sorts_whatever_its_length_and_order() {
        let mut random = 1u64;
        for len in 0..40 {
            let mut memory = [EMPTY; 40];
            let mut slab = Slab::new(&mut memory);
            let mut list = List::<0>::EMPTY;
            let mut names = [0u8; 40];
            for name in &mut names[..len] {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                *name = (random >> 60) as u8;
                let ix = slab.insert(item(*name)).unwrap();
                list.push_back(&mut slab, ix);
            }
            list.sort(&mut slab, |a, b| a.name < b.name);
            names[..len].sort_unstable();
            check(&list, &slab, &names[..len]);
        }
    }

    #[test]
    fn marks_come_out_in_order_one_flag_at_a_time_and_outlive_what_is_in_the_slot() {
        let mut memory = [EMPTY; 3];
        let mut slab = Slab::new(&mut memory);
        let [one, two, three] = [1, 2, 3].map(|ix| Ix::new(ix).unwrap());
        slab.insert(item(b'a')).unwrap();
        for _ in 0..3 {
            assert!(!slab.has_marked());
            slab.mark(one, 2);
            slab.mark(three, 0x80);
            slab.remove(one);
            slab.mark(one, 1);
            slab.mark(two, 0);
            slab.mark(Ix::new(4).unwrap(), 1);
            assert_eq!(slab.pop_marked(), Some((one, 1)));
            assert_eq!(slab.insert(item(b'b')), Some(one));
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
        assert_eq!(slab.insert_at(second, item(b'r')), Some(second));
        assert_eq!(slab.insert_at(second, item(b'x')), None);
        assert_eq!(slab.insert_at(Ix::new(4).unwrap(), item(b'x')), None);
        assert_eq!(slab.insert(item(b'1')).unwrap().get(), 1);
        assert_eq!(slab.insert(item(b'3')).unwrap().get(), 3);
        assert_eq!(slab.insert(item(b'4')), None);
        assert_eq!(slab.get(second).unwrap().name, b'r');
        slab.remove(second);
        slab.remove(second);
        assert!(slab.get(second).is_none());
        assert_eq!(slab.insert(item(b'n')), Some(second));
        assert_eq!(slab.len(), 3);
    }
}
