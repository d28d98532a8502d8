//! Webhook attempts of a service: its dispatcher's, told which job is which.

use super::{REQUEST, Service};
use crate::{
    delivery::{self, AttemptId},
    dispatch::{AttemptResult, Attempted, RequestError},
    event::Event,
    signature::Secret,
    slab::{Ix, Link},
    time::{Instant, Now},
    url::Url,
};

/// A webhook attempt to make now.
pub type Attempt = delivery::Attempt<Event>;

impl Service<'_> {
    /// When an attempt that begins at `now` must have its whole answer.
    #[must_use]
    pub fn attempt_deadline(&self, now: Now) -> Instant {
        self.dispatch.attempt_deadline(now)
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
        self.dispatch.attempt_url(id, &self.jobs, memory)
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
        self.dispatch
            .write_attempt(now, id, url, &self.jobs, memory)
    }

    /// The secret that a job's callback is signed with: made from the job's id, so that it need not be
    /// kept, and known only to whoever made the job.
    #[must_use]
    pub fn callback_secret(&self, job: Link) -> Option<Secret> {
        self.dispatch.callback_secret(job, &self.jobs)
    }

    /// Takes how an attempt went. `None` if no such attempt is in flight.
    pub(super) fn handle_attempt(
        &mut self,
        now: Now,
        id: AttemptId,
        result: AttemptResult<'_>,
    ) -> Option<Attempted> {
        let attempted = self.dispatch.handle_attempt(now, id, result, &self.jobs)?;
        if let Some(job) = attempted.callback_gone {
            self.end_callback(job);
        }
        Some(attempted)
    }

    /// Tells a job's callback nothing more: its receiver answered `410 Gone`.
    fn end_callback(&mut self, ix: Ix) {
        if let Some(job) = self.jobs.get_mut(ix)
            && core::mem::take(&mut job.has_callback)
        {
            self.jobs.mark(ix, REQUEST);
            self.dispatch.end_callback(ix);
        }
    }
}
