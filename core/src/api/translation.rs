//! The body of `POST /v1/translations`.

use super::{
    Field, Problem,
    body::{Rules, members, optional_string, string, text},
};
use crate::{
    json::{Object, Str},
    language,
    service::NewJob,
    text::Source,
    url::{Url, is_absolute_uri},
};

/// Reads the body of a request for a translation. `memory` is room for one string while it is checked.
///
/// # Errors
///
/// [`Problem`] says which member is wrong, and how.
pub(crate) fn translation<'b>(
    object: &Object<'b>,
    rules: &Rules<'_>,
    memory: &mut [u8],
) -> Result<NewJob<'b>, Problem> {
    let names = &[
        Field::VideoUrl,
        Field::TargetLanguage,
        Field::SourceLanguage,
        Field::CallbackUrl,
        Field::Reference,
    ];
    let mut values = [None; 5];
    members(object, names, &mut values)?;
    let [video_url, target, source, callback, reference] = values;

    let video_url = string(Field::VideoUrl, video_url)?;
    let url = text(
        Field::VideoUrl,
        video_url,
        rules.limits.url_bytes_max,
        memory,
    )?;
    if !is_absolute_uri(url) {
        return Err(Problem::VideoUrl);
    }
    let target_language = string(Field::TargetLanguage, target)?;
    check_language(Field::TargetLanguage, target_language, memory)?;
    let source_language = optional_string(Field::SourceLanguage, source)?;
    if let Some(source) = source_language {
        check_language(Field::SourceLanguage, source, memory)?;
    }
    let callback_url = optional_string(Field::CallbackUrl, callback)?;
    if let Some(callback) = callback_url {
        check_callback(Field::CallbackUrl, callback, rules, memory)?;
    }
    let reference = optional_string(Field::Reference, reference)?;
    if let Some(reference) = reference
        && reference.decoded_len() > rules.limits.reference_bytes_max
    {
        return Err(Problem::TooLong(Field::Reference));
    }
    Ok(NewJob {
        video_url: Source::Json(video_url),
        source_language: source_language.map(Source::Json),
        target_language: Source::Json(target_language),
        reference: reference.map(Source::Json),
        callback_url: callback_url.map(Source::Json),
    })
}

fn check_language(name: Field, tag: Str<'_>, memory: &mut [u8]) -> Result<(), Problem> {
    match text(name, tag, language::TAG_BYTES_MAX, memory) {
        Ok(tag) if language::is_accepted(tag) => Ok(()),
        _ => Err(Problem::Language(name)),
    }
}

/// Checks a URL that deliveries shall go to, as far as it can be told without a look-up.
pub(super) fn check_callback(
    name: Field,
    url: Str<'_>,
    rules: &Rules<'_>,
    memory: &mut [u8],
) -> Result<(), Problem> {
    let url = text(name, url, rules.limits.callback_bytes_max, memory)?;
    match Url::parse(url, rules.limits.callback_bytes_max) {
        Err(error) => Err(Problem::Url(name, error)),
        #[cfg(feature = "guard")]
        Ok(url) if !rules.guard.permits_url(&url) => Err(Problem::Blocked(name)),
        Ok(_) => Ok(()),
    }
}
