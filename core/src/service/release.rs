//! Taking a job from a worker that will not end it.

use super::{Service, jobs::LOST};
use crate::{
    job::{Status, Trigger},
    slab::Ix,
    time::Now,
};

/// What a released job can go through more than one that was not: it is pending again, and started again.
const RELEASE_EVENTS: u8 = 2;

impl Service<'_> {
    /// Takes a job from a worker that ended with the run before, or never heard of it. That is no fault of the job, so the
    /// attempt does not count; unless there is no room for the changes of state of one attempt more. `false` where there is
    /// no such job.
    pub(super) fn release_job(&mut self, now: Now, ix: Ix) -> bool {
        let Some(job) = self.jobs.get(ix) else {
            return false;
        };
        if job.state().status != Status::Processing {
            return true;
        }
        let taken = if self.dispatch.outbox.admit_events(ix, RELEASE_EVENTS) {
            self.happen(now, ix, Trigger::Release, "")
        } else {
            self.happen(now, ix, Trigger::Lose, LOST)
        };
        taken.is_ok()
    }
}
