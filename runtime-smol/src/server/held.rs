//! The server's clock, which passes no deadline before what has arrived by then was read.
//!
//! A process that was stopped for a while wakes up late: deadlines have passed, and answers, requests and reports that came in
//! time lie in its sockets. So nobody sees a time at which something is due but the [pump](super::pump), which first has
//! everything read that is there. What was read then came in time, as far as anybody can tell.

use crate::clock::Clock;
use dubhook_core::time::{Instant, Now};
use std::cell::Cell;

/// A clock that is held just before the next deadline.
#[derive(Debug)]
pub(super) struct HeldClock {
    clock: Clock,
    /// The next deadline; none where there is none.
    due: Cell<Option<Instant>>,
    /// What it showed last: it never goes back.
    latest: Cell<Instant>,
}

impl HeldClock {
    pub(super) const fn new(clock: Clock) -> Self {
        Self {
            clock,
            due: Cell::new(None),
            latest: Cell::new(Instant::ZERO),
        }
    }

    /// The clock that nobody holds.
    pub(super) const fn clock(&self) -> Clock {
        self.clock
    }

    /// The present moment, or the last one before something is due.
    pub(super) fn now(&self) -> Now {
        let now = self.clock.now();
        let instant = self.hold(now.instant);
        Now { instant, ..now }
    }

    fn hold(&self, now: Instant) -> Instant {
        let before = |due: Instant| Instant::from_ms(due.as_ms().saturating_sub(1));
        let held = self.due.get().map_or(now, |due| now.min(before(due)));
        let shown = held.max(self.latest.get());
        self.latest.set(shown);
        shown
    }

    /// Something is due then, and not before.
    pub(super) fn hold_before(&self, due: Option<Instant>) {
        self.due.set(due);
    }

    /// By how many milliseconds what is due is late.
    pub(super) fn late_ms(&self) -> u64 {
        let now = self.clock.now().instant;
        self.due.get().map_or(0, |due| now.ms_since(due))
    }

    /// What is due may be judged.
    pub(super) fn let_go(&self) {
        self.due.set(None);
    }

    /// When `instant` is on the clock of the operating system.
    pub(super) fn at(&self, instant: Instant) -> std::time::Instant {
        self.clock.at(instant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_deadline_is_passed_before_it_is_let_go_and_no_time_comes_back() {
        let clock = HeldClock::new(Clock::start());
        let at = Instant::from_ms;
        assert_eq!(clock.hold(at(5)), at(5));
        clock.hold_before(Some(at(10)));
        assert_eq!(clock.hold(at(7)), at(7));
        assert_eq!(clock.hold(at(17_000)), at(9));
        clock.let_go();
        assert_eq!(clock.hold(at(17_000)), at(17_000));
        // One that was due already.
        clock.hold_before(Some(at(12)));
        assert_eq!(clock.hold(at(17_001)), at(17_000));
    }
}
