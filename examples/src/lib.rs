//! What the examples share.

pub mod host;
