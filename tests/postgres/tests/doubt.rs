//! What is done where an answer stays out: it is found out, by a write, and nothing is written twice or lost.

use dubhook_postgres_tests::{
    cluster::Cluster,
    proxy::Proxy,
    psql::Psql,
    records::{Records, all, batch, batches, id, job, shard, taken},
};
use dubhook_smol::store::{Batch, Store, postgres::Postgres};
use dubhook_tests::wire::PATIENCE;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// A lease that no reconnecting outlasts.
const LEASE: Duration = Duration::from_secs(4);
/// One after which a test does not want to wait for long.
const SHORT: Duration = Duration::from_millis(600);

/// Gives a store back where a test fails, so that who writes does not wait for ever.
struct GivenBack<'s>(&'s Postgres);

impl Drop for GivenBack<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.release();
        }
    }
}

/// Fails unless the store may speak: at once, or, where the machine has stalled for as long as the lease, when it has said again
/// that it lives.
fn assert_holds(store: &Postgres) {
    let since = Instant::now();
    while !store.holds() {
        assert!(since.elapsed() < PATIENCE, "it does not hold");
        store.beat().expect("the records are its own");
    }
}

/// A batch of everything that a batch can have.
fn mixed(value: &str) -> Batch {
    let mut batch = batch(&[(job(1), Some(value)), (job(2), None), (job(3), Some(value))]);
    batch.add_archived(id(1), value.as_bytes());
    batch
}

fn records(value: &str) -> Records {
    let value = value.as_bytes().to_vec();
    [(job(1), value.clone()), (job(3), value)].into()
}

#[test]
fn a_batch_that_is_cut_at_any_byte_is_written_once() {
    let cluster = Cluster::new(&[]);
    let cable = Proxy::to(cluster.port);
    let store = taken(&cable.url(), LEASE);
    let before = cable.passed();
    store.write(&mixed("value 0")).unwrap();
    let len = cable.passed() - before;
    for (round, bytes) in (0..=len).step_by(3).enumerate() {
        let value = format!("value {}", round % 10);
        cable.cut_after(bytes);
        store.write(&mixed(&value)).unwrap();
        assert!(cable.has_cut());
        assert_eq!(
            batches(&cluster),
            2 + round as i64,
            "{bytes} of {len} bytes"
        );
        assert_eq!(all(&store), records(&value));
        assert_holds(&store);
    }
    assert_eq!(shard(&cluster, "epoch"), 1);
}

#[test]
fn an_answer_that_never_comes_is_found_out() {
    let cluster = Cluster::new(&[]);
    let cable = Proxy::to(cluster.port);
    let store = taken(&cable.url(), SHORT);
    for value in ["first", "second"] {
        let next = batches(&cluster) + 1;
        cable.mute(true);
        thread::scope(|scope| {
            let _back = GivenBack(&store);
            let written = scope.spawn(|| store.write(&mixed(value)));
            // It is there, and the server has not heard so.
            cluster.psql().wait_for(&format!(
                "EXISTS (SELECT FROM dubhook.journal WHERE batch = {next})"
            ));
            assert!(!written.is_finished());
            // Nor may it speak for longer than its lease.
            while store.holds() {
                thread::yield_now();
            }
            cable.mute(false);
            written.join().unwrap().unwrap();
        });
        assert_holds(&store);
        assert_eq!(batches(&cluster), next);
        assert_eq!(all(&store), records(value));
    }
}

#[test]
fn a_link_that_stalls_costs_the_lease_and_nothing_else() {
    let cluster = Cluster::new(&[]);
    let cable = Proxy::to(cluster.port);
    let store = taken(&cable.url(), SHORT);
    store.write(&mixed("before")).unwrap();
    cable.stall(true);
    thread::scope(|scope| {
        let _back = GivenBack(&store);
        let written = scope.spawn(|| store.write(&mixed("after")));
        while store.holds() {
            thread::yield_now();
        }
        cable.stall(false);
        written.join().unwrap().unwrap();
    });
    assert_eq!(all(&store), records("after"));
    assert_eq!((shard(&cluster, "epoch"), batches(&cluster)), (1, 2));
}

#[test]
fn a_database_that_is_killed_and_started_again_is_gone_on_with() {
    let mut cluster = Cluster::new(&[]);
    let store = taken(&cluster.url(), LEASE);
    store.write(&mixed("before")).unwrap();
    cluster.kill();
    thread::scope(|scope| {
        let _back = GivenBack(&store);
        let written = scope.spawn(|| store.write(&mixed("after")));
        cluster.start();
        written.join().unwrap().unwrap();
    });
    assert_eq!(all(&store), records("after"));
    assert_eq!(store.find(id(1)).unwrap().as_deref(), Some(&b"after"[..]));
    assert_eq!((shard(&cluster, "epoch"), batches(&cluster)), (1, 2));
}

