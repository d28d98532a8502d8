//! The whole server machine under a script: connections that send anything, work, deliveries, commits, time.

use super::Script;
use crate::{
    caller::{Answer, Caller, answers_before_stream, ask, request},
    machine::{MachineIn, at, config, field},
    stream::{Message, Stream},
};
use dubhook_core::{
    id::{Id, Prefix},
    record::Keep,
    server::{ConnId, Drive, Server, ServerStorage},
    service::Report,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Slots for jobs, endpoints and connections.
const SLOTS: (usize, usize, usize) = (6, 4, 4);
/// No connection may go unlooked at for longer, in milliseconds: a body at its pace, with the longest head before it.
const PATIENCE_MS: u64 = 85_000;

/// The server machine keeps its word whatever it is sent and whatever happens: answers are whole and by the rules, every
/// connection has an end, tables stay within their bounds, a job never goes back from what was told of it, and deliveries
/// of a job to one receiver keep their order.
pub fn server(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut memory = Box::new(ServerStorage::<6, 4, 4, 4>::new());
    let setup = script.byte();
    let tables = memory.lend(match setup % 3 {
        0 => Keep::Records,
        1 => Keep::Nothing,
        _ => Keep::Archive,
    });
    let mut config = config();
    // With workers that claim their jobs, or with those that the driver has.
    config.service.remote_workers = setup >= 128;
    let server = Server::new(tables, config, [script.byte(); 32]).unwrap();
    let mut world = World {
        machine: MachineIn::over(server, at(0)),
        callers: Vec::new(),
        streams: BTreeMap::new(),
        closed: Vec::new(),
        known: Known::default(),
        working: Vec::new(),
        gave_up: false,
    };
    while !script.is_over() {
        world.step(&mut script);
        world.check();
    }
    world.end();
}

/// Requests with a meaning: method, path, fields and body, with the names of a job and an endpoint to be filled in.
const REQUESTS: [[&str; 4]; 31] = [
    ["POST", JOBS, "", JOB],
    ["POST", JOBS, "idempotency-key: a\r\n", JOB],
    ["POST", JOBS, "idempotency-key: b\r\n", JOB],
    ["POST", JOBS, "expect: 100-continue\r\n", CALLBACK_JOB],
    ["GET", "/v1/translations/{job}", "", ""],
    ["POST", "/v1/translations/{job}/cancel", "", ""],
    ["GET", "/v1/translations?limit=3", "", ""],
    ["GET", "/v1/translations?status=error&cursor={job}", "", ""],
    ["GET", "/status", "connection: close\r\n", ""],
    ["POST", HOOKS, "", r#"{"url":"http://127.0.0.1:3120/x"}"#],
    [
        "POST",
        HOOKS,
        "",
        r#"{"url":"http://127.0.0.1:3121/","job":"{job}"}"#,
    ],
    ["GET", HOOKS, "", ""],
    ["GET", "/v1/webhooks/{hook}", "", ""],
    ["PATCH", "/v1/webhooks/{hook}", "", r#"{"enabled":false}"#],
    [
        "PATCH",
        "/v1/webhooks/{hook}",
        "",
        r#"{"enabled":true,"description":"\u00e9"}"#,
    ],
    ["DELETE", "/v1/webhooks/{hook}", "", ""],
    ["POST", "/v1/webhooks/{hook}/test", "", ""],
    ["POST", "/v1/webhooks/{hook}/rotate-secret", "", ""],
    ["POST", "/v1/webhooks/{hook}/redeliver", "", ""],
    ["HEAD", "/v1/webhooks/{hook}/attempts", "", ""],
    [
        "GET",
        "/v1/translations/{job}?after_sequence=2",
        "prefer: wait=5\r\n",
        "",
    ],
    ["GET", "/v1/translations/{job}", "prefer: wait=60\r\n", ""],
    ["GET", "/v1/events", "", ""],
    ["GET", "/v1/events?job={job}", "", ""],
    ["GET", "/v1/events", "last-event-id: {event}\r\n", ""],
    ["POST", "/v1/work/claim", "", ""],
    ["POST", "/v1/work/claim", "prefer: wait=9\r\n", "{}"],
    ["POST", "/v1/work/{job}/progress", "", ""],
    [
        "POST",
        "/v1/work/{job}/progress",
        "",
        r#"{"progress":50,"lease":{lease}}"#,
    ],
    [
        "POST",
        "/v1/work/{job}/complete",
        "",
        r#"{"output_url":"file:///o","lease":{lease}}"#,
    ],
    ["POST", "/v1/work/{job}/fail", "", r#"{"error":"\u0001"}"#],
];
const JOBS: &str = "/v1/translations";
const HOOKS: &str = "/v1/webhooks";
const JOB: &str = r#"{"video_url":"a:b","target_language":"es"}"#;
const CALLBACK_JOB: &str =
    r#"{"video_url":"a:b","target_language":"es","callback_url":"http://127.0.0.1:3120/"}"#;

struct World<'m> {
    machine: MachineIn<'m>,
    callers: Vec<Caller>,
    /// What callers hear whose last answer goes on and on.
    streams: BTreeMap<u32, Stream>,
    closed: Vec<ConnId>,
    known: Known,
    working: Vec<Id>,
    /// Whether anything was given up: it may be sent again, behind what came after it.
    gave_up: bool,
}

impl World<'_> {
    fn step(&mut self, script: &mut Script<'_>) {
        let machine = &mut self.machine;
        match script.byte() % 16 {
            0 => {
                let more_bytes = script.below(4) * 700;
                self.open(more_bytes);
            }
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
                self.working.extend(machine.start_job());
                while let Some(id) = machine.stop_job() {
                    self.working.retain(|working| *working != id);
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
                    let _ = machine.try_report(id, report);
                }
            }
            13 => {
                if let Some((attempt, request)) = machine.attempt() {
                    let endpoint = machine.server.service().endpoint(attempt.lane);
                    let receiver = endpoint
                        .filter(|_| !attempt.callback)
                        .map(|endpoint| endpoint.id);
                    let is_in_order = attempt.callback || !self.gave_up;
                    self.known.delivered(receiver, is_in_order, &request);
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
            _ if script.byte() == 0 => machine.shutdown(),
            _ => self.look(script),
        }
    }

    /// Connects, with an output that has so much more room than one answer needs.
    fn open(&mut self, more_bytes: usize) {
        let is_full = self.machine.server.conns_len() == SLOTS.2;
        let probe = self.machine.server.accept(self.machine.now);
        assert!(!is_full || probe.is_err());
        if let Ok(id) = probe {
            self.machine.server.close(id);
            self.closed.push(id);
            let output_bytes = self.machine.server.config().answer_bytes_max() + more_bytes;
            let caller = Caller::with_output(&mut self.machine, output_bytes);
            self.callers.push(caller);
        }
    }

    fn close(&mut self, place: usize) {
        let caller = self.callers.remove(place);
        self.streams.remove(&caller.id.slot().get());
        self.machine.server.close(caller.id);
        self.closed.push(caller.id);
    }

    fn send(&mut self, script: &mut Script<'_>, bytes: &[u8]) {
        if self.callers.is_empty() {
            self.open(0);
        }
        let place = script.below(self.callers.len());
        if let Some(caller) = self.callers.get_mut(place) {
            caller.send(&mut self.machine, bytes);
            self.hear(place);
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
        let Ok(probe) = self.machine.server.accept(self.machine.now) else {
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
        while let Some(id) = self.machine.next_conn() {
            let place = self.callers.iter().position(|caller| caller.id == id);
            let place = place.expect("a connection that is there is named");
            self.callers[place].turn(&mut self.machine);
            self.hear(place);
        }
        let mut place = 0;
        while let Some(caller) = self.callers.get_mut(place) {
            match caller.wants {
                Drive::Close => self.close(place),
                Drive::Input { .. } => {
                    let due = self.machine.server.deadline().expect("a deadline");
                    assert!(due.ms_since(self.machine.now.instant) <= PATIENCE_MS);
                    place += 1;
                }
                _ => place += 1,
            }
        }
        let server = &self.machine.server;
        assert_eq!(server.conns_len(), self.callers.len());
        let service = server.service();
        assert!(service.jobs_len() <= SLOTS.0 && service.endpoints_len() <= SLOTS.1);
        assert!(service.owed().attempts <= 4);
        self.gave_up |= service.owed().dead_letters > 0;
    }

    /// Reads what was answered on a connection: at once, before anybody else is answered.
    fn hear(&mut self, place: usize) {
        let caller = &mut self.callers[place];
        let bytes = caller.take();
        let slot = caller.id.slot().get();
        let mut rest = &bytes[..];
        if !self.streams.contains_key(&slot) {
            let (answers, stream) = answers_before_stream(rest);
            for answer in answers {
                self.known.learn(&answer);
            }
            rest = stream;
        }
        if !rest.is_empty() {
            let stream = self.streams.entry(slot);
            let stream = stream.or_insert_with(Stream::of_anything);
            for message in stream.read(rest) {
                self.known.told(&message);
            }
            assert!(stream.is_whole(), "half an event");
        }
    }

    /// Everybody falls silent: every connection must come to its end.
    fn end(&mut self) {
        // Reads that wait, one behind the other, take a minute each.
        for round in 0..4_000 {
            let waits = |caller: &Caller| !self.streams.contains_key(&caller.id.slot().get());
            if round >= 40 && !self.callers.iter().any(waits) {
                break;
            }
            self.machine.commit();
            self.check();
            self.machine.advance_ms(10_000);
            self.check();
        }
        // A stream goes on for as long as somebody reads it.
        while let Some(place) = self
            .callers
            .iter()
            .position(|caller| self.streams.contains_key(&caller.id.slot().get()))
        {
            self.close(place);
        }
        assert!(self.callers.is_empty(), "a connection without an end");
        assert_eq!(self.machine.server.conns_held(), 0);
        if self
            .machine
            .server
            .accept(self.machine.now)
            .is_ok_and(|id| {
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
    /// The sequence that came last, by receiver (none is the job's callback) and job.
    sequences: BTreeMap<(Option<Id>, String), u64>,
    /// The body of each event that was delivered.
    bodies: BTreeMap<String, String>,
    /// Of each that a stream told.
    told: BTreeMap<String, String>,
    /// The newest lease.
    lease: u64,
}

impl Known {
    /// A request with a meaning, or with one byte of it changed.
    fn request(&self, script: &mut Script<'_>) -> Vec<u8> {
        let jobs: Vec<&String> = self.jobs.keys().collect();
        let job = script.pick(&jobs).map_or("job_x", |id| id.as_str());
        let hook = script.pick(&self.hooks).map_or("ep_x", String::as_str);
        let [method, path, fields, body] = script.pick(&REQUESTS).copied().unwrap_or_default();
        let events: Vec<&String> = self.bodies.keys().collect();
        let event = script.pick(&events).map_or("evt_x", |id| id.as_str());
        let fill = |text: &str| {
            let text = text.replace("{job}", job).replace("{hook}", hook);
            let text = text.replace("{event}", event);
            text.replace("{lease}", &self.lease.to_string())
        };
        let mut bytes = request(method, &fill(path), &fill(fields), &fill(body));
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
        let mut shown = answer.json();
        if let Some(lease) = shown["lease"].as_u64() {
            assert_eq!(shown["job"]["status"], "processing");
            self.lease = lease;
            shown = shown["job"].take();
        }
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

    /// Looks at what a stream tells: an event is the same wherever it is told.
    fn told(&mut self, message: &Message) {
        if message.kind == "stream.gap" {
            return;
        }
        let body = message.data.to_string();
        let before = self.told.insert(message.id.clone(), body.clone());
        assert!(
            before.is_none_or(|before| before == body),
            "an event changed"
        );
        if let Some(delivered) = self.bodies.get(&message.id) {
            let delivered: Value = serde_json::from_str(delivered).expect("JSON");
            assert_eq!(delivered, message.data);
        }
    }

    /// Looks at a delivery to `receiver`, whose events come in order if nothing was given up and sent again.
    fn delivered(&mut self, receiver: Option<Id>, is_in_order: bool, request: &str) {
        let (_, body) = request.split_once("\r\n\r\n").expect("a head");
        let id = field(request, "webhook-id").to_owned();
        let before = self.bodies.insert(id, body.to_owned());
        let is_repeated = before.is_some();
        assert!(
            before.is_none_or(|before| before == body),
            "an event changed"
        );
        let event: Value = serde_json::from_str(body).expect("JSON");
        let data = &event["data"];
        let (Some(job), Some(sequence)) = (data["id"].as_str(), data["sequence"].as_u64()) else {
            return;
        };
        let last = self
            .sequences
            .entry((receiver, job.to_owned()))
            .or_insert(0);
        if is_in_order && !is_repeated {
            assert!(sequence > *last, "an event overtook another one");
        }
        *last = (*last).max(sequence);
    }
}
