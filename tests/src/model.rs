//! What a translation service must do, as plainly as it can be said: maps and vectors, no slots, no lists, no room.
//!
//! It knows what happened to each job and which change of state is owed to whom. It is cloned with each batch of
//! records, so that a crash is one assignment.

use dubhook_core::{
    event::{Event, Filter, Kind},
    id::Id,
    job::Status,
    time::Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a job can go through, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A worker takes it.
    Start,
    /// So much is done.
    Progress(u8),
    /// It is done.
    Complete,
    /// It failed.
    Fail,
    /// It was called off.
    Cancel,
    /// Its worker fell silent.
    Lose,
}

/// A job and all that has happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its events; sequence n is at place n − 1.
    pub events: Vec<Event>,
    /// How often a worker has started on it.
    pub attempts: u8,
    /// Whether it has a callback.
    pub callback: bool,
}

impl Job {
    /// What happened last.
    #[must_use]
    pub fn last(&self) -> Event {
        *self.events.last().expect("a job has a first event")
    }

    /// Where it is in its life.
    #[must_use]
    pub fn status(&self) -> Status {
        self.last().kind.status()
    }
}

/// A registered endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hook {
    /// What it wants.
    pub filter: Filter,
    /// Whether anything is sent.
    pub enabled: bool,
    /// The only job it hears of.
    pub job: Option<Id>,
    /// Whether its filter was ever changed: then what it was owed may have changed too.
    pub changed: bool,
}

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// An endpoint.
    Hook(Id),
    /// A job's own callback.
    Callback(Id),
}

/// What is owed: which event of which job to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Debt {
    /// To whom.
    pub target: Target,
    /// The job.
    pub job: Id,
    /// The event's number.
    pub sequence: u32,
}

/// How things stand with a debt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It must be paid, in its turn.
    Due,
    /// It was given up: a dead letter.
    Dead,
    /// It may be paid whenever: a dead letter that was asked for again.
    Loose,
    /// It may be paid, or not: see [`Model::underway`].
    Open,
}

/// Everything that a service must remember.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Model {
    /// Jobs.
    pub jobs: BTreeMap<Id, Job>,
    /// Endpoints.
    pub hooks: BTreeMap<Id, Hook>,
    /// Changes of state that somebody has not got.
    pub debts: BTreeMap<Debt, Standing>,
    /// Idempotency keys: the body that came with each, and the job it made.
    pub keys: BTreeMap<u8, (u8, Id)>,
    /// Tests that were asked for, by the event's id.
    pub tests: BTreeSet<Id>,
    /// Progress that is in flight: of which job to whom. An endpoint that is switched off meanwhile hears on if that was
    /// sent in its turn, and does not if it was sent again. Progress is owed to nobody, so which it is stands nowhere here.
    pub underway: BTreeSet<(Target, Id)>,
}

impl Model {
    /// Whether a step can be taken, and what it tells.
    fn step(&self, job: Id, step: Step, attempts_max: u8) -> Option<(Kind, u8)> {
        let job = self.jobs.get(&job)?;
        let (status, progress) = (job.status(), job.last().progress);
        let running = status == Status::Processing;
        match step {
            _ if status.is_terminal() => None,
            Step::Start if !running => Some((Kind::Processing, progress)),
            Step::Progress(p) if running && p > progress && p <= 100 => Some((Kind::Progress, p)),
            Step::Complete if running => Some((Kind::Completed, 100)),
            Step::Fail => Some((Kind::Error, progress)),
            Step::Cancel => Some((Kind::Canceled, progress)),
            Step::Lose if running && job.attempts >= attempts_max => Some((Kind::Error, progress)),
            Step::Lose if running => Some((Kind::Pending, progress)),
            _ => None,
        }
    }

    /// Accepts a job.
    pub fn submit(&mut self, id: Id, callback: bool, at: Timestamp) {
        let job = Job {
            events: Vec::new(),
            attempts: 0,
            callback,
        };
        self.jobs.insert(id, job);
        self.tell(id, Kind::Pending, 0, at);
    }

    /// Takes a step, if it can be taken; says whether it was.
    pub fn happen(&mut self, id: Id, step: Step, attempts_max: u8, at: Timestamp) -> bool {
        let Some((kind, progress)) = self.step(id, step, attempts_max) else {
            return false;
        };
        if step == Step::Start {
            self.jobs.get_mut(&id).expect("the job").attempts += 1;
        }
        self.tell(id, kind, progress, at);
        true
    }

    /// Notes what happened and owes it to everyone who wants it.
    pub fn tell(&mut self, id: Id, kind: Kind, progress: u8, at: Timestamp) {
        let job = self.jobs.get_mut(&id).expect("the job");
        let at = job.events.last().map_or(at, |last| at.max(last.at));
        let sequence = job.events.len() as u32 + 1;
        job.events.push(Event {
            at,
            sequence,
            kind,
            progress,
        });
        if kind == Kind::Progress {
            return;
        }
        let callback = job.callback.then_some(Target::Callback(id));
        // One that is switched off while an attempt is in flight hears on until that has ended.
        let hooks = self.hooks.iter().filter_map(|(hook, wants)| {
            let wanted = wants.filter.matches(kind) && wants.job.is_none_or(|job| job == id);
            let hook = Target::Hook(*hook);
            let standing = if wants.enabled || self.is_due(hook, id) {
                Standing::Due
            } else if self.underway.contains(&(hook, id)) {
                Standing::Open
            } else {
                return None;
            };
            wanted.then_some((hook, standing))
        });
        let callback = callback.map(|callback| (callback, Standing::Due));
        let owed: Vec<_> = hooks.chain(callback).collect();
        for (target, standing) in owed {
            let debt = Debt {
                target,
                job: id,
                sequence,
            };
            self.debts.insert(debt, standing);
        }
    }

