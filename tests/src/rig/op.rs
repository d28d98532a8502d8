//! What can be done to a service, and what a receiver can do with an attempt.

use crate::model::Step;
use dubhook_core::{log::AttemptError, service::AttemptResult};

/// What is done to a service. Numbers choose among what there is.
#[derive(Debug, Clone)]
pub enum Op {
    /// Ask for a translation.
    Submit {
        /// Whether with a callback.
        callback: bool,
        /// With which idempotency key.
        key: Option<u8>,
        /// Which of the bodies.
        body: u8,
    },
    /// Register an endpoint.
    Register {
        /// What it wants.
        filter: u8,
        /// To which job it is narrowed.
        job: Option<u8>,
    },
    /// Switch an endpoint on or off.
    Enable(u8, bool),
    /// Change what an endpoint wants.
    Filter(u8, u8),
    /// Change an endpoint's strings.
    Describe(u8, u8),
    /// Remove an endpoint.
    Remove(u8),
    /// Send a test.
    Test(u8),
    /// Give an endpoint a new secret.
    Rotate(u8),
    /// Send an endpoint's dead letters again.
    Redeliver(u8),
    /// Let a worker take the next job.
    Start,
    /// A worker reports.
    Report(u8, Step),
    /// Call a job off.
    Cancel(u8),
    /// An attempt ends.
    Settle(u8, Reply),
    /// Time passes, in milliseconds.
    Pass(u64),
    /// The wall clock is set, by so many seconds.
    SetClock(i32),
    /// The open batch goes on its way to the disk.
    Seal,
    /// The oldest batch on its way is durable.
    Sync,
    /// The process dies, and starts again from what is durable.
    Crash,
}

/// What a receiver does with an attempt.
#[derive(Debug, Clone, Copy)]
pub enum Reply {
    /// Takes it.
    Ok,
    /// Refuses it.
    Error,
    /// Takes others, but not this one.
    Reject,
    /// Asks to be left alone, for so many seconds.
    Busy(u16),
    /// Wants nothing more.
    Gone,
    /// Does not answer.
    Silent,
}

impl Reply {
    /// What the driver would report.
    #[must_use]
    pub const fn result(self) -> AttemptResult<'static> {
        let (status, retry_after_ms) = match self {
            Self::Ok => (204, None),
            Self::Error => (500, None),
            Self::Reject => (422, None),
            Self::Busy(seconds) => (429, Some(seconds as u64 * 1_000)),
            Self::Gone => (410, None),
            Self::Silent => return AttemptResult::Failed(AttemptError::Timeout),
        };
        AttemptResult::Answer {
            status,
            retry_after_ms,
            body: b"",
        }
    }
}
