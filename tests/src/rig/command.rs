//! Commands, to the service and to its model.

use super::{Op, Rig, limits};
use crate::model::{Debt, Hook, Step};
use dubhook_core::{
    dispatch::{EndpointChange, NewEndpoint},
    event::Filter,
    id::{Id, Ix},
    server::{Input, Output, Ready, Server},
    service::{NewJob, Report, SubmitError},
    time::Timestamp,
};

const VIDEO: &str = "https://example.test/v.mp4";
const OUTPUT: &str =
    "https://example.test/a/rather/long/path/so/that/the/output/takes/two/blocks.mp4";

impl Rig {
    /// Does one thing, and all that follows from it.
    pub fn apply(&mut self, server: &mut Server<'_>, op: &Op) {
        let now = self.now;
        match *op {
            Op::Submit {
                callback,
                key,
                body,
            } => self.submit(server, callback, key, body),
            Op::Register { filter, job } => self.register(server, filter, job),
            Op::Enable(at, enabled) => self.with_hook(server, at, |rig, server, ix, id| {
                let change = EndpointChange {
                    enabled: Some(enabled),
                    ..EndpointChange::default()
                };
                if server.change_endpoint(ix, change).is_ok() {
                    rig.model.set_enabled(id, enabled, &rig.debts_in_flight());
                }
            }),
            Op::Filter(at, bits) => self.with_hook(server, at, |rig, server, ix, id| {
                let filter = Filter::from_bits(bits);
                let change = EndpointChange {
                    filter: Some(filter),
                    ..EndpointChange::default()
                };
                server.change_endpoint(ix, change).expect("no room needed");
                rig.model.set_filter(id, filter);
            }),
            Op::Describe(at, len) => self.with_hook(server, at, |_, server, ix, _| {
                let words = "d".repeat(usize::from(len % 33));
                let change = EndpointChange {
                    description: Some(words.as_str().into()),
                    ..EndpointChange::default()
                };
                let _ = server.change_endpoint(ix, change);
            }),
            Op::Remove(at) => self.with_hook(server, at, |rig, server, ix, id| {
                assert_eq!(server.remove_endpoint(ix), Ok(()));
                rig.model.remove(id);
            }),
            Op::Test(at) => self.with_hook(server, at, |rig, server, ix, id| {
                if rig.model.hooks[&id].enabled
                    && let Ok(event) = server.test_endpoint(now, ix)
                {
                    rig.model.tests.insert(event);
                }
            }),
            Op::Rotate(at) => self.with_hook(server, at, |rig, server, ix, id| {
                // Where too many still sign, it stays as it is.
                if server.rotate_secret(now, ix).is_ok() {
                    rig.learn_secret(server, ix, id);
                }
            }),
            Op::Redeliver(at) => self.with_hook(server, at, |rig, server, ix, id| {
                if rig.model.hooks[&id].enabled {
                    assert!(server.redeliver(ix, Timestamp::EPOCH, None).is_ok());
                    rig.model.revive(id);
                    if server.service().owed().dead_letters > 0 {
                        rig.partly.insert(id);
                    }
                }
            }),
            Op::Start => match server.poll(now, Ready::WORK, &mut []) {
                Ok(Output::Start { job, .. }) => self.started(job),
                Ok(Output::Sleep(_)) => return,
                other => panic!("{other:?} where only work is wanted"),
            },
            Op::Report(at, step) => self.with_job(server, at, |rig, server, id| {
                let report = match step {
                    Step::Progress(p) => Report::Progress(p),
                    Step::Complete => Report::Completed(OUTPUT),
                    Step::Fail => Report::Failed("The video has no sound."),
                    _ => Report::Alive,
                };
                let before = rig.model.clone();
                let taken = rig.happen(id, step);
                let told = server.handle(now, Input::Report { job: id, report });
                // What changes nothing is taken as well: the same progress again.
                assert!(
                    told.is_ok() || !taken,
                    "S2: {report:?} was refused: {told:?}"
                );
                assert!(taken || rig.model == before);
            }),
            Op::Cancel(at) => self.with_job(server, at, |rig, server, id| {
                let taken = rig.happen(id, Step::Cancel);
                assert_eq!(server.cancel(now, id).is_ok(), taken, "S15: one winner");
            }),
            Op::Settle(at, reply) => self.settle(server, at, reply),
            Op::Pass(ms) => self.pass(server, ms),
            Op::SetClock(seconds) => {
                let shifted = self.now.timestamp.as_unix_ms() as i64 + i64::from(seconds) * 1_000;
                self.now.timestamp = Timestamp::from_unix_ms(shifted.max(1) as u64);
            }
            Op::Seal => self.take_batch(server),
            Op::Sync => self.sync(server),
            Op::Crash => {}
        }
        self.settle_down(server);
    }

