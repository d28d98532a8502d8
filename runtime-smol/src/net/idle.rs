//! Waiting until the thread has nothing else to do.

use crate::signal::Signal;
use std::cell::Cell;

/// How often the thread looks for more to do before whoever waits until it is idle goes on all the same.
const LOOKS_MAX: u8 = 4;

/// Waits until the thread has nothing to do: one task at a time.
#[derive(Debug, Default)]
pub(super) struct IdleWatch {
    waits: Cell<bool>,
    looks: Cell<u8>,
    idle: Signal,
}

impl IdleWatch {
    /// Waits until then.
    pub(super) async fn idle(&self) {
        self.idle.take();
        self.looks.set(0);
        self.waits.set(true);
        self.idle.raised().await;
    }

    /// Whether somebody waits.
    pub(super) fn is_awaited(&self) -> bool {
        self.waits.get()
    }

    /// The thread has looked for something to do.
    pub(super) fn looked(&self, found: bool) {
        let looks = self.looks.get() + 1;
        self.looks.set(looks);
        if !found || looks == LOOKS_MAX {
            self.waits.set(false);
            self.idle.raise();
        }
    }
}
