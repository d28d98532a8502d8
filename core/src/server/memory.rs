//! Memory whose size is chosen at run time, for a whole server.

#[cfg(feature = "hub")]
use super::hub::Watch;
use super::{Config, Conn, Tables};
#[cfg(feature = "hub")]
use crate::feed::Entry;
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
    setup::Heap,
    slab::Slot,
    text::Block,
};

/// How long each table of a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Jobs, under way and ended.
    pub jobs: usize,
    /// Blocks of text, of [`BLOCK_BYTES`](crate::text::BLOCK_BYTES) bytes of it each.
    pub blocks: usize,
    /// Endpoints.
    pub endpoints: usize,
    /// Idempotency keys. With the feature `idempotency`.
    #[cfg(feature = "idempotency")]
    pub keys: usize,
    /// Events that somebody is owed.
    pub events: usize,
    /// What one target is owed of one job.
    pub streams: usize,
    /// Lanes: one for each endpoint, and at least one more, which callbacks share by their host.
    pub lanes: usize,
    /// Attempts in flight at once.
    pub attempts: usize,
    /// Connections at once.
    pub conns: usize,
    /// Lines of the attempt log, divided among the endpoints. With the feature `lists`.
    #[cfg(feature = "lists")]
    pub log: usize,
    /// How much of an answer is kept with each line, in bytes.
    #[cfg(feature = "lists")]
    pub log_answer_bytes: usize,
    /// Events of the feed: how far back a stream of events can be resumed.
    #[cfg(feature = "hub")]
    pub feed: usize,
}

impl Sizes {
    /// What a row of each table is, and how many bytes it takes.
    pub const ROWS: &'static [(&'static str, usize)] = &[
        ("a job", size_of::<Slot<JobSlot>>()),
        ("its chain of events", size_of::<Chain>()),
        (
            "an event that somebody is owed",
            size_of::<Slot<EventSlot<Event>>>(),
        ),
        (
            "a stream: what one target is owed of one job",
            size_of::<Slot<StreamSlot>>(),
        ),
        #[cfg(feature = "idempotency")]
        ("an idempotency key", size_of::<KeySlot>()),
        ("a block of text", size_of::<Block>()),
        ("an endpoint", size_of::<Slot<Endpoint>>()),
        (
            "a lane: an endpoint's, or one for callbacks",
            size_of::<Slot<Lane<Filter>>>(),
        ),
        #[cfg(feature = "lists")]
        ("a line of the attempt log", size_of::<Line>()),
        ("an attempt in flight", size_of::<Slot<AttemptSlot>>()),
        (
            "a connection, its buffers not counted",
            size_of::<Slot<Conn>>(),
        ),
    ];
}

/// The memory of a server, as much of it as is asked for when the program runs.
///
/// [`ServerStorage`](super::ServerStorage) is the same with sizes that are known when it is built, and needs no heap.
pub struct ServerMemory<H: Heap> {
    jobs: H::Rows<Slot<JobSlot>>,
    chains: H::Rows<Chain>,
    blocks: H::Plain<Block>,
    events: H::Rows<Slot<EventSlot<Event>>>,
    streams: H::Rows<Slot<StreamSlot>>,
    #[cfg(feature = "idempotency")]
    keys: H::Rows<KeySlot>,
    endpoints: H::Rows<Slot<Endpoint>>,
    lanes: H::Rows<Slot<Lane<Filter>>>,
    #[cfg(feature = "lists")]
    log: H::Rows<Line>,
    #[cfg(feature = "lists")]
    log_answers: H::Rows<u8>,
    attempts: H::Rows<Slot<AttemptSlot>>,
    conns: H::Rows<Slot<Conn>>,
    scratch: H::Rows<u8>,
    decode: H::Rows<u8>,
    #[cfg(feature = "hub")]
    feed: H::Rows<Entry>,
    #[cfg(feature = "hub")]
    watches: H::Rows<Watch>,
}

impl<H: Heap> core::fmt::Debug for ServerMemory<H> {
    /// Nothing of what lies in it: secrets are among that.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ServerMemory").finish_non_exhaustive()
    }
}

impl<H: Heap> ServerMemory<H> {
    /// Empty memory, for a server with this `config`.
    #[must_use]
    pub fn new(sizes: &Sizes, config: &Config<'_>) -> Self {
        Self {
            jobs: H::zeroed(sizes.jobs),
            chains: H::zeroed(sizes.jobs),
            blocks: H::plain(sizes.blocks),
            events: H::zeroed(sizes.events),
            streams: H::zeroed(sizes.streams),
            #[cfg(feature = "idempotency")]
            keys: H::zeroed(sizes.keys),
            endpoints: H::zeroed(sizes.endpoints),
            lanes: H::zeroed(sizes.lanes),
            #[cfg(feature = "lists")]
            log: H::zeroed(sizes.log),
            #[cfg(feature = "lists")]
            log_answers: H::zeroed(sizes.log.saturating_mul(sizes.log_answer_bytes)),
            attempts: H::zeroed(sizes.attempts),
            conns: H::rows(sizes.conns, || Slot::new(Conn::EMPTY)),
            scratch: H::zeroed(config.scratch_bytes_max()),
            decode: H::zeroed(config.decode_bytes_max()),
            #[cfg(feature = "hub")]
            feed: H::zeroed(sizes.feed),
            #[cfg(feature = "hub")]
            watches: H::zeroed(sizes.conns),
        }
    }

    /// Lends the memory to a server of which so much is kept for longer.
    pub fn lend(&mut self, keep: Keep) -> Tables<'_> {
        Tables {
            service: service::Tables {
                jobs: self.jobs.as_mut(),
                #[cfg(feature = "idempotency")]
                keys: self.keys.as_mut(),
                dispatch: dispatch::Tables {
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
                },
                #[cfg(feature = "hub")]
                feed: self.feed.as_mut(),
            },
            conns: self.conns.as_mut(),
            decode: self.decode.as_mut(),
            #[cfg(feature = "hub")]
            watches: self.watches.as_mut(),
        }
    }
}
