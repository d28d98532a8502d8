//! Every write of a workload goes wrong in turn, in every way, and what was said must still be true after a restart.
//!
//! The machine runs in virtual time over a disk in memory that fails on command: it is full, it loses what was not synced,
//! it tears a batch, or it says that a sync failed which did not. The server ends at the first failure, as the runtime does,
//! and starts again on what is there. Held: what was accepted exists (S1), an ending is one and final (S2), it is told or
//! still owed (S3), nothing leaves before it is durable (S9), and recovery is deterministic and changes nothing when it is
//! done again (S13). That what the store holds is damaged is never silent (S14).

mod disk;
mod world;

use disk::{Crash, Disk, Fault};
use dubhook_core::{
    random::Random,
    record::{Keep, Key, Table},
    server::Server,
    service::{Report, RestoreError},
};
use dubhook_tests::{
    arrivals::Arrivals,
    ledger::{Ask, Ledger, Sent},
    machine::{Records, at, config},
};
use std::collections::BTreeMap;
use world::{Memory, World};

const URL: &str = "http://127.0.0.1:3120/hook";
/// Longer than the longest pause between two of the first attempts.
const LONG_MS: u64 = 10 * 60_000;

/// What a caller or a worker does.
#[derive(Debug, Clone, Copy)]
enum Step {
    Submit,
    Cancel,
    Register,
    Remove,
    Start,
    Report(Report<'static>),
    Pass(u64),
}

fn steps() -> Vec<Step> {
    use Step::{Cancel, Pass, Register, Remove, Start, Submit};
    let done = Step::Report(Report::Completed("file:///out.mp4"));
    let failed = Step::Report(Report::Failed("No sound."));
    let progress = Step::Report(Report::Progress(40));
    [
        &[Submit, Start, progress, done, Pass(10)][..],
        &[Register, Submit, Submit, Start, Start, failed, done],
        &[Submit, Cancel, Register, Submit, Start, Cancel, Pass(6_000)],
        &[Register, Register, Submit, Start, progress, Remove, done],
        &[Submit, Start, Pass(10), progress, progress, Submit, Remove],
        &[Start, done, done, Submit, Cancel, Pass(LONG_MS), Submit],
        &[Start, failed, Remove, Submit, Start, progress, Submit],
    ]
    .concat()
}

/// What is known on the outside, whatever happens inside.
struct Outside {
    ledger: Ledger,
    arrivals: Arrivals,
    random: Random,
    /// What requests that wait for an answer were about.
    asked: BTreeMap<usize, Asked>,
}

enum Asked {
    Job(usize),
    Cancel(usize),
    Hook(String),
    Removal(String),
}

impl Outside {
    fn new() -> Self {
        Self {
            ledger: Ledger::new(URL.to_owned()),
            arrivals: Arrivals::default(),
            random: Random::new([3; 32]),
            asked: BTreeMap::new(),
        }
    }

    /// Does a step, lets a turn pass, and takes note of what came out.
    fn step(&mut self, world: &mut World<'_>, number: usize, step: Step) -> Result<(), Crash> {
        let mut passed = Ok(());
        match step {
            Step::Submit => {
                let sent = Sent::new(format!("key-{number}"), number.is_multiple_of(2));
                let place = self.ledger.add(sent);
                let request = self.ledger.request(place);
                let tag = world.begin("POST", "/v1/translations", &request.fields, &request.body);
                self.asked.insert(tag, Asked::Job(place));
            }
            Step::Cancel => {
                if let Some(place) = self.ledger.recent(&mut self.random)
                    && let Some(path) = self.ledger.path(place)
                {
                    let tag = world.begin("POST", &format!("{path}/cancel"), "", "");
                    self.asked.insert(tag, Asked::Cancel(place));
                }
            }
            Step::Register => {
                let name = format!("hook-{number}");
                let body = self.ledger.registration(&name);
                let tag = world.begin("POST", "/v1/webhooks", "", &body);
                self.asked.insert(tag, Asked::Hook(name));
            }
            Step::Remove => {
                if let Some(id) = self.ledger.begin_removal(&mut self.random) {
                    let tag = world.begin("DELETE", &format!("/v1/webhooks/{id}"), "", "");
                    self.asked.insert(tag, Asked::Removal(id));
                }
            }
            Step::Start => _ = world.start_job(),
            Step::Report(report) => world.report(report),
            Step::Pass(ms) => passed = world.pass(ms),
        }
        let turned = passed.and_then(|()| world.turn());
        self.note(world);
        turned
    }

