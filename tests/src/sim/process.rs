//! The server's process: the machine, and the glue that a runtime is, on simulated sockets and a simulated disk.

use super::{
    flight::Flight,
    journal::Batch,
    limits,
    net::{LinkId, Payload, Side},
    options::Mutation,
    queue::Event,
    worker::Task,
    world::World,
};
use crate::{
    dump::{dump, endpoints, jobs},
    tables::Tables,
};
use dubhook_core::{
    http::RecvBuf,
    id::Id,
    out::Out,
    record::{Key, Table},
    server::{Config, Conn, ConnId, Drive, Memory, REFUSED, Server},
    service::{EndpointChange, Report, Service, Work},
    slab::Slot,
    time::{Now, Timestamp},
    timer::TimerSlot,
};
use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

/// The memory that a process lends to its machine.
#[derive(Debug)]
pub(super) struct Room {
    tables: Tables,
    conns: Vec<Slot<Conn>>,
    conn_timers: Vec<TimerSlot>,
    decode: Vec<u8>,
}

impl Room {
    pub(super) fn new(world: &World) -> Self {
        let options = &world.env.options;
        Self {
            tables: Tables::new(&options.sizes),
            conns: (0..options.conns).map(|_| Slot::new(Conn::EMPTY)).collect(),
            conn_timers: vec![TimerSlot::EMPTY; options.conns],
            decode: vec![0; 1_024],
        }
    }

    fn lend(&mut self) -> Memory<'_> {
        Memory {
            service: self.tables.lend(),
            conns: &mut self.conns,
            conn_timers: &mut self.conn_timers,
            decode: &mut self.decode,
        }
    }
}

/// A connection's buffers.
#[derive(Debug)]
struct Io {
    conn: ConnId,
    memory: Vec<u8>,
    filled: Range<usize>,
    /// What has arrived and was not taken yet: a socket's buffer.
    arrived: Vec<u8>,
    /// Whether the client sends nothing more.
    ended: bool,
    /// Whether it takes bytes.
    reads: bool,
}

