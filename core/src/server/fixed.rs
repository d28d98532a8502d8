//! Memory of a fixed size for a whole server: for firmware, tests and examples.

use super::{Conn, Memory};
use crate::{
    delivery::{self, AttemptSlot, Chain, EventSlot, Lane, StreamSlot},
    endpoint::Endpoint,
    event::{Event, Filter},
    idempotency::KeySlot,
    log::Line,
    service::{self, Job},
    slab::Slot,
    text::Block,
    timer::TimerSlot,
};

/// The memory of a server for up to `JOBS` jobs, `ENDPOINTS` endpoints, `CONNS` connections and `ATTEMPTS`
/// attempts in flight.
///
/// It is all zero bytes, so as a `static` it takes no flash. What grows with the numbers follows from them: twelve
/// blocks of text for each job and four for each endpoint, two streams and six events for each job. It marks
/// changes, so it is for a server that writes records; [`lend_volatile`](Self::lend_volatile) is for one that does
/// not.
#[derive(Debug)]
pub struct Fixed<
    const JOBS: usize,
    const ENDPOINTS: usize,
    const CONNS: usize,
    const ATTEMPTS: usize,
> {
    jobs: [Slot<Job>; JOBS],
    job_timers: [TimerSlot; JOBS],
    jobs_dirty: [u32; JOBS],
    states_dirty: [u32; JOBS],
    chains: [Chain; JOBS],
    job_blocks: [[Block; 12]; JOBS],
    events: [[Slot<EventSlot<Event>>; 6]; JOBS],
    events_dirty: [[u32; 6]; JOBS],
    streams: [[Slot<StreamSlot>; 2]; JOBS],
    streams_dirty: [[u32; 2]; JOBS],
    stream_timers: [[TimerSlot; 2]; JOBS],
    keys: [KeySlot; JOBS],
    key_index: [[u32; 2]; JOBS],
    keys_dirty: [u32; JOBS],
    endpoints: [Slot<Endpoint>; ENDPOINTS],
    endpoints_dirty: [u32; ENDPOINTS],
    /// One for each endpoint, and as many for callbacks.
    lanes: [[Slot<Lane<Filter>>; 2]; ENDPOINTS],
    lane_timers: [[TimerSlot; 2]; ENDPOINTS],
    lanes_closing: [[u32; 2]; ENDPOINTS],
    log: [[Line; 2]; ENDPOINTS],
    attempts: [Slot<AttemptSlot>; ATTEMPTS],
    conns: [Slot<Conn>; CONNS],
    conn_timers: [TimerSlot; CONNS],
    scratch: [u8; SCRATCH_BYTES],
    decode: [u8; DECODE_BYTES],
    /// Eight for each job.
    #[cfg(feature = "hub")]
    feed: [[crate::feed::Told; 8]; JOBS],
    #[cfg(feature = "hub")]
    watches: [super::Watch; CONNS],
}

/// Room for the body of an event within [`Limits::DEVICE`](service::Limits::DEVICE).
const SCRATCH_BYTES: usize = super::Config::DEVICE.scratch_bytes_max();
/// Room for the longest string within the same limits.
const DECODE_BYTES: usize = service::Limits::DEVICE.url_bytes_max;

