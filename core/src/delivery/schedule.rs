//! When to try again: pauses, jitter, and what a receiver's `Retry-After` may change.
//!
//! The first attempt is made at once. After attempt number n has failed, the schedule's n-th pause is
//! waited for, give or take ten percent so that a crowd of failed deliveries does not come back as a
//! crowd. A receiver's hint can make a pause longer, up to a limit, never shorter; and then the jitter
//! only lengthens it. When the pauses are used up, the delivery is a dead letter.
//!
//! ```
//! use dubhook_core::{dispatch::Schedule, random::Random};
//!
//! let schedule = Schedule::STANDARD;
//! let mut random = Random::new([3; 32]);
//! let pause_ms = schedule.pause_ms(1, None, &mut random).unwrap();
//! assert!((4_500..=5_500).contains(&pause_ms));
//! let pause_ms = schedule.pause_ms(1, Some(60_000), &mut random).unwrap();
//! assert!((60_000..=66_000).contains(&pause_ms));
//! assert_eq!(schedule.pause_ms(8, None, &mut random), None);
//! ```

use crate::random::Random;

/// The most pauses that a schedule can have.
pub(super) const PAUSES_MAX: usize = 15;

/// The pauses between the attempts of one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    pauses_ms: [u32; PAUSES_MAX],
    len: u8,
}

/// The longest pause that a `Retry-After` can ask for: a day.
pub(crate) const RETRY_AFTER_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// How far a pause may be off its mark, in percent.
pub(super) const JITTER_PERCENT: u64 = 10;

impl Schedule {
    /// Attempts at once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 10 h, as Standard
    /// Webhooks suggests.
    pub const STANDARD: Self = Self::new(&[
        5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000,
    ]);

    /// A schedule of these pauses. Those past the first 15 are left out.
    #[must_use]
    pub const fn new(pauses_ms: &[u32]) -> Self {
        let mut schedule = Self {
            pauses_ms: [0; PAUSES_MAX],
            len: 0,
        };
        let mut rest = pauses_ms;
        let mut room: &mut [u32] = &mut schedule.pauses_ms;
        while let ([first, others @ ..], [place, free @ ..]) = (rest, room) {
            *place = *first;
            schedule.len += 1;
            rest = others;
            room = free;
        }
        schedule
    }

    /// How many attempts a delivery gets in all.
    #[must_use]
    pub const fn attempts_max(&self) -> u8 {
        self.len + 1
    }

    /// The schedule's own pause after `attempts` failed attempts, without jitter.
    #[must_use]
    pub fn step_ms(&self, attempts: u8) -> Option<u64> {
        let step = usize::from(attempts).checked_sub(1)?;
        if step >= usize::from(self.len) {
            return None;
        }
        self.pauses_ms.get(step).map(|ms| u64::from(*ms))
    }

    /// How long to wait after `attempts` failed attempts, in milliseconds; `None` when that was the
    /// last one. `hint_ms` is what the receiver asked for, if it did.
    #[must_use]
    pub fn pause_ms(&self, attempts: u8, hint_ms: Option<u64>, random: &mut Random) -> Option<u64> {
        let step = self.step_ms(attempts)?;
        let Some(hint) = hint_ms else {
            let spread = step * JITTER_PERCENT / 100;
            return Some(step - spread + random.below(2 * spread + 1));
        };
        let pause = step.max(hint.min(RETRY_AFTER_MS_MAX));
        Some(pause + random.below(pause * JITTER_PERCENT / 100 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(attempts: u8, hint_ms: Option<u64>, range: Option<(u64, u64)>) {
        let mut random = Random::new([attempts; 32]);
        for _ in 0..200 {
            let pause = Schedule::STANDARD.pause_ms(attempts, hint_ms, &mut random);
            match range {
                None => assert_eq!(pause, None),
                Some((least, most)) => {
                    let pause = pause.unwrap();
                    assert!((least..=most).contains(&pause), "{pause}");
                }
            }
        }
    }

    #[test]
    fn pauses_follow_the_schedule_within_ten_percent() {
        check(0, None, None);
        check(1, None, Some((4_500, 5_500)));
        check(2, None, Some((270_000, 330_000)));
        check(7, None, Some((32_400_000, 39_600_000)));
        check(8, None, None);
        check(u8::MAX, None, None);
        assert_eq!(Schedule::STANDARD.attempts_max(), 8);
    }

    #[test]
    fn a_hint_lengthens_a_pause_and_never_shortens_it() {
        check(1, Some(0), Some((5_000, 5_500)));
        check(1, Some(5_000), Some((5_000, 5_500)));
        check(1, Some(7_000), Some((7_000, 7_700)));
        check(1, Some(u64::MAX), Some((86_400_000, 95_040_000)));
        check(8, Some(7_000), None);
    }

    #[test]
    fn a_schedule_can_be_short_or_overlong() {
        let once = Schedule::new(&[]);
        assert_eq!(once.attempts_max(), 1);
        assert_eq!(once.step_ms(1), None);
        let long = Schedule::new(&[1; 40]);
        assert_eq!(usize::from(long.attempts_max()), PAUSES_MAX + 1);
    }
}
