//! The machine's memory: zeroed pages that nobody touches before they are needed.
//!
//! The core's tables are lent slices whose empty state is all zero bytes. The operating system gives such pages away
//! without backing them, so a capacity of a million jobs costs address space at the start, and memory only as jobs come.

use dubhook_core::{
    delivery::{self, AttemptSlot, Chain, EventSlot, Lane, StreamSlot},
    dispatch,
    event::{Event, Filter},
    feed::Entry,
    idempotency::KeySlot,
    log::Line,
    record::{Keep, Key, Table},
    server::{self, Config, Conn, Watch},
    service::{self, Endpoint, JobSlot, Limits},
    simulate::SimSlot,
    slab::{SLOTS_MAX, Slot},
    text::{BLOCK_BYTES, Block},
};
use memmap2::MmapMut;
use zerocopy::{FromBytes, FromZeros};

/// How many things of each kind there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Translations, under way and ended.
    pub jobs: usize,
    /// Registered webhooks.
    pub endpoints: usize,
    /// Connections from clients at once.
    pub connections: usize,
    /// Webhook attempts in flight at once.
    pub attempts: usize,
}

impl Capacity {
    /// The most jobs that there may be: what job ids can tell apart.
    pub const JOBS_MAX: usize = SLOTS_MAX / STREAMS_PER_JOB;

    /// What goes well with so many jobs.
    #[must_use]
    pub fn for_jobs(jobs: usize) -> Self {
        Self {
            jobs: jobs.clamp(1, Self::JOBS_MAX),
            endpoints: jobs.clamp(64, 16_384),
            connections: jobs.clamp(256, 16_384),
            attempts: 1_024,
        }
    }

    /// The same, but with no more connections and attempts than a process with so many descriptors can have at once.
    ///
    /// Who connects must not take those that the store needs: a store that cannot open its files has failed.
    #[must_use]
    pub fn within(self, descriptors: usize) -> Self {
        let left = descriptors - DESCRIPTORS_KEPT.min(descriptors / 2);
        let attempts = self.attempts.min((left / 8).max(1));
        // A receiver's connection may be kept for each of them besides.
        let connections = left.saturating_sub(2 * attempts).max(1);
        Self {
            connections: self.connections.min(connections),
            attempts,
            ..self
        }
    }

    /// For how many jobs a capacity has the slot that this record needs.
    #[must_use]
    pub fn jobs_for(key: Key) -> usize {
        let slot = key.slot as usize;
        match key.table {
            Table::Meta => 0,
            Table::Job | Table::State | Table::Key | Table::Endpoint => slot,
            Table::Event => slot.div_ceil(Limits::SERVER.state_events_max().into()),
            Table::Stream => slot.div_ceil(STREAMS_PER_JOB),
        }
    }
}

/// Descriptors that are neither for connections nor for attempts: for the store, programs, and names that are looked up.
const DESCRIPTORS_KEPT: usize = 256;
/// What all targets together may be owed, for each job.
const STREAMS_PER_JOB: usize = 8;
/// Lanes that callbacks of single jobs share, by their host.
const CALLBACK_LANES: usize = 1_024;
/// Lines of the attempt log for each endpoint.
const LOG_LINES: usize = 16;
/// How much of an answer is kept with each line, in bytes.
const LOG_ANSWER_BYTES: usize = 256;
/// Events of the feed: how far back a stream of events can be resumed.
const FEED_EVENTS: usize = 16_384;
/// Usual bytes of a job's strings, its result aside.
const REQUEST_BYTES: usize = 8 * BLOCK_BYTES;

/// The memory of a server machine, and of the simulated translator beside it.
#[derive(Debug)]
pub struct Memory {
    jobs: Box<[Slot<JobSlot>]>,
    blocks: Text,
    endpoints: Box<[Slot<Endpoint>]>,
    keys: Box<[KeySlot]>,
    log: Box<[Line]>,
    log_answers: Box<[u8]>,
    scratch: Box<[u8]>,
    chains: Box<[Chain]>,
    events: Box<[Slot<EventSlot<Event>>]>,
    streams: Box<[Slot<StreamSlot>]>,
    lanes: Box<[Slot<Lane<Filter>>]>,
    attempts: Box<[Slot<AttemptSlot>]>,
    conns: Box<[Slot<Conn>]>,
    decode: Box<[u8]>,
    feed: Box<[Entry]>,
    watches: Box<[Watch]>,
    simulated: Box<[SimSlot]>,
    keep: Keep,
}

