//! A database that servers share, in a model: the row of the shard, the records, and a standby of its own.
//!
//! What is asked comes late, twice, or not at all; what is answered may not arrive. A statement that changes the row holds it
//! until the standby has what it wrote: then it can be read, and is answered. Where somebody ends its session before, or the
//! database is started again, it can be read and the standby does not have it; where the standby is promoted then, it never
//! was. What the standby has is what counts as durable.

use super::{
    env::Env, journal::Durable, keeper::Changes, mutation::Mutation, options::Shared, queue::Event,
};
use dubhook_core::record::Key;
use dubhook_smol::store::postgres::owner::{Answer, Failure, Operation, Shard};
use std::{collections::VecDeque, ops::Bound, time::Duration};

/// Records that are read at once.
pub(super) const PAGE: usize = 12;

/// What a server asks.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// Who asks: its place, and which of its lives and questions it is.
    pub(super) from: Asker,
    pub(super) operation: Operation,
    /// What is to be written.
    pub(super) changes: Option<Changes>,
    /// Behind which record is read.
    pub(super) after: Option<Key>,
}

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) server: usize,
    pub(super) life: u32,
    pub(super) number: u64,
    /// For how long its server speaks without a success, in milliseconds.
    pub(super) lease_ms: u64,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) to: Asker,
    pub(super) answer: Result<Answer, Failure>,
    /// The records of a page.
    pub(super) page: Vec<(Key, Vec<u8>)>,
}

/// What happens to the database.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    /// A question comes, on a connection to the primary of this number; nobody hears the answer to a repeated one.
    Comes(Box<Question>, u32, bool),
    /// A question has waited too long for the row.
    Waited(Asker, u32),
    /// The standby has the oldest change that it had not.
    Replicated(u32),
    /// The rest of a statement comes that had come in part.
    Rest(Asker, u32),
    /// The primary dies, and its standby takes its place.
    Promote,
    /// The primary dies, and is started again.
    Restart,
    /// The standby is away for a while; and it is back.
    Away,
    Back,
    /// Somebody ends the wait for the standby.
    Cancel,
}

/// What a state becomes by a statement.
#[derive(Debug, Clone)]
struct Change {
    row: Shard,
    changes: Option<Changes>,
}

/// A state of everything.
#[derive(Debug, Clone)]
struct State {
    row: Shard,
    durable: Durable,
}

impl State {
    fn apply(&mut self, change: Change) {
        self.row = change.row;
        if let Some(changes) = change.changes {
            self.durable.apply(changes.records, changes.sequences);
        }
    }
}

/// Who holds the row.
#[derive(Debug)]
struct Holder {
    question: Question,
    since_ms: u64,
    /// What it becomes, and what is answered then; nothing while its end has not come.
    becomes: Option<(Change, Answer)>,
}

/// The database.
#[derive(Debug)]
pub(super) struct Engine {
    /// What can be read.
    primary: State,
    standby: State,
    /// What the standby does not have, in order. What the row's holder writes is the last of it.
    log: VecDeque<Change>,
    holder: Option<Holder>,
    waiting: VecDeque<Question>,
    /// How many primaries there were, or how often one was started.
    number: u32,
    is_away: bool,
    /// Whether it takes questions, and from when on.
    up_at_ms: u64,
    /// A commit of an old epoch that was written.
    pub(super) late_commit: Option<String>,
}

impl Engine {
    pub(super) fn new() -> Self {
        let state = State {
            row: Shard {
                format: 1,
                epoch: 0,
                batch: 0,
                beat: 0,
                lease: Duration::ZERO,
                owner: None,
                url: None,
                lost: None,
                waits: true,
            },
            durable: Durable::default(),
        };
        Self {
            primary: state.clone(),
            standby: state,
            log: VecDeque::new(),
            holder: None,
            waiting: VecDeque::new(),
            number: 1,
            is_away: false,
            up_at_ms: 0,
            late_commit: None,
        }
    }

