//! What goes wrong around a database, over real servers: its links, its disk, the calendar, and copies that are put back.

use dubhook_postgres_tests::{
    cluster::{Cluster, own, program},
    proxy::Proxy,
    psql::Psql,
    records::shard,
    rig::{LEASE, Rig, ask, assert_stops, get, ready, settle, submit, unready, wait_until},
};
use dubhook_tests::{
    arrivals::Arrivals,
    ledger::Ledger,
    program::Program,
    wire::{Asker, Hearer},
};
use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    thread,
};

const QUICK: &[&str] = &["--simulate", "20ms..400ms", "--simulate-errors", "0.2"];
const SLOW: &[&str] = &["--simulate", "1h..1h"];
/// What an operator runs after a copy was put back.
const PUT_BACK: &str = "UPDATE dubhook.shard SET epoch = epoch + 1000, owner = NULL, lost = NULL";

/// What was said to a server, and what it told.
struct Told {
    hearer: Hearer,
    ledger: Ledger,
    arrivals: Arrivals,
}

impl Told {
    fn new(owner: SocketAddr) -> Self {
        let hearer = Hearer::new();
        let mut ledger = Ledger::new(hearer.url());
        ledger.register_main(&mut Asker::new(owner));
        Self {
            hearer,
            ledger,
            arrivals: Arrivals::default(),
        }
    }

    fn submit(&mut self, address: SocketAddr, name: &str, jobs: usize) {
        submit(address, &mut self.ledger, name, jobs);
    }

    fn settle(mut self, address: SocketAddr) {
        settle(address, &mut self.ledger, &mut self.arrivals, &self.hearer);
    }
}

#[test]
fn a_link_that_is_silent_in_one_direction_or_cut_costs_the_lease_and_nothing_else() {
    let faults = [Proxy::deafen, Proxy::mute, Proxy::cut];
    let names = [
        "questions are held back",
        "answers are held back",
        "it is cut",
    ];
    for (what, fault) in names.into_iter().zip(faults) {
        let (cluster, rig) = (Cluster::new(&[]), Rig::new());
        let cable = Proxy::to(cluster.port);
        let (first, owner) = rig.serve("owner", &cable.url(), LEASE, QUICK);
        let (_second, standby) = rig.serve("standby", &cluster.url(), LEASE, QUICK);
        let mut told = Told::new(owner);
        told.submit(owner, "before", 10);
        fault(&cable, true);
        unready(owner);
        let took = ready(standby);
        println!("{what}: the standby answers {took:?} after the owner fell silent");
        told.submit(standby, "after", 10);
        fault(&cable, false);
        let (status, log) = first.wait();
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains("another server has taken over"), "{log}");
        told.settle(standby);
    }
}

#[test]
fn a_link_that_was_cut_for_less_than_the_lease_costs_nothing() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let cable = Proxy::to(cluster.port);
    let (_first, owner) = rig.serve("owner", &cable.url(), "20s", QUICK);
    let mut told = Told::new(owner);
    told.submit(owner, "before", 10);
    cable.cut(true);
    wait_until("it notices", || {
        rig.logged("owner").contains("the database does not answer")
    });
    assert_eq!(get(owner, "/readyz").status, 200);
    cable.cut(false);
    told.submit(owner, "after", 10);
    told.settle(owner);
    assert_eq!(rig.logged("owner").matches("owns the records").count(), 1);
}

/// Fills the journal with somebody else's rows, until not one more fits.
fn fill(psql: &mut Psql) {
    const ROWS: &str = "SELECT count(*) FROM dubhook.journal WHERE shard = 1";
    let mut from = 1;
    for (rows, bytes) in [(20, 1_500), (20, 100), (1, 100)] {
        let mut before = Vec::new();
        loop {
            let until = from + rows - 1;
            psql.run(&format!(
                "INSERT INTO dubhook.journal SELECT 1, n, 0, decode(repeat('ab', {bytes}), 'hex')
                 FROM generate_series({from}, {until}) n"
            ));
            let now = psql.run(ROWS);
            if now == before {
                break;
            }
            (before, from) = (now, until + 1);
        }
    }
}

