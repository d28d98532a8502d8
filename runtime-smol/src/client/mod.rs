//! A client: it is told what happens to translations, and hands that on.
//!
//! ```no_run
//! use dubhook_smol::client::{Client, Request};
//!
//! # fn main() -> Result<(), dubhook_smol::client::Error> {
//! smol::block_on(async {
//!     let client = Client::new("http://127.0.0.1:8000").webhook("localhost", 3120);
//!     client.register_webhook().await?;
//!     let job = client.translate(Request::new("https://example.com/talk.mp4").to("es")).await?;
//!     let done = job.wait().await?;
//!     println!("{}: {:?}", done.status.as_str(), done.output_url);
//!     client.close().await
//! })
//! # }
//! ```
//!
//! # Theory of operation
//!
//! Everything that decides anything is the core's client machine
//! ([`dubhook_core::client`]): it registers, verifies, drops repeats, keeps the order, asks when it was
//! not told, and comes back after the server was away. Here its bytes are moved. The first call starts a
//! task in the background of smol's global executor, and every handle (a [`Client`] and its clones, a
//! [`JobHandle`], an [`Events`] stream) talks to that task; they may be used from any thread and under any
//! executor. The task ends, and removes its registration, when it is [closed](Client::close) or the last
//! handle is gone.
//!
//! ```text
//!   Client  JobHandle  Events    handles
//!      │ Command  ▲ Followed, Subscriptions
//!   ┌──▼──────────┴─┐
//!   │    Session    │            who waits for what; the machine
//!   └─▲───────────▲─┘
//!    Link      receive           to the server; from the server
//! ```
//!
//! Without a webhook all of it works too; the client then asks, after pauses that grow to 10 s.

mod command;
mod driver;
mod error;
mod events;
mod job;
mod lock;
mod model;
mod options;
mod receive;
mod session;
mod subscriptions;
mod task;
mod turns;

pub use dubhook_core::{
    client::{Pauses, Timings},
    event::{Filter, Kind},
    job::Status,
    model::NewestStatus,
};
pub use error::{Error, Refusal};
pub use events::Events;
pub use job::JobHandle;
pub use model::{Delivery, Event, Request, Translation};
pub use turns::{Arrival, HandOn, Taken};

use crate::hidden::Hidden;
use command::{Command, Reply};
use dubhook_core::{
    id::{Id, Prefix},
    signature::Secret,
};
use options::Options;
use smol::lock::OnceCell;
use std::{path::PathBuf, sync::Arc, time::Duration};
use subscriptions::Subscriptions;
use task::Running;

/// A client of one server. See the [module](self) for how it works.
///
/// It is set up first; the first call that needs the server starts it, and what is set after that has no
/// effect. Clones share what was started.
#[derive(Debug, Clone)]
pub struct Client {
    options: Options,
    subscriptions: Arc<Subscriptions>,
    running: Arc<OnceCell<Arc<Running>>>,
}

/// Setting up.
impl Client {
    /// A client of the server at this URL: `http://127.0.0.1:8000`, or `https` and the name in its certificate.
    #[must_use]
    pub fn new(server: impl Into<String>) -> Self {
        Self {
            options: Options::new(server.into()),
            subscriptions: Arc::default(),
            running: Arc::default(),
        }
    }

    /// Be told at `http://HOST:PORT/webhook`, and listen there. Port 0 takes one that is free.
    ///
    /// The server must be able to reach the host by this name.
    #[must_use]
    pub fn webhook(mut self, host: impl Into<String>, port: u16) -> Self {
        self.options.webhook = Some((options::in_url(host.into()), port));
        self
    }

    /// Listen at this address and port, where the webhook's host is none of this machine's: behind a
    /// forwarder, or to take connections on every address (`0.0.0.0`).
    #[must_use]
    pub fn webhook_listen(mut self, address: impl Into<String>, port: u16) -> Self {
        self.options.listen = Some((address.into(), port));
        self
    }

    /// Be told these events only.
    #[must_use]
    pub const fn webhook_events(mut self, events: Filter) -> Self {
        self.options.events = events;
        self
    }

    /// Have the server sign with this secret, which somebody to whom events are handed on may know too; one is made up
    /// where not said.
    #[must_use]
    pub fn webhook_secret(mut self, secret: Secret) -> Self {
        self.options.secret = Some(secret);
        self
    }

