//! Commands, to the service and to its model.

use super::{Op, Rig, limits};
use crate::model::{Hook, Step};
use dubhook_core::{
    event::Filter,
    id::Id,
    service::{
        EndpointChange, Input, NewEndpoint, NewJob, Output, Ready, Report, Service, SubmitError,
    },
    slab::Ix,
    time::Timestamp,
};

const VIDEO: &str = "https://example.test/v.mp4";
const OUTPUT: &str =
    "https://example.test/a/rather/long/path/so/that/the/output/takes/two/blocks.mp4";

impl Rig {
    /// Does one thing, and all that follows from it.
    pub fn apply(&mut self, service: &mut Service<'_>, op: &Op) {
        let now = self.now;
        match *op {
            Op::Submit {
                callback,
                key,
                body,
            } => self.submit(service, callback, key, body),
            Op::Register { filter, job } => self.register(service, filter, job),
            Op::Enable(at, enabled) => self.with_hook(service, at, |rig, service, ix, id| {
                let change = EndpointChange {
                    enabled: Some(enabled),
                    ..EndpointChange::default()
                };
                if service.change_endpoint(ix, change).is_ok() {
                    rig.model.set_enabled(id, enabled, &rig.debts_in_flight());
                }
            }),
            Op::Filter(at, bits) => self.with_hook(service, at, |rig, service, ix, id| {
                let filter = Filter::from_bits(bits);
                let change = EndpointChange {
                    filter: Some(filter),
                    ..EndpointChange::default()
                };
                service.change_endpoint(ix, change).expect("no room needed");
                rig.model.set_filter(id, filter);
            }),
            Op::Describe(at, len) => self.with_hook(service, at, |_, service, ix, _| {
                let words = "d".repeat(usize::from(len % 33));
                let change = EndpointChange {
                    description: Some(words.as_str().into()),
                    ..EndpointChange::default()
                };
                let _ = service.change_endpoint(ix, change);
            }),
            Op::Remove(at) => self.with_hook(service, at, |rig, service, ix, id| {
                service.remove_endpoint(ix);
                rig.model.remove(id);
            }),
            Op::Test(at) => self.with_hook(service, at, |rig, service, ix, id| {
                if rig.model.hooks[&id].enabled
                    && let Ok(event) = service.test_endpoint(now, ix)
                {
                    rig.model.tests.insert(event);
                }
            }),
            Op::Rotate(at) => self.with_hook(service, at, |rig, service, ix, id| {
                service.rotate_secret(now, ix);
                rig.learn_secret(service, ix, id);
            }),
            Op::Redeliver(at) => self.with_hook(service, at, |rig, service, ix, id| {
                if rig.model.hooks[&id].enabled {
                    service.redeliver(ix, Timestamp::EPOCH, None);
                    rig.model.revive(id);
                }
            }),
            Op::Start => match service.poll(now, Ready::WORK, &mut []) {
                Ok(Output::Start { job, .. }) => self.started(job),
                Ok(Output::Sleep(_)) => return,
                other => panic!("{other:?} where only work is wanted"),
            },
            Op::Report(at, step) => self.with_job(service, at, |rig, service, id| {
                let report = match step {
                    Step::Progress(p) => Report::Progress(p),
                    Step::Complete => Report::Completed(OUTPUT),
                    Step::Fail => Report::Failed("The video has no sound."),
                    _ => Report::Alive,
                };
                let before = rig.model.clone();
                let taken = rig.happen(id, step);
                let told = service.handle(now, Input::Report { job: id, report });
                // What changes nothing is taken as well: the same progress again.
                assert!(
                    told.is_ok() || !taken,
                    "S2: {report:?} was refused: {told:?}"
                );
                assert!(taken || rig.model == before);
            }),
            Op::Cancel(at) => self.with_job(service, at, |rig, service, id| {
                let taken = rig.happen(id, Step::Cancel);
                assert_eq!(service.cancel(now, id).is_ok(), taken, "S15: one winner");
            }),
            Op::Settle(at, reply) => self.settle(service, at, reply),
            Op::Pass(ms) => self.pass(service, ms),
            Op::SetClock(seconds) => {
                let shifted = self.now.timestamp.as_unix_ms() as i64 + i64::from(seconds) * 1_000;
                self.now.timestamp = Timestamp::from_unix_ms(shifted.max(1) as u64);
            }
            Op::Seal => self.take_batch(service),
            Op::Sync => self.sync(service),
            Op::Crash => {}
        }
        self.settle_down(service);
    }

    pub(super) fn happen(&mut self, id: Id, step: Step) -> bool {
        self.model
            .happen(id, step, limits().attempts_max, self.now.timestamp)
    }

    fn started(&mut self, id: Id) {
        let durable = self.durable.jobs.get(&id);
        assert!(durable.is_some(), "S9: work on a job that is not durable");
        assert!(self.happen(id, Step::Start), "S2: work on {id:?}");
    }

    pub(super) fn submit(
        &mut self,
        service: &mut Service<'_>,
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
        let hash = key.map(|key| service.idempotency_key(&[key], &request));
        let submitted = match hash {
            Some(hash) => service.submit_once(self.now, &new, hash),
            None => service.submit(self.now, &new),
        };
        match submitted {
            Ok(submitted) => {
                let id = service.job(submitted.job).expect("the job").id();
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

    fn register(&mut self, service: &mut Service<'_>, bits: u8, job: Option<u8>) {
        let filter = Filter::from_bits(bits);
        let job = job.and_then(|at| pick(self.model.jobs.keys(), at));
        let new = NewEndpoint {
            url: "http://127.0.0.1:3120/hook".into(),
            filter,
            description: "".into(),
            secret: None,
            subject: job.and_then(|id| service.find_job(id)),
        };
        let Ok(ix) = service.create_endpoint(self.now, new) else {
            return;
        };
        let id = service.endpoint(ix).expect("the endpoint").id;
        let hook = Hook {
            filter,
            enabled: true,
            job,
            changed: false,
        };
        self.model.register(id, hook);
        self.learn_secret(service, ix, id);
    }

    fn learn_secret(&mut self, service: &Service<'_>, ix: Ix, id: Id) {
        let stored = service.endpoint(ix).expect("the endpoint").secret;
        let secret = stored.secret().expect("a secret");
        self.secrets.entry(id).or_default().push(secret);
    }

    fn with_hook<'s>(
        &mut self,
        service: &mut Service<'s>,
        at: u8,
        act: impl FnOnce(&mut Self, &mut Service<'s>, Ix, Id),
    ) {
        if let Some(id) = pick(self.model.hooks.keys(), at) {
            let ix = service
                .find_endpoint(id)
                .expect("S1: the endpoint is there");
            act(self, service, ix, id);
        }
    }

    fn with_job<'s>(
        &mut self,
        service: &mut Service<'s>,
        at: u8,
        act: impl FnOnce(&mut Self, &mut Service<'s>, Id),
    ) {
        if let Some(id) = pick(self.model.jobs.keys(), at) {
            act(self, service, id);
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