/// A running server.
#[derive(Debug)]
pub(super) struct Process<'a> {
    pub(super) server: Server<'a>,
    /// Which life it is.
    pub(super) number: u32,
    pub(super) since_ms: u64,
    conns: BTreeMap<LinkId, Io>,
    links: HashMap<ConnId, LinkId>,
    pub(super) flights: BTreeMap<LinkId, Flight>,
    /// Connections to receivers that wait for another attempt.
    pub(super) kept: Vec<(usize, LinkId)>,
    pub(super) tasks: Vec<Option<Task>>,
    /// Dead letters that nobody can ask for again: those of callbacks.
    callback_letters: usize,
    config: Config<'static>,
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
        if world.env.options.mutation == Some(Mutation::HurryRetries) {
            config.service.outbox.schedule = dubhook_core::delivery::Schedule::new(&[100, 200]);
        }
        let seed = world.env.rng.bytes();
        let mut process = Self {
            server: Server::new(room.lend(), config, seed),
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

    fn restore(&mut self, world: &mut World, now: Now) {
        let service = self.server.service_mut();
        for (key, value) in &world.journal.records {
            if let Err(error) = service.restore(now, *key, value) {
                world
                    .oracle
                    .fail("S14", format!("{key:?} was written and is {error:?}"));
                return;
            }
        }
        if let Err(error) = service.start(now) {
            let text = format!("what was written does not start: {error:?}");
            world.oracle.fail("S14", text);
        }
    }

    /// A second recovery must come out the same.
    fn check_recovery(&self, world: &mut World, now: Now) {
        let mut again = Room::new(world);
        let mut again = Server::new(again.lend(), self.config, [7; 32]);
        let service = again.service_mut();
        for (key, value) in &world.journal.records {
            let _ = service.restore(now, *key, value);
        }
        let _ = service.start(now);
        let same = dump(service) == dump(self.server.service());
        world
            .oracle
            .ensure(same, "S13", || "two recoveries differ".to_owned());
        let sound = service.audit();
        let text = || format!("a recovery is out of step: {sound:?}");
        world.oracle.ensure(sound.is_ok(), "S13", text);
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
            while let Some(attempt) = self.server.service_mut().poll_attempt(now) {
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

    /// Seals the open batch and sends it on its way, if there may be one more.
    fn commit(&mut self, world: &mut World, now: Now) -> bool {
        let waits = world.journal.batches.len() >= world.env.options.batches_max;
        if waits || !self.server.service().is_dirty() {
            return false;
        }
        let service = self.server.service_mut();
        let mut memory = [0; 2_048];
        let mut changes = Vec::new();
        while let Some(record) = service.poll_record(now, &mut memory).expect("room") {
            let value = record.len.map(|len| memory[..len].to_vec());
            changes.push((record.key, value));
        }
        let options = &world.env.options;
        let rows = options.sizes;
        for (key, _) in &changes {
            let most = match key.table {
                Table::Meta => 0,
                Table::Job | Table::State => rows.jobs,
                Table::Endpoint => rows.endpoints,
                Table::Event => rows.events,
                Table::Stream => rows.streams,
                Table::Key => rows.keys,
            };
            let fits = key.slot as usize <= most;
            world
                .oracle
                .ensure(fits, "S10", || format!("{key:?} is out of bounds"));
        }
        self.mutate(world.env.options.mutation, &mut changes);
        let sequences = sequences(self.server.service());
        let number = self.server.service_mut().seal();
        world.journal.batches.push_back(Batch {
            number,
            changes,
            sequences,
        });
        let range = world.env.options.commit_ms;
        let range = if world.env.healed { (0, 1) } else { range };
        let at = world.env.now_ms() + world.env.rng.within(range);
        let at = at.max(world.journal_free_at);
        world.journal_free_at = at;
        world.env.queue.push(at, Event::Synced(self.number));
        if world.env.options.mutation == Some(Mutation::AckBeforeSync) {
            self.server.committed(number);
        }
        true
    }

    fn mutate(&self, mutation: Option<Mutation>, changes: &mut Vec<(Key, Option<Vec<u8>>)>) {
        match mutation {
            Some(Mutation::ForgetKeys) => changes.retain(|(key, _)| key.table != Table::Key),
            Some(Mutation::StaleState) => {
                let mut first = true;
                changes.retain(|(key, _)| {
                    let state = key.table == Table::State && key.slot == 1;
                    !state || core::mem::take(&mut first) && self.number == 1
                });
            }
            Some(Mutation::FlipEnding) => {
                for (key, value) in changes {
                    // The kind of the last event: completed becomes error, and the other way round.
                    if key.table == Table::State
                        && let Some(kind) = value.as_mut().and_then(|value| value.get_mut(12))
                        && matches!(*kind, 3 | 4)
                    {
                        *kind = 7 - *kind;
                    }
                }
            }
            _ => {}
        }
    }

    /// The oldest batch is durable.
    pub(super) fn synced(&mut self, world: &mut World, number: u64) {
        self.server.committed(number);
        let sound = self.server.service().audit();
        let text = || format!("out of step: {sound:?}");
        world.oracle.ensure(sound.is_ok(), "S10", text);
    }

    /// Something arrives at the server's end of a connection.
    pub(super) fn receive(&mut self, world: &mut World, link: LinkId, to: Side, payload: Payload) {
        if to == Side::Opener {
            return self.receive_answer(world, link, payload);
        }
        match payload {
            Payload::Open => self.accept(world, link),
            Payload::Reset => self.close(world, link, false),
            Payload::Fin | Payload::Bytes(_) => {
                let Some(io) = self.conns.get_mut(&link) else {
                    return;
                };
                match payload {
                    Payload::Bytes(bytes) => io.arrived.extend_from_slice(&bytes),
                    _ => io.ended = true,
                }
                if io.reads {
                    self.drive(world, link);
                }
            }
        }
    }

    fn accept(&mut self, world: &mut World, link: LinkId) {
        let now = self.now(world);
        let Some(conn) = self.server.accept(now) else {
            world
                .net
                .send(&mut world.env, link, Side::Listener, REFUSED);
            world.net.finish(&mut world.env, link, Side::Listener);
            return;
        };
        let limits = &self.config.http;
        let bytes = limits.head_bytes_max + limits.body_bytes_max + limits.chunk_line_bytes_max + 2;
        self.links.insert(conn, link);
        self.conns.insert(
            link,
            Io {
                conn,
                memory: vec![0; bytes],
                filled: 0..0,
                arrived: Vec::new(),
                ended: false,
                reads: true,
            },
        );
    }

    /// Gives a connection its turn.
    fn drive(&mut self, world: &mut World, link: LinkId) {
        let now = self.now(world);
        let mut memory = vec![0; self.config.answer_bytes_max() + 300];
        loop {
            let Some(io) = self.conns.get_mut(&link) else {
                return;
            };
            let mut input = RecvBuf::resume(&mut io.memory, io.filled.clone());
            if io.reads {
                let room = input.room();
                let len = room.len().min(io.arrived.len());
                room[..len].copy_from_slice(&io.arrived[..len]);
                input.commit(len);
                io.arrived.drain(..len);
            }
            let mut out = Out::new(&mut memory);
            let mut drive = self.server.drive(now, io.conn, &mut input, &mut out);
            if let Drive::Lookup(_) = drive {
                drive = self.server.answer_lookup(now, io.conn, None, &mut out);
            }
            io.filled = input.filled_range();
            io.reads = matches!(drive, Drive::Input { .. });
            let more = !io.arrived.is_empty() || io.ended;
            let ended = io.ended && io.arrived.is_empty();
            world.oracle.answered(out.written(), &world.journal);
            world
                .net
                .send(&mut world.env, link, Side::Listener, out.written());
            self.observe(world);
            match drive {
                Drive::Flush => {}
                Drive::Input { .. } if ended => return self.close(world, link, true),
                Drive::Input { bytes_min } if more && bytes_min > 0 => {}
                Drive::Input { bytes_min: 0 } => {}
                Drive::Input { .. } | Drive::Wait | Drive::Lookup(_) => return,
                Drive::Close => return self.close(world, link, true),
            }
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
                service.redeliver(ix, Timestamp::EPOCH);
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

    fn close(&mut self, world: &mut World, link: LinkId, tell: bool) {
        if let Some(io) = self.conns.remove(&link) {
            self.links.remove(&io.conn);
            if world.env.options.mutation != Some(Mutation::LeakConns) {
                self.server.close(io.conn);
            }
        }
        if tell {
            world.net.finish(&mut world.env, link, Side::Listener);
        } else {
            world.net.forget(link);
        }
    }
}

/// How far each job has come.
fn sequences(service: &Service<'_>) -> BTreeMap<Id, u32> {
    let jobs = jobs(service).filter_map(|ix| service.job(ix));
    jobs.map(|job| (job.id(), job.last_event().sequence))
        .collect()
}
