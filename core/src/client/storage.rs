//! Memory for a whole client: of a fixed size for firmware, tests and examples, and of one that is chosen at run time.

use super::{Known, Tables};
use crate::{setup::Heap, slab::Slot};

/// What a client takes for each job that it knows of, in bytes.
pub const JOB_BYTES: usize = size_of::<Slot<Known>>();

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

/// The memory of a client, as much of it as is asked for when the program runs.
pub struct ClientMemory<H: Heap> {
    jobs: H::Rows<Slot<Known>>,
    submission: H::Rows<u8>,
}

impl<H: Heap> core::fmt::Debug for ClientMemory<H> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ClientMemory").finish_non_exhaustive()
    }
}

impl<H: Heap> ClientMemory<H> {
    /// Empty memory for a client that follows up to `jobs` jobs and asks for translations with up to `submission_bytes` of
    /// JSON; 0 for one that asks for none.
    #[must_use]
    pub fn new(jobs: usize, submission_bytes: usize) -> Self {
        Self {
            jobs: H::zeroed(jobs),
            submission: H::zeroed(submission_bytes),
        }
    }

    /// Lends the memory to a client.
    pub fn lend(&mut self) -> Tables<'_> {
        Tables {
            jobs: self.jobs.as_mut(),
            submission: self.submission.as_mut(),
        }
    }
}
