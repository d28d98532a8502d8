//! What the tests of the whole share: data files, virtual time, a network that misbehaves, paths to measure.

pub mod arrivals;
pub mod beside;
pub mod caller;
pub mod cases;
pub mod certificates;
pub mod described;
pub mod dump;
pub mod fuzz;
pub mod hooks;
pub mod ledger;
pub mod machine;
pub mod model;
pub mod neighbours;
pub mod openssl;
pub mod own_process;
pub mod pair;
pub mod paths;
pub mod program;
pub mod rig;
pub mod sim;
pub mod stream;
pub mod tables;
pub mod video;
pub mod wire;

/// What the README shows, compiled and, where it needs no server, run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
