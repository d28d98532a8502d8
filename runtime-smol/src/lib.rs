//! The thin layer that gives dubhook-core sockets, a clock, entropy and a disk, on smol.
//!
//! ```text
//!   server   client                              the core's machines, driven
//!   deliver   translate   store   media   exchange   what a machine needs done
//!   net  tls  race  own  resolve  memory  pages   what it is done with
//!   clock   entropy   hidden   signal   orphans  what all of them use
//! ```
//!
//! Everything that decides anything is in the core; here bytes are moved, on one thread and without locks. Begin with
//! [`server`].

pub mod client;
pub mod clock;
mod deliver;
pub mod entropy;
pub mod exchange;
mod hidden;
pub mod media;
pub mod memory;
pub mod net;
pub mod orphans;
mod own;
pub mod pages;
mod race;
pub mod resolve;
pub mod server;
mod signal;
pub mod store;
pub mod tls;
pub mod translate;
mod url;

/// What the package's README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