impl Memory {
    /// Memory for so much, within the limits of `config`, for a server of which so much is kept.
    #[must_use]
    pub fn new(capacity: Capacity, config: &Config<'_>, keep: Keep) -> Self {
        let Capacity {
            jobs,
            endpoints,
            connections,
            attempts,
        } = capacity;
        let limits = &config.service;
        let result_bytes = limits.url_bytes_max.max(limits.error_bytes_max);
        let job_bytes = REQUEST_BYTES + result_bytes.next_multiple_of(BLOCK_BYTES);
        let endpoint_bytes = limits.callback_bytes_max + limits.description_bytes_max;
        let blocks = (jobs * job_bytes + endpoints * endpoint_bytes) / BLOCK_BYTES;
        let events = (jobs * usize::from(limits.state_events_max())).min(SLOTS_MAX);
        let streams = jobs * STREAMS_PER_JOB;
        let lanes = endpoints + CALLBACK_LANES;
        Self {
            jobs: zeroed(jobs),
            blocks: Text::new(blocks),
            endpoints: zeroed(endpoints),
            keys: zeroed(jobs),
            log: zeroed(endpoints * LOG_LINES),
            log_answers: zeroed(endpoints * LOG_LINES * LOG_ANSWER_BYTES),
            scratch: zeroed(config.scratch_bytes_max()),
            chains: zeroed(jobs),
            events: zeroed(events),
            streams: zeroed(streams),
            lanes: zeroed(lanes),
            attempts: zeroed(attempts),
            conns: (0..connections).map(|_| Slot::new(Conn::EMPTY)).collect(),
            decode: zeroed(config.decode_bytes_max()),
            feed: zeroed(FEED_EVENTS),
            watches: zeroed(connections),
            simulated: zeroed(jobs),
            keep,
        }
    }

    /// Lends the memory: to the server machine, and to a simulated translator.
    pub fn lend(&mut self) -> (server::Tables<'_>, &mut [SimSlot]) {
        let outbox = delivery::Tables {
            chains: &mut self.chains,
            events: &mut self.events,
            streams: &mut self.streams,
            lanes: &mut self.lanes,
            attempts: &mut self.attempts,
        };
        let service = service::Tables {
            jobs: &mut self.jobs,
            keys: &mut self.keys,
            dispatch: dispatch::Tables {
                keep: self.keep,
                blocks: self.blocks.lend(),
                endpoints: &mut self.endpoints,
                log: &mut self.log,
                log_answers: &mut self.log_answers,
                scratch: &mut self.scratch,
                outbox,
            },
            feed: &mut self.feed,
        };
        let server = server::Tables {
            service,
            conns: &mut self.conns,
            decode: &mut self.decode,
            watches: &mut self.watches,
        };
        (server, &mut self.simulated)
    }
}

/// The memory for text: the largest table, and the only one that is plain bytes.
#[derive(Debug)]
enum Text {
    Heap(Box<[Block]>),
    /// Where it is large the system is asked for large pages: a read of any one of a million jobs then finds its text
    /// with fewer looks at the system's own tables.
    Pages(MmapMut),
}

/// From how many bytes on large pages are asked for.
const LARGE_BYTES: usize = 8 << 20;

impl Text {
    fn new(blocks: usize) -> Self {
        let bytes = blocks * size_of::<Block>();
        if bytes >= LARGE_BYTES
            && let Some(pages) = map(bytes)
        {
            return Self::Pages(pages);
        }
        Self::Heap(zeroed(blocks))
    }

    fn lend(&mut self) -> &mut [Block] {
        match self {
            Self::Heap(blocks) => blocks,
            // A mapping begins with a page and is as long as so many blocks.
            Self::Pages(pages) => <[Block]>::mut_from_bytes(pages).unwrap_or_default(),
        }
    }
}

/// Zero bytes in large pages, if the system has such.
fn map(bytes: usize) -> Option<MmapMut> {
    let pages = MmapMut::map_anon(bytes).ok()?;
    #[cfg(target_os = "linux")]
    pages.advise(memmap2::Advice::HugePage).ok()?;
    Some(pages)
}

/// A slice of zero bytes whose pages are not touched.
///
/// # Panics
///
/// If there is no address space left, as any allocation does.
fn zeroed<T: FromZeros>(len: usize) -> Box<[T]> {
    <[T]>::new_box_zeroed_with_elems(len).unwrap_or_else(|_| {
        panic!(
            "no memory for {len} times {} bytes; a smaller --capacity needs less",
            size_of::<T>()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacities_keep_their_bounds() {
        assert_eq!(Capacity::for_jobs(0).jobs, 1);
        assert_eq!(Capacity::for_jobs(usize::MAX).jobs, Capacity::JOBS_MAX);
        const { assert!(Capacity::JOBS_MAX >= 1_000_000) }
        for descriptors in 0..40_000 {
            let capacity = Capacity::for_jobs(100_000).within(descriptors);
            let taken = capacity.connections + 2 * capacity.attempts;
            assert!(capacity.connections > 0 && capacity.attempts > 0);
            let kept = DESCRIPTORS_KEPT.min(descriptors / 2);
            assert!(
                descriptors < 8 || taken + kept <= descriptors,
                "{capacity:?} of {descriptors}"
            );
        }
        let all = Capacity::for_jobs(100_000);
        assert_eq!(all.within(usize::MAX), all);
        assert_eq!(all.within(20_000), all);
        let small = Memory::new(Capacity::for_jobs(8), &Config::SERVER, Keep::Nothing);
        assert_eq!((small.jobs.len(), small.streams.len()), (8, 64));
    }

    #[test]
    fn text_in_large_pages_is_as_long_as_it_was_asked_for() {
        for blocks in [1, LARGE_BYTES / size_of::<Block>() + 7] {
            let mut text = Text::new(blocks);
            assert_eq!(text.lend().len(), blocks);
        }
    }
}
