//! How much there may be, and who fills what.

use dubhook_core::{id::Id, server::MediaRefusal};
use rustix::fs::statvfs;
use std::{
    collections::HashSet,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What stays free on the disk, in bytes: jobs and what is owed are written to it, too.
const SPARE_BYTES: u64 = 64 * 1_024 * 1_024;

/// How much may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The bytes of one upload.
    pub upload_bytes_max: u64,
    /// All bytes, of uploads that are announced and of outputs.
    pub media_bytes_max: u64,
}

impl Default for Limits {
    /// 5 GiB an upload, 50 GiB in all.
    fn default() -> Self {
        Self {
            upload_bytes_max: 5 << 30,
            media_bytes_max: 50 << 30,
        }
    }
}

/// What is taken of it.
#[derive(Debug)]
pub(super) struct Room {
    limits: Limits,
    /// Where they lie, if that is a disk of this machine.
    folder: Option<PathBuf>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// The bytes that are there, and those that were promised room.
    bytes: u64,
    /// Of these, those that are still to come.
    promised: u64,
    /// Uploads that are being filled.
    filling: HashSet<Id>,
}

impl Room {
    pub(super) fn new(limits: Limits, folder: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self {
            limits,
            folder,
            taken: Mutex::default(),
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Its numbers are whole after each step.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes room for so many bytes of which `promised` are still to come.
    pub(super) fn take(&self, bytes: u64, promised: u64) -> Result<(), MediaRefusal> {
        let mut taken = self.taken();
        let in_all = taken.bytes.saturating_add(bytes);
        let to_come = taken.promised.saturating_add(promised);
        let is_free = |disk: u64| disk >= to_come.saturating_add(SPARE_BYTES);
        if in_all > self.limits.media_bytes_max || !self.free_bytes().is_none_or(is_free) {
            return Err(MediaRefusal::Full);
        }
        taken.bytes = in_all;
        taken.promised = to_come;
        Ok(())
    }

    /// Counts what is there already.
    pub(super) fn count(&self, bytes: u64, promised: u64) {
        let mut taken = self.taken();
        taken.bytes = taken.bytes.saturating_add(bytes);
        taken.promised = taken.promised.saturating_add(promised);
    }

    /// So many bytes have come that were promised room.
    pub(super) fn has_come(&self, bytes: u64) {
        let mut taken = self.taken();
        taken.promised = taken.promised.saturating_sub(bytes);
    }

    /// Bytes that had come are gone, and may come again.
    pub(super) fn has_gone(&self, bytes: u64) {
        self.taken().promised += bytes;
    }

    /// Gives room back: of so many bytes, of which so many never came.
    pub(super) fn give(&self, bytes: u64, promised: u64) {
        let mut taken = self.taken();
        taken.bytes = taken.bytes.saturating_sub(bytes);
        taken.promised = taken.promised.saturating_sub(promised);
    }

    pub(super) const fn upload_bytes_max(&self) -> u64 {
        self.limits.upload_bytes_max
    }

    pub(super) fn check_upload(&self, bytes: u64) -> Result<(), MediaRefusal> {
        match bytes > self.limits.upload_bytes_max {
            true => Err(MediaRefusal::TooLarge),
            false => Ok(()),
        }
    }

    /// How many bytes are free on the disk, where it says so.
    fn free_bytes(&self) -> Option<u64> {
        let disk = statvfs(self.folder.as_ref()?).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Has an upload for oneself until the guard is dropped.
    pub(super) fn hold(self: &Arc<Self>, upload: Id) -> Result<Hold, MediaRefusal> {
        match self.taken().filling.insert(upload) {
            true => Ok(Hold {
                room: Arc::clone(self),
                upload,
            }),
            false => Err(MediaRefusal::Busy),
        }
    }
}

/// One upload that nobody else may change.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) room: Arc<Room>,
    upload: Id,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.room.taken().filling.remove(&self.upload);
    }
}

/// What an error of the operating system means to who sends or reads bytes.
pub(super) fn refusal(error: &io::Error) -> MediaRefusal {
    match error.kind() {
        io::ErrorKind::NotFound => MediaRefusal::NotFound,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            MediaRefusal::Full
        }
        _ => {
            tracing::warn!(%error, "media cannot be read or written");
            MediaRefusal::Broken
        }
    }
}
