//! The whole server machine under a script: connections that send anything, work, deliveries, commits, time.

use super::Script;
use crate::{
    caller::{Answer, Caller, answers_to_anything, ask, request},
    machine::{MachineIn, at, config},
};
use dubhook_core::{
    id::{Id, Prefix},
    server::{ConnId, Drive, Fixed, Server},
    service::{Report, Work},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Slots for jobs, endpoints and connections.
const SLOTS: (usize, usize, usize) = (6, 4, 4);
/// No connection may go unlooked at for longer, in milliseconds: a body at its pace, with the longest head before it.
const PATIENCE_MS: u64 = 70_000;

/// The server machine keeps its word whatever it is sent and whatever happens: answers are whole and by the rules, every
/// connection has an end, tables stay within their bounds, a job never goes back from what was told of it, and deliveries
/// of a job to one receiver keep their order.
pub fn server(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut memory = Box::new(Fixed::<6, 4, 4, 4>::new());
    let lent = if script.byte() & 1 == 0 {
        memory.lend()
    } else {
        memory.lend_volatile()
    };
    let server = Server::new(lent, config(), [script.byte(); 32]);
    let mut world = World {
        machine: MachineIn::over(server, at(0)),
        callers: Vec::new(),
        closed: Vec::new(),
        known: Known::default(),
        working: Vec::new(),
    };
    while !script.is_over() {
        world.step(&mut script);
        world.check();
    }
    world.end();
}

struct World<'m> {
    machine: MachineIn<'m>,
    callers: Vec<Caller>,
    closed: Vec<ConnId>,
    known: Known,
    working: Vec<Id>,
}

