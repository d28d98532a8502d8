//! Why a store is no use, in words for whoever runs the server.

use dubhook_core::{
    record::{Key, Table},
    service::RestoreError,
};
use std::{error::Error, fmt, io};

/// Why a store is no use.
#[derive(Debug)]
pub enum StoreError {
    /// Another process uses it.
    InUse,
    /// A newer version of this program made it, in a form that this one does not know.
    Newer {
        /// The number of its form.
        found: u32,
        /// The newest one that this program knows.
        known: u32,
    },
    /// There is something in its place that is not ours and must not be touched.
    Foreign,
    /// Of the batches that were durable once, the last ones are gone.
    Lost {
        /// How many batches there are.
        found: u64,
        /// How many there were.
        written: u64,
    },
    /// Another server has taken the records over.
    TakenOver {
        /// Which one: its machine, its process and a number.
        by: String,
    },
    /// Of the batches that a database had acknowledged, the last ones are gone.
    Forgotten {
        /// How many batches there are.
        found: u64,
        /// How many there were.
        written: u64,
        /// The statement that accepts the loss.
        accept: String,
    },
    /// There is something in the schema of a database that is not ours and must not be touched.
    ForeignSchema {
        /// The schema's name.
        schema: String,
    },
    /// The database does not answer for now. What was asked changes nothing, and may be asked again.
    Unanswered(Box<dyn Error + Send + Sync>),
    /// A move into it did not come to its end.
    Unfinished,
    /// The store was given back: nothing more may be asked of it.
    Closed,
    /// A record has a key that no record can have.
    UnknownKey(Box<[u8]>),
    /// What was kept cannot be put back.
    Restore {
        /// The record that shows it, if it is one.
        key: Option<Key>,
        /// What is wrong.
        error: RestoreError,
    },
    /// There is more than fits into the machine's memory.
    Capacity {
        /// How many jobs the capacity must allow, at least.
        jobs_min: usize,
    },
    /// Reading or writing failed, for this reason.
    Failed(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str("another process uses this data"),
            Self::Newer { found, known } => write!(
                f,
                "this data has form {found}, made by a newer version of dubhook; this version knows forms up to {known}"
            ),
            Self::Foreign => {
                f.write_str("there are other files there; choose a directory that is empty or new")
            }
            Self::Lost { found, written } => write!(
                f,
                "of {written} batches of records that were written the last {} are gone: the data is damaged, or not \
                 all of it was copied. Removing the file `last-batch` accepts the loss",
                written.saturating_sub(*found)
            ),
            Self::TakenOver { by } => write!(
                f,
                "another server has taken over ({by}): this one was not heard of for the time of its lease. Start it again, \
                 and it stands by"
            ),
            Self::Forgotten {
                found,
                written,
                accept,
            } => write!(
                f,
                "the database has lost what it had acknowledged: of {written} batches of records the last {} are gone, as after \
                 a failover to a standby that was not synchronous, or in a copy that was put back. Put back what has them; \
                 or accept the loss with `{accept}` and start again",
                written.saturating_sub(*found)
            ),
            Self::ForeignSchema { schema } => write!(
                f,
                "there is something else in the schema {schema:?} of the database; choose one that is empty or new with \
                 --schema"
            ),
            Self::Unanswered(error) => write!(f, "the store does not answer for now: {error}"),
            Self::Unfinished => f.write_str(
                "a move into this data did not come to its end: empty it and move again; what it came from is still whole",
            ),
            Self::Closed => f.write_str("the store was given back"),
            Self::UnknownKey(key) => {
                write!(
                    f,
                    "the data is damaged: no record can have the key {key:02x?}"
                )
            }
            Self::Restore { key: None, error } => f.write_str(error.as_str()),
            Self::Restore {
                key: Some(key),
                error,
            } => write!(
                f,
                "record {} {}: {}",
                name(key.table),
                key.slot,
                error.as_str()
            ),
            Self::Capacity { jobs_min } => write!(
                f,
                "there are more jobs in the data than fit: it needs a capacity of {jobs_min} or more"
            ),
            Self::Failed(error) => write!(f, "the store failed: {error}"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) | Self::Unanswered(error) => Some(&**error),
            _ => None,
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::Failed(Box::new(error))
    }
}

impl From<fjall::Error> for StoreError {
    fn from(error: fjall::Error) -> Self {
        use fjall::Error as E;
        Self::Failed(match error {
            E::Locked => return Self::InUse,
            E::Io(error) | E::Storage(fjall::LsmError::Io(error)) => Box::new(error),
            // What went wrong is known to the thread that wrote alone.
            E::Poisoned => {
                "a write in the background failed; the disk may be full, or descriptors too few"
                    .into()
            }
            E::InvalidVersion(_) => "the data is damaged, or of another version".into(),
            error => format!("the data is damaged ({error:?})").into(),
        })
    }
}

const fn name(table: Table) -> &'static str {
    match table {
        Table::Meta => "of the service",
        Table::Job => "of a job, number",
        Table::State => "of a job's state, number",
        Table::Endpoint => "of a webhook, number",
        Table::Event => "of an event, number",
        Table::Stream => "of deliveries, number",
        Table::Key => "of an idempotency key, number",
    }
}
