//! Who watches: what was promised, what was seen, and which invariant breaks where the two differ.
//!
//! The names are those of the project's list: S1 accepted jobs exist, S2 one ending, S3 nobody misses an ending, S4 order,
//! S5 nothing after the end and nothing unknown, S6 the same id and body with a new timestamp and a good signature, S7 the
//! schedule, S8 each event has one id, S9 nothing leaves before it is durable, S10 bounds, S13 recovery, S14 what was
//! written comes back, S11 no blocked address is called, S12 nobody waits for another's sake, and who
//! fails is not flooded, S15 cancel has one winner,
//! K1 one key makes one job, C1 what a client believes moves forward, C2 it is true, L1 everything drains, L2 answers
//! come, L3 clients know every ending, W1 a stream of events leaves nothing out without a word, W2 it has told all, R1 a
//! lease is one remote worker's, R2 nobody loses a job whose reports have come in time, S16 nobody reads an older state than what
//! anybody was told before, S17 no batch of an old epoch is written.

mod clients;
mod deliveries;
mod leases;
mod probes;
mod reads;

pub(super) use clients::{As, Belief};
pub(super) use deliveries::{Told, Try};

pub(super) use reads::Known;

use super::journal::Durable;
use crate::dump;
use clients::Beliefs;
use deliveries::Deliveries;
use dubhook_core::{
    endpoint::Endpoint,
    event::{Event, Filter, Kind},
    id::{Id, Ix, Prefix},
    out::Out,
    record::{Key, Table},
    service::Service,
    signature::Secret,
    time::Timestamp,
};
use leases::Leases;
use probes::Probes;
use reads::Reads;
use std::collections::{BTreeMap, BTreeSet};

/// An invariant that broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub name: &'static str,
    /// How.
    pub text: String,
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// An endpoint, by its path.
    Hook(String),
    /// A job's callback.
    Callback(Id),
}

/// An endpoint as it was seen last.
#[derive(Debug)]
struct Hook {
    path: String,
    filter: Filter,
    enabled: bool,
    /// The only job that it hears of, if it is narrowed.
    job: Option<Id>,
    /// The newest of its secrets.
    secret: Option<Secret>,
    created_at: Timestamp,
}

/// What was seen of everything.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    pub(super) violation: Option<Violation>,
    /// Jobs as they were seen last, durable or not.
    seen: BTreeMap<Id, Event>,
    /// Jobs that were ever durable.
    ever: BTreeSet<Id>,
    /// Durable endings.
    endings: BTreeMap<Id, Event>,
    /// Jobs that somebody was told of, and the highest sequence that anybody was shown.
    shown: BTreeMap<Id, u32>,
    /// Jobs that have left memory, as they may.
    forgotten: BTreeSet<Id>,
    canceled: BTreeSet<Id>,
    /// Jobs whose callers asked for a callback.
    callbacks: BTreeSet<Id>,
    hooks: BTreeMap<Id, Hook>,
    /// Every path that was ever registered, and for which endpoint.
    paths: BTreeMap<String, Id>,
    /// Which ending is owed to whom, and whether that is durable.
    owed: BTreeMap<(Id, Target), bool>,
    keys: BTreeMap<String, Id>,
    /// Callbacks' secrets, by job.
    secrets: BTreeMap<Id, Secret>,
    /// Every secret that an endpoint of this path has had.
    signed_with: BTreeMap<String, Vec<Secret>>,
    /// Dead letters that were pushed out in earlier lives.
    dropped_before: u64,
    dropped: u64,
    beliefs: Beliefs,
    leases: Leases,
    probes: Probes,
    reads: Reads,
    pub(super) deliveries: Deliveries,
}

impl Oracle {
    /// Notes that an invariant broke. The first one counts.
    pub(super) fn fail(&mut self, name: &'static str, text: String) {
        self.violation.get_or_insert(Violation { name, text });
    }

    pub(super) fn ensure(
        &mut self,
        holds: bool,
        name: &'static str,
        text: impl FnOnce() -> String,
    ) {
        if !holds {
            self.fail(name, text());
        }
    }

