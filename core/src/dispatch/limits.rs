//! What a dispatcher allows: sizes, times and counts, each with a number.

use crate::{
    delivery::OutboxLimits,
    endpoint::{REPLACED_MAX, SECRET_BYTES_MAX},
};

/// What a dispatcher allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an endpoint's URL and of a callback's. A header must hold them.
    pub url_bytes_max: usize,
    /// Bytes of an endpoint's description.
    pub description_bytes_max: usize,
    /// How long a replaced secret stays alive, in milliseconds.
    pub secret_overlap_ms: u64,
    /// After how long without one success an endpoint is disabled, in milliseconds: time in which the machine ran and tried,
    /// and not before ten attempts.
    pub disable_after_ms: u64,
    /// How long one delivery attempt may take, its whole answer included, in milliseconds.
    pub attempt_ms: u64,
    /// Schedule and windows.
    pub outbox: OutboxLimits,
}

const DAY_MS: u64 = 24 * 60 * 60_000;

/// Bytes of a secret that is made here. A longer one can only be given, and that once: when the endpoint is made.
const MADE_SECRET_BYTES: usize = 32;

/// Bytes of an endpoint's record beside its texts and its filter: id, time, two bytes, its subject, its secret, two times,
/// four lengths, three numbers of its failures, and the number of secrets that were replaced and these, each with a length and a time.
const ENDPOINT_RECORD_BYTES: usize = 16
    + 8
    + 2
    + 4
    + SECRET_BYTES_MAX
    + 2 * 8
    + 4 * 2
    + 4
    + 2 * 8
    + 1
    + REPLACED_MAX * (MADE_SECRET_BYTES + 2 + 8);

impl Limits {
    /// What a server allows.
    pub const SERVER: Self = Self {
        url_bytes_max: 2_048,
        description_bytes_max: 256,
        secret_overlap_ms: DAY_MS,
        disable_after_ms: 5 * DAY_MS,
        attempt_ms: 15_000,
        outbox: OutboxLimits::STANDARD,
    };

    /// What a device with 64 KiB of memory allows.
    pub const DEVICE: Self = Self {
        url_bytes_max: 120,
        description_bytes_max: 32,
        ..Self::SERVER
    };

    /// The most bytes of an endpoint's record whose filter takes `filter_bytes`: the longest record.
    #[must_use]
    pub const fn record_bytes_max(&self, filter_bytes: usize) -> usize {
        self.url_bytes_max + self.description_bytes_max + ENDPOINT_RECORD_BYTES + filter_bytes
    }
}
