//! What a service allows: sizes, times and counts, each with a number.

use super::EVENT_BYTES_OVERHEAD;
use crate::{
    delivery::OutboxLimits,
    job::{State, changes_left},
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
    /// Whether workers claim jobs over the API. They do not come out of [`poll_work`](super::Service::poll_work) then.
    #[cfg(feature = "hub")]
    pub remote_workers: bool,
}

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

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

    /// How many changes of state a job can go through at most: accepted, then started and lost again
    /// for each attempt, the last of which ends it.
    #[must_use]
    pub const fn state_events_max(&self) -> u8 {
        changes_left(State::NEW, self.attempts_max).saturating_add(1)
    }

    /// The most bytes of an event's body and one URL: what the scratch memory must have room for.
    #[must_use]
    pub const fn scratch_bytes_max(&self) -> usize {
        2 * self.url_bytes_max
            + 6 * (self.reference_bytes_max + self.error_bytes_max)
            + EVENT_BYTES_OVERHEAD
    }

    /// The longest text that an ending brings, in bytes.
    pub(super) const fn result_bytes_max(&self) -> usize {
        if self.url_bytes_max > self.error_bytes_max {
            self.url_bytes_max
        } else {
            self.error_bytes_max
        }
    }
}
