//! A service beside its model: commands go to both, and every difference is a panic that says what is wrong.
//!
//! A [`Rig`] is the world around the service: the disk, the batches on their way to it, the receivers, the clock. It
//! lives on when the service crashes.

mod attempt;
mod command;
mod heal;
mod op;

pub use op::{Op, Reply};

use crate::{
    dump::{dump, listed},
    machine::{Records, START_UNIX_MS},
    model::{Debt, Model, Standing, Step, Target},
    tables::{Sizes, Tables},
};
use dubhook_core::{
    dispatch::{AttemptId, OutboxLimits, Schedule},
    event::{Event, Kind},
    id::Id,
    job::Status,
    record::{self, Key},
    server::{Config, Input, Output, Ready, Server},
    service::Limits,
    signature::Secret,
    time::{Instant, Now, Timestamp},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Records, and those that are deleted.
type Changes = Vec<(Key, Option<Vec<u8>>)>;

/// A batch on its way to the disk.
#[derive(Debug)]
struct Batch {
    batch: record::Batch,
    changes: Changes,
    model: Model,
}

/// An attempt whose receiver has not answered.
#[derive(Debug, Clone, Copy)]
struct InFlight {
    id: AttemptId,
    target: Target,
    job: Option<Id>,
    event: Event,
}

/// The world around a service.
#[derive(Debug)]
pub struct Rig {
    sizes: Sizes,
    now: Now,
    /// What is in memory.
    pub model: Model,
    /// What is on the disk, as the model has it.
    durable: Model,
    disk: Records,
    batches: VecDeque<Batch>,
    in_flight: Vec<InFlight>,
    /// Every event that was ever sent, and its body.
    bodies: BTreeMap<Id, Vec<u8>>,
    /// Who got what.
    got: BTreeSet<Debt>,
    secrets: BTreeMap<Id, Vec<Secret>>,
    /// Endpoints of whose letters some were left when they were sent again, for want of room: there is no order in that.
    partly: BTreeSet<Id>,
    /// What was rejected last, and how often it was tried.
    rejected: BTreeMap<Debt, u8>,
    /// Dead letters that were pushed out.
    pub pushed_out: u64,
    crashes: u8,
    /// How jobs and endpoints were listed before a crash that took nothing back.
    order: Option<Vec<Id>>,
}

/// What the services of these tests allow: a short schedule, so that dead letters come soon.
#[must_use]
pub fn limits() -> Limits {
    Limits {
        outbox: OutboxLimits {
            schedule: Schedule::new(&[5_000, 60_000]),
            window_max: 2,
            throttle_ms: 5_000,
            probe_ms: 100,
        },
        ..Limits::DEVICE
    }
}

fn config() -> Config<'static> {
    Config {
        service: limits(),
        ..Config::DEVICE
    }
}

impl Rig {
    /// An empty world.
    #[must_use]
    pub fn new(sizes: Sizes) -> Self {
        Self {
            sizes,
            now: Now {
                instant: Instant::ZERO,
                timestamp: Timestamp::from_unix_ms(START_UNIX_MS),
            },
            model: Model::default(),
            durable: Model::default(),
            disk: Records::new(),
            batches: VecDeque::new(),
            in_flight: Vec::new(),
            bodies: BTreeMap::new(),
            got: BTreeSet::new(),
            secrets: BTreeMap::new(),
            partly: BTreeSet::new(),
            rejected: BTreeMap::new(),
            pushed_out: 0,
            crashes: 0,
            order: None,
        }
    }

    /// Does all of `ops`, one service life after the other, then heals the world and sees that everything drains.
    pub fn run(&mut self, ops: &[Op]) {
        let mut ops = ops.iter();
        loop {
            let mut tables = Tables::new(&self.sizes, 1, &config());
            let mut server = self.boot(&mut tables);
            let crashed = ops.by_ref().any(|op| {
                self.apply(&mut server, op);
                matches!(op, Op::Crash)
            });
            self.pushed_out += server.service().owed().letters_dropped;
            if crashed {
                self.order = self.all_durable(&server).then(|| listed(server.service()));
                self.crash();
                continue;
            }
            self.heal(&mut server);
            return;
        }
    }

