//! How much at once: the flow control of one endpoint.
//!
//! A lane is what an endpoint can take. Its window, the number of attempts that may be in flight,
//! starts at one, grows by one with each success up to a limit, halves when the receiver refuses, and
//! falls back to one when the receiver cannot be reached or asks for less. So a recovered endpoint's
//! backlog comes out gradually, and an endpoint that never answers holds one attempt, not many.
//!
//! An endpoint that asks for time gets it, as a pause of the whole lane; so does one whose attempts have failed several
//! times in a row, whatever they were for: it is probed, not flooded, with one attempt at a time and a pause before each
//! that doubles until it is as long as a delivery's own first one, or by chance up to half of it shorter. The first success
//! ends that. What waits meanwhile uses up none of its retries. Two things go past a pause, one attempt each time, and end
//! it: what somebody has asked for; and a first attempt where only retries have failed, for it never waits behind others'
//! late retries. All this is kept in memory alone: after a restart an endpoint's next few failures show anew how it is.
//!
//! What is the event's fault is not the endpoint's. A receiver that rejects a request (a 4xx that speaks of the request)
//! and has taken another one not long ago is as well as it was: that attempt neither narrows the window nor brings a pause.
//!
//! What one endpoint costs the others is not that it fails but how long it holds an attempt. So lanes are told apart by
//! their [`Pace`]: quick where the last attempt ended soon, however it ended; slow where it took long; new where none has
//! ended yet. Slow lanes may together hold half of all attempts, slow and new ones three quarters, and
//! the last quarter goes only to quick lanes that have nothing in flight and did not fail last: however many endpoints are
//! dead, or die at once, the living ones go on, and need not stand in line with them.

use super::{IN_LANE, QUEUED};
use crate::{
    slab::{Links, List, Node},
    time::Instant,
    timer::{Timed, Timer},
};
use zerocopy::FromZeros;

/// How long a lane's endpoint keeps an attempt, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
#[repr(u8)]
pub(super) enum Pace {
    /// No attempt has ended yet.
    New = 0,
    /// The last attempt ended soon.
    Quick,
    /// The last attempt took long.
    Slow,
}

/// The rings in which lanes wait for their turn, each with limits of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
#[repr(u8)]
pub(super) enum Ring {
    /// It waits in none.
    Nowhere = 0,
    /// Quick lanes with nothing in flight, whose last attempt was a success.
    Idle,
    /// Other quick lanes.
    Busy,
    /// New lanes.
    New,
    /// Slow lanes.
    Slow,
}

/// What a lane's pause holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
#[repr(u8)]
pub(super) enum Held {
    /// There is no pause.
    Nothing = 0,
    /// Retries; a first attempt may go, and ends it.
    Retries,
    /// Everything, but for what somebody asks for.
    All,
}

/// Why a lane pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
#[repr(u8)]
pub(crate) enum Pause {
    /// Several attempts in a row failed.
    Failing = 0,
    /// The receiver said that it is overloaded.
    Overloaded,
    /// The receiver asked for time.
    Asked,
}

impl Pause {
    /// The reason as a sentence.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Failing => "several attempts in a row failed",
            Self::Overloaded => "the receiver is overloaded",
            Self::Asked => "the receiver asked for time (Retry-After)",
        }
    }
}

/// What counts as soon, in milliseconds.
const QUICK_MS: u64 = 1_000;

/// How many failures in a row make an endpoint one that is probed.
const PROBED_AFTER: u8 = 3;

/// For how long an endpoint that has taken something is believed to be well though it rejects other requests, in
/// milliseconds: an hour.
const TAKES_OTHERS_MS: u64 = 3_600_000;

/// One endpoint's flow: its window and the streams that wait in it.
#[derive(Debug, Clone, Copy, FromZeros)]
pub(crate) struct Lane<F> {
    /// Which events its endpoint wants.
    pub(super) filter: F,
    /// What may not be sent now.
    pub(super) held: Held,
    /// Failures since the last success, as far as they do not belong to the same moment.
    failures: u8,
    /// Whether a first attempt is among them.
    first_failed: bool,
    /// Why it pauses, while it does.
    pub(super) why: Pause,
    /// Whether somebody has asked for a delivery: one may go past a pause.
    pub(super) asked: bool,
    /// Whether its endpoint exists and wants events.
    pub(super) open: bool,
    /// Whether room is kept for a stream of every subject under way.
    pub(super) counted: bool,
    pub(super) pace: Pace,
    /// Where it waits for its turn.
    pub(super) ring: Ring,
    /// First attempts taken since the last retry was.
    fresh_taken: u8,
    window: u16,
    pub(super) in_flight: u16,
    /// When its endpoint took something last, or from when on it has only rejected; zero before either.
    taken_at: Instant,
    /// The name of the host whose callbacks it carries; 0 for an endpoint's lane, or before the first.
    pub(super) host: u32,
    /// The publication at which a stream of this lane was last seen, so that none is owed twice.
    pub(super) mark: u64,
    /// Whether its endpoint was removed and its streams with it.
    pub(super) removing: bool,
    pub(super) fresh: List<QUEUED>,
    pub(super) retries: List<QUEUED>,
    pub(super) live: List<IN_LANE>,
    pub(super) dead: List<IN_LANE>,
    links: Links,
    /// The end of its pause.
    pub(super) timer: Timer,
}

