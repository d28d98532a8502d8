//! How an attempt went, and what that means: for its delivery, and for its endpoint.

use super::{Dispatcher, Event, Subjects};
use crate::{
    delivery::{AttemptId, Failure, Outcome, Verdict},
    endpoint::{Disabled, Failing},
    http::{self, Refusal, Response, ResponseError},
    id::Id,
    log::AttemptError,
    note::note,
    slab::{Ix, Link},
    time::{Instant, Now},
};

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

impl<'a> AttemptResult<'a> {
    /// What a whole answer says that came at `now`.
    #[must_use]
    pub fn of(response: &Response<'a>, now: Now) -> Self {
        Self::Answer {
            status: response.status,
            retry_after_ms: Self::hint(response, now),
            body: response.body,
        }
    }

    /// For how long it asks to be left alone, in milliseconds.
    pub(super) fn hint(response: &Response<'_>, now: Now) -> Option<u64> {
        let value = response.fields.get("retry-after")?;
        http::retry_after(value, now.timestamp)
    }
}

impl From<ResponseError> for AttemptError {
    /// Why an answer that cannot be read does not count.
    fn from(error: ResponseError) -> Self {
        match error {
            ResponseError::Truncated => Self::Closed,
            ResponseError::Refused(
                Refusal::BodyTooLarge
                | Refusal::HeadTooLarge
                | Refusal::TooManyFields
                | Refusal::TrailersTooLarge
                | Refusal::ChunkLineTooLong
                | Refusal::ChunkExtensionsTooLarge,
            ) => Self::TooLarge,
            _ => Self::Malformed,
        }
    }
}

/// An attempt that has ended, for whoever keeps a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Attempted {
    /// The endpoint; none for a subject's own callback.
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
    /// The subject whose own callback answered `410 Gone`: see [`end_callback`](Dispatcher::end_callback).
    pub callback_gone: Link,
}

impl<E: Event> Dispatcher<'_, E> {
    /// When an attempt that begins at `now` must have its whole answer.
    #[must_use]
    pub fn attempt_deadline(&self, now: Now) -> Instant {
        now.instant.after_ms(self.limits.attempt_ms)
    }

    /// Takes how an attempt went. `None` if no such attempt is in flight.
    pub(crate) fn handle_attempt(
        &mut self,
        now: Now,
        id: AttemptId,
        result: AttemptResult<'_>,
        subjects: &impl Subjects<E>,
    ) -> Option<Attempted> {
        let (outcome, status, mut error, answer) = judge(result);
        // Only the log wants it.
        #[cfg(not(feature = "lists"))]
        let _ = answer;
        let settled = self
            .outbox
            .settle(now.instant, id, outcome, &mut self.random)?;
        let duration_ms = now.instant.ms_since(settled.started);
        let lane = settled.target.lane;
        let event = settled
            .event
            .and_then(|event| self.event_id(settled.subject, lane, &event, subjects));
        self.counters.attempts += 1;
        if settled.verdict == Verdict::Overtaken {
            error = AttemptError::Overtaken;
        }
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
            Verdict::Dead | Verdict::Overtaken => self.counters.dead += 1,
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
            callback_gone: None,
        };
        if settled.target.callback {
            if outcome == Outcome::Gone {
                attempted.callback_gone = settled.subject;
            }
        } else {
            attempted.endpoint = self.endpoints.get(lane).map(|endpoint| endpoint.id);
            if !settled.of_event {
                attempted.disabled = self.judge_endpoint(now, lane, outcome);
            }
            if attempted.disabled.is_some() {
                self.counters.disabled += 1;
            }
            #[cfg(feature = "lists")]
            self.log_attempt(now, &settled, &attempted, answer);
            self.reap_endpoints();
        }
        Some(attempted)
    }

    /// Keeps an endpoint's health, and disables one that is beyond hope. Returns why, if so.
    fn judge_endpoint(&mut self, now: Now, ix: Ix, outcome: Outcome) -> Option<Disabled> {
        let ran = self.ran(now.instant);
        let endpoint = self.endpoints.get_mut(ix)?;
        if !endpoint.is_enabled() {
            return None;
        }
        match outcome {
            Outcome::Delivered if endpoint.failing.is_so() => {
                endpoint.failing = Failing::NOT;
                self.touch_endpoint(ix);
                None
            }
            Outcome::Delivered => None,
            Outcome::Gone => {
                self.disable(ix, Disabled::Gone);
                Some(Disabled::Gone)
            }
            Outcome::Failed { .. } => {
                let to_be_noted = endpoint.failing.count(ran);
                if endpoint.failing.is_hopeless(self.limits.disable_after_ms) {
                    self.disable(ix, Disabled::Failing);
                    return Some(Disabled::Failing);
                }
                if to_be_noted {
                    self.touch_endpoint(ix);
                }
                None
            }
        }
    }

    /// The id of an event: of a subject, or of a test of the endpoint in `lane`.
    pub(super) fn event_id(
        &self,
        subject: Link,
        lane: Ix,
        event: &E,
        subjects: &impl Subjects<E>,
    ) -> Option<Id> {
        let origin = match subject {
            Some(subject) => subjects.id(subject)?,
            None => self.endpoints.get(lane)?.id,
        };
        Some(origin.event(event.sequence(), event.at()))
    }
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
        // They speak of this moment, not of this request.
        408 | 425 => (Failure::Refused, None),
        400..=499 => (Failure::Rejected, None),
        _ => (Failure::Refused, None),
    };
    let outcome = Outcome::Failed {
        failure,
        retry_after_ms: hint,
    };
    (outcome, status, AttemptError::Status, body)
}
