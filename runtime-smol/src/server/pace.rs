//! The pace at which answers must be taken.
//!
//! A socket holds what its peer has not taken yet; what does not fit waits here, and its connection with it. From the
//! moment that something waits, its client has a time of grace, and each byte that is taken earns it more: so whoever
//! keeps the pace is waited for, and whoever does not is gone after a time that its answer's length bounds.

use dubhook_core::time::Instant;
use std::time::Duration;

/// How often in the time of grace it is looked whether a client takes something, and how long between two looks at least and at most.
const LOOKS: u64 = 8;
const LOOK_MS_MIN: u64 = 50;
const LOOK_MS_MAX: u64 = 5_000;

/// How slowly a client may take its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// How long it may take nothing, in milliseconds.
    pub(crate) grace_ms: u64,
    /// How much it must take after that.
    pub(crate) bytes_per_second_min: u64,
}

impl Pace {
    /// Half a minute of silence, and then as much as the machine demands of a body that comes in.
    pub(crate) const STANDARD: Self = Self {
        grace_ms: 30_000,
        bytes_per_second_min: 500,
    };

    pub(crate) fn new(grace: Duration, bytes_per_second_min: u64) -> Self {
        Self {
            grace_ms: grace.as_millis().try_into().unwrap_or(u64::MAX),
            bytes_per_second_min: bytes_per_second_min.max(1),
        }
    }

    /// How long the kernel's word of room is waited for, in milliseconds, before a write is tried without it: it says so only when a
    /// third of what a socket holds is free, and at a pace that keeps to this that may take minutes.
    pub(crate) fn look_ms(self) -> u64 {
        (self.grace_ms / LOOKS).clamp(LOOK_MS_MIN, LOOK_MS_MAX)
    }

    const fn allowed_ms(self, taken: u64) -> u64 {
        let earned_ms = taken.saturating_mul(1_000) / self.bytes_per_second_min;
        self.grace_ms.saturating_add(earned_ms)
    }
}

/// How a client takes what waits for it.
#[derive(Debug, Default)]
pub(super) struct Taking {
    /// Since when something waits, and how much it was then.
    waits: Option<(Instant, usize)>,
}

impl Taking {
    /// How long may be waited, in milliseconds, for a client that has `left` bytes to take. `None` where that is over.
    pub(super) fn left_ms(&mut self, now: Instant, left: usize, pace: Pace) -> Option<u64> {
        let (since, start) = *self.waits.get_or_insert((now, left));
        let taken = start.saturating_sub(left) as u64;
        let allowed_ms = pace.allowed_ms(taken);
        let left_ms = allowed_ms.saturating_sub(now.ms_since(since));
        (left_ms > 0).then_some(left_ms)
    }

    /// Nothing waits any more.
    pub(super) const fn end(&mut self) {
        self.waits = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER_BYTES: usize = 60_000;

    /// After how many milliseconds a client is given up that takes `bytes` every `every_ms`; `None` where it gets it all.
    fn given_up(bytes: usize, every_ms: u64) -> Option<u64> {
        let mut taking = Taking::default();
        let (mut now, mut left) = (Instant::ZERO, ANSWER_BYTES);
        loop {
            match taking.left_ms(now, left, Pace::STANDARD) {
                None => return Some(now.ms_since(Instant::ZERO)),
                Some(left_ms) if left_ms < every_ms => now = now.after_ms(left_ms),
                Some(_) => {
                    now = now.after_ms(every_ms);
                    left = left.saturating_sub(bytes);
                }
            }
            if left == 0 {
                return None;
            }
        }
    }

    #[test]
    fn a_trickle_does_not_buy_time() {
        assert_eq!(given_up(0, 1_000), Some(30_000), "nothing at all");
        assert_eq!(given_up(1, 29_000), Some(30_002), "a byte every 29 s");
        assert_eq!(given_up(1, 1_000), Some(30_060), "a byte a second");
        assert_eq!(given_up(400, 1_000), Some(146_800), "below the pace");
        assert_eq!(given_up(500, 1_000), None, "at the pace");
        assert_eq!(
            given_up(ANSWER_BYTES, 29_999),
            None,
            "late, and all at once"
        );
    }

    #[test]
    fn each_answer_has_its_own_time() {
        let mut taking = Taking::default();
        let at = |ms| Instant::ZERO.after_ms(ms);
        assert_eq!(taking.left_ms(at(0), 10, Pace::STANDARD), Some(30_000));
        assert_eq!(taking.left_ms(at(29_000), 10, Pace::STANDARD), Some(1_000));
        taking.end();
        assert_eq!(taking.left_ms(at(40_000), 10, Pace::STANDARD), Some(30_000));
    }

    #[test]
    fn no_pace_overflows() {
        let pace = Pace::new(Duration::MAX, 0);
        let mut taking = Taking::default();
        assert_eq!(taking.left_ms(Instant::ZERO, 1, pace), Some(u64::MAX));
    }
}
