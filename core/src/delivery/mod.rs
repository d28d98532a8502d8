//! The outbox: who is owed which event, and when the next attempt is due.
//!
//! # Theory of operation
//!
//! Events of one subject are numbered and hang in a **chain**. What one endpoint is owed of one subject is a
//! **stream**: a pointer to the next event of the chain that it must get. A stream sends one event at a
//! time and moves on when that is settled, which is the whole of per-subject order; streams know nothing
//! of each other, so subjects and endpoints do not wait for one another. A stream that has caught up is
//! gone, and so is an event that every stream has passed. Progress that is overtaken before its first
//! attempt is dropped; a change of state never is. After a restart nobody knows what the process before
//! had begun to send, so what it may have begun is sent, before what is newer.
//!
//! ```text
//!   chain of subject 17:   1 pending ── 2 processing ── 3 progress ── 4 completed
//!                                        ▲                             ▲
//!   streams:                       ep A (attempt 3)              ep B (in flight)
//! ```
//!
//! Each endpoint is a [`Lane`] with its own window of attempts in flight and its own queues; lanes with
//! something to send take turns in a ring. First attempts go before retries. What fails is tried again
//! after the [`Schedule`]'s pauses, and after the last one it is a **dead letter**: it stays, is listed,
//! and goes out again when somebody asks. The stream meanwhile moves on to the subject's next event. An
//! endpoint that fails whatever it is sent is probed until it takes something again: its lane pauses.
//!
//! An event may be sent only when the change it speaks of is durable: it carries the number of the
//! batch it is written with, and [`Outbox::committed`] lets its streams go. A stream that comes to
//! progress after other events waits once more, until that is written down too.
//!
//! The outbox knows nothing of HTTP, URLs or JSON. It is driven like everything here: commands in
//! ([`publish`](Outbox::publish), [`settle`](Outbox::settle)), attempts out
//! ([`poll_attempt`](Outbox::poll_attempt)), deadlines in between.
//!
//! Every operation is O(1) or O(log n), but for publishing, which must look at each endpoint that
//! wants the event, and closing a lane, which is done a piece at a time. What is told is any [`Message`].

mod admission;
#[cfg(feature = "redelivery")]
mod again;
mod attempt;
mod audit;
mod batches;
mod callback_lanes;
mod chain;
#[cfg(test)]
mod fairness;
#[cfg(test)]
mod fixture;
mod lane;
mod letters;
mod limits;
mod message;
mod outbox;
mod output;
#[cfg(test)]
mod probing;
mod promises;
#[cfg(feature = "records")]
mod restore;
mod schedule;
mod settle;
mod slots;
mod stream;
mod turns;

#[cfg(feature = "records")]
pub(crate) use attempt::SavedStream;
#[cfg(any(test, feature = "lists"))]
pub(crate) use attempt::Settled;
pub use attempt::{Attempt, AttemptId, Owed, Verdict};
pub(crate) use attempt::{Failure, Outcome, Target};
pub use audit::Flaw;
pub(crate) use audit::{ensure, len, used};
pub(crate) use lane::Lane;
pub use limits::OutboxLimits;
pub use message::Message;
pub(crate) use outbox::{Outbox, Tables};
pub(crate) use schedule::RETRY_AFTER_MS_MAX;
pub use schedule::Schedule;
pub(crate) use slots::{AttemptSlot, Chain, EventSlot, StreamSlot};

/// The list in which a subject's streams hang.
const OF_SUBJECT: u8 = 0;
/// The list in which whoever uses an outbox hangs what is narrowed to one subject.
pub(crate) const NARROWED: u8 = 1;
/// The list in which a lane's streams hang.
const IN_LANE: u8 = 1;
/// The list in which streams that wait for the same thing hang.
const QUEUED: u8 = 2;

/// The mark of events and streams whose record has changed.
const CHANGED: u8 = 1;
/// The mark of lanes that must let go of what they have.
const CLOSING: u8 = 1;
