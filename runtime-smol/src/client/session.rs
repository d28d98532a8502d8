//! Who waits for what: commands of the handles go into the machine, what it learns goes to those who
//! wait.

use super::{
    command::{Command, Followed, Reply},
    error::{Error, Refusal},
    model::{Event, Request, Translation, text},
    subscriptions::Subscriptions,
};
use dubhook_core::{
    client::{
        Call, Client, CommandError, Exchange, ExchangeId, Failure, Input, Output, PollError, Update,
    },
    http::Response,
    id::{Id, Prefix},
    json::Str,
    model::{NewTranslation, NewestStatus, Problem},
    out::Out,
    time::{Instant, Now},
};
use smol::channel::Sender;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Weak},
};

/// Somebody who waits for an answer of the server.
#[derive(Debug)]
struct Waiting<T> {
    reply: Reply<T>,
    /// When to give up, if the server does not answer.
    until: Instant,
}

/// What to do next about the server.
pub(super) enum Turn {
    /// Send a request of so many bytes.
    Send(Exchange, usize),
    /// Nothing, until something comes or it is this time.
    Wait(Option<Instant>),
    /// Nothing, ever again.
    End,
}

/// The machine, and those who wait for it.
#[derive(Debug)]
pub(super) struct Session<'m> {
    client: Client<'m>,
    subscriptions: Arc<Subscriptions>,
    /// Where followed jobs say that nobody holds them any more.
    commands: Sender<Command>,
    patience_ms: u64,
    registering: Vec<Waiting<()>>,
    asking: Vec<Waiting<Option<NewestStatus>>>,
    /// The first of them is with the machine.
    translating: VecDeque<(Request, Waiting<Arc<Followed>>)>,
    /// The first of them is with the machine.
    canceling: VecDeque<(Id, Waiting<Translation>)>,
    closing: Vec<Reply<()>>,
    jobs: HashMap<Id, Weak<Followed>>,
    /// What went wrong last on the way to the server, for people.
    trouble: String,
}

impl<'m> Session<'m> {
    pub(super) fn new(
        client: Client<'m>,
        subscriptions: Arc<Subscriptions>,
        commands: Sender<Command>,
        patience_ms: u64,
    ) -> Self {
        Self {
            client,
            subscriptions,
            commands,
            patience_ms,
            registering: Vec::new(),
            asking: Vec::new(),
            translating: VecDeque::new(),
            canceling: VecDeque::new(),
            closing: Vec::new(),
            jobs: HashMap::new(),
            trouble: String::new(),
        }
    }

