//! The rest of a file: all that is still to come of it, in one answer on one connection.

use super::{
    exchange::{Ask, Pouring, TRANSFER_PATIENCE},
    servers::Servers,
};
use dubhook_core::http::{Method, Response};
use std::io;

/// Gets what is at `path` from `at` on, of that of which this is the tag, if it is said, from wherever the server says it is. Each
/// piece goes to `take`. Returns how many bytes came: where that are too few, whoever asks for the next part learns why.
///
/// # Errors
///
/// What `take` fails with.
pub(super) async fn rest(
    servers: &Servers,
    api_key: Option<&str>,
    path: &str,
    at: u64,
    tag: Option<&str>,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let range = format!("bytes={at}-");
    let mut fields = vec![("range", range.as_str())];
    fields.extend(tag.map(|tag| ("if-range", tag)));
    let from = format!("bytes {at}-");
    let (mut came, mut fault) = (0, None);
    let mut place = path.to_owned();
    loop {
        let ask = Ask {
            method: Method::Get,
            target: &place,
            body: b"",
            fields: &fields,
            api_key,
            patience: TRANSFER_PATIENCE,
        };
        let wants = |answer: &Response<'_>| {
            let span = answer.fields.get("content-range").unwrap_or_default();
            answer.status == 206 && span.starts_with(from.as_bytes())
        };
        let take = |piece: &[u8]| {
            take(piece).map_err(|error| {
                fault = Some(error);
                io::Error::from(io::ErrorKind::Other)
            })?;
            came += piece.len() as u64;
            Ok(())
        };
        let leads = |answer: &Response<'_>| {
            let url = answer.fields.get("location")?;
            let url = str::from_utf8(url).ok()?;
            matches!(answer.status, 302 | 307).then(|| url.to_owned())
        };
        match servers.pour(ask, Pouring { wants, take }, leads).await {
            Ok(Some(Some(url))) if place.starts_with('/') => place = url,
            _ => break,
        }
    }
    match fault {
        Some(error) => Err(error),
        None => Ok(came),
    }
}
