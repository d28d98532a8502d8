//! Which requests were made before: idempotency keys and what was answered.
//!
//! A client that does not know whether its request arrived sends it again with the same key, and must
//! get the first answer, not a second job. Entries live for a fixed time, so they expire in the order
//! in which they came: a ring. One is found by its key in a bucket, a chain through the slots themselves, of which there
//! are as many as slots. Keys are stored as keyed hashes, which have one size and cannot be chosen so as to collide.

use crate::{
    id::Id,
    slab::{Ix, Link, Markable, Marks, SLOTS_MAX},
    time::Ran,
};
use zerocopy::FromZeros;

/// A keyed hash of an idempotency key.
pub(crate) type KeyHash = [u8; 16];
/// A hash of the request that came with it.
pub(crate) type RequestHash = [u8; 8];

/// What is kept of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
pub(crate) struct Entry {
    /// The key.
    pub key: KeyHash,
    /// The request that came with it.
    pub request: RequestHash,
    /// The job that the request made, or the endpoint that it made or changed.
    pub made: Id,
    /// When the key is forgotten; zero stands for no key.
    pub expires: Ran,
}

impl Entry {
    /// No key: all zero.
    const NONE: Self = Self {
        key: [0; 16],
        request: [0; 8],
        made: Id::NONE,
        expires: Ran::ZERO,
    };

    /// Whether there is a key.
    fn is_some(&self) -> bool {
        self.expires != Ran::ZERO
    }
}

/// Memory for one key.
#[derive(Debug, Clone, Copy, FromZeros)]
pub(crate) struct KeySlot {
    entry: Entry,
    /// The slot after this one in its bucket.
    next: Link,
    /// The first slot of the bucket with this slot's number, whatever is in the slot.
    bucket: Link,
    mark: u32,
}

impl KeySlot {
    /// An empty slot: all zero.
    pub(crate) const EMPTY: Self = Self {
        entry: Entry::NONE,
        next: None,
        bucket: None,
        mark: 0,
    };
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Found {
    /// It came with the same request, which made or changed this.
    Same(Id),
    /// It came with another request.
    Other,
}

/// The keys of the last day.
#[derive(Debug)]
pub(crate) struct Keys<'a> {
    ring: &'a mut [KeySlot],
    /// Slots whose record has changed.
    marks: Marks,
    has_marks: bool,
    oldest: usize,
    len: usize,
}

impl Markable for &mut [KeySlot] {
    fn mark_mut(&mut self, ix: Ix) -> Option<&mut u32> {
        Some(&mut self.get_mut(ix.get() as usize - 1)?.mark)
    }
}

impl<'a> Keys<'a> {
    /// No keys yet. Slots past [`SLOTS_MAX`] are left alone.
    #[must_use]
    pub(crate) fn new(ring: &'a mut [KeySlot]) -> Self {
        let capacity = ring.len().min(SLOTS_MAX);
        Self {
            ring: ring.get_mut(..capacity).unwrap_or_default(),
            marks: Marks::NONE,
            has_marks: true,
            oldest: 0,
            len: 0,
        }
    }

    /// The same keys, with marks on what has changed or without.
    #[must_use]
    pub(crate) const fn with_marks(mut self, has_marks: bool) -> Self {
        self.has_marks = has_marks;
        self
    }

    /// How many keys are kept.
    #[cfg(test)]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// How many keys can be kept.
    #[cfg(feature = "records")]
    #[must_use]
    pub(crate) const fn capacity(&self) -> usize {
        self.ring.len()
    }

    /// Whether no key is kept.
    #[must_use]
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether no other key can be kept until one is forgotten.
    #[must_use]
    pub(crate) const fn is_full(&self) -> bool {
        self.len >= self.ring.len()
    }

    /// What is known of `key`.
    #[must_use]
    pub(crate) fn find(&self, key: &KeyHash, request: &RequestHash) -> Option<Found> {
        let entry = self.get(self.search(key)?)?;
        Some(if entry.request == *request {
            Found::Same(entry.made)
        } else {
            Found::Other
        })
    }

    /// Keeps a key that is not kept yet. `None` where there is no room; otherwise its slot.
    pub(crate) fn insert(
        &mut self,
        key: KeyHash,
        request: RequestHash,
        made: Id,
        expires: Ran,
    ) -> Option<Ix> {
        if self.is_full() || self.search(&key).is_some() {
            return None;
        }
        let place = self.oldest.wrapping_add(self.len) % self.ring.len();
        let ix = Ix::new(place as u32 + 1)?;
        self.fill(
            ix,
            Entry {
                key,
                request,
                made,
                expires,
            },
        );
        self.len += 1;
        self.mark(ix);
        Some(ix)
    }

    /// The oldest key.
    #[must_use]
    pub(crate) fn oldest(&self) -> Option<&Entry> {
        if self.len == 0 {
            return None;
        }
        Some(&self.ring.get(self.oldest)?.entry)
    }