    pub(super) fn happen(&mut self, id: Id, step: Step) -> bool {
        let taken = self
            .model
            .happen(id, step, limits().attempts_max, self.now.timestamp);
        if taken && self.model.jobs[&id].status().is_terminal() {
            let busy = self.debts_in_flight();
            let rejected = self.rejected.iter().filter(|(_, times)| **times >= 2);
            let rejected: Vec<Debt> = rejected
                .map(|(debt, _)| *debt)
                .filter(|debt| !busy.contains(debt))
                .collect();
            self.model.make_way(id, &rejected);
        }
        taken
    }

    fn started(&mut self, id: Id) {
        let durable = self.durable.jobs.get(&id);
        assert!(durable.is_some(), "S9: work on a job that is not durable");
        assert!(self.happen(id, Step::Start), "S2: work on {id:?}");
    }

    pub(super) fn submit(
        &mut self,
        server: &mut Server<'_>,
        callback: bool,
        key: Option<u8>,
        body: u8,
    ) {
        let words = ["a", "b"][usize::from(body % 2)].repeat(usize::from(body % 32));
        let new = NewJob {
            video_url: VIDEO.into(),
            source_language: None,
            target_language: "es".into(),
            reference: (!body.is_multiple_of(3)).then(|| words.as_str().into()),
            callback_url: callback.then(|| "http://127.0.0.1:3120/callback".into()),
        };
        let request = [u8::from(callback), body];
        let known = key.and_then(|key| self.model.keys.get(&key).copied());
        let submitted = match key {
            Some(key) => server.submit_once(self.now, &new, &[key], &request),
            None => server.submit(self.now, &new),
        };
        match submitted {
            Ok(submitted) => {
                let id = server.service().job(submitted.job).expect("the job").id();
                if submitted.repeated {
                    let (before, job) = known.expect("a key that is known");
                    assert_eq!((before, job), (request_hash(request), id));
                    return;
                }
                assert!(!self.model.jobs.contains_key(&id));
                self.model.submit(id, callback, self.now.timestamp);
                if let Some(key) = key {
                    self.model.keys.insert(key, (request_hash(request), id));
                }
            }
            Err(SubmitError::NotStarted) => panic!("it works"),
            Err(SubmitError::Invalid) => panic!("its strings are in order"),
            Err(SubmitError::Full) => {}
            Err(SubmitError::KeyReused) => {
                assert_ne!(known.expect("a known key").0, request_hash(request));
            }
            Err(SubmitError::KeyForgotten(job)) => {
                assert_eq!(job, known.expect("a known key").1);
                assert!(!self.model.jobs.contains_key(&job));
            }
        }
    }

    fn register(&mut self, server: &mut Server<'_>, bits: u8, job: Option<u8>) {
        let filter = Filter::from_bits(bits);
        let job = job.and_then(|at| pick(self.model.jobs.keys(), at));
        let new = NewEndpoint {
            url: "http://127.0.0.1:3120/hook".into(),
            filter,
            description: "".into(),
            secret: None,
            subject: job.and_then(|id| server.service().find_job(id)),
        };
        let Ok(ix) = server.create_endpoint(self.now, new) else {
            return;
        };
        let id = server.service().endpoint(ix).expect("the endpoint").id;
        let hook = Hook {
            filter,
            enabled: true,
            job,
            changed: false,
        };
        self.model.register(id, hook);
        self.learn_secret(server, ix, id);
    }

    fn learn_secret(&mut self, server: &Server<'_>, ix: Ix, id: Id) {
        let endpoint = server.service().endpoint(ix).expect("the endpoint");
        let secret = endpoint.secret().expect("a secret");
        self.secrets.entry(id).or_default().push(secret);
    }

    fn with_hook<'s>(
        &mut self,
        server: &mut Server<'s>,
        at: u8,
        act: impl FnOnce(&mut Self, &mut Server<'s>, Ix, Id),
    ) {
        if let Some(id) = pick(self.model.hooks.keys(), at) {
            let ix = server
                .service()
                .find_endpoint(id)
                .expect("S1: the endpoint is there");
            act(self, server, ix, id);
        }
    }

    fn with_job<'s>(
        &mut self,
        server: &mut Server<'s>,
        at: u8,
        act: impl FnOnce(&mut Self, &mut Server<'s>, Id),
    ) {
        if let Some(id) = pick(self.model.jobs.keys(), at) {
            act(self, server, id);
        }
    }
}

const fn request_hash(request: [u8; 2]) -> u8 {
    request[0] << 7 | request[1]
}

fn pick<'i>(mut among: impl ExactSizeIterator<Item = &'i Id>, at: u8) -> Option<Id> {
    let count = among.len();
    among.nth(usize::from(at).checked_rem(count)?).copied()
}
