//! What a store must do.

use super::{batch::Batch, error::StoreError};
use dubhook_core::{id::Id, record::Key, service::RestoreError, time::Timestamp};
use std::{fmt, time::Duration};

/// Puts one record back.
pub type Restore<'r> = dyn FnMut(Key, &[u8]) -> Result<(), RestoreError> + 'r;

/// 2020-01-01, in milliseconds: no calendar that is set says an earlier time.
pub(super) const UNSET_UNTIL_MS: u64 = 1_577_836_800_000;

/// Who has the records of a store that several servers share, as far as this server knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Ownership {
    /// How many owners there were, this one included.
    pub epoch: u64,
    /// Whether it is this server.
    pub is_own: bool,
    /// Where its owner is reached, if it said so.
    pub url: Option<String>,
    /// For how long this server may still speak; nothing where it may not.
    pub lease_left: Duration,
    /// Whether the store has answered when it was asked last, and takes what is written.
    pub answers: bool,
    /// For how long it has not; nothing where it does.
    pub silent_for: Duration,
}

/// Keeps records.
///
/// A store that is one server's alone need do no more than keep them. One that several servers share says besides whose
/// they are: it must be [taken](Self::take) first, and from then on a server may speak of what it knows only while it
/// [holds](Self::holds).
pub trait Store: Send + Sync + fmt::Debug {
    /// Hands over every record, in the order of the keys.
    ///
    /// # Errors
    ///
    /// [`StoreError`], its own or the one that `each` returned, with the record that it was about.
    fn load(&self, each: &mut Restore<'_>) -> Result<(), StoreError>;

    /// Writes a batch: all of it or nothing. When it returns, the batch is durable. No key occurs twice in a batch, and no
    /// job.
    ///
    /// What is not known yet has not failed: a store that can find out whether a batch was written, however long that takes,
    /// returns when it knows.
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
    /// Not those of before 2020: they were made while a calendar was not set, and nothing says how old they are.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn prune(&self, before: Timestamp) -> Result<bool, StoreError>;

    /// Makes the records this server's, before anything is asked of them. `None` where they are; else how long to wait before
    /// it is tried again: another server has them, or nobody can say.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where trying again is no use.
    fn take(&self) -> Result<Option<Duration>, StoreError> {
        Ok(None)
    }

    /// Where other servers reach this one, for when the records are its own. Said before they are taken.
    fn advertise(&self, _url: &str) {}

    /// Who has the records, without asking anybody; nothing where they are always this server's. It does not wait.
    fn ownership(&self) -> Option<Ownership> {
        None
    }

    /// Whether this server may speak of what it knows at this moment: answer, call a webhook, hand out work. It may not
    /// where another one may have taken over.
    fn holds(&self) -> bool {
        true
    }

    /// How often a server that has nothing to write must [beat](Self::beat) to keep the records; never, where none.
    fn beat_every(&self) -> Option<Duration> {
        None
    }

    /// Says that this server lives.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where the records are no longer this server's.
    fn beat(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Gives the records back, so that another server need not wait. Nothing may be asked of the store after it. It may be
    /// called while another thread waits for an answer, which then ends with an error.
    fn release(&self) {}
}
