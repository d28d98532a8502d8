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
//! use dubhook_core::client::{Client, ClientStorage, Config, Input, Output, Server, Update, Webhook};
//! use dubhook_core::http::{
//!     BodyUse, Limits, RecvBuf, Request, RequestParser, Response, ResponseParser,
//! };
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
//!     ("POST /v1/webhooks", "201 Created", r#"{"id":"ep_00000000000000000000000001","enabled":true}"#),
//!     ("GET /status", "200 OK", r#"{"status":"pending"}"#),
//!     (
//!         "GET /v1/translations/job_00000000000000000000000007",
//!         "200 OK",
//!         r#"{"id":"job_00000000000000000000000007","sequence":2,"status":"processing","progress":0,
//!             "video_url":"file:///7.mp4","target_language":"es",
//!             "created_at":"2026-11-24T08:59:00.000Z","updated_at":"2026-11-24T08:59:30.000Z"}"#,
//!     ),
//! ];
//! for (request, status, body) in conversation {
//!     let mut memory = [0; 1024];
//!     let mut out = Out::new(&mut memory);
//!     let Output::Send(exchange) = client.poll(now, &mut out).unwrap() else { panic!("nothing to ask") };
//!     assert!(out.written().starts_with(request.as_bytes()));
//!     // …here the driver sends what is written, and receives the answer.
//!     let mut answer =
//!         format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes();
//!     let len = answer.len();
//!     let mut input = RecvBuf::new(&mut answer, len);
//!     let mut parser = ResponseParser::new(exchange.call.method(), BodyUse::Keep);
//!     let _ = parser.advance(&Limits::SMALL, &mut input).unwrap();
//!     let response = parser.response(input.filled()).unwrap();
//!     client.handle(now, Input::Answer { id: exchange.id, response: &response }).unwrap();
//! }
//! assert_eq!(client.status(), Some(NewestStatus::Pending));
//! assert_eq!(client.job(job).unwrap().status, Status::Processing);
//! let mut memory = [0; 1024];
//! let Output::Sleep(Some(_)) = client.poll(now, &mut Out::new(&mut memory)).unwrap() else { panic!("more to ask") };
//!
//! // The server tells it of the end.
//! let body = r#"{"type":"translation.completed","timestamp":"2026-11-24T09:00:00.000Z","data":
//!     {"id":"job_00000000000000000000000007","sequence":3,"status":"completed","progress":100,
//!      "video_url":"file:///7.mp4","target_language":"es","output_url":"file:///out/7.mp4",
//!      "created_at":"2026-11-24T08:59:00.000Z","updated_at":"2026-11-24T09:00:00.000Z"}}"#;
//! let id = MessageId::new(b"evt_1").unwrap();
//! let mut memory = [0; 47];
//! let mut signature = Out::new(&mut memory);
//! secret.signing_key().sign(id, 1_795_510_800, body.as_bytes()).write(&mut signature);
//! let mut request = format!(
//!     "POST /webhook HTTP/1.1\r\nhost: localhost:3120\r\nwebhook-id: evt_1\r\n\
//!      webhook-timestamp: 1795510800\r\nwebhook-signature: {}\r\ncontent-length: {}\r\n\r\n{body}",
//!     str::from_utf8(signature.written()).unwrap(),
//!     body.len(),
//! )
//! .into_bytes();
//! let len = request.len();
//! let mut input = RecvBuf::new(&mut request, len);
//! let mut parser = RequestParser::new();
//! let _ = parser.advance(&Limits::SMALL, &mut input).unwrap();
//! let verdict = client.handle_webhook(now, &parser.request(input.filled()).unwrap());
//! assert_eq!(verdict.outcome.status(), 204);
//! let Some(Update::Job(change)) = verdict.update else { panic!("it was news") };
//! assert!(change.job.output_url.unwrap() == "file:///out/7.mp4");
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
mod config;
mod index;
mod jobs;
mod newest;
mod read;
mod receiver;
mod registration;
mod storage;
mod submission;
mod webhook;

