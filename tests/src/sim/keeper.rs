//! A server's hand on the records that it shares: the real owner, with a clock of its own, over the model of a database.

use super::{
    engine::{Asker, PAGE, Question, Reply, name},
    mutation::Mutation,
    world::World,
};
use dubhook_core::{id::Id, record::Key};
use dubhook_smol::store::postgres::owner::{
    End, Failure, Lease, Moment, Operation, Owner, Step, Want,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What a batch changes.
#[derive(Debug, Clone)]
pub(super) struct Changes {
    pub(super) records: Vec<(Key, Option<Vec<u8>>)>,
    /// How far each job has come with it.
    pub(super) sequences: BTreeMap<Id, u32>,
}

/// A clock that nobody has set, and that is a little too fast or too slow: two of them differ by a tenth at most.
#[derive(Debug, Clone, Copy)]
struct Skewed {
    offset_ms: u64,
    /// Nanoseconds that it counts in a millisecond.
    rate: u64,
}

impl Skewed {
    const fn at(self, now_ms: u64) -> Moment {
        Moment::from_nanos((self.offset_ms + now_ms) * self.rate)
    }

    /// How many milliseconds pass until it has counted so much.
    fn real_ms(self, time: Duration) -> u64 {
        u64::try_from(time.as_nanos())
            .unwrap_or(u64::MAX)
            .div_ceil(self.rate)
    }
}

/// What a server learns of its records.
#[derive(Debug)]
pub(super) enum News {
    /// They are its own, and these.
    Owns(Vec<(Key, Vec<u8>)>),
    /// The batch is durable.
    Written,
    /// They are no longer its own, or were given back.
    Ended(End),
}

/// A server's hand on the records.
#[derive(Debug)]
pub(super) struct Keeper {
    server: usize,
    life: u32,
    pub(super) owner: Owner,
    lease: Arc<Lease>,
    clock: Skewed,
    /// The records, as far as they were read; nothing before they are its own, and once they all were.
    loading: Option<Vec<(Key, Vec<u8>)>>,
    has_more: bool,
    want: Option<Want>,
    batch: Option<Changes>,
    /// The number of the question that was asked last.
    asked: u64,
    /// When it looks again, or waits no longer for an answer.
    due_ms: u64,
    beat_at_ms: u64,
    /// Whether it gives them back.
    leaves: bool,
}

impl Keeper {
    pub(super) fn new(world: &mut World, server: usize, life: u32) -> Self {
        let options = world.env.options.shared.expect("servers share a database");
        let lease = Arc::new(Lease::new(Duration::from_millis(options.lease_ms)));
        Self {
            server,
            life,
            owner: Owner::new(name(server, life), Arc::clone(&lease)),
            lease,
            clock: Skewed {
                offset_ms: 1 + world.env.rng.below(1_000_000_000),
                rate: world.env.rng.within((955_000, 1_050_000)),
            },
            loading: None,
            has_more: false,
            want: None,
            batch: None,
            asked: 0,
            due_ms: 0,
            beat_at_ms: u64::MAX,
            leaves: false,
        }
    }

    /// Whether it may speak.
    pub(super) fn holds(&self, world: &World) -> bool {
        let speaks_on = world.env.options.mutation == Some(Mutation::SpeakOn);
        speaks_on || self.lease.holds(self.clock.at(world.env.now_ms()))
    }

    /// When it has something to do whatever happens.
    pub(super) fn next_ms(&self) -> u64 {
        if self.want.is_some() {
            self.due_ms
        } else {
            self.beat_at_ms
        }
    }

    /// Another server that has the records, as far as it knows.
    pub(super) fn leads_to(&self) -> Option<usize> {
        let url = self.owner.seen().1?;
        url.parse().ok().filter(|server| *server != self.server)
    }

    /// Writes this when it is done with what it does.
    pub(super) fn write(&mut self, batch: Changes) {
        self.batch = Some(batch);
    }

    /// Gives the records back when it is done with what it does.
    pub(super) const fn leave(&mut self) {
        self.leaves = true;
        self.owner.close();
    }

    /// An answer comes.
    pub(super) fn hear(&mut self, world: &World, reply: Reply) {
        if (reply.to.life, reply.to.number) != (self.life, self.asked) {
            return;
        }
        // Whatever else comes to this question comes too late.
        self.asked += 1;
        if let Some(loading) = &mut self.loading {
            self.has_more = reply.page.len() == PAGE;
            loading.extend(reply.page);
        }
        let now = self.clock.at(world.env.now_ms());
        self.owner.handle(now, reply.answer);
    }

    /// Does what there is to do. What the server learns by it.
    pub(super) fn turn(&mut self, world: &mut World) -> Option<News> {
        loop {
            let now_ms = world.env.now_ms();
            let now = self.clock.at(now_ms);
            if self.want.is_none() {
                self.want = self.wanted(now_ms);
                self.owner.want(now, self.want?);
            }
            match self.owner.poll(now) {
                Step::Ask(operation) => self.ask(world, operation),
                Step::Wait if now_ms < self.due_ms => return None,
                Step::Wait => {
                    // The connection is given up; what was asked may still be done.
                    self.asked += 1;
                    self.owner.handle(now, Err(Failure::Unknown));
                }
                Step::Pause(pause) => {
                    self.due_ms = now_ms + self.clock.real_ms(pause).max(1);
                    return None;
                }
                Step::Done(end) => {
                    let done = self.want.take();
                    if let Some(news) = self.done(now_ms, done, end) {
                        return Some(news);
                    }
                }
            }
        }
    }

    fn wanted(&self, now_ms: u64) -> Option<Want> {
        if self.leaves {
            return Some(Want::Release);
        }
        if self.owner.epoch().is_none() {
            return Some(Want::Take);
        }
        if self.loading.is_some() {
            return Some(Want::Read);
        }
        if self.batch.is_some() {
            return Some(Want::Write);
        }
        (now_ms >= self.beat_at_ms).then_some(Want::Beat)
    }

    fn ask(&mut self, world: &mut World, operation: Operation) {
        self.asked += 1;
        self.due_ms = world.env.now_ms() + self.clock.real_ms(self.lease.time());
        let changes = self.batch.clone();
        let question = Question {
            from: Asker {
                server: self.server,
                life: self.life,
                number: self.asked,
                lease_ms: self.lease.time().as_millis() as u64,
            },
            changes: changes.filter(|_| matches!(operation, Operation::Write { .. })),
            after: self.loading.as_ref().and_then(|page| Some(page.last()?.0)),
            operation,
        };
        world.engine.ask(&mut world.env, question);
    }

    fn done(&mut self, now_ms: u64, done: Option<Want>, end: Result<(), End>) -> Option<News> {
        self.beat_at_ms = now_ms + self.clock.real_ms(self.lease.time() / 4);
        match (done, end) {
            (Some(Want::Release), _) => Some(News::Ended(End::Closed)),
            // It is asked to give them back.
            (_, Err(End::Closed)) if self.leaves => None,
            (_, Err(end)) => Some(News::Ended(end)),
            (Some(Want::Take), Ok(())) => {
                self.loading = Some(Vec::new());
                None
            }
            (Some(Want::Read), Ok(())) if self.has_more => None,
            (Some(Want::Read), Ok(())) => self.loading.take().map(News::Owns),
            (Some(Want::Write), Ok(())) => {
                self.batch = None;
                Some(News::Written)
            }
            _ => None,
        }
    }
}
