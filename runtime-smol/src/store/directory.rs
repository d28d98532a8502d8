//! The directory around the store: whose it is, in which form, and what was written last.
//!
//! | name | holds |
//! | --- | --- |
//! | `lock` | nothing; locked by the process that uses the directory |
//! | `format` | the number of this layout, so that a newer one is refused, not guessed at |
//! | `last-batch` | the number of the last batch that was durable |
//! | `store/` | the embedded store |
//! | `tried` | nothing of worth, for a moment: whether the disk is full |
//!
//! **Why `last-batch`.** The store's journal ends at the first entry that cannot be read, and at a start it cannot tell a
//! batch that was being written from one that was damaged later: it drops it and all behind it. The first is right and the
//! second is a silent loss of what was acknowledged. So after each batch its number is noted outside the store, without a
//! sync of its own. A note that says more than the store knows proves that something is gone; a note that is old says
//! nothing.
//!
//! | what happened | what the note is | what it detects |
//! | --- | --- | --- |
//! | the process was killed | that of the last acknowledged batch: what was written is the kernel's by then | every batch that is missing |
//! | the power went | that of some batch before it: as much as the kernel had written back, often all but the last seconds | what is missing of the batches up to the noted one; the loss of later ones looks like a torn batch |
//! | the note was lost or torn with the power | none that can be read | nothing at this start; the next batch notes itself again |
//!
//! After a loss of power nothing is missing unless the disk lost what it had said to have synced; the note finds part of
//! such losses, and is no substitute for a disk that keeps its word.

use super::StoreError;
use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, FileExt},
    path::{Path, PathBuf},
};

/// The number of this layout.
const FORMAT: u32 = 1;
/// What stands before the number.
const FORMAT_INTRO: &str = "dubhook data, format ";
/// Names that may be there before the format is: what an interrupted first start leaves, and what file systems do.
const HARMLESS: [&str; 3] = ["lock", "format.new", "lost+found"];

/// A directory that this process alone uses.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    last_batch: File,
    lock: File,
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Closing the file is not enough: the lock lasts as long as any copy of it is open, and a process that is just
        // being started has one until it runs its program. Where this fails, the end of the process frees the lock.
        drop(self.lock.unlock());
    }
}

impl Directory {
    /// Makes the directory if it is not there, locks it, and sees to its format.
    pub(super) fn open(path: PathBuf) -> Result<Self, StoreError> {
        make(&path)?;
        if !path.join("format").try_exists()? {
            refuse_foreign(&path)?;
        }
        let lock = open(&path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        settle_format(&path)?;
        Ok(Self {
            last_batch: open(&path.join("last-batch"))?,
            path,
            lock,
        })
    }

    /// Where the store itself lies.
    pub(super) fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    /// The number of the last batch that is known to have been durable; 0 where none is.
    pub(super) fn last_batch(&self) -> io::Result<u64> {
        let mut note = [0; 16];
        match self.last_batch.read_exact_at(&mut note, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
            Err(error) => return Err(error),
        }
        let note = u128::from_le_bytes(note);
        let (number, check) = (note as u64, (note >> 64) as u64);
        Ok(if check == !number { number } else { 0 })
    }

    /// Whether something can be written at all: what the disk says, if not.
    pub(super) fn try_to_write(&self) -> io::Result<()> {
        let tried = self.path.join("tried");
        let written = try_to_write(&tried);
        // It was only tried; one that is left says nothing and is written over.
        let _ = fs::remove_file(&tried);
        written
    }

    /// Where to make a store. What a making that was cut off left there is removed: it never held anything.
    pub(super) fn begin_store(&self) -> io::Result<PathBuf> {
        let making = self.path.join("store.new");
        if making.try_exists()? {
            fs::remove_dir_all(&making)?;
        }
        Ok(making)
    }

    /// Puts a store that was made where it belongs.
    pub(super) fn finish_store(&self, making: &Path) -> io::Result<()> {
        fs::rename(making, self.store())?;
        sync_directory(&self.path)
    }

    /// Notes that a batch is durable.
    pub(super) fn note_batch(&self, number: u64) -> io::Result<()> {
        let note = u128::from(number) | u128::from(!number) << 64;
        self.last_batch.write_all_at(&note.to_le_bytes(), 0)
    }
}

/// Makes the directory for its owner alone: it will hold secrets.
fn make(path: &Path) -> io::Result<()> {
    if path.try_exists()? {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    match path.parent() {
        Some(parent) if parent != Path::new("") => sync_directory(parent),
        _ => sync_directory(Path::new(".")),
    }
}

fn refuse_foreign(path: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if !HARMLESS.iter().any(|harmless| name == *harmless) {
            return Err(StoreError::Foreign);
        }
    }
    Ok(())
}

/// Checks the format, or writes it into a directory that is new.
fn settle_format(path: &Path) -> Result<(), StoreError> {
    let file = path.join("format");
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(write_format(path)?),
        Err(error) if error.kind() == ErrorKind::InvalidData => return Err(StoreError::Foreign),
        Err(error) => return Err(error.into()),
    };
    let number = text.strip_prefix(FORMAT_INTRO).map(str::trim_end);
    match number.and_then(|number| number.parse().ok()) {
        Some(FORMAT) => Ok(()),
        Some(found) if found > FORMAT => Err(StoreError::Newer {
            found,
            known: FORMAT,
        }),
        _ => Err(StoreError::Foreign),
    }
}

/// The whole file or none: an interrupted start must not leave half of it.
fn write_format(path: &Path) -> io::Result<()> {
    let new = path.join("format.new");
    let mut file = File::create(&new)?;
    writeln!(file, "{FORMAT_INTRO}{FORMAT}")?;
    file.sync_all()?;
    fs::rename(&new, path.join("format"))?;
    sync_directory(path)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn open(path: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}
/// As much as a full disk has no room for.
fn try_to_write(file: &Path) -> io::Result<()> {
    const BYTES: usize = 64 * 1024;
    let mut file = File::create(file)?;
    file.write_all(&[1; BYTES])?;
    file.sync_data()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_so() {
        let full = try_to_write(Path::new("/dev/full")).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    }
}