pub use answer::{Failure, HandleError, Input};
pub use call::{Call, Deadline, Exchange, ExchangeId, Output, PollError, Reason};
pub use config::{
    API_KEY_BYTES_MAX, Config, Pauses, Server, ServerError, Timings, WEBHOOK_URL_BYTES_MAX,
    Webhook, check_api_key,
};
pub use jobs::JobState;
use jobs::Known;
pub use read::{List, read_event};
pub use receiver::{ANSWER_BYTES_MAX, Answer, Drive, Receiver};
pub use storage::{ClientMemory, ClientStorage, JOB_BYTES};
pub use submission::{CommandError, ListQuery};
pub use webhook::{Delivery, Outcome, Verdict, WebhookError, read_webhook};

use crate::{
    event::Kind,
    id::Id,
    json::Str,
    model::{self, NewTranslation, NewestStatus},
    random::Random,
    signature::{SECRET_TEXT_BYTES_MAX, Secret, SigningKey},
    slab::Slot,
    time::{Instant, Now},
};
use call::Retry;
use jobs::Jobs;
use newest::Newest;
use registration::{Registration, Trigger};
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

/// An event as it stands in the body of its webhook.
type Event<'b> = model::Event<Str<'b>>;
/// A translation as it stands in the answer or the webhook that told of it.
type Translation<'b> = model::Translation<Str<'b>>;
/// What the server says is wrong, as it stands in its answer.
type Problem<'b> = model::Problem<Str<'b>>;