    /// The epoch that has begun, as far as can be read.
    pub(super) const fn epoch(&self) -> i64 {
        self.primary.row.epoch
    }

    /// Whether nothing is on its way to the standby.
    pub(super) fn is_idle(&self) -> bool {
        self.log.is_empty() && self.holder.is_none()
    }

    /// A server asks something.
    pub(super) fn ask(&self, env: &mut Env, question: Question) {
        let options = shared(env);
        if env.chance(|o| shared_of(o).lost) {
            return;
        }
        let comes = |env: &mut Env, most_ms: u64, repeated| {
            let at = env.now_ms() + env.rng.below(most_ms + 1);
            let question = Box::new(question.clone());
            let comes = Happening::Comes(question, self.number, repeated);
            env.queue.push(at, Event::Engine(comes));
        };
        let late = env.chance(|o| shared_of(o).late);
        let most_ms = if late { 3 * options.lease_ms } else { 5 };
        comes(env, most_ms, false);
        if env.chance(|o| shared_of(o).repeated) {
            comes(env, 3 * options.lease_ms, true);
        }
    }

    /// Something happens. Whether more is durable now.
    pub(super) fn happen(&mut self, env: &mut Env, happening: Happening) -> bool {
        match happening {
            Happening::Comes(question, number, repeated) => {
                self.come(env, *question, number, repeated);
            }
            Happening::Waited(asker, number) => self.waited(env, asker, number),
            Happening::Replicated(number) => return self.replicated(env, number),
            Happening::Rest(asker, number) => {
                let is_its = self.holder.as_ref().is_some_and(|holder| {
                    holder.becomes.is_none() && holder.question.from == asker
                });
                if number == self.number && is_its {
                    let holder = self.holder.take();
                    holder.into_iter().for_each(|h| self.start(env, h.question));
                }
            }
            Happening::Promote => {
                self.primary = self.standby.clone();
                self.log.clear();
                self.begin_again(env);
            }
            Happening::Restart => {
                // What was written is there after it, whoever waited for what.
                self.let_go(true);
                self.begin_again(env);
                self.ship(env);
            }
            Happening::Away => {
                self.is_away = true;
                let most_ms = 4 * shared(env).lease_ms;
                let at = env.now_ms() + env.rng.below(most_ms);
                env.queue.push(at, Event::Engine(Happening::Back));
            }
            Happening::Back => {
                self.is_away = false;
                self.ship(env);
            }
            Happening::Cancel => {
                if self.holder.as_ref().is_some_and(|h| h.becomes.is_some()) {
                    self.end_holder(env);
                }
            }
        }
        false
    }

    /// All faults are over.
    pub(super) fn heal(&mut self, env: &mut Env) {
        self.is_away = false;
        self.end_torn(env);
        self.ship(env);
    }

    fn end_torn(&mut self, env: &mut Env) {
        if self.holder.as_ref().is_some_and(|h| h.becomes.is_none()) {
            self.end_holder(env);
        }
    }

    /// What is durable.
    pub(super) const fn durable(&self) -> &Durable {
        &self.standby.durable
    }

    /// Connections break, and what was asked on them is gone, or goes on unheard.
    fn begin_again(&mut self, env: &mut Env) {
        self.number += 1;
        let gone = self.holder.take().map(|holder| holder.question);
        for question in gone.into_iter().chain(self.waiting.drain(..)) {
            reply(env, question.from, Err(Failure::Unknown));
        }
        self.up_at_ms = env.now_ms() + env.rng.below(2 * shared(env).lease_ms);
    }

