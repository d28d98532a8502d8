//! What a service allows: sizes, times and counts, each with a number.

use super::{EVENT_BYTES_OVERHEAD, JOB_BYTES_OVERHEAD};
use crate::{
    delivery::OutboxLimits,
    dispatch,
    job::{State, changes_left},
    language::TAG_BYTES_MAX,
};

/// What a service allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a video's URL, and of an output's.
    pub url_bytes_max: usize,
    /// Bytes of an endpoint's URL and of a callback's. A header must hold them.
    pub callback_bytes_max: usize,
    /// Bytes of a job's reference.
    pub reference_bytes_max: usize,
    /// Bytes of an error's sentence; longer ones are cut.
    pub error_bytes_max: usize,
    /// Bytes of an endpoint's description.
    pub description_bytes_max: usize,
    /// How often a worker may start on a job before it is given up.
    pub attempts_max: u8,
    /// How long a worker may be silent before its job goes to another, in milliseconds.
    pub lease_ms: u64,
    /// How long an ended job stays in memory, in milliseconds; less where room is wanted.
    pub retain_ms: u64,
    /// How long an idempotency key is remembered, in milliseconds.
    pub key_ms: u64,
    /// How long the previous secret stays alive after a rotation, in milliseconds.
    pub secret_overlap_ms: u64,
    /// After how long without one success an endpoint is disabled, in milliseconds.
    pub disable_after_ms: u64,
    /// How long one delivery attempt may take, its whole answer included, in milliseconds.
    pub attempt_ms: u64,
    /// Deliveries: schedule and windows.
    pub outbox: OutboxLimits,
    /// Whether workers claim jobs over the API. They do not come out of [`poll`](crate::server::Server::poll) then.
    #[cfg(feature = "hub")]
    pub remote_workers: bool,
}

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// Bytes of a job's request beside its texts: id, time, two flags, five lengths.
const JOB_RECORD_BYTES: usize = 16 + 8 + 2 + 5 * 2;
/// Bytes of a job's state beside its text: the event, the attempts, a length.
const STATE_RECORD_BYTES: usize = 14 + 1 + 2;

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

impl Limits {
    /// What a server allows.
    pub const SERVER: Self = Self {
        url_bytes_max: 2_048,
        callback_bytes_max: 2_048,
        reference_bytes_max: 256,
        error_bytes_max: 512,
        description_bytes_max: 256,
        attempts_max: 3,
        lease_ms: MINUTE_MS,
        retain_ms: DAY_MS,
        key_ms: DAY_MS,
        secret_overlap_ms: DAY_MS,
        disable_after_ms: 5 * DAY_MS,
        attempt_ms: 15_000,
        outbox: OutboxLimits::STANDARD,
        #[cfg(feature = "hub")]
        remote_workers: false,
    };

    /// What a device with 64 KiB of memory allows.
    pub const DEVICE: Self = Self {
        url_bytes_max: 120,
        callback_bytes_max: 120,
        reference_bytes_max: 32,
        error_bytes_max: 96,
        description_bytes_max: 32,
        attempts_max: 2,
        ..Self::SERVER
    };

    /// What of it is a dispatcher's.
    pub(super) const fn dispatch(&self) -> dispatch::Limits {
        dispatch::Limits {
            url_bytes_max: self.callback_bytes_max,
            description_bytes_max: self.description_bytes_max,
            secret_overlap_ms: self.secret_overlap_ms,
            disable_after_ms: self.disable_after_ms,
            attempt_ms: self.attempt_ms,
            outbox: self.outbox,
        }
    }

    /// How many changes of state a job can go through at most: accepted, then started and lost again
    /// for each attempt, the last of which ends it.
    #[must_use]
    pub const fn state_events_max(&self) -> u8 {
        changes_left(State::NEW, self.attempts_max).saturating_add(1)
    }

    /// The most bytes of a record's value.
    #[must_use]
    pub const fn record_bytes_max(&self) -> usize {
        // Each text has its length before it. Of the records a job's request and an endpoint's are the longest.
        let job = self.url_bytes_max
            + 2 * TAG_BYTES_MAX
            + self.reference_bytes_max
            + self.callback_bytes_max
            + JOB_RECORD_BYTES;
        let endpoint = self.dispatch().record_bytes_max(1);
        let state = self.result_bytes_max() + STATE_RECORD_BYTES;
        max(max(job, endpoint), state)
    }

    /// The most bytes of what a service with an archive saves at once: a record's value, or an ended job as JSON.
    #[must_use]
    pub const fn archive_bytes_max(&self) -> usize {
        max(self.record_bytes_max(), self.job_bytes_max())
    }

    /// The most bytes of a job's JSON.
    pub(crate) const fn job_bytes_max(&self) -> usize {
        // A string at its longest is all escapes of six bytes; URLs hold nothing to escape.
        2 * self.url_bytes_max
            + 6 * (self.reference_bytes_max + self.error_bytes_max)
            + JOB_BYTES_OVERHEAD
    }

    /// The most bytes of an event's body and one URL: what the scratch memory must have room for.
    #[must_use]
    pub const fn scratch_bytes_max(&self) -> usize {
        self.job_bytes_max() - JOB_BYTES_OVERHEAD + EVENT_BYTES_OVERHEAD
    }

    /// The longest text that an ending brings, in bytes.
    pub(super) const fn result_bytes_max(&self) -> usize {
        max(self.url_bytes_max, self.error_bytes_max)
    }
}