impl World<'_> {
    fn step(&mut self, script: &mut Script<'_>) {
        let machine = &mut self.machine;
        match script.byte() % 16 {
            0 => self.open(),
            1 => {
                let place = script.below(self.callers.len());
                if place < self.callers.len() {
                    self.close(place);
                }
            }
            2..=4 => {
                let len = script.below(64);
                let bytes = script.take(len);
                self.send(script, bytes);
            }
            5..=8 => {
                let bytes = self.known.request(script);
                self.send(script, &bytes);
            }
            9 => machine.advance_ms([1, 100, 4_000, 9_999, 60_000, 700_000][script.below(6)]),
            10 => {
                machine.commit();
            }
            11 => {
                let now = machine.now;
                match machine.server.service_mut().poll_work(now, true) {
                    Some(Work::Start(_, id)) => self.working.push(id),
                    Some(Work::Stop(_, id)) => self.working.retain(|working| *working != id),
                    None => {}
                }
            }
            12 => {
                if let Some(id) = script.pick(&self.working).copied() {
                    let report = [
                        Report::Alive,
                        Report::Progress(script.byte()),
                        Report::Completed("file:///out.mp4"),
                        Report::Completed("\u{1}"),
                        Report::Failed("\"no\"\r\n\u{1}"),
                    ][script.below(5)];
                    // A job that was lost or called off refuses.
                    let _ = machine.server.service_mut().report(machine.now, id, report);
                }
            }
            13 => {
                if let Some((attempt, request)) = machine.attempt() {
                    self.known.delivered(&request);
                    machine.settle(
                        &attempt,
                        [200, 204, 302, 410, 429, 500, 503][script.below(7)],
                    );
                }
            }
            14 => {
                if let Some(id) = script.pick(&self.closed) {
                    // A name of the past reaches nothing.
                    machine.server.close(*id);
                    let (answer, drive) =
                        machine.drive(*id, b"GET /status HTTP/1.1\r\nhost: t\r\n\r\n");
                    assert_eq!((answer.as_str(), drive), ("", Drive::Close));
                }
            }
            _ if script.byte() == 0 => machine.server.shutdown(),
            _ => self.look(script),
        }
    }

    fn open(&mut self) {
        let is_full = self.machine.server.conns_len() == SLOTS.2;
        let mut probe = self.machine.server.accept(self.machine.now);
        assert!(!is_full || probe.is_none());
        if let Some(id) = probe.take() {
            self.machine.server.close(id);
            self.closed.push(id);
            self.callers.push(Caller::open(&mut self.machine));
        }
    }

    fn close(&mut self, place: usize) {
        let caller = self.callers.remove(place);
        self.machine.server.close(caller.id);
        self.closed.push(caller.id);
    }

    fn send(&mut self, script: &mut Script<'_>, bytes: &[u8]) {
        if self.callers.is_empty() {
            self.open();
        }
        let place = script.below(self.callers.len());
        if let Some(caller) = self.callers.get_mut(place) {
            caller.send(&mut self.machine, bytes);
        }
    }

    /// Asks for a job that was told of, on a connection of its own if there is one.
    fn look(&mut self, script: &mut Script<'_>) {
        let ids: Vec<String> = self.known.jobs.keys().cloned().collect();
        let Some(id) = script.pick(&ids) else {
            return;
        };
        if self.machine.server.conns_len() == SLOTS.2 {
            return;
        }
        let Some(probe) = self.machine.server.accept(self.machine.now) else {
            return;
        };
        self.machine.server.close(probe);
        let mut caller = Caller::open(&mut self.machine);
        caller.send(
            &mut self.machine,
            &request("GET", &format!("/v1/translations/{id}"), "", ""),
        );
        for answer in caller.answers() {
            self.known.learn(&answer);
        }
        self.machine.server.close(caller.id);
    }

    /// Drives whoever is named, reads what was answered, and looks whether everything is within its bounds.
    fn check(&mut self) {
        while let Some(id) = self.machine.server.poll_conn() {
            let place = self.callers.iter().position(|caller| caller.id == id);
            let place = place.expect("a connection that is there is named");
            self.callers[place].turn(&mut self.machine);
        }
        let mut place = 0;
        while let Some(caller) = self.callers.get_mut(place) {
            for answer in answers_to_anything(&caller.take()) {
                self.known.learn(&answer);
            }
            match caller.wants {
                Drive::Close => self.close(place),
                Drive::Input { .. } => {
                    let due = self.machine.server.poll_timeout().expect("a deadline");
                    assert!(due.ms_since(self.machine.now.instant) <= PATIENCE_MS);
                    place += 1;
                }
                Drive::Wait | Drive::Flush | Drive::Lookup(_) => place += 1,
            }
        }
        let server = &self.machine.server;
        assert_eq!(server.conns_len(), self.callers.len());
        let service = server.service();
        assert!(service.jobs_len() <= SLOTS.0 && service.endpoints_len() <= SLOTS.1);
        assert!(service.outbox().attempts_in_flight() <= 4);
    }

    /// Everybody falls silent: every connection must come to its end.
    fn end(&mut self) {
        for _ in 0..40 {
            self.machine.commit();
            self.check();
            self.machine.advance_ms(10_000);
            self.check();
        }
        assert!(self.callers.is_empty(), "a connection without an end");
        if self
            .machine
            .server
            .accept(self.machine.now)
            .is_some_and(|id| {
                self.machine.server.close(id);
                true
            })
        {
            let ids: Vec<String> = self.known.jobs.keys().cloned().collect();
            for id in ids {
                let path = format!("/v1/translations/{id}");
                let answer = ask(&mut self.machine, "GET", &path, "", "");
                self.known.learn(&answer);
            }
        }
    }
}

/// What was told, to be held against what is told later.
#[derive(Default)]
struct Known {
    /// Jobs as they were shown last.
    jobs: BTreeMap<String, Value>,
    /// Endpoints.
    hooks: Vec<String>,
    /// The sequence that came last, by receiver and job.
    sequences: BTreeMap<(String, String), u64>,
    /// The body of each event.
    bodies: BTreeMap<String, String>,
}

