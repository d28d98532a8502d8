//! The two clocks of the core, read from the operating system.

use dubhook_core::time::{Instant, Now, Timestamp};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that starts now.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: std::time::Instant,
}

impl Clock {
    /// A clock whose [`Instant`]s count from here.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: std::time::Instant::now(),
        }
    }

    /// The present moment on both clocks.
    #[must_use]
    pub fn now(&self) -> Now {
        Now {
            instant: Instant::from_ms(whole_ms(self.start.elapsed())),
            timestamp: timestamp(),
        }
    }

    /// When `instant` is on the clock of the operating system. The end of time is a year from the start.
    #[must_use]
    pub fn at(&self, instant: Instant) -> std::time::Instant {
        const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1_000;
        self.start + Duration::from_millis(instant.as_ms().min(YEAR_MS))
    }
}

/// The present moment, as the calendar says.
pub(crate) fn timestamp() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_unix_ms(whole_ms(since_1970.unwrap_or(Duration::ZERO)))
}

fn whole_ms(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}
