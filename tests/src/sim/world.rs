//! The world: everything that is not the server, and the course of time.

use super::{
    Summary,
    caller::{self, Caller},
    client::{self, Device},
    env::Env,
    journal::Journal,
    mutation::Mutation,
    net::{Net, Party, Payload, Side},
    options::Options,
    oracle::{Oracle, Violation},
    process::{Process, room},
    queue::Event,
    receiver::{self, Receiver},
    remote::{self, Worker},
    watcher::{self, Watcher},
};
use dubhook_core::id::Id;
use std::collections::BTreeMap;

/// How long everything may take to drain when all faults are over, in milliseconds.
const DRAIN_MS: u64 = 30 * 60_000;

/// The world around the server.
#[derive(Debug)]
pub(super) struct World {
    pub(super) env: Env,
    pub(super) net: Net,
    pub(super) journal: Journal,
    /// When the newest batch on its way is durable.
    pub(super) journal_free_at: u64,
    pub(super) oracle: Oracle,
    pub(super) callers: Vec<Caller>,
    pub(super) receivers: Vec<Receiver>,
    pub(super) clients: Vec<Device>,
    pub(super) watchers: Vec<Watcher>,
    pub(super) workers: Vec<Worker>,
    pub(super) lives: u32,
    /// The first bytes of each message that were sent.
    pub(super) first_sent: BTreeMap<String, Vec<u8>>,
    hash: u64,
    healed_at: Option<u64>,
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
            first_sent: BTreeMap::new(),
            hash: 0xcbf2_9ce4_8422_2325,
            healed_at: None,
            done: false,
        };
        world.plan(|o| o.crash_every_ms, Event::Crash);
        world.plan(|o| o.jump_every_ms, Event::SetClock);
        world
    }

    /// Lives through all of it, one process after the other.
    pub(super) fn run(mut self) -> Result<Summary, Violation> {
        while !self.done {
            let mut room = room(&self);
            let mut process = Process::boot(&mut room, &mut self);
            self.live(&mut process);
            drop(process);
            if !self.done {
                self.lie_down();
            }
        }
        match self.oracle.violation {
            Some(violation) => Err(violation),
            None => Ok(Summary {
                lives: self.lives,
                arrivals: self.oracle.deliveries.arrivals,
                answers: self.callers.iter().map(|caller| caller.answers).sum(),
                claims: self.oracle.claims(),
                slowest_ms: self.callers.iter().map(|c| c.slowest_ms).max().unwrap_or(0),
                latencies_ms: self.oracle.deliveries.latencies_ms,
                virtual_ms: self.env.now_ms(),
                hash: self.hash,
            }),
        }
    }

    /// Runs until the process dies or all is over.
    fn live(&mut self, process: &mut Process<'_>) {
        loop {
            process.pump(self);
            self.done |= self.oracle.violation.is_some() || self.is_over(process);
            if self.done {
                return;
            }
            let due = process.next_ms().unwrap_or(u64::MAX);
            let Some(event) = self.env.queue.pop(due) else {
                let past_end = due == u64::MAX;
                self.env.queue.advance(if past_end {
                    DRAIN_MS + self.env.now_ms()
                } else {
                    due
                });
                continue;
            };
            match event {
                Event::Crash => return,
                Event::Synced(number) if number == process.number => {
                    if self.env.chance(|o| o.write_failure) {
                        // Nobody knows what was written: the process stops.
                        return;
                    }
                    if self.journal.sync() {
                        self.oracle.synced(&self.journal.sequences);
                        process.synced(self);
                    }
                }
                Event::Work(number, place) if number == process.number => {
                    process.step_work(self, place);
                }
                Event::Packet { id, to, payload }
                    if self.net.party(id, to) == Some(Party::Server) =>
                {
                    process.receive(self, id, to, payload);
                }
                Event::Heal => self.heal(process),
                event => self.happen(event),
            }
        }
    }

    /// The process is dead; after a while it starts again.
    fn lie_down(&mut self) {
        for (link, side) in self.net.of_server() {
            self.net.reset(&mut self.env, link, side);
        }
        self.journal.crash(&mut self.env.rng);
        match self.env.options.mutation {
            Some(Mutation::LoseSynced) => self.journal.lose_synced(),
            Some(Mutation::LoseAll) => self.journal.lose_all(),
            Some(Mutation::TearRecord) => self.journal.tear(),
            _ => {}
        }
        self.oracle.synced(&self.journal.sequences);
        self.oracle.crashed();
        self.journal_free_at = 0;
        let down_ms = self.env.rng.within(self.env.options.down_ms);
        let up_at = self.env.now_ms() + down_ms;
        self.env.queue.push(up_at, Event::Boot);
        self.plan(|o| o.crash_every_ms, Event::Crash);
        while let Some(event) = self.env.queue.pop(u64::MAX) {
            match event {
                Event::Boot => return,
                Event::Crash => self.plan(|o| o.crash_every_ms, Event::Crash),
                // Nobody is there: whoever calls is refused.
                Event::Packet { id, to, payload }
                    if self.net.party(id, to) == Some(Party::Server) =>
                {
                    if payload == Payload::Open {
                        self.net.reset(&mut self.env, id, to);
                    }
                }
                // All faults stop; that the process is down is one.
                Event::Heal => {
                    let soon = self.env.now_ms() + 1;
                    self.env.queue.push(soon, Event::Boot);
                    self.env.queue.push(soon + 1, Event::Heal);
                }
                event => self.happen(event),
            }
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
            Event::Break(id) => {
                if !self.env.healed {
                    self.net.break_link(&mut self.env, id);
                }
            }
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
            Event::Synced(_) | Event::Work(..) | Event::Crash | Event::Boot | Event::Heal => {}
        }
    }

    /// All faults are over; what was switched off is switched on, and what was given up is asked for again.
    fn heal(&mut self, process: &mut Process<'_>) {
        self.env.healed = true;
        self.env.options.latency_ms = (0, 5);
        self.healed_at = Some(self.env.now_ms());
        process.restore_service(self);
        for at in 0..self.clients.len() {
            client::act(self, at);
        }
    }

    fn is_over(&mut self, process: &mut Process<'_>) -> bool {
        let Some(since) = self.healed_at else {
            return false;
        };
        let idle = self.callers.iter().all(Caller::is_idle) && self.journal.batches.is_empty();
        let drained = process.is_drained(self);
        let unaware = self.unaware();
        let behind = self.behind(process);
        if idle && drained && unaware.is_empty() && behind.is_none() {
            self.oracle.drained();
            return true;
        }
        let late = self.env.now_ms() > since + DRAIN_MS;
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
