//! From a job's id to its slot: buckets, each a chain through the slots themselves.
//!
//! There are as many buckets as slots, so a chain is short. The first slot of the bucket with a slot's number lies beside
//! that slot, whatever is in it; the next one lies in the slot.

use super::jobs::Known;
use crate::{
    id::Id,
    slab::{Ix, Link, Slab},
};

/// In which bucket an id is.
#[derive(Debug)]
pub(super) struct Index {
    /// Keeps a server from choosing ids that share one bucket.
    seed: u64,
}

impl Index {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The slot with this id.
    pub(super) fn find(&self, slab: &Slab<'_, Known>, id: Id) -> Link {
        let mut at = Ix::new(slab.aside(self.home(slab, id))?);
        while let Some(ix) = at {
            let job = slab.get(ix)?;
            if job.id() == id {
                break;
            }
            at = job.next;
        }
        at
    }

    /// Enters a slot whose id is not in the index.
    pub(super) fn insert(&self, slab: &mut Slab<'_, Known>, id: Id, ix: Ix) {
        let Some(bucket) = slab.aside_mut(self.home(slab, id)) else {
            return;
        };
        let next = core::mem::replace(bucket, ix.get());
        if let Some(job) = slab.get_mut(ix) {
            job.next = Ix::new(next);
        }
    }

    /// Takes a slot out.
    pub(super) fn remove(&self, slab: &mut Slab<'_, Known>, id: Id, ix: Ix) {
        let Some(next) = slab.get(ix).map(|job| job.next) else {
            return;
        };
        let home = self.home(slab, id);
        let mut at = slab.aside(home).and_then(Ix::new);
        if at == Some(ix) {
            if let Some(bucket) = slab.aside_mut(home) {
                *bucket = next.map_or(0, Ix::get);
            }
            return;
        }
        while let Some(job) = at.and_then(|at| slab.get_mut(at)) {
            if job.next == Some(ix) {
                job.next = next;
                return;
            }
            at = job.next;
        }
    }

    fn home(&self, slab: &Slab<'_, Known>, id: Id) -> Ix {
        // Two rounds of multiply and fold: every bit of the id moves the high bits.
        let bits = id.to_bits();
        let fold = |bits: u128| (bits >> 64) as u64 ^ bits as u64;
        let once = fold(u128::from(fold(bits) ^ self.seed).wrapping_mul(MIX));
        let twice = fold(u128::from(once).wrapping_mul(MIX));
        let bucket = (u128::from(twice).wrapping_mul(slab.capacity() as u128)) >> 64;
        Ix::MIN.saturating_add(bucket as u32)
    }
}

/// An odd number of 64 bits with no pattern: the golden ratio's.
const MIX: u128 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::{random::Random, slab::Slot};
    use std::vec::Vec;

    #[test]
    fn agrees_with_a_plain_table_over_random_calls() {
        let mut random = Random::new([5; 32]);
        for slots in [1usize, 2, 3, 8, 33] {
            let mut memory: Vec<_> = (0..slots).map(|_| Slot::new(Known::EMPTY)).collect();
            let mut slab = Slab::new(&mut memory);
            let index = Index::new(random.u64());
            let mut ids: Vec<(Id, Ix)> = Vec::new();
            for _ in 0..4_000 {
                let at = random.below(slots as u64) as usize;
                if at < ids.len() {
                    let (id, ix) = ids.swap_remove(at);
                    index.remove(&mut slab, id, ix);
                    slab.remove(ix);
                } else {
                    let id = Id::from_bits(u128::from(random.u64()) << 60);
                    let ix = slab.insert(Known::new(id)).unwrap();
                    index.insert(&mut slab, id, ix);
                    ids.push((id, ix));
                }
                for (id, ix) in &ids {
                    assert_eq!(index.find(&slab, *id), Some(*ix));
                }
                assert_eq!(index.find(&slab, Id::from_bits(3)), None);
            }
        }
    }

    #[test]
    fn an_index_without_memory_finds_nothing() {
        let mut slab = Slab::new(&mut []);
        let index = Index::new(1);
        let id = Id::from_bits(7);
        index.insert(&mut slab, id, Ix::MIN);
        index.remove(&mut slab, id, Ix::MIN);
        assert_eq!(index.find(&slab, id), None);
    }
}
