//! Attempts: whether each is allowed, in its turn and well made, and what its end means.

use super::{InFlight, Reply, Rig};
use crate::{
    machine::field,
    model::{Debt, Standing, Target},
};
use dubhook_core::{
    dispatch::Verdict,
    event::{Event, Kind},
    id::{Id, Prefix},
    server::{Input, Server},
    service::{Attempt, HandleError},
    signature::{Headers, Secret, TOLERANCE_S, verify},
};
use std::collections::BTreeSet;

impl Rig {
    /// An attempt begins: it must be allowed, in its turn, and well made.
    pub(super) fn begin(&mut self, server: &mut Server<'_>, attempt: &Attempt) {
        let job = attempt
            .subject
            .map(|ix| server.service().job(ix).expect("the job").id());
        let target = match job {
            Some(job) if attempt.callback => Target::Callback(job),
            _ => Target::Hook(
                server
                    .service()
                    .endpoint(attempt.lane)
                    .expect("the endpoint")
                    .id,
            ),
        };
        let event = attempt.event;
        if let Some(job) = job {
            let is_first = attempt.number == 1 && self.pushed(server) == 0;
            self.check_turn(target, job, &event, is_first);
        }
        let twice = self
            .in_flight
            .iter()
            .any(|flight| (flight.target, flight.job, flight.event) == (target, job, event));
        assert!(!twice, "S7: {event:?} is in flight to {target:?} already");
        self.check_bytes(server, attempt, target);
        self.in_flight.push(InFlight {
            id: attempt.id,
            target,
            job,
            event,
        });
        self.model.underway = self.underway();
    }

    /// Progress that is in flight: of which job to whom.
    fn underway(&self) -> BTreeSet<(Target, Id)> {
        let flights = self.in_flight.iter();
        let progress = flights.filter(|flight| flight.event.kind == Kind::Progress);
        progress
            .filter_map(|flight| Some((flight.target, flight.job?)))
            .collect()
    }

    fn check_turn(&self, target: Target, job: Id, event: &Event, is_first: bool) {
        let durable = self.durable.jobs.get(&job).map(|job| &job.events);
        let durable = durable.and_then(|events| events.get(event.sequence as usize - 1));
        assert_eq!(durable, Some(event), "S9: sent before it is durable");
        let debt = Debt {
            target,
            job,
            sequence: event.sequence,
        };
        let before: Vec<u32> = self.model.before(debt).collect();
        let standing = self.model.debts.get(&debt);
        // Of those that were pushed out for want of room nothing says which they were.
        let partly = matches!(target, Target::Hook(id) if self.partly.contains(&id));
        if standing == Some(&Standing::Loose) && is_first && !partly {
            let mut earlier = self.model.standing_before(debt, Standing::Loose);
            assert_eq!(
                earlier.next(),
                None,
                "{event:?} is sent again to {target:?} before it"
            );
        }
        if !matches!(standing, Some(Standing::Loose | Standing::Open)) {
            assert!(
                before.is_empty(),
                "S4: {event:?} overtakes on its way to {target:?}"
            );
        }
        if let Target::Hook(id) = target {
            let hook = self.model.hooks.get(&id);
            let hook = hook.unwrap_or_else(|| panic!("sent to {id:?}, which was removed"));
            assert!(hook.enabled, "sent to {id:?}, which is switched off");
            assert!(hook.job.is_none_or(|only| only == job), "S5: not its job");
            if hook.changed {
                return;
            }
        }
        let owed = self.model.debts.contains_key(&debt) || event.kind == Kind::Progress;
        assert!(owed, "{event:?} is sent again though {target:?} has it");
    }

    fn check_bytes(&mut self, server: &mut Server<'_>, attempt: &Attempt, target: Target) {
        let mut url = [0; 2_048];
        let url = server.attempt_url(attempt.id, &mut url).expect("a URL");
        let mut memory = vec![0; 4_096];
        let len = server
            .write_attempt(self.now, attempt.id, &url, &mut memory)
            .expect("room for an attempt");
        let text = std::str::from_utf8(&memory[..len]).expect("text");
        let (_, body) = text.split_once("\r\n\r\n").expect("a head");
        let id = field(text, "webhook-id");
        let headers = Headers {
            id: id.as_bytes(),
            timestamp: field(text, "webhook-timestamp").as_bytes(),
            signature: field(text, "webhook-signature").as_bytes(),
        };
        // A new secret that a crash takes back was shown to nobody.
        let secrets = match target {
            Target::Callback(job) => vec![
                server
                    .service()
                    .callback_secret(server.service().find_job(job)),
            ],
            Target::Hook(hook) => self.secrets[&hook].iter().cloned().map(Some).collect(),
        };
        let keys: Vec<_> = secrets.iter().flatten().map(Secret::signing_key).collect();
        let at = self.now.timestamp;
        verify(&headers, body.as_bytes(), &keys, at, TOLERANCE_S).expect("S6: a signature");
        let id = Id::parse(Prefix::Event, id).expect("an event's id");
        if attempt.subject.is_none() {
            assert!(
                self.durable.tests.contains(&id),
                "S5: a test nobody asked for"
            );
        }
        let body = body.as_bytes().to_vec();
        let first = self.bodies.entry(id).or_insert_with(|| body.clone());
        assert_eq!(*first, body, "S6: the same event, another body");
    }

    pub(super) fn settle(&mut self, server: &mut Server<'_>, at: u8, reply: Reply) {
        if self.in_flight.is_empty() {
            return;
        }
        let at = usize::from(at) % self.in_flight.len();
        let flight = self.in_flight.remove(at);
        self.model.underway = self.underway();
        let ended = || Input::Attempt {
            id: flight.id,
            result: reply.result(),
        };
        let Ok(Some(attempted)) = server.handle(self.now, ended()) else {
            panic!("it is in flight");
        };
        let again = server.handle(self.now, ended());
        let stale = Err(HandleError::Attempt);
        assert_eq!(again, stale, "a stale attempt names nothing");
        let debt = flight.job.map(|job| Debt {
            target: flight.target,
            job,
            sequence: flight.event.sequence,
        });
        if matches!(reply, Reply::Ok)
            && let Some(debt) = debt
        {
            self.got.insert(debt);
        }
        if let Some(debt) = debt {
            self.rejected.remove(&debt);
            if matches!(reply, Reply::Reject) {
                self.rejected.insert(debt, attempted.number);
            }
        }
        let owed = debt.filter(|debt| self.model.debts.contains_key(debt));
        match (attempted.verdict, owed) {
            (Verdict::Delivered, Some(debt)) => {
                self.model.debts.remove(&debt);
            }
            (Verdict::Dead | Verdict::Overtaken, Some(debt)) => {
                self.model.debts.insert(debt, Standing::Dead);
            }
            _ => {}
        }
        match flight.target {
            Target::Hook(id) if self.is_off(id) || attempted.disabled.is_some() => {
                self.model.set_enabled(id, false, &self.debts_in_flight());
            }
            Target::Callback(id) if matches!(reply, Reply::Gone) => self.model.end_callback(id),
            _ => {}
        }
    }

    /// Whether an endpoint is there, but switched off.
    fn is_off(&self, id: Id) -> bool {
        self.model.hooks.get(&id).is_some_and(|hook| !hook.enabled)
    }

    pub(super) fn debts_in_flight(&self) -> Vec<Debt> {
        let debt = |flight: &InFlight| {
            Some(Debt {
                target: flight.target,
                job: flight.job?,
                sequence: flight.event.sequence,
            })
        };
        self.in_flight.iter().filter_map(debt).collect()
    }
}
