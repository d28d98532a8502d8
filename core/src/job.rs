//! The life of one translation: every state, every step, in one table.
//!
//! ```text
//!              start                 complete
//!  ┌─────────┐ ─────► ┌────────────┐ ────────► completed
//!  │ pending │        │ processing │ ────────► error      fail, or lost too often
//!  └─────────┘ ◄───── └────────────┘ ────────► canceled   cancel
//!     │  │  lose, release     ↺ progress
//!     │  └──► error     fail
//!     └─────► canceled  cancel
//! ```
//!
//! `step` is that table: a state and what happened in, the next state and the event to tell out.
//! Terminal means terminal: whatever comes after is refused with a typed error and changes nothing.
//!
//! ```
//! use dubhook_core::{event::Kind, job::Status};
//!
//! assert_eq!(Status::parse("canceled"), Some(Status::Canceled));
//! assert!(Status::Canceled.is_terminal() && !Status::Processing.is_terminal());
//! assert_eq!(Kind::Completed.status(), Status::Completed);
//! assert_eq!(Status::Canceled.simple(), "error", "as `GET /status` says it in three words");
//! ```

use crate::event::Kind;
use zerocopy::FromZeros;

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum Status {
    /// Accepted, and waiting for a worker.
    Pending = 0,
    /// With a worker.
    Processing = 1,
    /// Done; there is an output.
    Completed = 2,
    /// Failed; there is a reason.
    Error = 3,
    /// Called off.
    Canceled = 4,
}

impl Status {
    /// Every status, in the order of a life.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Processing,
        Self::Completed,
        Self::Error,
        Self::Canceled,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Error => "error",
            Self::Canceled => "canceled",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|status| status.as_str() == name).copied()
    }

    /// Whether nothing can happen any more.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Error | Self::Canceled)
    }

    /// What `GET /status` says: three words for five states.
    #[must_use]
    pub const fn simple(self) -> &'static str {
        match self {
            Self::Pending | Self::Processing => "pending",
            Self::Completed => "completed",
            Self::Error | Self::Canceled => "error",
        }
    }
}

impl Kind {
    /// The job's status right after it.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Pending | Self::Test => Status::Pending,
            Self::Processing | Self::Progress => Status::Processing,
            Self::Completed => Status::Completed,
            Self::Error => Status::Error,
            Self::Canceled => Status::Canceled,
        }
    }
}

/// What of a job changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
pub(crate) struct State {
    /// Where it is in its life.
    pub status: Status,
    /// How much is done, 0 to 100. Never falls.
    pub progress: u8,
    /// How often a worker has started on it.
    pub attempts: u8,
}

impl State {
    /// A job just accepted.
    pub(crate) const NEW: Self = Self {
        status: Status::Pending,
        progress: 0,
        attempts: 0,
    };
}

/// What can happen to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Trigger {
    /// A worker takes it.
    Start,
    /// The worker says how much is done, 0 to 100.
    Progress(u8),
    /// The worker is done.
    Complete,
    /// The worker gives up, or nobody can do it.
    Fail,
    /// Whoever asked no longer wants it.
    Cancel,
    /// The worker was not heard of any more.
    Lose,
    /// The worker was stopped, through no fault of the job: the service was started again.
    #[cfg_attr(
        not(any(feature = "records", feature = "hub")),
        allow(dead_code, reason = "the table is the same for all")
    )]
    Release,
}

/// A step that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// The state after it.
    pub state: State,
    /// What to tell; `None` where nothing changed.
    pub event: Option<Kind>,
}

/// Why a step was not taken. The job is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Refused {
    /// The job has ended.
    Terminal,
    /// The job is with a worker already.
    Started,
    /// The job is with no worker.
    NotStarted,
    /// Progress is above 100.
    ProgressRange,
    /// Progress would fall.
    ProgressFell,
}

impl Refused {
    /// The error as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => "the job has ended",
            Self::Started => "the job is with a worker already",
            Self::NotStarted => "the job is with no worker",
            Self::ProgressRange => "progress is above 100",
            Self::ProgressFell => "progress would fall",
        }
    }
}

impl core::fmt::Display for Refused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for Refused {}

