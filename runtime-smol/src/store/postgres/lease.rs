//! Until when a server may speak.
//!
//! Whoever owns the records says so again and again: each commit and each beat moves a number in the shard's row. A server
//! may speak for as long as its lease from the moment *before* it sent the last of them that succeeded. Whoever stands by
//! takes over when the number has not moved for the lease and a tenth after it *received* it. So the clocks of the two need
//! not agree, and only run at about the same rate: within a tenth.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// A moment on a clock that also goes on while the machine sleeps, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// The present one, by the operating system.
    #[must_use]
    pub fn now() -> Self {
        #[cfg(target_os = "linux")]
        let clock = rustix::time::ClockId::Boottime;
        // Where it goes on by itself.
        #[cfg(not(target_os = "linux"))]
        let clock = rustix::time::ClockId::Monotonic;
        let time = rustix::time::clock_gettime(clock);
        let (seconds, nanos) = (time.tv_sec as u64, time.tv_nsec as u64);
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    /// So many nanoseconds after the clock began.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The one that is so much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// How long after `earlier` it is.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    #[cfg(test)]
    pub(super) const fn at_ms(ms: u64) -> Self {
        Self(ms * 1_000_000)
    }
}

/// The lease of a server. Whoever asks whether it lasts waits for nobody.
#[derive(Debug)]
pub struct Lease {
    time: Duration,
    /// When the last success was sent, in nanoseconds; 0 where there is none.
    sent: AtomicU64,
}

impl Lease {
    /// One that lasts so long, and has not begun.
    #[must_use]
    pub const fn new(time: Duration) -> Self {
        Self {
            time,
            sent: AtomicU64::new(0),
        }
    }

    /// How long it lasts.
    #[must_use]
    pub const fn time(&self) -> Duration {
        self.time
    }

    /// What was sent then has succeeded.
    pub(super) fn renew(&self, sent: Moment) {
        self.sent.fetch_max(sent.0, Ordering::AcqRel);
    }

    /// It ends here.
    pub(super) fn end(&self) {
        self.sent.store(0, Ordering::Release);
    }

    /// When the last success was sent, if it has not ended.
    fn sent(&self) -> Option<Moment> {
        match self.sent.load(Ordering::Acquire) {
            0 => None,
            sent => Some(Moment(sent)),
        }
    }

    /// How long it still lasts.
    #[must_use]
    pub fn left(&self, now: Moment) -> Duration {
        let passed = self.sent().map(|sent| now.since(sent));
        passed.map_or(Duration::ZERO, |passed| self.time.saturating_sub(passed))
    }

    /// Whether it lasts at this moment.
    #[must_use]
    pub fn holds(&self, now: Moment) -> bool {
        self.sent().is_some_and(|sent| now.since(sent) < self.time)
    }

    /// Whether it was renewed within this time.
    pub(super) fn is_fresh(&self, now: Moment, within: Duration) -> bool {
        self.sent().is_some_and(|sent| now.since(sent) < within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_from_before_the_last_success_was_sent() {
        let lease = Lease::new(Duration::from_millis(3_000));
        let at = Moment::at_ms;
        assert!(!lease.holds(at(1)));
        lease.renew(at(1_000));
        assert!(lease.holds(at(3_999)) && !lease.holds(at(4_000)));
        // Successes may be told in any order.
        lease.renew(at(500));
        assert!(lease.holds(at(3_999)));
        lease.end();
        assert!(!lease.holds(at(1_001)));
    }
}
