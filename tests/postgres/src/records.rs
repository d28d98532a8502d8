//! Stores in a test: how they are opened, and what is in them.

use crate::cluster::Cluster;
use dubhook_core::{
    id::Id,
    record::{Key, Table},
};
use dubhook_smol::{
    store::{
        Batch, Store, StoreError,
        postgres::{Address, Options, Postgres},
    },
    tls::Trust,
};
use std::{collections::BTreeMap, thread, time::Duration};

/// The records of a store.
pub type Records = BTreeMap<Key, Vec<u8>>;

/// The schema that tests use.
pub const SCHEMA: &str = "dubhook";

/// A store there, with this lease. It has not been taken.
///
/// # Panics
///
/// If the URL is none.
#[must_use]
pub fn store(url: &str, lease: Duration) -> Postgres {
    let options = Options {
        address: Address::parse(url).expect("a URL"),
        schema: SCHEMA.to_owned(),
        lease,
        trust: Trust::platform(),
    };
    Postgres::new(options).expect("a store")
}

/// Takes a store, however long that takes.
///
/// # Errors
///
/// Why it cannot be taken.
pub fn take(store: &Postgres) -> Result<(), StoreError> {
    while let Some(pause) = store.take()? {
        thread::park_timeout(pause);
    }
    Ok(())
}

/// A store there that is this test's.
///
/// # Panics
///
/// If it cannot be taken.
#[must_use]
pub fn taken(url: &str, lease: Duration) -> Postgres {
    let store = store(url, lease);
    take(&store).expect("it is free");
    store
}

/// The key of a job's record.
#[must_use]
pub const fn job(slot: u32) -> Key {
    Key {
        table: Table::Job,
        slot,
    }
}

/// 2020-01-01, in milliseconds. Before that no calendar was set.
pub const SET_MS: u64 = 1_577_836_800_000;

/// The id of a job that was made so many milliseconds after that.
#[must_use]
pub fn id(ms: u64) -> Id {
    Id::from_bits(u128::from(SET_MS + ms) << 80 | 5)
}

/// One record of a batch.
#[must_use]
pub fn batch(records: &[(Key, Option<&str>)]) -> Batch {
    let mut batch = Batch::default();
    for (key, value) in records {
        batch.add(*key, value.map(str::as_bytes));
    }
    batch
}

/// All records, which come in the order of their keys.
///
/// # Panics
///
/// If they do not, or cannot be read.
pub fn all(store: &(impl Store + ?Sized)) -> Records {
    let mut all = Records::new();
    let mut each = |key: Key, value: &[u8]| {
        assert!(
            all.last_key_value().is_none_or(|(last, _)| *last < key),
            "out of order: {key:?}"
        );
        all.insert(key, value.to_vec());
        Ok(())
    };
    store.load(&mut each).expect("records");
    all
}

/// Waits until there are so many sessions of servers.
///
/// # Panics
///
/// If there never are.
pub fn wait_for_sessions(cluster: &Cluster, sessions: usize) {
    cluster.psql().wait_for(&format!(
        "count(*) = {sessions} FROM pg_stat_activity WHERE application_name = 'dubhook'"
    ));
}

/// A number in the shard's row.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn shard(cluster: &Cluster, column: &str) -> i64 {
    let rows = cluster.ask(&format!("SELECT ({column})::int8 FROM {SCHEMA}.shard"));
    rows[0].parse().expect("a number")
}

/// How many batches there are.
///
/// # Panics
///
/// If nobody knows.
#[must_use]
pub fn batches(cluster: &Cluster) -> i64 {
    let rows = cluster.ask(&format!("SELECT max(batch) FROM {SCHEMA}.journal"));
    rows[0].parse().expect("a number")
}
