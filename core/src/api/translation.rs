//! The body of `POST /v1/translations`.

use super::{
    Problem,
    body::{optional_string, string, text},
};
use crate::{
    address::Guard,
    json::{Object, Str},
    language,
    service::{Limits, NewJob, Words},
    url::{Url, is_absolute_uri},
};

/// Reads the body of a request for a translation. `memory` is room for one string while it is checked.
///
/// # Errors
///
/// [`Problem`] says which member is wrong, and how.
pub fn translation<'b>(
    object: &Object<'b>,
    limits: &Limits,
    guard: &Guard<'_>,
    memory: &mut [u8],
) -> Result<NewJob<'b>, Problem> {
    let names = [
        "video_url",
        "target_language",
        "source_language",
        "callback_url",
        "reference",
    ];
    let [video_url, target, source, callback, reference] = object
        .fields(names)
        .map_err(|twice| Problem::Twice(twice.name))?;

    let video_url = string("video_url", video_url)?;
    let url = text("video_url", video_url, limits.url_bytes_max, memory)?;
    if !is_absolute_uri(url) {
        return Err(Problem::VideoUrl);
    }
    let target_language = string("target_language", target)?;
    check_language("target_language", target_language, memory)?;
    let source_language = optional_string("source_language", source)?;
    if let Some(source) = source_language {
        check_language("source_language", source, memory)?;
    }
    let callback_url = optional_string("callback_url", callback)?;
    if let Some(callback) = callback_url {
        check_callback("callback_url", callback, limits, guard, memory)?;
    }
    let reference = optional_string("reference", reference)?;
    if let Some(reference) = reference
        && reference.decoded_len() > limits.reference_bytes_max
    {
        return Err(Problem::TooLong("reference"));
    }
    Ok(NewJob {
        video_url: Words::Json(video_url),
        source_language: source_language.map(Words::Json),
        target_language: Words::Json(target_language),
        reference: reference.map(Words::Json),
        callback_url: callback_url.map(Words::Json),
    })
}

fn check_language(name: &'static str, tag: Str<'_>, memory: &mut [u8]) -> Result<(), Problem> {
    match text(name, tag, language::TAG_BYTES_MAX, memory) {
        Ok(tag) if language::is_well_formed(tag) => Ok(()),
        _ => Err(Problem::Language(name)),
    }
}

/// Checks a URL that deliveries shall go to, as far as it can be told without a look-up.
pub(super) fn check_callback(
    name: &'static str,
    url: Str<'_>,
    limits: &Limits,
    guard: &Guard<'_>,
    memory: &mut [u8],
) -> Result<(), Problem> {
    let url = text(name, url, limits.callback_bytes_max, memory)?;
    let url =
        Url::parse(url, limits.callback_bytes_max).map_err(|error| Problem::Url(name, error))?;
    if guard.permits_url(&url) {
        Ok(())
    } else {
        Err(Problem::Blocked(name))
    }
}
