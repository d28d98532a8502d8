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
    pub(crate) fn attempt_deadline(&self, now: Now) -> Instant {
        self.dispatch.attempt_deadline(now)
    }

    /// The URL that an attempt goes to, copied into `memory`, for which
    /// [`callback_bytes_max`](super::Limits::callback_bytes_max) is enough.
    ///
    /// # Errors
    ///
    /// [`RequestError`] says why there is none.
    pub(crate) fn attempt_url<'m>(
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
    pub(crate) fn write_attempt(
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
    pub(super) fn settle(
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

#[cfg(test)]
mod tests {
    extern crate std;
    use crate::{
        record::Keep,
        server::{Config, Output, Ready, Server, ServerStorage},
        service::{Attempt, NewJob},
        text::Source,
        time::{Instant, Now, Timestamp},
    };
    use std::{boxed::Box, format};

    const NOW: Now = Now {
        instant: Instant::ZERO,
        timestamp: Timestamp::from_unix_ms(1_795_510_800_000),
    };

    fn submit(server: &mut Server<'_>, host: &str) {
        let callback = format!("http://{host}/");
        let new = NewJob {
            video_url: Source::Plain("https://v.test/1.mp4"),
            source_language: None,
            target_language: Source::Plain("es"),
            reference: None,
            callback_url: Some(Source::Plain(&callback)),
        };
        server.submit(NOW, &new).unwrap();
    }

    fn attempt(server: &mut Server<'_>) -> Option<Attempt> {
        match server.poll(NOW, Ready::ATTEMPTS, &mut []).unwrap() {
            Output::Attempt(attempt) => Some(attempt),
            _ => None,
        }
    }

    /// Two hosts and two lanes for callbacks: whichever hosts they are, the one that does not answer costs the other
    /// one nothing; and there is one attempt at a time to a host of which nothing is known.
    #[test]
    fn callbacks_share_a_lane_only_where_there_are_more_hosts_than_lanes() {
        for port in 1..30 {
            let mut memory = Box::new(ServerStorage::<16, 2, 1, 8>::new());
            let tables = memory.lend(Keep::Nothing);
            let server = &mut Server::new(tables, Config::DEVICE, [1; 32]).unwrap();
            for _ in 0..3 {
                submit(server, "silent.test");
            }
            assert!(attempt(server).is_some());
            assert!(attempt(server).is_none());
            submit(server, &format!("good.test:{port}"));
            assert!(attempt(server).is_some(), "{port}");
            submit(server, "another.test");
            assert!(attempt(server).is_none(), "all lanes are taken");
            assert_eq!(server.service().audit(), Ok(()));
        }
    }
}
