//! From a job's id to its slot: an open-addressed index in lent memory.

use crate::{
    id::Id,
    slab::{Ix, Link},
};

/// Slot numbers, counted from 1, each at its id's place or the next free one after it. All zero is an
/// empty index.
///
/// It stores no ids: whoever calls says what id a slot has. At least half of it stays free, so a walk
/// is short.
#[derive(Debug)]
pub(super) struct Index<'a> {
    places: &'a mut [u32],
    /// Keeps a server from choosing ids that share one place.
    seed: u64,
}

impl<'a> Index<'a> {
    pub(super) const fn new(places: &'a mut [u32], seed: u64) -> Self {
        Self { places, seed }
    }

    /// How many ids it may hold.
    pub(super) const fn capacity(&self) -> usize {
        self.places.len() / 2
    }

    /// The slot with this id.
    pub(super) fn find(&self, id: Id, id_of: impl Fn(Ix) -> Id) -> Link {
        self.slot(self.search(id, id_of).ok()?)
    }

    /// Enters a slot whose id is not in the index. The caller keeps to the capacity.
    pub(super) fn insert(&mut self, id: Id, ix: Ix, id_of: impl Fn(Ix) -> Id) {
        if let Err(Some(place)) = self.search(id, id_of)
            && let Some(entry) = self.places.get_mut(place)
        {
            *entry = ix.get();
        }
    }

    /// Takes an id out, and moves up what was pushed behind it.
    pub(super) fn remove(&mut self, id: Id, id_of: impl Fn(Ix) -> Id) {
        let Ok(mut gap) = self.search(id, &id_of) else {
            return;
        };
        let mut place = gap;
        for _ in 0..self.places.len() {
            place = self.after(place);
            let Some(ix) = self.slot(place) else {
                break;
            };
            // Whoever's home lies in (gap, place] would be lost if it moved before its home.
            let home = self.home(id_of(ix));
            if self.distance(home, place) >= self.distance(gap, place) {
                if let Some(entry) = self.places.get_mut(gap) {
                    *entry = ix.get();
                }
                gap = place;
            }
        }
        if let Some(entry) = self.places.get_mut(gap) {
            *entry = 0;
        }
    }

    /// Where the id is, or else where it would go.
    fn search(&self, id: Id, id_of: impl Fn(Ix) -> Id) -> Result<usize, Option<usize>> {
        let mut place = self.home(id);
        for _ in 0..self.places.len() {
            match self.slot(place) {
                None => return Err(Some(place)),
                Some(ix) if id_of(ix) == id => return Ok(place),
                Some(_) => place = self.after(place),
            }
        }
        Err(None)
    }

    fn slot(&self, place: usize) -> Link {
        Ix::new(*self.places.get(place)?)
    }

    const fn after(&self, place: usize) -> usize {
        let next = place.wrapping_add(1);
        if next < self.places.len() { next } else { 0 }
    }

    /// How many steps lead from one place to another.
    const fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from {
            to.wrapping_sub(from)
        } else {
            to.wrapping_add(self.places.len()).wrapping_sub(from)
        }
    }

    fn home(&self, id: Id) -> usize {
        // Two rounds of multiply and fold: every bit of the id moves the high bits.
        let bits = id.to_bits();
        let fold = |bits: u128| (bits >> 64) as u64 ^ bits as u64;
        let once = fold(u128::from(fold(bits) ^ self.seed).wrapping_mul(MIX));
        let twice = fold(u128::from(once).wrapping_mul(MIX));
        ((u128::from(twice).wrapping_mul(self.places.len() as u128)) >> 64) as usize
    }
}

/// An odd number of 64 bits with no pattern: the golden ratio's.
const MIX: u128 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::random::Random;
    use std::{vec, vec::Vec};

    #[test]
    fn agrees_with_a_plain_table_over_random_calls() {
        let mut random = Random::new([5; 32]);
        for slots in [1usize, 2, 3, 8, 33] {
            let mut memory = vec![0; slots * 2];
            let mut index = Index::new(&mut memory, random.u64());
            assert_eq!(index.capacity(), slots);
            let mut ids: Vec<Option<Id>> = vec![None; slots];
            for _ in 0..4_000 {
                let slot = random.below(slots as u64) as usize;
                let ix = Ix::new(slot as u32 + 1).unwrap();
                let id_of = |ix: Ix| ids[ix.get() as usize - 1].unwrap_or(Id::NONE);
                match ids[slot] {
                    Some(id) => {
                        index.remove(id, id_of);
                        ids[slot] = None;
                    }
                    None => {
                        let id = Id::from_bits(u128::from(random.u64()) << 60);
                        index.insert(id, ix, id_of);
                        ids[slot] = Some(id);
                    }
                }
                let id_of = |ix: Ix| ids[ix.get() as usize - 1].unwrap_or(Id::NONE);
                for (at, id) in ids.iter().enumerate() {
                    if let Some(id) = id {
                        assert_eq!(index.find(*id, id_of), Ix::new(at as u32 + 1));
                    }
                }
                assert_eq!(index.find(Id::from_bits(3), id_of), None);
            }
        }
    }

    #[test]
    fn an_index_without_memory_finds_nothing() {
        let mut index = Index::new(&mut [], 1);
        let id = Id::from_bits(7);
        index.insert(id, Ix::MIN, |_| id);
        index.remove(id, |_| id);
        assert_eq!(index.find(id, |_| id), None);
    }
}
