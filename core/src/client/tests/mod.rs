//! The client machine in virtual time: requests are looked at, answers written by hand.

extern crate std;

mod asking;
mod ending;
mod known;
mod receiving;
mod submitting;
mod telling;

use super::*;
use crate::{
    http::{BodyUse, Limits, RecvBuf, RequestParser, ResponseParser},
    id::Prefix,
    model::NewTranslation,
    out::Out,
    signature::MessageId,
    time::{Now, Timestamp},
};
use std::{format, string::String, vec, vec::Vec};

const SECRET: [u8; 32] = [7; 32];
const UNIX_MS: u64 = 1_795_510_800_000;
const ENDPOINT: &str = r#"{"id":"ep_00000000000000000000000001","enabled":true}"#;

fn id(n: u128) -> Id {
    Id::from_bits(n)
}

fn config(with_webhook: bool) -> Config<'static> {
    let server = Server::parse("http://127.0.0.1:8000").unwrap();
    let mut webhook = Webhook::new("http://localhost:3120/webhook").unwrap();
    webhook.secret = Some(Secret::from_random(SECRET));
    Config::new(server, with_webhook.then_some(webhook))
}

/// A job's JSON.
fn job(n: u128, sequence: u32, status: &str) -> String {
    format!(
        r#"{{"id":"{}","sequence":{sequence},"status":"{status}","progress":{},"video_url":"file:///v.mp4","target_language":"es","created_at":"2026-11-24T08:59:00.000Z","updated_at":"2026-11-24T09:00:00.000Z"}}"#,
        id(n).text(Prefix::Job),
        if status == "completed" { 100 } else { 10 },
    )
}

/// The body of an event of a job.
fn event(n: u128, sequence: u32, kind: &str, status: &str) -> String {
    let data = job(n, sequence, status);
    format!(r#"{{"type":"{kind}","timestamp":"2026-11-24T09:00:00.000Z","data":{data}}}"#)
}

/// A client, and a clock that only moves when it is told to.
struct World<'a> {
    client: Client<'a>,
    ms: u64,
    request: Vec<u8>,
    /// A request that came out while time passed.
    sent: Option<Exchange>,
}

impl<'a> World<'a> {
    fn new(memory: &'a mut ClientStorage<4>, config: Config<'a>) -> Self {
        let mut world = Self {
            client: Client::new(memory.lend(), config, [1; 32]),
            ms: 0,
            request: Vec::new(),
            sent: None,
        };
        world.client.start(world.now());
        world
    }

    fn now(&self) -> Now {
        Now {
            instant: Instant::from_ms(self.ms),
            timestamp: Timestamp::from_unix_ms(UNIX_MS + self.ms),
        }
    }

    /// The next request, if there is one now.
    fn poll(&mut self) -> Option<Exchange> {
        let exchange = self.sent.take();
        exchange.or_else(|| match self.poll_output() {
            Output::Send(exchange) => Some(exchange),
            Output::Sleep(_) | Output::Closed => None,
            Output::Abandon { .. } => panic!("an answer is overdue"),
        })
    }

    fn poll_output(&mut self) -> Output {
        let mut memory = vec![0; self.client.request_bytes_max()];
        let mut out = Out::new(&mut memory);
        let output = self.client.poll(self.now(), &mut out).unwrap();
        if let Output::Send(_) = output {
            self.request = out.written().to_vec();
        }
        output
    }

    /// The next request must start with `expect`; it is answered. Returns what that told.
    #[track_caller]
    fn answer(&mut self, expect: &str, status: u16, body: &str) -> String {
        let exchange = self.poll().expect("a request");
        self.expect(expect);
        self.respond(exchange, status, "", body)
    }

    /// The next request must start with `expect`; it fails. Returns what that told.
    #[track_caller]
    fn fail(&mut self, expect: &str, failure: Failure) -> String {
        let exchange = self.poll().expect("a request");
        self.expect(expect);
        let id = exchange.id;
        let input = Input::Failure { id, failure };
        show(self.client.handle(self.now(), input).unwrap())
    }

    #[track_caller]
    fn expect(&self, start: &str) {
        let request = str::from_utf8(&self.request).unwrap();
        assert!(request.starts_with(start), "{start}, not {request}");
    }

