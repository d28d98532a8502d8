//! Everything that can be wrong with a request, as problem documents (RFC 9457).
//!
//! With the feature `problem-details` a document says it to people, too: in its `title` and its `detail`. Without it there
//! are the `status`, the `code`, and which member is meant.

#[macro_use]
mod parts;
mod document;
#[cfg(feature = "media")]
mod media;

use super::{Field, Methods};
use crate::{http::Refusal, json};

#[cfg(feature = "media")]
pub(crate) use media::MediaProblem;
use parts::Parts;

/// What is wrong. Each has a status, a code that never changes, and with the feature `problem-details` a sentence for
/// people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Problem {
    /// The bytes are no request that a server should take.
    Http(Refusal),
    /// The request did not arrive in time.
    Slow,
    /// There is no key, or none where one is looked for.
    Unauthorized,
    /// The key is not one of ours.
    WrongKey,
    /// A web page of another origin would change something.
    CrossOrigin,
    /// A webhook was delivered to the API.
    WebhookLoop,
    /// No such path.
    NoSuchPath,
    /// No such job.
    NoSuchJob,
    /// No such endpoint.
    #[cfg(feature = "webhook-api")]
    NoSuchEndpoint,
    /// No job was accepted yet.
    NoJobYet,
    /// The path does not have this method; these it has.
    Method(Methods),
    /// The method is none that this server knows.
    UnknownMethod,
    /// The body is of another type than JSON.
    MediaType,
    /// The body is compressed, or otherwise not as it is.
    ContentEncoding,
    /// The body is no JSON text; where it stops being one, and why.
    Json(u32, json::ErrorKind),
    /// The body is JSON, but no object.
    NoObject,
    /// A member occurs twice.
    Twice(Field),
    /// A member that must be there is not.
    Missing(Field),
    /// A member is no string.
    NotString(Field),
    /// A member is neither true nor false.
    #[cfg(feature = "webhook-api")]
    NotBool(Field),
    /// A member is too long.
    TooLong(Field),
    /// `video_url` is no absolute URI.
    VideoUrl,
    /// A language tag is not well-formed.
    Language(Field),
    /// A URL cannot be called.
    Url(Field, crate::url::UrlError),
    /// A URL leads where callbacks may not go.
    #[cfg(feature = "guard")]
    Blocked(Field),
    /// `events` names no event.
    #[cfg(feature = "webhook-api")]
    Events,
    /// `secret` is none.
    #[cfg(feature = "webhook-api")]
    Secret,
    /// `job` names no job.
    #[cfg(any(feature = "webhook-api", feature = "hub"))]
    Job,
    /// `since` is no point in time.
    #[cfg(all(feature = "webhook-api", feature = "redelivery"))]
    Since,
    /// `event` is no id of an event.
    #[cfg(all(feature = "webhook-api", feature = "redelivery"))]
    Event,
    /// A parameter of the query stands there twice.
    #[cfg(any(feature = "lists", feature = "hub"))]
    QueryTwice(Field),
    /// `limit` is no number that a list takes.
    #[cfg(feature = "lists")]
    Limit,
    /// `status` is no status.
    #[cfg(feature = "lists")]
    Status,
    /// The cursor leads nowhere any more.
    #[cfg(feature = "lists")]
    Cursor,
    /// `after_sequence` is no sequence.
    #[cfg(feature = "hub")]
    AfterSequence,
    /// The `Idempotency-Key` is not one.
    #[cfg(feature = "idempotency")]
    IdempotencyKey,
    /// The `Idempotency-Key` came with another body before.
    #[cfg(feature = "idempotency")]
    IdempotencyReused,
    /// The `Idempotency-Key`'s job is no longer kept.
    #[cfg(feature = "idempotency")]
    IdempotencyForgotten,
    /// The job has ended.
    Ended,
    /// The endpoint is disabled, and nothing is sent to it.
    #[cfg(feature = "webhook-api")]
    Disabled,
    /// As many replaced secrets of the endpoint as there is room for still sign.
    #[cfg(feature = "webhook-api")]
    Secrets,
    /// The job is no longer with the worker that reports on it.
    #[cfg(feature = "hub")]
    LeaseLost,
    /// Jobs are not given to workers that claim them.
    #[cfg(feature = "hub")]
    NoRemoteWorkers,
    /// `progress` is no share of a hundred.
    #[cfg(feature = "hub")]
    Progress,
    /// `progress` is less than was reported before.
    #[cfg(feature = "hub")]
    ProgressFell,
    /// `output_url` is no absolute URI.
    #[cfg(feature = "hub")]
    OutputUrl,
    /// `lease` is none.
    #[cfg(feature = "hub")]
    Lease,
    /// A video that goes in or comes out.
    #[cfg(feature = "media")]
    Media(MediaProblem),
    /// There is no room; how many seconds to stay away.
    Full(u8),
    /// The server is about to stop.
    Stopping,
    /// What is new cannot be written.
    #[cfg(feature = "hub")]
    StoreStuck,
    /// The answer does not fit the memory lent for it.
    Internal,
}

