//! Moving everything from one store into another, while no server uses either.
//!
//! What is written first is a mark in the place of the service's own record, and that record itself comes last: a store into
//! which a move did not come to its end is refused by whoever starts with it. What has arrived is read again and compared, by
//! numbers and by a digest of every byte, before the mark goes.

use super::{Batch, Store, StoreError};
use dubhook_core::{
    id::Id,
    record::{Key, Table},
    service::RestoreError,
};
use std::{error::Error, fmt};
use xxhash_rust::xxh3::Xxh3Default;

/// What stands in the place of the service's record until a move is done. No version of the records begins so.
const UNFINISHED: &[u8] = b"\xffa move into this store did not come to its end";
/// Where that is.
const SERVICE: Key = Key {
    table: Table::Meta,
    slot: 0,
};
/// What is written at once, at most.
const BATCH_RECORDS: usize = 1_000;
const BATCH_BYTES: usize = 1024 * 1024;

/// Takes a job that has ended, with its JSON. An error ends the walk.
pub type EachArchived<'e> = dyn FnMut(Id, &[u8]) -> Result<(), StoreError> + 'e;

/// A store of which everything can be taken, what has ended too.
pub trait Whole: Store {
    /// Hands over every job that has ended and is kept, in the order of their ids.
    ///
    /// # Errors
    ///
    /// [`StoreError`], its own or the one that `each` returned.
    fn archived(&self, each: &mut EachArchived<'_>) -> Result<(), StoreError>;
}

/// Whether this record says that a move did not come to its end.
#[must_use]
pub fn is_unfinished(key: Key, value: &[u8]) -> bool {
    key == SERVICE && value == UNFINISHED
}

/// What was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// How many records.
    pub records: u64,
    /// How many jobs that have ended.
    pub archived: u64,
    /// What all of their bytes come to (XXH3, 128 bits).
    pub digest: u128,
}

/// Copies everything of `from` into `to`, which must be empty, and checks it. Says after each batch how much was copied.
///
/// # Errors
///
/// [`MoveError`]. `from` is as it was, whatever happens.
pub fn move_all(
    from: &dyn Whole,
    to: &dyn Whole,
    told: &mut dyn FnMut(u64),
) -> Result<Moved, MoveError> {
    if !is_empty(to).map_err(MoveError::To)? {
        return Err(MoveError::NotEmpty);
    }
    let mut mark = Batch::default();
    mark.add(SERVICE, Some(UNFINISHED));
    to.write(&mark).map_err(MoveError::To)?;
    let mut sent = Sender {
        to,
        told,
        batch: Batch::default(),
        bytes: 0,
        service: None,
        sum: Sum::default(),
        failed: None,
    };
    let sum = match sent.send(from) {
        Ok(()) => sent.sum,
        Err(error) => return Err(sent.failed.map_or(error, MoveError::To)),
    };
    let service = sent.service;
    let mut found = Sum::default();
    found.read(to, service.as_deref()).map_err(MoveError::To)?;
    let (sent, found) = (sum.moved(), found.moved());
    if sent != found {
        return Err(MoveError::Differs { sent, found });
    }
    let mut last = Batch::default();
    last.add(SERVICE, service.as_deref());
    to.write(&last).map_err(MoveError::To)?;
    Ok(sent)
}

fn is_empty(store: &dyn Whole) -> Result<bool, StoreError> {
    // The first one says it: why the walk is ended does not matter.
    match store.load(&mut |_, _| Err(RestoreError::Started)) {
        Err(StoreError::Restore { .. }) => return Ok(false),
        loaded => loaded?,
    }
    match store.archived(&mut |_, _| Err(StoreError::Closed)) {
        Err(StoreError::Closed) => Ok(false),
        walked => walked.map(|()| true),
    }
}

/// Numbers and a digest of what goes by.
#[derive(Default)]
struct Sum {
    records: u64,
    archived: u64,
    digest: Xxh3Default,
}

impl Sum {
    fn record(&mut self, key: Key, value: &[u8]) {
        self.records += 1;
        self.digest.update(&key.to_bytes());
        self.bytes(value);
    }

