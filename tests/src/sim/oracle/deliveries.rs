//! What receivers were told: order, repeats, bytes, and when each attempt was made.

use super::{Oracle, Target};
use crate::sim::{env::Env, limits};
use dubhook_core::{
    dispatch::Verdict,
    event::Event,
    id::Id,
    service::{AttemptResult, Attempted},
    signature::{Headers, TOLERANCE_S, verify},
    time::Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};

/// An attempt's message, as the server means it.
#[derive(Debug, Clone)]
pub(in crate::sim) struct Told {
    pub(in crate::sim) path: String,
    /// The endpoint; none for a callback.
    pub(in crate::sim) endpoint: Option<Id>,
    pub(in crate::sim) job: Option<Id>,
    pub(in crate::sim) event: Event,
}

impl Told {
    pub(in crate::sim) fn target(&self) -> Target {
        match self.job {
            Some(job) if self.path.starts_with("/callback") => Target::Callback(job),
            _ => Target::Hook(self.path.clone()),
        }
    }

    fn key(&self) -> Key {
        (self.endpoint, self.job, self.event.sequence)
    }
}

/// An attempt, as its bytes say.
#[derive(Debug)]
pub(in crate::sim) struct Try<'a> {
    pub(in crate::sim) told: &'a Told,
    pub(in crate::sim) id: &'a str,
    pub(in crate::sim) timestamp: &'a str,
    pub(in crate::sim) body: &'a str,
    pub(in crate::sim) number: u8,
}

/// A delivery: to which endpoint, or a callback; of which job; which event.
type Key = (Option<Id>, Option<Id>, u32);

/// How a delivery has fared so far.
#[derive(Debug, Default)]
struct Tries {
    in_flight: bool,
    failed: u8,
    /// When the last attempt began.
    began_ms: u64,
    /// Not before this moment, if it is known.
    not_before_ms: u64,
}

/// What arrived at one target of one job, or for tests of none.
#[derive(Debug, Default)]
struct Arrived {
    /// By sequence: the event's id.
    ids: BTreeMap<u32, String>,
    newest: u32,
    ended: Option<u32>,
}

/// All deliveries.
#[derive(Debug, Default)]
pub(in crate::sim) struct Deliveries {
    tries: BTreeMap<Key, Tries>,
    bodies: BTreeMap<String, String>,
    arrived: BTreeMap<(Target, Option<Id>), Arrived>,
    /// Paths whose deliveries may be out of order: their endpoint was switched off once, or changed what it wants.
    loose: BTreeSet<String>,
    /// Endpoints whose deliveries somebody has asked for.
    hastened: BTreeSet<Id>,
    /// Deliveries that were given up once; what comes after them need not wait for them.
    dead: BTreeSet<(Target, Option<Id>)>,
    /// When each event was durable, to measure how long it took to arrive.
    pub(in crate::sim) latencies_ms: Vec<(usize, u64)>,
    pub(in crate::sim) arrivals: u64,
}

impl Deliveries {
    /// What an endpoint is told may be out of order from now on, and is due at any time.
    pub(super) fn loosen(&mut self, endpoint: Id, path: &str) {
        if !self.loose.contains(path) {
            self.loose.insert(path.to_owned());
        }
        let tries = self.tries.range_mut((Some(endpoint), None, 0)..);
        for (_, tries) in tries.take_while(|((to, ..), _)| *to == Some(endpoint)) {
            tries.not_before_ms = 0;
        }
    }

    /// Somebody has asked an endpoint's deliveries to be sent now: what it is told is due at any time from now on.
    pub(super) fn hasten(&mut self, endpoint: Id) {
        self.hastened.insert(endpoint);
    }

    pub(super) fn is_loose(&self, path: &str) -> bool {
        self.loose.contains(path)
    }

    pub(super) fn crashed(&mut self) {
        // What was in flight is no longer, and how often it was tried may not be durable.
        self.tries.clear();
    }

