//! One HTTP exchange: a request goes out, and its answer is read to its end.
//!
//! # Theory of operation
//!
//! Whoever asks anything of anybody here does it so: a webhook attempt on a connection from its pool, the client library
//! and the command line on a [`Link`]. What they share is in `answer.rs`: sending, and reading until the answer is whole,
//! too long, or no answer. It reads into memory that is lent for as long as it does not wait, so a thousand attempts can
//! share one buffer. What differs is theirs: how long it may take, which connection is used, and what is done when a kept
//! one turns out to have been closed.

mod answer;
mod dial;
mod elsewhere;
mod greeting;
mod link;
mod patient;
mod pour;

pub(crate) use answer::{Answer, Failure, send};
pub(crate) use dial::{Stream, dial};
pub use elsewhere::stands_by;
pub(crate) use greeting::speaks_tls;
pub use link::{Link, LinkError};
