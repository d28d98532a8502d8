//! Memory of a fixed size for a whole server: for firmware, tests and examples.

use super::{Conn, Tables};
#[cfg(feature = "idempotency")]
use crate::idempotency::KeySlot;
#[cfg(feature = "lists")]
use crate::log::Line;
use crate::{
    delivery::{self, AttemptSlot, Chain, EventSlot, Lane, StreamSlot},
    dispatch,
    event::{Event, Filter},
    record::Keep,
    service::{self, Endpoint, JobSlot},
    slab::Slot,
    text::Block,
};

/// The memory of a server for up to `JOBS` jobs, `ENDPOINTS` endpoints, `CONNS` connections and `ATTEMPTS`
/// attempts in flight.
///
/// It is all zero bytes, so as a `static` it takes no flash. What grows with the numbers follows from them: twelve
/// blocks of text for each job and four for each endpoint, two streams and six events for each job.
#[derive(Debug)]
pub struct ServerStorage<
    const JOBS: usize,
    const ENDPOINTS: usize,
    const CONNS: usize,
    const ATTEMPTS: usize,
> {
    jobs: [Slot<JobSlot>; JOBS],
    chains: [Chain; JOBS],
    job_blocks: [[Block; 12]; JOBS],
    events: [[Slot<EventSlot<Event>>; 6]; JOBS],
    streams: [[Slot<StreamSlot>; 2]; JOBS],
    #[cfg(feature = "idempotency")]
    keys: [KeySlot; JOBS],
    endpoints: [Slot<Endpoint>; ENDPOINTS],
    /// One for each endpoint, and as many for callbacks.
    lanes: [[Slot<Lane<Filter>>; 2]; ENDPOINTS],
    /// The one for callbacks where there are no endpoints.
    lane: [Slot<Lane<Filter>>; 1],
    #[cfg(feature = "lists")]
    log: [[Line; 2]; ENDPOINTS],
    attempts: [Slot<AttemptSlot>; ATTEMPTS],
    conns: [Slot<Conn>; CONNS],
    scratch: [u8; SCRATCH_BYTES],
    decode: [u8; DECODE_BYTES],
    /// Eight for each job.
    #[cfg(feature = "hub")]
    feed: [[crate::feed::Entry; 8]; JOBS],
    #[cfg(feature = "hub")]
    watches: [super::hub::Watch; CONNS],
}

/// Room for the body of an event within [`Limits::DEVICE`](service::Limits::DEVICE).
const SCRATCH_BYTES: usize = super::Config::DEVICE.scratch_bytes_max();
/// Room for the longest string within the same limits.
const DECODE_BYTES: usize = super::Config::DEVICE.decode_bytes_max();

impl<const JOBS: usize, const ENDPOINTS: usize, const CONNS: usize, const ATTEMPTS: usize> Default
    for ServerStorage<JOBS, ENDPOINTS, CONNS, ATTEMPTS>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<const JOBS: usize, const ENDPOINTS: usize, const CONNS: usize, const ATTEMPTS: usize>
    ServerStorage<JOBS, ENDPOINTS, CONNS, ATTEMPTS>
{
    /// Empty memory.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            jobs: [const { Slot::new(JobSlot::EMPTY) }; JOBS],
            chains: [Chain::EMPTY; JOBS],
            job_blocks: [[Block::EMPTY; 12]; JOBS],
            events: [const { [const { Slot::new(EventSlot::EMPTY) }; 6] }; JOBS],
            streams: [const { [const { Slot::new(StreamSlot::EMPTY) }; 2] }; JOBS],
            #[cfg(feature = "idempotency")]
            keys: [KeySlot::EMPTY; JOBS],
            endpoints: [const { Slot::new(Endpoint::empty(Filter::NONE)) }; ENDPOINTS],
            lane: [const { Slot::new(Lane::closed(Filter::NONE)) }],
            lanes: [const { [const { Slot::new(Lane::closed(Filter::NONE)) }; 2] }; ENDPOINTS],
            #[cfg(feature = "lists")]
            log: [[Line::EMPTY; 2]; ENDPOINTS],
            attempts: [const { Slot::new(AttemptSlot::EMPTY) }; ATTEMPTS],
            conns: [const { Slot::new(Conn::EMPTY) }; CONNS],
            scratch: [0; SCRATCH_BYTES],
            decode: [0; DECODE_BYTES],
            #[cfg(feature = "hub")]
            feed: [[crate::feed::Entry::EMPTY; 8]; JOBS],
            #[cfg(feature = "hub")]
            watches: [super::hub::Watch::EMPTY; CONNS],
        }
    }

    /// Lends the memory to a server of which so much is kept for longer.
    pub fn lend(&mut self, keep: Keep) -> Tables<'_> {
        Tables {
            service: service::Tables {
                jobs: &mut self.jobs,
                #[cfg(feature = "idempotency")]
                keys: &mut self.keys,
                dispatch: dispatch::Tables {
                    keep,
                    blocks: self.job_blocks.as_flattened_mut(),
                    endpoints: &mut self.endpoints,
                    #[cfg(feature = "lists")]
                    log: self.log.as_flattened_mut(),
                    #[cfg(feature = "lists")]
                    log_answers: &mut [],
                    scratch: &mut self.scratch,
                    outbox: delivery::Tables {
                        chains: &mut self.chains,
                        events: self.events.as_flattened_mut(),
                        streams: self.streams.as_flattened_mut(),
                        lanes: match ENDPOINTS {
                            0 => &mut self.lane,
                            _ => self.lanes.as_flattened_mut(),
                        },
                        attempts: &mut self.attempts,
                    },
                },
                #[cfg(feature = "hub")]
                feed: self.feed.as_flattened_mut(),
            },
            conns: &mut self.conns,
            decode: &mut self.decode,
            #[cfg(feature = "hub")]
            watches: &mut self.watches,
        }
    }
}
