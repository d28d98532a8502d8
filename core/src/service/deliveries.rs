//! Webhook attempts: what to send, and what its outcome means.

use super::{Job, REQUEST, Service, request_field};
use crate::{
    delivery::{self, AttemptId, Failure, Outcome, Settled, Target, Verdict},
    endpoint::{self, Disabled, Endpoint},
    event::Event,
    id::{Id, Prefix},
    log::{AttemptError, Line},
    note::note,
    out::Out,
    signature::{self, MessageId, Secret},
    slab::{Ix, Link, Slab},
    time::{Instant, Now, Timestamp},
    url::Url,
};

/// A webhook attempt to make now.
pub type Attempt = delivery::Attempt<Event>;

/// How an attempt went, as the driver saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AttemptResult<'a> {
    /// There was a whole answer.
    Answer {
        /// Its status.
        status: u16,
        /// Its `Retry-After` in milliseconds, if it had one that can be read.
        retry_after_ms: Option<u64>,
        /// How its body began.
        body: &'a [u8],
    },
    /// There was none.
    Failed(AttemptError),
}

/// An attempt that has ended, for whoever keeps a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Attempted {
    /// The endpoint; none for a job's own callback.
    pub endpoint: Option<Id>,
    /// The event; none where the delivery was no longer owed.
    pub event: Option<Id>,
    /// Which attempt it was, from 1.
    pub number: u8,
    /// The answer's status; 0 where there was none.
    pub status: u16,
    /// Why it failed.
    pub error: AttemptError,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What became of the delivery.
    pub verdict: Verdict,
    /// For how long all that goes to this receiver is held back from now on, in milliseconds; 0 where it is not.
    pub held_ms: u64,
    /// Why the endpoint was disabled by it, if it was.
    pub disabled: Option<Disabled>,
}

/// Why the request of an attempt, or its URL, was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RequestError {
    /// The driver: no such attempt is in flight. It was told of before.
    Unknown,
    /// The delivery is no longer owed: send nothing, and tell that the attempt has failed.
    NotOwed,
    /// The driver: the lent memory is too short.
    ShortMemory,
}

impl RequestError {
    /// The error as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "no such attempt is in flight",
            Self::NotOwed => "the delivery is no longer owed",
            Self::ShortMemory => "the lent memory is too short for the request",
        }
    }
}

impl core::fmt::Display for RequestError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for RequestError {}