    fn job(&mut self, job: Id, json: &[u8]) {
        self.archived += 1;
        self.digest.update(&job.to_bits().to_be_bytes());
        self.bytes(json);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.digest.update(&(bytes.len() as u64).to_be_bytes());
        self.digest.update(bytes);
    }

    /// Sums up a store, with this in the place of the service's record.
    fn read(&mut self, store: &dyn Whole, service: Option<&[u8]>) -> Result<(), StoreError> {
        store.load(&mut |key, value| {
            match (key, service) {
                (SERVICE, Some(service)) => self.record(key, service),
                (SERVICE, None) => {}
                _ => self.record(key, value),
            }
            Ok(())
        })?;
        store.archived(&mut |job, json| {
            self.job(job, json);
            Ok(())
        })
    }

    fn moved(&self) -> Moved {
        Moved {
            records: self.records,
            archived: self.archived,
            digest: self.digest.digest128(),
        }
    }
}

/// What is on its way.
struct Sender<'s> {
    to: &'s dyn Whole,
    told: &'s mut dyn FnMut(u64),
    batch: Batch,
    bytes: usize,
    /// The service's own record, which is written last.
    service: Option<Vec<u8>>,
    sum: Sum,
    /// Why it cannot be written.
    failed: Option<StoreError>,
}

impl Sender<'_> {
    fn send(&mut self, from: &dyn Whole) -> Result<(), MoveError> {
        let mut unfinished = false;
        let loaded = from.load(&mut |key, value| {
            unfinished |= is_unfinished(key, value);
            if unfinished {
                return Err(RestoreError::Version);
            }
            self.sum.record(key, value);
            if key == SERVICE {
                self.service = Some(value.to_vec());
                return Ok(());
            }
            self.batch.add(key, Some(value));
            self.sent(value.len())
        });
        if unfinished {
            return Err(MoveError::Unfinished);
        }
        loaded.map_err(MoveError::From)?;
        let walked = from.archived(&mut |job, json| {
            self.sum.job(job, json);
            self.batch.add_archived(job, json);
            self.sent(json.len()).map_err(|_| StoreError::Closed)
        });
        walked.map_err(MoveError::From)?;
        self.write().map_err(MoveError::To)
    }

    /// Writes what was gathered, where that is enough. An error only ends the walk: why is noted.
    fn sent(&mut self, bytes: usize) -> Result<(), RestoreError> {
        self.bytes += bytes;
        let len = self.batch.records().len() + self.batch.archive().len();
        if len < BATCH_RECORDS && self.bytes < BATCH_BYTES {
            return Ok(());
        }
        self.write().map_err(|error| {
            self.failed = Some(error);
            RestoreError::Started
        })
    }

    fn write(&mut self) -> Result<(), StoreError> {
        self.to.write(&self.batch)?;
        self.batch.clear();
        self.bytes = 0;
        (self.told)(self.sum.records + self.sum.archived);
        Ok(())
    }
}

/// Why nothing was moved, or not all.
#[derive(Debug)]
pub enum MoveError {
    /// There is something in the store that all should go into.
    NotEmpty,
    /// A move into the store that all should come from did not come to its end.
    Unfinished,
    /// The store that all should come from failed.
    From(StoreError),
    /// The store that all should go into failed.
    To(StoreError),
    /// What has arrived is not what was sent.
    Differs {
        /// What was sent.
        sent: Moved,
        /// What has arrived.
        found: Moved,
    },
}

impl fmt::Display for MoveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEmpty => f.write_str(
                "there is something in the store to move into; it must be empty. What a move left there that did not come to \
                 its end can be removed",
            ),
            Self::Unfinished => f.write_str(
                "a move into the store to move from did not come to its end; what it came from is still whole",
            ),
            Self::From(error) => write!(f, "the store to move from: {error}"),
            Self::To(error) => write!(f, "the store to move into: {error}"),
            Self::Differs { sent, found } => write!(
                f,
                "what has arrived is not what was sent: {} records and {} ended jobs ({:032x}) of {} and {} ({:032x})",
                found.records, found.archived, found.digest, sent.records, sent.archived, sent.digest
            ),
        }
    }
}

impl Error for MoveError {}