    pub(super) fn is_told(&self, target: &Target, job: Id, sequence: u32) -> bool {
        let key = (target.clone(), Some(job));
        let arrived = self.arrived.get(&key);
        let arrived = arrived.is_some_and(|arrived| arrived.ids.contains_key(&sequence));
        // A callback's dead letters are not sent again.
        arrived || matches!(target, Target::Callback(_)) && self.dead.contains(&key)
    }
}

/// Whether a receiver has said that it does not take this very event.
pub(super) fn is_rejected(attempted: &Attempted) -> bool {
    matches!(attempted.status, 400..=407 | 409 | 411..=424 | 426..=428 | 430..=499)
}

impl Oracle {
    /// Somebody has asked for an endpoint's deliveries: a test, a redelivery, or that it be enabled.
    pub(in crate::sim) fn asked(&mut self, endpoint: Id) {
        self.deliveries.hasten(endpoint);
        self.probes.forgive(endpoint);
    }

    /// A server makes an attempt. One whose records another one has by now knows of no other attempt.
    pub(in crate::sim) fn attempt_begins(
        &mut self,
        seen: &Try<'_>,
        env: &Env,
        durable: &BTreeMap<Id, u32>,
        is_legitimate: bool,
    ) {
        let Told { job, event, .. } = *seen.told;
        if let Some(job) = job {
            let sound = durable.get(&job) >= Some(&event.sequence);
            self.ensure(sound, "S9", || {
                format!("{event:?} of {job:?} is sent before it is durable")
            });
        }
        let now_s = env.wall().as_unix_seconds().to_string();
        self.ensure(seen.timestamp == now_s, "S6", || {
            format!("{} is sent at {now_s} as of {}", seen.id, seen.timestamp)
        });
        let bodies = &mut self.deliveries.bodies;
        let first = bodies.entry(seen.id.to_owned());
        let first = first.or_insert_with(|| seen.body.to_owned());
        let same = first == seen.body;
        self.ensure(same, "S6", || {
            format!("{} has another body: {}", seen.id, seen.body)
        });
        if is_legitimate {
            self.check_schedule(seen, env);
            self.check_probe(seen, env);
        }
    }

    fn check_schedule(&mut self, seen: &Try<'_>, env: &Env) {
        let schedule = limits().outbox.schedule;
        let tries = self.deliveries.tries.entry(seen.told.key()).or_default();
        let (in_flight, not_before_ms) = (tries.in_flight, tries.not_before_ms);
        tries.in_flight = true;
        tries.began_ms = env.now_ms();
        let id = seen.id;
        self.ensure(!in_flight, "S7", || format!("{id} is in flight already"));
        let now_ms = env.now_ms();
        let hastened = seen.told.endpoint;
        let hastened = hastened.is_some_and(|id| self.deliveries.hastened.contains(&id));
        self.ensure(hastened || now_ms >= not_before_ms, "S7", || {
            format!(
                "attempt {} of {id} at {now_ms} ms, not before {not_before_ms}",
                seen.number
            )
        });
        let most = schedule.attempts_max();
        self.ensure(seen.number <= most, "S7", || {
            format!("attempt {} of {id}", seen.number)
        });
    }

    /// An attempt has ended at this moment, as the server sees it.
    pub(in crate::sim) fn attempt_ended(
        &mut self,
        told: &Told,
        now_ms: u64,
        result: AttemptResult<'_>,
        attempted: Option<Attempted>,
    ) {
        let Some(attempted) = attempted else {
            return self.fail("S7", format!("{told:?} has ended, and was not in flight"));
        };
        let tries = self.deliveries.tries.entry(told.key()).or_default();
        tries.in_flight = false;
        tries.not_before_ms = 0;
        let began_ms = tries.began_ms;
        match attempted.verdict {
            Verdict::Retry { .. } => {
                tries.failed = tries.failed.saturating_add(1);
                let hint = match result {
                    AttemptResult::Answer {
                        status: 429 | 503,
                        retry_after_ms,
                        ..
                    } => retry_after_ms,
                    _ => None,
                };
                let step = limits().outbox.schedule.step_ms(attempted.number);
                let step = step.unwrap_or(0);
                let pause = match hint {
                    Some(hint) => step.max(hint),
                    None => step - step / 10,
                };
                tries.not_before_ms = now_ms + pause;
            }
            Verdict::Dead | Verdict::Dropped | Verdict::Overtaken => {
                self.deliveries.dead.insert((told.target(), told.job));
            }
            Verdict::Delivered => {}
        }
        if is_rejected(&attempted) && attempted.number > 1 {
            // When its job ends, it gives way.
            self.deliveries.dead.insert((told.target(), told.job));
        }
        self.probes.ended(told, began_ms, now_ms, &attempted);
    }

