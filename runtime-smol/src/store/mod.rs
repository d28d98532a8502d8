//! Where records are kept between one run and the next.
//!
//! The core hands out records, last value wins by key; a [`Store`] writes all records of a [`Batch`] in one transaction
//! and returns only when they would survive a loss of power. That is all it must do, so it can be an embedded database,
//! a file, or something on another machine. Without a store everything is gone when the program ends (`--in-memory`).
//!
//! A store that fails once is done for: after a write or a sync that failed nobody knows what is on the disk, and trying
//! again can report a success that is none. Whoever uses it ends, and finds out at the next start. A store elsewhere
//! ([`postgres`]) can say later what became of a batch, so there an answer that stays out is no failure.
//!
//! ```
//! use dubhook_core::record::{Key, Table};
//! use dubhook_smol::store::{Batch, Disk, Store};
//!
//! # let directory = std::env::temp_dir().join(format!("dubhook-doc-{}", std::process::id()));
//! let key = Key { table: Table::Job, slot: 1 };
//! let disk = Disk::open(&directory)?;
//! let mut batch = Batch::default();
//! batch.add(key, Some(b"what was asked for"));
//! disk.write(&batch)?;
//! // Whatever happens from here on, the record is there at the next start.
//! drop(disk);
//! Disk::open(&directory)?.load(&mut |found, value| {
//!     assert_eq!((found, value), (key, &b"what was asked for"[..]));
//!     Ok(())
//! })?;
//! # std::fs::remove_dir_all(&directory)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod contract;
mod directory;
mod disk;
mod error;
mod journal;
mod moving;
pub mod postgres;

pub use batch::Batch;
pub use contract::{Ownership, Restore, Store};
pub use disk::Disk;
pub use error::StoreError;
pub use moving::{EachArchived, MoveError, Moved, Whole, is_unfinished, move_all};