// It is passed on at every step of reading a request: two registers, and not a copy in memory.
const _: () = assert!(size_of::<Problem>() <= 8);

impl Problem {
    /// The status.
    #[must_use]
    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::Http(refusal) => refusal.status(),
            _ => self.parts().status,
        }
    }

    /// How many seconds to stay away, if there is hope.
    #[must_use]
    pub(crate) const fn retry_after_s(&self) -> Option<u8> {
        match self {
            Self::Full(seconds) => Some(*seconds),
            Self::Stopping => Some(5),
            #[cfg(feature = "hub")]
            Self::StoreStuck => Some(5),
            _ => None,
        }
    }

    /// A table: each arm is a constant.
    const fn parts(&self) -> &'static Parts {
        match self {
            Self::Http(_) => parts!(400, "bad_http", ""),
            Self::Slow => parts!(408, "too_slow", "The request did not arrive in time."),
            Self::Unauthorized => parts!(
                401,
                "unauthorized",
                "Send an API key as Authorization: Bearer KEY.",
            ),
            Self::WrongKey => parts!(
                401,
                "unauthorized",
                "This key is not known here. Send an API key that is."
            ),
            Self::CrossOrigin => parts!(
                403,
                "cross_origin",
                "A web page of another origin changes nothing here. If it is this server's own, the proxy before it must pass Host on as it came.",
            ),
            Self::WebhookLoop => parts!(
                403,
                "webhook_loop",
                "This is the delivery of a webhook: the API is no receiver of webhooks.",
            ),
            Self::NoSuchPath => parts!(404, "not_found", "There is nothing at this path."),
            Self::NoSuchJob => parts!(
                404,
                "job_not_found",
                "There is no translation with this id, or it is no longer kept.",
            ),
            #[cfg(feature = "webhook-api")]
            Self::NoSuchEndpoint => parts!(
                404,
                "webhook_not_found",
                "There is no webhook with this id.",
            ),
            Self::NoJobYet => parts!(404, "no_job", "No translation was submitted yet."),
            Self::Method(_) => parts!(
                405,
                "method_not_allowed",
                "This path does not have this method; Allow lists those it has.",
            ),
            Self::UnknownMethod => parts!(
                501,
                "unknown_method",
                "This server does not know the method.",
            ),
            Self::MediaType => parts!(
                415,
                "unsupported_media_type",
                "Send the body as content-type: application/json.",
            ),
            Self::ContentEncoding => parts!(
                415,
                "unsupported_content_encoding",
                "Send the body as it is, without content-encoding.",
            ),
            Self::Json(..) => parts!(400, "invalid_json", "The body is not JSON"),
            Self::NoObject => parts!(400, "invalid_json", "The body must be a JSON object."),
            Self::Twice(_) => parts!("The member occurs twice."),
            Self::Missing(_) => parts!("The member is missing."),
            Self::NotString(_) => parts!("It must be a string."),
            #[cfg(feature = "webhook-api")]
            Self::NotBool(_) => parts!("It must be true or false."),
            Self::TooLong(_) => parts!("The text is too long."),
            Self::VideoUrl => {
                parts!(
                    VideoUrl,
                    "It must be an absolute URL, such as https://example.com/video.mp4."
                )
            }
            Self::Language(_) => parts!("It must be a BCP 47 language tag, such as es or pt-BR."),
            Self::Url(..) => parts!("It cannot be called"),
            #[cfg(feature = "guard")]
            Self::Blocked(_) => parts!(
                422,
                crate::address::BLOCKED_CODE,
                "Deliveries to this address are not allowed.",
            ),
            #[cfg(feature = "webhook-api")]
            Self::Events => parts!(
                Events,
                "It must be a list of event names, such as translation.completed, translation.* or *.",
            ),
            #[cfg(feature = "webhook-api")]
            Self::Secret => parts!(
                Secret,
                "It must be whsec_ and the Base64 of 24 to 64 bytes."
            ),
            #[cfg(any(feature = "webhook-api", feature = "hub"))]
            Self::Job => parts!(
                Job,
                "There is no translation with this id, or it is no longer kept."
            ),
            #[cfg(all(feature = "webhook-api", feature = "redelivery"))]
            Self::Since => parts!(
                Since,
                "It must be a time in UTC, such as 2026-11-24T09:00:00Z."
            ),
            #[cfg(all(feature = "webhook-api", feature = "redelivery"))]
            Self::Event => parts!(Event, "It must be the id of an event, as in webhook-id."),
            #[cfg(any(feature = "lists", feature = "hub"))]
            Self::QueryTwice(_) => parts!("The parameter occurs twice."),
            #[cfg(feature = "lists")]
            Self::Limit => parts!(Limit, "It must be from 1 to 100."),
            #[cfg(feature = "lists")]
            Self::Status => parts!(
                Status,
                "It must be pending, processing, completed, error or canceled."
            ),
            #[cfg(feature = "lists")]
            Self::Cursor => parts!(Cursor, "The cursor is unknown or no longer kept."),
            #[cfg(feature = "hub")]
            Self::AfterSequence => parts!(
                AfterSequence,
                "It must be the sequence of an event, such as 3."
            ),
            #[cfg(feature = "idempotency")]
            Self::IdempotencyKey => parts!(
                400,
                "invalid_idempotency_key",
                "Idempotency-Key must be 1 to 255 visible characters, and there must be one.",
            ),
            #[cfg(feature = "idempotency")]
            Self::IdempotencyReused => parts!(
                422,
                "idempotency_key_reused",
                "This Idempotency-Key was used with another request.",
            ),
            #[cfg(feature = "idempotency")]
            Self::IdempotencyForgotten => parts!(
                409,
                "idempotency_key_used",
                "This Idempotency-Key was used, and what came of it is no longer kept.",
            ),
            Self::Ended => parts!(409, "job_ended", "The translation has ended already."),
            #[cfg(feature = "webhook-api")]
            Self::Disabled => parts!(
                409,
                "webhook_disabled",
                "The webhook is disabled; enable it first.",
            ),
            #[cfg(feature = "webhook-api")]
            Self::Secrets => parts!(
                409,
                "too_many_secrets",
                "As many replaced secrets as there is room for still sign; each ends a day after it was replaced.",
            ),
            #[cfg(feature = "hub")]
            Self::LeaseLost => parts!(
                409,
                "lease_lost",
                "The translation is no longer with this worker; claim another one.",
            ),
            #[cfg(feature = "hub")]
            Self::NoRemoteWorkers => parts!(
                409,
                "no_remote_workers",
                "This server has its own translator; remote workers need --translator remote.",
            ),
            #[cfg(feature = "hub")]
            Self::Progress => parts!(Progress, "It must be a number from 0 to 100."),
            #[cfg(feature = "hub")]
            Self::ProgressFell => parts!(Progress, "It must not be less than before."),
            #[cfg(feature = "hub")]
            Self::OutputUrl => parts!(
                OutputUrl,
                "It must be an absolute URL, such as https://example.com/video.es.mp4."
            ),
            #[cfg(feature = "hub")]
            Self::Lease => parts!(Lease, "It must be the lease that came with the job."),
            #[cfg(feature = "media")]
            Self::Media(problem) => problem.parts(),
            Self::Full(_) => parts!(
                503,
                "full",
                "There is no room at the moment. Try again later.",
            ),
            Self::Stopping => parts!(503, "stopping", "The server is about to stop."),
            #[cfg(feature = "hub")]
            Self::StoreStuck => parts!(
                503,
                "store_stuck",
                "Nothing can be written for now: what is new waits, what is known can be read.",
            ),
            Self::Internal => parts!(
                500,
                "internal",
                "The answer does not fit the server's memory.",
            ),
        }
    }

    /// The member or parameter that it is about.
    const fn field(&self) -> Option<Field> {
        match self {
            Self::Twice(field)
            | Self::Missing(field)
            | Self::NotString(field)
            | Self::TooLong(field)
            | Self::Language(field)
            | Self::Url(field, _) => Some(*field),
            #[cfg(feature = "webhook-api")]
            Self::NotBool(field) => Some(*field),
            #[cfg(any(feature = "lists", feature = "hub"))]
            Self::QueryTwice(field) => Some(*field),
            #[cfg(feature = "media")]
            Self::Media(MediaProblem::Upload(field)) => Some(*field),
            #[cfg(feature = "guard")]
            Self::Blocked(field) => Some(*field),
            _ => self.parts().field,
        }
    }
}
