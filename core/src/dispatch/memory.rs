//! Memory whose size is chosen at run time, for a dispatcher.

use super::{Event, Tables};
#[cfg(feature = "lists")]
use crate::log::Line;
use crate::{
    delivery::{self, AttemptSlot, Chain, EventSlot, Lane, StreamSlot},
    endpoint::Endpoint,
    record::Keep,
    setup::Heap,
    slab::Slot,
    text::Block,
};

/// How long each table of a dispatcher is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Subjects.
    pub subjects: usize,
    /// Endpoints.
    pub endpoints: usize,
    /// Blocks of text, of [`BLOCK_BYTES`](crate::text::BLOCK_BYTES) bytes of it each: what endpoints have of it.
    pub blocks: usize,
    /// Events that somebody is owed.
    pub events: usize,
    /// What one target is owed of one subject.
    pub streams: usize,
    /// Lanes: one for each endpoint, and where there are callbacks at least one more, which these share by their host.
    pub lanes: usize,
    /// Attempts in flight at once.
    pub attempts: usize,
    /// Bytes of the longest body of an event, and of the longest URL and description together.
    pub body_bytes: usize,
    /// Lines of the attempt log, divided among the endpoints. With the feature `lists`.
    #[cfg(feature = "lists")]
    pub log: usize,
    /// How much of an answer is kept with each line, in bytes.
    #[cfg(feature = "lists")]
    pub log_answer_bytes: usize,
}

/// The memory of a dispatcher, as much of it as is asked for when the program runs.
///
/// [`Storage`](super::Storage) is the same with sizes that are known when it is built, and needs no heap.
///
/// ```
/// use dubhook_core::{
///     dispatch::{Dispatcher, Limits, Memory, Signal, Sizes},
///     record::Keep,
///     setup::Heap,
/// };
/// use zerocopy::{FromBytes, FromZeros, IntoBytes};
///
/// struct Vectors;
///
/// impl Heap for Vectors {
///     type Rows<T> = Vec<T>;
///     type Plain<T: FromBytes + IntoBytes> = Vec<T>;
///     fn rows<T>(len: usize, empty: impl Fn() -> T) -> Vec<T> { (0..len).map(|_| empty()).collect() }
///     fn zeroed<T: FromZeros>(len: usize) -> Vec<T> { (0..len).map(|_| T::new_zeroed()).collect() }
///     fn plain<T: FromBytes + IntoBytes>(len: usize) -> Vec<T> { Self::zeroed(len) }
/// }
///
/// let doors = 1_000; // as the command line said
/// let sizes = Sizes {
///     subjects: doors, endpoints: 10, blocks: 40, events: 6 * doors, streams: 20 * doors, lanes: 20,
///     attempts: 32, body_bytes: 192, log: 40, log_answer_bytes: 0,
/// };
/// let mut memory = Memory::<Signal, Vectors>::new(&sizes);
/// let dispatcher = Dispatcher::new(memory.lend(Keep::Nothing), Limits::DEVICE, [7; 32]).unwrap();
/// assert_eq!(dispatcher.endpoints_capacity(), 10);
/// ```
pub struct Memory<E: Event, H: Heap> {
    chains: H::Rows<Chain>,
    events: H::Rows<Slot<EventSlot<E>>>,
    streams: H::Rows<Slot<StreamSlot>>,
    endpoints: H::Rows<Slot<Endpoint<E::Filter>>>,
    lanes: H::Rows<Slot<Lane<E::Filter>>>,
    blocks: H::Plain<Block>,
    #[cfg(feature = "lists")]
    log: H::Rows<Line>,
    #[cfg(feature = "lists")]
    log_answers: H::Rows<u8>,
    attempts: H::Rows<Slot<AttemptSlot>>,
    scratch: H::Rows<u8>,
}

impl<E: Event, H: Heap> core::fmt::Debug for Memory<E, H> {
    /// Nothing of what lies in it: secrets are among that.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl<E: Event, H: Heap> Memory<E, H> {
    /// Empty memory.
    #[must_use]
    pub fn new(sizes: &Sizes) -> Self {
        Self {
            chains: H::zeroed(sizes.subjects),
            events: H::zeroed(sizes.events),
            streams: H::zeroed(sizes.streams),
            endpoints: H::zeroed(sizes.endpoints),
            lanes: H::zeroed(sizes.lanes),
            blocks: H::plain(sizes.blocks),
            #[cfg(feature = "lists")]
            log: H::zeroed(sizes.log),
            #[cfg(feature = "lists")]
            log_answers: H::zeroed(sizes.log.saturating_mul(sizes.log_answer_bytes)),
            attempts: H::zeroed(sizes.attempts),
            scratch: H::zeroed(sizes.body_bytes),
        }
    }

    /// Lends the memory to a dispatcher of which so much is kept for longer.
    pub fn lend(&mut self, keep: Keep) -> Tables<'_, E> {
        Tables {
            keep,
            blocks: self.blocks.as_mut(),
            endpoints: self.endpoints.as_mut(),
            #[cfg(feature = "lists")]
            log: self.log.as_mut(),
            #[cfg(feature = "lists")]
            log_answers: self.log_answers.as_mut(),
            scratch: self.scratch.as_mut(),
            outbox: delivery::Tables {
                chains: self.chains.as_mut(),
                events: self.events.as_mut(),
                streams: self.streams.as_mut(),
                lanes: self.lanes.as_mut(),
                attempts: self.attempts.as_mut(),
            },
        }
    }
}
