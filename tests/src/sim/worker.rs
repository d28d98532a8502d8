//! Workers: each job is done, fails, or is never heard of again.

use super::env::Env;
use dubhook_core::{id::Id, service::Report};

/// A job in a worker's hands.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) job: Id,
    /// How long a step takes, in milliseconds.
    pub(super) step_ms: u64,
    steps_left: u8,
    progress: u8,
    end: End,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Complete,
    Fail,
    Silence,
}

impl Task {
    pub(super) fn new(env: &mut Env, job: Id) -> Self {
        let end = match env.rng.weighted(&env.options.worker_weights) {
            1 if !env.healed => End::Fail,
            2 if !env.healed => End::Silence,
            _ => End::Complete,
        };
        Self {
            job,
            step_ms: env.rng.below(3_000),
            steps_left: env.rng.below(4) as u8,
            progress: 0,
            end,
        }
    }

    /// What the worker says next; nothing if it has died.
    pub(super) fn step(&mut self) -> Option<Report<'static>> {
        if self.steps_left > 0 {
            self.steps_left -= 1;
            self.progress += 30;
            return Some(Report::Progress(self.progress));
        }
        match self.end {
            End::Complete => Some(Report::Completed("https://example.test/out.mp4")),
            End::Fail => Some(Report::Failed("The video has no sound.")),
            End::Silence => None,
        }
    }
}
