//! Records in a PostgreSQL database, which several servers share: one owns them, the others stand by.
//!
//! # Theory of operation
//!
//! **Two fences.** What is new is fenced by the database: the shard's row has an *epoch* that each owner raises when it takes
//! over, and a batch is one statement that writes nothing unless the epoch is still the writer's and the batch is the next one
//! (`sql.rs`). No clock has a part in it. What is old, a read or an attempt of what has long been durable, is fenced by a
//! *lease* (`lease.rs`): a server speaks only for so long after the last success that it has sent.
//!
//! **Unknown is not failed.** Where an answer stays out, the batch may be there or not. It is asked by a *write* on a new
//! connection: a read would see what a synchronous standby has not confirmed yet, and acknowledge what a failover can take
//! back. Until that is answered the server waits; when its lease has ended meanwhile it says nothing, and goes on when the
//! database is back and nobody has taken over.
//!
//! **Taking over.** A standby reads the row again and again (`watch.rs`) and takes it when it was given back, or has not moved
//! for the lease and a tenth. Where the old owner's session holds the row, with a commit that has come in part or one that
//! waits for a standby of the database, that session is ended.
//!
//! **The journal.** A batch is one row of it, and is folded into the records later, beside what goes on (`fold.rs`). Whoever
//! starts reads what is not folded first, and then the records, over which it lies.
//!
//! **Lost** is what was acknowledged and is gone. The owner knows what was; whoever stands by knows it of all that it has seen but
//! the newest batch, which could be read before it was acknowledged.
//!
//! **One machine decides** (`owner.rs`) and does no I/O: moments and answers go in, questions and pauses come out. So what runs
//! here is what a simulation runs, over a model of a database that loses, repeats and tears what it is asked.
//!
//! ```text
//!   store                               the `Store`
//!   driver                              asks the database what the owner wants to know
//!   schema   fold                       the tables; the journal on its way into the records
//!   session                             a connection with everything prepared
//!   hosts                               which host takes writes
//!   wire                                the protocol
//!   socket   password   parameters      bytes, who asks, what with
//!   owner                               who has the records, and doubt: a machine without I/O
//!   fault   url   percent   sql   watch   lease   journal
//! ```

mod driver;
mod fault;
mod fold;
mod hosts;
mod journal;
mod lease;
// A simulation drives it over a model of a database; nobody else need know of it.
#[doc(hidden)]
pub mod owner;
mod parameters;
mod password;
mod percent;
mod schema;
mod session;
mod socket;
mod sql;
mod store;
mod url;
mod watch;
mod wire;

pub use driver::{Options, Postgres};
pub use url::{Address, UrlError};