impl Service<'_> {
    /// An attempt in flight whose delivery is owed.
    fn attempt(&self, id: AttemptId) -> Result<Attempt, RequestError> {
        let attempt = self.outbox.attempt(id).ok_or(RequestError::Unknown)?;
        attempt.ok_or(RequestError::NotOwed)
    }

    /// When an attempt that begins at `now` must have its whole answer.
    #[must_use]
    pub fn attempt_deadline(&self, now: Now) -> Instant {
        now.instant.after_ms(self.limits.attempt_ms)
    }

    /// The URL that an attempt goes to, copied into `memory`, for which
    /// [`callback_bytes_max`](super::Limits::callback_bytes_max) is enough.
    ///
    /// # Errors
    ///
    /// [`RequestError`] says why there is none.
    pub fn attempt_url<'m>(
        &self,
        id: AttemptId,
        memory: &'m mut [u8],
    ) -> Result<Url<'m>, RequestError> {
        let attempt = self.attempt(id)?;
        let mut out = Out::new(memory);
        let written = self.write_url(&attempt, &mut out);
        written.ok_or(RequestError::NotOwed)?;
        let len = out.finish().map_err(|_| RequestError::ShortMemory)?;
        let text = memory.get(..len).map(core::str::from_utf8);
        // It was checked when it came in.
        let url = text.and_then(|text| Url::parse(text.ok()?, usize::MAX).ok());
        url.ok_or(RequestError::NotOwed)
    }

    fn write_url(&self, attempt: &Attempt, out: &mut Out<'_>) -> Option<()> {
        if attempt.target.callback {
            let job = self.jobs.get(attempt.job?)?;
            self.pool
                .write(&job.request, request_field::CALLBACK_URL, out);
        } else {
            let endpoint = self.endpoints.get(attempt.target.lane)?;
            self.pool.write(&endpoint.text, endpoint::field::URL, out);
        }
        Some(())
    }

    /// Writes the whole request of an attempt, signed for `now`, to the server that `url` names. To be called when the
    /// connection is there: a receiver compares the time of a signature with its own.
    ///
    /// # Errors
    ///
    /// [`RequestError`] says why it was not written.
    pub fn write_attempt(
        &mut self,
        now: Now,
        id: AttemptId,
        url: &Url<'_>,
        memory: &mut [u8],
    ) -> Result<usize, RequestError> {
        let attempt = &self.attempt(id)?;
        let id = self.event_id(attempt).ok_or(RequestError::NotOwed)?;
        if self.rendered.0 != id {
            let len = self.render(attempt).ok_or(RequestError::ShortMemory)?;
            self.rendered = (id, len);
        }
        let body = self.scratch.get(..self.rendered.1).unwrap_or_default();
        let id = id.text(Prefix::Event);
        let message = MessageId::new(id.as_bytes()).ok_or(RequestError::NotOwed)?;
        let seconds = now.timestamp.as_unix_seconds();

        let mut out = Out::new(memory);
        out.put(b"POST ");
        url.write_target(&mut out);
        out.put(b" HTTP/1.1\r\nhost: ");
        url.write_host(&mut out);
        let fixed = concat!(
            "\r\nuser-agent: dubhook/",
            env!("CARGO_PKG_VERSION"),
            "\r\ncontent-type: application/json\r\nwebhook-id: "
        );
        out.put(fixed.as_bytes());
        out.put(id.as_bytes());
        out.put(b"\r\nwebhook-timestamp: ");
        out.put_u64(seconds);
        out.put(b"\r\nwebhook-signature: ");
        if attempt.target.callback {
            let secret = self.callback_secret(attempt.job);
            let secret = secret.ok_or(RequestError::NotOwed)?;
            let signature = secret.signing_key().sign(message, seconds, body);
            signature.write(&mut out);
        } else {
            let endpoint = self.endpoints.get(attempt.target.lane);
            let endpoint = endpoint.ok_or(RequestError::NotOwed)?;
            let signatures = endpoint
                .live_keys(now.timestamp)
                .map(|key| key.sign(message, seconds, body));
            signature::write_header(&mut out, signatures);
        }
        out.put(b"\r\ncontent-length: ");
        out.put_u64(body.len() as u64);
        out.put(b"\r\n\r\n");
        out.put(body);
        out.finish().map_err(|_| RequestError::ShortMemory)
    }

    /// Takes how an attempt went. `None` if no such attempt is in flight.
    pub(super) fn handle_attempt(
        &mut self,
        now: Now,
        id: AttemptId,
        result: AttemptResult<'_>,
    ) -> Option<Attempted> {
        let (outcome, status, error, answer) = judge(result);
        let settled = self
            .outbox
            .settle(now.instant, id, outcome, &mut self.random)?;
        let duration_ms = now.instant.ms_since(settled.started);
        let lane = settled.target.lane;
        let event = settled
            .event
            .and_then(|event| self.id_of(settled.job, lane, &event));
        self.counters.attempts += 1;
        note!(
            debug,
            "attempt {} in lane {}: {:?}, {:?}, status {}",
            settled.number,
            lane.get(),
            settled.verdict,
            error,
            status
        );
        match settled.verdict {
            Verdict::Delivered => self.counters.delivered += 1,
            Verdict::Dead => self.counters.dead += 1,
            Verdict::Retry { .. } | Verdict::Dropped => {}
        }
        let mut attempted = Attempted {
            endpoint: None,
            event,
            number: settled.number,
            status,
            error,
            duration_ms,
            verdict: settled.verdict,
            held_ms: settled.held_ms,
            disabled: None,
        };
        if settled.target.callback {
            if outcome == Outcome::Gone {
                self.end_callback(settled.job, settled.target);
            }
        } else {
            attempted.endpoint = self.endpoints.get(lane).map(|endpoint| endpoint.id);
            attempted.disabled = self.judge_endpoint(now, lane, outcome);
            #[cfg(feature = "hub")]
            if attempted.disabled.is_some() {
                self.counters.disabled += 1;
            }
            self.log_attempt(now, &settled, &attempted, answer);
            self.reap_endpoints();
        }
        Some(attempted)
    }

    /// The secret that a job's callback is signed with: made from the job's id, so that it need not be
    /// kept, and known only to whoever made the job.
    #[must_use]
    pub fn callback_secret(&self, job: Link) -> Option<Secret> {
        let job = self.jobs.get(job?)?;
        Some(
            self.master_key
                .derive([b"callback secret", &job.id.to_bits().to_be_bytes()]),
        )
    }

    /// Tells a job's callback nothing more: its receiver answered `410 Gone`.
    fn end_callback(&mut self, job: Link, target: Target) {
        let Some((ix, job)) = job.and_then(|ix| Some((ix, self.jobs.get_mut(ix)?))) else {
            return;
        };
        if core::mem::take(&mut job.has_callback) {
            self.jobs.mark(ix, REQUEST);
            self.outbox.close_target(ix, target, false);
        }
    }

    fn log_attempt(
        &mut self,
        now: Now,
        settled: &Settled<Event>,
        attempted: &Attempted,
        answer: &[u8],
    ) {
        let (Some(event), Some(id)) = (settled.event, attempted.event) else {
            return;
        };
        let line = Line {
            at: now.timestamp,
            event: id,
            kind: event.kind,
            number: attempted.number,
            error: attempted.error,
            status: attempted.status,
            duration_ms: attempted.duration_ms.try_into().unwrap_or(u32::MAX),
            answer_bytes: 0,
        };
        let lane = settled.target.lane;
        if let Some(endpoint) = self.endpoints.get_mut(lane) {
            self.log.add(lane, endpoint.logged, line, answer);
            endpoint.logged = endpoint.logged.wrapping_add(1);
        }
    }

    /// Keeps an endpoint's health, and disables one that is beyond hope. Returns why, if so.
    fn judge_endpoint(&mut self, now: Now, ix: Ix, outcome: Outcome) -> Option<Disabled> {
        let endpoint = self.endpoints.get_mut(ix)?;
        if !endpoint.is_enabled() {
            return None;
        }
        let failing = endpoint.failing_since != Timestamp::EPOCH;
        match outcome {
            Outcome::Delivered if failing => {
                endpoint.failing_since = Timestamp::EPOCH;
                self.touch_endpoint(ix);
                None
            }
            Outcome::Delivered => None,
            Outcome::Gone => {
                self.disable(ix, Disabled::Gone);
                Some(Disabled::Gone)
            }
            Outcome::Failed { .. } if !failing => {
                endpoint.failing_since = now.timestamp;
                self.touch_endpoint(ix);
                None
            }
            Outcome::Failed { .. } => {
                let failing_ms = now.timestamp.ms_since(endpoint.failing_since);
                if failing_ms < self.limits.disable_after_ms {
                    return None;
                }
                self.disable(ix, Disabled::Failing);
                Some(Disabled::Failing)
            }
        }
    }

    fn event_id(&self, attempt: &Attempt) -> Option<Id> {
        let event = attempt.event;
        self.id_of(attempt.job, attempt.target.lane, &event)
    }

    fn id_of(&self, job: Link, lane: Ix, event: &Event) -> Option<Id> {
        event_id(&self.jobs, &self.endpoints, job, lane, event)
    }

    /// Renders the body of an attempt into the scratch memory.
    fn render(&mut self, attempt: &Attempt) -> Option<usize> {
        let memory = core::mem::take(&mut self.scratch);
        let mut out = Out::new(memory);
        match attempt.job {
            Some(job) => self.write_event(job, &attempt.event, &mut out),
            None => {
                if let Some(endpoint) = self.endpoints.get(attempt.target.lane) {
                    self.write_test(endpoint, attempt.event.at, &mut out);
                }
            }
        }
        let len = out.finish().ok();
        self.scratch = memory;
        len
    }
}

