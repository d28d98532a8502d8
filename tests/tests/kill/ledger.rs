//! What was asked for, what was acknowledged, and what must be true of it after every restart.

use crate::arrivals::Arrivals;
use dubhook_core::random::Random;
use dubhook_tests::wire::{Answer, Asker};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The webhook that wants everything.
const MAIN: &str = "/hook";
/// Where callbacks go.
const CALLBACK: &str = "/hook/callback";

/// A job that was asked for.
#[derive(Debug)]
pub(crate) struct Sent {
    key: String,
    with_callback: bool,
    /// Its id, once it was acknowledged.
    id: Option<String>,
    /// The highest sequence that was read.
    sequence: u64,
    /// How it ended, once somebody was told.
    ending: Option<String>,
    /// The webhooks that were there before it.
    hooks: BTreeSet<String>,
    /// The round in which it was asked for or read last.
    round: usize,
}

impl Sent {
    pub(crate) fn new(key: String, with_callback: bool) -> Self {
        Self {
            key,
            with_callback,
            id: None,
            sequence: 0,
            ending: None,
            hooks: BTreeSet::new(),
            round: 0,
        }
    }
}

/// A registered webhook.
#[derive(Debug)]
struct Hook {
    name: String,
    removal: Removal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removal {
    Unasked,
    /// Asked for, and perhaps done.
    Asked,
    Done,
}

/// A submission as it is sent, now or again.
#[derive(Debug)]
pub(crate) struct Request {
    fields: String,
    body: String,
}

impl Request {
    /// The answer, if there is one.
    pub(crate) fn send(&self, asker: &mut Asker) -> Option<Answer> {
        let answer = asker.try_call("POST", "/v1/translations", &self.fields, &self.body);
        answer.ok()
    }
}

/// Everything that was said.
#[derive(Debug)]
pub(crate) struct Ledger {
    url: String,
    main: Option<String>,
    sent: Vec<Sent>,
    hooks: BTreeMap<String, Hook>,
    round: usize,
}

impl Ledger {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            main: None,
            sent: Vec::new(),
            hooks: BTreeMap::new(),
            round: 0,
        }
    }

    pub(crate) fn add(&mut self, mut sent: Sent) -> usize {
        sent.round = self.round;
        let there = self.hooks.iter();
        sent.hooks = there.map(|(id, _)| id.clone()).collect();
        self.sent.push(sent);
        self.sent.len() - 1
    }

    pub(crate) fn request(&self, place: usize) -> Request {
        let sent = &self.sent[place];
        let callback = if sent.with_callback {
            format!(r#","callback_url":"{}/callback""#, self.url)
        } else {
            String::new()
        };
        Request {
            fields: format!("idempotency-key: {}\r\n", sent.key),
            body: format!(
                r#"{{"video_url":"https://v.test/1.mp4","target_language":"es","reference":"{}"{callback}}}"#,
                sent.key
            ),
        }
    }

    /// Notes that a submission was acknowledged, now or again: always with the same id.
    pub(crate) fn accepted(&mut self, place: usize, answer: &Answer) {
        assert_eq!(answer.status, 202, "{answer:?}");
        let job = answer.json();
        let sent = &mut self.sent[place];
        assert_eq!(job["reference"], sent.key);
        let id = job["id"].as_str().expect("an id");
        let known = sent.id.get_or_insert_with(|| id.to_owned());
        assert_eq!(known, id, "one key, two jobs");
    }

    pub(crate) fn path(&self, place: usize) -> Option<String> {
        let id = self.sent[place].id.as_ref()?;
        Some(format!("/v1/translations/{id}"))
    }

    /// One of the last jobs that were acknowledged.
    pub(crate) fn recent(&self, random: &mut Random) -> Option<usize> {
        let back = 1 + random.below(6) as usize;
        let place = self.sent.len().checked_sub(back)?;
        self.sent[place].id.is_some().then_some(place)
    }

    /// Notes an ending that somebody was told: there is only one.
    pub(crate) fn ended(&mut self, place: usize, status: &str) {
        let sent = &mut self.sent[place];
        let known = sent.ending.get_or_insert_with(|| status.to_owned());
        assert_eq!(known, status, "two endings of {:?}", sent.id);
    }

    pub(crate) fn registration(&self, name: &str) -> String {
        format!(
            r#"{{"url":"{}/{name}","description":"{name}","events":["translation.completed"]}}"#,
            self.url
        )
    }

    pub(crate) fn registered(&mut self, id: String, name: String) {
        let removal = Removal::Unasked;
        self.hooks.insert(id, Hook { name, removal });
    }

    pub(crate) fn begin_removal(&mut self, random: &mut Random) -> Option<String> {
        let there = self.hooks.iter_mut();
        let mut there: Vec<_> = there
            .filter(|(_, hook)| hook.removal == Removal::Unasked)
            .collect();
        if there.len() < 3 {
            return None;
        }
        let (id, hook) = &mut there[random.below(3) as usize];
        hook.removal = Removal::Asked;
        Some((*id).clone())
    }

    pub(crate) fn removed(&mut self, id: &str) {
        let hook = self.hooks.get_mut(id).expect("a known webhook");
        hook.removal = Removal::Done;
    }

    /// Registers the webhook that wants everything, unless it was acknowledged in an earlier round.
    pub(crate) fn register_main(&mut self, asker: &mut Asker) {
        if self.main.is_none() {
            let answer = asker.call(
                "POST",
                "/v1/webhooks",
                &format!(r#"{{"url":"{}"}}"#, self.url),
            );
            assert_eq!(answer.status, 201, "{answer:?}");
            self.main = answer.json()["id"].as_str().map(str::to_owned);
        }
    }

    /// Holds a server that was started again to everything that was acknowledged and that arrived.
    pub(crate) fn check(&mut self, asker: &mut Asker, arrivals: &Arrivals, round: usize) {
        let last = std::mem::replace(&mut self.round, round);
        for place in 0..self.sent.len() {
            let sent = &self.sent[place];
            // What has ended and was checked since is left alone until the end.
            if sent.ending.is_some() && sent.round < last && round != usize::MAX {
                continue;
            }
            // A repeat gives the first answer, and one that was never answered is answered now.
            if sent.round >= last || sent.id.is_none() {
                let again = self.request(place).send(asker).expect("an answer");
                self.accepted(place, &again);
            }
            self.check_job(asker, arrivals, place);
        }
        for (id, hook) in &self.hooks {
            let found = asker.call("GET", &format!("/v1/webhooks/{id}"), "");
            match hook.removal {
                Removal::Unasked => assert_eq!(found.json()["description"], hook.name),
                Removal::Asked => assert!([200, 404].contains(&found.status), "{found:?}"),
                Removal::Done => assert_eq!(found.status, 404, "{found:?}"),
            }
        }
    }

    fn check_job(&mut self, asker: &mut Asker, arrivals: &Arrivals, place: usize) {
        let path = self.path(place).expect("it was acknowledged");
        let answer = asker.call("GET", &path, "");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let job = answer.json();
        let status = job["status"].as_str().expect("a status");
        let sequence = job["sequence"].as_u64().expect("a sequence");
        let sent = &mut self.sent[place];
        assert_eq!(job["reference"], sent.key);
        assert!(sequence >= sent.sequence, "{job} after {sent:?}");
        sent.sequence = sequence;
        if let Some(told) = arrivals.last(MAIN, job["id"].as_str().expect("an id")) {
            assert!(told.sequence <= sequence, "{job} after {told:?}");
            assert!(told.sequence < sequence || told.status == status);
        }
        if ["completed", "error", "canceled"].contains(&status) {
            self.ended(place, status);
        } else {
            assert_eq!(sent.ending, None, "{job} had ended");
        }
    }

    /// Something that was promised and has not arrived.
    pub(crate) fn owed(&self, arrivals: &Arrivals) -> Option<String> {
        for sent in &self.sent {
            let id = sent.id.as_ref().expect("it was acknowledged");
            let Some(told) = arrivals.last(MAIN, id).filter(|told| told.is_ending()) else {
                return Some(format!("the ending of {sent:?}"));
            };
            if sent.with_callback
                && !arrivals
                    .last(CALLBACK, id)
                    .is_some_and(|told| told.is_ending())
            {
                return Some(format!("the callback of {sent:?}"));
            }
            for (hook, registered) in &self.hooks {
                let path = format!("{MAIN}/{}", registered.name);
                if told.status == "completed"
                    && sent.hooks.contains(hook)
                    && registered.removal == Removal::Unasked
                    && arrivals.last(&path, id).is_none()
                {
                    return Some(format!("at {path} the ending of {sent:?}"));
                }
            }
        }
        None
    }

    /// Nobody was told of a job that nobody asked for, and there is one job for each key.
    pub(crate) fn check_nothing_else(&self, asker: &mut Asker, arrivals: &Arrivals) {
        let ids: BTreeSet<&str> = self
            .sent
            .iter()
            .filter_map(|sent| sent.id.as_deref())
            .collect();
        assert_eq!(ids.len(), self.sent.len());
        let told = arrivals.jobs();
        assert!(told.is_subset(&ids), "{:?}", told.difference(&ids));
        let mut listed = BTreeSet::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/translations?limit=100{cursor}");
            let page = asker.call("GET", &path, "").json();
            let jobs = page["data"].as_array().expect("a list");
            let id = |job: &Value| job["id"].as_str().expect("an id").to_owned();
            listed.extend(jobs.iter().map(id));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(listed, ids.iter().map(|id| (*id).to_owned()).collect());
    }

    pub(crate) fn summary(&self) -> String {
        format!("{} jobs, {} webhooks", self.sent.len(), self.hooks.len())
    }
}
