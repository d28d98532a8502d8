//! Memory for a server, of any size: small tables are full soon.

use dubhook_core::{
    record::Keep,
    server::{self, Config, ServerMemory},
    setup::Heap,
};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

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

/// Rows in vectors.
#[derive(Debug)]
pub struct Vectors;

impl Heap for Vectors {
    type Rows<T> = Vec<T>;
    type Plain<T: FromBytes + IntoBytes> = Vec<T>;

    fn rows<T>(len: usize, empty: impl Fn() -> T) -> Vec<T> {
        (0..len).map(|_| empty()).collect()
    }

    fn zeroed<T: FromZeros>(len: usize) -> Vec<T> {
        Self::rows(len, T::new_zeroed)
    }

    fn plain<T: FromBytes + IntoBytes>(len: usize) -> Vec<T> {
        Self::zeroed(len)
    }
}

/// The tables of a server.
#[derive(Debug)]
pub struct Tables(ServerMemory<Vectors>);

impl Tables {
    /// Empty tables, for so many connections.
    #[must_use]
    pub fn new(sizes: &Sizes, conns: usize, config: &Config<'_>) -> Self {
        let sizes = server::Sizes {
            jobs: sizes.jobs,
            blocks: sizes.blocks,
            endpoints: sizes.endpoints,
            keys: sizes.keys,
            events: sizes.events,
            streams: sizes.streams,
            lanes: sizes.endpoints + sizes.callback_lanes,
            attempts: sizes.attempts,
            conns,
            log: 4 * sizes.endpoints,
            log_answer_bytes: 0,
            feed: sizes.events,
        };
        Self(ServerMemory::new(&sizes, config))
    }

    /// Lends them to a server that writes records.
    pub fn lend(&mut self) -> server::Tables<'_> {
        self.0.lend(Keep::Records)
    }
}
