//! A place where a server runs, dies, starts again, is stopped for a while and goes on; and where servers share a database, what
//! it does before the records are its own, and when they no longer are.
//!
//! Whoever is stopped finds what has come meanwhile when it goes on, and reads it before it lets time pass. Whoever may not
//! speak because its lease has ended leaves what has come unread for a moment: if the database says that it is still the owner,
//! all that counts.

use super::{
    engine::Reply,
    journal::{lose_all, tear},
    keeper::{Keeper, News},
    mutation::Mutation,
    net::{LinkId, Payload, Side},
    process::{Process, room},
    queue::Event,
    relay::Relay,
    world::World,
};
use crate::tables::Tables;
use dubhook_smol::store::postgres::owner::End;

/// How long what has come waits for the lease to be renewed, in milliseconds.
const RENEWAL_MS: u64 = 500;

/// Memory for servers, each used for one life.
pub(super) type Rooms<'a> = dyn Iterator<Item = &'a mut Option<Tables>> + 'a;

/// What has come and was not looked at yet.
#[derive(Debug)]
pub(super) enum Arrival {
    Packet(LinkId, Side, Payload),
    /// A worker inside goes on.
    Work(usize),
    /// The oldest batch is durable.
    Synced,
    /// The database answers.
    Reply(Reply),
}

/// A place for a server.
#[derive(Debug)]
pub(super) struct Place<'a> {
    at: usize,
    /// Which life it is; none while it is down.
    life: Option<u32>,
    pub(super) process: Option<Process<'a>>,
    keeper: Option<Keeper>,
    relay: Relay,
    is_stopped: bool,
    /// What has come while it was stopped.
    backlog: Vec<Arrival>,
    /// What waits for the lease, and for how long.
    unheld: Vec<(LinkId, Side, Payload)>,
    unheld_until_ms: u64,
    /// Whether something has happened to it.
    is_touched: bool,
}

impl<'a> Place<'a> {
    pub(super) fn new(at: usize) -> Self {
        Self {
            at,
            life: None,
            process: None,
            keeper: None,
            relay: Relay::new(at),
            is_stopped: false,
            backlog: Vec::new(),
            unheld: Vec::new(),
            unheld_until_ms: u64::MAX,
            is_touched: false,
        }
    }

    /// Whether it may speak of what it knows.
    pub(super) fn holds(&self, world: &World) -> bool {
        self.keeper
            .as_ref()
            .is_none_or(|keeper| keeper.holds(world))
    }

    /// Starts, unless it runs.
    pub(super) fn boot(&mut self, world: &mut World, rooms: &mut Rooms<'a>) {
        if self.life.is_some() {
            return;
        }
        world.lives += 1;
        self.life = Some(world.lives);
        self.is_touched = true;
        if world.env.options.shared.is_some() {
            self.keeper = Some(Keeper::new(world, self.at, world.lives));
        } else {
            let records = world.durable.records.clone().into_iter().collect();
            self.begin(world, rooms, records);
        }
    }

    /// Serves from these records on.
    fn begin(
        &mut self,
        world: &mut World,
        rooms: &mut Rooms<'a>,
        records: Vec<(dubhook_core::record::Key, Vec<u8>)>,
    ) {
        let Some(slot) = rooms.next() else {
            // So many lives say enough.
            world.is_full = true;
            return;
        };
        let room = slot.insert(room(world));
        self.relay.end(world);
        let epoch = self.keeper.as_ref().and_then(|keeper| keeper.owner.epoch());
        let life = self.life.unwrap_or(0);
        self.process = Some(Process::boot(room, world, (self.at, life, epoch), records));
    }

    /// Dies. It starts again after a while.
    pub(super) fn crash(&mut self, world: &mut World) {
        if self.life.take().is_none() {
            return;
        }
        for (link, side) in world.net.of_server(self.at) {
            world.net.reset(&mut world.env, link, side);
        }
        self.process = None;
        self.keeper = None;
        self.relay = Relay::new(self.at);
        self.is_stopped = false;
        self.backlog.clear();
        self.let_wait_no_more();
        if world.env.options.shared.is_none() {
            world.journal.crash(&mut world.durable, &mut world.env.rng);
            match world.env.options.mutation {
                Some(Mutation::LoseSynced) => world.journal.lose_synced(&mut world.durable),
                Some(Mutation::LoseAll) => lose_all(&mut world.durable.records),
                Some(Mutation::TearRecord) => tear(&mut world.durable.records),
                _ => {}
            }
            world.oracle.synced(&world.durable.sequences);
            world.oracle.crashed();
            world.journal_free_at = 0;
        }
        let down_ms = world.env.rng.within(world.env.options.down_ms);
        let down_ms = if world.env.healed { 1 } else { down_ms };
        let up_at = world.env.now_ms() + down_ms;
        world.env.queue.push(up_at, Event::Boot(self.at));
    }

    fn let_wait_no_more(&mut self) {
        self.unheld.clear();
        self.unheld_until_ms = u64::MAX;
    }

    /// Is stopped for a while.
    pub(super) fn pause(&mut self, world: &mut World) {
        if self.life.is_some() && !self.is_stopped {
            self.is_stopped = true;
            let pause_ms = world.env.rng.within(world.env.options.pause_ms);
            let at = world.env.now_ms() + pause_ms;
            world.env.queue.push(at, Event::Resume(self.at));
        }
    }

