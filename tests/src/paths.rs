//! The core's main paths, one at a time, for whoever measures them: the time they take and the instructions they need.
//!
//! Each [`Path`] is set up once and then run as often as is wanted; every run does the same work and leaves the
//! machine as it found it, but for names and times. Nothing here allocates once a path is set up.

use crate::machine::at;
use dubhook_core::{
    client::read_event,
    dispatch::NewEndpoint,
    event::Filter,
    http::RecvBuf,
    id::{Id, Prefix},
    out::Out,
    record::Keep,
    server::{Config, ConnId, Drive, Input, Output, Ready, Server},
    service::{Attempt, AttemptResult, NewJob, Report},
    signature::{Headers, Secret, SigningKey, TOLERANCE_S, verify},
    time::Now,
};
use dubhook_smol::memory::{Capacity, Memory};

const VIDEO_URL: &str =
    "https://videos.example.test/library/2026/november/the-long-way-home-part-1.mp4";
const OUTPUT_URL: &str =
    "https://videos.example.test/library/2026/november/the-long-way-home-es.mp4";
const HOOK: &str = "http://127.0.0.1:3120/hook";

/// A path through the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// `GET /status`: request in, answer out.
    Status,
    /// Sixteen of them, pipelined.
    Pipelined,
    /// `GET /v1/translations/{id}`.
    Read,
    /// `POST /v1/translations`, and then the job is called off, so that there is room for the next.
    Submit,
    /// A whole job: submitted, started, completed; each of its three events is delivered and settled. No bytes are
    /// made of them.
    Job,
    /// The same, and each event's body is rendered.
    JobRendered,
    /// The same, and each event's whole request is written and signed.
    JobSigned,
    /// The same, by a server that writes records: each change is rendered as records and committed.
    JobDurable,
    /// An event's whole request: rendered, signed.
    Event,
    /// The same for the second and later endpoints of an event: signed only.
    EventAgain,
    /// A webhook's signature, checked by its receiver.
    Verify,
    /// A webhook's body, read into a typed event.
    EventRead,
}

impl Path {
    /// Every path, with its name.
    pub const ALL: [(&'static str, Self); 12] = [
        ("status", Self::Status),
        ("status_pipelined_16", Self::Pipelined),
        ("read", Self::Read),
        ("submit", Self::Submit),
        ("job", Self::Job),
        ("job_rendered", Self::JobRendered),
        ("job_signed", Self::JobSigned),
        ("job_durable", Self::JobDurable),
        ("event", Self::Event),
        ("event_again", Self::EventAgain),
        ("verify", Self::Verify),
        ("event_read", Self::EventRead),
    ];

    /// The path with that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (_, path) = Self::ALL.iter().find(|(known, _)| *known == name)?;
        Some(*path)
    }

    /// Sets the path up. What is returned runs it once.
    ///
    /// # Panics
    ///
    /// If the machine does not do what the path says.
    #[must_use]
    pub fn set_up(self) -> Box<dyn FnMut()> {
        let mut bench = Bench::new(64, 1, self == Self::JobDurable);
        match self {
            Self::Status => {
                bench.submit();
                bench.requests("GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n")
            }
            Self::Pipelined => {
                bench.submit();
                bench.requests(&"GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(16))
            }
            Self::Read => {
                let id = bench.submit().text(Prefix::Job);
                bench.requests(&format!(
                    "GET /v1/translations/{id} HTTP/1.1\r\nhost: localhost\r\n\r\n"
                ))
            }
            Self::Submit => bench.submits(),
            Self::Job => Box::new(move || bench.job(|_, _| {})),
            Self::JobRendered => Box::new(move || bench.job(Bench::render)),
            Self::JobSigned | Self::JobDurable => Box::new(move || bench.job(Bench::write)),
            Self::Event => bench.events(),
            Self::EventAgain => {
                bench.submit();
                let attempt = bench.attempt();
                Box::new(move || bench.write(&attempt))
            }
            Self::Verify => verifies(),
            Self::EventRead => reads_events(),
        }
    }
}

/// A server machine, and the memory that a driver would have.
#[derive(Debug)]
pub struct Bench {
    server: Server<'static>,
    now: Now,
    conn: ConnId,
    input: Box<[u8]>,
    output: Box<[u8]>,
    durable: bool,
}

impl Bench {
    /// A machine with room for so many jobs and with so many endpoints, each of which wants every event. `durable` is
    /// whether it writes records. Its memory is never given back: this is for programs that measure and end.
    ///
    /// # Panics
    ///
    /// If there is no room for the endpoints.
    #[must_use]
    pub fn new(jobs: usize, endpoints: usize, durable: bool) -> Self {
        let mut config = Config::SERVER;
        config.guard.allow_loopback = true;
        let capacity = Capacity {
            jobs,
            endpoints,
            connections: 16,
            attempts: 1_024,
        };
        let keep = if durable {
            Keep::Archive
        } else {
            Keep::Nothing
        };
        let memory = Box::leak(Box::new(Memory::new(capacity, &config, keep)));
        let mut server = Server::new(memory.lend().0, config, [7; 32]).unwrap();
        let now = at(0);
        let conn = server.accept(now).expect("a free connection");
        for _ in 0..endpoints {
            server
                .create_endpoint(
                    now,
                    NewEndpoint {
                        url: HOOK.into(),
                        filter: Filter::ALL,
                        description: "".into(),
                        secret: Some(Secret::from_random([9; 32])),
                        subject: None,
                    },
                )
                .expect("room for an endpoint");
        }
        let mut bench = Self {
            server,
            now,
            conn,
            input: vec![0; 16_384].into(),
            output: vec![0; 65_536].into(),
            durable,
        };
        bench.commit();
        bench
    }

