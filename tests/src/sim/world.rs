//! The world: everything that is not the server, and the course of time.

use super::{
    Summary,
    caller::{self, Caller},
    client::{self, Device},
    engine::{Engine, Happening},
    env::Env,
    journal::{Durable, Journal},
    net::{Net, Party, Side},
    options::{Options, Shared},
    oracle::{Oracle, Violation},
    process::Process,
    queue::Event,
    receiver::{self, Receiver},
    remote::{self, Worker},
    server::{Arrival, Place, Rooms},
    watcher::{self, Watcher},
};
use dubhook_core::id::Id;
use std::collections::BTreeMap;

/// How long everything may take to drain when all faults are over, in milliseconds.
const DRAIN_MS: u64 = 30 * 60_000;

/// How many lives of servers there are at most.
const LIVES_MAX: usize = 256;

/// What goes wrong with a database by itself.
const FAULTS: [Happening; 4] = [
    Happening::Promote,
    Happening::Restart,
    Happening::Away,
    Happening::Cancel,
];

fn same_kind(one: &Happening, other: &Happening) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

/// The process that has the records, and may say so.
fn owner<'p, 'a>(places: &'p mut [Place<'a>], world: &World) -> Option<&'p mut Process<'a>> {
    let mut places = places.iter_mut().filter(|place| place.holds(world));
    places.find_map(|place| {
        let process = place.process.as_mut()?;
        process.is_legitimate(world).then_some(process)
    })
}

/// The place where the process with this number runs.
fn of_life<'p, 'a>(places: &'p mut [Place<'a>], number: u32) -> Option<&'p mut Place<'a>> {
    places.iter_mut().find(|place| {
        let process = place.process.as_ref();
        process.is_some_and(|process| process.number == number)
    })
}

/// The world around the server.
#[derive(Debug)]
pub(super) struct World {
    pub(super) env: Env,
    pub(super) net: Net,
    pub(super) journal: Journal,
    /// The database, where servers share one.
    pub(super) engine: Engine,
    /// What would survive whatever happens.
    pub(super) durable: Durable,
    /// When the newest batch on its way is durable.
    pub(super) journal_free_at: u64,
    pub(super) oracle: Oracle,
    pub(super) callers: Vec<Caller>,
    pub(super) receivers: Vec<Receiver>,
    pub(super) clients: Vec<Device>,
    pub(super) watchers: Vec<Watcher>,
    pub(super) workers: Vec<Worker>,
    pub(super) lives: u32,
    /// Which life the oracle looks at.
    pub(super) observed: u32,
    /// Whether there were more lives than there is room for.
    pub(super) is_full: bool,
    /// The first bytes of each message that were sent.
    pub(super) first_sent: BTreeMap<String, Vec<u8>>,
    hash: u64,
    healed_at: Option<u64>,
    /// Whether what was given up is to be asked for again.
    is_unrestored: bool,
    done: bool,
}

impl World {
    pub(super) fn new(options: &Options) -> Self {
        let mut env = Env::new(options);
        for at in 0..options.callers {
            env.queue.push(at as u64, Event::Caller(at));
        }
        for at in 0..options.clients {
            env.queue.push(at as u64, Event::Act(at));
        }
        for at in 0..options.watchers {
            env.queue.push(at as u64, Event::Watch(at));
        }
        let workers = if options.remote { options.workers } else { 0 };
        for at in 0..workers {
            env.queue.push(at as u64, Event::Worker(at));
        }
        env.queue.push(options.chaos_ms, Event::Heal);
        let mut callers: Vec<Caller> = (0..options.callers).map(|_| Caller::new()).collect();
        for caller in callers.iter_mut().take(options.rude_callers) {
            caller.rude_only = true;
        }
        let mut world = Self {
            env,
            net: Net::default(),
            journal: Journal::default(),
            engine: Engine::new(),
            durable: Durable::default(),
            journal_free_at: 0,
            oracle: Oracle::default(),
            callers,
            receivers: (0..options.receivers)
                .map(|_| Receiver::default())
                .collect(),
            clients: (0..options.clients).map(|_| Device::new()).collect(),
            watchers: (0..options.watchers).map(|_| Watcher::default()).collect(),
            workers: (0..workers).map(|_| Worker::new()).collect(),
            lives: 0,
            observed: 0,
            is_full: false,
            first_sent: BTreeMap::new(),
            hash: 0xcbf2_9ce4_8422_2325,
            healed_at: None,
            is_unrestored: false,
            done: false,
        };
        world.plan(|o| o.jump_every_ms, Event::SetClock);
        for at in 0..world.servers() {
            world.plan(|o| o.crash_every_ms, Event::Crash(at));
            world.plan(|o| o.pause_every_ms, Event::Pause(at));
            world.plan_shared(|o| o.leave_every_ms, Event::Leave(at));
            world.env.queue.push(0, Event::Boot(at));
        }
        for happening in FAULTS {
            world.plan_fault(&happening);
        }
        world
    }

