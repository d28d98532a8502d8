//! The body of `POST /v1/uploads`.

use super::{
    Field, Problem,
    body::{members, optional_string, read_object},
};
use crate::{
    digits::canonical_u64,
    http::Request,
    id::Id,
    json::{Str, Value},
};

/// The longest name of a file, in bytes.
const FILENAME_BYTES_MAX: usize = 255;
/// The longest media type, in bytes.
const TYPE_BYTES_MAX: usize = 127;

/// In which form subtitles are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Subtitles {
    /// WebVTT.
    Vtt,
    /// SubRip.
    Srt,
}

/// An upload that is asked for.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NewUpload<'r> {
    /// What it is to be called.
    pub id: Id,
    /// How many bytes it has: 1 at least.
    pub bytes: u64,
    /// What the file is called, 1 to 255 bytes: a name to show, and never a path to open.
    pub filename: Option<Str<'r>>,
    /// What it says it is: a type, `/` and a subtype.
    pub content_type: Option<Str<'r>>,
    /// The SHA-256 of its bytes: 64 hexadecimal digits.
    pub sha256: Option<Str<'r>>,
}

/// Reads what is to be uploaded: an object, or as tus 1.0 has it (creation extension) `Upload-Length` and no body.
///
/// # Errors
///
/// [`Problem`] says which member is wrong, and how.
pub(crate) fn upload<'r>(request: &Request<'r>, id: Id) -> Result<NewUpload<'r>, Problem> {
    let nothing = NewUpload {
        id,
        bytes: 0,
        filename: None,
        content_type: None,
        sha256: None,
    };
    if request.body.is_empty()
        && let Ok(Some(length)) = request.fields.get_unique("upload-length")
    {
        let bytes = canonical_u64(length).filter(|bytes| *bytes > 0);
        let bytes = bytes.ok_or(Problem::Bytes)?;
        return Ok(NewUpload { bytes, ..nothing });
    }
    let object = read_object(request)?;
    let names = &[
        Field::Bytes,
        Field::Filename,
        Field::ContentType,
        Field::Sha256,
    ];
    let mut values = [None; 4];
    members(&object, names, &mut values)?;
    let [bytes, filename, content_type, sha256] = values;
    let bytes = match bytes {
        None => return Err(Problem::Missing(Field::Bytes)),
        Some(Value::Number(bytes)) => bytes.as_u64().map_err(|_| Problem::Bytes)?,
        Some(_) => return Err(Problem::Bytes),
    };
    let filename = optional_string(Field::Filename, filename)?;
    let content_type = optional_string(Field::ContentType, content_type)?;
    let sha256 = optional_string(Field::Sha256, sha256)?;
    match () {
        () if bytes == 0 => Err(Problem::Bytes),
        () if !filename.is_none_or(is_filename) => Err(Problem::Filename),
        () if !content_type.is_none_or(is_media_type) => Err(Problem::ContentType),
        () if !sha256.is_none_or(is_sha256) => Err(Problem::Sha256),
        () => Ok(NewUpload {
            bytes,
            filename,
            content_type,
            sha256,
            ..nothing
        }),
    }
}

/// Whether a name can be shown. Where it would lead as a path is nobody's business: nothing opens it.
fn is_filename(name: Str<'_>) -> bool {
    let is_short = (1..=FILENAME_BYTES_MAX).contains(&name.decoded_len());
    is_short && !name.bytes().any(|byte| byte.is_ascii_control())
}

/// Whether this is a type and a subtype (RFC 9110, section 8.3.1), without parameters.
fn is_media_type(text: Str<'_>) -> bool {
    let Some(text) = text.plain().filter(|text| text.len() <= TYPE_BYTES_MAX) else {
        return false;
    };
    let is_name = |name: &[u8]| {
        let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(byte);
        !name.is_empty() && name.iter().all(is_letter)
    };
    let mut parts = text.as_bytes().split(|byte| *byte == b'/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(one), Some(two), None) => is_name(one) && is_name(two),
        _ => false,
    }
}

fn is_sha256(text: Str<'_>) -> bool {
    let is_hex = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.plain().is_some_and(is_hex)
}