    /// Looks at a running service after each of its steps.
    pub(super) fn observe(&mut self, service: &Service<'_>, durable: &BTreeMap<Id, u32>) {
        self.dropped = service.owed().letters_dropped;
        self.observe_hooks(service);
        for ix in dump::jobs(service) {
            let Some(job) = service.job(ix) else { continue };
            self.observe_job(job.id(), job.last_event());
            if !self.secrets.contains_key(&job.id())
                && let Some(secret) = service.callback_secret(Some(ix))
            {
                self.secrets.insert(job.id(), secret);
            }
        }
        let gone = self.seen.iter();
        let gone = gone.filter(|(id, _)| service.find_job(**id).is_none());
        let gone: Vec<(Id, Event)> = gone.map(|(id, event)| (*id, *event)).collect();
        for (id, event) in gone {
            let may = event.kind.is_terminal() && durable.get(&id) == Some(&event.sequence);
            self.ensure(may, "S1", || format!("{id:?} is gone after {event:?}"));
            self.seen.remove(&id);
            self.forgotten.insert(id);
        }
    }

    fn observe_job(&mut self, id: Id, event: Event) {
        let before = self.seen.insert(id, event);
        if before == Some(event) {
            return;
        }
        let forward = before
            .is_none_or(|before| before.sequence < event.sequence && !before.kind.is_terminal());
        self.ensure(forward, "S2", || {
            format!("{id:?} went from {before:?} to {event:?}")
        });
        let ending = self.endings.get(&id).copied();
        let same = ending.is_none_or(|ending| ending == event);
        self.ensure(same, "S2", || {
            format!("{id:?} ended with {ending:?}, and now {event:?}")
        });
        // What ended in a life before is owed since then.
        if !event.kind.is_terminal() || ending.is_some() {
            return;
        }
        let called_off = event.kind == Kind::Canceled || !self.canceled.contains(&id);
        self.ensure(called_off, "S15", || {
            format!("{id:?} was called off, and is {event:?}")
        });
        let wants = self.hooks.values();
        let wants = wants.filter(|hook| hook.enabled && hook.filter.matches(event.kind));
        let wants: Vec<Target> = wants
            .filter(|hook| hook.job.is_none_or(|job| job == id))
            .map(|hook| Target::Hook(hook.path.clone()))
            .collect();
        for target in wants {
            self.owed.entry((id, target)).or_insert(false);
        }
        if self.callbacks.contains(&id) {
            self.owed.entry((id, Target::Callback(id))).or_insert(false);
        }
    }

    fn observe_hooks(&mut self, service: &Service<'_>) {
        let mut here = BTreeSet::new();
        for ix in dump::endpoints(service) {
            let Some(endpoint) = service.endpoint(ix) else {
                continue;
            };
            here.insert(endpoint.id);
            if !self.hooks.contains_key(&endpoint.id) {
                self.meet(service, ix, endpoint);
            }
            let Some(hook) = self.hooks.get_mut(&endpoint.id) else {
                continue;
            };
            let filter = core::mem::replace(&mut hook.filter, endpoint.filter);
            hook.enabled = endpoint.is_enabled();
            let secret = endpoint.secret();
            if hook.secret.as_ref().map(Secret::bytes) != secret.as_ref().map(Secret::bytes) {
                hook.secret = secret.clone();
                let secrets = self.signed_with.entry(hook.path.clone()).or_default();
                secrets.extend(secret);
            }
            if !hook.enabled || filter != hook.filter {
                // What it is owed may come later than what follows, or not at all.
                self.deliveries.loosen(endpoint.id, &hook.path);
                self.probes.forgive(endpoint.id);
            }
            if filter != hook.filter {
                let target = Target::Hook(hook.path.clone());
                self.owed.retain(|(_, owed), _| *owed != target);
            }
        }
        let gone = self.hooks.iter().filter(|(id, _)| !here.contains(id));
        let gone: Vec<Target> = gone
            .map(|(_, hook)| Target::Hook(hook.path.clone()))
            .collect();
        if !gone.is_empty() {
            self.hooks.retain(|id, _| here.contains(id));
            self.owed.retain(|(_, target), _| !gone.contains(target));
        }
    }