    /// Submits a job.
    ///
    /// # Panics
    ///
    /// If there is no room for it.
    pub fn submit(&mut self) -> Id {
        let new = NewJob {
            video_url: VIDEO_URL.into(),
            source_language: Some("en".into()),
            target_language: "es".into(),
            reference: Some("order-17".into()),
            callback_url: None,
        };
        let submitted = self.server.submit(self.now, &new).expect("room");
        let service = self.server.service();
        let id = service.job(submitted.job).expect("the job").id();
        self.commit();
        id
    }

    /// Starts the job that has waited longest.
    ///
    /// # Panics
    ///
    /// If none waits.
    pub fn start(&mut self) -> Id {
        match self.server.poll(self.now, Ready::WORK, &mut []) {
            Ok(Output::Start { job, .. }) => {
                self.commit();
                job
            }
            other => panic!("no job waits: {other:?}"),
        }
    }

    /// Completes a job.
    ///
    /// # Panics
    ///
    /// If it is not under way.
    pub fn complete(&mut self, id: Id) {
        let report = Report::Completed(OUTPUT_URL);
        self.server
            .handle(self.now, Input::Report { job: id, report })
            .expect("a job under way");
        self.commit();
    }

    /// Delivers everything that is owed, with `write` for each attempt. Returns how many attempts there were.
    pub fn deliver(&mut self, mut write: impl FnMut(&mut Self, &Attempt)) -> usize {
        let mut count = 0;
        while let Ok(Output::Attempt(attempt)) =
            self.server.poll(self.now, Ready::ATTEMPTS, &mut [])
        {
            write(self, &attempt);
            let id = attempt.id;
            let result = AttemptResult::Answer {
                status: 204,
                retry_after_ms: None,
                body: b"",
            };
            self.server
                .handle(self.now, Input::Attempt { id, result })
                .expect("an attempt in flight");
            self.commit();
            count += 1;
        }
        count
    }

    /// The life of one job, with `write` for each of its three events to each endpoint.
    ///
    /// # Panics
    ///
    /// If one of them is not delivered.
    pub fn job(&mut self, mut write: impl FnMut(&mut Self, &Attempt)) {
        let endpoints = self.server.service().endpoints_len();
        let id = self.submit();
        assert_eq!(self.deliver(&mut write), endpoints);
        assert_eq!(self.start(), id);
        assert_eq!(self.deliver(&mut write), endpoints);
        self.complete(id);
        assert_eq!(self.deliver(&mut write), endpoints);
    }

    /// Renders the body of an attempt.
    ///
    /// # Panics
    ///
    /// If it does not fit.
    pub fn render(&mut self, attempt: &Attempt) {
        let mut out = Out::new(&mut self.output);
        let job = attempt.subject.expect("an event of a job");
        let service = self.server.service();
        service.write_event(job, &attempt.event, &mut out);
        assert!(!out.is_full() && !out.is_empty());
    }

    /// Writes the whole request of an attempt.
    ///
    /// # Panics
    ///
    /// If it does not fit.
    pub fn write(&mut self, attempt: &Attempt) {
        let mut url = [0; 128];
        let url = self.server.attempt_url(attempt.id, &mut url);
        let url = url.expect("a URL");
        self.server
            .write_attempt(self.now, attempt.id, &url, &mut self.output)
            .expect("room for a request");
    }

    fn attempt(&mut self) -> Attempt {
        match self.server.poll(self.now, Ready::ATTEMPTS, &mut []) {
            Ok(Output::Attempt(attempt)) => attempt,
            other => panic!("an attempt, and not {other:?}"),
        }
    }

    /// Writes what has changed as records, as far as the machine does so.
    fn commit(&mut self) {
        if !self.durable {
            return;
        }
        loop {
            let output = self.server.poll(self.now, Ready::RECORDS, &mut self.output);
            match output.expect("room for a record") {
                Output::Save { .. } | Output::Archive { .. } => {}
                Output::Commit(batch) => {
                    let taken = self.server.handle(self.now, Input::Durable(batch));
                    taken.expect("its own batch");
                    return;
                }
                _ => return,
            }
        }
    }

    /// Receives `bytes` and answers.
    fn drive(&mut self, bytes: &[u8]) -> usize {
        self.input[..bytes.len()].copy_from_slice(bytes);
        let mut input = RecvBuf::new(&mut self.input, bytes.len());
        let mut out = Out::new(&mut self.output);
        let drive = self.server.drive(self.now, self.conn, &mut input, &mut out);
        assert!(matches!(drive, Ok(Drive::Input { .. })) && input.is_empty());
        out.len()
    }

