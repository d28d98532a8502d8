//! The balanced tree of deadlines, which knows rows only by their timers.

use super::{Rows, Timer};
use crate::slab::{Ix, Link};

/// A side of a row in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// What is earlier is below here.
    Early,
    /// What is later, or was set later, is below here.
    Late,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Early => Self::Late,
            Self::Late => Self::Early,
        }
    }
}

impl Timer {
    const fn below(&self, side: Side) -> (Link, u8) {
        let ([early, late], [early_height, late_height]) = (self.below, self.heights);
        match side {
            Side::Early => (early, early_height),
            Side::Late => (late, late_height),
        }
    }

    const fn set_below(&mut self, side: Side, (link, height): (Link, u8)) {
        let ([early, late], [early_height, late_height]) = (&mut self.below, &mut self.heights);
        match side {
            Side::Early => (*early, *early_height) = (link, height),
            Side::Late => (*late, *late_height) = (link, height),
        }
    }

    /// How many rows deep the tree is from here on.
    fn height(&self) -> u8 {
        let [early, late] = self.heights;
        early.max(late).saturating_add(1)
    }

    /// On which side a row is that is below this one.
    fn side_of(&self, ix: Ix) -> Side {
        if self.below(Side::Early).0 == Some(ix) {
            Side::Early
        } else {
            Side::Late
        }
    }

    /// The side that is too deep.
    const fn lopsided(&self) -> Option<Side> {
        let [early, late] = self.heights;
        if early > late.saturating_add(1) {
            Some(Side::Early)
        } else if late > early.saturating_add(1) {
            Some(Side::Late)
        } else {
            None
        }
    }
}

/// Whether a new deadline is looked for a place from both ends first. On small processors tables are short, and the way
/// from the root alone takes less flash.
const FROM_THE_ENDS: bool = cfg!(not(target_pointer_width = "32"));

/// A tree of deadlines.
#[derive(Debug)]
pub(super) struct Tree {
    root: Link,
    /// The row with the earliest deadline, and that deadline, so that nobody has to look at the row.
    first: Link,
    first_at: u64,
    /// The row with the latest deadline, and that deadline: most are later than all others when they are set.
    last: Link,
    last_at: u64,
}

// The caller's rows are always those of the same table, and a row that is named has a timer. Where that does not hold a
// step is left out.
impl Tree {
    pub(super) const EMPTY: Self = Self {
        root: None,
        first: None,
        first_at: 0,
        last: None,
        last_at: 0,
    };

    #[cfg(test)]
    pub(super) const fn root(&self) -> Link {
        self.root
    }

    /// The row with the earliest deadline, and that deadline.
    pub(super) const fn first(&self) -> Option<(Ix, u64)> {
        match self.first {
            Some(ix) => Some((ix, self.first_at)),
            None => None,
        }
    }