    /// Takes note of what came out, none of which may have been said before it was durable.
    fn note(&mut self, world: &mut World<'_>) {
        self.arrivals.extend(world.told.drain(..));
        while let Some((tag, answer)) = world.answered.pop_front() {
            match self.asked.remove(&tag).expect("a request of ours") {
                Asked::Job(place) => {
                    let job = answer.json();
                    let id = job["id"].as_str().expect("an id");
                    assert!(world.durable_sequence(id) >= job["sequence"].as_u64());
                    self.ledger.accepted(place, &answer);
                }
                Asked::Cancel(place) => {
                    assert!([200, 409].contains(&answer.status), "{answer:?}");
                    if answer.status == 200 {
                        let job = answer.json();
                        let id = job["id"].as_str().expect("an id");
                        assert!(world.durable_sequence(id) >= job["sequence"].as_u64());
                        self.ledger.ended(place, "canceled");
                    }
                }
                Asked::Hook(name) => {
                    assert_eq!(answer.status, 201, "{answer:?}");
                    let id = answer.json()["id"].as_str().expect("an id").to_owned();
                    assert!(world.durable_endpoint(&id));
                    self.ledger.registered(id, name);
                }
                Asked::Removal(id) => {
                    assert_eq!(answer.status, 204, "{answer:?}");
                    assert!(!world.durable_endpoint(&id));
                    self.ledger.removed(&id);
                }
            }
        }
    }