    /// A receiver has a whole request. Says whether it is new.
    pub(in crate::sim) fn arrived(&mut self, path: &str, fields: [&[u8]; 3], body: &[u8]) -> bool {
        self.deliveries.arrivals += 1;
        let text = String::from_utf8_lossy(body);
        let Ok(json) = serde_json::from_str::<serde_json::Value>(&text) else {
            self.fail("S6", format!("a body that is no JSON: {text}"));
            return false;
        };
        let data = &json["data"];
        let name = data["id"].as_str().unwrap_or_default();
        let job = Id::parse(dubhook_core::id::Prefix::Job, name);
        let target = match job {
            Some(job) if path.starts_with("/callback") => Target::Callback(job),
            _ => Target::Hook(path.to_owned()),
        };
        let id = String::from_utf8_lossy(fields[0]).into_owned();
        self.check_signature(&target, fields, body);
        let sequence = data["sequence"].as_u64().unwrap_or(0) as u32;
        let Some(job) = job else {
            return true;
        };
        let known = self.ever.contains(&job);
        self.ensure(known, "S5", || {
            format!("{id} is of a job that there is not")
        });
        self.reads.told(job, sequence);
        self.check_order(target, job, sequence, id, &json)
    }

    fn check_signature(
        &mut self,
        target: &Target,
        [id, timestamp, signature]: [&[u8]; 3],
        body: &[u8],
    ) {
        let keys = self.secrets_of(target);
        let keys: Vec<_> = keys
            .iter()
            .map(dubhook_core::signature::Secret::signing_key)
            .collect();
        let at = String::from_utf8_lossy(timestamp).parse().unwrap_or(0u64);
        let headers = Headers {
            id,
            timestamp,
            signature,
        };
        let at = Timestamp::from_unix_ms(at * 1_000);
        let verified = verify(&headers, body, &keys, at, TOLERANCE_S);
        self.ensure(verified.is_ok(), "S6", || {
            format!("{verified:?} to {target:?}")
        });
    }

    fn check_order(
        &mut self,
        target: Target,
        job: Id,
        sequence: u32,
        id: String,
        json: &serde_json::Value,
    ) -> bool {
        let deliveries = &mut self.deliveries;
        let loose = deliveries.dead.contains(&(target.clone(), Some(job)))
            || matches!(&target, Target::Hook(path) if deliveries.loose.contains(path));
        let arrived = deliveries.arrived.entry((target.clone(), Some(job)));
        let arrived = arrived.or_default();
        if let Some(first) = arrived.ids.get(&sequence).cloned() {
            self.ensure(first == id, "S8", || {
                format!("{first} and {id} are one event")
            });
            return false;
        }
        let (newest, ended) = (arrived.newest, arrived.ended);
        arrived.ids.insert(sequence, id.clone());
        arrived.newest = newest.max(sequence);
        let kind = json["type"].as_str().unwrap_or_default();
        if ["completed", "error", "canceled"]
            .iter()
            .any(|end| kind.ends_with(end))
        {
            arrived.ended = Some(sequence);
        }
        self.ensure(loose || sequence > newest, "S4", || {
            format!("{target:?} heard {newest} of {job:?}, and then {sequence}")
        });
        let after = ended.is_some_and(|ended| sequence > ended);
        self.ensure(!after, "S5", || {
            format!("{target:?} heard {sequence} of {job:?} after its end, {ended:?}")
        });
        true
    }
}
