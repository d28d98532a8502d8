//! The server's process: the machine, and the glue that a runtime is. Its sockets are in `conns`, its disk in `disk`,
//! its attempts in `flight`.

use super::{
    conns::Io,
    flight::Flight,
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
    server::{self, Config, Conn, ConnId, Server, Watch},
    service::{EndpointChange, Report, Work},
    slab::Slot,
    time::{Now, Timestamp},
};
use std::collections::{BTreeMap, HashMap};

/// The memory that a process lends to its machine.
#[derive(Debug)]
pub(super) struct Room {
    tables: Tables,
    conns: Vec<Slot<Conn>>,
    decode: Vec<u8>,
    watches: Vec<Watch>,
}

impl Room {
    pub(super) fn new(world: &World) -> Self {
        let options = &world.env.options;
        Self {
            tables: Tables::new(&options.sizes),
            conns: (0..options.conns).map(|_| Slot::new(Conn::EMPTY)).collect(),
            decode: vec![0; 1_024],
            watches: vec![Watch::EMPTY; options.conns],
        }
    }

    pub(super) fn lend(&mut self) -> server::Tables<'_> {
        server::Tables {
            service: self.tables.lend(),
            conns: &mut self.conns,
            decode: &mut self.decode,
            watches: &mut self.watches,
        }
    }
}

/// A running server.
#[derive(Debug)]
pub(super) struct Process<'a> {
    pub(super) server: Server<'a>,
    /// Which life it is.
    pub(super) number: u32,
    pub(super) since_ms: u64,
    pub(super) conns: BTreeMap<LinkId, Io>,
    pub(super) links: HashMap<ConnId, LinkId>,
    pub(super) flights: BTreeMap<LinkId, Flight>,
    /// Connections to receivers that wait for another attempt.
    pub(super) kept: Vec<(Party, LinkId)>,
    pub(super) tasks: Vec<Option<Task>>,
    /// Dead letters that nobody can ask for again: those of callbacks.
    callback_letters: usize,
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
    /// Starts from what is on the disk.
    pub(super) fn boot(room: &'a mut Room, world: &mut World) -> Self {
        world.lives += 1;
        let mut config = config();
        config.service.remote_workers = world.env.options.remote;
        if world.env.options.mutation == Some(Mutation::HurryRetries) {
            config.service.outbox.schedule = dubhook_core::delivery::Schedule::new(&[100, 200]);
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
            number: world.lives,
            since_ms: world.env.now_ms(),
            conns: BTreeMap::new(),
            links: HashMap::new(),
            flights: BTreeMap::new(),
            kept: Vec::new(),
            tasks: (0..world.env.options.workers).map(|_| None).collect(),
            callback_letters: 0,
            config,
        };
        let now = process.now(world);
        process.restore(world, now);
        process.check_recovery(world, now);
        world
            .oracle
            .booted(process.server.service(), &world.journal);
        process
    }

    pub(super) fn now(&self, world: &World) -> Now {
        world.env.clocks(self.since_ms)
    }

    /// When something is due whatever happens.
    pub(super) fn next_ms(&self) -> Option<u64> {
        let machine = self.server.poll_timeout();
        let machine = machine.map(|at| self.since_ms.saturating_add(at.as_ms()));
        let flights = self.flights.values().map(|flight| flight.deadline_ms);
        machine.into_iter().chain(flights).min()
    }

    /// Does what the machine wants done until it wants nothing.
    pub(super) fn pump(&mut self, world: &mut World) {
        for round in 0.. {
            let now = self.now(world);
            let due = self.server.poll_timeout();
            if due.is_some_and(|due| due <= now.instant) {
                self.server.handle_timeout(now);
            }
            self.observe(world);
            self.expire_flights(world, now);
            let mut busy = self.work(world, now);
            busy |= self.commit(world, now);
            while self.may_begin(world)
                && let Some(attempt) = self.server.service_mut().poll_attempt(now)
            {
                self.begin(world, now, &attempt);
                busy = true;
            }
            while let Some(conn) = self.server.poll_conn() {
                let link = self.links.get(&conn).copied();
                if let Some(link) = link {
                    self.drive(world, link);
                }
                busy = true;
            }
            let due = self.server.poll_timeout();
            if !busy && due.is_none_or(|due| due > now.instant) {
                break;
            }
            if round > 10_000 {
                world
                    .oracle
                    .fail("L1", "the machine always wants something".to_owned());
                break;
            }
        }
        let (held, open) = (self.server.conns_len(), self.conns.len());
        world.oracle.ensure(held == open, "S10", || {
            format!("{open} connections are open, and {held} are held")
        });
    }

    pub(super) fn observe(&self, world: &mut World) {
        world
            .oracle
            .observe(self.server.service(), &world.journal.sequences);
    }

    fn work(&mut self, world: &mut World, now: Now) -> bool {
        let mut busy = false;
        loop {
            let place = self.tasks.iter().position(Option::is_none);
            let work = self.server.service_mut().poll_work(now, place.is_some());
            match (work, place) {
                (Some(Work::Start(_, id)), Some(place)) => {
                    self.tasks[place] = Some(Task::new(&mut world.env, id));
                    self.plan_work(world, place);
                    world.oracle.started(id, &world.journal.sequences);
                }
                (Some(Work::Stop(_, id)), _) => {
                    let mine = |task: &Option<Task>| task.as_ref().is_some_and(|t| t.job == id);
                    if let Some(place) = self.tasks.iter().position(mine) {
                        self.tasks[place] = None;
                    }
                }
                _ => return busy,
            }
            self.observe(world);
            busy = true;
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
        let taken = self.server.service_mut().report(now, job, report);
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
            let service = self.server.service_mut();
            let change = EndpointChange {
                enabled: Some(true),
                ..EndpointChange::default()
            };
            if service.change_endpoint(ix, change).is_ok() {
                service.redeliver(ix, Timestamp::EPOCH, None);
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
        let paid = service.outbox().streams_live() == 0 && !service.is_dirty();
        if !(ended && paid) {
            return false;
        }
        let off =
            endpoints(service).any(|ix| service.endpoint(ix).is_some_and(|e| !e.is_enabled()));
        let letters = service.outbox().dead_letters();
        if off || letters > self.callback_letters {
            self.restore_service(world);
            self.callback_letters = self.server.service().outbox().dead_letters();
            return false;
        }
        true
    }

    pub(super) fn summary(&self) -> String {
        dump(self.server.service()).join("\n")
    }
}