#[test]
fn a_database_whose_disk_is_full_is_waited_for_and_nothing_is_lost() {
    let (cluster, rig) = (Cluster::on_a_small_disk(), Rig::new());
    let (_first, owner) = rig.serve("owner", &cluster.url(), LEASE, QUICK);
    let mut told = Told::new(owner);
    told.submit(owner, "before", 20);
    fill(&mut cluster.psql());
    thread::scope(|scope| {
        let submits = scope.spawn(|| {
            told.submit(owner, "while", 60);
            told
        });
        wait_until("it notices", || {
            rig.logged("owner").contains("could not extend file")
        });
        // What it knows it says, since it goes on to be the owner; and that nothing can be written is in its figures.
        assert_eq!(get(owner, "/v1/translations").status, 200);
        wait_until("it says so", || {
            let figures = String::from_utf8(get(owner, "/metrics").body).expect("text");
            figures.contains("\ndubhook_store_up 0\n")
        });
        // Where that lasts, whoever asks is sent elsewhere.
        unready(owner);
        let ready = get(owner, "/readyz");
        assert_eq!(
            (ready.status, &ready.json()["code"]),
            (503, &"store_stuck".into())
        );
        assert_eq!(
            ask(owner, "HEAD", "/readyz", "").map(|head| head.status),
            Some(503)
        );
        assert_eq!(get(owner, "/v1/translations").status, 200);
        let figures = String::from_utf8(get(owner, "/metrics").body).expect("text");
        let stuck = figures
            .lines()
            .find_map(|line| line.strip_prefix("dubhook_store_stuck_seconds "));
        assert!(
            stuck.is_some_and(|stuck| stuck.parse::<f64>().is_ok_and(|stuck| stuck >= 1.0)),
            "{figures}"
        );
        assert!(figures.contains("\ndubhook_store_up 0\n"), "{figures}");
        // There is room again, and it goes on by itself.
        let _ = cluster.ask("DELETE FROM dubhook.journal WHERE shard = 1");
        let _ = cluster.ask("VACUUM dubhook.journal");
        submits.join().expect("they are accepted").settle(owner);
    });
    let log = rig.logged("owner");
    assert_eq!(log.matches("owns the records").count(), 1, "{log}");
    // It is said once, and not with each beat that still succeeds.
    assert_eq!(
        log.matches("the database does not answer").count(),
        1,
        "{log}"
    );
    assert_eq!(
        log.matches("the database answers again").count(),
        1,
        "{log}"
    );
    assert_eq!(get(owner, "/readyz").status, 200);
}

/// A library that sets a program's calendar back by a day while there is a file of this name.
const CALENDAR: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(clock, at);
    if (clock == CLOCK_REALTIME && access(getenv("SET_BACK"), F_OK) == 0) at->tv_sec -= 86400;
    return done;
}
"#;

#[test]
fn a_calendar_that_is_set_back_costs_nobody_the_records() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let [source, library, back] = ["calendar.c", "calendar.so", "back"].map(|name| rig.log(name));
    fs::write(&source, CALENDAR).expect("a file");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status();
    assert!(built.expect("a compiler").success());
    let path = |path: &Path| path.to_str().expect("a path").to_owned();
    let (library, set_back) = (path(&library), path(&back));
    let variables = [("LD_PRELOAD", library.as_str()), ("SET_BACK", &set_back)];
    let serve = |name: &str| {
        let url = cluster.url();
        let arguments = [&["--store", &url, "--lease", LEASE, "--verbose"], QUICK].concat();
        let mut program = Program::serve_with(&arguments, &variables, &rig.log(name));
        let address = program.address();
        (program, address)
    };
    let (_first, owner) = serve("owner");
    let (_second, standby) = serve("standby");
    let mut told = Told::new(owner);
    told.submit(owner, "before", 10);
    fs::write(&back, "").expect("a file");
    // For two leases and more.
    let until = shard(&cluster, "beat") + 9;
    wait_until("it beats", || shard(&cluster, "beat") >= until);
    told.submit(owner, "after", 10);
    assert_eq!(get(owner, "/readyz").status, 200);
    assert_eq!(get(standby, "/readyz").status, 503);
    fs::remove_file(&back).expect("it is there");
    told.settle(owner);
    assert_eq!(shard(&cluster, "epoch"), 1);
    let days: BTreeSet<String> = rig
        .logged("owner")
        .lines()
        .filter_map(|line| line.split_once('T').map(|(day, _)| day.to_owned()))
        .collect();
    assert!(days.len() > 1, "its calendar was not set back: {days:?}");
}

/// Copies a database as SQL, and puts that into another one.
fn dump(cluster: &Cluster, from: &str, to: &str) {
    let port = cluster.port.to_string();
    let place = ["-h", "127.0.0.1", "-U", "postgres", "-p", port.as_str()];
    let mut dump = program("pg_dump")
        .args(place)
        .args(["--schema=dubhook", from])
        .stdout(Stdio::piped())
        .spawn()
        .expect("pg_dump");
    let put = program("psql")
        .args(place)
        .args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", to])
        .stdin(dump.stdout.take().expect("its output"))
        .stdout(Stdio::null())
        .status();
    assert!(put.expect("psql").success());
    assert!(dump.wait().expect("its end").success());
}

