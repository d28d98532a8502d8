//! The disk: batches of records that become durable one after the other, some time after they were written.
//!
//! A crash keeps what was durable, and of the batches on their way a prefix whose length is chance: a batch is whole or
//! not there, and none is there without those before it.

use super::rng::Rng;
use crate::machine::Records;
use dubhook_core::{id::Id, record::Key};
use std::collections::{BTreeMap, VecDeque};

/// A batch on its way.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) changes: Vec<(Key, Option<Vec<u8>>)>,
    /// How far each job had come.
    pub(super) sequences: BTreeMap<Id, u32>,
}

/// The disk.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) records: Records,
    pub(super) batches: VecDeque<Batch>,
    /// How far each job has come as far as is durable.
    pub(super) sequences: BTreeMap<Id, u32>,
    /// What was there before the newest batch.
    previous: Records,
}

impl Journal {
    /// The oldest batch on its way becomes durable. `false` where there is none.
    pub(super) fn sync(&mut self) -> bool {
        let Some(batch) = self.batches.pop_front() else {
            return false;
        };
        self.previous = self.records.clone();
        for (key, value) in batch.changes {
            match value {
                Some(value) => self.records.insert(key, value),
                None => self.records.remove(&key),
            };
        }
        self.sequences.extend(batch.sequences);
        true
    }

    /// The power goes.
    pub(super) fn crash(&mut self, rng: &mut Rng) {
        for _ in 0..rng.below(self.batches.len() as u64 + 1) {
            self.sync();
        }
        self.batches.clear();
    }

    /// Takes all but the first record.
    pub(super) fn lose_all(&mut self) {
        while self.records.len() > 1 {
            self.records.pop_last();
        }
    }

    /// Cuts the last record off.
    pub(super) fn tear(&mut self) {
        if let Some(mut last) = self.records.last_entry() {
            last.get_mut().pop();
        }
    }

    /// Takes the newest durable batch back, as no disk should.
    pub(super) fn lose_synced(&mut self) {
        self.records = self.previous.clone();
    }
}