    /// Forgets the oldest key and returns its slot.
    pub(crate) fn forget_oldest(&mut self) -> Option<Ix> {
        self.oldest()?;
        let ix = Ix::new(self.oldest as u32 + 1)?;
        self.vacate(ix);
        self.oldest = (self.oldest + 1) % self.ring.len();
        self.len -= 1;
        self.mark(ix);
        Some(ix)
    }

    /// What is in slot `ix`, for its record.
    #[must_use]
    pub(crate) fn get(&self, ix: Ix) -> Option<&Entry> {
        let entry = &self.ring.get(ix.get() as usize - 1)?.entry;
        entry.is_some().then_some(entry)
    }

    /// The next slot whose record has changed.
    #[cfg(feature = "records")]
    pub(crate) fn pop_marked(&mut self) -> Link {
        let (ix, _) = self.marks.pop(&mut self.ring)?;
        Some(ix)
    }

    /// Whether a record has changed.
    #[cfg(feature = "records")]
    #[must_use]
    pub(crate) const fn has_marked(&self) -> bool {
        !self.marks.is_empty()
    }

    /// Puts a key back into its slot after a restart. `false` where it has no place.
    #[cfg(feature = "records")]
    #[must_use]
    pub(crate) fn restore(&mut self, ix: Ix, entry: Entry) -> bool {
        let room = ix.get() as usize <= self.ring.len() && self.get(ix).is_none();
        if !room || !entry.is_some() || self.search(&entry.key).is_some() {
            return false;
        }
        self.fill(ix, entry);
        self.len += 1;
        true
    }

    /// Finds the start of the ring when all keys are back: the one after a gap. `false` if they do
    /// not lie in one piece, so that the records contradict each other.
    ///
    /// In a ring that has grown since, keys that went around its old end lie in two pieces; the older
    /// one is moved to the new end.
    #[cfg(feature = "records")]
    #[must_use]
    pub(crate) fn restore_done(&mut self) -> bool {
        let Some(final_slot) = self.ring.last().filter(|_| self.len > 0) else {
            return true;
        };
        // The slot before the first one is the last one.
        let mut before = final_slot.entry.expires;
        if self.is_full() {
            // No gap: the oldest expires first. Of those that expire at once, it is the one after the newest.
            let mut earliest = None;
            self.oldest = 0;
            for (at, slot) in self.ring.iter().enumerate() {
                let is_turn = before > slot.entry.expires;
                before = slot.entry.expires;
                if is_turn && earliest.is_none_or(|earliest| before < earliest) {
                    earliest = Some(before);
                    self.oldest = at;
                }
            }
            return true;
        }
        let (mut first, mut last, mut count) = (None, 0, 0);
        for (at, slot) in self.ring.iter().enumerate() {
            if slot.entry.is_some() && before == Ran::ZERO {
                first = first.or(Some(at));
                last = at;
                count += 1;
            }
            before = slot.entry.expires;
        }
        self.oldest = match (first, count) {
            (Some(first), 1) => first,
            (Some(0), 2) => self.move_to_end(last),
            _ => return false,
        };
        true
    }

    /// Moves the piece of the ring that starts at `start` to the ring's end; returns where it starts then.
    #[cfg(feature = "records")]
    fn move_to_end(&mut self, start: usize) -> usize {
        let behind = self.ring.get(start..).unwrap_or_default();
        let len = behind.iter().take_while(|slot| slot.entry.is_some());
        let len = len.count();
        let shift = self.ring.len().saturating_sub(start).saturating_sub(len);
        let places = start as u32 + 1..(start + len) as u32 + 1;
        for from in places.rev().filter_map(Ix::new) {
            let Some(to) = from.checked_add(shift as u32) else {
                break;
            };
            let Some(entry) = self.get(from).copied() else {
                break;
            };
            self.vacate(from);
            self.fill(to, entry);
            self.mark(from);
            self.mark(to);
        }
        start + shift
    }

    /// The slot that a key is in.
    fn search(&self, key: &KeyHash) -> Link {
        let mut at = self.slot(self.home(key))?.bucket;
        while let Some(ix) = at {
            let slot = self.slot(ix)?;
            if slot.entry.key == *key {
                break;
            }
            at = slot.next;
        }
        at
    }

    /// Puts a key that is not there into a slot that is free.
    fn fill(&mut self, ix: Ix, entry: Entry) {
        let home = self.home(&entry.key);
        let Some(bucket) = self.slot_mut(home).map(|home| &mut home.bucket) else {
            return;
        };
        let next = bucket.replace(ix);
        if let Some(slot) = self.slot_mut(ix) {
            slot.entry = entry;
            slot.next = next;
        }
    }

    /// Takes the key out of a slot.
    fn vacate(&mut self, ix: Ix) {
        let Some(slot) = self.slot_mut(ix) else {
            return;
        };
        let entry = core::mem::replace(&mut slot.entry, Entry::NONE);
        let next = slot.next.take();
        let home = self.home(&entry.key);
        let mut link = self.slot_mut(home).map(|home| &mut home.bucket);
        while let Some(before) = link {
            match *before {
                Some(at) if at != ix => link = self.slot_mut(at).map(|slot| &mut slot.next),
                _ => {
                    *before = next;
                    return;
                }
            }
        }
    }

