//! Where records are kept between one run and the next.
//!
//! The core hands out records, last value wins by key; a [`Store`] writes all records of a batch in one transaction and
//! returns only when they would survive a loss of power. That is all it must do, so it can be an embedded database, a
//! file, or something on another machine. Without a store everything is gone when the program ends (`--in-memory`).

mod disk;

pub use disk::Disk;

use dubhook_core::{id::Id, record::Key, service::RestoreError, time::Timestamp};
use std::{fmt, ops::Range};

/// Puts one record back.
pub type Restore<'r> = dyn FnMut(Key, &[u8]) -> Result<(), RestoreError> + 'r;

/// Keeps records.
pub trait Store: Send + Sync + fmt::Debug {
    /// Hands over every record, in the order of the keys.
    ///
    /// # Errors
    ///
    /// [`StoreError`], its own or the one that `each` returned.
    fn load(&self, each: &mut Restore<'_>) -> Result<(), StoreError>;

    /// Writes a batch: all of it or nothing. When it returns, the batch is durable.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing more may be written then, since nobody knows what was.
    fn write(&self, batch: &Batch) -> Result<(), StoreError>;

    /// The JSON of a job that has ended, if it is kept.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn find(&self, job: Id) -> Result<Option<Vec<u8>>, StoreError>;

    /// Drops some of the ended jobs that were made before this time. Whether there are more.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn prune(&self, before: Timestamp) -> Result<bool, StoreError>;
}

/// Why a store is no use.
#[derive(Debug)]
pub enum StoreError {
    /// Another process uses it.
    InUse,
    /// What was kept cannot be put back.
    Restore(RestoreError),
    /// Reading or writing failed, for this reason.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str("another process uses it"),
            Self::Restore(error) => f.write_str(error.as_str()),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<RestoreError> for StoreError {
    fn from(error: RestoreError) -> Self {
        Self::Restore(error)
    }
}

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
