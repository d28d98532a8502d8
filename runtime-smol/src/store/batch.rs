//! What becomes durable together.

use dubhook_core::{id::Id, record::Key};
use std::ops::Range;

/// Records that become durable together.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    records: Vec<(Key, Option<Range<usize>>)>,
    archive: Vec<(Id, Range<usize>)>,
}

impl Batch {
    /// The records: each with its new value, or none where it is to be deleted.
    pub fn records(&self) -> impl ExactSizeIterator<Item = (Key, Option<&[u8]>)> {
        self.records
            .iter()
            .map(|(key, value)| (*key, value.clone().map(|range| &self.bytes[range])))
    }

    /// Jobs that have ended, each with its JSON as it will be for ever.
    pub fn archive(&self) -> impl ExactSizeIterator<Item = (Id, &[u8])> {
        self.archive
            .iter()
            .map(|(job, json)| (*job, &self.bytes[json.clone()]))
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty() && self.archive.is_empty()
    }

    /// Adds a record.
    pub fn add(&mut self, key: Key, value: Option<&[u8]>) {
        let value = value.map(|value| self.keep(value));
        self.records.push((key, value));
    }

    /// Adds a job that has ended.
    pub fn add_archived(&mut self, job: Id, json: &[u8]) {
        let json = self.keep(json);
        self.archive.push((job, json));
    }

    /// Takes all records out and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
        self.archive.clear();
    }

    fn keep(&mut self, value: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(value);
        start..self.bytes.len()
    }
}