    fn servers(&self) -> usize {
        self.env.options.shared.map_or(1, |shared| shared.servers)
    }

    /// Lives through all of it.
    pub(super) fn run(mut self) -> Result<Summary, Violation> {
        let mut rooms: Vec<_> = (0..LIVES_MAX).map(|_| None).collect();
        let mut rooms = rooms.iter_mut();
        let mut places: Vec<_> = (0..self.servers()).map(Place::new).collect();
        while !self.done {
            for place in &mut places {
                place.turn(&mut self, &mut rooms);
            }
            if self.is_unrestored
                && let Some(process) = owner(&mut places, &self)
            {
                process.restore_service(&mut self);
                process.pump(&mut self);
                self.is_unrestored = false;
                continue;
            }
            self.done =
                self.is_full || self.oracle.violation.is_some() || self.is_over(&mut places);
            if !self.done {
                self.step(&mut places, &mut rooms);
            }
        }
        match self.oracle.violation {
            Some(violation) => Err(violation),
            None => Ok(Summary {
                lives: self.lives,
                arrivals: self.oracle.deliveries.arrivals,
                answers: self.callers.iter().map(|caller| caller.answers).sum(),
                claims: self.oracle.claims(),
                epochs: self.engine.epoch(),
                slowest_ms: self.callers.iter().map(|c| c.slowest_ms).max().unwrap_or(0),
                latencies_ms: self.oracle.deliveries.latencies_ms,
                virtual_ms: self.env.now_ms(),
                hash: self.hash,
            }),
        }
    }

    /// Does what goes wrong, unless all faults are over.
    fn fault(&mut self, deed: impl FnOnce(&mut Self)) {
        if !self.env.healed {
            deed(self);
        }
    }

