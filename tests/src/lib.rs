//! What the tests of the whole share: data files, virtual time, a network that misbehaves.

pub mod caller;
pub mod cases;
pub mod machine;
pub mod wire;
