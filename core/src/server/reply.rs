//! What a connection is owed, until it is written: the one description of an answer, which names things and holds none of
//! them, so that it shows them as they are when they may be shown.

#[cfg(feature = "lists")]
use crate::job::Status;
#[cfg(feature = "hub")]
use crate::time::Instant;
use crate::{
    api::{Methods, Problem},
    http::FieldLine,
    id::Id,
    service::{Durable, Service},
};

/// An answer that is still to be written.
#[derive(Debug, Clone, Copy)]
// With a tag of its own "nothing" is 0, so a table of idle connections is in `.bss` and takes no flash.
#[repr(u8)]
pub(super) enum Reply {
    /// Nothing is owed.
    None,
    /// Something is wrong.
    Problem(Problem),
    /// The client may send its body: an interim answer, before another one.
    Continue,
    /// The newest job in one word.
    Status,
    /// All is well.
    Health { ready: bool },
    /// A job as it is.
    Job(Id),
    /// A job that may be in the archive.
    Archived { id: Id, sought: Sought },
    /// A job as it was accepted.
    Accepted(Id),
    /// A list, newest first: what comes after this one, or all.
    #[cfg(feature = "lists")]
    List {
        of: Listed,
        after: Option<Id>,
        limit: u8,
    },
    /// What was asked about an endpoint.
    #[cfg(feature = "webhook-api")]
    Webhook(Owed),
    /// Done, and nothing to say.
    #[cfg(any(feature = "webhook-api", feature = "hub"))]
    NoContent,
    /// What a path can do, or the server (`OPTIONS *`).
    Options(Option<Methods>),
    /// A job once it has come past this sequence or ended, or as it is at this time.
    #[cfg(feature = "hub")]
    Wait { job: Id, after: u32, until: Instant },
    /// Events as they happen.
    #[cfg(feature = "hub")]
    Events(Stream),
    /// A page of the caller's, whether the client has it already, and how much of its body is out; none before its head is.
    #[cfg(feature = "hub")]
    Page {
        at: usize,
        known: bool,
        sent: Option<usize>,
    },
    /// The server's own figures.
    #[cfg(feature = "hub")]
    Metrics,
    /// What a path of uploads can do.
    #[cfg(feature = "media")]
    UploadOptions(Methods),
    /// What the driver is asked about its media.
    #[cfg(feature = "media")]
    Media(super::media::Asked),
    /// The rest of an upload's bytes is awaited.
    #[cfg(feature = "media")]
    Receiving(super::media::Receiving),
    /// So much of an output is still to be sent.
    #[cfg(feature = "media")]
    Sending { at: u64, left: u64 },
    /// A job for a worker, once there is one, or that there is none at this time.
    #[cfg(feature = "hub")]
    Claim { until: Instant },
    /// The job that a worker has claimed.
    #[cfg(feature = "hub")]
    Claimed(crate::service::Claim),
}

/// Why a job is looked up in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sought {
    /// To be shown.
    Read,
    /// To be called off.
    Cancel,
    /// The request that made it came again.
    Repeat,
    /// For a stream of it, by whoever knows its events up to this one.
    #[cfg(feature = "hub")]
    Ending(u32),
}

/// What a list shows.
#[cfg(feature = "lists")]
#[derive(Debug, Clone, Copy)]
pub(super) enum Listed {
    /// Jobs: all, or those of one status.
    Jobs(Option<Status>),
    /// Endpoints.
    #[cfg(feature = "webhook-api")]
    Endpoints,
}

/// An answer about endpoints that is still to be written.
#[cfg(feature = "webhook-api")]
#[derive(Debug, Clone, Copy)]
pub(super) enum Owed {
    /// An endpoint as it is.
    Itself(Id),
    /// An endpoint that was just made, with its secret.
    Created(Id),
    /// An endpoint with its new secret.
    Rotated(Id),
    /// The newest attempts to an endpoint, at most so many.
    #[cfg(feature = "lists")]
    Attempts(Id, u8),
    /// A test was sent: this event.
    Tested(Id),
    /// So many dead letters were sent again.
    #[cfg(feature = "redelivery")]
    Redelivered(usize),
}

#[cfg(feature = "webhook-api")]
impl Owed {
    /// The endpoint that it is about, where that must still be there.
    pub(super) const fn endpoint(&self) -> Option<Id> {
        match *self {
            Self::Itself(id) | Self::Created(id) | Self::Rotated(id) => Some(id),
            #[cfg(feature = "lists")]
            Self::Attempts(id, _) => Some(id),
            Self::Tested(_) => None,
            #[cfg(feature = "redelivery")]
            Self::Redelivered(_) => None,
        }
    }

    /// The status of the answer.
    pub(super) const fn status(&self) -> u16 {
        match self {
            Self::Itself(_) | Self::Rotated(_) => 200,
            Self::Created(_) => 201,
            #[cfg(feature = "lists")]
            Self::Attempts(..) => 200,
            Self::Tested(_) => 202,
            #[cfg(feature = "redelivery")]
            Self::Redelivered(_) => 202,
        }
    }
}

/// Where a stream is.
#[cfg(feature = "hub")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    /// The job whose events it has; none for those of all.
    pub(super) job: Id,
    /// Of one job: the sequence that was sent last.
    pub(super) sequence: u32,
    /// The position in the feed of what it looks at next.
    pub(super) at: u64,
    /// Whether its head was sent.
    pub(super) has_begun: bool,
    /// Whether it comes in chunks.
    pub(super) is_chunked: bool,
    /// Whether it must say that events were missed.
    pub(super) has_gap: bool,
}

#[cfg(feature = "hub")]
impl Stream {
    /// The job whose events it has, if not all.
    pub(super) fn job(&self) -> Option<Id> {
        (self.job != Id::NONE).then_some(self.job)
    }
}

/// What a request is answered.
pub(super) type Answer = Result<Reply, Problem>;

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It is in the output.
    Whole,
    /// The output has no room for it.
    NoRoom,
    /// It speaks of what is not durable yet.
    NotDurable,
}

/// What may be shown of something that somebody knows the name of.
pub(super) fn known<T>(state: Durable<T>) -> Result<T, Written> {
    match state {
        Durable::Is(state) => Ok(state),
        Durable::Nothing | Durable::Soon => Err(Written::NotDurable),
    }
}

/// How many jobs are looked at for one answer: it bounds the work of a call. A page that ends there has a cursor
/// all the same.
pub(super) const LOOKED_AT_MAX: usize = 1_000;

/// What others may not keep: secrets, and states that change.
pub(super) const NO_STORE: FieldLine = FieldLine::new("cache-control: no-store\r\n");

/// What is wrong where a request was made before, and its job is no longer kept.
#[cfg(feature = "idempotency")]
pub(super) const FORGOTTEN: Problem = Problem::IdempotencyForgotten;
#[cfg(not(feature = "idempotency"))]
pub(super) const FORGOTTEN: Problem = Problem::NoSuchJob;

/// Up to how many seconds whoever finds no room is told to stay away; spread out, so that they do not all
/// come back at once.
const STAY_AWAY_S_MAX: u64 = 30;

pub(super) fn full(service: &mut Service<'_>) -> Problem {
    let seconds = 1 + service.random().below(STAY_AWAY_S_MAX);
    Problem::Full(seconds as u8)
}
