//! Which requests were made before: idempotency keys and what was answered.
//!
//! A client that does not know whether its request arrived sends it again with the same key, and must
//! get the first answer, not a second job. Entries live for a fixed time, so they expire in the order
//! in which they came: a ring. An index beside it, open-addressed, finds one by its key. Keys are
//! stored as keyed hashes, which have one size and cannot be chosen so as to collide.
//!
//! ```
//! use dubhook_core::{id::Id, idempotency::{Keys, KeySlot, Found}, time::Timestamp};
//!
//! let (mut ring, mut index) = ([KeySlot::EMPTY; 2], [0; 4]);
//! let mut keys = Keys::new(&mut ring, &mut index);
//! let job = Id::from_bits(17);
//! keys.insert([1; 16], [9; 8], job, Timestamp::from_unix_ms(1_000)).unwrap();
//! assert_eq!(keys.find(&[1; 16], &[9; 8]), Some(Found::Same(job)));
//! assert_eq!(keys.find(&[1; 16], &[8; 8]), Some(Found::Other));
//! assert_eq!(keys.find(&[2; 16], &[9; 8]), None);
//! ```

use crate::{id::Id, slab::Ix, time::Timestamp};
use zerocopy::FromZeros;

/// A keyed hash of an idempotency key.
pub type KeyHash = [u8; 16];
/// A hash of the request that came with it.
pub type RequestHash = [u8; 8];

/// Memory for one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
pub struct KeySlot {
    /// The key.
    pub key: KeyHash,
    /// The request that came with it.
    pub request: RequestHash,
    /// The job that the request made.
    pub job: Id,
    /// When the key is forgotten; the epoch marks an empty slot.
    pub expires: Timestamp,
}

impl KeySlot {
    /// An empty slot: all zero.
    pub const EMPTY: Self = Self {
        key: [0; 16],
        request: [0; 8],
        job: Id::NONE,
        expires: Timestamp::EPOCH,
    };

    /// Whether a key is in it.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.expires != Timestamp::EPOCH
    }
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Found {
    /// It came with the same request, which made this job.
    Same(Id),
    /// It came with another request.
    Other,
}

/// The keys of the last day.
#[derive(Debug)]
pub struct Keys<'a> {
    ring: &'a mut [KeySlot],
    /// Slot numbers, counted from 1, each at its hash's place or the next free one after it.
    index: &'a mut [u32],
    oldest: usize,
    len: usize,
}

impl<'a> Keys<'a> {
    /// No keys yet. Only as many are kept as leave half of `index` free.
    #[must_use]
    pub fn new(ring: &'a mut [KeySlot], index: &'a mut [u32]) -> Self {
        let capacity = ring.len().min(index.len() / 2);
        Self {
            ring: ring.get_mut(..capacity).unwrap_or_default(),
            index,
            oldest: 0,
            len: 0,
        }
    }

