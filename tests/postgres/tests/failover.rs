//! Real servers over a real database: one serves, another stands by, and the first one dies, sleeps or stops.

use dubhook_postgres_tests::{
    cluster::Cluster,
    proxy::Proxy,
    rig::{LEASE, LONG, Rig, ask, assert_stops, get, ready, settle, submit, unready},
};
use dubhook_tests::{
    arrivals::Arrivals,
    ledger::Ledger,
    wire::{Answer, Asker, Hearer},
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// What a server does until it is told otherwise.
const QUICK: &[&str] = &["--simulate", "20ms..400ms", "--simulate-errors", "0.2"];
const SLOW: &[&str] = &["--simulate", "1h..1h"];
/// What a takeover may take besides its lease and a tenth, on however busy a machine.
const BUSY: Duration = Duration::from_secs(20);

#[test]
fn an_owner_is_killed_and_everything_it_acknowledged_ends() {
    for (lease, time) in [
        (LEASE, Duration::from_secs(8)),
        ("12s", Duration::from_secs(12)),
    ] {
        let (cluster, rig) = (Cluster::new(&[]), Rig::new());
        let (first, owner) = rig.serve("owner", &cluster.url(), lease, QUICK);
        let (_second, standby) = rig.serve("standby", &cluster.url(), lease, QUICK);
        let hearer = Hearer::new();
        let (mut ledger, mut arrivals) = (Ledger::new(hearer.url()), Arrivals::default());
        ledger.register_main(&mut Asker::new(owner));
        submit(owner, &mut ledger, "before", 60);
        first.kill();
        let took = ready(standby);
        println!("killed with a lease of {lease}: the standby answers after {took:?}");
        assert!(took < time + time / 10 + BUSY, "{took:?}");
        submit(standby, &mut ledger, "after", 20);
        settle(standby, &mut ledger, &mut arrivals, &hearer);
    }
}

#[test]
fn an_owner_that_is_told_to_stop_hands_over_at_once() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    // Far longer than the test: who waited for it would be noticed.
    let (first, owner) = rig.serve("owner", &cluster.url(), LONG, QUICK);
    let (_second, standby) = rig.serve("standby", &cluster.url(), LONG, QUICK);
    let hearer = Hearer::new();
    let (mut ledger, mut arrivals) = (Ledger::new(hearer.url()), Arrivals::default());
    ledger.register_main(&mut Asker::new(owner));
    submit(owner, &mut ledger, "before", 30);
    let told = Instant::now();
    first.terminate();
    let (status, log) = first.wait();
    let ended = told.elapsed();
    assert_eq!(status.code(), Some(0), "{log}");
    let took = ready(standby);
    println!("told to stop: ended after {ended:?}, and the standby answers {took:?} later");
    settle(standby, &mut ledger, &mut arrivals, &hearer);
}

#[test]
fn an_owner_that_slept_past_its_lease_says_nothing_old() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (first, owner) = rig.serve("owner", &cluster.url(), LEASE, SLOW);
    let (_second, standby) = rig.serve("standby", &cluster.url(), LEASE, SLOW);
    let hearer = Hearer::new();
    let (mut ledger, mut arrivals) = (Ledger::new(hearer.url()), Arrivals::default());
    ledger.register_main(&mut Asker::new(owner));
    submit(owner, &mut ledger, "job", 8);
    let path = ledger.path(0).expect("a job");
    let mut kept: Vec<Asker> = (0..16).map(|_| Asker::new(owner)).collect();
    for asker in &mut kept {
        assert_ne!(asker.call("GET", &path, "").json()["status"], "canceled");
    }
    first.signal("STOP");
    let took = ready(standby);
    println!("asleep with a lease of {LEASE}: the standby answers after {took:?}");
    for place in 0..8 {
        let path = ledger.path(place).expect("a job");
        let canceled = ask(standby, "POST", &format!("{path}/cancel"), "").expect("an answer");
        assert_eq!(canceled.status, 200);
        ledger.ended(place, "canceled");
    }
    // They lie in its sockets when it wakes up.
    for asker in &mut kept {
        asker.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes());
    }
    let newcomers: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn({
                let path = path.clone();
                move || ask(owner, "GET", &path, "")
            })
        })
        .collect();
    first.signal("CONT");
    let mut told = 0;
    let mut check = |answer: Option<Answer>| {
        if let Some(answer) = answer {
            assert_eq!(
                answer.status,
                503,
                "it said {:?}",
                String::from_utf8_lossy(&answer.body)
            );
            told += 1;
        }
    };
    for mut asker in kept {
        check(asker.try_call("GET", "/v1/translations", "", "").ok());
    }
    for newcomer in newcomers {
        check(newcomer.join().expect("an answer or none"));
    }
    println!("{told} of 20 were told to ask again, the others were cut");
    let (status, log) = first.wait();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("another server has taken over"), "{log}");
    settle(standby, &mut ledger, &mut arrivals, &hearer);
}

