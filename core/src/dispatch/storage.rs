//! Memory of a fixed size for a dispatcher: for firmware, tests and examples.

use super::{Event, Tables};
#[cfg(feature = "lists")]
use crate::log::Line;
use crate::{
    delivery::{self, AttemptSlot, Chain, EventSlot, Lane, StreamSlot},
    endpoint::Endpoint,
    record::Keep,
    slab::Slot,
    text::Block,
};

/// The memory of a dispatcher for up to `SUBJECTS` subjects, `ENDPOINTS` endpoints, `ATTEMPTS` attempts in flight and
/// bodies of `BODY_BYTES` bytes.
///
/// With an event and a filter that are all zero when they are empty, it is all zero bytes, so as a `static` it takes no
/// flash. What grows with the numbers follows from them: six events and, for each endpoint, two streams for a subject; four
/// blocks of text, four lines of the attempt log and a lane for callbacks for an endpoint.
#[derive(Debug)]
pub struct Storage<
    E: Event,
    const SUBJECTS: usize,
    const ENDPOINTS: usize,
    const ATTEMPTS: usize,
    const BODY_BYTES: usize,
> {
    chains: [Chain; SUBJECTS],
    events: [[Slot<EventSlot<E>>; 6]; SUBJECTS],
    streams: [[[Slot<StreamSlot>; 2]; ENDPOINTS]; SUBJECTS],
    endpoints: [Slot<Endpoint<E::Filter>>; ENDPOINTS],
    /// One for each endpoint, and as many for callbacks.
    lanes: [[Slot<Lane<E::Filter>>; 2]; ENDPOINTS],
    blocks: [[Block; 4]; ENDPOINTS],
    #[cfg(feature = "lists")]
    log: [[Line; 4]; ENDPOINTS],
    attempts: [Slot<AttemptSlot>; ATTEMPTS],
    scratch: [u8; BODY_BYTES],
}

impl<
    E: Event,
    const SUBJECTS: usize,
    const ENDPOINTS: usize,
    const ATTEMPTS: usize,
    const BODY_BYTES: usize,
> Default for Storage<E, SUBJECTS, ENDPOINTS, ATTEMPTS, BODY_BYTES>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<
    E: Event,
    const SUBJECTS: usize,
    const ENDPOINTS: usize,
    const ATTEMPTS: usize,
    const BODY_BYTES: usize,
> Storage<E, SUBJECTS, ENDPOINTS, ATTEMPTS, BODY_BYTES>
{
    /// Empty memory. Where callbacks are all that is told there is an endpoint all the same, whose lane and streams they take.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(ENDPOINTS > 0, "there is room for one endpoint at least") }
        Self {
            chains: [Chain::EMPTY; SUBJECTS],
            events: [const { [const { Slot::new(EventSlot::EMPTY) }; 6] }; SUBJECTS],
            streams: [const { [const { [const { Slot::new(StreamSlot::EMPTY) }; 2] }; ENDPOINTS] };
                SUBJECTS],
            endpoints: [const { Slot::new(Endpoint::empty(E::NO_FILTER)) }; ENDPOINTS],
            lanes: [const { [const { Slot::new(Lane::closed(E::NO_FILTER)) }; 2] }; ENDPOINTS],
            blocks: [[Block::EMPTY; 4]; ENDPOINTS],
            #[cfg(feature = "lists")]
            log: [[Line::EMPTY; 4]; ENDPOINTS],
            attempts: [const { Slot::new(AttemptSlot::EMPTY) }; ATTEMPTS],
            scratch: [0; BODY_BYTES],
        }
    }

    /// Lends the memory to a dispatcher of which so much is kept for longer.
    pub fn lend(&mut self, keep: Keep) -> Tables<'_, E> {
        Tables {
            keep,
            blocks: self.blocks.as_flattened_mut(),
            endpoints: &mut self.endpoints,
            #[cfg(feature = "lists")]
            log: self.log.as_flattened_mut(),
            #[cfg(feature = "lists")]
            log_answers: &mut [],
            scratch: &mut self.scratch,
            outbox: delivery::Tables {
                chains: &mut self.chains,
                events: self.events.as_flattened_mut(),
                streams: self.streams.as_flattened_mut().as_flattened_mut(),
                lanes: self.lanes.as_flattened_mut(),
                attempts: &mut self.attempts,
            },
        }
    }
}
