//! What the tests with a database share: clusters of their own, sessions in them, a cable that can be cut, and a pooler.

pub mod cluster;
pub mod pooler;
pub mod proxy;
pub mod psql;
pub mod records;
pub mod rig;
