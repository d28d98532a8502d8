//! Deadlines in order, each of which can be moved or dropped: a binary heap in lent memory.
//!
//! A deadline belongs to a key (a slot of some table), and a key has at most one. Setting, moving
//! and dropping one are O(log n), looking at the earliest is O(1), and two deadlines of the same
//! instant come out in an order that depends on nothing but the calls made.
//!
//! ```
//! use dubhook_core::{slab::Ix, time::Instant, timer::{Timers, TimerSlot}};
//!
//! let mut memory = [TimerSlot::EMPTY; 4];
//! let mut timers = Timers::new(&mut memory);
//! let (tea, toast) = (Ix::new(1).unwrap(), Ix::new(2).unwrap());
//! timers.set(tea, Instant::from_ms(180_000));
//! timers.set(toast, Instant::from_ms(90_000));
//! timers.set(tea, Instant::from_ms(60_000));
//! assert_eq!(timers.next(), Some(Instant::from_ms(60_000)));
//! assert_eq!(timers.pop_due(Instant::from_ms(59_999)), None);
//! assert_eq!(timers.pop_due(Instant::from_ms(60_000)), Some(tea));
//! ```

use crate::{slab::Ix, time::Instant};
use zerocopy::FromZeros;

/// Memory for one deadline: as many as the largest key are needed.
#[derive(Debug, Clone, Copy, FromZeros)]
pub struct TimerSlot {
    /// Milliseconds; the heap's order.
    at: u64,
    /// Which key's deadline this heap position holds.
    key: u32,
    /// Where in the heap the key with this slot's number is, counted from 1; 0 for nowhere.
    position: u32,
}

impl TimerSlot {
    /// Memory without a deadline: all zero.
    pub const EMPTY: Self = Self {
        at: 0,
        key: 0,
        position: 0,
    };
}

/// Deadlines by key.
#[derive(Debug)]
pub struct Timers<'a> {
    slots: &'a mut [TimerSlot],
    len: usize,
}

impl<'a> Timers<'a> {
    /// No deadlines yet; keys up to the number of `slots` can have one.
    #[must_use]
    pub const fn new(slots: &'a mut [TimerSlot]) -> Self {
        Self { slots, len: 0 }
    }

    /// Gives `key` the deadline `at`, in place of the one it may have. A key past the end has none.
    pub fn set(&mut self, key: Ix, at: Instant) {
        let Some(mut position) = self.position(key) else {
            return;
        };
        if position == 0 {
            self.len += 1;
            position = self.len;
        }
        self.settle(position, at.as_ms(), key.get());
    }

    /// Drops the deadline of `key`, if it has one.
    pub fn clear(&mut self, key: Ix) {
        let Some(position) = self.position(key) else {
            return;
        };
        if position == 0 {
            return;
        }
        self.set_position(key.get(), 0);
        let last = self.entry(self.len);
        self.len -= 1;
        if position <= self.len
            && let Some(last) = last
        {
            self.settle(position, last.at, last.key);
        }
    }

    /// The deadline of `key`.
    #[must_use]
    pub fn get(&self, key: Ix) -> Option<Instant> {
        let entry = self.entry(self.position(key)?)?;
        Some(Instant::from_ms(entry.at))
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        Some(Instant::from_ms(self.entry(1)?.at))
    }

    /// Takes off the earliest deadline if it has come by `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<Ix> {
        let first = self.entry(1)?;
        if first.at > now.as_ms() {
            return None;
        }
        let key = Ix::new(first.key)?;
        self.clear(key);
        Some(key)
    }

    fn position(&self, key: Ix) -> Option<usize> {
        Some(self.slots.get(key.get() as usize - 1)?.position as usize)
    }

    fn set_position(&mut self, key: u32, position: usize) {
        if let Some(slot) = self.slots.get_mut((key as usize).wrapping_sub(1)) {
            slot.position = position as u32;
        }
    }

    /// What lies at a heap position, counted from 1; nothing past the end.
    fn entry(&self, position: usize) -> Option<TimerSlot> {
        let slot = self.slots.get(position.wrapping_sub(1))?;
        (position <= self.len).then_some(*slot)
    }

    fn place(&mut self, position: usize, at: u64, key: u32) {
        if let Some(slot) = self.slots.get_mut(position.wrapping_sub(1)) {
            slot.at = at;
            slot.key = key;
        }
        self.set_position(key, position);
    }

    /// The earlier one of what lies below a heap position, and where that is.
    fn earlier_child(&self, position: usize) -> Option<(usize, TimerSlot)> {
        let (left, right) = (position * 2, position * 2 + 1);
        match (self.entry(left)?, self.entry(right)) {
            (first, Some(second)) if second.at < first.at => Some((right, second)),
            (first, _) => Some((left, first)),
        }
    }

    /// Puts a deadline into the heap, which has a gap at `position`: what is later moves down into it from above, or
    /// what is earlier moves up from below, until the gap is where the deadline belongs.
    fn settle(&mut self, mut position: usize, at: u64, key: u32) {
        while let Some(parent) = self.entry(position / 2)
            && at < parent.at
        {
            self.place(position, parent.at, parent.key);
            position /= 2;
        }
        while let Some((place, child)) = self.earlier_child(position)
            && child.at < at
        {
            self.place(position, child.at, child.key);
            position = place;
        }
        self.place(position, at, key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random calls beside a table that is searched from end to end.
    #[test]
    fn agrees_with_a_plain_table_over_random_calls() {
        let mut memory = [TimerSlot::EMPTY; 17];
        let mut timers = Timers::new(&mut memory);
        let mut model = [None::<u64>; 17];
        let mut random = 0x1234_5678_9abc_def1u64;
        for _ in 0..20_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let slot = (random >> 8) as usize % 17;
            let key = Ix::new(slot as u32 + 1).unwrap();
            match random % 3 {
                0 => {
                    let at = (random >> 20) % 50;
                    timers.set(key, Instant::from_ms(at));
                    model[slot] = Some(at);
                }
                1 => {
                    timers.clear(key);
                    model[slot] = None;
                }
                _ => {
                    let now = (random >> 20) % 50;
                    let least = model.iter().flatten().min().copied();
                    let popped = timers.pop_due(Instant::from_ms(now));
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
            for (slot, at) in model.iter().enumerate() {
                let key = Ix::new(slot as u32 + 1).unwrap();
                assert_eq!(timers.get(key).map(Instant::as_ms), *at);
            }
        }
    }

    #[test]
    fn a_key_without_memory_is_left_alone() {
        let mut timers = Timers::new(&mut []);
        let key = Ix::new(1).unwrap();
        timers.set(key, Instant::ZERO);
        timers.clear(key);
        assert_eq!(timers.next(), None);
    }
}