impl<const JOBS: usize, const ENDPOINTS: usize, const CONNS: usize, const ATTEMPTS: usize> Default
    for Fixed<JOBS, ENDPOINTS, CONNS, ATTEMPTS>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<const JOBS: usize, const ENDPOINTS: usize, const CONNS: usize, const ATTEMPTS: usize>
    Fixed<JOBS, ENDPOINTS, CONNS, ATTEMPTS>
{
    /// Empty memory.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            jobs: [const { Slot::new(Job::EMPTY) }; JOBS],
            job_timers: [TimerSlot::EMPTY; JOBS],
            jobs_dirty: [0; JOBS],
            states_dirty: [0; JOBS],
            chains: [Chain::EMPTY; JOBS],
            job_blocks: [[Block::EMPTY; 12]; JOBS],
            events: [const { [const { Slot::new(EventSlot::EMPTY) }; 6] }; JOBS],
            events_dirty: [[0; 6]; JOBS],
            streams: [const { [const { Slot::new(StreamSlot::EMPTY) }; 2] }; JOBS],
            streams_dirty: [[0; 2]; JOBS],
            stream_timers: [[TimerSlot::EMPTY; 2]; JOBS],
            keys: [KeySlot::EMPTY; JOBS],
            key_index: [[0; 2]; JOBS],
            keys_dirty: [0; JOBS],
            endpoints: [const { Slot::new(Endpoint::EMPTY) }; ENDPOINTS],
            endpoints_dirty: [0; ENDPOINTS],
            lanes: [const { [const { Slot::new(Lane::closed(Filter::NONE)) }; 2] }; ENDPOINTS],
            lane_timers: [[TimerSlot::EMPTY; 2]; ENDPOINTS],
            lanes_closing: [[0; 2]; ENDPOINTS],
            log: [[Line::EMPTY; 2]; ENDPOINTS],
            attempts: [const { Slot::new(AttemptSlot::EMPTY) }; ATTEMPTS],
            conns: [const { Slot::new(Conn::EMPTY) }; CONNS],
            conn_timers: [TimerSlot::EMPTY; CONNS],
            scratch: [0; SCRATCH_BYTES],
            decode: [0; DECODE_BYTES],
            #[cfg(feature = "hub")]
            feed: [[crate::feed::Told::EMPTY; 8]; JOBS],
            #[cfg(feature = "hub")]
            watches: [super::Watch::EMPTY; CONNS],
        }
    }

    /// Lends the memory to a server that writes records.
    pub fn lend(&mut self) -> Memory<'_> {
        Memory {
            service: service::Memory {
                jobs: &mut self.jobs,
                job_timers: &mut self.job_timers,
                jobs_dirty: &mut self.jobs_dirty,
                states_dirty: &mut self.states_dirty,
                archive_dirty: &mut [],
                blocks: self.job_blocks.as_flattened_mut(),
                endpoints: &mut self.endpoints,
                endpoints_dirty: &mut self.endpoints_dirty,
                keys: &mut self.keys,
                key_index: self.key_index.as_flattened_mut(),
                keys_dirty: &mut self.keys_dirty,
                log: self.log.as_flattened_mut(),
                log_answers: &mut [],
                scratch: &mut self.scratch,
                outbox: delivery::Memory {
                    chains: &mut self.chains,
                    events: self.events.as_flattened_mut(),
                    events_dirty: self.events_dirty.as_flattened_mut(),
                    streams: self.streams.as_flattened_mut(),
                    streams_dirty: self.streams_dirty.as_flattened_mut(),
                    stream_timers: self.stream_timers.as_flattened_mut(),
                    lanes: self.lanes.as_flattened_mut(),
                    lane_timers: self.lane_timers.as_flattened_mut(),
                    lanes_closing: self.lanes_closing.as_flattened_mut(),
                    attempts: &mut self.attempts,
                },
                #[cfg(feature = "hub")]
                feed: self.feed.as_flattened_mut(),
            },
            conns: &mut self.conns,
            conn_timers: &mut self.conn_timers,
            decode: &mut self.decode,
            #[cfg(feature = "hub")]
            watches: &mut self.watches,
        }
    }

    /// Lends the memory to a server that keeps nothing: it writes no records, and everything is durable at once.
    pub fn lend_volatile(&mut self) -> Memory<'_> {
        let mut memory = self.lend();
        let service = &mut memory.service;
        service.jobs_dirty = &mut [];
        service.states_dirty = &mut [];
        service.endpoints_dirty = &mut [];
        service.keys_dirty = &mut [];
        service.outbox.events_dirty = &mut [];
        service.outbox.streams_dirty = &mut [];
        memory
    }
}
