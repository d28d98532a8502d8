//! Memory for a service, of any size: small tables are full soon.

use dubhook_core::{
    delivery::{self, AttemptSlot, Chain, EventSlot, Lane, StreamSlot},
    dispatch,
    event::{Event, Filter},
    feed::Entry,
    idempotency::KeySlot,
    log::Line,
    record::Keep,
    service::{self, Endpoint, JobSlot},
    slab::Slot,
    text::Block,
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
    jobs: Vec<Slot<JobSlot>>,
    blocks: Vec<Block>,
    endpoints: Vec<Slot<Endpoint>>,
    keys: Vec<KeySlot>,
    log: Vec<Line>,
    scratch: Vec<u8>,
    chains: Vec<Chain>,
    events: Vec<Slot<EventSlot<Event>>>,
    streams: Vec<Slot<StreamSlot>>,
    lanes: Vec<Slot<Lane<Filter>>>,
    attempts: Vec<Slot<AttemptSlot>>,
    feed: Vec<Entry>,
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
            jobs: slots(sizes.jobs, JobSlot::EMPTY),
            blocks: vec![Block::EMPTY; sizes.blocks],
            endpoints: slots(sizes.endpoints, Endpoint::empty(Filter::NONE)),
            keys: vec![KeySlot::EMPTY; sizes.keys],
            log: vec![Line::EMPTY; 4 * sizes.endpoints],
            scratch: vec![0; 8_192],
            chains: vec![Chain::EMPTY; sizes.jobs],
            events: slots(sizes.events, EventSlot::EMPTY),
            streams: slots(sizes.streams, StreamSlot::EMPTY),
            lanes: slots(lanes, Lane::closed(Filter::NONE)),
            attempts: slots(sizes.attempts, AttemptSlot::EMPTY),
            feed: vec![Entry::EMPTY; sizes.events],
        }
    }

    /// Lends them to a service that writes records.
    pub fn lend(&mut self) -> service::Tables<'_> {
        service::Tables {
            jobs: &mut self.jobs,
            keys: &mut self.keys,
            dispatch: dispatch::Tables {
                keep: Keep::Records,
                blocks: &mut self.blocks,
                endpoints: &mut self.endpoints,
                log: &mut self.log,
                log_answers: &mut [],
                scratch: &mut self.scratch,
                outbox: delivery::Tables {
                    chains: &mut self.chains,
                    events: &mut self.events,
                    streams: &mut self.streams,
                    lanes: &mut self.lanes,
                    attempts: &mut self.attempts,
                },
            },
            feed: &mut self.feed,
        }
    }
}
