//! What was asked for, what was acknowledged, and what must be true of it after every restart.

use crate::{
    arrivals::Arrivals,
    wire::{Answer, Asker},
};
use dubhook_core::random::Random;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The webhook that wants everything.
const MAIN: &str = "/hook";
/// Where callbacks go.
const CALLBACK: &str = "/hook/callback";

/// Whoever makes requests of a server, real or not.
pub trait Ask {
    /// The answer to a request with these field lines, each ending in CRLF, and this body; `None` where the server is
    /// gone.
    fn ask(&mut self, method: &str, path: &str, fields: &str, body: &str) -> Option<Answer>;

    /// The answer of a server that is there.
    ///
    /// # Panics
    ///
    /// If it is not.
    fn call(&mut self, method: &str, path: &str, body: &str) -> Answer {
        self.ask(method, path, "", body).expect("an answer")
    }
}

impl Ask for Asker {
    fn ask(&mut self, method: &str, path: &str, fields: &str, body: &str) -> Option<Answer> {
        self.try_call(method, path, fields, body).ok()
    }
}

/// A job that was asked for.
#[derive(Debug)]
pub struct Sent {
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
    /// One with this idempotency key, which is its reference too.
    #[must_use]
    pub fn new(key: String, with_callback: bool) -> Self {
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
pub struct Request {
    /// Field lines.
    pub fields: String,
    /// JSON.
    pub body: String,
}

impl Request {
    /// The answer, if there is one.
    pub fn send(&self, asker: &mut impl Ask) -> Option<Answer> {
        asker.ask("POST", "/v1/translations", &self.fields, &self.body)
    }
}

/// Everything that was said.
#[derive(Debug)]
pub struct Ledger {
    url: String,
    main: Option<String>,
    sent: Vec<Sent>,
    hooks: BTreeMap<String, Hook>,
    round: usize,
}

impl Ledger {
    /// Nothing was said yet; webhooks go to `url`.
    #[must_use]
    pub fn new(url: String) -> Self {
        Self {
            url,
            main: None,
            sent: Vec::new(),
            hooks: BTreeMap::new(),
            round: 0,
        }
    }

    /// Notes that a job is asked for; returns its place.
    pub fn add(&mut self, mut sent: Sent) -> usize {
        sent.round = self.round;
        let there = self.hooks.iter();
        sent.hooks = there.map(|(id, _)| id.clone()).collect();
        self.sent.push(sent);
        self.sent.len() - 1
    }

    /// The request for a job, the same each time.
    #[must_use]
    pub fn request(&self, place: usize) -> Request {
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
    ///
    /// # Panics
    ///
    /// If it is not so.
    pub fn accepted(&mut self, place: usize, answer: &Answer) {
        assert_eq!(answer.status, 202, "{answer:?}");
        let job = answer.json();
        let sent = &mut self.sent[place];
        assert_eq!(job["reference"], sent.key);
        let id = job["id"].as_str().expect("an id");
        let known = sent.id.get_or_insert_with(|| id.to_owned());
        assert_eq!(known, id, "one key, two jobs");
    }

    /// The path of a job that was acknowledged.
    #[must_use]
    pub fn path(&self, place: usize) -> Option<String> {
        let id = self.sent[place].id.as_ref()?;
        Some(format!("/v1/translations/{id}"))
    }

    /// One of the last jobs, if it was acknowledged.
    pub fn recent(&self, random: &mut Random) -> Option<usize> {
        let back = 1 + random.below(6) as usize;
        let place = self.sent.len().checked_sub(back)?;
        self.sent[place].id.is_some().then_some(place)
    }

    /// Notes an ending that somebody was told: there is only one.
    ///
    /// # Panics
    ///
    /// If it is not so.
    pub fn ended(&mut self, place: usize, status: &str) {
        let sent = &mut self.sent[place];
        let known = sent.ending.get_or_insert_with(|| status.to_owned());
        assert_eq!(known, status, "two endings of {:?}", sent.id);
    }

    /// The body of a request for a webhook of this name.
    #[must_use]
    pub fn registration(&self, name: &str) -> String {
        format!(
            r#"{{"url":"{}/{name}","description":"{name}","events":["translation.completed"]}}"#,
            self.url
        )
    }

    /// Notes that a webhook was acknowledged.
    pub fn registered(&mut self, id: String, name: String) {
        let removal = Removal::Unasked;
        self.hooks.insert(id, Hook { name, removal });
    }

    /// A webhook that is to be removed, where there are some left.
    pub fn begin_removal(&mut self, random: &mut Random) -> Option<String> {
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

    /// Notes that a removal was acknowledged.
    ///
    /// # Panics
    ///
    /// If there was no such webhook.
    pub fn removed(&mut self, id: &str) {
        let hook = self.hooks.get_mut(id).expect("a known webhook");
        hook.removal = Removal::Done;
    }

    /// Registers the webhook that wants everything, unless it was acknowledged in an earlier round.
    ///
    /// # Panics
    ///
    /// If it is not so.
    pub fn register_main(&mut self, asker: &mut impl Ask) {
        if self.main.is_none() {
            let body = format!(r#"{{"url":"{}"}}"#, self.url);
            let answer = asker.call("POST", "/v1/webhooks", &body);
            self.registered_main(&answer);
        }
    }

    /// Notes that the webhook that wants everything was acknowledged.
    ///
    /// # Panics
    ///
    /// If it is not so.
    pub fn registered_main(&mut self, answer: &Answer) {
        assert_eq!(answer.status, 201, "{answer:?}");
        self.main = answer.json()["id"].as_str().map(str::to_owned);
    }

    /// Holds a server that was started again to everything that was acknowledged and that arrived.
    ///
    /// # Panics
    ///
    /// If it is not so.
    pub fn check(&mut self, asker: &mut impl Ask, arrivals: &Arrivals, round: usize) {
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

    fn check_job(&mut self, asker: &mut impl Ask, arrivals: &Arrivals, place: usize) {
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
    ///
    /// # Panics
    ///
    /// If it is not so.
    #[must_use]
    pub fn owed(&self, arrivals: &Arrivals) -> Option<String> {
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
    ///
    /// # Panics
    ///
    /// If it is not so.
    pub fn check_nothing_else(&self, asker: &mut impl Ask, arrivals: &Arrivals) {
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

    /// How much it holds.
    #[must_use]
    pub fn summary(&self) -> String {
        format!("{} jobs, {} webhooks", self.sent.len(), self.hooks.len())
    }
}