/// What the client has learned.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Update<'b> {
    /// Something happened to a job.
    Job(Change<'b>),
    /// How a job is that was just followed: nothing that was not known already.
    Current(model::Translation<Str<'b>>),
    /// The server does not know this job, or knows it no longer. It is not followed any more.
    JobUnknown(Id),
    /// The answer to `GET /status` came: the newest job's status, `None` where there is no job yet.
    Status(Option<NewestStatus>),
    /// The translation that was submitted is a job now, and followed. Where it names a `callback_url`, this alone shows the
    /// secret that deliveries there are signed with.
    Submitted(model::Translation<Str<'b>>),
    /// The job that was to be called off is.
    Canceled(model::Translation<Str<'b>>),
    /// The page of the list that was asked for.
    List(List<'b>),
    /// The server knows whom to tell. This is its name for the webhook.
    Registered(Id),
    /// The server has forgotten the registration. It is made again.
    RegistrationLost,
    /// Somebody has switched the webhook off at the server. The client asks instead.
    SwitchedOff,
    /// The registration is removed, on the way to the client's end.
    Unregistered,
    /// Somebody tests the webhook, and it works.
    Test,
    /// A request failed and will be sent again.
    Delayed {
        /// Which.
        call: Call,
        /// Why.
        failure: Failure,
        /// When.
        until: Instant,
    },
    /// The server refused a request, and would again. A registration then waits for
    /// [`start`](Client::start), and a translation is given up.
    Refused {
        /// Which.
        call: Call,
        /// The answer's status.
        status: u16,
        /// What the server says.
        problem: model::Problem<Str<'b>>,
    },
}

/// Something that happened to a job.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Change<'b> {
    /// What.
    pub kind: Kind,
    /// The job after it.
    pub job: model::Translation<Str<'b>>,
    /// How the client learned of it.
    pub source: Source,
}

/// How the client learned something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Source {
    /// It was told by webhook.
    Told,
    /// It had asked.
    Asked,
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

    /// Begins: registers the webhook if there is one, then asks for the newest status and about every
    /// followed job. Later it begins again where the server had refused.
    pub fn start(&mut self, now: Now) {
        if self.closing.is_some() {
            return;
        }
        if self.config.webhook.is_some() && !self.is_called_back() {
            self.step(Trigger::Start);
            self.unregistrable = (0, Instant::ZERO);
        }
        if self.registration != Registration::Wanted {
            self.ask_everything(now.instant);
        }
        self.hurry(now.instant);
    }

    /// Asks for the newest status, as soon as may be.
    pub fn ask_status(&mut self, now: Now) {
        self.newest.want(now.instant);
        self.hurry(now.instant);
    }

    /// Follows a job, and asks about it as soon as may be: [`Update::Job`] or [`Update::Current`] tells
    /// how it is.
    ///
    /// # Errors
    ///
    /// [`CommandError::NoRoom`] and [`CommandError::Closed`].
    pub fn follow(&mut self, now: Now, id: Id) -> Result<(), CommandError> {
        if self.closing.is_some() {
            return Err(CommandError::Closed);
        }
        let found = self.jobs.find(id).and_then(|ix| self.jobs.get(ix));
        let is_followed = found.is_some_and(Known::is_followed);
        // The job that is being submitted has its slot already.
        let kept = usize::from(self.submission.is_translation());
        if !is_followed && self.jobs.room() <= kept {
            return Err(CommandError::NoRoom);
        }
        let ix = self.jobs.follow(id).ok_or(CommandError::NoRoom)?;
        self.jobs.want(ix);
        self.hurry(now.instant);
        Ok(())
    }

    /// Follows a job no longer, and makes room for another one.
    pub fn unfollow(&mut self, id: Id) {
        if let Some(ix) = self.jobs.find(id) {
            self.jobs.unfollow(ix);
        }
    }

    /// Asks for a translation. [`Update::Submitted`] tells its job, which is followed from then on, or
    /// [`Update::Refused`] why there is none.
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub fn submit(&mut self, now: Now, new: &NewTranslation<&str>) -> Result<(), CommandError> {
        self.check_free()?;
        if self.jobs.room() == 0 {
            return Err(CommandError::NoRoom);
        }
        match &self.config.webhook {
            Some(webhook) if webhook.as_callback && new.callback_url.is_none() => {
                webhook.with_url(|url| {
                    let new = NewTranslation {
                        callback_url: Some(url),
                        ..*new
                    };
                    self.submission.translate(&new, &mut self.random)
                })?;
            }
            _ => self.submission.translate(new, &mut self.random)?,
        }
        self.hurry(now.instant);
        Ok(())
    }

    /// Asks for a page of the list of translations. [`Update::List`] has it, or [`Update::Refused`] tells why not. It shares its
    /// memory with translations that are submitted: there is one of the two at a time.
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub fn list(&mut self, now: Now, query: &ListQuery<'_>) -> Result<(), CommandError> {
        self.check_free()?;
        self.submission.list(query)?;
        self.hurry(now.instant);
        Ok(())
    }

    /// Asks for the translation, or the page, no longer. If the server has the request already, there may be a job
    /// all the same.
    pub const fn withdraw(&mut self) {
        self.submission.end();
    }

    /// Calls a job off, whether it is followed or not. [`Update::Canceled`] tells when it is; [`Update::Refused`] that it had
    /// ended before, or why it goes on.
    ///
    /// # Errors
    ///
    /// [`CommandError::Busy`] while another one is to be called off, and [`CommandError::Closed`].
    pub fn cancel(&mut self, now: Now, id: Id) -> Result<(), CommandError> {
        if self.closing.is_some() {
            return Err(CommandError::Closed);
        }
        if self.canceling.is_some_and(|other| other != id) {
            return Err(CommandError::Busy);
        }
        self.canceling = Some(id);
        self.hurry(now.instant);
        Ok(())
    }

    /// Whether the memory for a request's text is free.
    fn check_free(&self) -> Result<(), CommandError> {
        let text = |e: &Exchange| matches!(e.call, Call::Translate | Call::List);
        let under_way = self.in_flight.as_ref().is_some_and(text);
        if self.closing.is_some() {
            Err(CommandError::Closed)
        } else if under_way || self.submission.call().is_some() {
            Err(CommandError::Busy)
        } else {
            Ok(())
        }
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

    /// Accepts signatures by another key as well, for the time in which the server's secret is
    /// rotated. The key before the last is dropped.
    pub fn add_key(&mut self, key: SigningKey) {
        let [newest, older] = &mut self.keys;
        *older = newest.replace(key);
    }

    /// Wants to be told no longer: the registration is removed, and nothing else is asked.
    /// [`is_closed`](Self::is_closed) tells when that is done.
    pub fn close(&mut self) {
        if self.closing.is_none() {
            self.closing = Some(CLOSE_TRIES);
            self.step(Trigger::Close);
            self.retry = Retry::NONE;
        }
    }

    /// Cuts a pause short: somebody waits for an answer. Not one that the server asked for.
    fn hurry(&mut self, now: Instant) {
        if !self.retry.asked_for {
            self.retry.not_before = self.retry.not_before.min(now);
        }
    }
}

#[cfg(test)]
mod tests;
