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
    delivery::{AttemptSlot, Chain, EventSlot, Lane, StreamSlot},
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

impl Sizes {
    /// Those of them that are its dispatcher's.
    const fn dispatch(&self, config: &Config<'_>) -> dispatch::Sizes {
        dispatch::Sizes {
            subjects: self.jobs,
            endpoints: self.endpoints,
            blocks: self.blocks,
            events: self.events,
            streams: self.streams,
            lanes: self.lanes,
            attempts: self.attempts,
            body_bytes: config.scratch_bytes_max(),
            #[cfg(feature = "lists")]
            log: self.log,
            #[cfg(feature = "lists")]
            log_answer_bytes: self.log_answer_bytes,
        }
    }
}

/// The memory of a server, as much of it as is asked for when the program runs.
///
/// [`ServerStorage`](super::ServerStorage) is the same with sizes that are known when it is built, and needs no heap.
pub struct ServerMemory<H: Heap> {
    jobs: H::Rows<Slot<JobSlot>>,
    dispatch: dispatch::Memory<Event, H>,
    #[cfg(feature = "idempotency")]
    keys: H::Rows<KeySlot>,
    conns: H::Rows<Slot<Conn>>,
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
            dispatch: dispatch::Memory::new(&sizes.dispatch(config)),
            #[cfg(feature = "idempotency")]
            keys: H::zeroed(sizes.keys),
            conns: H::rows(sizes.conns, || Slot::new(Conn::EMPTY)),
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
                dispatch: self.dispatch.lend(keep),
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
