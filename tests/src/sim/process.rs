//! The server's process: the machine, and the glue that a runtime is. Its sockets are in `conns`, its disk in `disk`,
//! its attempts in `flight`.

use super::{
    conns::Io,
    flight::Flight,
    keeper::Changes,
    limits,
    mutation::Mutation,
    net::{LinkId, Party},
    queue::Event,
    worker::Task,
    world::World,
};
use crate::{
    dump::{dump, endpoints, jobs},
    tables::Tables,
};
use dubhook_core::{
    address::Cidr,
    dispatch::EndpointChange,
    id::Id,
    record::{Batch, Key},
    server::{Config, ConnId, Input, Output, Ready, Server},
    service::Report,
    time::{Instant, Now, Timestamp},
};
use std::collections::{BTreeMap, HashMap};

/// The memory that a process lends to its machine.
pub(super) fn room(world: &World) -> Tables {
    let options = &world.env.options;
    Tables::new(&options.sizes, options.conns, &config())
}

/// A running server.
#[derive(Debug)]
pub(super) struct Process<'a> {
    pub(super) server: Server<'a>,
    /// Where it runs.
    pub(super) at: usize,
    /// Which life it is.
    pub(super) number: u32,
    /// In which epoch it has the records, where servers share them.
    epoch: Option<i64>,
    /// Whether it may speak of what it knows.
    pub(super) speaks: bool,
    /// What it shows until what has come is read: the last moment before something is due.
    held_ms: Option<u64>,
    /// Connections that the machine has named while it may not speak.
    named: Vec<LinkId>,
    /// A batch for the database that servers share.
    pub(super) outgoing: Option<Changes>,
    pub(super) since_ms: u64,
    /// When it looked at its clock last.
    shown_ms: u64,
    pub(super) conns: BTreeMap<LinkId, Io>,
    pub(super) links: HashMap<ConnId, LinkId>,
    pub(super) flights: BTreeMap<LinkId, Flight>,
    /// Connections to receivers that wait for another attempt.
    pub(super) kept: Vec<(Party, LinkId)>,
    pub(super) tasks: Vec<Option<Task>>,
    /// Dead letters that nobody can ask for again: those of callbacks.
    callback_letters: usize,
    /// Records of the batch that is being gathered.
    pub(super) changes: Vec<(Key, Option<Vec<u8>>)>,
    /// The batch that is on its way.
    pub(super) batch: Option<Batch>,
    pub(super) config: Config<'static>,
}

/// How the simulated servers are set up.
pub(super) fn config() -> Config<'static> {
    let mut config = Config::DEVICE;
    config.service = limits();
    config.guard.allow_loopback = true;
    config
}

impl<'a> Process<'a> {
    /// Starts at a place, in a life and an epoch, from these records.
    pub(super) fn boot(
        room: &'a mut Tables,
        world: &mut World,
        (at, number, epoch): (usize, u32, Option<i64>),
        records: Vec<(Key, Vec<u8>)>,
    ) -> Self {
        let mut config = config();
        config.service.remote_workers = world.env.options.remote;
        if world.env.options.mutation == Some(Mutation::HurryRetries) {
            config.service.outbox.schedule = dubhook_core::dispatch::Schedule::new(&[100, 200]);
        }
        if world.env.options.mutation == Some(Mutation::HurryProbes) {
            config.service.outbox.probe_ms = 0;
        }
        if world.env.options.mutation == Some(Mutation::AllowAll) {
            // It leaks a few bytes a life, in runs of this mutation alone.
            config.guard.allow = vec![Cidr::parse("0.0.0.0/0").expect("a network")].leak();
        }
        let seed = world.env.rng.bytes();
        let mut process = Self {
            server: Server::new(room.lend(), config, seed).unwrap(),
            at,
            number,
            epoch,
            speaks: true,
            held_ms: None,
            named: Vec::new(),
            outgoing: None,
            since_ms: world.env.now_ms(),
            shown_ms: world.env.now_ms(),
            conns: BTreeMap::new(),
            links: HashMap::new(),
            flights: BTreeMap::new(),
            kept: Vec::new(),
            tasks: (0..world.env.options.workers).map(|_| None).collect(),
            callback_letters: 0,
            changes: Vec::new(),
            batch: None,
            config,
        };
        let now = process.now(world);
        process.restore(world, now, &records);
        process.check_recovery(world, now, &records);
        if process.is_legitimate(world) {
            world.oracle.crashed();
            world.observed = number;
            world
                .oracle
                .booted(process.server.service(), &world.durable.sequences);
        }
        process
    }