    /// How many keys are kept.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// How many keys can be kept.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.ring.len()
    }

    /// Whether no key is kept.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether no other key can be kept until one is forgotten.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.len >= self.ring.len()
    }

    /// What is known of `key`.
    #[must_use]
    pub fn find(&self, key: &KeyHash, request: &RequestHash) -> Option<Found> {
        let slot = self.slot(self.search(key).ok()?)?;
        Some(if slot.request == *request {
            Found::Same(slot.job)
        } else {
            Found::Other
        })
    }

    /// Keeps a key that is not kept yet. `None` where there is no room; otherwise its slot.
    pub fn insert(
        &mut self,
        key: KeyHash,
        request: RequestHash,
        job: Id,
        expires: Timestamp,
    ) -> Option<Ix> {
        if self.is_full() {
            return None;
        }
        let place = self.search(&key).err()?;
        let ring = self.oldest.wrapping_add(self.len) % self.ring.len();
        *self.ring.get_mut(ring)? = KeySlot {
            key,
            request,
            job,
            expires,
        };
        self.len += 1;
        *self.index.get_mut(place)? = ring as u32 + 1;
        Ix::new(ring as u32 + 1)
    }

    /// The oldest key.
    #[must_use]
    pub fn oldest(&self) -> Option<&KeySlot> {
        if self.len == 0 {
            return None;
        }
        self.ring.get(self.oldest)
    }

    /// Forgets the oldest key and returns its slot.
    pub fn forget_oldest(&mut self) -> Option<Ix> {
        let key = self.oldest()?.key;
        if let Ok(place) = self.search(&key) {
            self.close_gap(place);
        }
        let slot = self.oldest;
        *self.ring.get_mut(slot)? = KeySlot::EMPTY;
        self.oldest = (self.oldest + 1) % self.ring.len();
        self.len -= 1;
        Ix::new(slot as u32 + 1)
    }

    /// What is in slot `ix`, for its record.
    #[must_use]
    pub fn get(&self, ix: Ix) -> Option<&KeySlot> {
        self.ring
            .get(ix.get() as usize - 1)
            .filter(|slot| slot.is_used())
    }

    /// Puts a key back into its slot after a restart. `false` where it has no place.
    #[must_use]
    pub fn restore(&mut self, ix: Ix, slot: KeySlot) -> bool {
        let Err(place) = self.search(&slot.key) else {
            return false;
        };
        let Some(room) = self.ring.get_mut(ix.get() as usize - 1) else {
            return false;
        };
        if room.is_used() || !slot.is_used() {
            return false;
        }
        *room = slot;
        self.len += 1;
        if let Some(entry) = self.index.get_mut(place) {
            *entry = ix.get();
        }
        true
    }

    /// Finds the start of the ring when all keys are back: the one after a gap. `false` if they do
    /// not lie in one piece, so that the records contradict each other.
    ///
    /// In a ring that has grown since, keys that went around its old end lie in two pieces; the older
    /// one is moved to the new end, and `moved` hears of each slot whose record has changed by that.
    #[must_use]
    pub fn restore_done(&mut self, moved: impl FnMut(Ix)) -> bool {
        let Some(final_slot) = self.ring.last().filter(|_| self.len > 0) else {
            return true;
        };
        // The slot before the first one is the last one.
        let mut before = final_slot.expires;
        if self.is_full() {
            // No gap: the oldest expires first. Of those that expire at once, it is the one after the newest.
            let mut earliest = None;
            self.oldest = 0;
            for (at, slot) in self.ring.iter().enumerate() {
                let is_turn = before > slot.expires;
                before = slot.expires;
                if is_turn && earliest.is_none_or(|earliest| before < earliest) {
                    earliest = Some(before);
                    self.oldest = at;
                }
            }
            return true;
        }
        let (mut first, mut last, mut count) = (None, 0, 0);
        for (at, slot) in self.ring.iter().enumerate() {
            if slot.is_used() && before == Timestamp::EPOCH {
                first = first.or(Some(at));
                last = at;
                count += 1;
            }
            before = slot.expires;
        }
        self.oldest = match (first, count) {
            (Some(first), 1) => first,
            (Some(0), 2) => self.move_to_end(last, moved),
            _ => return false,
        };
        true
    }

    /// Moves the piece of the ring that starts at `start` to the ring's end; returns where it starts then.
    fn move_to_end(&mut self, start: usize, mut moved: impl FnMut(Ix)) -> usize {
        let capacity = self.ring.len();
        let len = (start..capacity).take_while(|at| self.is_used(*at)).count();
        let shift = capacity - start - len;
        for from in (start..start + len).rev() {
            let to = from + shift;
            let Some(slot) = self.ring.get(from).copied() else {
                break;
            };
            if let Ok(place) = self.search(&slot.key)
                && let Some(entry) = self.index.get_mut(place)
            {
                *entry = to as u32 + 1;
            }
            for (at, value) in [(from, KeySlot::EMPTY), (to, slot)] {
                if let Some(room) = self.ring.get_mut(at) {
                    *room = value;
                }
            }
            for at in [from, to] {
                if let Some(ix) = Ix::new(at as u32 + 1) {
                    moved(ix);
                }
            }
        }
        start + shift
    }

    fn is_used(&self, at: usize) -> bool {
        self.ring.get(at).is_some_and(KeySlot::is_used)
    }

    fn slot(&self, place: usize) -> Option<&KeySlot> {
        let slot = *self.index.get(place)?;
        self.ring.get((slot as usize).checked_sub(1)?)
    }

    /// Where in the index the key is, or where it would go.
    fn search(&self, key: &KeyHash) -> Result<usize, usize> {
        let mut place = self.home(key);
        // At least half of the index is free, so the walk ends; the range bounds it all the same.
        for _ in 0..self.index.len() {
            match self.slot(place) {
                None => return Err(place),
                Some(slot) if slot.key == *key => return Ok(place),
                Some(_) => place = (place + 1) % self.index.len(),
            }
        }
        Err(usize::MAX)
    }

    fn home(&self, key: &KeyHash) -> usize {
        let [a, b, c, d, e, f, g, h, ..] = *key;
        let hash = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        ((u128::from(hash) * self.index.len() as u128) >> 64) as usize
    }

    /// Empties a place of the index and moves up what was pushed behind it.
    fn close_gap(&mut self, mut gap: usize) {
        let len = self.index.len();
        let mut place = gap;
        for _ in 0..len {
            place = (place + 1) % len;
            let Some(key) = self.slot(place).map(|slot| slot.key) else {
                break;
            };
            let home = self.home(&key);
            // Whoever's home lies in (gap, place] would be lost if it moved before its home.
            if (place + len - home) % len >= (place + len - gap) % len {
                let moved = self.index.get(place).copied().unwrap_or(0);
                if let Some(entry) = self.index.get_mut(gap) {
                    *entry = moved;
                }
                gap = place;
            }
        }
        if let Some(entry) = self.index.get_mut(gap) {
            *entry = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{collections::VecDeque, vec::Vec};

    /// Random keys of few homes, beside a plain queue.
    #[test]
    fn agrees_with_a_plain_queue_over_random_calls() {
        let (mut ring, mut index) = ([KeySlot::EMPTY; 8], [0; 17]);
        let mut keys = Keys::new(&mut ring, &mut index);
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
                let at = Timestamp::from_unix_ms(round + 1);
                let kept = keys.insert(key, [0; 8], job, at).is_some();
                assert_eq!(kept, model.len() < 8);
                if kept {
                    model.push_back((key, job));
                }
            }
            assert_eq!(keys.len(), model.len());
            assert_eq!(
                keys.oldest().map(|slot| slot.job),
                model.front().map(|e| e.1)
            );
        }
    }

    #[test]
    fn a_ring_comes_back_with_its_oldest_first() {
        for (used, oldest) in [
            (&[][..], None),
            (&[1, 2], Some(1)),
            (&[4, 1], Some(4)),
            (&[3, 4, 1, 2], Some(3)),
            (&[1, 2, 3, 4], Some(1)),
        ] {
            let (mut ring, mut index) = ([KeySlot::EMPTY; 4], [0; 8]);
            let mut keys = Keys::new(&mut ring, &mut index);
            let order: Vec<(u64, u32)> = (1..).zip(used.iter().copied()).collect();
            for (age, slot) in order.iter().rev() {
                let restored = KeySlot {
                    key: [*slot as u8; 16],
                    request: [0; 8],
                    job: Id::from_bits(u128::from(*slot)),
                    expires: Timestamp::from_unix_ms(*age),
                };
                assert!(keys.restore(Ix::new(*slot).unwrap(), restored));
            }
            assert!(keys.restore_done(|slot| panic!("{slot} moved")));
            let first = keys.oldest().map(|slot| slot.job);
            assert_eq!(first, oldest.map(|slot: u128| Id::from_bits(slot)));
        }
    }

    #[test]
    fn a_ring_that_has_grown_closes_the_gap_at_its_old_end() {
        let (mut ring, mut index) = ([KeySlot::EMPTY; 9], [0; 18]);
        let mut keys = Keys::new(&mut ring, &mut index);
        // Of a ring of 5: the oldest in slot 4, the newest in slot 2.
        for (age, slot) in (1..).zip([4, 5, 1, 2]) {
            let restored = KeySlot {
                key: [slot; 16],
                request: [0; 8],
                job: Id::from_bits(slot.into()),
                expires: Timestamp::from_unix_ms(age),
            };
            assert!(keys.restore(Ix::new(slot.into()).unwrap(), restored));
        }
        let mut moved = Vec::new();
        assert!(keys.restore_done(|slot| moved.push(slot.get())));
        moved.sort_unstable();
        assert_eq!(moved, [4, 5, 8, 9]);
        for slot in [4, 5, 1, 2] {
            let job = Id::from_bits(slot.into());
            assert_eq!(keys.find(&[slot; 16], &[0; 8]), Some(Found::Same(job)));
            assert_eq!(keys.oldest().map(|oldest| oldest.job), Some(job));
            keys.forget_oldest();
        }
        assert!(keys.is_empty());
    }
}
