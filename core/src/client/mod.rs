//! The client: it is told what happens to translations, and misses nothing.
//!
//! # Theory of operation
//!
//! A [`Client`] talks to one server. It registers a webhook, and at once asks for the newest status and
//! about every job that it follows, so that nothing that happened before is missed. From then on the
//! server tells it. What comes in is verified, known for a repeat, and put in order: a job only ever
//! moves forward, and once ended it stays so.
//!
//! ```text
//!                commands: start, follow, submit, cancel, list, close
//!                              │
//!   poll ─► Output ◄──── ┌─────▼──┐ ◄── drive      the server tells, on a connection of the client's own
//!   handle ◄─ Input ────►│ Client │ ──► Update     what is new, in order
//!                        └────────┘
//! ```
//!
//! Being told can fail, so the client also asks, seldom: a followed job that is silent is asked about
//! after pauses that double. Each question that finds something new makes the pauses short again; each
//! webhook puts the next question off. A lost webhook thus costs time and never truth. The registration
//! is looked at once a minute, and at once where the server was away, or the client had to ask for what
//! it should have been told: a server that has forgotten it, because it was started anew, is asked to
//! register it again. A server that has no room for a webhook is asked about jobs meanwhile.
//!
//! The client makes up the secret that deliveries are signed with and sends it along, so that even an
//! event that overtakes the answer to its registration can be verified. A translation is submitted with
//! an `Idempotency-Key`, so that sending it again after a lost answer makes no second job.
//!
//! **The driver** owns the socket, the clock and the memory, and meets one machine with one way in and one way out. What is to
//! be done comes out of [`poll`](Client::poll): send this request, close that connection, sleep. What happened goes in with
//! [`handle`](Client::handle): an answer, or that there is none. There is one exchange at a time, over a connection that may be
//! kept. A connection on which the server tells is [taken on](Client::accept) and [driven](Client::drive); under a server of
//! another kind, requests go in with [`handle_webhook`](Client::handle_webhook). What they tell is handed on before their answer
//! is sent. Whoever only wants to be told, and never asks, needs no client: [`read_webhook`] is enough.
//!
//! # Example
//!
//! A whole conversation without a socket: the answers are written by hand here.
//!
//! ```
//! use dubhook_core::client::{Client, ClientStorage, Config, Drive, Input, Output, Server, Update, Webhook};
//! use dubhook_core::http::{BodyUse, Limits, Method, RecvBuf, RequestHead, ResponseHead, ResponseParser, ResponseProgress};
//! use dubhook_core::id::Id;
//! use dubhook_core::job::Status;
//! use dubhook_core::model::NewestStatus;
//! use dubhook_core::out::Out;
//! use dubhook_core::signature::{MessageId, Secret};
//! use dubhook_core::time::{Instant, Now, Timestamp};
//!
//! let now = Now {
//!     instant: Instant::ZERO,
//!     timestamp: Timestamp::from_unix_ms(1_795_510_800_000),
//! };
//! let server = Server::parse("http://127.0.0.1:8000").unwrap();
//! let secret = Secret::from_random([7; 32]);
//! let mut webhook = Webhook::new("http://localhost:3120/webhook").unwrap();
//! webhook.secret = Some(secret.clone());
//! let mut memory = ClientStorage::<4>::new();
//! let mut client = Client::new(memory.lend(), Config::new(server, Some(webhook)), [1; 32]);
//!
//! // It registers, and asks about what it follows.
//! let job = Id::from_bits(7);
//! client.start(now);
//! client.follow(now, job).unwrap();
//! let conversation = [
//!     ("POST /v1/webhooks", 201, r#"{"id":"ep_00000000000000000000000001","enabled":true}"#),
//!     ("GET /status", 200, r#"{"status":"pending"}"#),
//!     (
//!         "GET /v1/translations/job_00000000000000000000000007",
//!         200,
//!         r#"{"id":"job_00000000000000000000000007","sequence":2,"status":"processing","progress":0,
//!             "video_url":"file:///7.mp4","target_language":"es",
//!             "created_at":"2026-11-24T08:59:00.000Z","updated_at":"2026-11-24T08:59:30.000Z"}"#,
//!     ),
//! ];
//! let (mut request, mut received) = ([0; 1024], [0; 1024]);
//! for (asked, status, body) in conversation {
//!     let mut out = Out::new(&mut request);
//!     let Output::Send(exchange) = client.poll(now, &mut out).unwrap() else { panic!("nothing to ask") };
//!     assert!(out.written().starts_with(asked.as_bytes()));
//!     // …here the driver sends what is written, and receives the answer.
//!     let mut answer = Out::new(&mut received);
//!     ResponseHead::new(&mut answer, status).finish_with_length(body.len()).unwrap();
//!     answer.put(body.as_bytes());
//!     let len = answer.finish().unwrap();
//!     let mut input = RecvBuf::new(&mut received, len);
//!     let mut parser = ResponseParser::new(exchange.call.method(), BodyUse::Keep);
//!     assert_eq!(parser.advance(&Limits::SMALL, &mut input), Ok(ResponseProgress::Complete));
//!     let response = parser.response(input.filled()).unwrap();
//!     client.handle(now, Input::Answer { id: exchange.id, response: &response }).unwrap();
//! }
//! assert_eq!(client.status(), Some(NewestStatus::Pending));
//! assert_eq!(client.job(job).unwrap().status, Status::Processing);
//! let Output::Sleep(Some(_)) = client.poll(now, &mut Out::new(&mut request)).unwrap() else { panic!("more to ask") };
//!
//! // The server tells it of the end.
//! let body = r#"{"type":"translation.completed","timestamp":"2026-11-24T09:00:00.000Z","data":
//!     {"id":"job_00000000000000000000000007","sequence":3,"status":"completed","progress":100,
//!      "video_url":"file:///7.mp4","target_language":"es","output_url":"file:///out/7.mp4",
//!      "created_at":"2026-11-24T08:59:00.000Z","updated_at":"2026-11-24T09:00:00.000Z"}}"#;
//! let mut memory = [0; 47];
//! let mut signature = Out::new(&mut memory);
//! let id = MessageId::new(b"evt_1").unwrap();
//! secret.signing_key().sign(id, 1_795_510_800, body.as_bytes()).write(&mut signature);
//! let mut out = Out::new(&mut received);
//! RequestHead::new(&mut out, Method::Post, "/webhook", "localhost:3120")
//!     .field("webhook-id", b"evt_1")
//!     .field("webhook-timestamp", b"1795510800")
//!     .field("webhook-signature", signature.written())
//!     .finish_with_length(body.len())
//!     .unwrap();
//! out.put(body.as_bytes());
//! let len = out.finish().unwrap();
//!
//! // It comes on a connection of the client's own, and is handed on before its answer is sent.
//! let mut conn = client.accept(now);
//! let (mut input, mut out) = (RecvBuf::new(&mut received, len), Out::new(&mut request));
//! let Drive::Answered { answer, update } = client.drive(now, &mut conn, &mut input, &mut out).unwrap() else { panic!() };
//! let Some(Update::Job(change)) = update else { panic!("it was news") };
//! assert!(change.job.output_url.unwrap() == "file:///out/7.mp4");
//! assert_eq!(answer.status(), 204);
//! assert!(out.written().starts_with(b"HTTP/1.1 204 No Content\r\n"));
//! assert_eq!(client.status(), Some(NewestStatus::Completed));
//! ```
//!
//! # What it does not do
//!
//! It follows no redirect, keeps nothing over its own restart, and sends one request at a time. If the
//! answer to a registration is lost, the server may know it twice; then each event comes twice, and the
//! second is a repeat.

