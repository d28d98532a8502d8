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

/// What would survive whatever happens.
#[derive(Debug, Clone, Default)]
pub(super) struct Durable {
    pub(super) records: Records,
    /// How far each job has come.
    pub(super) sequences: BTreeMap<Id, u32>,
}

impl Durable {
    /// Takes a batch in.
    pub(super) fn apply(
        &mut self,
        changes: Vec<(Key, Option<Vec<u8>>)>,
        sequences: BTreeMap<Id, u32>,
    ) {
        for (key, value) in changes {
            match value {
                Some(value) => self.records.insert(key, value),
                None => self.records.remove(&key),
            };
        }
        self.sequences.extend(sequences);
    }
}

/// The disk of a server that is alone.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) batches: VecDeque<Batch>,
    /// What was there before the newest batch.
    previous: Records,
}

impl Journal {
    /// The oldest batch on its way becomes durable. `false` where there is none.
    pub(super) fn sync(&mut self, durable: &mut Durable) -> bool {
        let Some(batch) = self.batches.pop_front() else {
            return false;
        };
        self.previous = durable.records.clone();
        durable.apply(batch.changes, batch.sequences);
        true
    }

    /// The power goes.
    pub(super) fn crash(&mut self, durable: &mut Durable, rng: &mut Rng) {
        for _ in 0..rng.below(self.batches.len() as u64 + 1) {
            self.sync(durable);
        }
        self.batches.clear();
    }

    /// Takes the newest durable batch back, as no disk should.
    pub(super) fn lose_synced(&self, durable: &mut Durable) {
        durable.records = self.previous.clone();
    }
}

/// Takes all but the first record.
pub(super) fn lose_all(records: &mut Records) {
    while records.len() > 1 {
        records.pop_last();
    }
}

/// Cuts the last record off.
pub(super) fn tear(records: &mut Records) {
    if let Some(mut last) = records.last_entry() {
        last.get_mut().pop();
    }
}
