//! `Idempotency-Key`: requests that are known when they come again. The feature `idempotency`.

use super::{
    Server,
    reply::{Answer, Reply, Sought, full},
};
use crate::{
    api::Problem,
    http::Request,
    service::{IdempotencyKey, SubmitError},
};
#[cfg(feature = "webhook-api")]
use crate::{id::Id, time::Now};

/// The longest `Idempotency-Key`, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// What a request is known by, if it shall be.
pub(super) fn key(
    server: &Server<'_>,
    request: &Request<'_>,
) -> Result<Option<IdempotencyKey>, Problem> {
    let key = sent(request)?;
    Ok(key.map(|key| server.service.idempotency_key(key, request.body)))
}

/// What a request is known by that makes or changes an endpoint, if it shall be: the one with this id, or a new one.
#[cfg(feature = "webhook-api")]
pub(super) fn webhook_key(
    server: &Server<'_>,
    request: &Request<'_>,
    endpoint: Id,
) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(key) = sent(request)? else {
        return Ok(None);
    };
    Ok(Some(server.service.webhook_key(
        key,
        endpoint,
        request.body,
    )))
}

/// The endpoint that the same request made or changed before.
#[cfg(feature = "webhook-api")]
pub(super) fn recall(
    server: &mut Server<'_>,
    now: Now,
    key: Option<&IdempotencyKey>,
) -> Result<Option<Id>, Problem> {
    let Some(key) = key else {
        return Ok(None);
    };
    server
        .service
        .recall(now, key)
        .map_err(|error| match error {
            SubmitError::KeyReused => Problem::IdempotencyReused,
            SubmitError::Full => full(&mut server.service),
            SubmitError::NotStarted | SubmitError::Invalid | SubmitError::KeyForgotten(_) => {
                Problem::Internal
            }
        })
}

/// Keeps in mind which endpoint a request made or changed.
#[cfg(feature = "webhook-api")]
pub(super) fn remember(
    server: &mut Server<'_>,
    now: Now,
    key: Option<&IdempotencyKey>,
    endpoint: Id,
) {
    if let Some(key) = key {
        server.service.remember(now, key, endpoint);
    }
}

/// The key that came with a request.
fn sent<'r>(request: &Request<'r>) -> Result<Option<&'r [u8]>, Problem> {
    match request.fields.get_unique("idempotency-key") {
        Ok(None) => Ok(None),
        Ok(Some(key)) if is_key(key) => Ok(Some(key)),
        _ => Err(Problem::IdempotencyKey),
    }
}

/// Answers where no job was made.
pub(super) fn refused(server: &mut Server<'_>, error: SubmitError) -> Answer {
    match error {
        SubmitError::NotStarted | SubmitError::Invalid => Err(Problem::Internal),
        SubmitError::Full => Err(full(&mut server.service)),
        SubmitError::KeyReused => Err(Problem::IdempotencyReused),
        SubmitError::KeyForgotten(id) if server.service.has_archive() => Ok(Reply::Archived {
            id,
            sought: Sought::Repeat,
        }),
        SubmitError::KeyForgotten(_) => Err(Problem::IdempotencyForgotten),
    }
}

fn is_key(key: &[u8]) -> bool {
    !key.is_empty() && key.len() <= KEY_BYTES_MAX && key.iter().all(u8::is_ascii_graphic)
}
