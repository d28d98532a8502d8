//! What every store must do, held against both of them alike.

use dubhook_core::{
    id::Id,
    record::{Key, Table},
    time::Timestamp,
};
use dubhook_postgres_tests::{
    cluster::Cluster,
    records::{SET_MS, all, batch, batches, id, job, taken},
};
use dubhook_smol::store::{Batch, Disk, Store};
use std::{path::Path, time::Duration};
use tempfile::TempDir;

/// One that ends within no test.
const LEASE: Duration = Duration::from_secs(60);

/// A place for one kind of store.
enum Place {
    Disk(TempDir),
    Database(Cluster),
}

impl Place {
    fn all() -> [Self; 2] {
        [
            Self::Disk(tempfile::tempdir().expect("a folder")),
            Self::Database(Cluster::new(&[])),
        ]
    }

    /// The store there, as after a start.
    fn open(&self) -> Box<dyn Store> {
        match self {
            Self::Disk(folder) => Box::new(disk(folder.path())),
            Self::Database(cluster) => Box::new(taken(&cluster.url(), LEASE)),
        }
    }
}

fn disk(folder: &Path) -> Disk {
    Disk::open(folder.join("data")).expect("a disk")
}

/// Gives a store back.
fn close(store: Box<dyn Store>) {
    store.release();
    drop(store);
}

#[test]
fn the_last_value_of_each_record_comes_back_in_order() {
    for place in Place::all() {
        let store = place.open();
        assert!(store.holds());
        let stream = Key {
            table: Table::Stream,
            slot: 2,
        };
        let many: Vec<u8> = (0..=255).cycle().take(70_000).collect();
        let mut first = batch(&[
            (stream, Some("stream")),
            (job(7), Some("gone")),
            (job(300), Some("first")),
        ]);
        first.add(job(u32::MAX), Some(&many));
        store.write(&first).unwrap();
        store
            .write(&batch(&[
                (job(300), Some("")),
                (job(7), None),
                (job(8), None),
            ]))
            .unwrap();
        store.write(&Batch::default()).unwrap();
        let expected = [
            (job(300), Vec::new()),
            (job(u32::MAX), many),
            (stream, b"stream".to_vec()),
        ];
        assert_eq!(all(&*store), expected.clone().into());
        close(store);
        let again = place.open();
        assert_eq!(all(&*again), expected.into());
    }
}

#[test]
fn more_records_than_are_read_at_once_come_back() {
    const RECORDS: u32 = 25_000;
    for place in Place::all() {
        let store = place.open();
        let mut batch = Batch::default();
        for slot in (1..=RECORDS).rev() {
            batch.add(job(slot), Some(&slot.to_le_bytes()));
        }
        store.write(&batch).unwrap();
        let found = all(&*store);
        assert_eq!(found.len(), RECORDS as usize);
        assert!(
            found
                .iter()
                .all(|(key, value)| *value == key.slot.to_le_bytes())
        );
    }
}

#[test]
fn ended_jobs_are_found_until_they_are_old() {
    for place in Place::all() {
        let store = place.open();
        let mut batch = Batch::default();
        let unset = Id::from_bits(1_000 << 80 | 5);
        batch.add_archived(unset, b"{}");
        for ms in 0..2_500 {
            batch.add_archived(id(ms), format!(r#"{{"ms":{ms}}}"#).as_bytes());
        }
        store.write(&batch).unwrap();
        assert_eq!(
            store.find(id(1)).unwrap().as_deref(),
            Some(&br#"{"ms":1}"#[..])
        );
        assert_eq!(store.find(id(9_999)).unwrap(), None);
        // A job may be told of again.
        batch.clear();
        batch.add_archived(id(2_400), b"{}");
        store.write(&batch).unwrap();
        assert_eq!(store.find(id(2_400)).unwrap().as_deref(), Some(&b"{}"[..]));
        let mut rounds = 1;
        while store
            .prune(Timestamp::from_unix_ms(SET_MS + 2_000))
            .unwrap()
        {
            rounds += 1;
        }
        assert_eq!(rounds, 3);
        assert_eq!(store.find(id(1_999)).unwrap(), None);
        assert!(store.find(id(2_000)).unwrap().is_some());
        // One from a calendar that was not set is of no known age.
        assert!(store.find(unset).unwrap().is_some());
    }
}

#[test]
fn each_batch_is_counted_once() {
    let cluster = Cluster::new(&[]);
    let store = taken(&cluster.url(), LEASE);
    for count in 1..=5 {
        store.write(&batch(&[(job(1), Some("again"))])).unwrap();
        assert_eq!(batches(&cluster), count);
    }
}