mod answer;
mod call;
mod commands;
mod config;
mod index;
mod input;
mod jobs;
mod newest;
mod read;
mod receiver;
mod registration;
mod storage;
mod submission;
mod update;
mod webhook;

pub use call::{Call, Deadline, Exchange, ExchangeId, Output, PollError, Reason};
pub use config::{
    API_KEY_BYTES_MAX, Config, Pauses, Server, ServerError, Timings, WEBHOOK_URL_BYTES_MAX,
    Webhook, check_api_key,
};
pub use input::{Failure, HandleError, Input};
pub use jobs::JobState;
use jobs::Known;
pub use read::{List, read_event};
pub use receiver::{ANSWER_BYTES_MAX, Answer, Drive, Receiver};
pub use storage::{ClientMemory, ClientStorage, JOB_BYTES};
pub use submission::{CommandError, ListQuery};
pub use update::{Change, Source, Update};
use update::{Event, Problem, Translation};
pub use webhook::{Delivery, Outcome, Verdict, WebhookError, read_webhook};

use crate::{
    id::Id,
    model::NewestStatus,
    random::Random,
    signature::{SECRET_TEXT_BYTES_MAX, Secret, SigningKey},
    slab::Slot,
    time::{Clock, Instant},
};
use call::Retry;
use jobs::Jobs;
use newest::Newest;
use registration::Registration;
use submission::Submission;
use zeroize::Zeroize;