    /// Goes on: what has come meanwhile is read before time passes.
    pub(super) fn resume(&mut self, world: &mut World) {
        if !std::mem::take(&mut self.is_stopped) {
            return;
        }
        self.is_touched = true;
        let judges = world.env.options.mutation == Some(Mutation::JudgeFirst);
        if let Some(process) = self.process.as_mut() {
            if judges {
                process.pump(world);
            } else {
                process.hold(world);
            }
        }
        for arrival in std::mem::take(&mut self.backlog) {
            self.arrive(world, arrival);
        }
    }

    /// Is told to end, and gives back what is its own.
    pub(super) fn leave(&mut self, world: &mut World) {
        let Some(keeper) = self.keeper.as_mut().filter(|_| !self.is_stopped) else {
            return;
        };
        keeper.leave();
        self.process = None;
        self.is_touched = true;
        for (link, side) in world.net.of_server(self.at) {
            world.net.reset(&mut world.env, link, side);
        }
        self.relay = Relay::new(self.at);
        self.let_wait_no_more();
    }

    /// Something comes.
    pub(super) fn arrive(&mut self, world: &mut World, arrival: Arrival) {
        let Some(life) = self.life else {
            // Nobody is there: whoever calls is refused.
            if let Arrival::Packet(link, to, Payload::Open) = arrival {
                world.net.reset(&mut world.env, link, to);
            }
            return;
        };
        if self.is_stopped {
            self.backlog.push(arrival);
            return;
        }
        self.is_touched = true;
        match arrival {
            Arrival::Packet(link, to, payload) => self.receive(world, link, to, payload),
            Arrival::Work(slot) => {
                if let Some(process) = &mut self.process {
                    process.step_work(world, slot);
                }
            }
            Arrival::Synced => self.sync(world),
            Arrival::Reply(reply) if reply.to.life == life => {
                if let Some(keeper) = &mut self.keeper {
                    keeper.hear(world, reply);
                }
            }
            Arrival::Reply(_) => {}
        }
    }

    fn receive(&mut self, world: &mut World, link: LinkId, to: Side, payload: Payload) {
        let holds = self.holds(world);
        match &mut self.process {
            // The answer to an attempt says nothing to anybody.
            Some(process) if holds || to == Side::Opener => {
                process.receive(world, link, to, payload);
            }
            Some(_) => {
                let until_ms = world.env.now_ms() + RENEWAL_MS;
                self.unheld_until_ms = self.unheld_until_ms.min(until_ms);
                self.unheld.push((link, to, payload));
            }
            None => {
                let leads_to = self.keeper.as_ref().and_then(Keeper::leads_to);
                self.relay.receive(world, link, to, payload, leads_to);
            }
        }
    }

    fn sync(&mut self, world: &mut World) {
        if world.env.chance(|o| o.write_failure) {
            // Nobody knows what was written: the process stops.
            return self.crash(world);
        }
        if world.journal.sync(&mut world.durable) {
            world.oracle.synced(&world.durable.sequences);
            if let Some(process) = &mut self.process {
                process.synced(world);
            }
        }
    }

    /// When it has something to do whatever happens.
    pub(super) fn next_ms(&self) -> u64 {
        if self.is_stopped || self.life.is_none() {
            return u64::MAX;
        }
        let process = self.process.as_ref().and_then(Process::wakes_ms);
        let keeper = self.keeper.as_ref().map(Keeper::next_ms);
        let all = [process, keeper, Some(self.unheld_until_ms)];
        all.into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    /// Does what there is to do, if there is something.
    pub(super) fn turn(&mut self, world: &mut World, rooms: &mut Rooms<'a>) {
        let is_due = self.next_ms() <= world.env.now_ms();
        if self.is_stopped || self.life.is_none() || !(self.is_touched || is_due) {
            return;
        }
        self.is_touched = false;
        loop {
            while let Some(news) = self.keeper.as_mut().and_then(|keeper| keeper.turn(world)) {
                match news {
                    News::Owns(records) => self.begin(world, rooms, records),
                    News::Written => {
                        if let Some(process) = &mut self.process {
                            process.synced(world);
                        }
                    }
                    News::Ended(end) => return self.end(world, &end),
                }
            }
            self.speak(world);
            let Some(process) = &mut self.process else {
                return;
            };
            process.pump(world);
            match (process.outgoing.take(), &mut self.keeper) {
                (Some(batch), Some(keeper)) => keeper.write(batch),
                _ => return,
            }
        }
    }

    /// Looks at what waits for the lease.
    fn speak(&mut self, world: &mut World) {
        let holds = self.holds(world);
        let Some(process) = &mut self.process else {
            return;
        };
        process.speaks = holds;
        if holds {
            self.unheld_until_ms = u64::MAX;
            for (link, to, payload) in std::mem::take(&mut self.unheld) {
                process.receive(world, link, to, payload);
            }
            process.drive_named(world);
            process.let_go();
        } else if world.env.now_ms() >= self.unheld_until_ms {
            self.unheld_until_ms = u64::MAX;
            for (link, ..) in std::mem::take(&mut self.unheld) {
                process.refuse(world, link);
            }
            process.refuse_named(world);
            process.let_go();
        } else if process.waits() {
            let until_ms = world.env.now_ms() + RENEWAL_MS;
            self.unheld_until_ms = self.unheld_until_ms.min(until_ms);
        }
    }

    /// The records are no longer its own: it ends, and starts again.
    fn end(&mut self, world: &mut World, end: &End) {
        if let End::Lost { found, written } = end {
            world.oracle.fail(
                "L1",
                format!("of {written} batches there are {found}, it is said, and nothing is lost"),
            );
        }
        self.crash(world);
    }
}
