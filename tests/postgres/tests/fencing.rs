//! The races between an owner and whoever takes over, one by one and in a fixed order: black boxes do not show them, since the
//! lease keeps them apart.

use dubhook_postgres_tests::{
    cluster::Cluster,
    proxy::Proxy,
    records::{Records, all, batch, batches, job, shard, store, take, taken},
};
use dubhook_smol::store::{Store, StoreError};
use std::{thread, time::Duration};

/// A lease that ends within the test.
const SHORT: Duration = Duration::from_millis(400);
/// One that ends late enough; a lock is waited for a quarter of it.
const MIDDLING: Duration = Duration::from_secs(2);
/// One that does not end.
const LONG: Duration = Duration::from_secs(60);

#[track_caller]
fn assert_taken_over(written: Result<(), StoreError>) {
    assert!(
        matches!(written, Err(StoreError::TakenOver { .. })),
        "{written:?}"
    );
}

fn records(value: &str) -> Records {
    [(job(1), value.as_bytes().to_vec())].into()
}

#[test]
fn a_late_commit_of_an_old_epoch_is_refused() {
    let cluster = Cluster::new(&[]);
    let old = taken(&cluster.url(), SHORT);
    old.write(&batch(&[(job(1), Some("old"))])).unwrap();
    let new = taken(&cluster.url(), LONG);
    assert!(!old.holds() && new.holds());
    assert_taken_over(old.write(&batch(&[(job(1), Some("late"))])));
    assert_eq!(all(&new), records("old"));
    new.write(&batch(&[(job(1), Some("new"))])).unwrap();
    assert_eq!(all(&new), records("new"));
    // Nothing more is asked of it, and what it would give back is another's.
    assert!(matches!(old.beat(), Err(StoreError::Closed)));
    old.release();
    assert!(new.holds() && shard(&cluster, "(owner IS NOT NULL)::int") == 1);
}

#[test]
fn a_commit_that_waited_behind_a_takeover_is_refused() {
    let cluster = Cluster::new(&[]);
    let old = taken(&cluster.url(), LONG);
    old.write(&batch(&[(job(1), Some("old"))])).unwrap();
    let mut other = cluster.psql();
    other.run("BEGIN");
    other.run("UPDATE dubhook.shard SET epoch = epoch + 1, beat = beat + 1, owner = 'other'");
    thread::scope(|scope| {
        let late = scope.spawn(|| old.write(&batch(&[(job(1), Some("late"))])));
        cluster.psql().wait_for_a_waiter();
        other.run("COMMIT");
        assert_taken_over(late.join().unwrap());
    });
    assert_eq!(batches(&cluster), 1);
}

#[test]
fn a_takeover_that_waited_behind_a_commit_is_refused() {
    let cluster = Cluster::new(&[]);
    // It lives, but is not heard of.
    let owner = taken(&cluster.url(), SHORT);
    let waiting = store(&cluster.url(), LONG);
    let mut commit = cluster.psql();
    commit.run("BEGIN");
    commit.run("SELECT FROM dubhook.shard WHERE epoch = 1 FOR UPDATE");
    commit.run("INSERT INTO dubhook.journal VALUES (0, 1, 0, '')");
    thread::scope(|scope| {
        let took = scope.spawn(|| {
            // It looks until it believes that the owner is gone, and then it waits for the row.
            loop {
                let epoch = shard(&cluster, "epoch");
                let pause = waiting.take().unwrap().expect("the owner lives");
                if batches(&cluster) > 0 {
                    return epoch;
                }
                thread::park_timeout(pause);
            }
        });
        cluster.psql().wait_for_a_waiter();
        commit.run("COMMIT");
        assert_eq!(took.join().unwrap(), 1);
    });
    assert_eq!(shard(&cluster, "epoch"), 1);
    drop(owner);
}

#[test]
fn a_torn_commit_holds_nobody_up_and_leaves_nothing() {
    let cluster = Cluster::new(&[]);
    let cable = Proxy::to(cluster.port);
    let old = taken(&cable.url(), SHORT);
    old.write(&batch(&[(job(1), Some("old"))])).unwrap();
    cable.tear(Some("commit"));
    thread::scope(|scope| {
        let torn = scope.spawn(|| old.write(&batch(&[(job(1), Some("torn"))])));
        // All of it but its end has come, so its session holds the row and waits for more.
        let new = taken(&cluster.url(), MIDDLING);
        assert_eq!(all(&new), records("old"));
        cable.tear(None);
        assert_taken_over(torn.join().unwrap());
        assert_eq!(all(&new), records("old"));
    });
}

