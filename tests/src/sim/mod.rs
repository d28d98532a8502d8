//! A deterministic simulation: a server on a network and a disk that misbehave, with callers, clients, workers and
//! receivers.
//!
//! # Theory of operation
//!
//! Everything happens in one queue of events in virtual time, and all chance comes from one seed: the same seed gives
//! the same run, byte for byte. The server is the real machine, driven through the bytes of real HTTP; around it are a
//! disk whose batches are late and lost in crashes, a network that delays, cuts up, repeats, swallows and resets, a wall
//! clock that is set, callers with good manners and bad ones, clients (the real client machine) that die and start
//! again, workers, here or remote, that fall silent, and receivers that do whatever receivers do. An oracle watches and names the invariant that breaks.
//!
//! Where servers share a database ([`Options::shared`]) there are several of them, each the real machine with the real owner of
//! `store::postgres` and a clock of its own, over a model of the database (`engine`); whoever asks goes to any of them, and those
//! that stand by pass it on (`relay`).
//!
//! After a while all faults stop. Then everything must drain: that is liveness, which no moment of the run can show.
//!
//! ```
//! use dubhook_tests::sim::{Options, run};
//!
//! let options = Options::from_seed(7);
//! assert_eq!(run(&options).unwrap().hash, run(&options).unwrap().hash);
//! ```

mod caller;
mod client;
mod conns;
mod disk;
mod engine;
mod env;
mod flight;
mod inbox;
mod journal;
mod keeper;
mod mutation;
mod net;
mod options;
mod oracle;
mod process;
mod queue;
mod reader;
mod receiver;
mod relay;
mod remote;
mod rng;
mod server;
mod watcher;
mod worker;
mod world;

pub use mutation::Mutation;
pub use options::{Options, Shared};
pub use oracle::Violation;

use dubhook_core::{
    dispatch::{OutboxLimits, Schedule},
    service::Limits,
};

/// The port of the first receiver; the others follow.
const RECEIVER_PORT: u16 = 3_120;

/// The port of the first client; the others follow.
const CLIENT_PORT: u16 = 3_220;
/// Where clients find the server.
const SERVER_URL: &str = "http://127.0.0.1:8000";

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// How many processes there were.
    pub lives: u32,
    /// How many webhooks arrived, repeats included.
    pub arrivals: u64,
    /// How many answers callers got.
    pub answers: u64,
    /// How many jobs remote workers were given, and how many of them they ended.
    pub claims: (u64, u64),
    /// How many owners a shared database had.
    pub epochs: i64,
    /// The longest that a well-behaved request took, in milliseconds.
    pub slowest_ms: u64,
    /// By receiver, how long an event took to its first arrival, in milliseconds.
    pub latencies_ms: Vec<(usize, u64)>,
    /// How much virtual time passed, in milliseconds.
    pub virtual_ms: u64,
    /// A hash of all that was seen from outside.
    pub hash: u64,
}

/// Lives through a run.
///
/// # Errors
///
/// [`Violation`] names the first invariant that broke.
pub fn run(options: &Options) -> Result<Summary, Violation> {
    world::World::new(options).run()
}

/// What the servers of simulations allow, as everybody was told: a short schedule and a short lease.
fn limits() -> Limits {
    Limits {
        lease_ms: 10_000,
        retain_ms: 600_000,
        outbox: OutboxLimits {
            schedule: Schedule::new(&[1_000, 10_000, 60_000]),
            window_max: 4,
            throttle_ms: 2_000,
            probe_ms: 100,
        },
        ..Limits::DEVICE
    }
}
