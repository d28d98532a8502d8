//! What an outbox allows itself, and how long it leaves an endpoint alone that fails.

use super::{RETRY_AFTER_MS_MAX, Schedule};
use crate::random::Random;

/// What an outbox allows itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxLimits {
    /// When failed attempts are made again.
    pub schedule: Schedule,
    /// Attempts in flight to one endpoint at most.
    pub window_max: u16,
    /// How long an overloaded endpoint that gave no hint is left alone, in milliseconds.
    pub throttle_ms: u64,
    /// How long an endpoint is left alone that has failed a few times in a row, in milliseconds; it doubles with each
    /// failure more, up to the schedule's first pause. 0 is never.
    pub probe_ms: u32,
}

impl OutboxLimits {
    /// The standard schedule, 32 attempts in flight to an endpoint, a throttle of 5 s, probes after 100 ms at first.
    pub const STANDARD: Self = Self {
        schedule: Schedule::STANDARD,
        window_max: 32,
        throttle_ms: 5_000,
        probe_ms: 100,
    };

    /// How long to wait before an endpoint is probed, when `probe_ms` has been doubled so often: that, or up to half of it
    /// less, so that endpoints that fail together do not come back together. It is never more, so that a delivery that is
    /// alone does not wait for longer than its schedule says.
    pub(super) fn probe_pause_ms(&self, doublings: u8, random: &mut Random) -> u64 {
        let most = self.schedule.step_ms(1).unwrap_or(self.throttle_ms);
        let most = most.min(RETRY_AFTER_MS_MAX) as u32;
        let doublings = doublings.min(DOUBLINGS_MAX);
        let pause = if self.probe_ms <= most >> doublings {
            self.probe_ms << doublings
        } else {
            most
        };
        u64::from(pause) - random.below(u64::from(pause / 2) + 1)
    }
}

/// How often the pause of an endpoint that fails is doubled at most.
const DOUBLINGS_MAX: u8 = 16;