    /// A new endpoint.
    fn meet(&mut self, service: &Service<'_>, ix: Ix, endpoint: &Endpoint<Filter>) {
        let job = endpoint.subject.and_then(|ix| service.job(ix));
        let hook = Hook {
            path: path(service, ix),
            filter: endpoint.filter,
            enabled: true,
            job: job.map(|job| job.id()),
            secret: None,
            created_at: endpoint.created_at,
        };
        // A request that came twice has made two endpoints with one path.
        if self
            .paths
            .insert(hook.path.clone(), endpoint.id)
            .is_some_and(|id| id != endpoint.id)
        {
            self.deliveries.loosen(endpoint.id, &hook.path);
        }
        self.hooks.insert(endpoint.id, hook);
    }

    /// A batch is durable: what it says counts.
    pub(super) fn synced(&mut self, durable: &BTreeMap<Id, u32>) {
        self.ever.extend(durable.keys());
        let is_durable = |id: &Id, event: &Event| durable.get(id) >= Some(&event.sequence);
        let ended = self
            .seen
            .iter()
            .filter(|(_, event)| event.kind.is_terminal());
        let ended: Vec<(Id, Event)> = ended
            .filter(|(id, event)| is_durable(id, event))
            .map(|(id, event)| (*id, *event))
            .collect();
        self.endings.extend(ended);
        for ((job, _), counts) in &mut self.owed {
            *counts |= self.endings.contains_key(job);
        }
    }

    /// The process has died: what was not durable never was.
    pub(super) fn crashed(&mut self) {
        self.dropped_before += core::mem::take(&mut self.dropped);
        self.seen.clear();
        self.owed.retain(|_, durable| *durable);
        self.deliveries.crashed();
        self.probes.crashed();
    }

    /// A process has started: everything that anybody was told of must be there.
    pub(super) fn booted(&mut self, service: &Service<'_>, durable: &BTreeMap<Id, u32>) {
        let shown: Vec<(Id, u32)> = self.shown.iter().map(|(id, s)| (*id, *s)).collect();
        for (id, sequence) in shown {
            let held = service.find_job(id).and_then(|ix| service.job(ix));
            let held = held.map(|job| job.last_event().sequence);
            let there = held.is_some() || self.forgotten.contains(&id);
            self.ensure(there, "S1", || {
                format!("{id:?} was accepted, and a crash took it")
            });
            let goes_on = held.is_none_or(|held| held >= sequence);
            self.ensure(goes_on, "S9", || {
                format!("{sequence} of {id:?} was shown, and a crash took it back")
            });
        }
        self.observe(service, durable);
    }

    /// A worker starts on a job.
    pub(super) fn started(&mut self, job: Id, durable: &BTreeMap<Id, u32>) {
        let known = durable.contains_key(&job);
        self.ensure(known, "S9", || {
            format!("{job:?} is started before it is durable")
        });
    }

    /// The server sends answers: what they show must be durable.
    pub(super) fn answered(&mut self, bytes: &[u8], durable: &Durable) {
        let text = String::from_utf8_lossy(bytes);
        for (id, sequence) in jobs_in(&text) {
            let durable = durable.sequences.get(&id).copied().unwrap_or(0);
            self.ensure(sequence <= durable, "S9", || {
                format!("an answer shows {sequence} of {id:?}, and {durable} is durable")
            });
            let shown = self.shown.entry(id).or_insert(0);
            *shown = sequence.max(*shown);
        }
        for (at, _) in text.match_indices("{\"id\":\"ep_") {
            let Some(id) = Id::parse(Prefix::Endpoint, &text[at + 7..at + 36]) else {
                continue;
            };
            let slot = id.slot().map_or(0, core::num::NonZero::get);
            let key = Key {
                table: Table::Endpoint,
                slot,
            };
            let bits = id.to_bits().to_le_bytes();
            let record = durable.records.get(&key);
            let durable = record.is_some_and(|record| record.starts_with(&bits));
            self.ensure(durable, "S9", || {
                format!("an answer shows {id:?}, which is not durable")
            });
        }
    }

