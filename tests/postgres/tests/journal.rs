//! The journal: what is folded into the records, what never comes there, and that it is as long as it may be and no longer.

use dubhook_core::record::Key;
use dubhook_postgres_tests::{
    cluster::Cluster,
    proxy::Proxy,
    psql::Psql,
    records::{Records, all, batch, batches, job, shard, store, take, taken},
};
use dubhook_smol::store::{Batch, Store, StoreError, postgres::Postgres};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(3);
/// A record so large that a few of them are worth folding.
const LARGE: usize = 1024 * 1024;

/// A batch that puts some records and deletes others.
fn large(put: &[u32], gone: &[u32], fill: u8) -> Batch {
    let mut batch = Batch::default();
    for slot in put {
        batch.add(job(*slot), Some(&[fill; LARGE]));
    }
    for slot in gone {
        batch.add(job(*slot), None);
    }
    batch
}

/// Waits until so many batches at most are in the journal.
fn until_folded(psql: &mut Psql, batches: u64) {
    psql.wait_for(&format!(
        "(SELECT count(*) FROM dubhook.journal) <= {batches}"
    ));
}

fn record_keys(psql: &mut Psql) -> Vec<String> {
    psql.run("SELECT key & 4294967295 FROM dubhook.record ORDER BY key")
}

#[test]
fn what_is_written_and_deleted_before_it_is_folded_never_gets_to_the_records() {
    let cluster = Cluster::new(&["track_counts = on"]);
    let store = taken(&cluster.url(), LEASE);
    let mut psql = cluster.psql();
    store.write(&batch(&[(job(1), Some("first"))])).unwrap();
    assert_eq!(record_keys(&mut psql), Vec::<String>::new());
    // All of them but the last one are worth folding together.
    store.write(&large(&[2, 3, 4, 5], &[], 1)).unwrap();
    store.write(&large(&[3, 4], &[2], 2)).unwrap();
    store.write(&large(&[6], &[4], 3)).unwrap();
    store.write(&large(&[3], &[1], 4)).unwrap();
    store.write(&batch(&[(job(9), Some("last"))])).unwrap();
    until_folded(&mut psql, 2);
    let expected: Records = [
        (job(3), vec![4; LARGE]),
        (job(5), vec![1; LARGE]),
        (job(6), vec![3; LARGE]),
        (job(9), b"last".to_vec()),
    ]
    .into();
    assert_eq!(all(&store), expected);
    store.release();
    let again = taken(&cluster.url(), LEASE);
    assert_eq!(all(&again), expected);
    again.write(&batch(&[(job(9), None)])).unwrap();
    assert_eq!(all(&again).len(), 3);
}

/// Writes what is worth folding and comes to little.
fn much_for_little(store: &Postgres, value: &str) {
    for fill in 0..7 {
        store.write(&large(&[1], &[], fill)).unwrap();
    }
    let little = batch(&[(job(1), Some(value)), (job(2), Some(value))]);
    store.write(&little).unwrap();
    store.write(&large(&[3], &[], 9)).unwrap();
}

#[test]
fn what_is_folded_in_part_holds_nobody_up() {
    let cluster = Cluster::new(&[]);
    let cable = Proxy::to(cluster.port);
    let old = taken(&cable.url(), LEASE);
    // All of the statement has come but its end.
    cable.tear(Some("fold"));
    much_for_little(&old, "old");
    let mut psql = cluster.psql();
    psql.wait_for(
        "EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'dubhook' AND state = 'active'
         AND wait_event = 'ClientRead' AND query LIKE '%all_of_them%')",
    );
    old.release();
    let new = taken(&cluster.url(), LEASE);
    assert_eq!(all(&new)[&job(2)], b"old");
    much_for_little(&new, "new");
    assert_eq!(all(&new)[&job(2)], b"new");
    cable.tear(None);
    until_folded(&mut psql, 9);
    assert_eq!(all(&new)[&job(2)], b"new");
    assert_eq!(batches(&cluster), 18);
}