    fn respond(&mut self, exchange: Exchange, status: u16, fields: &str, body: &str) -> String {
        let mut bytes = format!(
            "HTTP/1.1 {status} X\r\n{fields}content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes();
        let len = bytes.len();
        let mut input = RecvBuf::new(&mut bytes, len);
        let mut parser = ResponseParser::new(exchange.call.method(), BodyUse::Keep);
        let _ = parser.advance(&Limits::SMALL, &mut input).unwrap();
        let response = parser.response(input.filled()).unwrap();
        let now = self.now();
        let input = Input::Answer {
            id: exchange.id,
            response: &response,
        };
        match self.client.handle(now, input) {
            Ok(update) => show(update),
            Err(error) => format!("{error:?}"),
        }
    }

    /// Registers, and answers that the newest job is pending.
    #[track_caller]
    fn register(&mut self) {
        let told = self.answer("POST /v1/webhooks ", 201, ENDPOINT);
        assert_eq!(told, "registered");
        let told = self.answer("GET /status ", 200, r#"{"status":"pending"}"#);
        assert_eq!(told, "status pending");
    }

    /// Follows a job, of which the server knows nothing new.
    #[track_caller]
    fn follow(&mut self, n: u128) {
        self.client.follow(self.now(), id(n)).unwrap();
        let told = self.answer("GET /v1/translations/", 200, &job(n, 1, "pending"));
        assert_eq!(told, "job pending 1 asked");
    }

    /// Lets time pass up to the client's next deadline. Returns how long that was, and what it told.
    #[track_caller]
    fn wait(&mut self) -> (u64, String) {
        let deadline = self.client.deadline().expect("a deadline");
        let waited_ms = deadline.at.as_ms().saturating_sub(self.ms);
        self.ms += waited_ms;
        let told = match self.poll_output() {
            Output::Abandon { update, .. } => show(Some(update)),
            Output::Send(exchange) => {
                self.sent = Some(exchange);
                String::new()
            }
            Output::Sleep(_) | Output::Closed => String::new(),
        };
        (waited_ms, told)
    }

    /// Delivers a body as a webhook, signed with `secret`. Returns the answer's status and what it
    /// told.
    fn tell_signed(&mut self, secret: [u8; 32], body: &str) -> (u16, String) {
        let mut bytes = webhook(secret, UNIX_MS + self.ms, body);
        self.receive(&mut bytes)
    }

    fn tell(&mut self, body: &str) -> (u16, String) {
        self.tell_signed(SECRET, body)
    }

    fn receive(&mut self, bytes: &mut [u8]) -> (u16, String) {
        let len = bytes.len();
        let mut input = RecvBuf::new(bytes, len);
        let mut parser = RequestParser::new();
        let _ = parser.advance(&Limits::SERVER, &mut input).unwrap();
        let request = parser.request(input.filled()).unwrap();
        let now = self.now();
        let verdict = self.client.handle_webhook(now, &request);
        (verdict.outcome.status(), show(verdict.update))
    }
}

/// A whole delivery.
fn webhook(secret: [u8; 32], unix_ms: u64, body: &str) -> Vec<u8> {
    let key = Secret::from_random(secret).signing_key();
    let seconds = unix_ms / 1_000;
    let message = MessageId::new(b"evt_1").unwrap();
    let mut memory = [0; 47];
    let mut signature = Out::new(&mut memory);
    key.sign(message, seconds, body.as_bytes())
        .write(&mut signature);
    format!(
        "POST /webhook HTTP/1.1\r\nhost: localhost:3120\r\nwebhook-id: evt_1\r\n\
         webhook-timestamp: {seconds}\r\nwebhook-signature: {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        str::from_utf8(signature.written()).unwrap(),
        body.len(),
    )
    .into_bytes()
}

/// An update in a few words; empty for none.
fn show(update: Option<Update<'_>>) -> String {
    let text = |text: Option<crate::json::Str<'_>>| {
        text.map_or(String::new(), |text| text.escaped_text().into())
    };
    match update {
        None => String::new(),
        Some(Update::Job(change)) => {
            let name = change.kind.as_str().rsplit('.').next().unwrap();
            let source = match change.source {
                Source::Told => "told",
                Source::Asked => "asked",
            };
            format!("job {name} {} {source}", change.job.sequence)
        }
        Some(Update::Current(job)) => {
            format!("current {} {}", job.sequence, job.status.as_str())
        }
        Some(Update::JobUnknown(_)) => "job unknown".into(),
        Some(Update::Status(status)) => {
            format!("status {}", status.map_or("none", NewestStatus::as_str))
        }
        Some(Update::Submitted(job)) => {
            format!("submitted {} {}", job.sequence, job.status.as_str())
        }
        Some(Update::Canceled(job)) => format!("canceled {}", job.sequence),
        Some(Update::List(list)) => format!("list of {}", list.translations().count()),
        Some(Update::Registered(_)) => "registered".into(),
        Some(Update::RegistrationLost) => "registration lost".into(),
        Some(Update::SwitchedOff) => "switched off".into(),
        Some(Update::Unregistered) => "unregistered".into(),
        Some(Update::Test) => "test".into(),
        Some(Update::Delayed { call, failure, .. }) => format!("{call:?} delayed: {failure:?}"),
        Some(Update::Refused {
            call,
            status,
            problem,
        }) => format!("{call:?} refused: {status} {}", text(problem.code)),
    }
}