    fn come(&mut self, env: &mut Env, mut question: Question, number: u32, repeated: bool) {
        if repeated {
            question.from.number = 0;
        }
        // A connection to one that is gone, or none at all.
        if number != self.number || env.now_ms() < self.up_at_ms && !env.healed {
            return reply(env, question.from, Err(Failure::Unknown));
        }
        match &question.operation {
            Operation::Look => {
                let row = self.primary.row.clone();
                reply(env, question.from, Ok(Answer::Row(Some(row))));
            }
            Operation::Read => {
                let after = question.after.map_or(Bound::Unbounded, Bound::Excluded);
                let records = self
                    .primary
                    .durable
                    .records
                    .range((after, Bound::Unbounded));
                let page = records.take(PAGE).map(|(key, value)| (*key, value.clone()));
                send(
                    env,
                    Reply {
                        to: question.from,
                        answer: Ok(Answer::Done),
                        page: page.collect(),
                    },
                );
            }
            Operation::EndHolder => {
                let lock_ms = question.from.lease_ms / 4;
                let is_old = |holder: &Holder| env.now_ms() >= holder.since_ms + lock_ms;
                if self.holder.as_ref().is_some_and(is_old) {
                    self.end_holder(env);
                }
                reply(env, question.from, Ok(Answer::Done));
            }
            Operation::Beat { epoch } if mutated(env, Mutation::DoubtByRead) => {
                let row = &self.primary.row;
                let beaten = (row.epoch == *epoch).then_some(row.batch);
                reply(env, question.from, Ok(Answer::Beaten(beaten)));
            }
            _ if self.holder.is_some() => {
                let at = env.now_ms() + question.from.lease_ms / 4;
                let waited = Happening::Waited(question.from, self.number);
                env.queue.push(at, Event::Engine(waited));
                self.waiting.push_back(question);
            }
            _ => self.begin(env, question),
        }
    }

    fn waited(&mut self, env: &mut Env, asker: Asker, number: u32) {
        let place = self.waiting.iter().position(|q| q.from == asker);
        if let Some(place) = place.filter(|_| number == self.number) {
            self.waiting.remove(place);
            reply(env, asker, Err(Failure::Locked));
        }
    }

    /// A statement that changes the row comes to it, whole or in part.
    fn begin(&mut self, env: &mut Env, question: Question) {
        if env.chance(|o| shared_of(o).torn) {
            let rest = Happening::Rest(question.from, self.number);
            let most_ms = 6 * shared(env).lease_ms;
            let at = env.now_ms() + env.rng.below(most_ms);
            env.queue.push(at, Event::Engine(rest));
            self.holder = Some(Holder {
                question,
                since_ms: env.now_ms(),
                becomes: None,
            });
            return;
        }
        self.start(env, question);
    }

    /// A whole statement has the row.
    fn start(&mut self, env: &mut Env, question: Question) {
        let (answer, row) = self.evaluate(env, &question);
        let Some(row) = row else {
            reply(env, question.from, Ok(answer));
            return self.next(env);
        };
        let changes = question.changes.clone();
        let change = Change { row, changes };
        self.log.push_back(change.clone());
        self.holder = Some(Holder {
            question,
            since_ms: env.now_ms(),
            becomes: Some((change, answer)),
        });
        self.plan_replication(env);
    }

    fn plan_replication(&self, env: &mut Env) {
        if self.is_away {
            return;
        }
        let range = env.options.commit_ms;
        let range = if env.healed { (0, 1) } else { range };
        let at = env.now_ms() + env.rng.within(range);
        let replicated = Happening::Replicated(self.number);
        env.queue.push(at, Event::Engine(replicated));
    }

    /// What the standby does not have is sent to it.
    fn ship(&self, env: &mut Env) {
        for _ in 0..self.log.len() {
            self.plan_replication(env);
        }
    }

