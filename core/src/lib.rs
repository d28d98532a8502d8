//! Translation jobs, signed webhooks and the HTTP/1.1 they need, as sans-IO state machines.
//!
//! Bytes and time go in; bytes and deadlines come out. Nothing here opens a socket, reads a clock,
//! allocates, or panics on input.
#![no_std]
#![forbid(unsafe_code)]

mod cut;
mod ip;

pub mod address;
pub mod api;
pub mod delivery;
pub mod dirty;
pub mod endpoint;
pub mod event;
pub mod http;
pub mod id;
pub mod idempotency;
pub mod job;
pub mod json;
pub mod language;
pub mod log;
pub mod out;
pub mod random;
pub mod record;
pub mod server;
pub mod service;
pub mod signature;
pub mod simulate;
pub mod slab;
pub mod text;
pub mod time;
pub mod timer;
pub mod url;
