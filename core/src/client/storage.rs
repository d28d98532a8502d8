//! Memory of a fixed size for a whole client: for firmware, tests and examples.

use super::{Known, Tables};
use crate::slab::Slot;

/// Room for the JSON of one request for a translation.
const SUBMISSION_BYTES: usize = 512;

/// The memory of a client that follows up to `JOBS` jobs.
///
/// It is all zero bytes, so as a `static` it takes no flash.
#[derive(Debug)]
pub struct ClientStorage<const JOBS: usize> {
    jobs: [Slot<Known>; JOBS],
    submission: [u8; SUBMISSION_BYTES],
}

impl<const JOBS: usize> Default for ClientStorage<JOBS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const JOBS: usize> ClientStorage<JOBS> {
    /// Empty memory.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            jobs: [const { Slot::new(Known::EMPTY) }; JOBS],
            submission: [0; SUBMISSION_BYTES],
        }
    }

    /// Lends the memory to a client.
    pub const fn lend(&mut self) -> Tables<'_> {
        Tables {
            jobs: &mut self.jobs,
            submission: &mut self.submission,
        }
    }
}
