//! What the fuzz targets need of `dubhook-tests`, without its dependencies: the files themselves.

#[path = "../../src/caller.rs"]
pub mod caller;
#[path = "../../src/fuzz/mod.rs"]
pub mod fuzz;
#[path = "../../src/machine.rs"]
pub mod machine;
#[path = "../../src/stream.rs"]
pub mod stream;
