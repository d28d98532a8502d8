//! What a store must do.

use super::{batch::Batch, error::StoreError};
use dubhook_core::{id::Id, record::Key, service::RestoreError, time::Timestamp};
use std::fmt;

/// Puts one record back.
pub type Restore<'r> = dyn FnMut(Key, &[u8]) -> Result<(), RestoreError> + 'r;

/// Keeps records.
pub trait Store: Send + Sync + fmt::Debug {
    /// Hands over every record, in the order of the keys.
    ///
    /// # Errors
    ///
    /// [`StoreError`], its own or the one that `each` returned, with the record that it was about.
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
