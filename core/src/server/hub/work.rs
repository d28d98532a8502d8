//! Workers that claim jobs over the API.
//!
//! Those who wait for work hang in one list, first come first. When there is work, the first of them is called, looks, and
//! takes a job; the next one is called after that, while there is more: each call is O(1), and nobody is called in
//! vain for long. Who does not wait takes what is there at that moment.

#[cfg(feature = "media")]
use crate::server::media;
use crate::{
    api::{self, OfWork, Problem},
    http::Request,
    id::{Id, Prefix},
    job::Refused,
    out::Out,
    server::{
        Drive, Server,
        reply::{Answer, Reply, Sought, Written, known},
    },
    service::{Claim, LeaseError, ReportError},
    slab::Ix,
    time::{Instant, Now},
};

/// What to answer to a claim: that is found out when it is its turn.
pub(in crate::server) fn claim(server: &Server<'_>, now: Now, request: &Request<'_>) -> Answer {
    check_remote(server)?;
    api::claim(request)?;
    let seconds = api::prefer_wait(&request.fields).unwrap_or(0);
    Ok(Reply::Claim {
        until: now.instant.after_ms(u64::from(seconds) * 1_000),
    })
}

/// Takes what a worker says of the job of that name.
#[inline(never)]
pub(in crate::server) fn report(
    server: &mut Server<'_>,
    now: Now,
    request: &Request<'_>,
    what: OfWork,
    name: &str,
) -> Answer {
    check_remote(server)?;
    let id = Id::parse(Prefix::Job, name).ok_or(Problem::NoSuchJob)?;
    #[cfg(feature = "media")]
    let mut memory = [0; media::LINK_BYTES_MAX];
    #[cfg(feature = "media")]
    let own = match what {
        OfWork::Complete => server.own_output(request, id, &mut memory)?,
        _ => None,
    };
    #[cfg(not(feature = "media"))]
    let own = None;
    let limits = &server.config.service;
    let (lease, report) = api::report(request, what, limits, own, server.decode)?;
    match server.service.report_as(now, id, lease, report) {
        Ok(()) => Ok(Reply::Job(id)),
        // One that has left memory has ended.
        Err(LeaseError::Report(ReportError::Unknown)) if server.service.has_archive() => {
            Ok(Reply::Archived {
                id,
                sought: Sought::Cancel,
            })
        }
        Err(error) => Err(problem(error)),
    }
}

const fn check_remote(server: &Server<'_>) -> Result<(), Problem> {
    if server.config.service.remote_workers {
        Ok(())
    } else {
        Err(Problem::NoRemoteWorkers)
    }
}

const fn problem(error: LeaseError) -> Problem {
    match error {
        LeaseError::Lost => Problem::LeaseLost,
        LeaseError::Report(ReportError::NotStarted) => Problem::Internal,
        LeaseError::Report(ReportError::Unknown) => Problem::NoSuchJob,
        LeaseError::Report(ReportError::OutputUrl) => Problem::OutputUrl,
        LeaseError::Report(ReportError::Refused(refused)) => match refused {
            Refused::Terminal => Problem::Ended,
            Refused::Started | Refused::NotStarted => Problem::LeaseLost,
            Refused::ProgressRange => Problem::Progress,
            Refused::ProgressFell => Problem::ProgressFell,
        },
    }
}

impl Server<'_> {
    /// Says that until now this server could answer nobody: a worker that has a job was not heard, and has the time of one lease
    /// from here on to report.
    pub fn spare_workers(&mut self, now: Now) {
        self.service.spare_workers(now);
    }

    /// Gives a worker a job, holds it until there is one, or tells it that there is none.
    pub(super) fn claim(&mut self, now: Now, ix: Ix, until: Instant) -> Option<Drive> {
        let is_due = now.instant >= until;
        let first = self.held.claims.head();
        let is_first = first.is_none_or(|first| first == ix);
        let may_take = is_first || is_due && !self.conns.get(ix)?.held;
        if self.held.called == Some(ix) {
            self.held.called = None;
        }
        let taken = if may_take && !self.stopping {
            self.service.claim(now)
        } else {
            None
        };
        let reply = match taken {
            Some(claim) => Reply::Claimed(claim),
            None if self.stopping => Reply::Problem(Problem::Stopping),
            None if is_due => Reply::NoContent,
            None => match self.hold(ix, until) {
                Ok(drive) => return Some(drive),
                Err(problem) => Reply::Problem(problem),
            },
        };
        // Only a claim is a change that must be durable first.
        let barrier = taken.map_or(0, |_| self.service.barrier());
        self.settle(ix, reply);
        self.conns.get_mut(ix)?.barrier = barrier;
        None
    }

    /// Calls the first of those who wait for work, where there is some, and the one before it has looked.
    pub(super) fn call_worker(&mut self) {
        let Some(ix) = self.held.claims.head() else {
            return;
        };
        if self.held.called.is_none() && self.service.has_work() {
            self.held.called = Some(ix);
            self.wake(ix);
        }
    }

    /// Gives the job back that a connection has claimed and was not told of: it closes.
    pub(in crate::server) fn give_back(&mut self, ix: Ix) {
        if let Some(Reply::Claimed(claim)) = self.conns.get(ix).map(|conn| conn.reply) {
            self.service.give_back(&claim);
        }
    }

    /// What to answer to a claim: the job, unless it was called off or lost while the answer waited.
    pub(in crate::server) fn settled_claim(&self, claim: Claim) -> Result<Reply, Written> {
        if !self.service.is_claimed(&claim) {
            return Ok(Reply::NoContent);
        }
        known(self.service.durable_job(claim.job))?;
        Ok(Reply::Claimed(claim))
    }

    /// Writes a job as its worker is given it.
    pub(in crate::server) fn write_claimed(
        &self,
        claim: &Claim,
        out: &mut Out<'_>,
    ) -> Result<(), Written> {
        let event = known(self.service.durable_job(claim.job))?;
        out.put(b"{\"job\":");
        self.service.write_job_as(claim.job, &event, out);
        out.put(b",\"lease\":");
        out.put_u64(claim.lease.into());
        out.put(b",\"lease_ms\":");
        out.put_u64(self.config.service.lease_ms);
        #[cfg(feature = "media")]
        self.write_input_link(claim.job, claim.id, claim.lease, out);
        out.put(b"}");
        Ok(())
    }
}
