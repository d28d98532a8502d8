//! The life of a registration: every state, every step, in one table.
//!
//! ```text
//!            start             registered             gone
//!   ┌─────┐ ──────► ┌────────┐ ─────────► ┌──────┐ ──────────► wanted
//!   │ off │         │ wanted │            │ held │
//!   └─────┘ ◄────── └────────┘            └──────┘ ──────────► replacing ──► wanted
//!      ▲     close    │   ▲ start            │      disabled      removed
//!      │      refused ▼   │                  │ close
//!      │            ┌─────────┐              ▼
//!      │            │ refused │          leaving
//!      └────────────┴─────────┴──────────────┘ removed
//! ```
//!
//! A registration that is answered after its owner has closed is removed again.

use crate::{id::Id, time::Instant};

/// Where a registration is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) enum Registration {
    /// Nobody wants one.
    Off,
    /// To be made.
    Wanted,
    /// Made, and to be looked at again at this time.
    Held { endpoint: Id, check_at: Instant },
    /// The server does not want it.
    Refused,
    /// The server has disabled it: to be removed, and made anew.
    Replacing(Id),
    /// To be removed.
    Leaving(Id),
}

/// What can happen to a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trigger {
    /// Its owner wants to be told.
    Start,
    /// The server has made it.
    Registered { endpoint: Id, check_at: Instant },
    /// The server will not make it.
    Refused,
    /// The server still has it; to be looked at again at this time.
    Checked { check_at: Instant },
    /// The server does not know it any more.
    Gone,
    /// The server has disabled it of its own accord.
    Disabled,
    /// The server has removed it, or nobody waits for that any longer.
    Removed,
    /// Its owner no longer wants to be told.
    Close,
}

/// Takes one step. What does not fit a state changes nothing.
pub(super) const fn step(state: Registration, trigger: Trigger) -> Registration {
    use Registration::{Held, Leaving, Off, Refused, Replacing, Wanted};
    use Trigger::{Checked, Close, Disabled, Gone, Registered, Removed, Start};

    match (state, trigger) {
        (Off | Refused, Start) => Wanted,
        (Wanted, Registered { endpoint, check_at }) => Held { endpoint, check_at },
        (Off, Registered { endpoint, .. }) => Leaving(endpoint),
        (Wanted, Trigger::Refused) => Refused,

        (Held { endpoint, .. }, Checked { check_at }) => Held { endpoint, check_at },
        (Held { .. }, Gone) => Wanted,
        (Held { endpoint, .. }, Disabled) => Replacing(endpoint),
        (Replacing(_), Removed) => Wanted,

        (Off | Wanted | Refused, Close) => Off,
        (Held { endpoint, .. } | Replacing(endpoint) | Leaving(endpoint), Close) => {
            Leaving(endpoint)
        }
        (Leaving(_), Removed) => Off,
        (_, _) => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Trigger::{Close, Disabled, Gone, Refused, Removed, Start};

    const ID: Id = Id::from_bits(1);
    const REGISTERED: Trigger = Trigger::Registered {
        endpoint: ID,
        check_at: Instant::from_ms(7),
    };
    const CHECKED: Trigger = Trigger::Checked {
        check_at: Instant::from_ms(8),
    };
    const HELD: Registration = held(7);

    const fn held(check_at_ms: u64) -> Registration {
        Registration::Held {
            endpoint: ID,
            check_at: Instant::from_ms(check_at_ms),
        }
    }

    /// Lets all of `path` happen, from the start of a life on.
    #[track_caller]
    fn check(path: &[Trigger], expect: Registration) {
        let end = path
            .iter()
            .fold(Registration::Off, |state, what| step(state, *what));
        assert_eq!(end, expect, "{path:?}");
    }

    #[test]
    fn a_registration_is_made_kept_and_removed() {
        check(&[Start], Registration::Wanted);
        check(&[Start, REGISTERED], HELD);
        check(&[Start, REGISTERED, CHECKED], held(8));
        check(&[Start, REGISTERED, Close], Registration::Leaving(ID));
        check(&[Start, REGISTERED, Close, Removed], Registration::Off);
    }

    #[test]
    fn one_that_is_lost_is_made_again() {
        check(&[Start, REGISTERED, Gone], Registration::Wanted);
        check(&[Start, REGISTERED, Gone, REGISTERED], HELD);
        check(&[Start, REGISTERED, Disabled], Registration::Replacing(ID));
        check(
            &[Start, REGISTERED, Disabled, Removed],
            Registration::Wanted,
        );
        check(
            &[Start, REGISTERED, Disabled, Close],
            Registration::Leaving(ID),
        );
    }

    #[test]
    fn one_that_is_refused_waits_for_its_owner() {
        check(&[Start, Refused], Registration::Refused);
        check(&[Start, Refused, REGISTERED], Registration::Refused);
        check(&[Start, Refused, Start], Registration::Wanted);
        check(&[Start, Refused, Close], Registration::Off);
    }

    #[test]
    fn one_that_comes_after_the_end_is_removed_again() {
        check(&[Start, Close], Registration::Off);
        check(&[Start, Close, REGISTERED], Registration::Leaving(ID));
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        for what in [Refused, CHECKED, Gone, Disabled, Removed, Close] {
            check(&[what], Registration::Off);
        }
        for what in [Start, CHECKED, Gone, Disabled, Removed] {
            check(&[Start, what], Registration::Wanted);
        }
        for what in [Start, Refused, Removed, REGISTERED] {
            check(&[Start, REGISTERED, what], HELD);
        }
        for what in [Start, REGISTERED, Refused, CHECKED, Gone, Disabled, Close] {
            check(&[Start, REGISTERED, Close, what], Registration::Leaving(ID));
        }
    }
}