#[test]
fn a_dump_that_is_put_into_another_database_is_whole() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (first, owner) = rig.serve("owner", &cluster.url(), LEASE, SLOW);
    let mut told = Told::new(owner);
    told.submit(owner, "before", 30);
    // It is in use meanwhile, and what is not folded yet is copied as well.
    let _ = cluster.ask("CREATE DATABASE copy");
    dump(&cluster, "postgres", "copy");
    let copy = format!("postgres://postgres@127.0.0.1:{}/copy", cluster.port);
    let count = |answer: serde_json::Value| answer["data"].as_array().map(Vec::len);
    let there = count(get(owner, "/v1/translations?limit=100").json());
    let _ = program("psql")
        .args([
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-p",
            &cluster.port.to_string(),
            "-d",
            "copy",
            "-qc",
            PUT_BACK,
        ])
        .status();
    let (second, other) = rig.serve("copy", &copy, LEASE, SLOW);
    ready(other);
    assert_eq!(
        count(get(other, "/v1/translations?limit=100").json()),
        there
    );
    assert_eq!(there, Some(30));
    // Each has records of its own from here on.
    assert_eq!(get(owner, "/readyz").status, 200);
    assert_stops(second);
    assert_stops(first);
}

#[test]
fn a_copy_that_is_put_back_under_a_server_that_runs_ends_it_and_what_is_missing_is_said() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (first, owner) = rig.serve("owner", &cluster.url(), LEASE, SLOW);
    let mut told = Told::new(owner);
    told.submit(owner, "before", 10);
    let _ = cluster.ask("CREATE DATABASE copy");
    dump(&cluster, "postgres", "copy");
    told.submit(owner, "lost", 10);
    let _ = cluster.ask("DROP SCHEMA dubhook CASCADE");
    dump(&cluster, "copy", "postgres");
    // It knows of more than there is.
    let (status, log) = first.wait();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(
        log.contains("the database has lost what it had acknowledged"),
        "{log}"
    );
    // Before another one is started on it.
    let _ = cluster.ask(PUT_BACK);
    let (_second, other) = rig.serve("second", &cluster.url(), LEASE, SLOW);
    ready(other);
    let jobs = get(other, "/v1/translations?limit=100").json();
    assert_eq!(jobs["data"].as_array().map(Vec::len), Some(10));
}

#[test]
fn a_database_that_is_brought_back_to_a_moment_has_what_there_was_then() {
    let rig = Rig::new();
    let archive = tempfile::tempdir().expect("a folder");
    own(archive.path());
    let to = archive.path().display();
    let (log, copy) = (
        "wal_level = replica\narchive_mode = on",
        format!("archive_command = 'cp %p {to}/%f'"),
    );
    let cluster = Cluster::new(&[log, &copy]);
    let (first, owner) = rig.serve("owner", &cluster.url(), LEASE, SLOW);
    let mut told = Told::new(owner);
    told.submit(owner, "copied", 5);
    let backup = cluster.back_up();
    told.submit(owner, "logged", 5);
    let _ = cluster.ask("SELECT pg_create_restore_point('then')");
    told.submit(owner, "later", 5);
    assert_stops(first);
    let _ = cluster.ask("SELECT pg_switch_wal()");
    cluster.psql().wait_for(
        "(SELECT last_archived_wal IS NOT NULL AND failed_count = 0 FROM pg_stat_archiver)",
    );
    let last = cluster.ask("SELECT pg_walfile_name(pg_current_wal_lsn() - 1)");
    wait_until("its log is archived", || {
        fs::exists(archive.path().join(&last[0])).is_ok_and(|there| there)
    });
    drop(cluster);
    let fetch = format!("restore_command = 'cp {to}/%f %p'");
    let back = Cluster::put_back(
        backup,
        &[
            "archive_mode = off",
            &fetch,
            "recovery_target_name = 'then'\nrecovery_target_action = promote",
        ],
    );
    back.psql().wait_for("NOT pg_is_in_recovery()");
    let _ = back.ask(PUT_BACK);
    let (_second, other) = rig.serve("second", &back.url(), LEASE, SLOW);
    ready(other);
    for place in 0..15 {
        let path = told.ledger.path(place).expect("a job");
        let found = ask(other, "GET", &path, "").expect("an answer").status;
        assert_eq!(found, if place < 10 { 200 } else { 404 }, "job {place}");
    }
}
