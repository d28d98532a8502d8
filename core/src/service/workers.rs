//! Workers that are elsewhere: they claim jobs, and name the lease under which they report.
//!
//! A lease is a fencing token: the sequence of the event with which its job was claimed. It only grows inside a job, over
//! restarts too, so that a worker which was thought dead and has come back cannot speak for a job that another one has.
//! It is written down while the job is with its worker, who after a restart has the time of one lease to report again. One
//! who does not, in this run, was perhaps never told that it has the job: that is pending again, and no attempt has failed.

use super::{Report, ReportError, Service};
use crate::{
    id::Id,
    job::{Refused, Status, Trigger},
    slab::Ix,
    time::Now,
};

/// A job that a worker has claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Claim {
    /// Where it is.
    pub job: Ix,
    /// Its name.
    pub id: Id,
    /// Under which lease the worker has it.
    pub lease: u32,
}

/// Why a report under a lease was not taken. The job is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum LeaseError {
    /// The job is no longer with this worker.
    Lost,
    /// For another reason.
    Report(ReportError),
}

impl LeaseError {
    /// The error as a short sentence.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "the job is no longer with this worker",
            Self::Report(error) => error.as_str(),
        }
    }
}

impl core::fmt::Display for LeaseError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for LeaseError {}

impl Service<'_> {
    /// Whether a job waits for a worker and may be started.
    #[must_use]
    pub(crate) fn has_work(&self) -> bool {
        let job = self.waiting.head().and_then(|ix| self.jobs.get(ix));
        job.is_some_and(|job| self.is_durable(job.changed))
    }

    /// Gives a worker the job that has waited longest. `None` where none may be started.
    ///
    /// The claim is a change like others: the worker may hear of it once it is durable.
    pub(crate) fn claim(&mut self, now: Now) -> Option<Claim> {
        if !self.has_work() {
            return None;
        }
        let ix = self.waiting.head()?;
        self.happen(now, ix, Trigger::Start, "").ok()?;
        let job = self.jobs.get(ix)?;
        Some(Claim {
            job: ix,
            id: job.id,
            lease: job.lease,
        })
    }

    /// Whether a job is still with the worker that claimed it so.
    #[must_use]
    pub(crate) fn is_claimed(&self, claim: &Claim) -> bool {
        let job = self.find_job(claim.id).and_then(|ix| self.jobs.get(ix));
        job.is_some_and(|job| job.state().status == Status::Processing && job.lease == claim.lease)
    }

    /// Whether a job is with a worker, under `lease` if one is named.
    #[cfg(feature = "media")]
    #[must_use]
    pub(crate) fn is_worked_on(&self, id: Id, lease: Option<u32>) -> bool {
        let job = self.find_job(id).and_then(|ix| self.jobs.get(ix));
        job.is_some_and(|job| {
            let is_named = lease.is_none_or(|lease| lease == job.lease);
            job.state().status == Status::Processing && job.lease != 0 && is_named
        })
    }

    /// Leaves a job with the worker that had it under `lease` before a restart, for as long as a lease lasts.
    #[cfg(feature = "records")]
    pub(super) fn keep_lease(&mut self, now: Now, ix: Ix, lease: u32) {
        if lease == 0 || !self.limits.remote_workers {
            return;
        }
        if let Some(job) = self.jobs.get_mut(ix) {
            job.lease = lease;
            job.unheard = true;
        }
        let until = now.instant.after_ms(self.limits.lease_ms);
        self.job_timers.set(&mut self.jobs, ix, until);
    }

    /// Gives a job back whose worker never heard that it has it. It is pending again with the next
    /// [`poll`](Self::poll), which is due at once.
    pub(crate) fn give_back(&mut self, claim: &Claim) {
        if !self.is_claimed(claim) {
            return;
        }
        if let Some(job) = self.jobs.get_mut(claim.job) {
            job.lease = 0;
        }
        self.job_timers
            .set(&mut self.jobs, claim.job, crate::time::Instant::ZERO);
    }

    /// No worker could be heard until now: each has the time of one lease from here on.
    pub(crate) fn spare_workers(&mut self, now: Now) {
        self.spared_until = now.instant.after_ms(self.limits.lease_ms);
    }

    /// Leaves a job with its worker whose lease has run out while it could not be heard.
    pub(super) fn is_spared(&mut self, now: Now, ix: Ix) -> bool {
        let is_spared = now.instant < self.spared_until
            && self
                .jobs
                .get(ix)
                .is_some_and(|job| job.lease != 0 && job.state().status == Status::Processing);
        if is_spared {
            self.job_timers.set(&mut self.jobs, ix, self.spared_until);
        }
        is_spared
    }

    /// Makes a job pending that was given back, or whose worker was not heard of since a restart. `false` where it is none of
    /// these: its timer means something else.
    pub(super) fn take_back(&mut self, now: Now, ix: Ix) -> bool {
        let given_back = self.jobs.get(ix).is_some_and(|job| {
            (job.lease == 0 || job.unheard) && job.state().status == Status::Processing
        });
        // It is with a worker, so it can be released, or else lost.
        given_back && self.release_job(now, ix)
    }

    /// Takes what a worker says of a job under `lease`, or where it names none, of whatever job it has.
    ///
    /// An ending that was taken already is taken again, and changes nothing: the answer to the first report may have been
    /// lost on its way. After a restart it is not known any more which lease brought it; then the same result is enough.
    ///
    /// # Errors
    ///
    /// [`LeaseError`] says why it was not taken.
    pub(crate) fn report_as(
        &mut self,
        now: Now,
        id: Id,
        lease: Option<u32>,
        report: Report<'_>,
    ) -> Result<(), LeaseError> {
        let unknown = LeaseError::Report(ReportError::Unknown);
        let ix = self.find_job(id).ok_or(unknown)?;
        let job = self.jobs.get(ix).ok_or(unknown)?;
        let is_mine = lease.is_none_or(|lease| lease == job.lease);
        match job.state().status {
            Status::Processing if is_mine && job.lease != 0 => {
                if let Some(job) = self.jobs.get_mut(ix) {
                    job.unheard = false;
                }
            }
            Status::Processing | Status::Pending => return Err(LeaseError::Lost),
            _ if (is_mine || job.lease == 0) && self.has_ended_so(ix, report) => return Ok(()),
            _ => return Err(LeaseError::Report(ReportError::Refused(Refused::Terminal))),
        }
        self.report(now, id, report).map_err(LeaseError::Report)
    }

    /// Whether a job has ended with what this report says.
    fn has_ended_so(&self, ix: Ix, report: Report<'_>) -> bool {
        let Some(job) = self.jobs.get(ix) else {
            return false;
        };
        let (status, result) = match report {
            Report::Alive | Report::Progress(_) => return false,
            Report::Completed(url) => (Status::Completed, url),
            Report::Failed(why) => {
                let why = super::jobs::cut(why, self.limits.error_bytes_max);
                (Status::Error, why)
            }
        };
        let kept = self.dispatch.text.all(&job.result).flatten().copied();
        job.state().status == status && kept.eq(result.bytes())
    }
}
