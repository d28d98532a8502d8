//! A server that is stopped for longer than its lease and still has the records: what has come meanwhile counts.

use dubhook_postgres_tests::{
    cluster::Cluster,
    proxy::Proxy,
    records::{shard, store},
};
use dubhook_tests::own_process::{self, Process};
use std::time::Duration;

/// Much shorter than the pause.
const LEASE: Duration = Duration::from_secs(2);

#[test]
fn what_workers_have_said_while_a_server_was_stopped_counts() {
    if let Some(url) = own_process::store() {
        own_process::serve(|server| server.store(store(&url, LEASE)));
    }
    let cluster = Cluster::new(&[]);
    let server = Process::start(
        "what_workers_have_said_while_a_server_was_stopped_counts",
        &cluster.url(),
    );
    server.assert_what_was_reported_counts();
    assert_eq!(shard(&cluster, "epoch"), 1);
}

#[test]
fn a_database_that_was_away_for_long_costs_no_worker_its_job() {
    if let Some(url) = own_process::store() {
        own_process::serve(|server| server.store(store(&url, LEASE)));
    }
    let cluster = Cluster::new(&[]);
    let cable = Proxy::to(cluster.port);
    let server = Process::start(
        "a_database_that_was_away_for_long_costs_no_worker_its_job",
        &cable.url(),
    );
    server.assert_whoever_was_not_heard_is_spared(|is_away| cable.cut(is_away));
    assert_eq!(shard(&cluster, "epoch"), 1);
}
