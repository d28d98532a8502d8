//! Sorting a list where it hangs.
//!
//! Lists of several tables are sorted, all of them at a start and never after it, so this is one function for all of
//! them and sees a table only through [`Sortable`].

use super::{Ix, Link, Links};

/// What sorting must know of a list and its table.
pub(super) trait Sortable {
    /// A slot's links in the list.
    fn links_mut(&mut self, ix: Ix) -> Option<&mut Links>;
    /// The slot after `ix`.
    fn next(&self, ix: Ix) -> Link;
    /// Whether `a` belongs before `b`.
    fn is_before(&self, a: Ix, b: Ix) -> bool;
}

/// Sorts the list that begins with `head` by merging neighbouring stretches. Returns its first slot and its last one.
pub(super) fn sorted(mut head: Link, row: &mut dyn Sortable) -> (Link, Link) {
    loop {
        let mut rest = head;
        let mut merged = (None, None);
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
                *run = (row.next(ix), run.1 - 1);
                push_back(row, &mut merged, ix);
            }
        }
        head = merged.0;
        if merges <= 1 {
            return merged;
        }
    }
}

/// How many slots from `start` on are in order, and which one is not.
fn stretch(row: &dyn Sortable, start: Ix) -> (usize, Link) {
    let mut len = 1;
    let mut last = start;
    while let Some(next) = row.next(last) {
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

fn push_back(row: &mut dyn Sortable, list: &mut (Link, Link), ix: Ix) {
    let (head, tail) = list;
    if let Some(links) = row.links_mut(ix) {
        *links = Links {
            prev: *tail,
            next: None,
        };
    }
    match tail.and_then(|tail| row.links_mut(tail)) {
        Some(links) => links.next = Some(ix),
        None => *head = Some(ix),
    }
    *tail = Some(ix);
}
