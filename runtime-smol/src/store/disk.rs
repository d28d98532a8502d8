//! Records on a disk, in an embedded log-structured store.

use super::{
    Batch, EachArchived, Restore, Store, StoreError, Whole, contract::UNSET_UNTIL_MS,
    directory::Directory, journal,
};
use dubhook_core::{id::Id, record::Key, time::Timestamp};
use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, PersistMode,
    config::{FilterPolicy, PartitioningPolicy},
};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Mutex,
};

/// What is kept in memory of what was read, in bytes. Everything that is in use is in the machine's memory already.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;
/// What is gathered in memory before it becomes a file, in bytes, for each kind of records.
const GATHERED_BYTES: u64 = 16 * 1024 * 1024;
/// Jobs that are dropped from the archive in one transaction.
const PRUNED_MAX: usize = 1_000;
/// How large the journal grows before what holds it back is made a file, in bytes: all of it is read at a start.
const JOURNAL_BYTES: u64 = 128 * 1024 * 1024;
/// Files that are kept open at most. A reader of what is long past waits for one to be opened.
const OPEN_FILES: usize = 128;
/// Under which key the number of the last batch is kept, among the records: a keyspace of its own would hardly ever
/// become a file and hold all of the journal back. No record's key is so long.
const BATCH: &[u8] = b"last-batch";

/// A directory that holds everything, and that one process uses at a time.
pub struct Disk {
    // Fields are dropped in this order: the lock, which the directory holds, goes last.
    records: Keyspace,
    archive: Keyspace,
    database: Database,
    progress: Mutex<Progress>,
    directory: Directory,
}

#[derive(Debug)]
struct Progress {
    /// The number of the last batch.
    batch: u64,
    /// Of the archive, what lies before this was pruned: reading it again would only meet what is deleted.
    pruned: u128,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl Disk {
    /// Opens the directory, and makes it if it is not there.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where another process uses it, or what it holds cannot be read or is not ours.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let directory = Directory::open(directory.into())?;
        if !directory.store().try_exists()? {
            // Under another name until it is whole: whoever is killed meanwhile leaves nothing to make sense of.
            let making = directory.begin_store()?;
            drop(open_tables(&making)?);
            directory.finish_store(&making)?;
        }
        let (database, records, archive) = open_tables(&directory.store())?;
        let batch = records.get(BATCH)?.and_then(|mark| (*mark).try_into().ok());
        let batch = batch.map_or(0, u64::from_le_bytes);
        let written = directory.last_batch()?;
        if written > batch {
            return Err(StoreError::Lost {
                found: batch,
                written,
            });
        }
        Ok(Self {
            records,
            archive,
            database,
            progress: Mutex::new(Progress { batch, pruned: 0 }),
            directory,
        })
    }