    /// The answer, and what the row becomes, where it becomes something else.
    fn evaluate(&mut self, env: &Env, question: &Question) -> (Answer, Option<Shard>) {
        let row = &self.primary.row;
        let mut next = Shard {
            beat: row.beat + 1,
            ..row.clone()
        };
        match &question.operation {
            Operation::Take(seen) if *seen == *row && row.lost.is_none() => {
                next.epoch += 1;
                next.owner = Some(name(question.from.server, question.from.life));
                next.url = Some(question.from.server.to_string());
                next.lease = Duration::from_millis(question.from.lease_ms);
                let taken = Some((next.epoch, next.batch));
                (Answer::Taken(taken), Some(next))
            }
            Operation::Take(_) => (Answer::Taken(None), None),
            Operation::Write { epoch, number } => {
                let is_ours = row.epoch == *epoch || mutated(env, Mutation::NoEpoch);
                let is_next = row.batch + 1 == *number;
                if !(is_ours && is_next) {
                    return (Answer::Written(false), None);
                }
                if *epoch < row.epoch {
                    self.late_commit = Some(format!(
                        "batch {number} of epoch {epoch} is written in epoch {}",
                        row.epoch
                    ));
                }
                next.batch = *number;
                (Answer::Written(true), Some(next))
            }
            Operation::Beat { epoch } if row.epoch == *epoch => {
                let batch = next.batch;
                (Answer::Beaten(Some(batch)), Some(next))
            }
            Operation::Beat { .. } => (Answer::Beaten(None), None),
            Operation::MarkLost { epoch, written, .. } => {
                next.lost = Some(*written);
                next.epoch = next.epoch.max(*epoch) + 1;
                next.owner = None;
                (Answer::Done, Some(next))
            }
            Operation::Release { epoch } if row.epoch == *epoch => {
                next.owner = None;
                next.url = None;
                (Answer::Done, Some(next))
            }
            _ => (Answer::Done, None),
        }
    }

    fn replicated(&mut self, env: &mut Env, number: u32) -> bool {
        if number != self.number || self.is_away {
            return false;
        }
        let Some(change) = self.log.pop_front() else {
            return false;
        };
        self.standby.apply(change);
        if self.log.is_empty()
            && let Some(holder) = self.holder.take_if(|holder| holder.becomes.is_some())
            && let Some((change, answer)) = holder.becomes
        {
            self.primary.apply(change);
            reply(env, holder.question.from, Ok(answer));
            self.next(env);
        }
        true
    }

    /// The session that holds the row is ended; what it had written whole can be read, and nobody has said that it is done.
    fn end_holder(&mut self, env: &mut Env) {
        if let Some(holder) = self.let_go(false) {
            reply(env, holder, Err(Failure::Unknown));
        }
        self.next(env);
    }

    fn let_go(&mut self, keeps: bool) -> Option<Asker> {
        let holder = self.holder.as_mut()?;
        if let Some((change, _)) = holder.becomes.take() {
            self.primary.apply(change);
        }
        let from = holder.question.from;
        if !keeps {
            self.holder = None;
        }
        Some(from)
    }

    /// Whoever waits for the row has it now.
    fn next(&mut self, env: &mut Env) {
        if self.holder.is_none()
            && let Some(question) = self.waiting.pop_front()
        {
            self.begin(env, question);
        }
    }
}

/// What a server is called in the row.
pub(super) fn name(server: usize, life: u32) -> String {
    format!("{server}/{life}")
}

fn reply(env: &mut Env, to: Asker, answer: Result<Answer, Failure>) {
    send(
        env,
        Reply {
            to,
            answer,
            page: Vec::new(),
        },
    );
}

fn send(env: &mut Env, reply: Reply) {
    if env.chance(|o| shared_of(o).unanswered) {
        return;
    }
    let at = env.now_ms() + env.rng.below(5);
    env.queue.push(at, Event::Reply(Box::new(reply)));
}

fn mutated(env: &Env, mutation: Mutation) -> bool {
    env.options.mutation == Some(mutation)
}

/// How servers share the database.
fn shared(env: &Env) -> Shared {
    shared_of(&env.options)
}

fn shared_of(options: &super::options::Options) -> Shared {
    options.shared.expect("servers share a database")
}
