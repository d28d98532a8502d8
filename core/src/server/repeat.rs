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

/// The longest `Idempotency-Key`, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// What a request is known by, if it shall be.
pub(super) fn key(
    server: &Server<'_>,
    request: &Request<'_>,
) -> Result<Option<IdempotencyKey>, Problem> {
    match request.fields.get_unique("idempotency-key") {
        Ok(None) => Ok(None),
        Ok(Some(key)) if is_key(key) => Ok(Some(server.service.idempotency_key(key, request.body))),
        _ => Err(Problem::IdempotencyKey),
    }
}

/// Answers where no job was made.
pub(super) fn refused(server: &mut Server<'_>, error: SubmitError) -> Answer {
    match error {
        SubmitError::NotStarted => Err(Problem::Internal),
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