#[test]
fn an_owner_that_slept_for_less_than_its_lease_goes_on() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (first, owner) = rig.serve("owner", &cluster.url(), "20s", QUICK);
    let (_second, standby) = rig.serve("standby", &cluster.url(), "20s", QUICK);
    let hearer = Hearer::new();
    let (mut ledger, mut arrivals) = (Ledger::new(hearer.url()), Arrivals::default());
    ledger.register_main(&mut Asker::new(owner));
    submit(owner, &mut ledger, "before", 20);
    first.signal("STOP");
    assert_eq!(get(standby, "/readyz").status, 503);
    first.signal("CONT");
    submit(owner, &mut ledger, "after", 20);
    settle(owner, &mut ledger, &mut arrivals, &hearer);
    assert_eq!(get(standby, "/readyz").status, 503);
}

#[test]
fn an_owner_whose_link_to_the_database_stalls_is_replaced_and_says_so() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let cable = Proxy::to(cluster.port);
    let (first, owner) = rig.serve("owner", &cable.url(), LEASE, QUICK);
    let (_second, standby) = rig.serve("standby", &cluster.url(), LEASE, QUICK);
    let hearer = Hearer::new();
    let (mut ledger, mut arrivals) = (Ledger::new(hearer.url()), Arrivals::default());
    ledger.register_main(&mut Asker::new(owner));
    submit(owner, &mut ledger, "before", 20);
    cable.stall(true);
    unready(owner);
    assert_eq!(get(owner, "/healthz").status, 200);
    let took = ready(standby);
    println!(
        "link stalled with a lease of {LEASE}: the standby answers {took:?} after the owner fell silent"
    );
    submit(standby, &mut ledger, "after", 20);
    cable.stall(false);
    let (status, log) = first.wait();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("another server has taken over"), "{log}");
    settle(standby, &mut ledger, &mut arrivals, &hearer);
}

#[test]
fn a_database_that_is_away_for_longer_than_the_lease_finds_its_owner_waiting() {
    let (mut cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (_first, owner) = rig.serve("owner", &cluster.url(), LEASE, QUICK);
    let hearer = Hearer::new();
    let (mut ledger, mut arrivals) = (Ledger::new(hearer.url()), Arrivals::default());
    ledger.register_main(&mut Asker::new(owner));
    submit(owner, &mut ledger, "before", 20);
    cluster.kill();
    unready(owner);
    assert_eq!(get(owner, "/healthz").status, 200);
    assert_eq!(get(owner, "/v1/translations").status, 503);
    cluster.start();
    let took = ready(owner);
    println!("database killed and started again: the same owner answers {took:?} after that");
    submit(owner, &mut ledger, "after", 20);
    settle(owner, &mut ledger, &mut arrivals, &hearer);
    let log = rig.logged("owner");
    assert_eq!(log.matches("owns the records").count(), 1, "{log}");
    assert!(
        log.contains("the database does not answer") && log.contains("the database answers again"),
        "{log}"
    );
}

#[test]
fn a_server_stops_though_its_database_does_not_answer() {
    let (mut cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (first, owner) = rig.serve("owner", &cluster.url(), LEASE, QUICK);
    let (second, standby) = rig.serve("standby", &cluster.url(), LEASE, QUICK);
    assert_eq!(get(owner, "/readyz").status, 200);
    cluster.kill();
    unready(owner);
    assert_eq!(get(standby, "/healthz").status, 200);
    assert_stops(second);
    assert_stops(first);
}

#[test]
fn a_primary_is_lost_and_its_promoted_standby_finds_the_same_owner() {
    let (mut primary, rig) = (Cluster::new(&[]), Rig::new());
    let replica = Cluster::standby_of(&primary);
    let _ = primary.ask("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
    let _ = primary.ask("SELECT pg_reload_conf()");
    primary
        .psql()
        .wait_for("EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')");
    let url = format!(
        "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/postgres",
        primary.port, replica.port
    );
    let (_first, owner) = rig.serve("owner", &url, LEASE, QUICK);
    let (_second, standby) = rig.serve("standby", &url, LEASE, QUICK);
    let hearer = Hearer::new();
    let (mut ledger, mut arrivals) = (Ledger::new(hearer.url()), Arrivals::default());
    ledger.register_main(&mut Asker::new(owner));
    submit(owner, &mut ledger, "before", 40);
    primary.kill();
    // Longer than the lease: whoever stands by could not see a sign of life either.
    unready(owner);
    thread::park_timeout(Duration::from_secs(2));
    replica.promote();
    let promoted = Instant::now();
    submit(owner, &mut ledger, "after", 1);
    println!(
        "primary lost: a job is accepted {:?} after the promotion",
        promoted.elapsed()
    );
    submit(owner, &mut ledger, "later", 20);
    settle(owner, &mut ledger, &mut arrivals, &hearer);
    assert_eq!(get(standby, "/readyz").status, 503);
    let log = rig.logged("owner");
    assert_eq!(log.matches("owns the records").count(), 1);
    // The new primary waits for nobody.
    assert_eq!(
        log.matches("synchronous_standby_names is empty").count(),
        1,
        "{log}"
    );
}
