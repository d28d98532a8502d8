//! What the examples share.

pub mod async_host;
pub mod driver;
pub mod host;
