//! What comes back: what each answer means, and what a failure means.

use super::{
    Call, Change, Client, Failure, HandleError, Input, List, Registration, Source, Translation,
    Update,
    jobs::JobState,
    read::{Registered, read_problem, read_status},
    registration::{Trigger, step},
};
use crate::{
    endpoint::Disabled,
    event::Kind,
    http::{Response, retry_after},
    id::Id,
    job::Status,
    json::ReadError,
    model::record,
    note::note,
    slab::Ix,
    time::{Instant, Now},
};

/// The longest pause that a server can ask for, in milliseconds: an hour.
const RETRY_AFTER_MS_MAX: u64 = 60 * 60 * 1_000;
/// What an answer tells, unless it makes no sense.
type Answer<'b> = Result<Option<Update<'b>>, Unreadable>;

struct Unreadable;

impl From<ReadError> for Unreadable {
    fn from(_: ReadError) -> Self {
        Self
    }
}

impl Client<'_> {
    /// Takes something that has happened in the world, and returns what it tells.
    ///
    /// # Errors
    ///
    /// [`HandleError`], and nothing has changed.
    pub fn handle<'b>(
        &mut self,
        now: Now,
        input: Input<'_, 'b>,
    ) -> Result<Option<Update<'b>>, HandleError> {
        self.clock.check(now);
        let (Input::Answer { id, .. } | Input::Failure { id, .. }) = input;
        let exchange = self.in_flight.take_if(|exchange| exchange.id == id);
        let call = exchange.ok_or(HandleError::Exchange)?.call;
        Ok(match input {
            Input::Answer { response, .. } => self.take_answer(now, call, response),
            Input::Failure { failure, .. } => Some(self.fail(now, call, failure, None)),
        })
    }

    fn take_answer<'b>(
        &mut self,
        now: Now,
        call: Call,
        response: &Response<'b>,
    ) -> Option<Update<'b>> {
        if matches!(response.status, 408 | 425 | 429 | 500..=599) {
            let hint = response.fields.get("retry-after");
            let hint_ms = hint.and_then(|value| retry_after(value, now.timestamp));
            return Some(self.fail(now, call, Failure::Status(response.status), hint_ms));
        }
        // Each is a call of its own, for the stack it takes.
        let answer = match call {
            Call::Register => self.take_registered(now, response),
            Call::Unregister(_) => Ok(self.take_unregistered()),
            Call::Check(_) => self.take_checked(now, response),
            Call::Status => self.take_status(now, response),
            Call::Translate => self.take_submitted(now, response),
            Call::Job(id) => self.take_job(now, id, response),
            Call::Cancel(id) => self.take_canceled(now, id, response),
            Call::List => self.take_list(response),
        };
        match answer {
            Ok(update) => {
                self.succeed(now.instant, call);
                update
            }
            Err(Unreadable) => Some(self.fail(now, call, Failure::Unreadable, None)),
        }
    }

    /// The server answered as servers should.
    fn succeed(&mut self, now: Instant, call: Call) {
        let was_away = self.retry.failures > 0;
        self.retry = super::Retry::NONE;
        // It may have been started anew meanwhile, and know nothing of the registration.
        if was_away && !matches!(call, Call::Register | Call::Check(_)) {
            self.suspect(now);
        }
    }

    /// The client was not told what it should have been told, or the server was away: is the
    /// registration still there?
    fn suspect(&mut self, now: Instant) {
        self.step(Trigger::Checked { check_at: now });
    }

    /// The call has to be made again.
    pub(super) fn fail(
        &mut self,
        now: Now,
        call: Call,
        failure: Failure,
        hint_ms: Option<u64>,
    ) -> Update<'static> {
        let pauses = self.config.timings.retry;
        let own_ms = pauses.pause_ms(self.retry.failures, &mut self.random);
        let hint_ms = hint_ms.unwrap_or(0).min(RETRY_AFTER_MS_MAX);
        let until = now.instant.after_ms(own_ms.max(hint_ms));
        self.retry = super::Retry {
            failures: self.retry.failures.saturating_add(1),
            not_before: until,
            asked_for: hint_ms > own_ms,
        };
        note!(warn, "request delayed: {:?}, {:?}", call, failure);
        match call {
            Call::Status => self.newest.want(until),
            Call::Job(id) => {
                if let Some(ix) = self.jobs.find(id) {
                    self.jobs.ask_now(ix);
                }
            }
            Call::Translate => self.submission.may_lag = true,
            Call::Unregister(_) => self.give_up_unregistering(),
            Call::Register => {
                if let Failure::Status(_) = failure {
                    self.put_off_registering(now.instant, until);
                }
            }
            Call::Check(_) | Call::Cancel(_) | Call::List => {}
        }
        Update::Delayed {
            call,
            failure,
            until,
        }
    }

    /// The server is there and cannot register: other calls go first, for a pause of their own that grows. Until it can,
    /// asking is the only way to know.
    fn put_off_registering(&mut self, now: Instant, until: Instant) {
        let (failures, _) = self.unregistrable;
        let pause_ms = self
            .config
            .timings
            .retry
            .pause_ms(failures, &mut self.random);
        self.unregistrable = (failures.saturating_add(1), until.after_ms(pause_ms));
        if failures == 0 {
            self.ask_everything(now);
        }
    }

    /// Who closes does not wait for ever for a server that does not answer.
    fn give_up_unregistering(&mut self) {
        if let Some(tries) = &mut self.closing {
            *tries = tries.saturating_sub(1);
            if *tries == 0 {
                self.step(Trigger::Removed);
            }
        }
    }

    #[inline(never)]
    fn take_registered<'b>(&mut self, now: Now, response: &Response<'b>) -> Answer<'b> {
        if !matches!(response.status, 200 | 201) {
            self.step(Trigger::Refused);
            self.ask_everything(now.instant);
            return Ok(Some(refused(Call::Register, response)));
        }
        let endpoint = record::from_slice::<Registered<'_>>(response.body)?.id;
        self.unregistrable = (0, Instant::ZERO);
        let check_at = self.next_check(now.instant);
        self.step(Trigger::Registered { endpoint, check_at });
        if self.closing.is_some() {
            return Ok(None);
        }
        // Whatever happened before the server knew whom to tell.
        self.ask_everything(now.instant);
        Ok(Some(Update::Registered(endpoint)))
    }

    fn take_unregistered(&mut self) -> Option<Update<'static>> {
        self.step(Trigger::Removed);
        self.closing.map(|_| Update::Unregistered)
    }

    #[inline(never)]
    fn take_checked<'b>(&mut self, now: Now, response: &Response<'b>) -> Answer<'b> {
        let check_at = self.next_check(now.instant);
        let (trigger, update) = match response.status {
            200 => {
                let endpoint = record::from_slice::<Registered<'_>>(response.body)?;
                let by_request = Disabled::ByRequest.as_str().unwrap_or_default();
                match endpoint.disabled_reason {
                    _ if endpoint.enabled => (Trigger::Checked { check_at }, None),
                    // Somebody wants it so.
                    Some(reason) if reason == by_request => {
                        (Trigger::Checked { check_at }, Some(Update::SwitchedOff))
                    }
                    _ => (Trigger::Disabled, None),
                }
            }
            404 | 410 => (Trigger::Gone, Some(Update::RegistrationLost)),
            _ => {
                let endpoint = match self.registration {
                    Registration::Held { endpoint, .. } => endpoint,
                    _ => return Ok(None),
                };
                let update = refused(Call::Check(endpoint), response);
                (Trigger::Checked { check_at }, Some(update))
            }
        };
        self.step(trigger);
        Ok(update)
    }

    #[inline(never)]
    fn take_status<'b>(&mut self, now: Now, response: &Response<'b>) -> Answer<'b> {
        let status = match response.status {
            200 => Some(read_status(response.body)?),
            404 => None,
            _ => return Ok(Some(refused(Call::Status, response))),
        };
        if !self.newest.answered(status) {
            let pauses = self.config.timings.ask_alone;
            let pause_ms = pauses.pause_ms(0, &mut self.random);
            self.newest.want(now.instant.after_ms(pause_ms));
        }
        Ok(Some(Update::Status(self.newest.status())))
    }

    #[inline(never)]
    fn take_submitted<'b>(&mut self, now: Now, response: &Response<'b>) -> Answer<'b> {
        // Nobody waits for it any more.
        if !self.submission.is_translation() {
            return Ok(None);
        }
        if !matches!(response.status, 200..=202) {
            self.submission.end();
            return Ok(Some(refused(Call::Translate, response)));
        }
        let job: Translation<'b> = record::from_slice(response.body)?;
        let may_lag = self.submission.may_lag;
        self.submission.end();
        if let Some(key) = self.callback_key(&job) {
            self.add_key(key);
        }
        if let Some(ix) = self.jobs.follow(job.id) {
            self.learn(now.instant, ix, kind_of(job.status), &job);
            self.ask_later(now.instant, ix);
            let known = self.jobs.get(ix).and_then(super::Known::state);
            if may_lag || known.is_some_and(|known| known.sequence > job.sequence) {
                self.jobs.want(ix);
            }
        }
        Ok(Some(Update::Submitted(job)))
    }

    /// A job that is called off tells so like any other change; where it had ended before, the server refuses.
    #[inline(never)]
    fn take_canceled<'b>(&mut self, now: Now, id: Id, response: &Response<'b>) -> Answer<'b> {
        // Nobody wants it any more, or it is another one meanwhile.
        let is_wanted = self.canceling.take_if(|wanted| *wanted == id).is_some();
        match response.status {
            200 => {}
            404 | 410 => {
                if let Some(ix) = self.jobs.find(id) {
                    self.jobs.forget(ix);
                }
                return Ok(is_wanted.then_some(Update::JobUnknown(id)));
            }
            _ => return Ok(is_wanted.then(|| refused(Call::Cancel(id), response))),
        }
        let job: Translation<'b> = record::from_slice(response.body)?;
        if job.id != id {
            return Err(Unreadable);
        }
        if let Some(ix) = self.jobs.find(id) {
            self.learn(now.instant, ix, kind_of(job.status), &job);
        }
        Ok(Some(Update::Canceled(job)))
    }

    #[inline(never)]
    fn take_list<'b>(&mut self, response: &Response<'b>) -> Answer<'b> {
        if self.submission.call() != Some(Call::List) {
            return Ok(None);
        }
        if response.status != 200 {
            self.submission.end();
            return Ok(Some(refused(Call::List, response)));
        }
        let list = List::read(response.body)?;
        self.submission.end();
        Ok(Some(Update::List(list)))
    }

    #[inline(never)]
    fn take_job<'b>(&mut self, now: Now, id: Id, response: &Response<'b>) -> Answer<'b> {
        let Some(ix) = self.jobs.find(id) else {
            return Ok(None);
        };
        let is_followed = self.jobs.get(ix).is_some_and(super::Known::is_followed);
        match response.status {
            200 => {}
            404 | 410 => {
                self.suspect(now.instant);
                self.jobs.forget(ix);
                return Ok(is_followed.then_some(Update::JobUnknown(id)));
            }
            _ => {
                self.jobs.answered(ix, false);
                self.ask_later(now.instant, ix);
                return Ok(Some(refused(Call::Job(id), response)));
            }
        }
        let job: Translation<'b> = record::from_slice(response.body)?;
        if job.id != id {
            return Err(Unreadable);
        }
        let before = self.jobs.get(ix).and_then(super::Known::state);
        let kind = match before.map(|state| state.status) {
            Some(Status::Processing) if job.status == Status::Processing => Kind::Progress,
            _ => kind_of(job.status),
        };
        let is_news = self.learn(now.instant, ix, kind, &job);
        if is_news && before.is_some() {
            self.suspect(now.instant);
        }
        let is_wanted = self.jobs.satisfies(ix, job.sequence);
        self.jobs.answered(ix, is_news);
        self.ask_later(now.instant, ix);
        let change = Change {
            kind,
            job,
            source: Source::Asked,
        };
        Ok(match (is_followed, is_news) {
            (true, true) => Some(Update::Job(change)),
            (true, false) if is_wanted => Some(Update::Current(job)),
            _ => None,
        })
    }

    /// Takes in what was told of a job. `false` if it is known already, or older than what is known.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        ix: Ix,
        kind: Kind,
        job: &Translation<'_>,
    ) -> bool {
        self.newest.hear(now, job.id, job.sequence, kind);
        let told = JobState {
            status: job.status,
            progress: job.progress,
            sequence: job.sequence,
        };
        let is_news = self.jobs.learn(ix, told);
        if is_news {
            self.ask_later(now, ix);
        }
        is_news
    }

    /// Asks about a job when it was silent for as long again.
    fn ask_later(&mut self, now: Instant, ix: Ix) {
        let timings = &self.config.timings;
        let pauses = match self.registration {
            Registration::Held { .. } => timings.ask,
            _ if self.is_called_back() => timings.ask,
            _ => timings.ask_alone,
        };
        let pause_ms = pauses.pause_ms(self.jobs.silent(ix), &mut self.random);
        self.jobs.ask_at(ix, now.after_ms(pause_ms));
    }

    /// Asks for the newest status and about every followed job, as soon as may be.
    pub(super) fn ask_everything(&mut self, now: Instant) {
        self.newest.want(now);
        self.jobs.ask_all();
    }

    fn next_check(&self, now: Instant) -> Instant {
        now.after_ms(self.config.timings.check_ms.into())
    }

    pub(super) fn step(&mut self, trigger: Trigger) {
        let before = self.registration;
        self.registration = step(before, trigger);
        if core::mem::discriminant(&before) != core::mem::discriminant(&self.registration) {
            note!(info, "registration: {:?}", self.registration);
        }
    }
}

fn refused<'b>(call: Call, response: &Response<'b>) -> Update<'b> {
    note!(warn, "request refused: {:?}, {}", call, response.status);
    Update::Refused {
        call,
        status: response.status,
        problem: read_problem(response.body),
    }
}

/// The event that leads to a status.
const fn kind_of(status: Status) -> Kind {
    match status {
        Status::Pending => Kind::Pending,
        Status::Processing => Kind::Processing,
        Status::Completed => Kind::Completed,
        Status::Error => Kind::Error,
        Status::Canceled => Kind::Canceled,
    }
}
