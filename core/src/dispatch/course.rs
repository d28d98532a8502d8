//! How far a machine's records have come: put back, begun with, and on their way to the store.

#[cfg(feature = "records")]
use super::RestoreError;
use crate::record::Keep;
#[cfg(feature = "records")]
use crate::record::{Batch, Key};

/// How far a machine has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing has come in yet.
    New,
    /// Records are being put back; this one was the last.
    #[cfg(feature = "records")]
    Restoring(Key),
    /// A record could not be put back, and all that comes is refused.
    #[cfg(feature = "records")]
    Failed(RestoreError),
    /// It works.
    Started,
}

/// The course of a machine's records.
#[derive(Debug)]
pub(crate) struct Course {
    stage: Stage,
    /// Whether there are records at all.
    #[cfg(feature = "records")]
    keeps: bool,
    /// What tells its batches from those of others.
    #[cfg(feature = "records")]
    machine: u32,
    /// Whether records of the open batch have come out.
    #[cfg(feature = "records")]
    gathering: bool,
    /// Whether a batch is on its way to the store.
    #[cfg(feature = "records")]
    committing: bool,
}

impl Course {
    /// That of a new machine, which has no name yet, and of which so much is kept.
    pub(super) const fn new(keep: Keep) -> Self {
        #[cfg(not(feature = "records"))]
        let _ = keep;
        Self {
            stage: Stage::New,
            #[cfg(feature = "records")]
            keeps: keep.records(),
            #[cfg(feature = "records")]
            machine: 0,
            #[cfg(feature = "records")]
            gathering: false,
            #[cfg(feature = "records")]
            committing: false,
        }
    }

    /// Begins work, unless it has begun. `false` where records were put back and not all is well with them yet.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) const fn begin(&mut self) -> bool {
        if matches!(self.stage, Stage::New) {
            self.stage = Stage::Started;
        }
        matches!(self.stage, Stage::Started)
    }
}

/// Where there are records.
#[cfg(feature = "records")]
impl Course {
    /// Gives a machine its name.
    pub(super) const fn name(&mut self, machine: u32) {
        self.machine = machine;
    }

    /// Whether records are being put back.
    pub(crate) const fn is_restoring(&self) -> bool {
        matches!(self.stage, Stage::Restoring(_))
    }

    /// Whether the record with this key may be put back now. One out of order ends it all.
    pub(crate) fn may_restore(&mut self, key: Key) -> Result<(), RestoreError> {
        match self.stage {
            Stage::Started => Err(RestoreError::Started),
            Stage::Failed(error) => Err(error),
            Stage::Restoring(last) if key <= last => {
                self.stage = Stage::Failed(RestoreError::Order);
                Err(RestoreError::Order)
            }
            Stage::New if !self.keeps => {
                self.stage = Stage::Failed(RestoreError::Keep);
                Err(RestoreError::Keep)
            }
            Stage::New | Stage::Restoring(_) => Ok(()),
        }
    }

    /// Notes how putting back the record with this key has ended.
    pub(crate) fn restored(&mut self, key: Key, result: Result<(), RestoreError>) {
        self.stage = match result {
            Ok(()) => Stage::Restoring(key),
            Err(error) => Stage::Failed(error),
        };
    }

    /// Whether a record could not be put back: then there is nothing to begin with.
    pub(super) const fn has_failed(&self) -> bool {
        matches!(self.stage, Stage::Failed(_))
    }

    /// Whether work may begin.
    pub(crate) const fn may_start(&self) -> Result<(), RestoreError> {
        match self.stage {
            Stage::Started => Err(RestoreError::Started),
            Stage::Failed(error) => Err(error),
            Stage::New | Stage::Restoring(_) => Ok(()),
        }
    }

    /// Notes how the beginning of work has ended.
    pub(crate) fn started(&mut self, result: Result<(), RestoreError>) {
        self.stage = match result {
            Ok(()) => Stage::Started,
            Err(error) => Stage::Failed(error),
        };
    }

    /// Whether records of the open batch have come out already.
    pub(crate) const fn is_gathering(&self) -> bool {
        self.gathering
    }

    /// Whether a batch is on its way to the store. No record of the next one comes out meanwhile.
    pub(crate) const fn is_committing(&self) -> bool {
        self.committing
    }

    /// Notes that records of the open batch come out.
    pub(crate) const fn gather(&mut self) {
        self.gathering = true;
    }

    /// Closes the batch with this number, all of whose records have come out.
    pub(super) const fn close(&mut self, number: u64) -> Batch {
        self.gathering = false;
        self.committing = true;
        Batch::new(self.machine, number)
    }

    /// Notes that a batch is durable. `false` where it is not the one with this number, which is on its way.
    pub(super) fn durable(&mut self, batch: &Batch, number: u64) -> bool {
        if !self.committing || *batch != Batch::new(self.machine, number) {
            return false;
        }
        self.committing = false;
        true
    }
}
