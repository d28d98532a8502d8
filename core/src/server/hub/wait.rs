//! Reads that wait: a job is answered once it has changed (RFC 7240, section 4.3).

use crate::{
    api,
    http::Request,
    id::Id,
    server::{
        Drive, Server,
        reply::{Answer, Reply},
    },
    service::Durable,
    slab::Ix,
    time::{Instant, Now},
};

/// How a job is read: at once, or when it has changed, where that is preferred.
pub(in crate::server) fn read(now: Now, request: &Request<'_>, reply: Reply) -> Answer {
    // Wrong is wrong, whether the answer waits or not.
    let after = api::after_sequence(request.query)?;
    Ok(match (reply, api::prefer_wait(&request.fields)) {
        (Reply::Job(job), Some(seconds @ 1..)) => Reply::Wait {
            job,
            after,
            until: now.instant.after_ms(u64::from(seconds) * 1_000),
        },
        (reply, _) => reply,
    })
}

impl Server<'_> {
    /// Holds an answer until its job has come past `after`, has ended, or the time is up.
    pub(super) fn wait(
        &mut self,
        now: Now,
        ix: Ix,
        job: Id,
        after: u32,
        until: Instant,
    ) -> Option<Drive> {
        let due = self.stopping || now.instant >= until || self.has_come_past(job, after);
        let reply = if due {
            Reply::Job(job)
        } else {
            match self.hold(ix, until) {
                Ok(drive) => return Some(drive),
                Err(problem) => Reply::Problem(problem),
            }
        };
        self.settle(ix, reply);
        None
    }

    /// Whether readers may see a job past this sequence, or ended, or no longer at all.
    fn has_come_past(&self, job: Id, after: u32) -> bool {
        let Some(ix) = self.service.find_job(job) else {
            return true;
        };
        match self.service.durable_job(ix) {
            Durable::Is(event) => event.sequence > after || event.kind.is_terminal(),
            Durable::Nothing | Durable::Soon => false,
        }
    }
}