/// How many first attempts are made before a retry that waits gets its turn, so that a stream of new
/// events does not starve it.
const FRESH_PER_RETRY: u8 = 8;

impl<F> Node<0> for Lane<F> {
    fn links(&self) -> &Links {
        &self.links
    }
    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}

impl<F> Timed for Lane<F> {
    fn timer_mut(&mut self) -> &mut Timer {
        &mut self.timer
    }
}

impl<F: Copy> Lane<F> {
    /// A lane that serves nobody; with a filter that is all zero it is all zero.
    #[must_use]
    pub(crate) const fn closed(filter: F) -> Self {
        Self {
            filter,
            held: Held::Nothing,
            failures: 0,
            first_failed: false,
            why: Pause::Failing,
            asked: false,
            open: false,
            counted: false,
            pace: Pace::New,
            ring: Ring::Nowhere,
            fresh_taken: 0,
            window: 0,
            in_flight: 0,
            taken_at: Instant::ZERO,
            host: 0,
            mark: 0,
            removing: false,
            fresh: List::EMPTY,
            retries: List::EMPTY,
            live: List::EMPTY,
            dead: List::EMPTY,
            links: Links::NONE,
            timer: Timer::NONE,
        }
    }

    /// A lane that callbacks share, which is never closed. They have no filter.
    pub(super) const fn shared(filter: F) -> Self {
        Self {
            open: true,
            ..Self::closed(filter)
        }
    }

    /// Whether an attempt could be made now.
    pub(super) fn is_ready(&self) -> bool {
        let waits = match self.held {
            Held::Nothing => !(self.fresh.is_empty() && self.retries.is_empty()),
            Held::Retries => !self.fresh.is_empty(),
            Held::All => self.asked && !self.fresh.is_empty(),
        };
        waits && self.open && self.in_flight < self.window.max(1)
    }

    /// Whether the next attempt should be a retry; `false` means a first attempt. That is what goes past a pause.
    pub(super) fn takes_retry(&mut self) -> bool {
        let retry = self.held == Held::Nothing
            && !self.retries.is_empty()
            && (self.fresh.is_empty() || self.fresh_taken >= FRESH_PER_RETRY);
        self.fresh_taken = if retry {
            0
        } else {
            self.fresh_taken.saturating_add(1)
        };
        retry
    }

    /// The queue of retries, or that of first attempts.
    pub(super) const fn queue(&mut self, retry: bool) -> &mut List<QUEUED> {
        if retry {
            &mut self.retries
        } else {
            &mut self.fresh
        }
    }

    /// The ring in which it is to wait for its turn.
    pub(super) const fn place(&self) -> Ring {
        match self.pace {
            Pace::Quick if self.in_flight == 0 && self.failures == 0 => Ring::Idle,
            Pace::Quick => Ring::Busy,
            Pace::New => Ring::New,
            Pace::Slow => Ring::Slow,
        }
    }

    /// Learns how long an attempt took.
    pub(super) const fn took(&mut self, ms: u64) {
        self.pace = if ms <= QUICK_MS {
            Pace::Quick
        } else {
            Pace::Slow
        };
    }

    pub(super) fn succeeded(&mut self, now: Instant, window_max: u16) {
        self.failures = 0;
        self.first_failed = false;
        self.taken_at = now;
        self.window = self.window.saturating_add(1).clamp(1, window_max.max(1));
    }

    /// Whether a request that its endpoint rejects says nothing of the endpoint. One that has not taken anything yet gets
    /// the benefit of the doubt for as long as one that has.
    pub(super) fn rejects_the_event(&mut self, now: Instant) -> bool {
        if self.taken_at == Instant::ZERO {
            self.taken_at = now;
        }
        now.ms_since(self.taken_at) < TAKES_OTHERS_MS
    }

    pub(super) fn refused(&mut self) {
        self.window = (self.window / 2).max(1);
    }

    pub(super) const fn unreachable(&mut self) {
        self.window = 1;
    }

    /// Counts a failure, that of a first attempt or of a retry. Returns how often the pause that it brings about doubles
    /// the first one; none where it brings about none.
    pub(super) fn failed(&mut self, first: bool) -> Option<u8> {
        self.first_failed |= first;
        if self.held != Held::Nothing {
            // It began before the pause did: it tells nothing of whether that has helped.
            self.hold();
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        let doublings = self.failures.checked_sub(PROBED_AFTER)?;
        self.window = 1;
        Some(doublings)
    }

    /// Begins a pause, or holds more back in the one that there is.
    pub(super) const fn hold(&mut self) {
        self.held = if self.first_failed || matches!(self.held, Held::All) {
            Held::All
        } else {
            Held::Retries
        };
    }

    /// Forgets how its endpoint has fared: it is another one, or somebody has seen to it.
    pub(super) const fn forgive(&mut self) {
        self.held = Held::Nothing;
        self.failures = 0;
        self.first_failed = false;
        self.asked = false;
        self.taken_at = Instant::ZERO;
    }
}
