//! What a client has learned, as it tells it.

use super::{Call, Failure, List};
use crate::{
    event::Kind,
    id::Id,
    json::Str,
    model::{self, NewestStatus},
    time::Instant,
};

/// An event as it stands in the body of its webhook.
pub(super) type Event<'b> = model::Event<Str<'b>>;
/// A translation as it stands in the answer or the webhook that told of it.
pub(super) type Translation<'b> = model::Translation<Str<'b>>;
/// What the server says is wrong, as it stands in its answer.
pub(super) type Problem<'b> = model::Problem<Str<'b>>;

/// What the client has learned.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Update<'b> {
    /// Something happened to a job.
    Job(Change<'b>),
    /// How a job is that was just followed: nothing that was not known already.
    Current(Translation<'b>),
    /// The server does not know this job, or knows it no longer. It is not followed any more.
    JobUnknown(Id),
    /// The answer to `GET /status` came: the newest job's status, `None` where there is no job yet.
    Status(Option<NewestStatus>),
    /// The translation that was submitted is a job now, and followed. Where it names a `callback_url`, this alone shows the
    /// secret that deliveries there are signed with.
    Submitted(Translation<'b>),
    /// The job that was to be called off is.
    Canceled(Translation<'b>),
    /// The page of the list that was asked for.
    List(List<'b>),
    /// The server knows whom to tell. This is its name for the webhook.
    Registered(Id),
    /// The server has forgotten the registration. It is made again.
    RegistrationLost,
    /// Somebody has switched the webhook off at the server. The client asks instead.
    SwitchedOff,
    /// The registration is removed, on the way to the client's end.
    Unregistered,
    /// Somebody tests the webhook, and it works.
    Test,
    /// A request failed and will be sent again.
    Delayed {
        /// Which.
        call: Call,
        /// Why.
        failure: Failure,
        /// When.
        until: Instant,
    },
    /// The server refused a request, and would again. A registration then waits for
    /// [`start`](super::Client::start), and a translation is given up.
    Refused {
        /// Which.
        call: Call,
        /// The answer's status.
        status: u16,
        /// What the server says.
        problem: Problem<'b>,
    },
}

/// Something that happened to a job.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Change<'b> {
    /// What.
    pub kind: Kind,
    /// The job after it.
    pub job: Translation<'b>,
    /// How the client learned of it.
    pub source: Source,
}

/// How the client learned something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Source {
    /// It was told by webhook.
    Told,
    /// It had asked.
    Asked,
}
