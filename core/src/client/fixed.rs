//! Memory of a fixed size for a whole client: for firmware, tests and examples.

use super::{Known, Memory};
use crate::{slab::Slot, timer::TimerSlot};

/// Room for the JSON of one request for a translation.
const SUBMISSION_BYTES: usize = 512;

/// The memory of a client that follows up to `JOBS` jobs.
///
/// It is all zero bytes, so as a `static` it takes no flash.
#[derive(Debug)]
pub struct Fixed<const JOBS: usize> {
    jobs: [Slot<Known>; JOBS],
    timers: [TimerSlot; JOBS],
    index: [[u32; 2]; JOBS],
    submission: [u8; SUBMISSION_BYTES],
}

impl<const JOBS: usize> Default for Fixed<JOBS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const JOBS: usize> Fixed<JOBS> {
    /// Empty memory.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            jobs: [const { Slot::new(Known::EMPTY) }; JOBS],
            timers: [TimerSlot::EMPTY; JOBS],
            index: [[0; 2]; JOBS],
            submission: [0; SUBMISSION_BYTES],
        }
    }

    /// Lends the memory to a client.
    pub const fn lend(&mut self) -> Memory<'_> {
        Memory {
            jobs: &mut self.jobs,
            timers: &mut self.timers,
            index: self.index.as_flattened_mut(),
            submission: &mut self.submission,
        }
    }
}
