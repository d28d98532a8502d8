//! The body of `POST /v1/uploads`.

use super::{
    Field, MediaProblem, Problem,
    body::{members, optional_string, read_object},
};
use crate::{
    digits::canonical_u64,
    http::Request,
    id::Id,
    json::{Str, Value},
    out::Out,
};
use base64ct::{Base64, Encoding};

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
    filename: Option<Spelled<'r>>,
    content_type: Option<Spelled<'r>>,
    sha256: Option<Spelled<'r>>,
}

impl NewUpload<'_> {
    /// Writes what the file is called, 1 to 255 bytes, if it is called something: a name to show, and never a path to open.
    pub fn write_filename(&self, out: &mut Out<'_>) {
        write(self.filename, out);
    }

    /// Writes what it says it is, if it says so: a type, `/` and a subtype, 127 bytes at most.
    pub fn write_content_type(&self, out: &mut Out<'_>) {
        write(self.content_type, out);
    }

    /// Writes the SHA-256 of its bytes, if that was announced: 64 hexadecimal digits.
    pub fn write_sha256(&self, out: &mut Out<'_>) {
        write(self.sha256, out);
    }
}

/// A text as it stands in a request.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Spelled<'r> {
    Json(Str<'r>),
    /// In Base64 that was checked.
    Base64(&'r [u8]),
}

/// Text of a file's name, or of its type, at its longest.
const TEXT_BYTES_MAX: usize = FILENAME_BYTES_MAX;

fn write(text: Option<Spelled<'_>>, out: &mut Out<'_>) {
    match text {
        None => {}
        Some(Spelled::Json(text)) => text.bytes().for_each(|byte| out.put_byte(byte)),
        Some(Spelled::Base64(text)) => {
            let mut memory = [0; TEXT_BYTES_MAX];
            out.put(Base64::decode(text, &mut memory).unwrap_or_default());
        }
    }
}

/// Reads what is to be uploaded: an object, or as tus 1.0 has it (creation extension) `Upload-Length`, perhaps `Upload-Metadata`,
/// and no body.
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
        let bytes = bytes.ok_or(MediaProblem::Bytes)?;
        return described(request, NewUpload { bytes, ..nothing });
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
        Some(Value::Number(bytes)) => bytes.as_u64().map_err(|_| MediaProblem::Bytes)?,
        Some(_) => return Err(MediaProblem::Bytes.into()),
    };
    let filename = optional_string(Field::Filename, filename)?;
    let content_type = optional_string(Field::ContentType, content_type)?;
    let sha256 = optional_string(Field::Sha256, sha256)?;
    let is_type = |text: Str<'_>| text.plain().is_some_and(is_media_type);
    match () {
        () if bytes == 0 => Err(MediaProblem::Bytes.into()),
        () if !filename.is_none_or(is_filename) => Err(MediaProblem::Filename.into()),
        () if !content_type.is_none_or(is_type) => Err(MediaProblem::ContentType.into()),
        () if !sha256.is_none_or(is_sha256) => Err(MediaProblem::Sha256.into()),
        () => Ok(NewUpload {
            bytes,
            filename: filename.map(Spelled::Json),
            content_type: content_type.map(Spelled::Json),
            sha256: sha256.map(Spelled::Json),
            ..nothing
        }),
    }
}

/// Reads `Upload-Metadata`: names and values in Base64, of which `filename` and `filetype` mean something.
fn described<'r>(request: &Request<'r>, mut new: NewUpload<'r>) -> Result<NewUpload<'r>, Problem> {
    let metadata = request.fields.get_unique("upload-metadata");
    let metadata = metadata.map_err(|_| MediaProblem::UploadMetadata)?;
    let pairs = metadata.unwrap_or_default().split(|byte| *byte == b',');
    for pair in pairs.map(<[u8]>::trim_ascii) {
        let mut words = pair.splitn(2, |byte| *byte == b' ');
        let (Some(name), Some(value @ [_, ..])) = (words.next(), words.next()) else {
            continue;
        };
        let place = match name {
            b"filename" => &mut new.filename,
            b"filetype" => &mut new.content_type,
            _ => continue,
        };
        if place.replace(Spelled::Base64(value)).is_some() {
            return Err(MediaProblem::UploadMetadata.into());
        }
        let mut memory = [0; TEXT_BYTES_MAX];
        let text = match Base64::decode(value, &mut memory) {
            Ok(text) => core::str::from_utf8(text).map_err(|_| MediaProblem::UploadMetadata)?,
            Err(base64ct::Error::InvalidLength) if name == b"filename" => {
                return Err(MediaProblem::Filename.into());
            }
            Err(_) => return Err(MediaProblem::UploadMetadata.into()),
        };
        match name {
            b"filename" if text.bytes().any(|byte| byte.is_ascii_control()) => {
                return Err(MediaProblem::Filename.into());
            }
            b"filetype" if !is_media_type(text) => return Err(MediaProblem::ContentType.into()),
            _ => {}
        }
    }
    Ok(new)
}

/// Whether a name can be shown. Where it would lead as a path is nobody's business: nothing opens it.
fn is_filename(name: Str<'_>) -> bool {
    let is_short = (1..=FILENAME_BYTES_MAX).contains(&name.decoded_len());
    is_short && !name.bytes().any(|byte| byte.is_ascii_control())
}

/// Whether this is a type and a subtype (RFC 9110, section 8.3.1), without parameters.
fn is_media_type(text: &str) -> bool {
    let is_name = |name: &[u8]| {
        let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(byte);
        !name.is_empty() && name.iter().all(is_letter)
    };
    let mut parts = text.as_bytes().split(|byte| *byte == b'/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(one), Some(two), None) => {
            text.len() <= TYPE_BYTES_MAX && is_name(one) && is_name(two)
        }
        _ => false,
    }
}

fn is_sha256(text: Str<'_>) -> bool {
    let is_hex = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.plain().is_some_and(is_hex)
}
