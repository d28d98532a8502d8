//! Everything that can be wrong with a request, as problem documents (RFC 9457).

use crate::{http::Refusal, json, out::Out};

/// What is wrong. Each has a status, a code that never changes, and a sentence for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Problem {
    /// The bytes are no request that a server should take.
    Http(Refusal),
    /// The request did not arrive in time.
    Slow,
    /// There is no `Authorization`, or its key is not one of ours.
    Unauthorized,
    /// No such path.
    NoSuchPath,
    /// No such job.
    NoSuchJob,
    /// No such endpoint.
    NoSuchEndpoint,
    /// No job was accepted yet.
    NoJobYet,
    /// The path does not have this method; these it has.
    Method(&'static str),
    /// The method is none that this server knows.
    UnknownMethod,
    /// The body is of another type than JSON.
    MediaType,
    /// The body is no JSON text; where it stops being one, and why.
    Json(u32, json::ErrorKind),
    /// The body is JSON, but no object.
    NoObject,
    /// A member occurs twice.
    Twice(&'static str),
    /// A member that must be there is not.
    Missing(&'static str),
    /// A member is not of the type it must be.
    Type(&'static str, &'static str),
    /// A member is too long.
    TooLong(&'static str),
    /// `video_url` is no absolute URI.
    VideoUrl,
    /// A language tag is not well-formed.
    Language(&'static str),
    /// A URL cannot be called.
    Url(&'static str, crate::url::UrlError),
    /// A URL leads where callbacks may not go.
    Blocked(&'static str),
    /// `events` names no event.
    Events,
    /// `secret` is none.
    Secret,
    /// `job` names no job.
    Job,
    /// `since` is no point in time.
    Since,
    /// A parameter of the query is not what it must be.
    Query(&'static str, &'static str),
    /// The cursor leads nowhere any more.
    Cursor,
    /// The `Idempotency-Key` is not one.
    IdempotencyKey,
    /// The `Idempotency-Key` came with another body before.
    IdempotencyReused,
    /// The `Idempotency-Key`'s job is no longer kept.
    IdempotencyForgotten,
    /// The job has ended.
    Ended,
    /// The endpoint is disabled, and nothing is sent to it.
    Disabled,
    /// There is no room; how many seconds to stay away.
    Full(u8),
    /// The server is about to stop.
    Stopping,
    /// The answer does not fit the memory lent for it.
    Internal,
}

/// The parts of a problem document.
struct Parts {
    status: u16,
    code: &'static str,
    detail: &'static str,
    /// What follows the detail after a colon; the detail has no full stop then.
    why: Option<&'static str>,
    field: Option<&'static str>,
}

const fn parts(status: u16, code: &'static str, detail: &'static str) -> Parts {
    Parts {
        status,
        code,
        detail,
        why: None,
        field: None,
    }
}

const fn invalid(field: &'static str, detail: &'static str) -> Parts {
    Parts {
        status: 422,
        code: "invalid_request",
        detail,
        why: None,
        field: Some(field),
    }
}

impl Problem {
    /// The status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.parts().status
    }

    /// The code: it never changes, so programs can tell problems apart by it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.parts().code
    }

    /// How many seconds to stay away, if there is hope.
    #[must_use]
    pub const fn retry_after_s(&self) -> Option<u8> {
        match self {
            Self::Full(seconds) => Some(*seconds),
            Self::Stopping => Some(5),
            _ => None,
        }
    }

    /// The methods that the path has, where that is the problem.
    #[must_use]
    pub const fn allow(&self) -> Option<&'static str> {
        match self {
            Self::Method(allow) => Some(*allow),
            _ => None,
        }
    }

    const fn parts(&self) -> Parts {
        match self {
            Self::Http(refusal) => parts(refusal.status(), "bad_http", refusal.as_str()),
            Self::Slow => parts(408, "too_slow", "The request did not arrive in time."),
            Self::Unauthorized => parts(
                401,
                "unauthorized",
                "Send an API key as Authorization: Bearer KEY.",
            ),
            Self::NoSuchPath => parts(404, "not_found", "There is nothing at this path."),
            Self::NoSuchJob => parts(
                404,
                "job_not_found",
                "There is no translation with this id, or it is no longer kept.",
            ),
            Self::NoSuchEndpoint => parts(
                404,
                "webhook_not_found",
                "There is no webhook with this id.",
            ),
            Self::NoJobYet => parts(404, "no_job", "No translation was submitted yet."),
            Self::Method(_) => parts(
                405,
                "method_not_allowed",
                "This path does not have this method; Allow lists those it has.",
            ),
            Self::UnknownMethod => parts(
                501,
                "unknown_method",
                "This server does not know the method.",
            ),
            Self::MediaType => parts(
                415,
                "unsupported_media_type",
                "Send the body as content-type: application/json.",
            ),
            Self::Json(_, kind) => Parts {
                why: Some(kind.as_str()),
                ..parts(400, "invalid_json", "The body is not JSON")
            },
            Self::NoObject => parts(400, "invalid_json", "The body must be a JSON object."),
            Self::Twice(field) => invalid(field, "The member occurs twice."),
            Self::Missing(field) => invalid(field, "The member is missing."),
            Self::Type(field, detail) => invalid(field, detail),
            Self::TooLong(field) => invalid(field, "The text is too long."),
            Self::VideoUrl => invalid(
                "video_url",
                "It must be an absolute URL, such as https://example.com/video.mp4.",
            ),
            Self::Language(field) => invalid(
                field,
                "It must be a BCP 47 language tag, such as es or pt-BR.",
            ),
            Self::Url(field, error) => Parts {
                why: Some(error.as_str()),
                ..invalid(field, "It cannot be called")
            },
            Self::Blocked(field) => Parts {
                status: 422,
                code: crate::address::BLOCKED_CODE,
                detail: "Deliveries to this address are not allowed.",
                why: None,
                field: Some(field),
            },
            Self::Events => invalid(
                "events",
                "It must be a list of event names, such as translation.completed, translation.* or *.",
            ),
            Self::Secret => invalid(
                "secret",
                "It must be whsec_ and the Base64 of 24 to 64 bytes.",
            ),
            Self::Job => invalid(
                "job",
                "There is no translation with this id, or it is no longer kept.",
            ),
            Self::Since => invalid(
                "since",
                "It must be a time in UTC, such as 2026-11-24T09:00:00Z.",
            ),
            Self::Query(field, detail) => invalid(field, detail),
            Self::Cursor => invalid("cursor", "The cursor is unknown or no longer kept."),
            Self::IdempotencyKey => parts(
                400,
                "invalid_idempotency_key",
                "Idempotency-Key must be 1 to 255 visible characters, and there must be one.",
            ),
            Self::IdempotencyReused => parts(
                422,
                "idempotency_key_reused",
                "This Idempotency-Key was used with another request.",
            ),
            Self::IdempotencyForgotten => parts(
                409,
                "idempotency_key_used",
                "This Idempotency-Key was used, and its translation is no longer kept.",
            ),
            Self::Ended => parts(409, "job_ended", "The translation has ended already."),
            Self::Disabled => parts(
                409,
                "webhook_disabled",
                "The webhook is disabled; enable it first.",
            ),
            Self::Full(_) => parts(
                503,
                "full",
                "There is no room at the moment. Try again later.",
            ),
            Self::Stopping => parts(503, "stopping", "The server is about to stop."),
            Self::Internal => parts(
                500,
                "internal",
                "The answer does not fit the server's memory.",
            ),
        }
    }

    /// Writes the problem document.
    pub fn write(&self, out: &mut Out<'_>) {
        let parts = self.parts();
        let mut json = json::Writer::new(out);
        json.object()
            .name("type")
            .string("about:blank")
            .name("title")
            .string(crate::http::reason(parts.status))
            .name("status")
            .u64(parts.status.into())
            .name("code")
            .string(parts.code)
            .name("detail")
            .quoted(|out| {
                json::write_escaped(out, parts.detail.as_bytes());
                if let Some(why) = parts.why {
                    out.put(b": ");
                    json::write_escaped(out, why.as_bytes());
                    out.put(b".");
                }
            });
        if let Some(field) = parts.field {
            json.name("field").string(field);
        }
        if let Self::Json(offset, _) = self {
            json.name("offset").u64((*offset).into());
        }
        json.end_object();
    }
}
