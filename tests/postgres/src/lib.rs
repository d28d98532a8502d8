//! What the tests with a database share: clusters of their own, sessions in them, and a cable that can be cut.

pub mod cluster;
pub mod proxy;
pub mod psql;
pub mod records;
pub mod rig;
