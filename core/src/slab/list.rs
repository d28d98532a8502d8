//! Lists that thread the slots of a table together, without memory of their own.

#[cfg(any(test, feature = "records"))]
use super::sort;
use super::{Ix, Link, Slab};
use zerocopy::FromZeros;

/// The two links by which a slot hangs in a [`List`].
#[derive(Debug, Clone, Copy, Default, FromZeros)]
pub(crate) struct Links {
    prev: Link,
    pub(super) next: Link,
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
pub(super) trait Linked {
    /// A slot's links in the list.
    fn links_mut(&mut self, ix: Ix) -> Option<&mut Links>;
}

/// A table by its links in list number `LIST`.
pub(super) struct Row<'s, 'a, const LIST: u8, T>(pub(super) &'s mut Slab<'a, T>);

impl<const LIST: u8, T: Node<LIST>> Linked for Row<'_, '_, LIST, T> {
    fn links_mut(&mut self, ix: Ix) -> Option<&mut Links> {
        Some(self.0.get_mut(ix)?.links_mut())
    }
}

/// The ends of a list, which know nothing of the table.
#[derive(Debug, Clone, Copy, Default, FromZeros)]
pub(super) struct Ends {
    pub(super) head: Link,
    pub(super) tail: Link,
}

impl Ends {
    pub(super) const EMPTY: Self = Self {
        head: None,
        tail: None,
    };

    #[cfg_attr(target_pointer_width = "32", inline(never))]
    #[cfg_attr(not(target_pointer_width = "32"), inline(always))]
    pub(super) fn link(&mut self, row: &mut dyn Linked, after: Link, ix: Ix) {
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
    use crate::slab::Slot;

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
}
