//! What the bodies of requests have in common.

use super::{Field, Problem, route::is_json};
#[cfg(feature = "guard")]
use crate::address::Guard;
use crate::{
    http::Request,
    json::{self, Object, Str, Value},
    service::Limits,
};

/// What the bodies of requests are held against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    /// How long their strings may be.
    pub limits: &'a Limits,
    /// Where deliveries may go. With the feature `guard`.
    #[cfg(feature = "guard")]
    pub guard: &'a Guard<'a>,
}

/// Whether the body of a request is not as it is, but compressed: nothing is decoded here. Of `head` only the fields count.
pub(crate) fn is_encoded(head: &Request<'_>) -> bool {
    head.fields
        .all("content-encoding")
        .flat_map(|field| field.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

/// Reads the body of a request as a JSON object.
///
/// # Errors
///
/// [`Problem::MediaType`], [`Problem::Json`] or [`Problem::NoObject`].
pub(crate) fn read_object<'b>(request: &Request<'b>) -> Result<Object<'b>, Problem> {
    if request.body.is_empty() {
        return Err(Problem::NoObject);
    }
    // A body without a type may be guessed at (RFC 9110, section 8.3), and there is one guess.
    match request.fields.get_unique("content-type") {
        Ok(None) => {}
        Ok(Some(media_type)) if is_json(media_type) => {}
        _ => return Err(Problem::MediaType),
    }
    match json::object(request.body) {
        Ok(object) => Ok(object),
        Err(error) if error.kind == json::ErrorKind::NotAnObject => Err(Problem::NoObject),
        Err(error) => Err(Problem::Json(
            u32::try_from(error.offset).unwrap_or(u32::MAX),
            error.kind,
        )),
    }
}

/// Puts the members `fields` of an object into `values`, in that order.
pub(super) fn members<'b>(
    object: &Object<'b>,
    fields: &[Field],
    values: &mut [Option<Value<'b>>],
) -> Result<(), Problem> {
    match object.fill(fields, Field::as_str, values) {
        None => Ok(()),
        Some(twice) => Err(Problem::Twice(twice)),
    }
}

/// A member that may be absent or null, and is a string otherwise. A call on small processors: a copy of it for each
/// member takes more flash.
#[cfg_attr(target_pointer_width = "32", inline(never))]
pub(super) fn optional_string<'b>(
    name: Field,
    value: Option<Value<'b>>,
) -> Result<Option<Str<'b>>, Problem> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Problem::NotString(name)),
    }
}

/// A member that must be a string.
pub(super) fn string<'b>(name: Field, value: Option<Value<'b>>) -> Result<Str<'b>, Problem> {
    optional_string(name, value)?.ok_or(Problem::Missing(name))
}

/// The text of a string, decoded into `memory` if it must be. `bytes_max` is how long it may be.
pub(super) fn text<'m>(
    name: Field,
    string: Str<'m>,
    bytes_max: usize,
    memory: &'m mut [u8],
) -> Result<&'m str, Problem> {
    let room = memory.get_mut(..bytes_max).ok_or(Problem::TooLong(name))?;
    match string.plain() {
        Some(text) if text.len() <= bytes_max => Ok(text),
        Some(_) => Err(Problem::TooLong(name)),
        None => string.decode_into(room).ok_or(Problem::TooLong(name)),
    }
}