impl Known {
    /// A request with a meaning, or with one byte of it changed.
    fn request(&self, script: &mut Script<'_>) -> Vec<u8> {
        let jobs: Vec<&String> = self.jobs.keys().collect();
        let job = script.pick(&jobs).map_or("job_x", |id| id.as_str());
        let hook = script.pick(&self.hooks).map_or("ep_x", String::as_str);
        let number = script.byte() % 16;
        let key = format!("idempotency-key: k{}\r\n", number % 4);
        let (method, path, fields, body) = match number {
            0..=2 => (
                "POST",
                "/v1/translations".to_owned(),
                if number == 0 { key.as_str() } else { "" },
                r#"{"video_url":"a:b","target_language":"es"}"#.to_owned(),
            ),
            3 => (
                "POST",
                "/v1/translations".to_owned(),
                "expect: 100-continue\r\n",
                r#"{"video_url":"a:b","target_language":"es","callback_url":"http://127.0.0.1:3120/"}"#
                    .to_owned(),
            ),
            4 => ("POST", format!("/v1/translations/{job}/cancel"), "", String::new()),
            5 => (
                "POST",
                "/v1/webhooks".to_owned(),
                "",
                r#"{"url":"http://127.0.0.1:3120/x","description":"\u00e9"}"#.to_owned(),
            ),
            6 => (
                "POST",
                "/v1/webhooks".to_owned(),
                "",
                format!(r#"{{"url":"http://127.0.0.1:3121/","job":"{job}"}}"#),
            ),
            7 => (
                "PATCH",
                format!("/v1/webhooks/{hook}"),
                "",
                format!(r#"{{"enabled":{}}}"#, script.byte() & 1 == 0),
            ),
            8 => ("DELETE", format!("/v1/webhooks/{hook}"), "", String::new()),
            9 => ("POST", format!("/v1/webhooks/{hook}/test"), "", String::new()),
            10 => ("POST", format!("/v1/webhooks/{hook}/rotate-secret"), "", String::new()),
            11 => ("POST", format!("/v1/webhooks/{hook}/redeliver"), "", String::new()),
            12 => ("GET", "/v1/translations?limit=3".to_owned(), "", String::new()),
            13 => ("GET", "/v1/webhooks".to_owned(), "", String::new()),
            14 => ("HEAD", format!("/v1/webhooks/{hook}/attempts"), "", String::new()),
            _ => ("GET", "/status".to_owned(), "connection: close\r\n", String::new()),
        };
        let mut bytes = request(method, &path, fields, &body);
        let damage = script.byte();
        if damage < 64 {
            let at = script.below(bytes.len());
            match damage % 3 {
                0 => bytes[at] = script.byte(),
                1 => bytes.insert(at, script.byte()),
                _ => bytes.truncate(at),
            }
        }
        bytes
    }

    fn learn(&mut self, answer: &Answer) {
        if answer.status >= 300 || answer.body.is_empty() {
            return;
        }
        let shown = answer.json();
        let Some(id) = shown["id"].as_str() else {
            return;
        };
        if Id::parse(Prefix::Job, id).is_none() {
            if !self.hooks.iter().any(|hook| hook == id) {
                self.hooks.push(id.to_owned());
            }
            return;
        }
        let mut shown = shown.clone();
        shown
            .as_object_mut()
            .expect("an object")
            .remove("callback_secret");
        let Some(before) = self.jobs.get(id) else {
            self.jobs.insert(id.to_owned(), shown);
            return;
        };
        // An answer that repeats the first one tells of the past.
        if answer.status == 202 {
            return;
        }
        let sequence = |job: &Value| job["sequence"].as_u64().expect("a sequence");
        assert!(
            sequence(&shown) >= sequence(before),
            "{before} and then {shown}"
        );
        let ended = before["status"] != "pending" && before["status"] != "processing";
        if ended || sequence(&shown) == sequence(before) {
            assert_eq!(*before, shown);
        }
        assert!(
            shown["progress"].as_u64() >= before["progress"].as_u64()
                || shown["status"] == "pending"
        );
        self.jobs.insert(id.to_owned(), shown);
    }

    fn delivered(&mut self, request: &str) {
        let (head, body) = request.split_once("\r\n\r\n").expect("a head");
        let id = head
            .lines()
            .find_map(|line| line.strip_prefix("webhook-id: "))
            .expect("an id");
        let before = self.bodies.insert(id.to_owned(), body.to_owned());
        let is_repeated = before.is_some();
        assert!(
            before.is_none_or(|before| before == body),
            "an event changed"
        );
        let event: Value = serde_json::from_str(body).expect("JSON");
        let (Some(job), Some(sequence)) = (
            event["data"]["id"].as_str(),
            event["data"]["sequence"].as_u64(),
        ) else {
            return;
        };
        let path = head.lines().next().unwrap_or_default();
        let host = head.lines().nth(1).unwrap_or_default();
        // Several endpoints may share a URL here, so only the narrowed ones and callbacks are told apart by job.
        let key = (format!("{path} {host}"), job.to_owned());
        let last = self.sequences.entry(key).or_insert(0);
        if !is_repeated && self.hooks.len() <= 1 {
            assert!(sequence > *last, "an event overtook another one");
        }
        *last = (*last).max(sequence);
    }
}