    /// Gives a row a deadline, in place of the one it may have.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn set<R: Rows + ?Sized>(&mut self, rows: &mut R, ix: Ix, at: u64) {
        let Some(timer) = rows.timer_mut(ix) else {
            return;
        };
        if timer.is_set {
            if timer.at == at {
                return;
            }
            self.remove(rows, ix);
        }
        let (above, side) = self.place(rows, at);
        if let Some(timer) = rows.timer_mut(ix) {
            timer.at = at;
            timer.is_set = true;
        }
        self.hang(rows, above, side, (Some(ix), 1));
        if self.first.is_none() || at < self.first_at {
            (self.first, self.first_at) = (Some(ix), at);
        }
        if FROM_THE_ENDS && (self.last.is_none() || at >= self.last_at) {
            (self.last, self.last_at) = (Some(ix), at);
        }
        self.mend(rows, above);
    }

    /// Below which row a new deadline belongs, and on which side of it.
    fn place<R: Rows + ?Sized>(&self, rows: &mut R, at: u64) -> (Link, Side) {
        // Nothing is below the first row on its early side, nor below the last one on its late side.
        if FROM_THE_ENDS && at >= self.last_at {
            return (self.last, Side::Late);
        }
        if FROM_THE_ENDS && at < self.first_at {
            return (self.first, Side::Early);
        }
        let (mut above, mut side) = (None, Side::Early);
        let mut next = self.root;
        while let Some((row, timer)) = next.and_then(|row| Some((row, rows.timer_mut(row)?))) {
            side = if at < timer.at {
                Side::Early
            } else {
                Side::Late
            };
            above = Some(row);
            next = timer.below(side).0;
        }
        (above, side)
    }

    /// Takes the deadline of a row off, if it has one.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn remove<R: Rows + ?Sized>(&mut self, rows: &mut R, ix: Ix) {
        let Some(timer) = rows.timer_mut(ix).filter(|timer| timer.is_set) else {
            return;
        };
        let timer = core::mem::replace(timer, Timer::NONE);
        let (early, late) = (timer.below(Side::Early), timer.below(Side::Late));
        if self.first == Some(ix) {
            // Nothing is below it on its early side, so on the other one there is one row at most.
            self.first = late.0.or(timer.above);
            let first = self.first.and_then(|first| rows.timer_mut(first));
            self.first_at = first.map_or(0, |first| first.at);
        }
        if FROM_THE_ENDS && self.last == Some(ix) {
            self.last = early.0.or(timer.above);
            let last = self.last.and_then(|last| rows.timer_mut(last));
            self.last_at = last.map_or(0, |last| last.at);
        }
        let side = self.side_in(rows, timer.above, ix);
        let (Some(_), Some(late_row)) = (early.0, late.0) else {
            let only = if early.0.is_some() { early } else { late };
            self.hang(rows, timer.above, side, only);
            self.mend(rows, timer.above);
            return;
        };
        // The next later one takes its place.
        let mut next = late_row;
        while let Some((Some(earlier), _)) = rows.timer_mut(next).map(|t| t.below(Side::Early)) {
            next = earlier;
        }
        let Some(taken) = rows.timer_mut(next) else {
            return;
        };
        let (from, behind) = (taken.above, taken.below(Side::Late));
        let mut changed = Some(next);
        if next != late_row {
            self.hang(rows, from, Side::Early, behind);
            self.hang(rows, Some(next), Side::Late, late);
            changed = from;
        }
        self.hang(rows, Some(next), Side::Early, early);
        self.hang(rows, timer.above, side, (Some(next), timer.height()));
        self.mend(rows, changed);
    }

    /// On which side of the row above it a row hangs.
    fn side_in<R: Rows + ?Sized>(&self, rows: &mut R, above: Link, ix: Ix) -> Side {
        let above = above.and_then(|above| rows.timer_mut(above));
        above.map_or(Side::Early, |above| above.side_of(ix))
    }

    /// Hangs what is so deep below a row, or at the root.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn hang<R: Rows + ?Sized>(&mut self, rows: &mut R, above: Link, side: Side, what: (Link, u8)) {
        match above {
            None => self.root = what.0,
            Some(above) => {
                if let Some(timer) = rows.timer_mut(above) {
                    timer.set_below(side, what);
                }
            }
        }
        if let Some(timer) = what.0.and_then(|ix| rows.timer_mut(ix)) {
            timer.above = above;
        }
    }

    /// Balances a row below which something has changed, and those above it as far as that has made them deeper or
    /// less deep.
    fn mend<R: Rows + ?Sized>(&mut self, rows: &mut R, mut changed: Link) {
        while let Some(mut ix) = changed {
            let Some(timer) = rows.timer_mut(ix) else {
                return;
            };
            let (mut height, above) = (timer.height(), timer.above);
            if let Some(deep) = timer.lopsided() {
                ix = self.balance(rows, ix, deep);
                height = rows.timer_mut(ix).map_or(0, |timer| timer.height());
            }
            let Some(timer) = above.and_then(|above| rows.timer_mut(above)) else {
                return;
            };
            let side = timer.side_of(ix);
            if timer.below(side).1 == height {
                return;
            }
            timer.set_below(side, (Some(ix), height));
            changed = above;
        }
    }

    /// Turns a row that is too deep on one side, and what is below it, so that neither side is. Returns the row that is
    /// on top then.
    fn balance<R: Rows + ?Sized>(&mut self, rows: &mut R, ix: Ix, deep: Side) -> Ix {
        let below = rows.timer_mut(ix).and_then(|timer| timer.below(deep).0);
        if let Some(below) = below
            && let Some(timer) = rows.timer_mut(below)
            && timer.below(deep).1 < timer.below(deep.other()).1
        {
            self.lift(rows, below, deep.other());
        }
        self.lift(rows, ix, deep)
    }

    /// Lifts what is below a row on one side into that row's place, and the row below it. Returns what is on top then.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn lift<R: Rows + ?Sized>(&mut self, rows: &mut R, ix: Ix, side: Side) -> Ix {
        let Some(&mut timer) = rows.timer_mut(ix) else {
            return ix;
        };
        let Some(top) = timer.below(side).0 else {
            return ix;
        };
        let between = rows
            .timer_mut(top)
            .map_or((None, 0), |top| top.below(side.other()));
        let place = self.side_in(rows, timer.above, ix);
        // What is above learns the height from whoever mends it.
        let height = timer.height();
        self.hang(rows, timer.above, place, (Some(top), height));
        self.hang(rows, Some(ix), side, between);
        let height = rows.timer_mut(ix).map_or(0, |timer| timer.height());
        self.hang(rows, Some(top), side.other(), (Some(ix), height));
        top
    }
}