    /// Lets everything that is owed come, and holds the server to all of it.
    fn settle(&mut self, world: &mut World<'_>) {
        self.ledger.register_main(world);
        self.arrivals.extend(world.told.drain(..));
        self.ledger.check(world, &self.arrivals, usize::MAX);
        self.arrivals.extend(world.told.drain(..));
        for _ in 0..1_000 {
            if self.ledger.owed(&self.arrivals).is_none() {
                break;
            }
            while world.start_job() {
                world.report(Report::Completed("file:///again.mp4"));
            }
            world.pass(LONG_MS).expect("a disk that works");
            self.arrivals.extend(world.told.drain(..));
        }
        assert_eq!(self.ledger.owed(&self.arrivals), None);
        self.ledger.check(world, &self.arrivals, usize::MAX);
        self.ledger.check_nothing_else(world, &self.arrivals);
    }
}

/// Runs the workload with these faults, to the first crash and on from there. Returns how many writes the workload made.
fn run(faults: &[(usize, Fault)], latency: usize) -> usize {
    // Shown where it fails.
    println!("{faults:?}, latency {latency}");
    let mut disk = Disk::default();
    disk.faults = faults.to_vec();
    let mut outside = Outside::new();
    let mut now = at(0);
    let mut life = 0;
    let (mut crashed, writes) = live(&mut disk, &mut outside, latency, &mut now);
    while crashed {
        life += 1;
        assert!(
            life <= faults.len(),
            "it crashed more often than it was made to"
        );
        now = at(now.instant.as_ms() + 1_000);
        outside.asked.clear();
        let mut memory = Box::new(Memory::new());
        let mut world = World::start(&mut memory, &mut disk, life as u8, now);
        crashed = world.turn().is_err();
        outside.note(&mut world);
        // A recovery that had nothing to write meets its fault later.
        while !crashed
            && world
                .disk
                .faults
                .iter()
                .any(|(write, _)| *write > world.disk.writes)
        {
            crashed = outside
                .step(&mut world, 100 + life, Step::Register)
                .is_err();
        }
        if !crashed {
            outside.settle(&mut world);
        }
    }
    check_recovery_again(&mut disk, now);
    writes
}

/// The first life: the whole workload, or what of it there is before the crash. Whether there was one, and how many writes
/// there were.
fn live(
    disk: &mut Disk,
    outside: &mut Outside,
    latency: usize,
    now: &mut dubhook_core::time::Now,
) -> (bool, usize) {
    let mut memory = Box::new(Memory::new());
    let mut world = World::start(&mut memory, disk, 0, *now);
    world.latency = latency;
    let body = format!(r#"{{"url":"{URL}"}}"#);
    let crashed = match world.ask("POST", "/v1/webhooks", "", &body) {
        None => true,
        Some(answer) => {
            outside.ledger.registered_main(&answer);
            let mut steps = steps().into_iter().enumerate();
            steps.any(|(number, step)| outside.step(&mut world, number, step).is_err())
        }
    };
    let writes = world.disk.writes;
    if !crashed {
        outside.settle(&mut world);
    }
    *now = world.now;
    (crashed, writes)
}

/// Recovering from what a recovery wrote changes nothing.
fn check_recovery_again(disk: &mut Disk, now: dubhook_core::time::Now) {
    let mut records = [Records::new(), Records::new()];
    for records in &mut records {
        let mut memory = Box::new(Memory::new());
        let mut world = World::start(&mut memory, disk, 9, now);
        while world.server.has_unsaved() {
            world.turn().expect("a disk that works");
        }
        records.clone_from(&world.disk.records);
    }
    assert_eq!(records[0], records[1]);
}

#[test]
fn the_workload_runs_where_nothing_fails() {
    for latency in [0, 1, 3] {
        let writes = run(&[], latency);
        assert!((12..=200).contains(&writes), "{writes} writes");
    }
}

#[test]
fn every_write_may_fail_in_every_way() {
    for latency in [0, 2] {
        let writes = run(&[], latency);
        for write in 1..=writes {
            for fault in [
                Fault::Full,
                Fault::Unsynced,
                Fault::Torn(500),
                Fault::Torn(1_000),
                Fault::Kept,
            ] {
                run(&[(write, fault)], latency);
            }
        }
    }
}

#[test]
fn a_recovery_may_fail_as_well() {
    let writes = run(&[], 1);
    for write in 1..=writes {
        for fault in [Fault::Full, Fault::Torn(700), Fault::Kept] {
            run(
                &[
                    (write, Fault::Unsynced),
                    (write + 1, fault),
                    (write + 2, fault),
                ],
                1,
            );
        }
    }
}

#[test]
fn a_restart_does_not_count_against_a_job() {
    let mut disk = Disk::default();
    let mut outside = Outside::new();
    let lives = 3 * config().service.attempts_max;
    for life in 0..lives {
        let mut memory = Box::new(Memory::new());
        let mut world = World::start(&mut memory, &mut disk, life, at(u64::from(life) * 1_000));
        if life == 0 {
            outside.ledger.register_main(&mut world);
            outside.step(&mut world, 0, Step::Submit).expect("no fault");
        }
        outside.step(&mut world, 0, Step::Start).expect("no fault");
        outside
            .step(&mut world, 0, Step::Pass(10))
            .expect("no fault");
        if life == lives - 1 {
            let done = Step::Report(Report::Completed("file:///out.mp4"));
            outside.step(&mut world, 0, done).expect("no fault");
            outside.settle(&mut world);
            let job = world.call("GET", "/status", "").json();
            assert_eq!(job["status"], "completed");
        }
    }
}

/// The records of the workload, in the middle of things.
fn records() -> Records {
    let mut disk = Disk::default();
    let mut outside = Outside::new();
    let mut memory = Box::new(Memory::new());
    let mut world = World::start(&mut memory, &mut disk, 0, at(0));
    outside.ledger.register_main(&mut world);
    for (number, step) in steps().into_iter().enumerate().take(28) {
        outside.step(&mut world, number, step).expect("no fault");
    }
    disk.recover()
}

fn restore(records: &Records) -> Result<(), RestoreError> {
    let mut memory = Box::new(Memory::new());
    let mut server = Server::new(memory.lend(Keep::Records), config(), [1; 32]).unwrap();
    for (key, value) in records {
        server.restore(at(0), *key, value)?;
    }
    server.start(at(0))?;
    assert_eq!(server.service().audit(), Ok(()));
    Ok(())
}

#[test]
fn records_that_are_cut_or_of_nobody_are_refused() {
    let records = records();
    assert_eq!(restore(&records), Ok(()));
    let tables = records.keys().map(|key| key.table as u8);
    assert_eq!(
        tables.collect::<std::collections::BTreeSet<_>>(),
        Table::ALL.map(|table| table as u8).into(),
        "of each kind there is one"
    );
    for (key, value) in &records {
        // What format 2 has more: of how many bytes that is, a record that is cut by them is of format 1.
        let more = match key.table {
            // How long the machine had run when it ended; or the lease under which a worker has it.
            Table::State if !value.ends_with(&[0; 4]) => 4,
            Table::State | Table::Key => 8,
            // Three numbers, and the four secrets that were replaced, of which there is none.
            Table::Endpoint => 4 + 8 + 8 + 1 + 4 * (2 + 8),
            _ => 0,
        };
        let of_format_1 = value.len() - more;
        for len in (0..value.len()).filter(|len| *len != of_format_1) {
            let mut cut = records.clone();
            cut.insert(*key, value[..len].to_vec());
            assert!(restore(&cut).is_err(), "{key:?} cut to {len}");
        }
        let mut longer = records.clone();
        longer.entry(*key).or_default().push(0);
        // The service's own record may grow in a later version of the same form.
        assert!(restore(&longer).is_err() || key.table == Table::Meta);
        let mut elsewhere = records.clone();
        let slot = 1_000_000;
        elsewhere.insert(Key { slot, ..*key }, value.clone());
        let refused = restore(&elsewhere);
        assert!(refused.is_err() || key.table == Table::Meta, "{key:?}");
    }
    for missing in records.keys().filter(|key| key.table == Table::Job) {
        let mut fewer = records.clone();
        fewer.remove(missing);
        assert!(restore(&fewer).is_err(), "{missing:?} is missing");
    }
}
