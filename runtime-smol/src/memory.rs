//! The machine's memory: zeroed pages that nobody touches before they are needed.
//!
//! The core's tables are lent slices whose empty state is all zero bytes. The operating system gives such pages away
//! without backing them, so a capacity of a million jobs costs address space at the start, and memory only as jobs come.

use dubhook_core::{
    id::SLOTS_MAX,
    record::{Keep, Key, Table},
    server::{Config, ServerMemory, Sizes, Tables},
    service::Limits,
    setup::Heap,
    simulate::SimSlot,
    text::BLOCK_BYTES,
};
use memmap2::MmapMut;
use std::marker::PhantomData;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

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
    server: ServerMemory<Zeroed>,
    simulated: Box<[SimSlot]>,
    keep: Keep,
}

impl Memory {
    /// Memory for so much, within the limits of `config`, for a server of which so much is kept.
    #[must_use]
    pub fn new(capacity: Capacity, config: &Config<'_>, keep: Keep) -> Self {
        Self {
            server: ServerMemory::new(&sizes(capacity, &config.service), config),
            simulated: zeroed(capacity.jobs),
            keep,
        }
    }

    /// Lends the memory: to the server machine, and to a simulated translator.
    pub fn lend(&mut self) -> (Tables<'_>, &mut [SimSlot]) {
        (self.server.lend(self.keep), &mut self.simulated)
    }
}

/// How long the tables of a server with this capacity are.
fn sizes(capacity: Capacity, limits: &Limits) -> Sizes {
    let Capacity {
        jobs,
        endpoints,
        connections,
        attempts,
    } = capacity;
    let result_bytes = limits.url_bytes_max.max(limits.error_bytes_max);
    let job_bytes = REQUEST_BYTES + result_bytes.next_multiple_of(BLOCK_BYTES);
    let endpoint_bytes = limits.callback_bytes_max + limits.description_bytes_max;
    Sizes {
        jobs,
        blocks: (jobs * job_bytes + endpoints * endpoint_bytes) / BLOCK_BYTES,
        endpoints,
        keys: jobs,
        events: (jobs * usize::from(limits.state_events_max())).min(SLOTS_MAX),
        streams: jobs * STREAMS_PER_JOB,
        lanes: endpoints + CALLBACK_LANES,
        attempts,
        conns: connections,
        log: endpoints * LOG_LINES,
        log_answer_bytes: LOG_ANSWER_BYTES,
        feed: FEED_EVENTS,
    }
}

/// Memory of zero bytes, as the operating system gives it away.
#[derive(Debug)]
pub(crate) struct Zeroed;

impl Heap for Zeroed {
    type Rows<T> = Box<[T]>;
    type Plain<T: FromBytes + IntoBytes> = Plain<T>;

    fn rows<T>(len: usize, empty: impl Fn() -> T) -> Box<[T]> {
        (0..len).map(|_| empty()).collect()
    }

    fn zeroed<T: FromZeros>(len: usize) -> Box<[T]> {
        zeroed(len)
    }

    fn plain<T: FromBytes + IntoBytes>(len: usize) -> Plain<T> {
        Plain::new(len)
    }
}

/// The memory for text: the largest table, and the only one that is plain bytes.
#[derive(Debug)]
pub(crate) enum Plain<T> {
    /// Where the allocator puts it.
    Heap(Box<[T]>),
    /// Where it is large the system is asked for large pages: a read of any one of a million jobs then finds its text
    /// with fewer looks at the system's own tables.
    Pages(MmapMut, PhantomData<T>),
}

/// From how many bytes on large pages are asked for.
const LARGE_BYTES: usize = 8 << 20;

impl<T: FromBytes + IntoBytes> Plain<T> {
    fn new(len: usize) -> Self {
        let bytes = len * size_of::<T>();
        if bytes >= LARGE_BYTES
            && let Some(pages) = map(bytes)
        {
            return Self::Pages(pages, PhantomData);
        }
        Self::Heap(zeroed(len))
    }
}

impl<T: FromBytes + IntoBytes> AsMut<[T]> for Plain<T> {
    fn as_mut(&mut self) -> &mut [T] {
        match self {
            Self::Heap(rows) => rows,
            // A mapping begins with a page and is as long as so many rows.
            Self::Pages(pages, _) => <[T]>::mut_from_bytes(pages).unwrap_or_default(),
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
        let small = sizes(Capacity::for_jobs(8), &Limits::SERVER);
        assert_eq!((small.jobs, small.streams), (8, 64));
    }

    #[test]
    fn text_in_large_pages_is_as_long_as_it_was_asked_for() {
        for rows in [1, LARGE_BYTES / 64 + 7] {
            let mut text = Plain::<[u8; 64]>::new(rows);
            assert_eq!(text.as_mut().len(), rows);
        }
    }
}