/// The id of an event: of a job, or of a test of the endpoint in `lane`.
pub(super) fn event_id(
    jobs: &Slab<'_, Job>,
    endpoints: &Slab<'_, Endpoint>,
    job: Link,
    lane: Ix,
    event: &Event,
) -> Option<Id> {
    let subject = match job {
        Some(job) => jobs.get(job)?.id,
        None => endpoints.get(lane)?.id,
    };
    Some(subject.event(event.sequence, event.at))
}

/// What an attempt's result means for the delivery.
fn judge(result: AttemptResult<'_>) -> (Outcome, u16, AttemptError, &[u8]) {
    let (status, retry_after_ms, body) = match result {
        AttemptResult::Answer {
            status,
            retry_after_ms,
            body,
        } => (status, retry_after_ms, body),
        AttemptResult::Failed(error) => {
            let outcome = Outcome::Failed {
                failure: Failure::Unreachable,
                retry_after_ms: None,
            };
            return (outcome, 0, error, &[]);
        }
    };
    let (failure, hint) = match status {
        200..=299 => return (Outcome::Delivered, status, AttemptError::None, body),
        410 => return (Outcome::Gone, status, AttemptError::Status, body),
        429 | 503 => (Failure::Throttled, retry_after_ms),
        502 | 504 => (Failure::Throttled, None),
        _ => (Failure::Refused, None),
    };
    let outcome = Outcome::Failed {
        failure,
        retry_after_ms: hint,
    };
    (outcome, status, AttemptError::Status, body)
}
