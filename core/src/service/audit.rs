//! Whether a service's tables, lists and sums say the same.

use super::Service;
use crate::{
    delivery::{Flaw, ensure, len, used},
    job::Status,
    text::blocks_for,
};

impl Service<'_> {
    /// Checks that everything the service keeps in step is in step: what a tool does with records it has restored, and
    /// tests do after every call. It looks at everything: not for a hot path.
    ///
    /// # Errors
    ///
    /// [`Flaw`] names the first thing that is not.
    pub fn audit(&self) -> Result<(), Flaw> {
        self.dispatch.audit()?;
        self.audit_jobs()?;
        self.audit_text()
    }

    fn audit_jobs(&self) -> Result<(), Flaw> {
        let with = |status| used(&self.jobs).filter(move |(_, job)| job.state().status == status);
        let stopping = used(&self.jobs).filter(|(_, job)| job.stopping).count();
        let ended = used(&self.jobs).filter(|(_, job)| job.state().status.is_terminal());
        let fits = len(&self.newest_jobs, &self.jobs) == self.jobs.len()
            && len(&self.waiting, &self.jobs) == with(Status::Pending).count()
            && self.processing == with(Status::Processing).count()
            && len(&self.stopping, &self.jobs) == stopping
            && len(&self.ended, &self.jobs) + stopping == ended.count();
        ensure(fits, Flaw::Job)?;
        for (ix, job) in used(&self.jobs) {
            // What waits for a worker needs no deadline; whatever else there is does.
            let timed = job.timer.get().is_some();
            ensure(timed != (job.state().status == Status::Pending), Flaw::Job)?;
            let active = self.dispatch.outbox.is_active(ix);
            ensure(active != job.state().status.is_terminal(), Flaw::Job)?;
        }
        Ok(())
    }

    fn audit_text(&self) -> Result<(), Flaw> {
        let jobs = used(&self.jobs).map(|(_, job)| job.request.blocks() + job.result.blocks());
        let endpoints = used(&self.dispatch.endpoints).map(|(_, endpoint)| endpoint.text.blocks());
        ensure(
            jobs.chain(endpoints).sum::<usize>() == self.dispatch.text.used(),
            Flaw::Text,
        )?;
        let under_way = used(&self.jobs).filter(|(_, job)| !job.state().status.is_terminal());
        let reserved = under_way.count() * blocks_for(self.limits.result_bytes_max());
        ensure(reserved == self.dispatch.text.reserved(), Flaw::Text)
    }
}