    /// What people see in the server's list of webhooks.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.options.description = description.into();
        self
    }

    /// Another server with the same records: it is asked when the one that was asked before does not answer or stands by. May be
    /// called more than once.
    #[must_use]
    pub fn another_server(mut self, url: impl Into<String>) -> Self {
        self.options.more_servers.push(url.into());
        self
    }

    /// The key that the server wants.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.options.api_key = Some(Hidden(key.into()));
        self
    }

    /// Believes the certificates in this PEM file, besides those that the platform believes, where the server is
    /// `https`.
    #[must_use]
    pub fn ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.options.ca_files.push(file.into());
        self
    }

    /// How many jobs may be followed at once; 4,096 where not set. As many others are remembered as
    /// there is room left for, so that a repeat of an event is known as one.
    #[must_use]
    pub fn capacity(mut self, jobs: usize) -> Self {
        self.options.capacity = jobs.max(1);
        self
    }

    /// How long a call waits for a server that does not answer before it fails; 10 s where not set. With
    /// zero the first failure is the last.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.options.patience = patience;
        self
    }

    /// How long to wait for what.
    #[must_use]
    pub const fn timings(mut self, timings: Timings) -> Self {
        self.options.timings = timings;
        self
    }
}

/// Calls.
impl Client {
    /// Listens, registers the webhook, and has the client ask for the state of all that it follows, so
    /// that nothing that happened before is missed. Returns once the server knows whom to tell.
    ///
    /// From then on the registration is kept: also a server that was started anew is told again.
    ///
    /// # Errors
    ///
    /// [`Error::NoWebhook`], [`Error::Listen`], [`Error::NoAnswer`], [`Error::Refused`], and the others
    /// that name what was set wrong.
    pub async fn register_webhook(&self) -> Result<(), Error> {
        self.call(Command::Register).await
    }

    /// The URL at which the client is told, once it has started.
    #[must_use]
    pub fn webhook_url(&self) -> Option<&str> {
        self.running.get()?.webhook_url.as_deref()
    }

    /// Asks the server how the newest job is, `None` where there is no job yet.
    ///
    /// # Errors
    ///
    /// [`Error::NoAnswer`] and [`Error::Refused`], and the others that name what was set wrong.
    pub async fn status(&self) -> Result<Option<NewestStatus>, Error> {
        self.call(Command::Status).await
    }

    /// How the newest job is, as far as the client knows, without asking anybody. Events keep it up to
    /// date.
    #[must_use]
    pub fn known_status(&self) -> Option<NewestStatus> {
        self.subscriptions.newest()
    }

    /// Asks for a translation. It is submitted once, however often its request has to be sent.
    ///
    /// # Errors
    ///
    /// [`Error::NoAnswer`], [`Error::Refused`], [`Error::Full`], and the others that name what was set
    /// wrong.
    pub async fn translate(&self, request: Request) -> Result<JobHandle, Error> {
        let job = self
            .call(|reply| Command::Translate(request, reply))
            .await?;
        Ok(JobHandle::new(job, self.start().await?))
    }

    /// Follows a job that somebody has submitted.
    ///
    /// # Errors
    ///
    /// [`Error::JobId`], [`Error::Full`], and the others that name what was set wrong. That the server
    /// does not know the job shows when it is waited for.
    pub async fn follow(&self, id: &str) -> Result<JobHandle, Error> {
        let parsed = Id::parse(Prefix::Job, id).ok_or_else(|| Error::JobId(id.to_owned()))?;
        let job = self.call(|reply| Command::Follow(parsed, reply)).await?;
        Ok(JobHandle::new(job, self.start().await?))
    }

    /// What happens from now on to every translation that the client is told of.
    #[must_use]
    pub fn events(&self) -> Events {
        let (events, subscriber) = Events::new(self.running.get().cloned());
        self.subscriptions.subscribe(subscriber);
        events
    }

    /// What comes from now on, for whoever hands it on: one webhook at a time, each of which is answered when it is
    /// [done](Taken::done), or after 13 s. Those that wait for their turn longer than the server would wait are
    /// answered 503, and come again; so does one that is dropped before it is done. Whoever hands on first hears nothing
    /// more when somebody else begins to.
    #[must_use]
    pub fn hand_on(&self) -> HandOn {
        self.subscriptions.turns.hand_on()
    }

    /// Removes the registration and ends the client. Handles of jobs get [`Error::Closed`].
    ///
    /// # Errors
    ///
    /// None at present: a server that does not answer is left alone after two tries.
    pub async fn close(&self) -> Result<(), Error> {
        match self.running.get() {
            None => Ok(()),
            Some(running) => match running.ask(Command::Close).await {
                // It had ended already.
                Err(Error::Closed) => Ok(()),
                result => result,
            },
        }
    }

    async fn start(&self) -> Result<Arc<Running>, Error> {
        let start = async || {
            let running =
                task::start(self.options.clone(), Arc::clone(&self.subscriptions)).await?;
            Ok(Arc::new(running))
        };
        self.running.get_or_try_init(start).await.cloned()
    }

    async fn call<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Error> {
        let running = self.start().await?;
        running.ask(command).await
    }
}