/// Takes one step. `attempts_max` is how often a worker may start before a lost job is an error.
///
/// # Errors
///
/// [`Refused`] says why the step cannot be taken from this state.
pub(crate) const fn step(
    state: State,
    trigger: Trigger,
    attempts_max: u8,
) -> Result<Step, Refused> {
    use Status::{Canceled, Completed, Error, Pending, Processing};
    use Trigger::{Cancel, Complete, Fail, Lose, Progress, Release, Start};

    let (status, progress, event) = match (state.status, trigger) {
        (Completed | Error | Canceled, _) => return Err(Refused::Terminal),

        (Pending, Start) => (Processing, state.progress, Some(Kind::Processing)),
        (Processing, Start) => return Err(Refused::Started),

        (_, Progress(101..)) => return Err(Refused::ProgressRange),
        (Processing, Progress(p)) if p < state.progress => return Err(Refused::ProgressFell),
        (Processing, Progress(p)) if p == state.progress => (Processing, p, None),
        (Processing, Progress(p)) => (Processing, p, Some(Kind::Progress)),
        (Processing, Complete) => (Completed, 100, Some(Kind::Completed)),
        (Processing, Lose) if state.attempts >= attempts_max => {
            (Error, state.progress, Some(Kind::Error))
        }
        (Processing, Lose | Release) => (Pending, state.progress, Some(Kind::Pending)),
        (Pending, Progress(_) | Complete | Lose | Release) => return Err(Refused::NotStarted),

        (Pending | Processing, Fail) => (Error, state.progress, Some(Kind::Error)),
        (Pending | Processing, Cancel) => (Canceled, state.progress, Some(Kind::Canceled)),
    };
    let attempts = match trigger {
        Start => state.attempts.saturating_add(1),
        Release => state.attempts.saturating_sub(1),
        _ => state.attempts,
    };
    Ok(Step {
        state: State {
            status,
            progress,
            attempts,
        },
        event,
    })
}

/// How many changes of state can still come at most, [`Trigger::Release`] apart: what room must be kept for.
#[must_use]
pub(crate) const fn changes_left(state: State, attempts_max: u8) -> u8 {
    let starts = attempts_max.saturating_sub(state.attempts);
    match state.status {
        Status::Completed | Status::Error | Status::Canceled => 0,
        // Its end, and before it a loss and a start for each other attempt.
        Status::Processing => starts.saturating_mul(2).saturating_add(1),
        // Each attempt is a start, and a loss or the end. There is always one, though a limit was lowered.
        Status::Pending if starts == 0 => 2,
        Status::Pending => starts.saturating_mul(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest way from here, walked.
    fn longest(from: State, attempts_max: u8) -> u8 {
        use Trigger::*;
        let ways = [Start, Complete, Fail, Cancel, Lose];
        let next = ways.map(|way| step(from, way, attempts_max));
        let lengths = next
            .into_iter()
            .flatten()
            .map(|step| 1 + longest(step.state, attempts_max));
        lengths.max().unwrap_or(0)
    }

    #[test]
    fn the_changes_left_are_those_of_the_longest_way() {
        for attempts_max in 1..5 {
            for status in Status::ALL {
                for attempts in u8::from(status == Status::Processing)..=attempts_max {
                    let from = state(status, 0, attempts);
                    let walked = longest(from, attempts_max);
                    assert_eq!(changes_left(from, attempts_max), walked, "{from:?}");
                }
            }
        }
    }

    const fn state(status: Status, progress: u8, attempts: u8) -> State {
        State {
            status,
            progress,
            attempts,
        }
    }

    #[track_caller]
    fn check(from: State, trigger: Trigger, expect: Result<(State, Option<Kind>), Refused>) {
        let taken = step(from, trigger, 2).map(|step| (step.state, step.event));
        assert_eq!(taken, expect, "{from:?} {trigger:?}");
    }

    #[test]
    fn every_state_meets_everything_that_can_happen() {
        use Status::*;
        use Trigger::*;
        let new = State::NEW;
        check(
            new,
            Start,
            Ok((state(Processing, 0, 1), Some(Kind::Processing))),
        );
        check(new, Fail, Ok((state(Error, 0, 0), Some(Kind::Error))));
        check(
            new,
            Cancel,
            Ok((state(Canceled, 0, 0), Some(Kind::Canceled))),
        );
        for trigger in [Progress(1), Complete, Lose, Release] {
            check(new, trigger, Err(Refused::NotStarted));
        }

        let half = state(Processing, 50, 1);
        check(half, Start, Err(Refused::Started));
        check(half, Progress(101), Err(Refused::ProgressRange));
        check(half, Progress(49), Err(Refused::ProgressFell));
        check(half, Progress(50), Ok((half, None)));
        check(
            half,
            Progress(51),
            Ok((state(Processing, 51, 1), Some(Kind::Progress))),
        );
        check(
            half,
            Complete,
            Ok((state(Completed, 100, 1), Some(Kind::Completed))),
        );
        check(half, Fail, Ok((state(Error, 50, 1), Some(Kind::Error))));
        check(
            half,
            Cancel,
            Ok((state(Canceled, 50, 1), Some(Kind::Canceled))),
        );
        check(half, Lose, Ok((state(Pending, 50, 1), Some(Kind::Pending))));
        check(
            half,
            Release,
            Ok((state(Pending, 50, 0), Some(Kind::Pending))),
        );
        let last = state(Processing, 50, 2);
        check(
            last,
            Release,
            Ok((state(Pending, 50, 1), Some(Kind::Pending))),
        );
        check(last, Lose, Ok((state(Error, 50, 2), Some(Kind::Error))));

        for status in [Completed, Error, Canceled] {
            for trigger in [Start, Progress(100), Complete, Fail, Cancel, Lose, Release] {
                check(state(status, 100, 1), trigger, Err(Refused::Terminal));
            }
        }
    }

    #[test]
    fn names_go_there_and_back() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
        }
        assert_eq!(Status::parse("done"), None);
    }
}