    pub(super) const fn client(&self) -> &Client<'m> {
        &self.client
    }

    /// Who wants to hear of all.
    pub(super) const fn subscriptions(&self) -> &Arc<Subscriptions> {
        &self.subscriptions
    }

    /// For what comes in without a command: [`take`](Self::take) what it tells.
    pub(super) const fn client_mut(&mut self) -> &mut Client<'m> {
        &mut self.client
    }

    pub(super) fn command(&mut self, now: Now, command: Command) {
        match command {
            Command::Register(reply) if self.client.config().webhook.is_none() => {
                answer(&reply, Err(Error::NoWebhook));
            }
            Command::Register(reply) if self.client.is_registered() => answer(&reply, Ok(())),
            Command::Register(reply) => {
                self.registering.push(self.waiting(now, reply));
                self.client.start(now);
            }
            Command::Status(reply) => {
                self.asking.push(self.waiting(now, reply));
                self.client.ask_status(now);
            }
            Command::Translate(request, reply) => {
                let waiting = self.waiting(now, reply);
                self.translating.push_back((request, waiting));
                self.submit_next(now);
            }
            Command::Follow(id, reply) => {
                let followed = self.follow(now, id);
                answer(&reply, followed);
            }
            Command::Cancel(id, reply) => {
                let waiting = self.waiting(now, reply);
                self.canceling.push_back((id, waiting));
                self.cancel_next(now);
            }
            Command::Unfollow(id) => self.unfollow(id),
            Command::Close(reply) => {
                self.closing.push(reply);
                self.close(now);
            }
        }
    }

    /// What to do next about the server. A request that is to be sent is in `memory`.
    pub(super) fn poll(&mut self, now: Now, memory: &mut [u8]) -> Turn {
        loop {
            let mut out = Out::new(memory);
            match self.client.poll(now, &mut out) {
                Ok(Output::Send(exchange)) => return Turn::Send(exchange, out.len()),
                Ok(Output::Abandon { update, .. }) => {
                    "it took too long".clone_into(&mut self.trouble);
                    self.take(now, Some(update));
                }
                Ok(Output::Sleep(deadline)) => return Turn::Wait(deadline.map(|it| it.at)),
                Ok(Output::Closed) => return Turn::End,
                // The memory is made to fit the longest request there can be.
                Err(PollError::ShortOutput) => return Turn::Wait(None),
            }
        }
    }

    /// Gives the exchange up if its answer is overdue. Until when that is to be waited for; none where nobody waits for it.
    pub(super) fn patience(&mut self, now: Now, id: ExchangeId) -> Option<Instant> {
        let exchange = self.client.in_flight().copied()?;
        if exchange.id == id && exchange.deadline <= now.instant {
            // There is no other request while this one is not answered, and then a pause.
            self.poll(now, &mut []);
        }
        let exchange = self.client.in_flight()?;
        (exchange.id == id).then_some(exchange.deadline)
    }

    pub(super) fn respond(&mut self, now: Now, id: ExchangeId, response: &Response<'_>) {
        self.trouble = format!("it answered with status {}", response.status);
        self.handle(now, Input::Answer { id, response });
    }

    pub(super) fn fail(&mut self, now: Now, id: ExchangeId, failure: Failure, why: String) {
        self.trouble = why;
        self.handle(now, Input::Failure { id, failure });
    }

    fn handle(&mut self, now: Now, input: Input<'_, '_>) {
        // What comes after the exchange was given up is nothing any more.
        if let Ok(update) = self.client.handle(now, input) {
            self.take(now, update);
        }
    }

    /// Hands on what the machine has learned.
    pub(super) fn take(&mut self, now: Now, update: Option<Update<'_>>) {
        if let Some(event) = self.learn(now, update) {
            self.subscriptions.publish(&event, None);
        }
    }

    /// Hands on what the machine has learned, but for the event, if it is one: that is the caller's to
    /// [publish](Subscriptions::publish).
    pub(super) fn learn(&mut self, now: Now, update: Option<Update<'_>>) -> Option<Event> {
        let mut event = None;
        // Before anybody wakes up who might look.
        self.subscriptions.set_newest(self.client.status());
        match update {
            None | Some(Update::Test | Update::SwitchedOff | Update::RegistrationLost) => {}
            Some(Update::Job(change)) => {
                let told = Event::from(&change);
                self.post(change.job.id, Ok(told.translation.clone()));
                event = Some(told);
            }
            Some(Update::Current(job)) => self.post(job.id, Ok(job.map(text))),
            Some(Update::JobUnknown(id)) => {
                let name = id.text(Prefix::Job).as_str().to_owned();
                self.canceled(id, &Err(Error::JobUnknown(name.clone())));
                self.post(id, Err(Error::JobUnknown(name)));
            }
            Some(Update::Status(status)) => {
                for waiting in self.asking.drain(..) {
                    answer(&waiting.reply, Ok(status));
                }
            }
            Some(Update::Submitted(job)) => {
                let followed = self.followed(job.id);
                followed.post(Ok(job.map(text)));
                self.submitted(Ok(followed));
            }
            Some(Update::Registered(_)) => {
                for waiting in self.registering.drain(..) {
                    answer(&waiting.reply, Ok(()));
                }
            }
            Some(Update::Canceled(job)) => {
                let told = Ok(job.map(text));
                self.canceled(job.id, &told);
                self.post(job.id, told);
            }
            Some(Update::Unregistered | Update::List(_)) => {}
            Some(Update::Delayed { until, .. }) => self.give_up(until),
            Some(Update::Refused {
                call,
                status,
                problem,
            }) => self.refused(call, Error::Refused(refusal(status, &problem))),
        }
        self.submit_next(now);
        self.cancel_next(now);
        if self.client.is_closed() {
            self.say_closed();
        }
        event
    }

    fn waiting<T>(&self, now: Now, reply: Reply<T>) -> Waiting<T> {
        Waiting {
            reply,
            until: now.instant.after_ms(self.patience_ms),
        }
    }

    /// Gives the first translation that somebody still waits for to the machine, unless it has one.
    fn submit_next(&mut self, now: Now) {
        while let Some((request, waiting)) = self.translating.front() {
            let new = NewTranslation {
                video_url: request.video_url.as_str(),
                target_language: request.target_language.as_str(),
                source_language: request.source_language.as_deref(),
                reference: request.reference.as_deref(),
                callback_url: request.callback_url.as_deref(),
            };
            let submitted = if waiting.reply.is_closed() {
                Err(CommandError::Closed)
            } else {
                self.client.submit(now, &new)
            };
            let error = match submitted {
                Ok(()) | Err(CommandError::Busy) => return,
                Err(CommandError::NoRoom) => Error::Full,
                Err(CommandError::TooLong) => Error::TooLong,
                Err(CommandError::Cursor | CommandError::Closed) => Error::Closed,
            };
            self.submitted(Err(error));
        }
    }

    /// Gives the first job that is to be called off to the machine, unless it has one.
    fn cancel_next(&mut self, now: Now) {
        while let Some((id, waiting)) = self.canceling.front() {
            match self.client.cancel(now, *id) {
                Err(CommandError::Closed) => answer(&waiting.reply, Err(Error::Closed)),
                // It has this one, or the one before.
                _ => return,
            }
            self.canceling.pop_front();
        }
    }

    /// A job that was to be called off has its answer.
    fn canceled(&mut self, id: Id, told: &Result<Translation, Error>) {
        self.canceling.retain(|(job, waiting)| {
            if *job == id {
                answer(&waiting.reply, told.clone());
            }
            *job != id
        });
    }

    /// The first translation has its answer.
    fn submitted(&mut self, result: Result<Arc<Followed>, Error>) {
        if let Some((_, waiting)) = self.translating.pop_front() {
            answer(&waiting.reply, result);
        }
    }

    fn follow(&mut self, now: Now, id: Id) -> Result<Arc<Followed>, Error> {
        if self.client.is_closed() {
            return Err(Error::Closed);
        }
        if let Some(job) = self.jobs.get(&id).and_then(Weak::upgrade) {
            return Ok(job);
        }
        self.client.follow(now, id).map_err(|error| match error {
            CommandError::Closed => Error::Closed,
            _ => Error::Full,
        })?;
        Ok(self.followed(id))
    }

    fn unfollow(&mut self, id: Id) {
        // Somebody may have asked for the job again meanwhile.
        let is_held = self.jobs.get(&id).is_some_and(|job| job.strong_count() > 0);
        if !is_held {
            self.jobs.remove(&id);
            self.client.unfollow(id);
        }
    }

    fn followed(&mut self, id: Id) -> Arc<Followed> {
        if let Some(job) = self.jobs.get(&id).and_then(Weak::upgrade) {
            return job;
        }
        let job = Arc::new(Followed::new(id, self.commands.clone()));
        self.jobs.insert(id, Arc::downgrade(&job));
        job
    }

    fn post(&self, id: Id, told: Result<Translation, Error>) {
        if let Some(job) = self.jobs.get(&id).and_then(Weak::upgrade) {
            job.post(told);
        }
    }

    /// The server does not answer, and will not be asked again before `until`.
    fn give_up(&mut self, until: Instant) {
        let server = &self.client.config().server;
        let scheme = server.url().scheme().as_str();
        let error = Error::NoAnswer {
            server: format!("{scheme}://{}", server.authority()),
            why: self.trouble.clone(),
        };
        refuse_late(&mut self.registering, until, &error);
        refuse_late(&mut self.asking, until, &error);
        let first = self.translating.front();
        if first.is_some_and(|(_, waiting)| waiting.is_late(until)) {
            self.client.withdraw();
        }
        self.canceling.retain(|(_, waiting)| {
            let is_late = waiting.is_late(until);
            if is_late {
                answer(&waiting.reply, Err(error.clone()));
            }
            !is_late
        });
        self.translating.retain(|(_, waiting)| {
            let is_late = waiting.is_late(until);
            if is_late {
                answer(&waiting.reply, Err(error.clone()));
            }
            !is_late
        });
    }

    fn refused(&mut self, call: Call, error: Error) {
        match call {
            Call::Register => {
                for waiting in self.registering.drain(..) {
                    answer(&waiting.reply, Err(error.clone()));
                }
            }
            Call::Status => {
                for waiting in self.asking.drain(..) {
                    answer(&waiting.reply, Err(error.clone()));
                }
            }
            Call::Translate => self.submitted(Err(error)),
            Call::Job(id) => self.post(id, Err(error)),
            Call::Cancel(id) => self.canceled(id, &Err(error)),
            Call::Check(_) | Call::Unregister(_) | Call::List => {}
        }
    }

    fn close(&mut self, now: Now) {
        // What only asks is dropped, so that nobody waits for it; a registration must be known to be removed.
        let asks = self.client.in_flight().copied();
        let asks = asks.filter(|e| !matches!(e.call, Call::Register | Call::Unregister(_)));
        if let Some(exchange) = asks {
            let input = Input::Failure {
                id: exchange.id,
                failure: Failure::Broken,
            };
            let _ = self.client.handle(now, input);
        }
        self.client.close();
        if self.client.is_closed() {
            self.say_closed();
        }
    }

    /// Nobody is left waiting.
    fn say_closed(&mut self) {
        for waiting in self.registering.drain(..) {
            answer(&waiting.reply, Err(Error::Closed));
        }
        for waiting in self.asking.drain(..) {
            answer(&waiting.reply, Err(Error::Closed));
        }
        for (_, waiting) in self.translating.drain(..) {
            answer(&waiting.reply, Err(Error::Closed));
        }
        for (_, waiting) in self.canceling.drain(..) {
            answer(&waiting.reply, Err(Error::Closed));
        }
        for (_, job) in self.jobs.drain() {
            if let Some(job) = job.upgrade() {
                job.post(Err(Error::Closed));
            }
        }
        self.subscriptions.close();
        for reply in self.closing.drain(..) {
            answer(&reply, Ok(()));
        }
    }
}

impl<T> Waiting<T> {
    /// Whether waiting until then is more than whoever waits wants, or nobody waits.
    fn is_late(&self, until: Instant) -> bool {
        self.until < until || self.reply.is_closed()
    }
}

fn refuse_late<T>(all: &mut Vec<Waiting<T>>, until: Instant, error: &Error) {
    all.retain(|waiting| {
        let is_late = waiting.is_late(until);
        if is_late {
            answer(&waiting.reply, Err(error.clone()));
        }
        !is_late
    });
}

/// Answers, if anybody still waits for it.
fn answer<T>(reply: &Reply<T>, result: Result<T, Error>) {
    let _ = reply.try_send(result);
}

fn refusal(status: u16, problem: &Problem<Str<'_>>) -> Refusal {
    let owned = |part: Option<_>| part.map(text).unwrap_or_default();
    Refusal {
        status,
        code: owned(problem.code),
        detail: owned(problem.detail),
        field: owned(problem.field),
    }
}
