//! How long a million records take into a database and back: `tools/postgres.sh --release --bench million`.

use dubhook_postgres_tests::{
    cluster::Cluster,
    records::{all, job, taken},
};
use dubhook_smol::store::{Batch, Disk, Store, move_all};
use std::time::{Duration, Instant};

const RECORDS: u32 = 1_000_000;
/// How many are written at once.
const BATCH: u32 = 1_000;

fn main() {
    let cluster = Cluster::new(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Disk::open(folder.path().join("data")).expect("a disk");
    let mut batch = Batch::default();
    for slot in 1..=RECORDS {
        batch.add(job(slot), Some(&[slot as u8; 60]));
        if slot % BATCH == 0 {
            disk.write(&batch).expect("it is written");
            batch.clear();
        }
    }
    let database = taken(&cluster.url(), Duration::from_secs(3));
    let back = Disk::open(folder.path().join("back")).expect("a disk");
    time("moved into the database", || {
        move_all(&disk, &database, &mut |_| ()).expect("it is moved");
    });
    time("read from the database", || {
        assert_eq!(all(&database).len(), RECORDS as usize);
    });
    time("read from the directory", || {
        assert_eq!(all(&disk).len(), RECORDS as usize);
    });
    time("moved back", || {
        move_all(&database, &back, &mut |_| ()).expect("it is moved");
    });
}

fn time(what: &str, done: impl FnOnce()) {
    let since = Instant::now();
    done();
    println!("{what}: {:.2?}", since.elapsed());
}