/// How often a client that closes tries to remove its registration.
const CLOSE_TRIES: u8 = 2;

/// The tables of a client, lent by a [`ClientStorage`] or a [`ClientMemory`].
#[derive(Debug)]
pub struct Tables<'a> {
    /// One for each job that is followed or remembered.
    jobs: &'a mut [Slot<Known>],
    /// Room for the JSON of one request for a translation; none for a client that makes none.
    submission: &'a mut [u8],
}

// Small enough for a device: a client, and what it knows of each job.
const _: () = assert!(size_of::<Client<'_>>() <= 1_200);
const _: () = assert!(size_of::<Slot<Known>>() <= 96);

/// A client of one server. See the [module](self) for how it works.
#[derive(Debug)]
pub struct Client<'a> {
    config: Config<'a>,
    /// What the server is asked to sign with.
    secret: Secret,
    /// What deliveries may be signed with, the newest first.
    keys: [Option<SigningKey>; 2],
    jobs: Jobs<'a>,
    newest: Newest,
    registration: Registration,
    /// How often in a row the server answered that it cannot register, and not before when it is asked again.
    unregistrable: (u8, Instant),
    submission: Submission<'a>,
    /// The job that is to be called off.
    canceling: Option<Id>,
    in_flight: Option<Exchange>,
    serial: u32,
    clock: Clock,
    retry: Retry,
    /// Once it is to end: how often it still tries to remove its registration.
    closing: Option<u8>,
    random: Random,
}

impl<'a> Client<'a> {
    /// A client that does nothing yet. `seed` is 32 bytes of entropy, fresh at every start.
    #[must_use]
    pub fn new(tables: Tables<'a>, config: Config<'a>, seed: [u8; 32]) -> Self {
        let mut random = Random::new(seed);
        let given = config.webhook.as_ref().and_then(|w| w.secret.clone());
        let secret = given.unwrap_or_else(|| Secret::from_random(random.bytes()));
        Self {
            config,
            keys: [Some(secret.signing_key()), None],
            secret,
            jobs: Jobs::new(tables.jobs, random.u64()),
            newest: Newest::default(),
            registration: Registration::Off,
            unregistrable: (0, Instant::ZERO),
            submission: Submission::new(tables.submission),
            canceling: None,
            in_flight: None,
            serial: 0,
            clock: Clock::NEW,
            retry: Retry::NONE,
            closing: None,
            random,
        }
    }

    /// How it is set up.
    #[must_use]
    pub const fn config(&self) -> &Config<'a> {
        &self.config
    }

    /// The newest job's status as `GET /status` tells it, kept up to date by events. `None` while
    /// nothing is known, or there is no job.
    #[must_use]
    pub const fn status(&self) -> Option<NewestStatus> {
        self.newest.status()
    }

    /// How far a job has come. `None` while nothing is known of it.
    #[must_use]
    pub fn job(&self, id: Id) -> Option<JobState> {
        self.jobs.get(self.jobs.find(id)?)?.state()
    }

    /// Whether the server knows whom to tell.
    #[must_use]
    pub const fn is_registered(&self) -> bool {
        matches!(self.registration, Registration::Held { .. })
    }

    /// Whether it has ended: its registration is removed, or was given up.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let registering = self.in_flight.is_some_and(|e| e.call == Call::Register);
        self.closing.is_some() && self.registration == Registration::Off && !registering
    }

    /// Whether translations call back, and no webhook is registered.
    fn is_called_back(&self) -> bool {
        self.config
            .webhook
            .as_ref()
            .is_some_and(|it| it.as_callback)
    }

    /// What deliveries of a job that calls back are signed with.
    fn callback_key(&self, job: &Translation<'_>) -> Option<SigningKey> {
        if !self.is_called_back() {
            return None;
        }
        let secret = job.callback_secret?;
        let mut memory = [0; SECRET_TEXT_BYTES_MAX];
        let text = secret.reveal().decode_into(&mut memory)?;
        let key = Secret::parse(text).ok()?.signing_key();
        memory.zeroize();
        Some(key)
    }
}

#[cfg(test)]
mod tests;
