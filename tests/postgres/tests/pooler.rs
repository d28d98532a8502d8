//! A pooler between a server and its database: one that pools by session is as good as none, any other is refused.

use dubhook_postgres_tests::{
    cluster::Cluster,
    pooler::Pooler,
    records::{all, batch, job, shard, store, take, taken},
};
use dubhook_smol::store::Store;
use std::time::Duration;

/// Longer than a busy machine stalls.
const LEASE: Duration = Duration::from_secs(8);

#[test]
fn a_pooler_that_gives_sessions_away_is_refused() {
    let cluster = Cluster::new(&[]);
    for mode in ["transaction", "statement"] {
        let pooler = Pooler::before(&cluster, mode);
        let error = take(&store(&pooler.url(), LEASE)).expect_err("it is refused");
        assert!(error.to_string().contains("pool_mode = session"), "{error}");
    }
    let made = "SELECT 1 FROM pg_namespace WHERE nspname = 'dubhook'";
    assert!(cluster.ask(made).is_empty());
}

#[test]
fn servers_share_records_through_a_pooler_that_keeps_sessions() {
    let cluster = Cluster::new(&[]);
    let pooler = Pooler::before(&cluster, "session");
    let owner = taken(&pooler.url(), LEASE);
    let standby = store(&pooler.url(), LEASE);
    assert!(standby.take().unwrap().is_some());
    for value in ["one", "other"] {
        owner.write(&batch(&[(job(1), Some(value))])).unwrap();
        owner.beat().unwrap();
    }
    assert!(standby.take().unwrap().is_some());
    // It falls silent.
    take(&standby).unwrap();
    assert_eq!(all(&standby)[&job(1)], b"other");
    assert!(owner.write(&batch(&[(job(1), Some("late"))])).is_err());
    assert_eq!(shard(&cluster, "epoch"), 2);
    standby.release();
}
