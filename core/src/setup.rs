//! What a machine says of memory with which it cannot work.
//!
//! A machine's tables are slices that the embedder lends, and how long each must be follows from the others and from what
//! the machine is to allow. That is checked once, when the machine is made: a slice that is too short would otherwise show
//! only later, and as something else.
//!
//! ```
//! use dubhook_core::{record::Keep, server::{Config, Server, ServerStorage}, setup::Lent};
//!
//! let mut memory = ServerStorage::<4, 2, 0, 2>::new(); // no connections
//! let error = Server::new(memory.lend(Keep::Nothing), Config::DEVICE, [7; 32]).unwrap_err();
//! assert_eq!((error.what, error.lent, error.needed), (Lent::Connections, 0, 1));
//! assert_eq!(error.to_string(), "the table of connections has a length of 0 where 1 is needed");
//! ```

use core::fmt;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// What is lent to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Lent {
    /// Jobs: at least one.
    Jobs,
    /// Chains of events: one for each job.
    Chains,
    /// Events: at least those of one job.
    Events,
    /// What targets are owed: at least one.
    Streams,
    /// Lanes: one for each endpoint, and where there are callbacks at least one for those.
    Lanes,
    /// Attempts in flight: at least one.
    Attempts,
    /// Blocks of text: at least those of one job's ending, and one for its beginning.
    Text,
    /// Idempotency keys: at least one.
    Keys,
    /// Lines of the attempt log: as many for one endpoint as for another.
    Log,
    /// What receivers answered, in bytes: as many for one line of the log as for another.
    LogAnswers,
    /// Room for the body of one event, in bytes.
    Scratch,
    /// Room for the longest string of a request, in bytes.
    Decode,
    /// Connections: at least one.
    Connections,
    /// Lists of connections that wait for a job: at least one.
    Watches,
}

impl Lent {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Jobs => "the table of jobs",
            Self::Chains => "the table of chains",
            Self::Events => "the table of events",
            Self::Streams => "the table of streams",
            Self::Lanes => "the table of lanes",
            Self::Attempts => "the table of attempts",
            Self::Text => "the pool of text",
            Self::Keys => "the table of idempotency keys",
            Self::Log => "the attempt log",
            Self::LogAnswers => "the room for answers in the attempt log",
            Self::Scratch => "the scratch memory",
            Self::Decode => "the memory for decoding",
            Self::Connections => "the table of connections",
            Self::Watches => "the table of watches",
        }
    }
}

/// Where a machine's memory comes from if how much it is to be is known only at run time: see
/// [`ServerMemory`](crate::server::ServerMemory). A machine of a fixed size needs none.
pub trait Heap {
    /// Rows of a table.
    type Rows<T>: AsMut<[T]>;
    /// Rows that any bytes are. They are by far the most, so that it may be worth while to keep them elsewhere.
    type Plain<T: FromBytes + IntoBytes>: AsMut<[T]>;

    /// So many rows, each made by `empty`.
    fn rows<T>(len: usize, empty: impl Fn() -> T) -> Self::Rows<T>;

    /// So many rows that are all zero: the operating system has such pages, and nobody need touch them.
    fn zeroed<T: FromZeros>(len: usize) -> Self::Rows<T>;

    /// So many rows that any bytes are, and these are all zero.
    fn plain<T: FromBytes + IntoBytes>(len: usize) -> Self::Plain<T>;
}

/// A machine cannot work with what the embedder has lent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SetupError {
    /// What is too short, or of a length that cannot be divided.
    pub what: Lent,
    /// How long it is.
    pub lent: usize,
    /// The next length that will do.
    pub needed: usize,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, lent, needed } = self;
        let what = what.as_str();
        write!(f, "{what} has a length of {lent} where {needed} is needed")
    }
}

impl core::error::Error for SetupError {}

/// Looks for what is shorter than it must be.
pub(crate) fn at_least(lent: &[(Lent, usize, usize)]) -> Result<(), SetupError> {
    for &(what, lent, needed) in lent {
        if lent < needed {
            return Err(SetupError { what, lent, needed });
        }
    }
    Ok(())
}

/// Whether what is lent can be divided among so many `parts`, and nothing is left over.
#[cfg(feature = "lists")]
pub(crate) fn divides(what: Lent, lent: usize, parts: usize) -> Result<(), SetupError> {
    match lent.checked_rem(parts) {
        None | Some(0) => Ok(()),
        Some(rest) => Err(SetupError {
            what,
            lent,
            needed: lent.saturating_add(parts.saturating_sub(rest)),
        }),
    }
}