    /// A caller has the answer to a request for a translation.
    pub(super) fn accepted(&mut self, key: Option<&str>, job: Id, callback: bool) {
        if callback {
            self.callbacks.insert(job);
        }
        if let Some(key) = key {
            let first = *self.keys.entry(key.to_owned()).or_insert(job);
            // A key may make room for another one when its job has ended.
            let ended = self.endings.contains_key(&first) || self.forgotten.contains(&first);
            self.ensure(first == job || ended, "K1", || {
                format!("{key} made {first:?} and {job:?}")
            });
        }
    }

    /// A caller has called a job off and was told so.
    pub(super) fn canceled(&mut self, job: Id, status: &str) {
        self.ensure(status == "canceled", "S15", || {
            format!("{job:?} is {status}")
        });
        self.canceled.insert(job);
        let ending = self.endings.get(&job).copied();
        let won = ending.is_some_and(|ending| ending.kind == Kind::Canceled);
        self.ensure(won, "S15", || {
            format!("{job:?} was called off, and is {ending:?}")
        });
    }

    /// Everything has drained: whoever was owed an ending must have it, or a dead letter that was pushed out.
    pub(super) fn drained(&mut self) {
        let missing = self.owed.keys().filter(|(job, target)| {
            let ending = self.endings.get(job).map(|ending| ending.sequence);
            !ending.is_some_and(|ending| self.deliveries.is_told(target, *job, ending))
        });
        let missing: Vec<_> = missing.cloned().collect();
        let dropped = self.dropped_before + self.dropped;
        let explained = missing.len() as u64 <= dropped;
        self.ensure(explained, "S3", || {
            format!("nobody told {missing:?}, and {dropped} dead letters were pushed out")
        });
    }

    /// Whether an event of this moment is to be told on this path as soon as it can: it has not come before whoever
    /// wants it, and nobody has switched that off meanwhile.
    pub(super) fn is_urgent(&self, path: &str, at: Timestamp) -> bool {
        let hook = self.paths.get(path).and_then(|id| self.hooks.get(id));
        match hook {
            Some(hook) => hook.created_at <= at && !self.deliveries.is_loose(path),
            None => path.starts_with("/callback"),
        }
    }

    /// The secrets that a delivery may be signed with.
    pub(super) fn secrets_of(&self, target: &Target) -> Vec<Secret> {
        match target {
            Target::Callback(job) => self.secrets.get(job).cloned().into_iter().collect(),
            Target::Hook(path) => self.signed_with.get(path).cloned().unwrap_or_default(),
        }
    }
}

/// The path to which an endpoint's deliveries go.
fn path(service: &Service<'_>, ix: Ix) -> String {
    let mut memory = [0; 2_048];
    let mut out = Out::new(&mut memory);
    service.write_endpoint(None, ix, None, false, &mut out);
    let text = String::from_utf8_lossy(out.written()).into_owned();
    let url = text
        .split("\"url\":\"http://127.0.0.1:")
        .nth(1)
        .unwrap_or("");
    let path = url.split('"').next().unwrap_or("");
    path.split_once('/')
        .map_or(String::new(), |(_, path)| format!("/{path}"))
}

/// The jobs that an answer shows, and how far they have come.
fn jobs_in(text: &str) -> impl Iterator<Item = (Id, u32)> + '_ {
    let places = text.match_indices("\"id\":\"job_");
    places.filter_map(|(at, _)| {
        let rest = &text[at + 6..];
        let id = Id::parse(Prefix::Job, rest.get(..30)?)?;
        Some((id, number(rest, "\"sequence\":").unwrap_or(1)))
    })
}

/// The number after `name`.
fn number(text: &str, name: &str) -> Option<u32> {
    let rest = &text[text.find(name)? + name.len()..];
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}