    /// Why a write failed. Where it did so in the background, only the thread that wrote knows, so the disk is asked again.
    fn blame(&self, error: fjall::Error) -> StoreError {
        if matches!(error, fjall::Error::Poisoned)
            && let Err(cause) = self.directory.try_to_write()
        {
            let why = format!("a write in the background failed: {cause}");
            return StoreError::Failed(why.into());
        }
        error.into()
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        // Nothing that holds the lock leaves half a change behind.
        self.progress
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn open_tables(store: &Path) -> Result<(Database, Keyspace, Keyspace), StoreError> {
    // Files stay as they are made, since keys only grow: what is kept in memory of each is kept until it is dropped. So
    // no filters, which serve those who look for what is not there, and of an index only where its blocks are: the block
    // itself is read when it is wanted. A store that is there already keeps the options it was made with.
    let options = || {
        KeyspaceCreateOptions::default()
            .max_memtable_size(GATHERED_BYTES)
            .filter_policy(FilterPolicy::disabled())
            .index_block_partitioning_policy(PartitioningPolicy::all(true))
    };
    let database = open_database(store)?;
    let records = database.keyspace("records", options)?;
    let archive = database.keyspace("archive", options)?;
    Ok((database, records, archive))
}

fn open_database(store: &Path) -> Result<Database, StoreError> {
    let open = || {
        Database::builder(store)
            .cache_size(CACHE_BYTES)
            .worker_threads(1)
            .max_journaling_size(JOURNAL_BYTES)
            .max_cached_files(Some(OPEN_FILES))
            // What is written is synced batch by batch.
            .manual_journal_persist(true)
            .open()
    };
    match open() {
        Err(fjall::Error::JournalRecovery(_)) if journal::cut_torn(store)? => Ok(open()?),
        opened => Ok(opened?),
    }
}

impl Store for Disk {
    fn load(&self, each: &mut Restore<'_>) -> Result<(), StoreError> {
        for record in self.records.iter() {
            let (key, value) = record.into_inner()?;
            if &*key == BATCH {
                continue;
            }
            let Some(key) = <[u8; 5]>::try_from(&*key).ok().and_then(Key::from_bytes) else {
                return Err(StoreError::UnknownKey((*key).into()));
            };
            each(key, &value).map_err(|error| StoreError::Restore {
                key: Some(key),
                error,
            })?;
        }
        Ok(())
    }

    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut progress = self.progress();
        let number = progress.batch + 1;
        let mut write = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        for (key, value) in batch.records() {
            let key = key.to_bytes();
            match value {
                Some(value) => write.insert(&self.records, key, value),
                None => write.remove(&self.records, key),
            }
        }
        for (job, json) in batch.archive() {
            write.insert(&self.archive, job.to_bits().to_be_bytes(), json);
        }
        write.insert(&self.records, BATCH, number.to_le_bytes());
        write.commit().map_err(|error| self.blame(error))?;
        progress.batch = number;
        Ok(self.directory.note_batch(number)?)
    }

    fn find(&self, job: Id) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.archive.get(job.to_bits().to_be_bytes())?;
        Ok(found.map(|json| json.to_vec()))
    }

    fn prune(&self, before: Timestamp) -> Result<bool, StoreError> {
        let start = self.progress().pruned;
        // Ids begin with the time when they were made, and sort by it.
        let start = start.max(u128::from(UNSET_UNTIL_MS) << 80);
        let end = (u128::from(before.as_unix_ms()) << 80).max(start);
        let mut last = None;
        let mut write = self.database.batch();
        let old = self.archive.range(start.to_be_bytes()..end.to_be_bytes());
        for record in old.take(PRUNED_MAX) {
            let key = record.key()?;
            last = (*key).try_into().ok().map(u128::from_be_bytes);
            write.remove(&self.archive, key);
        }
        let more = write.len() == PRUNED_MAX;
        write.commit().map_err(|error| self.blame(error))?;
        // The next round starts from the front: a job may have ended long after it was made.
        self.progress().pruned = if more { last.unwrap_or(start) } else { 0 };
        Ok(more)
    }
}