    fn requests(mut self, bytes: &str) -> Box<dyn FnMut()> {
        let bytes = bytes.as_bytes().to_vec();
        self.drive(&bytes);
        assert!(self.output.starts_with(b"HTTP/1.1 200 OK\r\n"));
        Box::new(move || {
            self.drive(&bytes);
        })
    }

    fn submits(mut self) -> Box<dyn FnMut()> {
        let body = format!(
            "{{\"video_url\":\"{VIDEO_URL}\",\"source_language\":\"en\",\"target_language\":\"es\",\"reference\":\"order-17\"}}"
        );
        let request = format!(
            "POST /v1/translations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut run = move || {
            self.drive(request.as_bytes());
            assert!(self.output.starts_with(b"HTTP/1.1 202 Accepted\r\n"));
            let service = self.server.service();
            let id = service
                .newest_job()
                .and_then(|ix| service.job(ix))
                .expect("the job")
                .id();
            self.server.cancel(self.now, id).expect("a job that waits");
            self.deliver(|_, _| {});
        };
        // Until the first jobs are forgotten there is nothing to make room.
        for _ in 0..100 {
            run();
        }
        Box::new(run)
    }

    /// Writes the requests of two events in turn, so that neither finds its body rendered.
    fn events(mut self) -> Box<dyn FnMut()> {
        // Each success opens the endpoint's window by one.
        for _ in 0..2 {
            self.submit();
            self.deliver(|_, _| {});
        }
        self.submit();
        self.submit();
        let attempts = [self.attempt(), self.attempt()];
        let mut turn = 0;
        Box::new(move || {
            turn ^= 1;
            self.write(&attempts[turn]);
        })
    }
}

/// A machine with many jobs under way.
#[derive(Debug)]
pub struct UnderWay {
    bench: Bench,
    jobs: Vec<Id>,
    next: usize,
    random: bool,
}

impl UnderWay {
    /// A machine with `count` jobs under way, of which the oldest ends first, or any one.
    #[must_use]
    pub fn new(count: usize, random: bool) -> Self {
        // Room for some that have ended, which are forgotten when it is wanted.
        let mut bench = Bench::new(count + count / 8 + 64, 1, false);
        let jobs = (0..count)
            .map(|number| {
                bench.now = at(number as u64);
                bench.submit();
                bench.start()
            })
            .collect();
        bench.deliver(|_, _| {});
        let mut under_way = Self {
            bench,
            jobs,
            next: 0,
            random,
        };
        // Until every slot was used once, the operating system has pages to hand out.
        for _ in 0..count / 4 + 128 {
            under_way.replace_one();
        }
        under_way
    }

    /// Ends one of them and puts a new one in its place. Delivers its ending, and that the new one came and began.
    pub fn replace_one(&mut self) {
        self.next = if self.random {
            // Knuth's multiplier: any order will do, if the caches cannot guess it.
            self.next
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407)
        } else {
            self.next + 1
        };
        let ms = self.bench.now.instant.as_ms() + 1;
        self.bench.now = at(ms);
        let place = (self.next >> if self.random { 20 } else { 0 }) % self.jobs.len();
        self.bench.complete(self.jobs[place]);
        self.bench.submit();
        self.jobs[place] = self.bench.start();
        self.bench.deliver(|_, _| {});
    }
}

fn verifies() -> Box<dyn FnMut()> {
    let key: SigningKey = Secret::from_random([9; 32]).signing_key();
    let id = "evt_01kas4ve3qes2rvbqxvxyw0003";
    let now = at(0).timestamp;
    let timestamp = now.as_unix_seconds();
    let body = vec![b'x'; 420];
    let message = dubhook_core::signature::MessageId::new(id.as_bytes()).expect("an id");
    let mut signature = [0; 47];
    key.sign(message, timestamp, &body)
        .write(&mut Out::new(&mut signature));
    let timestamp = timestamp.to_string();
    Box::new(move || {
        let headers = Headers {
            id: id.as_bytes(),
            timestamp: timestamp.as_bytes(),
            signature: &signature,
        };
        verify(&headers, &body, [&key], now, TOLERANCE_S).expect("a signature that fits");
    })
}

/// The last event of a job, as the server writes it.
fn reads_events() -> Box<dyn FnMut()> {
    let body = format!(
        r#"{{"type":"translation.completed","timestamp":"2026-11-24T09:00:00.123Z","data":{{"id":"job_01kas4ve3qes2rvbqxvxyw0003","sequence":3,"status":"completed","progress":100,"video_url":"{VIDEO_URL}","source_language":"en","target_language":"es","output_url":"{OUTPUT_URL}","error":null,"reference":"order-17","created_at":"2026-11-24T08:59:00.000Z","updated_at":"2026-11-24T09:00:00.123Z"}}}}"#
    );
    Box::new(move || {
        let event = read_event(body.as_bytes()).expect("an event");
        let translation = event.translation().expect("a translation");
        assert!(translation.is_completed() && translation.output_url.is_some());
    })
}
