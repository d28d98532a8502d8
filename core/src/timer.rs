//! Deadlines in order, each of which can be moved or dropped: a balanced tree through the rows of a table.
//!
//! A deadline belongs to a row and lies in it, as a [`Timer`]; a row has at most one. Setting, moving, dropping and taking
//! off the earliest one are O(log n) however they come, looking at the earliest is O(1) and touches no row. Deadlines of
//! the same instant come out in the order in which they were set.
//!
//! The tree is that of Adelson-Velsky and Landis: what is below a row on one side is at most one row higher than what is
//! below it on the other, so that a million deadlines are 28 rows deep at most. A heap needs less code, but sets a deadline
//! that is later than all others, which most are, in a place that was last looked at long ago.
//!
//! A row that is to be freed or overwritten must have lost its deadline before.

mod tree;

use crate::{
    slab::{Ix, Link, Slab},
    time::Instant,
};
use tree::Tree;
use zerocopy::FromZeros;

/// What a row holds of its deadline, 24 bytes. All zero is none.
#[derive(Debug, Clone, Copy, FromZeros)]
pub struct Timer {
    /// Milliseconds; the order of the tree.
    at: u64,
    above: Link,
    /// Below on the side of the earlier ones, and on that of the later ones.
    below: [Link; 2],
    /// How many rows deep it is on each side.
    heights: [u8; 2],
    is_set: bool,
}

impl Timer {
    /// No deadline: all zero.
    pub const NONE: Self = Self {
        at: 0,
        above: None,
        below: [None; 2],
        heights: [0; 2],
        is_set: false,
    };

    /// The deadline, if there is one.
    #[must_use]
    pub const fn get(&self) -> Option<Instant> {
        if self.is_set {
            Some(Instant::from_ms(self.at))
        } else {
            None
        }
    }
}

/// A row that can have a deadline.
pub(crate) trait Timed {
    /// Its part in the tree of deadlines, to change it.
    fn timer_mut(&mut self) -> &mut Timer;
}

/// A table whose rows can have deadlines.
pub(crate) trait Rows {
    /// A row's part in the tree; `None` where there is no such row.
    fn timer_mut(&mut self, ix: Ix) -> Option<&mut Timer>;
}

impl<T: Timed> Rows for Slab<'_, T> {
    fn timer_mut(&mut self, ix: Ix) -> Option<&mut Timer> {
        Some(self.get_mut(ix)?.timer_mut())
    }
}

impl<T: Timed> Rows for &mut [T] {
    fn timer_mut(&mut self, ix: Ix) -> Option<&mut Timer> {
        Some(self.get_mut(ix.get() as usize - 1)?.timer_mut())
    }
}

/// The deadlines of one table's rows: always called with that table.
#[derive(Debug)]
pub(crate) struct Timers(Tree);

impl Timers {
    /// No deadlines.
    pub(crate) const NONE: Self = Self(Tree::EMPTY);

