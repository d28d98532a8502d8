//! Leases: no two workers have a job under the same one, and nobody ends a job that another one has.

use super::Oracle;
use dubhook_core::id::Id;
use std::collections::{BTreeMap, BTreeSet};

/// What was seen of leases.
#[derive(Debug, Default)]
pub(super) struct Leases {
    /// Those that workers were told of.
    told: BTreeSet<(Id, u64)>,
    /// Under which one a worker has ended a job.
    ended: BTreeMap<Id, u64>,
}

impl Oracle {
    /// A worker is told that it has a job.
    pub(crate) fn claimed(&mut self, job: Id, lease: u64) {
        let new = self.leases.told.insert((job, lease));
        self.ensure(new, "R1", || {
            format!("{job:?} is given to two under lease {lease}")
        });
        self.check_lease(job);
    }

    /// A worker is told that it has ended a job.
    pub(crate) fn ended_under(&mut self, job: Id, lease: u64) {
        self.leases.ended.insert(job, lease);
        self.check_lease(job);
    }

    /// How many jobs were given to workers, and how many of them those have ended.
    pub(crate) fn claims(&self) -> (u64, u64) {
        let (told, ended) = (self.leases.told.len(), self.leases.ended.len());
        (told as u64, ended as u64)
    }

    /// A job that was ended under a lease was never given away under a later one.
    fn check_lease(&mut self, job: Id) {
        let mut of_job = self.leases.told.range((job, 0)..=(job, u64::MAX));
        let newest = of_job.next_back().map(|(_, lease)| *lease);
        let ended = self.leases.ended.get(&job).copied();
        if let (Some(ended), Some(newest)) = (ended, newest) {
            self.ensure(newest <= ended, "R1", || {
                format!("{job:?} was ended under {ended}, and another worker had it under {newest}")
            });
        }
    }
}
