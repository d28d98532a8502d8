//! The comparison in virtual time: the real server machine, a clock that is turned by hand, and a network that takes
//! five milliseconds each way and loses nothing.

use crate::{
    asked::{translation, webhook},
    figures::Figures,
};
use dubhook_core::{
    dispatch::AttemptId,
    http::RecvBuf,
    out::Out,
    record::Keep,
    server::{Config, ConnId, Drive, Input, Output, Ready, Server},
    service::{AttemptResult, Report},
    simulate::{FAILURE, Settings, Simulator, Step, write_output_url},
    time::{Instant, Now, Timestamp},
};
use dubhook_smol::memory::{Capacity, Memory};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

/// How long a message takes one way, in milliseconds.
const ONE_WAY_MS: u64 = 5;
/// The jobs come in over so many milliseconds.
const ARRIVALS_MS: u64 = 60_000;
/// When virtual time begins.
const START_UNIX_MS: u64 = 1_795_510_800_000;

/// What happens next, and when.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// A client's submission arrives.
    Submit(usize),
    /// A client's question arrives.
    Ask(usize),
    /// A webhook arrives, for this attempt slot.
    Arrive(u32),
    /// Its answer is back.
    Settle(u32),
}

struct World<'a> {
    server: Server<'a>,
    simulator: Simulator<'a>,
    now: Now,
    conn: ConnId,
    next: BinaryHeap<Reverse<(u64, Next)>>,
    /// When each job ended, by its id.
    ended: BTreeMap<String, u64>,
    ids: Vec<String>,
    /// The sequence number that each client saw last.
    seen: Vec<String>,
    flying: BTreeMap<u32, (AttemptId, String)>,
    figures: Figures,
    every_ms: Option<u64>,
}

/// Runs `jobs` clients: asking every `every_ms` milliseconds, or told by webhook.
pub(crate) fn run(jobs: usize, every_ms: Option<u64>, way: &str) -> Figures {
    let mut config = Config::SERVER;
    config.guard.allow_loopback = true;
    let mut memory = Memory::new(Capacity::for_jobs(jobs), &config, Keep::Nothing);
    let (lent, simulated) = memory.lend();
    let mut server = Server::new(lent, config, [1; 32]).unwrap();
    let now = at(0);
    let conn = server.accept(now).expect("a free connection");
    // No progress is reported: a client that waits for the end wants to know the end.
    let settings = Settings {
        steps: 1,
        ..Settings::STANDARD
    };
    let mut world = World {
        server,
        simulator: Simulator::new(simulated, settings, [2; 32]),
        now,
        conn,
        next: BinaryHeap::new(),
        ended: BTreeMap::new(),
        ids: vec![String::new(); jobs],
        seen: vec![String::new(); jobs],
        flying: BTreeMap::new(),
        figures: Figures::new(way, jobs),
        every_ms,
    };
    world.run(jobs);
    world.figures
}

const fn at(ms: u64) -> Now {
    Now {
        instant: Instant::from_ms(ms),
        timestamp: Timestamp::from_unix_ms(START_UNIX_MS + ms),
    }
}

