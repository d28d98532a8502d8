//! JSON (RFC 8259) without a heap: strict to read, canonical to write.
//!
//! Reading has two steps. [`object`] looks at the whole document once and refuses whatever is not
//! JSON to the letter, members that nobody will ask for included: bytes that are not UTF-8, a byte
//! order mark, lone surrogates, control characters, loose numbers, nesting past [`DEPTH_MAX`], bytes
//! after the end. It counts depth in a bit set, so that no document can make it recurse. What comes
//! back is a view into the unchanged bytes; walking it ([`Object::fields`], [`Array::items`]) only
//! ever meets well-formed text, and decodes a string while it is read.
//!
//! Strings stay escaped in the document and come out as decoded bytes ([`Str`]); numbers stay text
//! and convert exactly or not at all ([`Number`]). A name that occurs twice is legal JSON, so it is
//! refused where it is asked for, not in the grammar (RFC 7493 section 2.3 forbids it).
//!
//! ```
//! use dubhook_core::json::{self, Value};
//!
//! let document = br#"{"video_url": "file:///a\u00e9.mp4", "limit": 20, "extra": [1, {}]}"#;
//! let object = json::object(document).unwrap();
//! let [url, limit, cursor] = object.fields(["video_url", "limit", "cursor"]).unwrap();
//! let (Some(Value::String(url)), Some(Value::Number(limit))) = (url, limit) else { panic!() };
//! assert!(url == "file:///aé.mp4");
//! assert_eq!(limit.as_u64(), Ok(20));
//! assert!(cursor.is_none());
//! ```
//!
//! Writing goes through [`Writer`], or [`write_str`] and [`write_escaped`] inside a template by hand.
//! There is one spelling for each string, because the bytes get signed:
//!
//! ```
//! use dubhook_core::{json::Writer, out::Out};
//!
//! let mut memory = [0u8; 64];
//! let mut out = Out::new(&mut memory);
//! Writer::new(&mut out)
//!     .object()
//!     .name("status").string("say \"pending\"")
//!     .name("progress").u64(42)
//!     .end_object();
//! assert_eq!(out.written(), br#"{"status":"say \"pending\"","progress":42}"#);
//! ```

mod decode;
mod encode;
mod hint;
mod plain;
mod scan;
mod string;
mod value;
mod writer;

pub(crate) use decode::from_slice_with;
pub use decode::{ReadError, ReadErrorKind, from_array, from_slice, from_slice_in};
pub(crate) use encode::write;
pub use encode::{WriteError, to_slice};
pub(crate) use hint::{FIRST_MEMBER_FIRST, short, word};
pub(crate) use string::Decoded;
pub use string::Str;
pub use value::{Array, Duplicate, Number, NumberError, Object, Value};
pub use writer::{Writer, write_escaped, write_str};

/// How many arrays and objects may stand inside one another.
pub const DEPTH_MAX: u32 = 32;

/// Where a document stops being JSON, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Error {
    /// The offset in bytes of the first byte that cannot be accepted; the length of the document if
    /// it ends too early.
    pub offset: usize,
    /// What is wrong there.
    pub kind: ErrorKind,
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} (byte {})", self.kind.as_str(), self.offset)
    }
}

impl core::error::Error for Error {}

/// What is wrong with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ErrorKind {
    /// The document ends before its value does.
    UnexpectedEnd,
    /// A byte that cannot stand where it stands.
    UnexpectedByte,
    /// The bytes are not UTF-8 (RFC 8259 section 8.1).
    NotUtf8,
    /// A byte order mark stands first (RFC 8259 section 8.1).
    ByteOrderMark,
    /// A control character stands unescaped in a string (RFC 8259 section 7).
    ControlCharacter,
    /// A backslash is followed by what is no escape (RFC 8259 section 7).
    BadEscape,
    /// An escaped UTF-16 surrogate without its other half: it is no character.
    LoneSurrogate,
    /// A number breaks the grammar (RFC 8259 section 6).
    BadNumber,
    /// More than [`DEPTH_MAX`] arrays and objects inside one another.
    TooDeep,
    /// Something follows the value.
    TrailingBytes,
    /// The document is JSON, but not an object.
    NotAnObject,
}

impl ErrorKind {
    /// A sentence for people, without the full stop.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnexpectedEnd => "the document ends too early",
            Self::UnexpectedByte => "unexpected character",
            Self::NotUtf8 => "the document is not UTF-8",
            Self::ByteOrderMark => "the document starts with a byte order mark",
            Self::ControlCharacter => "a control character in a string must be escaped",
            Self::BadEscape => "unknown escape sequence in a string",
            Self::LoneSurrogate => "an escaped surrogate lacks its other half",
            Self::BadNumber => "malformed number",
            Self::TooDeep => "arrays and objects are nested too deeply",
            Self::TrailingBytes => "something follows the end of the document",
            Self::NotAnObject => "the document is not an object",
        }
    }
}

/// Reads a document whose value is an object.
///
/// # Errors
///
/// The first [`Error`], if `bytes` are not one strict JSON text or its value is not an object.
pub fn object(bytes: &[u8]) -> Result<Object<'_>, Error> {
    let text = checked(bytes)?;
    match value::document(text) {
        Some(Value::Object(object)) => Ok(object),
        _ => Err(Error {
            offset: text.len() - text.trim_ascii_start().len(),
            kind: ErrorKind::NotAnObject,
        }),
    }
}

/// Reads a document of any kind.
///
/// # Errors
///
/// The first [`Error`], if `bytes` are not one strict JSON text.
pub fn value(bytes: &[u8]) -> Result<Value<'_>, Error> {
    let text = checked(bytes)?;
    value::document(text).ok_or(Error {
        offset: 0,
        kind: ErrorKind::UnexpectedEnd,
    })
}

/// Checks a document of any kind.
///
/// # Errors
///
/// The first [`Error`], if `bytes` are not one strict JSON text.
pub fn validate(bytes: &[u8]) -> Result<(), Error> {
    checked(bytes).map(|_| ())
}

/// The document as text, once all of it is known to be well formed.
fn checked(bytes: &[u8]) -> Result<&str, Error> {
    match core::str::from_utf8(bytes) {
        Ok(text) => scan::check(bytes).map(|()| text),
        Err(error) => {
            // An error of grammar before the bad byte is the first error, so it is the one to tell.
            let offset = error.valid_up_to();
            let valid = bytes.get(..offset).unwrap_or(&[]);
            match scan::check(valid) {
                Err(earlier) if earlier.offset < offset => Err(earlier),
                _ => Err(Error {
                    offset,
                    kind: ErrorKind::NotUtf8,
                }),
            }
        }
    }
}
