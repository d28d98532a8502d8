//! What may be shown to readers: states that no crash can take back.
//!
//! A change becomes durable with the batch that it belongs to, and until then nobody is told of it. So that reading
//! need not wait while things change all the time, a job also keeps the state that it had when it was durable last.
//! Nothing older is ever shown: whoever was told of a change finds it, whatever has happened since.

use super::Service;
use crate::{event::Event, slab::Ix};

/// What of something may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Durable<T> {
    /// This.
    Is(T),
    /// Nothing: it was made a moment ago, and nobody was told of it.
    Nothing,
    /// What the next commit makes durable: it changed several times, and what it was before is not kept.
    Soon,
}

impl Service<'_> {
    /// The batch that makes everything durable that has happened so far. With nothing left to write it is one that
    /// was sealed: the open one may never come.
    #[must_use]
    pub const fn barrier(&self) -> u64 {
        if self.has_unsaved() {
            self.batch()
        } else {
            self.batch().saturating_sub(1)
        }
    }

    /// The event that left a job as it may be shown.
    #[must_use]
    pub(crate) fn durable_job(&self, ix: Ix) -> Durable<Event> {
        match self.jobs.get(ix) {
            None => Durable::Nothing,
            Some(job) if self.is_durable(job.changed) => Durable::Is(job.last),
            Some(job) if self.is_durable(job.unsettled_since) => Durable::Soon,
            Some(job) if job.settled.sequence == 0 => Durable::Nothing,
            Some(job) => Durable::Is(job.settled),
        }
    }

    /// Whether an endpoint may be shown, and for one that is narrowed to a job, the event that left it as it may be.
    #[must_use]
    #[cfg(feature = "webhook-api")]
    pub(crate) fn durable_endpoint(&self, ix: Ix) -> Durable<Option<Event>> {
        let Some(endpoint) = self.dispatch.endpoints.get(ix) else {
            return Durable::Nothing;
        };
        if !self.is_durable(endpoint.made) {
            return Durable::Nothing;
        }
        if !self.is_durable(endpoint.changed) {
            return Durable::Soon;
        }
        match endpoint.subject.map(|job| self.durable_job(job)) {
            None => Durable::Is(None),
            Some(Durable::Is(event)) => Durable::Is(Some(event)),
            Some(Durable::Nothing | Durable::Soon) => Durable::Soon,
        }
    }
}
