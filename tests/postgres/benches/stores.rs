//! How long a million records take into a database and back: `tools/postgres.sh --release --bench stores`. And how long one
//! commit takes, of a record: `… --bench stores -- commit PLACE COUNT`, where the place is a directory or the URL of a database.

use dubhook_postgres_tests::{
    cluster::Cluster,
    records::{all, job, taken},
};
use dubhook_smol::store::{Batch, Disk, Store, move_all};
use std::{
    env,
    time::{Duration, Instant},
};

const RECORDS: u32 = 1_000_000;
/// How many are written at once.
const BATCH: u32 = 1_000;

fn main() {
    let arguments: Vec<String> = env::args()
        .skip_while(|argument| argument != "commit")
        .collect();
    match arguments.as_slice() {
        [_, place, count, ..] => commit(place, count.parse().expect("a number")),
        _ => million(),
    }
}

/// Commits a record again and again.
fn commit(place: &str, count: u32) {
    let store: Box<dyn Store> = match place.starts_with("postgres://") {
        true => Box::new(taken(place, Duration::from_secs(3))),
        false => Box::new(Disk::open(place).expect("a disk")),
    };
    let mut took: Vec<Duration> = (0..count)
        .map(|count| {
            let mut batch = Batch::default();
            batch.add(job(count % 1_000 + 1), Some(&[count as u8; 60]));
            let since = Instant::now();
            store.write(&batch).expect("it is written");
            since.elapsed()
        })
        .collect();
    took.sort();
    let at = |part: usize| took[took.len() * part / 100].as_secs_f64() * 1e6;
    println!(r#"{{"p50_us": {:.1}, "p99_us": {:.1}}}"#, at(50), at(99));
    store.release();
}

fn million() {
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