    pub(super) fn now(&self, world: &World) -> Now {
        let now = world.env.clocks(self.since_ms);
        let held = self.held_ms.map(|held_ms| {
            let held = Instant::from_ms(held_ms - self.since_ms);
            now.instant.min(held)
        });
        Now {
            instant: held.unwrap_or(now.instant),
            ..now
        }
    }

    /// Passes no deadline before what has come is read.
    pub(super) fn hold(&mut self, world: &World) {
        let now_ms = world.env.now_ms();
        let due_ms = self.next_ms().filter(|due_ms| *due_ms <= now_ms);
        let before_ms = due_ms.map(|due_ms| due_ms.saturating_sub(1).max(self.shown_ms));
        self.held_ms = self.held_ms.or(before_ms);
    }

    /// Time passes again.
    pub(super) const fn let_go(&mut self) {
        self.held_ms = None;
    }

    /// Whether nobody has begun another epoch: what it knows is how things are.
    pub(super) fn is_legitimate(&self, world: &World) -> bool {
        self.epoch.is_none_or(|epoch| epoch == world.engine.epoch())
    }

    /// Whether there is something that waits until it may speak.
    pub(super) const fn waits(&self) -> bool {
        self.held_ms.is_some() || !self.named.is_empty()
    }

    /// When it has something to do by itself: what is due is not judged while time does not pass.
    pub(super) fn wakes_ms(&self) -> Option<u64> {
        let next_ms = self.next_ms();
        next_ms.filter(|_| self.held_ms.is_none())
    }

    /// Gives those a turn that were named while it might not speak.
    pub(super) fn drive_named(&mut self, world: &mut World) {
        for link in std::mem::take(&mut self.named) {
            self.drive(world, link);
        }
    }

    /// Ends the connections that were named while it might not speak.
    pub(super) fn refuse_named(&mut self, world: &mut World) {
        for link in std::mem::take(&mut self.named) {
            self.refuse(world, link);
        }
    }

    /// When something is due whatever happens.
    pub(super) fn next_ms(&self) -> Option<u64> {
        let machine = self.server.deadline();
        let machine = machine.map(|at| self.since_ms.saturating_add(at.as_ms()));
        let flights = self.flights.values().map(|flight| flight.deadline_ms);
        machine.into_iter().chain(flights).min()
    }

    /// Does what the machine wants done until it wants nothing.
    pub(super) fn pump(&mut self, world: &mut World) {
        let mut memory = vec![0; self.config.record_bytes_max()];
        for round in 0.. {
            let now = self.now(world);
            self.shown_ms = self.since_ms + now.instant.as_ms();
            self.observe(world);
            self.expire_flights(world, now);
            let place = self.tasks.iter().position(Option::is_none);
            let ready = Ready {
                work: self.speaks && place.is_some(),
                attempts: self.speaks && self.may_begin(world),
                ..Ready::ALL
            };
            let output = match self.server.poll(now, ready, &mut memory) {
                Ok(output) => output,
                Err(error) => {
                    let text = format!("the machine does not work: {error:?}");
                    world.oracle.fail("S14", text);
                    return;
                }
            };
            match output {
                Output::Start { job, .. } => self.start(world, place.expect("a place"), job),
                Output::Stop { job, .. } => self.stop(job),
                Output::Attempt(attempt) => self.begin(world, now, &attempt),
                Output::Save { key, value } => {
                    let value = value.map(|value| value.to_vec());
                    self.changes.push((key, value));
                }
                Output::Archive { .. } => unreachable!("there is no archive"),
                Output::Commit(batch) => self.commit(world, batch),
                Output::Drive(conn) => {
                    if let Some(link) = self.links.get(&conn).copied() {
                        if self.speaks {
                            self.drive(world, link);
                        } else {
                            self.named.push(link);
                        }
                    }
                }
                Output::Sleep(due) if due.is_none_or(|due| due > now.instant) => break,
                Output::Sleep(_) => {}
            }
            if round > 100_000 {
                world
                    .oracle
                    .fail("L1", "the machine always wants something".to_owned());
                break;
            }
        }
        self.observe(world);
        let (held, open) = (self.server.conns_len(), self.conns.len());
        world.oracle.ensure(held == open, "S10", || {
            format!("{open} connections are open, and {held} are held")
        });
    }

