//! Translation jobs, signed webhooks and the HTTP/1.1 they need, as sans-IO state machines.
//!
//! Bytes and time go in; bytes and deadlines come out. Nothing here opens a socket, reads a clock,
//! allocates, or panics on input.
#![no_std]
#![forbid(unsafe_code)]

pub mod address;
pub mod json;
pub mod language;
pub mod out;
pub mod signature;
pub mod time;
pub mod url;