    fn mark(&mut self, ix: Ix) {
        if self.has_marks {
            self.marks.put(&mut self.ring, ix, 1);
        }
    }

    fn slot(&self, ix: Ix) -> Option<&KeySlot> {
        self.ring.get(ix.get() as usize - 1)
    }

    fn slot_mut(&mut self, ix: Ix) -> Option<&mut KeySlot> {
        self.ring.get_mut(ix.get() as usize - 1)
    }

    /// The number of the bucket that a key belongs into.
    fn home(&self, key: &KeyHash) -> Ix {
        let [a, b, c, d, e, f, g, h, ..] = *key;
        let hash = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let bucket = (u128::from(hash) * self.ring.len() as u128) >> 64;
        Ix::MIN.saturating_add(bucket as u32)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::collections::VecDeque;
    #[cfg(feature = "records")]
    use std::vec::Vec;

    /// Random keys of few homes, beside a plain queue.
    #[test]
    fn agrees_with_a_plain_queue_over_random_calls() {
        let mut ring = [KeySlot::EMPTY; 8];
        let mut keys = Keys::new(&mut ring);
        let mut model = VecDeque::<(KeyHash, Id)>::new();
        let mut random = 88_172_645_463_325_252u64;
        for round in 0..50_000u64 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut key = [0; 16];
            key[0] = (random >> 9) as u8 & 0xe0;
            key[15] = (random >> 20) as u8 & 7;
            let known = model
                .iter()
                .find(|entry| entry.0 == key)
                .map(|entry| entry.1);
            assert_eq!(keys.find(&key, &[0; 8]), known.map(Found::Same));
            if random.is_multiple_of(3) {
                assert_eq!(keys.forget_oldest().is_some(), model.pop_front().is_some());
            } else if known.is_none() {
                let job = Id::from_bits(u128::from(round) + 1);
                let at = Ran::from_ms(round + 1);
                let kept = keys.insert(key, [0; 8], job, at).is_some();
                assert_eq!(kept, model.len() < 8);
                if kept {
                    model.push_back((key, job));
                }
            }
            assert_eq!(keys.len(), model.len());
            assert_eq!(
                keys.oldest().map(|slot| slot.made),
                model.front().map(|e| e.1)
            );
        }
    }

    #[cfg(feature = "records")]
    #[test]
    fn a_ring_comes_back_with_its_oldest_first() {
        for (used, oldest) in [
            (&[][..], None),
            (&[1, 2], Some(1)),
            (&[4, 1], Some(4)),
            (&[3, 4, 1, 2], Some(3)),
            (&[1, 2, 3, 4], Some(1)),
        ] {
            let mut ring = [KeySlot::EMPTY; 4];
            let mut keys = Keys::new(&mut ring);
            let order: Vec<(u64, u32)> = (1..).zip(used.iter().copied()).collect();
            for (age, slot) in order.iter().rev() {
                let restored = Entry {
                    key: [*slot as u8; 16],
                    request: [0; 8],
                    made: Id::from_bits(u128::from(*slot)),
                    expires: Ran::from_ms(*age),
                };
                assert!(keys.restore(Ix::new(*slot).unwrap(), restored));
            }
            assert!(keys.restore_done());
            assert_eq!(keys.pop_marked(), None, "moved");
            let first = keys.oldest().map(|slot| slot.made);
            assert_eq!(first, oldest.map(|slot: u128| Id::from_bits(slot)));
        }
    }

    #[cfg(feature = "records")]
    #[test]
    fn a_ring_that_has_grown_closes_the_gap_at_its_old_end() {
        let mut ring = [KeySlot::EMPTY; 9];
        let mut keys = Keys::new(&mut ring);
        // Of a ring of 5: the oldest in slot 4, the newest in slot 2.
        for (age, slot) in (1..).zip([4, 5, 1, 2]) {
            let restored = Entry {
                key: [slot; 16],
                request: [0; 8],
                made: Id::from_bits(slot.into()),
                expires: Ran::from_ms(age),
            };
            assert!(keys.restore(Ix::new(slot.into()).unwrap(), restored));
        }
        assert!(keys.restore_done());
        let moved = core::iter::from_fn(|| keys.pop_marked());
        let mut moved: Vec<u32> = moved.map(Ix::get).collect();
        moved.sort_unstable();
        assert_eq!(moved, [4, 5, 8, 9]);
        for slot in [4, 5, 1, 2] {
            let job = Id::from_bits(slot.into());
            assert_eq!(keys.find(&[slot; 16], &[0; 8]), Some(Found::Same(job)));
            assert_eq!(keys.oldest().map(|oldest| oldest.made), Some(job));
            keys.forget_oldest();
        }
        assert!(keys.is_empty());
    }
}