/// Makes tables until one of them waits for a synchronous standby: a reload reaches the processes of a database one by one.
fn until_commits_wait(cluster: &Cluster) {
    const WAITS: &str =
        "pg_stat_activity WHERE application_name = 'psql' AND wait_event = 'SyncRep'";
    let has_waited = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut psql = cluster.psql();
            for n in 0.. {
                psql.run(&format!("CREATE TABLE probe_{n} ()"));
                if has_waited.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let mut psql = cluster.psql();
        psql.wait_for(&format!("EXISTS (SELECT FROM {WAITS})"));
        has_waited.store(true, Ordering::Relaxed);
        psql.run(&format!("SELECT pg_cancel_backend(pid) FROM {WAITS}"));
    });
}

fn wait_for_standbys(cluster: &Cluster, names: &str) {
    let mut psql = cluster.psql();
    psql.run(&format!(
        "ALTER SYSTEM SET synchronous_standby_names = '{names}'"
    ));
    psql.run("SELECT pg_reload_conf()");
}

/// Sessions of a server that wait for a synchronous standby.
const WAITS: &str =
    "pg_stat_activity WHERE application_name = 'dubhook' AND wait_event = 'SyncRep'";

/// A batch waits for a standby that is away while `meanwhile` happens. It can be read then, and is not acknowledged before it
/// waits for nobody.
fn is_not_acknowledged(
    lease: Duration,
    settings: &[&str],
    meanwhile: impl FnOnce(&mut Psql, &Postgres),
) {
    let cluster = Cluster::new(settings);
    let store = taken(&cluster.url(), lease);
    store.write(&mixed("before")).unwrap();
    wait_for_standbys(&cluster, "nobody");
    until_commits_wait(&cluster);
    thread::scope(|scope| {
        let _back = GivenBack(&store);
        let written = scope.spawn(|| store.write(&mixed("after")));
        let mut psql = cluster.psql();
        psql.wait_for(&format!("EXISTS (SELECT FROM {WAITS})"));
        meanwhile(&mut psql, &store);
        assert_eq!(psql.run("SELECT max(batch) FROM dubhook.journal"), ["2"]);
        assert!(!written.is_finished());
        wait_for_standbys(&cluster, "");
        written.join().unwrap().unwrap();
    });
    assert_eq!((shard(&cluster, "epoch"), batches(&cluster)), (1, 2));
}

#[test]
fn a_wait_for_a_standby_that_somebody_ends_is_no_acknowledgement() {
    // Nor where the operator has asked not to be warned of anything.
    for setting in [
        "client_min_messages = warning",
        "client_min_messages = error",
    ] {
        is_not_acknowledged(LEASE, &[setting], |psql, _| {
            // As a time-out of the role's does, too. The database says that the statement was done, with a warning.
            psql.run(&format!("SELECT pg_cancel_backend(pid) FROM {WAITS}"));
            psql.wait_for(&format!(
                "EXISTS (SELECT FROM {WAITS} AND query LIKE 'UPDATE%beat%')"
            ));
        });
    }
}

#[test]
fn what_a_synchronous_standby_has_not_confirmed_is_not_acknowledged_though_it_can_be_read() {
    is_not_acknowledged(SHORT, &[], |psql, store| {
        let first = psql.run("SELECT backend FROM dubhook.shard");
        // The session that has waited in vain is ended; what it had written can be read then, and a session after it asks what
        // became of it, and waits for the standby in its turn.
        psql.wait_for(&format!(
            "EXISTS (SELECT FROM {WAITS} AND pid <> {})",
            first[0]
        ));
        assert!(!store.holds());
    });
}

#[test]
fn a_primary_is_lost_and_its_synchronous_standby_goes_on_with_the_same_owner() {
    let mut primary = Cluster::new(&[]);
    let standby = Cluster::standby_of(&primary);
    let _ = primary.ask("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
    let _ = primary.ask("SELECT pg_reload_conf()");
    primary
        .psql()
        .wait_for("EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')");
    let url = format!(
        "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/postgres",
        standby.port, primary.port
    );
    let store = taken(&url, LEASE);
    store.write(&mixed("before")).unwrap();
    primary.kill();
    thread::scope(|scope| {
        let _back = GivenBack(&store);
        let written = scope.spawn(|| store.write(&mixed("after")));
        standby.promote();
        written.join().unwrap().unwrap();
    });
    assert_eq!(all(&store), records("after"));
    assert_eq!((shard(&standby, "epoch"), batches(&standby)), (1, 2));
}
