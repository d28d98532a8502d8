//! An alarm that the thread rings which waits for the connections itself.

use crate::signal::Signal;
use rustix::time::Timespec;
use std::{
    cell::Cell,
    task::{Context, Poll},
    time::Instant,
};

/// Not to wait at all.
pub(super) const AT_ONCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// Rings at a time that one task sets, in the thread that waits here.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    at: Cell<Option<Instant>>,
    rang: Signal,
}

impl Alarm {
    pub(super) fn set(&self, at: Instant) {
        self.at.set(Some(at));
    }

    /// Whether it has rung. It does so once for each time that was set.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        self.rang.poll_raised(cx).map(|()| _ = self.rang.take())
    }

    /// Rings if it is time, and says how long it is until then otherwise.
    pub(super) fn look(&self) -> Option<Timespec> {
        let left = self.at.get()?.saturating_duration_since(Instant::now());
        if left.is_zero() {
            self.at.set(None);
            self.rang.raise();
            return Some(AT_ONCE);
        }
        // Whole milliseconds, for that is how long an epoll can wait, and none too few.
        let left_ms = left.as_micros().div_ceil(1_000);
        Some(Timespec {
            tv_sec: i64::try_from(left_ms / 1_000).unwrap_or(i64::MAX),
            tv_nsec: (left_ms % 1_000) as i64 * 1_000_000,
        })
    }
}
