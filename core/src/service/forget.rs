//! Forgetting: jobs that have ended.
//!
//! Both leave only when nobody needs them: a job when it owes nobody anything, its ending is durable and whoever
//! follows it has been told, a key when it has expired or, for want of room, when its job has ended.

use super::{JobSlot, QUEUED, REQUEST, STATE, Service};
#[cfg(feature = "hub")]
use crate::id::Id;
use crate::slab::{Ix, List};

/// How many ended jobs are looked at for one that can make room: it bounds the work of a call.
const EVICTIONS_TRIED_MAX: usize = 16;

impl Service<'_> {
    /// Forgets an ended job that makes room for another one: one that owes nobody anything, or else the oldest that has
    /// nothing but dead letters. `false` where there is none.
    pub(super) fn make_room(&mut self) -> bool {
        self.forget_settled() || self.forget_dead()
    }

    fn forget_dead(&mut self) -> bool {
        let mut at = self.ended.head();
        for _ in 0..EVICTIONS_TRIED_MAX {
            let Some(ix) = at else {
                return false;
            };
            let may_go = self.jobs.get(ix).is_some_and(|job| self.may_go(job));
            if may_go && self.dispatch.outbox.drop_letters(ix) && self.forget(ix) {
                return true;
            }
            at = List::<QUEUED>::next(&self.jobs, ix);
        }
        false
    }

    fn forget_settled(&mut self) -> bool {
        for _ in 0..EVICTIONS_TRIED_MAX {
            let Some(ix) = self.ended.head() else {
                return false;
            };
            if self.forget(ix) {
                return true;
            }
            // It still owes somebody something: look at it again after the others.
            self.ended.remove(&mut self.jobs, ix);
            self.ended.push_back(&mut self.jobs, ix);
        }
        false
    }

    /// Forgets a job that has ended and owes nobody anything.
    pub(super) fn forget(&mut self, ix: Ix) -> bool {
        let Some(job) = self.jobs.get(ix) else {
            return true;
        };
        let ended = job.state().status.is_terminal() && !job.stopping;
        if !ended || !self.may_go(job) || !self.dispatch.outbox.is_settled(ix) {
            return false;
        }
        let (request, result, archiving) = (job.request, job.result, job.archiving);
        self.dispatch.forget_subject(ix);
        if archiving {
            self.archiving.remove(&mut self.jobs, ix);
        }
        self.ended.remove(&mut self.jobs, ix);
        self.newest_jobs.remove(&mut self.jobs, ix);
        self.job_timers.clear(&mut self.jobs, ix);
        self.dispatch.text.free(request);
        self.dispatch.text.free(result);
        self.jobs.remove(ix);
        self.jobs.mark(ix, REQUEST | STATE);
        true
    }

    /// Whether nobody must still hear of a job's end, those aside to whom it owes deliveries.
    fn may_go(&self, job: &JobSlot) -> bool {
        #[cfg(feature = "hub")]
        if job.followers > 0 {
            return false;
        }
        self.is_durable(job.changed)
    }

    /// Keeps a job for one more who follows it, until [`unfollow`](Self::unfollow).
    #[cfg(feature = "hub")]
    pub(crate) fn follow(&mut self, job: Id) {
        let ix = self.find_job(job);
        if let Some(job) = ix.and_then(|ix| self.jobs.get_mut(ix)) {
            job.followers += 1;
        }
    }

    /// Lets a job go that was [followed](Self::follow).
    #[cfg(feature = "hub")]
    pub(crate) fn unfollow(&mut self, job: Id) {
        let ix = self.find_job(job);
        if let Some(job) = ix.and_then(|ix| self.jobs.get_mut(ix)) {
            job.followers = job.followers.saturating_sub(1);
        }
    }
}
