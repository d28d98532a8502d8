//! Reads: whoever asks how a job is hears no older state than what anybody was told before he asked.

use super::{Oracle, jobs_in};
use dubhook_core::id::Id;
use std::collections::BTreeMap;

/// How many jobs are asked for again and again.
const NEWEST: usize = 3;

/// How far each job had come, as far as anybody was told.
pub(in crate::sim) type Known = BTreeMap<Id, u32>;

/// What anybody was told.
#[derive(Debug, Default)]
pub(super) struct Reads(Known);

impl Reads {
    /// Somebody is told.
    pub(super) fn told(&mut self, job: Id, sequence: u32) {
        let told = self.0.entry(job).or_insert(0);
        *told = sequence.max(*told);
    }
}

impl Oracle {
    /// What anybody was told until now.
    pub(in crate::sim) fn known(&self) -> Known {
        self.reads.0.clone()
    }

    /// The jobs of which anybody was told that were made last.
    pub(in crate::sim) fn newest_known(&self) -> Vec<Id> {
        self.reads.0.keys().rev().take(NEWEST).copied().collect()
    }

    /// Somebody who asked when this was known is shown this.
    pub(in crate::sim) fn read(&mut self, known: &Known, text: &str) {
        for (job, sequence) in jobs_in(text) {
            let before = known.get(&job).copied().unwrap_or(0);
            self.ensure(sequence >= before, "S16", || {
                format!(
                    "{sequence} of {job:?} is shown, and {before} was known before it was asked for"
                )
            });
            self.reads.told(job, sequence);
        }
    }

    /// Somebody who asked when this was known is told that there is no such job.
    pub(in crate::sim) fn read_nothing(&mut self, known: &Known, job: Id) {
        let is_gone = self.forgotten.contains(&job) || !known.contains_key(&job);
        self.ensure(is_gone, "S16", || {
            format!("{job:?} is not there, and was known before it was asked for")
        });
    }
}