#[test]
fn who_comes_late_with_what_others_have_folded_changes_nothing() {
    let cluster = Cluster::new(&[]);
    let cable = Proxy::to(cluster.port);
    let old = taken(&cable.url(), LEASE);
    cable.hold(Some("fold"));
    much_for_little(&old, "old");
    cable.wait_until_it_holds();
    old.release();
    let new = taken(&cluster.url(), LEASE);
    all(&new);
    much_for_little(&new, "new");
    let mut psql = cluster.psql();
    psql.wait_for("NOT EXISTS (SELECT FROM dubhook.journal WHERE batch <= 9)");
    let known = all(&new);
    cable.hold(None);
    psql.wait_for("(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dubhook') = 2");
    assert_eq!(all(&new), known);
    assert_eq!(known[&job(2)], b"new");
}

#[test]
fn a_journal_that_nobody_folds_is_folded_by_who_writes() {
    // As many sessions as one server needs to write, and none to fold.
    let cluster = Cluster::new(&[
        "max_connections = 5\nsuperuser_reserved_connections = 0\nmax_wal_senders = 0",
    ]);
    let mut others: Vec<Psql> = (0..4).map(|_| cluster.psql()).collect();
    for psql in &mut others {
        psql.run("SELECT 1");
    }
    let store = taken(&cluster.url(), LEASE);
    for round in 0..100 {
        store
            .write(&large(&[round % 7 + 1], &[], round as u8))
            .unwrap();
    }
    let psql = &mut others[0];
    psql.wait_for("(SELECT sum(octet_length(records)) FROM dubhook.journal) < 80000000");
    assert_ne!(record_keys(psql), Vec::<String>::new());
    let found = all(&store);
    assert_eq!(found.len(), 7);
    for (key, value) in found {
        let last = (0..100).filter(|round| round % 7 + 1 == key.slot).max();
        assert_eq!(Some(u32::from(value[0])), last);
    }
}

#[test]
fn room_is_used_again_though_nobody_sweeps_up() {
    let cluster = Cluster::new(&["autovacuum = off"]);
    let store = taken(&cluster.url(), LEASE);
    for round in 0..600_u32 {
        store
            .write(&large(&[round % 5 + 1], &[], round as u8))
            .unwrap();
    }
    let room = cluster.ask("SELECT pg_total_relation_size('dubhook.journal') / 1048576");
    let room: u64 = room[0].parse().expect("a number");
    println!("600 batches of a MiB: the journal takes {room} MiB");
    assert!(room < 350, "{room} MiB");
}

/// Somebody who sees the database as it is now, until he commits.
fn looking_back(cluster: &Cluster) -> Psql {
    let mut stranger = cluster.psql();
    stranger.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    stranger.run("SELECT count(*) FROM dubhook.journal");
    stranger
}

/// That no server has a session any more.
const GONE: &str = "NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'dubhook')";

/// Writes so many batches. How many pages each of them touched of the tables that a commit needs: time would be the machine's.
fn pages_a_commit(cluster: &Cluster, psql: &mut Psql, commits: u32) -> u64 {
    const TOUCHED: &str =
        "SELECT sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit)::int8
         FROM pg_statio_user_tables WHERE relname IN ('shard', 'journal')";
    let mut touched = || -> u64 {
        // A session tells what it has touched when it ends.
        psql.wait_for(GONE);
        psql.run(TOUCHED)[0].parse().expect("a number")
    };
    let before = touched();
    let store = taken(&cluster.url(), LEASE);
    for round in 0..commits {
        store
            .write(&batch(&[(job(round % 50 + 1), Some("value"))]))
            .unwrap();
    }
    store.release();
    (touched() - before) / u64::from(commits)
}

#[test]
fn a_strangers_old_snapshot_costs_room_and_no_time() {
    // Who sweeps up now and then touches pages, too.
    let cluster = Cluster::new(&["autovacuum = off"]);
    taken(&cluster.url(), LEASE).release();
    let (mut stranger, mut psql) = (looking_back(&cluster), cluster.psql());
    let first = pages_a_commit(&cluster, &mut psql, 500);
    pages_a_commit(&cluster, &mut psql, 8_000);
    let last = pages_a_commit(&cluster, &mut psql, 500);
    println!("pages a commit under an old snapshot: {first} at first, {last} after 8,500");
    assert!(last <= first + 3, "{first} pages a commit, and then {last}");
    stranger.run("COMMIT");
}