impl World<'_> {
    fn run(&mut self, jobs: usize) {
        if self.every_ms.is_none() {
            let hook = webhook("http://127.0.0.1:3120/");
            self.request("POST", "/v1/webhooks", &hook);
            self.figures.requests += 1;
        }
        for job in 0..jobs {
            let when = job as u64 * ARRIVALS_MS / jobs as u64;
            self.next.push(Reverse((when, Next::Submit(job))));
        }
        while self.figures.late_ms.len() < jobs {
            self.step();
        }
    }

    /// Goes to the next moment at which anything happens, and lets it happen.
    fn step(&mut self) {
        let due = [
            self.next.peek().map(|Reverse((when, _))| *when),
            self.server.deadline().map(Instant::as_ms),
            self.simulator.poll_timeout().map(Instant::as_ms),
        ];
        let due = due
            .into_iter()
            .flatten()
            .min()
            .expect("something to wait for");
        self.now = at(due.max(self.now.instant.as_ms()));
        while let Some(Reverse((when, _))) = self.next.peek()
            && *when <= self.now.instant.as_ms()
        {
            let Some(Reverse((_, next))) = self.next.pop() else {
                break;
            };
            self.happen(next);
        }
        self.work();
        self.send();
    }

    fn happen(&mut self, next: Next) {
        let ms = self.now.instant.as_ms();
        match next {
            Next::Submit(client) => {
                let answer = self.request("POST", "/v1/translations", &translation());
                self.ids[client] = member(&answer, "id").to_owned();
                self.seen[client] = number(&answer, "sequence").to_owned();
                if let Some(every) = self.every_ms {
                    self.next.push(Reverse((ms + every, Next::Ask(client))));
                }
            }
            Next::Ask(client) => {
                let path = format!("/v1/translations/{}", self.ids[client]);
                let answer = self.request("GET", &path, "");
                let sequence = number(&answer, "sequence");
                self.figures.requests += 1;
                if sequence == self.seen[client] {
                    self.figures.nothing_new += 1;
                }
                if matches!(member(&answer, "status"), "completed" | "error") {
                    let id = self.ids[client].clone();
                    self.knows(&id, ms + ONE_WAY_MS);
                } else {
                    self.seen[client] = sequence.to_owned();
                    let every = self.every_ms.unwrap_or(ARRIVALS_MS);
                    self.next.push(Reverse((ms + every, Next::Ask(client))));
                }
            }
            Next::Arrive(slot) => {
                let id = self.flying[&slot].1.clone();
                self.knows(&id, ms);
                self.next
                    .push(Reverse((ms + ONE_WAY_MS, Next::Settle(slot))));
            }
            Next::Settle(slot) => {
                if let Some((attempt, _)) = self.flying.remove(&slot) {
                    let result = AttemptResult::Answer {
                        status: 204,
                        retry_after_ms: None,
                        body: b"",
                    };
                    let id = attempt;
                    self.server
                        .handle(self.now, Input::Attempt { id, result })
                        .expect("an attempt in flight");
                }
            }
        }
    }

    fn knows(&mut self, id: &str, ms: u64) {
        let late = ms - self.ended[id];
        self.figures.late_ms.push(late as f64);
    }

    /// Starts jobs, and lets those that run get on.
    fn work(&mut self) {
        while let Ok(Output::Start { job, slot }) = self.server.poll(self.now, Ready::WORK, &mut [])
        {
            self.simulator.start(self.now.instant, slot, job);
        }
        while let Some((id, step)) = self.simulator.poll_step(self.now.instant) {
            let mut url = [0; 128];
            let mut out = Out::new(&mut url);
            write_output_url(id, &mut out);
            let output = String::from_utf8_lossy(out.written()).into_owned();
            let report = match step {
                Step::Progress(done) => Report::Progress(done),
                Step::Completed => Report::Completed(&output),
                Step::Failed => Report::Failed(FAILURE),
                Step::Alive => Report::Alive,
            };
            if matches!(step, Step::Completed | Step::Failed) {
                let id = id.text(dubhook_core::id::Prefix::Job).to_string();
                self.ended.insert(id, self.now.instant.as_ms());
            }
            let report = Input::Report { job: id, report };
            let taken = self.server.handle(self.now, report);
            assert!(taken.is_ok(), "{taken:?}");
        }
    }

    /// Sends the webhooks that may be sent.
    fn send(&mut self) {
        let (mut url, mut request) = ([0; 2_048], vec![0; 16_384]);
        while let Ok(Output::Attempt(attempt)) =
            self.server.poll(self.now, Ready::ATTEMPTS, &mut [])
        {
            let url = self.server.attempt_url(attempt.id, &mut url);
            let url = url.expect("a URL");
            let len = self
                .server
                .write_attempt(self.now, attempt.id, &url, &mut request)
                .expect("room");
            let text = String::from_utf8_lossy(&request[..len]).into_owned();
            let (_, data) = text.split_once("\"data\":").expect("a body");
            let slot = attempt.id.slot().get();
            self.flying
                .insert(slot, (attempt.id, member(data, "id").to_owned()));
            let arrival = self.now.instant.as_ms() + ONE_WAY_MS;
            self.next.push(Reverse((arrival, Next::Arrive(slot))));
            self.figures.webhooks += 1;
        }
    }

    /// Makes a request and returns the body of its answer.
    fn request(&mut self, method: &str, path: &str, body: &str) -> String {
        let kind = if body.is_empty() {
            ""
        } else {
            "content-type: application/json\r\n"
        };
        let length = body.len();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nhost: v\r\n{kind}content-length: {length}\r\n\r\n{body}"
        );
        let (mut bytes, mut answer) = (text.into_bytes(), vec![0; 16_384]);
        let received = bytes.len();
        let mut input = RecvBuf::new(&mut bytes, received);
        let mut out = Out::new(&mut answer);
        let driven = self.server.drive(self.now, self.conn, &mut input, &mut out);
        let next = driven.expect("room for any answer");
        assert!(matches!(next, Drive::Input { .. }), "{next:?}");
        let answer = String::from_utf8_lossy(out.written());
        let (_, body) = answer.split_once("\r\n\r\n").expect("an answer");
        body.to_owned()
    }
}

/// The number that a member of a JSON object has.
fn number<'j>(json: &'j str, name: &str) -> &'j str {
    let mark = format!("\"{name}\":");
    let (_, rest) = json
        .split_once(&mark)
        .unwrap_or_else(|| panic!("no {name} in {json}"));
    rest.split([',', '}']).next().unwrap_or_default()
}

/// The string that a member of a JSON object has; ours hold no escapes here.
fn member<'j>(json: &'j str, name: &str) -> &'j str {
    let mark = format!("\"{name}\":\"");
    let (_, rest) = json
        .split_once(&mark)
        .unwrap_or_else(|| panic!("no {name} in {json}"));
    rest.split('"').next().unwrap_or_default()
}