impl Whole for Disk {
    fn archived(&self, each: &mut EachArchived<'_>) -> Result<(), StoreError> {
        for job in self.archive.iter() {
            let (key, json) = job.into_inner()?;
            let Ok(id) = <[u8; 16]>::try_from(&*key) else {
                return Err(StoreError::UnknownKey((*key).into()));
            };
            each(Id::from_bits(u128::from_be_bytes(id)), &json)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dubhook_core::record::Table;
    use fjall::AbstractTree as _;

    /// A directory that is gone after the test.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let name = format!("dubhook-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            // One that was killed has left it, and processes of containers have the same numbers again and again.
            let _ = std::fs::remove_dir_all(&path);
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn all(store: &impl Store) -> Vec<(Key, Vec<u8>)> {
        let mut all = Vec::new();
        let mut each = |key, value: &[u8]| {
            all.push((key, value.to_vec()));
            Ok(())
        };
        store.load(&mut each).unwrap();
        all
    }

    #[test]
    fn the_last_value_of_each_record_comes_back_in_order() {
        let scratch = Scratch::new("records");
        let key = |table, slot| Key { table, slot };
        let (job, stream) = (key(Table::Job, 300), key(Table::Stream, 2));
        let disk = Disk::open(&scratch.0).unwrap();
        let mut batch = Batch::default();
        batch.add(stream, Some(b"stream"));
        batch.add(key(Table::Job, 7), Some(b"gone"));
        batch.add(job, Some(b"first"));
        disk.write(&batch).unwrap();
        batch.clear();
        batch.add(job, Some(b""));
        batch.add(key(Table::Job, 7), None);
        disk.write(&batch).unwrap();
        let expect = vec![(job, Vec::new()), (stream, b"stream".to_vec())];
        assert_eq!(all(&disk), expect);
        drop(disk);
        assert_eq!(all(&Disk::open(&scratch.0).unwrap()), expect);
    }

    #[test]
    fn ended_jobs_are_found_until_they_are_old() {
        let scratch = Scratch::new("archive");
        let disk = Disk::open(&scratch.0).unwrap();
        let id = |ms: u64| Id::from_bits(u128::from(UNSET_UNTIL_MS + ms) << 80 | 5);
        let unset = Id::from_bits(1_000 << 80 | 5);
        let mut batch = Batch::default();
        batch.add_archived(unset, b"{}");
        for ms in 0..2_500 {
            batch.add_archived(id(ms), b"{}");
        }
        disk.write(&batch).unwrap();
        assert_eq!(disk.find(id(1)).unwrap().as_deref(), Some(&b"{}"[..]));
        assert_eq!(disk.find(Id::from_bits(1)).unwrap(), None);
        let mut rounds = 1;
        let before = Timestamp::from_unix_ms(UNSET_UNTIL_MS + 2_000);
        while disk.prune(before).unwrap() {
            rounds += 1;
        }
        assert_eq!(rounds, 3);
        assert_eq!(disk.find(id(1_999)).unwrap(), None);
        assert!(disk.find(id(2_000)).unwrap().is_some());
        // One from a calendar that was not set is of no known age.
        assert!(disk.find(unset).unwrap().is_some());
    }

    #[test]
    fn the_archive_costs_next_to_no_memory() {
        const JOBS: u128 = 5_000;
        let scratch = Scratch::new("pinned");
        let disk = Disk::open(&scratch.0).unwrap();
        let mut batch = Batch::default();
        for round in 0..3 {
            for number in 0..JOBS {
                let id = Id::from_bits((round * JOBS + number) << 80 | 5);
                batch.add_archived(id, &[b' '; 400]);
            }
            disk.write(&batch).unwrap();
            batch.clear();
            disk.archive.rotate_memtable_and_wait().unwrap();
        }
        let tree = &disk.archive.tree;
        let pinned = tree.pinned_filter_size() + tree.pinned_block_index_size();
        let jobs = tree.approximate_len();
        assert!(4 * pinned < jobs, "{pinned} bytes for {jobs} jobs");
        for ms in [0, JOBS, 3 * JOBS - 1] {
            assert!(disk.find(Id::from_bits(ms << 80 | 5)).unwrap().is_some());
            assert_eq!(disk.find(Id::from_bits(ms << 80 | 6)).unwrap(), None);
        }
    }

    #[test]
    fn a_record_that_is_not_ours_is_named() {
        let scratch = Scratch::new("foreign");
        let disk = Disk::open(&scratch.0).unwrap();
        disk.records.insert([9, 0, 0, 0, 1], "?").unwrap();
        let error = disk.load(&mut |_, _| Ok(())).unwrap_err().to_string();
        assert!(error.ends_with("[09, 00, 00, 00, 01]"), "{error}");
    }

    #[test]
    fn a_directory_serves_one_process_at_a_time() {
        let scratch = Scratch::new("lock");
        let first = Disk::open(&scratch.0).unwrap();
        assert!(matches!(Disk::open(&scratch.0), Err(StoreError::InUse)));
        drop(first);
        assert!(Disk::open(&scratch.0).is_ok());
    }
}