    fn is_due(&self, target: Target, job: Id) -> bool {
        let mut debts = self.debts.iter();
        debts.any(|(debt, standing)| {
            (debt.target, debt.job, *standing) == (target, job, Standing::Due)
        })
    }

    /// Registers an endpoint. One narrowed to a job that has ended is owed the ending.
    pub fn register(&mut self, id: Id, hook: Hook) {
        self.hooks.insert(id, hook);
        let Some((job, last)) = hook
            .job
            .and_then(|id| Some((id, self.jobs.get(&id)?.last())))
        else {
            return;
        };
        if last.kind.is_terminal() && hook.filter.matches(last.kind) {
            let debt = Debt {
                target: Target::Hook(id),
                job,
                sequence: last.sequence,
            };
            self.debts.insert(debt, Standing::Due);
        }
    }

    /// Changes what an endpoint wants. What is left out by that may still come, but is not owed.
    pub fn set_filter(&mut self, id: Id, filter: Filter) {
        let hook = self.hooks.get_mut(&id).expect("the endpoint");
        hook.filter = filter;
        hook.changed = true;
        let kind = |debt: &Debt| self.jobs[&debt.job].events[debt.sequence as usize - 1].kind;
        self.debts.retain(|debt, standing| {
            let mine = debt.target == Target::Hook(id) && *standing == Standing::Due;
            !mine || filter.matches(kind(debt))
        });
    }

    /// Switches an endpoint on or off. What is owed to one that is switched off is dead; but of a job whose turn is in
    /// flight, only when that has failed.
    pub fn set_enabled(&mut self, id: Id, enabled: bool, in_flight: &[Debt]) {
        self.hooks.get_mut(&id).expect("the endpoint").enabled = enabled;
        if enabled {
            return;
        }
        let turn = |debt: &Debt| self.debts.get(debt) == Some(&Standing::Due);
        let busy: Vec<Debt> = in_flight
            .iter()
            .filter(|debt| turn(debt))
            .copied()
            .collect();
        for (debt, standing) in &mut self.debts {
            if debt.target != Target::Hook(id) {
                continue;
            }
            let turn = busy
                .iter()
                .any(|b| (b.target, b.job) == (debt.target, debt.job));
            *standing = match standing {
                Standing::Due if turn => Standing::Due,
                Standing::Due if self.underway.contains(&(debt.target, debt.job)) => Standing::Open,
                Standing::Open => Standing::Open,
                Standing::Loose if in_flight.contains(debt) => Standing::Loose,
                _ => Standing::Dead,
            };
        }
    }

    /// Tells a job's callback nothing more.
    pub fn end_callback(&mut self, id: Id) {
        self.jobs.get_mut(&id).expect("the job").callback = false;
        self.restand(Target::Callback(id), Standing::Due, Standing::Dead);
    }

    /// What was rejected twice before a job's ending gives way to that: it is dead.
    pub fn make_way(&mut self, job: Id, rejected: &[Debt]) {
        let last = self.jobs[&job].last().sequence;
        for debt in rejected {
            let ending = Debt {
                sequence: last,
                ..*debt
            };
            let waits = debt.job == job && self.debts.get(&ending) == Some(&Standing::Due);
            if waits && debt.sequence < last && self.debts.get(debt) == Some(&Standing::Due) {
                self.debts.insert(*debt, Standing::Dead);
            }
        }
    }

    /// Sends an endpoint's dead letters again.
    pub fn revive(&mut self, id: Id) {
        self.restand(Target::Hook(id), Standing::Dead, Standing::Loose);
    }

    fn restand(&mut self, target: Target, from: Standing, to: Standing) {
        for (debt, standing) in &mut self.debts {
            if debt.target == target && *standing == from {
                *standing = to;
            }
        }
    }

    /// Removes an endpoint: it is owed nothing any more.
    pub fn remove(&mut self, id: Id) {
        self.hooks.remove(&id);
        self.debts.retain(|debt, _| debt.target != Target::Hook(id));
    }

    /// Forgets a job, and with it the endpoints that were narrowed to it.
    pub fn forget(&mut self, id: Id) {
        self.jobs.remove(&id);
        self.debts.retain(|debt, _| debt.job != id);
        let narrowed: Vec<Id> = self.hooks_of(id).collect();
        for hook in narrowed {
            self.remove(hook);
        }
    }

    /// The endpoints narrowed to a job.
    pub fn hooks_of(&self, job: Id) -> impl Iterator<Item = Id> {
        self.hooks
            .iter()
            .filter(move |(_, hook)| hook.job == Some(job))
            .map(|(id, _)| *id)
    }

    /// How many debts stand so.
    #[must_use]
    pub fn count(&self, standing: Standing) -> usize {
        self.debts.values().filter(|s| **s == standing).count()
    }

    /// What must be paid before this.
    pub fn before(&self, debt: Debt) -> impl Iterator<Item = u32> {
        self.standing_before(debt, Standing::Due)
    }

    /// What stands so before this, to the same target and of the same job.
    pub fn standing_before(&self, debt: Debt, standing: Standing) -> impl Iterator<Item = u32> {
        let first = Debt {
            sequence: 0,
            ..debt
        };
        self.debts
            .range(first..debt)
            .filter(move |(_, stands)| **stands == standing)
            .map(|(debt, _)| debt.sequence)
    }
}