    pub(super) fn observe(&self, world: &mut World) {
        if !self.is_legitimate(world) {
            return;
        }
        if world.observed != self.number {
            // What another one had in mind never was.
            world.oracle.crashed();
            world.observed = self.number;
        }
        let durable = &world.durable.sequences;
        world.oracle.observe(self.server.service(), durable);
        if self.epoch.is_some() {
            world.oracle.synced(durable);
        }
    }

    fn start(&mut self, world: &mut World, place: usize, job: Id) {
        self.tasks[place] = Some(Task::new(&mut world.env, job));
        self.plan_work(world, place);
        world.oracle.started(job, &world.durable.sequences);
    }

    fn stop(&mut self, job: Id) {
        let mine = |task: &Option<Task>| task.as_ref().is_some_and(|t| t.job == job);
        if let Some(place) = self.tasks.iter().position(mine) {
            self.tasks[place] = None;
        }
    }

    fn plan_work(&mut self, world: &mut World, place: usize) {
        if let Some(task) = &self.tasks[place] {
            let at = world.env.now_ms() + task.step_ms;
            world.env.queue.push(at, Event::Work(self.number, place));
        }
    }

    /// A worker goes on with its job.
    pub(super) fn step_work(&mut self, world: &mut World, place: usize) {
        let Some(task) = &mut self.tasks[place] else {
            return;
        };
        let Some(report) = task.step() else {
            // It has died with its job, and nobody knows.
            self.tasks[place] = None;
            return;
        };
        let (job, ended) = (task.job, !matches!(report, Report::Progress(_)));
        let now = self.now(world);
        let taken = self.server.handle(now, Input::Report { job, report });
        self.observe(world);
        if ended || taken.is_err() {
            self.tasks[place] = None;
        } else {
            self.plan_work(world, place);
        }
    }

    /// What a person does when all faults are over: switch on what is off, and ask again for what was given up.
    pub(super) fn restore_service(&mut self, world: &mut World) {
        let places: Vec<_> = endpoints(self.server.service()).collect();
        for ix in places {
            let change = EndpointChange {
                enabled: Some(true),
                ..EndpointChange::default()
            };
            if let Some(endpoint) = self.server.service().endpoint(ix) {
                world.oracle.asked(endpoint.id);
            }
            if self.server.change_endpoint(ix, change).is_ok() {
                let sent = self.server.redeliver(ix, Timestamp::EPOCH, None);
                assert!(sent.is_ok(), "it works");
            }
            self.observe(world);
        }
    }

    /// Whether all jobs have ended and everybody has what is owed.
    pub(super) fn is_drained(&mut self, world: &mut World) -> bool {
        let service = self.server.service();
        let ended = jobs(service)
            .filter_map(|ix| service.job(ix))
            .all(|job| job.last_event().kind.is_terminal());
        let paid = service.owed().streams == 0 && !self.server.has_unsaved();
        if !(ended && paid) {
            return false;
        }
        let off =
            endpoints(service).any(|ix| service.endpoint(ix).is_some_and(|e| !e.is_enabled()));
        let letters = service.owed().dead_letters;
        if off || letters > self.callback_letters {
            self.restore_service(world);
            self.callback_letters = self.server.service().owed().dead_letters;
            return false;
        }
        true
    }

    pub(super) fn summary(&self) -> String {
        dump(self.server.service()).join("\n")
    }
}