#[test]
fn a_question_after_a_cut_that_is_torn_itself_holds_nobody_up() {
    let cluster = Cluster::new(&[]);
    let cable = Proxy::to(cluster.port);
    let old = taken(&cable.url(), SHORT);
    old.write(&batch(&[(job(1), Some("old"))])).unwrap();
    // What became of the batch is asked by a session of which the row does not say yet that it is the owner's.
    cable.tear(Some("beat"));
    cable.cut_after(0);
    thread::scope(|scope| {
        let cut = scope.spawn(|| old.write(&batch(&[(job(1), Some("cut"))])));
        cluster.psql().wait_for(
            "EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'dubhook' AND state = 'active'
             AND wait_event = 'ClientRead' AND query LIKE 'UPDATE%beat%')",
        );
        let new = taken(&cluster.url(), MIDDLING);
        cable.tear(None);
        assert_taken_over(cut.join().unwrap());
        assert_eq!(all(&new), records("old"));
    });
}

#[test]
fn a_store_that_is_given_back_is_free_at_once() {
    let cluster = Cluster::new(&[]);
    let old = taken(&cluster.url(), LONG);
    old.write(&batch(&[(job(1), Some("old"))])).unwrap();
    let waiting = store(&cluster.url(), LONG);
    assert!(waiting.take().unwrap().is_some());
    old.release();
    assert!(!old.holds());
    assert!(matches!(old.write(&batch(&[])), Err(StoreError::Closed)));
    assert_eq!(waiting.take().unwrap(), None);
    assert_eq!(all(&waiting), records("old"));
}

#[test]
fn what_was_acknowledged_and_is_gone_is_noticed_and_nobody_goes_on() {
    let cluster = Cluster::new(&[]);
    let owner = taken(&cluster.url(), LONG);
    for _ in 0..3 {
        owner.write(&batch(&[(job(1), Some("kept"))])).unwrap();
    }
    // As after a failover to a standby that had not heard of the last two.
    let _ = cluster.ask("DELETE FROM dubhook.journal WHERE batch > 1");
    let lost = |result: Result<(), StoreError>| match result {
        Err(StoreError::Forgotten {
            found: 1,
            written: 3,
            accept,
        }) => accept,
        other => panic!("{other:?}"),
    };
    let accept = lost(owner.write(&batch(&[(job(1), Some("more"))])));
    assert!(!owner.holds());
    assert_eq!(lost(take(&store(&cluster.url(), SHORT))), accept);
    let _ = cluster.ask(&accept);
    let next = taken(&cluster.url(), SHORT);
    assert_eq!(all(&next), records("kept"));
}

#[test]
fn a_copy_that_is_put_back_fences_who_still_runs() {
    let cluster = Cluster::new(&[]);
    let owner = taken(&cluster.url(), LONG);
    owner.write(&batch(&[(job(1), Some("kept"))])).unwrap();
    let _ = cluster.ask("UPDATE dubhook.shard SET epoch = epoch + 1000, owner = NULL");
    assert_taken_over(owner.beat_now());
    assert!(!owner.holds());
}

/// A beat that is not left out because there was a commit just now.
trait BeatNow {
    fn beat_now(&self) -> Result<(), StoreError>;
}

impl<S: Store> BeatNow for S {
    fn beat_now(&self) -> Result<(), StoreError> {
        self.write(&batch(&[]))
    }
}

#[test]
fn of_many_that_wait_one_takes_over() {
    let cluster = Cluster::new(&[]);
    let old = taken(&cluster.url(), SHORT);
    old.write(&batch(&[(job(1), Some("old"))])).unwrap();
    let waiting: Vec<_> = (0..4).map(|_| store(&cluster.url(), LONG)).collect();
    thread::scope(|scope| {
        for store in &waiting {
            scope.spawn(|| {
                while shard(&cluster, "epoch") == 1 && store.take().unwrap().is_some() {
                    thread::yield_now();
                }
            });
        }
    });
    assert_eq!(waiting.iter().filter(|store| store.holds()).count(), 1);
    assert_eq!(shard(&cluster, "epoch"), 2);
}
