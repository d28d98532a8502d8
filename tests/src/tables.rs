//! Memory for a service, of any size: small tables are full soon.

use dubhook_core::{
    delivery::{self, AttemptSlot, Chain, EventSlot, Lane, StreamSlot},
    endpoint::Endpoint,
    event::{Event, Filter},
    feed::Told,
    idempotency::KeySlot,
    log::Line,
    service::{self, Job},
    slab::Slot,
    text::Block,
    timer::TimerSlot,
};

/// How large each table is.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Jobs.
    pub jobs: usize,
    /// Blocks of text.
    pub blocks: usize,
    /// Endpoints.
    pub endpoints: usize,
    /// Idempotency keys.
    pub keys: usize,
    /// Events that somebody is owed.
    pub events: usize,
    /// What one target is owed of one job.
    pub streams: usize,
    /// Lanes that callbacks share.
    pub callback_lanes: usize,
    /// Attempts in flight.
    pub attempts: usize,
}

impl Sizes {
    /// Room for everything that a short test does.
    pub const ROOMY: Self = Self {
        jobs: 24,
        blocks: 512,
        endpoints: 8,
        keys: 24,
        events: 256,
        streams: 512,
        callback_lanes: 2,
        attempts: 16,
    };

    /// Room for next to nothing.
    pub const TIGHT: Self = Self {
        jobs: 4,
        blocks: 40,
        endpoints: 3,
        keys: 3,
        events: 24,
        streams: 10,
        callback_lanes: 1,
        attempts: 3,
    };
}

/// The tables of a service.
#[derive(Debug)]
pub struct Tables {
    jobs: Vec<Slot<Job>>,
    job_timers: Vec<TimerSlot>,
    jobs_dirty: Vec<u32>,
    states_dirty: Vec<u32>,
    blocks: Vec<Block>,
    endpoints: Vec<Slot<Endpoint>>,
    endpoints_dirty: Vec<u32>,
    keys: Vec<KeySlot>,
    key_index: Vec<u32>,
    keys_dirty: Vec<u32>,
    log: Vec<Line>,
    scratch: Vec<u8>,
    chains: Vec<Chain>,
    events: Vec<Slot<EventSlot<Event>>>,
    events_dirty: Vec<u32>,
    streams: Vec<Slot<StreamSlot>>,
    streams_dirty: Vec<u32>,
    stream_timers: Vec<TimerSlot>,
    lanes: Vec<Slot<Lane<Filter>>>,
    lane_timers: Vec<TimerSlot>,
    lanes_closing: Vec<u32>,
    attempts: Vec<Slot<AttemptSlot>>,
    feed: Vec<Told>,
}

fn slots<T: Copy>(count: usize, filler: T) -> Vec<Slot<T>> {
    (0..count).map(|_| Slot::new(filler)).collect()
}

impl Tables {
    /// Empty tables.
    #[must_use]
    pub fn new(sizes: &Sizes) -> Self {
        let lanes = sizes.endpoints + sizes.callback_lanes;
        Self {
            jobs: slots(sizes.jobs, Job::EMPTY),
            job_timers: vec![TimerSlot::EMPTY; sizes.jobs],
            jobs_dirty: vec![0; sizes.jobs],
            states_dirty: vec![0; sizes.jobs],
            blocks: vec![Block::EMPTY; sizes.blocks],
            endpoints: slots(sizes.endpoints, Endpoint::EMPTY),
            endpoints_dirty: vec![0; sizes.endpoints],
            keys: vec![KeySlot::EMPTY; sizes.keys],
            key_index: vec![0; 2 * sizes.keys],
            keys_dirty: vec![0; sizes.keys],
            log: vec![Line::EMPTY; 4 * sizes.endpoints],
            scratch: vec![0; 8_192],
            chains: vec![Chain::EMPTY; sizes.jobs],
            events: slots(sizes.events, EventSlot::EMPTY),
            events_dirty: vec![0; sizes.events],
            streams: slots(sizes.streams, StreamSlot::EMPTY),
            streams_dirty: vec![0; sizes.streams],
            stream_timers: vec![TimerSlot::EMPTY; sizes.streams],
            lanes: slots(lanes, Lane::closed(Filter::NONE)),
            lane_timers: vec![TimerSlot::EMPTY; lanes],
            lanes_closing: vec![0; lanes],
            attempts: slots(sizes.attempts, AttemptSlot::EMPTY),
            feed: vec![Told::EMPTY; sizes.events],
        }
    }

    /// Lends them to a service that writes records.
    pub fn lend(&mut self) -> service::Memory<'_> {
        service::Memory {
            jobs: &mut self.jobs,
            job_timers: &mut self.job_timers,
            jobs_dirty: &mut self.jobs_dirty,
            states_dirty: &mut self.states_dirty,
            archive_dirty: &mut [],
            blocks: &mut self.blocks,
            endpoints: &mut self.endpoints,
            endpoints_dirty: &mut self.endpoints_dirty,
            keys: &mut self.keys,
            key_index: &mut self.key_index,
            keys_dirty: &mut self.keys_dirty,
            log: &mut self.log,
            log_answers: &mut [],
            scratch: &mut self.scratch,
            outbox: delivery::Memory {
                chains: &mut self.chains,
                events: &mut self.events,
                events_dirty: &mut self.events_dirty,
                streams: &mut self.streams,
                streams_dirty: &mut self.streams_dirty,
                stream_timers: &mut self.stream_timers,
                lanes: &mut self.lanes,
                lane_timers: &mut self.lane_timers,
                lanes_closing: &mut self.lanes_closing,
                attempts: &mut self.attempts,
            },
            feed: &mut self.feed,
        }
    }
}