    /// A service as it comes up from what is on the disk.
    fn restore<'t>(&self, tables: &'t mut Tables, seed: u8) -> Server<'t> {
        let mut server = Server::new(tables.lend(), config(), [seed; 32]).unwrap();
        for (key, value) in &self.disk {
            server
                .restore(self.now, *key, value)
                .unwrap_or_else(|error| panic!("{key:?}: {error:?}"));
        }
        server.start(self.now).expect("what was written starts");
        server
            .service()
            .audit()
            .expect("a restored service in step");
        server
    }

    /// Starts a server, and checks that starting is the same every time.
    fn boot<'t>(&mut self, tables: &'t mut Tables) -> Server<'t> {
        let seed = self.crashes.wrapping_add(1);
        let mut server = self.restore(tables, seed);
        self.restart_jobs(&server);
        if let Some(order) = self.order.take() {
            assert_eq!(
                listed(server.service()),
                order,
                "S13: lists are as they were"
            );
        }
        self.take_batch(&mut server);
        while !self.batches.is_empty() {
            self.sync(&mut server);
        }
        let mut again = Tables::new(&self.sizes, 1, &config());
        let mut again = self.restore(&mut again, seed.wrapping_add(100));
        assert_eq!(
            dump(server.service()),
            dump(again.service()),
            "S13: recovery is deterministic"
        );
        let (changes, _) = drain_records(&mut again, self.now);
        assert_eq!(changes, [], "S13: recovery is idempotent");
        self.settle_down(&mut server);
        server
    }

    /// What a restart does to jobs that were with a worker.
    fn restart_jobs(&mut self, server: &Server<'_>) {
        let running: Vec<Id> = self.model.jobs.iter().filter_map(running).collect();
        for id in running {
            let ix = server
                .service()
                .find_job(id)
                .expect("S1: the job is still there");
            let job = server.service().job(ix).expect("the job");
            let last = job.last_event();
            let kind = last.kind;
            assert!(matches!(kind, Kind::Pending | Kind::Error), "{kind:?}");
            self.model.tell(id, kind, last.progress, self.now.timestamp);
            let attempts = job.attempts();
            self.model.jobs.get_mut(&id).expect("the job").attempts = attempts;
        }
    }

    fn all_durable(&self, server: &Server<'_>) -> bool {
        self.batches.is_empty() && !server.has_unsaved()
    }

    fn crash(&mut self) {
        self.model = self.durable.clone();
        self.model.underway.clear();
        self.batches.clear();
        self.in_flight.clear();
        self.rejected.clear();
        let off = self.model.hooks.iter().filter(|(_, hook)| !hook.enabled);
        let off: Vec<Id> = off.map(|(id, _)| *id).collect();
        for id in off {
            self.model.set_enabled(id, false, &[]);
        }
        self.crashes += 1;
    }

    /// Lets time pass, stopping at every deadline.
    fn pass(&mut self, server: &mut Server<'_>, ms: u64) {
        let end = self.now.instant.after_ms(ms);
        while let Some(due) = server.deadline().filter(|due| *due <= end) {
            let passed = due.ms_since(self.now.instant);
            self.forward(passed);
            self.settle_down(server);
        }
        self.forward(end.ms_since(self.now.instant));
    }

    fn forward(&mut self, ms: u64) {
        self.now.instant = self.now.instant.after_ms(ms);
        self.now.timestamp = self.now.timestamp.after_ms(ms);
    }

    /// Keeps the driver's side of the contract, and compares.
    fn settle_down(&mut self, server: &mut Server<'_>) {
        for round in 0.. {
            assert!(round < 1_000, "it makes no progress");
            let output = server
                .poll(self.now, Ready::ATTEMPTS, &mut [])
                .expect("it works");
            self.follow(server);
            match output {
                Output::Stop { job, .. } => self.stopped(job),
                Output::Attempt(attempt) => self.begin(server, &attempt),
                Output::Sleep(due) if due.is_none_or(|due| due > self.now.instant) => break,
                Output::Sleep(_) => {}
                other => panic!("{other:?} comes out though nobody can take it"),
            }
        }
        server
            .service()
            .audit()
            .unwrap_or_else(|flaw| panic!("S10: out of step: {flaw:?}"));
        self.compare(server);
    }

    fn stopped(&self, id: Id) {
        let job = self.model.jobs.get(&id);
        assert!(
            job.is_none_or(|job| job.status().is_terminal()),
            "S2: {id:?} goes on"
        );
    }

    /// Takes over what the service does by itself: leases that run out, jobs that are forgotten.
    fn follow(&mut self, server: &Server<'_>) {
        let running: Vec<Id> = self.model.jobs.iter().filter_map(running).collect();
        for id in running {
            let job = server
                .service()
                .find_job(id)
                .and_then(|ix| server.service().job(ix));
            let known = self.model.jobs[&id].events.len() as u32;
            if job.is_some_and(|job| job.last_event().sequence > known) {
                assert!(self.happen(id, Step::Lose));
            }
        }
        let gone: Vec<Id> = self
            .model
            .jobs
            .keys()
            .filter(|id| server.service().find_job(**id).is_none())
            .copied()
            .collect();
        for id in gone {
            let job = &self.model.jobs[&id];
            assert!(job.status().is_terminal(), "S1: {id:?} is gone");
            let durable = self.durable.jobs.get(&id).map(|durable| &durable.events);
            assert_eq!(durable, Some(&job.events), "S1: gone too soon");
            let owed = self.model.debts.iter().filter(|(debt, _)| debt.job == id);
            for (debt, standing) in owed {
                let lost = *standing != Standing::Due || self.pushed(server) > 0;
                assert!(lost, "S3: forgotten though owed: {debt:?}");
            }
            self.model.forget(id);
        }
    }

    pub(super) fn pushed(&self, server: &Server<'_>) -> u64 {
        self.pushed_out + server.service().owed().letters_dropped
    }

    fn compare(&self, server: &Server<'_>) {
        assert_eq!(server.service().jobs_len(), self.model.jobs.len());
        for (id, job) in &self.model.jobs {
            let ix = server.service().find_job(*id).expect("S1: the job");
            let held = server.service().job(ix).expect("the job");
            assert_eq!(held.last_event(), job.last(), "S2: {id:?}");
            assert_eq!(held.attempts(), job.attempts);
        }
        for (id, hook) in &self.model.hooks {
            let ix = server
                .service()
                .find_endpoint(*id)
                .expect("S1: the endpoint");
            let held = server.service().endpoint(ix).expect("the endpoint");
            assert_eq!(
                (held.is_enabled(), held.filter),
                (hook.enabled, hook.filter)
            );
        }
    }

    /// Takes the open batch, unless one is on its way.
    fn take_batch(&mut self, server: &mut Server<'_>) {
        let (changes, batch) = drain_records(server, self.now);
        match batch {
            Some(batch) => self.batches.push_back(Batch {
                batch,
                changes,
                model: self.model.clone(),
            }),
            None => assert_eq!(changes, [], "records come out without a batch"),
        }
        if self.batches.is_empty() {
            // Nothing was left to write.
            self.durable = self.model.clone();
        }
    }

    fn sync(&mut self, server: &mut Server<'_>) {
        let Some(batch) = self.batches.pop_front() else {
            return;
        };
        for (key, value) in batch.changes {
            match value {
                Some(value) => self.disk.insert(key, value),
                None => self.disk.remove(&key),
            };
        }
        self.durable = batch.model;
        let taken = server.handle(self.now, Input::Durable(batch.batch));
        taken.expect("the service's own batch");
    }
}

fn running((id, job): (&Id, &crate::model::Job)) -> Option<Id> {
    (job.status() == Status::Processing).then_some(*id)
}

/// The records of the open batch, and the batch itself where it is complete.
fn drain_records(server: &mut Server<'_>, now: Now) -> (Changes, Option<record::Batch>) {
    let mut changes = Changes::new();
    loop {
        let mut memory = vec![0; server.config().record_bytes_max()];
        match server.poll(now, Ready::RECORDS, &mut memory) {
            Ok(Output::Save { key, value }) => changes.push((key, value.map(|v| v.to_vec()))),
            Ok(Output::Commit(batch)) => return (changes, Some(batch)),
            Ok(Output::Sleep(_)) => return (changes, None),
            other => panic!("{other:?} where only records are wanted"),
        }
    }
}
