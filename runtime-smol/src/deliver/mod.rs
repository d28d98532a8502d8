//! What webhook attempts need besides the machine: connections that are kept, turns for new ones, names looked up, and one
//! deadline for each.
//!
//! What is sent, when, and what an answer means is the machine's to say. A connection is kept for each origin and used
//! again; its name is looked up anew every minute and after each failure (`known.rs`).

mod flights;
mod known;
mod limiter;
mod lookup;
mod pool;

pub(crate) use flights::Flights;
pub(crate) use known::Known;
pub(crate) use limiter::ConnectLimiter;
pub(crate) use lookup::Lookups;
pub(crate) use pool::{Idle, Kept, Pool, write_origin};
