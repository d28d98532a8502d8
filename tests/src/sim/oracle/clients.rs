//! What clients believe: it moves forward, it is true, and in the end it is all there is to know.

use super::Oracle;
use dubhook_core::{id::Id, job::Status};
use std::collections::BTreeMap;

/// What a client was told of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) struct Belief {
    pub(in crate::sim) job: Id,
    pub(in crate::sim) sequence: u32,
    pub(in crate::sim) status: Status,
}

/// How news come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum As {
    /// As something that has happened since.
    News,
    /// As how it is, which may be known.
    Current,
}

/// What each client believes, by job.
pub(super) type Beliefs = BTreeMap<(usize, Id), Belief>;

impl Oracle {
    /// A client has started, and knows nothing.
    pub(in crate::sim) fn client_started(&mut self, client: usize) {
        self.beliefs.retain(|(who, _), _| *who != client);
    }

    /// A client's application is told how a job is.
    pub(in crate::sim) fn client_told(&mut self, client: usize, belief: Belief, how: As) {
        let job = belief.job;
        let before = self.beliefs.get(&(client, job)).copied();
        let forward = before.is_none_or(|before| {
            let newer = belief.sequence > before.sequence && !before.status.is_terminal();
            newer || how == As::Current && belief.sequence <= before.sequence
        });
        self.ensure(forward, "C1", || {
            format!("client {client} believed {before:?}, and is told {belief:?}")
        });
        self.reads.told(job, belief.sequence);
        let ending = self.endings.get(&job).copied();
        let ended = ending.is_some_and(|ending| {
            ending.sequence == belief.sequence && ending.kind.status() == belief.status
        });
        let known = self.ever.contains(&job);
        self.ensure(
            known && (ended || !belief.status.is_terminal()),
            "C2",
            || format!("client {client} is told {belief:?}, and its end is {ending:?}"),
        );
        if before.is_none_or(|before| before.sequence < belief.sequence) {
            self.beliefs.insert((client, job), belief);
        }
    }

    /// A client is told that there is no such job.
    pub(in crate::sim) fn client_misses(&mut self, client: usize, job: Id) {
        let gone = self.forgotten.contains(&job);
        self.ensure(gone, "C2", || {
            format!("client {client} is told that there is no {job:?}")
        });
    }

    /// Whether a client knows how a job has ended.
    pub(in crate::sim) fn client_knows_end(&self, client: usize, job: Id) -> bool {
        let belief = self.beliefs.get(&(client, job));
        belief.is_some_and(|belief| belief.status.is_terminal())
    }
}