#[test]
fn an_hour_of_beats_under_a_strangers_old_snapshot_costs_pages_of_memory() {
    // An owner with nothing to write beats every quarter of its lease, which is 3 s.
    const BEATS: usize = 4_800;
    // Who sweeps up now and then touches pages, too, and looks with a snapshot that keeps others from sweeping.
    let cluster = Cluster::new(&["autovacuum = off"]);
    taken(&cluster.url(), LEASE).release();
    let (mut stranger, mut psql) = (looking_back(&cluster), cluster.psql());
    let first = pages_a_commit(&cluster, &mut psql, 500);
    let beat = "UPDATE dubhook.shard SET beat = beat + 1 WHERE shard = 0;\n";
    psql.run(&beat.repeat(BEATS));
    let last = pages_a_commit(&cluster, &mut psql, 500);
    println!("pages a commit under an old snapshot: {first} at first, {last} after {BEATS} beats");
    // A beat changes the row that a commit locks, and what it was before is passed by on the way there: a page for a hundred beats,
    // up to four times a commit. A page for each beat would be another fault.
    assert!(
        last < first + 500,
        "{first} pages a commit, and then {last}"
    );
    stranger.run("COMMIT");
    // Who folds still may look back as far.
    psql.wait_for(GONE);
    psql.run("VACUUM dubhook.shard");
    let after = pages_a_commit(&cluster, &mut psql, 500);
    assert!(
        after <= first + 3,
        "{first} pages a commit at first, and {after} in the end"
    );
}

#[test]
fn a_form_without_a_journal_is_taken_over() {
    let cluster = Cluster::new(&[]);
    let _ = cluster.ask(
        "CREATE SCHEMA dubhook;
         CREATE TABLE dubhook.shard (
             shard int PRIMARY KEY, format int NOT NULL, epoch bigint NOT NULL, batch bigint NOT NULL,
             beat bigint NOT NULL, lease_ms bigint NOT NULL, owner text, url text, backend int, lost bigint);
         CREATE TABLE dubhook.record (shard int NOT NULL, key bigint NOT NULL, value bytea NOT NULL, PRIMARY KEY (shard, key));
         CREATE TABLE dubhook.archive (shard int NOT NULL, id uuid NOT NULL, json bytea NOT NULL, PRIMARY KEY (shard, id));
         INSERT INTO dubhook.record VALUES (0, 1::bigint << 32 | 7, 'kept'), (0, 1::bigint << 32 | 8, 'old');
         INSERT INTO dubhook.shard VALUES (0, 1, 3, 41, 90, 400, 'a server of the form before')",
    );
    // Its owner lives: it is left alone until it is silent for its lease and a tenth.
    let store = store(&cluster.url(), LEASE);
    assert!(store.take().unwrap().is_some());
    let _ = cluster.ask("UPDATE dubhook.shard SET batch = batch + 1, beat = beat + 1");
    take(&store).unwrap();
    assert_eq!(
        (
            shard(&cluster, "format"),
            shard(&cluster, "epoch"),
            batches(&cluster)
        ),
        (2, 5, 42)
    );
    let kept: Records = [(job(7), b"kept".to_vec()), (job(8), b"old".to_vec())].into();
    assert_eq!(all(&store), kept);
    store.write(&batch(&[(job(8), Some("new"))])).unwrap();
    assert_eq!(all(&store)[&job(8)], b"new");
    // What such a server asked of the shard's row is refused from here on.
    let count = "SELECT count(*) FROM information_schema.columns
                 WHERE table_schema = 'dubhook' AND table_name = 'shard' AND column_name = 'batch'";
    assert_eq!(cluster.ask(count), ["0"]);
}

#[test]
fn a_journal_with_a_gap_is_damage() {
    let cluster = Cluster::new(&[]);
    let owner = taken(&cluster.url(), LEASE);
    for _ in 0..4 {
        owner.write(&batch(&[(job(1), Some("value"))])).unwrap();
    }
    let _ = cluster.ask("DELETE FROM dubhook.journal WHERE batch = 3");
    let loaded = owner.load(&mut |_: Key, _: &[u8]| Ok(()));
    let Err(StoreError::Failed(error)) = loaded else {
        panic!("{loaded:?}");
    };
    assert!(
        error
            .to_string()
            .contains("batch 3 of the journal is missing"),
        "{error}"
    );
}
