//! Whether a service's tables, lists and sums say the same.

use super::Service;
use crate::{
    delivery::{Flaw, ensure, len, used},
    endpoint,
    job::Status,
    slab::{Ix, List},
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
        self.outbox.audit()?;
        self.audit_jobs()?;
        self.audit_endpoints()?;
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
            let active = self.outbox.is_active(ix);
            ensure(active != job.state().status.is_terminal(), Flaw::Job)?;
        }
        Ok(())
    }

    fn audit_endpoints(&self) -> Result<(), Flaw> {
        let removed = used(&self.endpoints).filter(|(_, e)| e.removed).count();
        let listed = len(&self.newest_endpoints, &self.endpoints);
        let for_all = used(&self.endpoints).filter(|(_, e)| e.for_all && e.is_enabled());
        let fits = listed + removed == self.endpoints.len()
            && len(&self.for_all, &self.endpoints) == for_all.count()
            && len(&self.leaving, &self.endpoints) == removed;
        ensure(fits, Flaw::Endpoint)?;
        for (ix, job) in used(&self.jobs) {
            let mine = used(&self.endpoints).filter(|(_, e)| e.job == Some(ix) && !e.removed);
            let wanting = len::<{ endpoint::WANTING }, _>(&job.wanting, &self.endpoints);
            ensure(mine.count() == wanting, Flaw::Endpoint)?;
        }
        for (ix, endpoint) in used(&self.endpoints) {
            // An endpoint narrowed to a job never outlives it, lest it hear of the next job in its slot.
            let job = endpoint.job.is_none_or(|job| self.hangs(job, ix));
            ensure(endpoint.removed || job, Flaw::Endpoint)?;
            ensure(
                endpoint.is_enabled() == self.outbox.is_open(ix),
                Flaw::Endpoint,
            )?;
        }
        Ok(())
    }

    /// Whether an endpoint hangs among those narrowed to a job.
    fn hangs(&self, job: Ix, endpoint: Ix) -> bool {
        let head = self.jobs.get(job).and_then(|job| job.wanting.head());
        core::iter::successors(head, |ix| {
            List::<{ endpoint::WANTING }>::next(&self.endpoints, *ix)
        })
        .any(|ix| ix == endpoint)
    }

    fn audit_text(&self) -> Result<(), Flaw> {
        let jobs = used(&self.jobs).map(|(_, job)| job.request.blocks() + job.result.blocks());
        let endpoints = used(&self.endpoints).map(|(_, endpoint)| endpoint.text.blocks());
        ensure(
            jobs.chain(endpoints).sum::<usize>() == self.pool.used(),
            Flaw::Text,
        )?;
        let under_way = used(&self.jobs).filter(|(_, job)| !job.state().status.is_terminal());
        let reserved = under_way.count() * blocks_for(self.limits.result_bytes_max());
        ensure(reserved == self.pool.reserved(), Flaw::Text)
    }
}