    /// Gives row `ix` the deadline `at`, in place of the one it may have. One that there is no row for is left alone.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn set(&mut self, rows: &mut impl Rows, ix: Ix, at: Instant) {
        // On small processors all tables share the code of the tree.
        #[cfg(target_pointer_width = "32")]
        let rows: &mut dyn Rows = rows;
        self.0.set(rows, ix, at.as_ms());
    }

    /// Drops the deadline of row `ix`, if it has one.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn clear(&mut self, rows: &mut impl Rows, ix: Ix) {
        #[cfg(target_pointer_width = "32")]
        let rows: &mut dyn Rows = rows;
        self.0.remove(rows, ix);
    }

    /// The earliest deadline.
    #[must_use]
    pub(crate) const fn next(&self) -> Option<Instant> {
        match self.0.first() {
            Some((_, at)) => Some(Instant::from_ms(at)),
            None => None,
        }
    }

    /// Takes off the earliest deadline if it has come by `now`.
    pub(crate) fn pop_due(&mut self, rows: &mut impl Rows, now: Instant) -> Link {
        let (ix, at) = self.0.first()?;
        if at > now.as_ms() {
            return None;
        }
        self.clear(rows, ix);
        Some(ix)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{collections::BTreeSet, vec, vec::Vec};

    #[derive(Clone, Copy)]
    struct Row(Timer);

    impl Timed for Row {
        fn timer_mut(&mut self) -> &mut Timer {
            &mut self.0
        }
    }

    /// A table that counts how often a row of it is looked at.
    struct Counted<'a>(&'a mut [Row], usize);

    impl Rows for Counted<'_> {
        fn timer_mut(&mut self, ix: Ix) -> Option<&mut Timer> {
            self.1 += 1;
            self.0.timer_mut(ix)
        }
    }

    fn ix(slot: usize) -> Ix {
        Ix::new(slot as u32 + 1).unwrap()
    }

    /// Checks the tree from end to end; returns the deadlines in their order.
    fn walk(tree: &Tree, rows: &[Row]) -> Vec<(u64, usize)> {
        let mut order = Vec::new();
        let mut open = vec![(tree.root(), None, false)];
        while let Some((link, above, passed)) = open.pop() {
            let Some(ix) = link else { continue };
            let timer = rows[ix.get() as usize - 1].0;
            if passed {
                order.push((timer.at, ix.get() as usize - 1));
                continue;
            }
            assert_eq!((timer.above, timer.is_set), (above, true));
            let deep = |link: Link| {
                link.map_or(0, |ix| {
                    1 + *rows[ix.get() as usize - 1].0.heights.iter().max().unwrap()
                })
            };
            assert_eq!(timer.heights, timer.below.map(deep));
            assert!(timer.heights[0].abs_diff(timer.heights[1]) <= 1);
            open.push((timer.below[1], link, false));
            open.push((link, above, true));
            open.push((timer.below[0], link, false));
        }
        assert!(order.is_sorted_by_key(|(at, _)| *at));
        order
    }

    /// Random calls beside a table that is searched from end to end.
    #[test]
    fn agrees_with_a_plain_table_over_random_calls() {
        let mut memory = [Row(Timer::NONE); 37];
        let mut rows = &mut memory[..];
        let mut timers = Timers::NONE;
        let mut model = [None::<u64>; 37];
        let mut random = 0x1234_5678_9abc_def1u64;
        for _ in 0..40_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let slot = (random >> 8) as usize % 37;
            match random % 3 {
                0 => {
                    let at = (random >> 20) % 50;
                    timers.set(&mut rows, ix(slot), Instant::from_ms(at));
                    model[slot] = Some(at);
                }
                1 => {
                    timers.clear(&mut rows, ix(slot));
                    model[slot] = None;
                }
                _ => {
                    let now = (random >> 20) % 50;
                    let least = model.iter().flatten().min().copied();
                    let popped = timers.pop_due(&mut rows, Instant::from_ms(now));
                    assert_eq!(popped.is_some(), least.is_some_and(|at| at <= now));
                    if let Some(popped) = popped {
                        let slot = popped.get() as usize - 1;
                        assert_eq!(model[slot], least);
                        model[slot] = None;
                    }
                }
            }
            let least = model.iter().flatten().min().copied();
            assert_eq!(timers.next().map(Instant::as_ms), least);
            for (row, at) in rows.iter().zip(&model) {
                assert_eq!(row.0.get().map(Instant::as_ms), *at);
            }
            let set = model.iter().flatten().count();
            assert_eq!(walk(&timers.0, rows).len(), set);
        }
    }

    /// However deadlines come and go, no call looks at more rows than the tree is deep, a few times over.
    #[test]
    fn no_call_costs_more_than_the_logarithm() {
        const ROWS: usize = 4_096;
        // The tree is at most 1.45 times the logarithm deep. A deadline that is moved goes down it twice and up it twice,
        // with three looks at each step up, and some more where rows are turned.
        const DEPTH_MAX: usize = 18;
        const LOOKS_MAX: usize = 8 * DEPTH_MAX;
        let mut memory = vec![Row(Timer::NONE); ROWS];
        let mut rows = Counted(&mut memory, 0);
        let mut timers = Timers::NONE;
        let mut most = 0;
        let mut measure = |rows: &mut Counted<'_>| most = most.max(core::mem::take(&mut rows.1));
        let mut random = 7u64;
        for round in 0..4 {
            for slot in 0..ROWS {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let at = match round {
                    0 => slot as u64,
                    1 => (ROWS - slot) as u64,
                    2 => random >> 40,
                    _ => 9,
                };
                timers.set(&mut rows, ix(slot), Instant::from_ms(at));
                measure(&mut rows);
            }
            assert_eq!(walk(&timers.0, rows.0).len(), ROWS);
            for slot in (0..ROWS).step_by(3) {
                timers.clear(&mut rows, ix(slot));
                measure(&mut rows);
            }
            walk(&timers.0, rows.0);
            while timers
                .pop_due(&mut rows, Instant::from_ms(u64::MAX))
                .is_some()
            {
                measure(&mut rows);
            }
        }
        assert!(most <= LOOKS_MAX, "{most}");
    }

    #[test]
    fn deadlines_of_one_instant_come_out_as_they_were_set() {
        let mut memory = [Row(Timer::NONE); 64];
        let mut rows = &mut memory[..];
        let mut timers = Timers::NONE;
        let order: Vec<usize> = (0..64).map(|n| n * 37 % 64).collect();
        for slot in &order {
            timers.set(&mut rows, ix(*slot), Instant::from_ms(5));
        }
        let mut out = Vec::new();
        while let Some(ix) = timers.pop_due(&mut rows, Instant::from_ms(5)) {
            out.push(ix.get() as usize - 1);
        }
        assert_eq!(out, order);
        assert_eq!(BTreeSet::from_iter(out).len(), 64);
    }

    #[test]
    fn what_there_is_no_row_for_is_left_alone() {
        let mut rows = &mut [Row(Timer::NONE); 0][..];
        let mut timers = Timers::NONE;
        timers.set(&mut rows, ix(0), Instant::ZERO);
        timers.clear(&mut rows, ix(0));
        assert_eq!(timers.next(), None);
    }
}