    /// Lets the next thing happen.
    fn step<'a>(&mut self, places: &mut [Place<'a>], rooms: &mut Rooms<'a>) {
        let due = places.iter().map(Place::next_ms).min().unwrap_or(u64::MAX);
        let Some(event) = self.env.queue.pop(due) else {
            let past_end = due == u64::MAX;
            self.env.queue.advance(if past_end {
                DRAIN_MS + self.env.now_ms()
            } else {
                due
            });
            return;
        };
        match event {
            Event::Boot(at) => places[at].boot(self, rooms),
            Event::Crash(at) => {
                self.fault(|world| places[at].crash(world));
                self.plan(|o| o.crash_every_ms, Event::Crash(at));
            }
            Event::Pause(at) => {
                self.fault(|world| places[at].pause(world));
                self.plan(|o| o.pause_every_ms, Event::Pause(at));
            }
            Event::Resume(at) => places[at].resume(self),
            Event::Leave(at) => {
                self.fault(|world| places[at].leave(world));
                self.plan_shared(|o| o.leave_every_ms, Event::Leave(at));
            }
            Event::Synced(number) => {
                if let Some(place) = of_life(places, number) {
                    place.arrive(self, Arrival::Synced);
                }
            }
            Event::Work(number, slot) => {
                if let Some(place) = of_life(places, number) {
                    place.arrive(self, Arrival::Work(slot));
                }
            }
            Event::Reply(reply) => {
                places[reply.to.server].arrive(self, Arrival::Reply(*reply));
            }
            Event::Packet { id, to, payload } => match self.net.party(id, to) {
                Some(Party::Server(at)) => {
                    places[at].arrive(self, Arrival::Packet(id, to, payload));
                }
                _ => self.happen(Event::Packet { id, to, payload }),
            },
            Event::Engine(happening) => {
                if FAULTS.iter().any(|fault| same_kind(fault, &happening)) {
                    self.plan_fault(&happening);
                    if self.env.healed {
                        return;
                    }
                }
                if self.engine.happen(&mut self.env, happening) {
                    self.durable.clone_from(self.engine.durable());
                    self.oracle.synced(&self.durable.sequences);
                }
                if let Some(text) = self.engine.late_commit.take() {
                    self.oracle.fail("S17", text);
                }
            }
            Event::Heal => self.heal(places),
            event => self.happen(event),
        }
    }

    /// What happens whether there is a process or not.
    fn happen(&mut self, event: Event) {
        match event {
            Event::Packet { id, to, payload } => match self.net.party(id, to) {
                Some(Party::Caller(at)) => caller::receive(self, at, id, payload),
                Some(Party::Receiver(at)) => receiver::receive(self, at, id, payload),
                Some(Party::Client(at)) => client::receive(self, at, id, to, payload),
                Some(Party::Watcher(at)) => watcher::receive(self, at, id, payload),
                Some(Party::Worker(at)) => remote::receive(self, at, id, payload),
                _ => {}
            },
            Event::Break(id) => self.fault(|world| world.net.break_link(&mut world.env, id)),
            Event::Repeat(to, bytes) => {
                let link = self.net.connect(&mut self.env, [Party::Ghost, to]);
                self.net.send(&mut self.env, link, Side::Opener, &bytes);
                self.net.finish(&mut self.env, link, Side::Opener);
            }
            Event::Caller(at) => caller::wake(self, at),
            Event::Act(at) => client::act(self, at),
            Event::Client(at) => client::wake(self, at),
            Event::Watch(at) => watcher::wake(self, at),
            Event::Worker(at) => remote::wake(self, at),
            Event::Answer(link, bytes, close) => {
                self.net.send(&mut self.env, link, Side::Listener, &bytes);
                if close {
                    self.net.finish(&mut self.env, link, Side::Listener);
                }
            }
            Event::Late(receiver, bytes) => {
                let parties = [Party::Ghost, receiver];
                let link = self.net.connect(&mut self.env, parties);
                self.net.send(&mut self.env, link, Side::Opener, &bytes);
            }
            Event::SetClock => {
                let most = 7_200_000i64;
                self.env.clock_off_ms = self.env.rng.below(2 * most as u64) as i64 - most;
                self.plan(|o| o.jump_every_ms, Event::SetClock);
            }
            // These are a server's.
            _ => {}
        }
    }

    /// All faults are over; what was switched off is switched on, and what was given up is asked for again.
    fn heal(&mut self, places: &mut [Place<'_>]) {
        self.env.healed = true;
        self.env.options.latency_ms = (0, 5);
        self.healed_at = Some(self.env.now_ms());
        self.is_unrestored = true;
        self.engine.heal(&mut self.env);
        for (at, place) in places.iter_mut().enumerate() {
            place.resume(self);
            // That it is down, if it is, is a fault as well.
            let soon = self.env.now_ms() + 1;
            self.env.queue.push(soon, Event::Boot(at));
        }
        for at in 0..self.clients.len() {
            client::act(self, at);
        }
    }

    fn is_over(&mut self, places: &mut [Place<'_>]) -> bool {
        let Some(since) = self.healed_at else {
            return false;
        };
        let late = self.env.now_ms() > since + DRAIN_MS;
        let Some(process) = owner(places, self) else {
            if late {
                let text = "nobody has the records".to_owned();
                self.oracle.fail("L1", text);
            }
            return late;
        };
        let written = self.journal.batches.is_empty() && self.engine.is_idle();
        let idle = self.callers.iter().all(Caller::is_idle) && written;
        let drained = process.is_drained(self);
        let unaware = self.unaware();
        let behind = self.behind(process);
        if idle && drained && unaware.is_empty() && behind.is_none() {
            self.oracle.drained();
            return true;
        }
        if late {
            if idle && drained {
                if !unaware.is_empty() {
                    let text = format!("clients do not know the end of {unaware:?}");
                    self.oracle.fail("L3", text);
                }
                if let Some(job) = behind {
                    let text = format!("a stream is behind on {job}");
                    self.oracle.fail("W2", text);
                }
            }
            let text = format!(
                "callers idle {idle}, drained {drained}: {}",
                process.summary()
            );
            self.oracle.fail("L1", text);
        }
        late
    }

    /// The jobs of clients that do not know how they have ended.
    fn unaware(&self) -> Vec<(usize, Id)> {
        let clients = self.clients.iter().enumerate();
        let jobs = clients.flat_map(|(at, client)| client.jobs.iter().map(move |job| (at, *job)));
        jobs.filter(|(at, job)| !self.oracle.client_knows_end(*at, *job))
            .collect()
    }

    /// A job of which some stream has not told all.
    fn behind(&self, process: &Process<'_>) -> Option<String> {
        let service = process.server.service();
        let mut told = self.watchers.iter().flat_map(Watcher::sequences);
        let behind = told.find(|(id, sequence)| {
            let job = service.find_job_text(id).and_then(|ix| service.job(ix));
            job.is_some_and(|job| u64::from(job.last_event().sequence) != *sequence)
        });
        behind.map(|(id, _)| id.to_owned())
    }

    /// Plans the next of a kind of event, if there is one.
    fn plan(&mut self, mean_ms: impl Fn(&Options) -> u64, event: Event) {
        let mean_ms = mean_ms(&self.env.options);
        let pause = self.env.rng.below(2 * mean_ms + 1);
        if mean_ms > 0 && !self.env.healed {
            let at = self.env.now_ms() + pause;
            if at < self.env.options.chaos_ms {
                self.env.queue.push(at, event);
            }
        }
    }

    /// The same, where servers share a database.
    fn plan_shared(&mut self, mean_ms: impl Fn(&Shared) -> u64, event: Event) {
        self.plan(|o| o.shared.as_ref().map_or(0, &mean_ms), event);
    }

    /// Plans the next fault of a kind in the database.
    fn plan_fault(&mut self, fault: &Happening) {
        let mean_ms = |shared: &Shared| match fault {
            Happening::Promote => shared.promote_every_ms,
            Happening::Restart => shared.restart_every_ms,
            Happening::Away => shared.away_every_ms,
            _ => shared.cancel_every_ms,
        };
        self.plan_shared(mean_ms, Event::Engine(fault.clone()));
    }

    /// Notes what was seen from outside, so that two runs can be compared.
    pub(super) fn note(&mut self, who: u64, what: &[u8]) {
        for byte in who.to_le_bytes().iter().chain(what) {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// How long an event took from its moment to its first arrival on `path`.
    pub(super) fn measure(&mut self, receiver: usize, path: &str, body: &[u8]) {
        let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let at = json["timestamp"].as_str().unwrap_or_default();
        if let Some(at) = dubhook_core::time::Timestamp::parse_rfc3339(at.as_bytes()) {
            if !self.oracle.is_urgent(path, at) || self.env.healed {
                return;
            }
            let took = self.env.wall().ms_since(at);
            self.oracle.deliveries.latencies_ms.push((receiver, took));
            let options = &self.env.options;
            let most = options.arrival_ms_max.unwrap_or(u64::MAX);
            let soon = took <= most || options.dead_receiver == Some(receiver);
            self.oracle.ensure(soon, "S12", || {
                format!("{took} ms to receiver {receiver} on {path}, and at most {most} are good")
            });
        }
    }
}
