//! Sorting a list where it hangs.
//!
//! Lists of several tables are sorted, all of them at a start and never after it, so this is one function for all of
//! them and sees a table only through [`Sortable`].

use super::{
    Ix, Link, Links, Node,
    list::{Ends, Linked, Row},
};

/// A table as sorting one of its lists sees it.
pub(super) trait Sortable: Linked {
    /// Whether `a` belongs before `b`.
    fn is_before(&self, a: Ix, b: Ix) -> bool;
}

/// A table by its links in a list, and the order that it is to have.
pub(super) struct Sorting<'s, 'a, const LIST: u8, T, F> {
    pub(super) row: Row<'s, 'a, LIST, T>,
    pub(super) before: F,
}

impl<const LIST: u8, T: Node<LIST>, F> Linked for Sorting<'_, '_, LIST, T, F> {
    fn links_mut(&mut self, ix: Ix) -> Option<&mut Links> {
        self.row.links_mut(ix)
    }
}

impl<const LIST: u8, T: Node<LIST>, F: Fn(&T, &T) -> bool> Sortable
    for Sorting<'_, '_, LIST, T, F>
{
    fn is_before(&self, a: Ix, b: Ix) -> bool {
        let Row(slab) = &self.row;
        match (slab.get(a), slab.get(b)) {
            (Some(a), Some(b)) => (self.before)(a, b),
            _ => false,
        }
    }
}

/// Sorts the list that begins with `head` by merging neighbouring stretches.
pub(super) fn sorted(mut head: Link, row: &mut dyn Sortable) -> Ends {
    loop {
        let mut rest = head;
        let mut merged = Ends::EMPTY;
        let mut merges = 0usize;
        while let Some(left) = rest {
            let (left_len, right) = stretch(row, left);
            let (right_len, after) = match right {
                Some(right) => stretch(row, right),
                None => (0, None),
            };
            rest = after;
            merges += 1;
            let (mut a, mut b) = ((Some(left), left_len), (right, right_len));
            loop {
                let take_right = match (peek(a), peek(b)) {
                    (None, None) => break,
                    (Some(_), None) => false,
                    (None, Some(_)) => true,
                    (Some(left), Some(right)) => row.is_before(right, left),
                };
                let run = if take_right { &mut b } else { &mut a };
                let Some(ix) = run.0 else { break };
                *run = (next(row, ix), run.1 - 1);
                merged.link(row, merged.tail, ix);
            }
        }
        head = merged.head;
        if merges <= 1 {
            return merged;
        }
    }
}

fn next(row: &mut dyn Sortable, ix: Ix) -> Link {
    row.links_mut(ix)?.next
}

/// How many slots from `start` on are in order, and which one is not.
fn stretch(row: &mut dyn Sortable, start: Ix) -> (usize, Link) {
    let mut len = 1;
    let mut last = start;
    while let Some(next) = next(row, last) {
        if row.is_before(next, last) {
            return (len, Some(next));
        }
        len += 1;
        last = next;
    }
    (len, None)
}

/// The first slot of what is left of a stretch.
const fn peek(run: (Link, usize)) -> Link {
    if run.1 == 0 { None } else { run.0 }
}
