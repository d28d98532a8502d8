//! From a document to typed values: a serde `Deserializer` that goes through it once, and checks it on the way.
//!
//! Nothing comes of a document that is no JSON to the letter, also where that is in what is skipped, and none that nests deeper
//! than [`DEPTH_MAX`](super::DEPTH_MAX): a type that holds itself is read in so many calls inside one another at most, and
//! all others in as many as the type is deep.

mod document;
mod error;
mod parts;

pub use error::{ReadError, ReadErrorKind};

use super::{
    Array, NumberError, Str, checked,
    hint::{ARRAY, SHORT, STR},
    value::Items,
};
use core::marker::PhantomData;
use document::{Document, Literal};
use parts::{TypedItems, TypedMembers, Variant};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Visitor};

/// Reads a document into a typed value.
///
/// Strings without escapes are lent out of `bytes`; a [`Str`] takes those with escapes too, as they stand. Any other text
/// (`&str`, `String`, `heapless::String`) wants them decoded, which takes memory: that is [`from_slice_in`]. Names of members and of enums' variants, and the short
/// texts of this crate's own types (ids, times, words), need none.
///
/// ```
/// use dubhook_core::json::{self, ReadErrorKind, Str};
///
/// #[derive(serde::Deserialize)]
/// struct Reading<T> {
///     door: T,
///     millidegrees: i32,
/// }
///
/// let document = br#"{"door": "\"north\"", "millidegrees": -1500, "more": [{}]}"#;
/// let reading: Reading<Str<'_>> = json::from_slice(document).unwrap();
/// assert!(reading.door == "\"north\"" && reading.millidegrees == -1_500);
///
/// let mut memory = [0; 16];
/// let reading: Reading<&str> = json::from_slice_in(document, &mut memory).unwrap();
/// assert_eq!(reading.door, "\"north\"");
///
/// let error = json::from_slice::<Reading<&str>>(document).err().unwrap();
/// assert_eq!((error.kind, error.member, error.offset), (ReadErrorKind::Escaped, Some("door"), 9));
/// ```
///
/// # Errors
///
/// [`ReadError`]: the document is no JSON, or not what `T` wants.
pub fn from_slice<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, ReadError> {
    from_slice_in(bytes, &mut [])
}

/// Reads a document into a typed value, and decodes strings with escapes into `memory`, where they then lie.
///
/// As many bytes as the document has are always enough.
///
/// # Errors
///
/// [`ReadError`], of the kind [`ReadErrorKind::Escaped`] where `memory` is too short.
pub fn from_slice_in<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    memory: &'a mut [u8],
) -> Result<T, ReadError> {
    from_slice_with(bytes, memory, PhantomData)
}

/// Reads a document into what `seed` makes of it.
pub(crate) fn from_slice_with<'a, S: DeserializeSeed<'a>>(
    bytes: &'a [u8],
    memory: &'a mut [u8],
    seed: S,
) -> Result<S::Value, ReadError> {
    let mut document = Document::new(bytes, memory);
    let value = document.item(seed);
    match document.is_whole() {
        true if value.is_ok() => value,
        _ => Err(fault(bytes, value.err())),
    }
}

/// What is wrong with a document: that it is no JSON, wherever that is, before all else.
#[cold]
#[inline(never)]
fn fault(bytes: &[u8], error: Option<ReadError>) -> ReadError {
    match checked(bytes) {
        Ok(_) => error.unwrap_or(ReadErrorKind::Type.into()),
        Err(error) => error.into(),
    }
}

/// Reads each item of an array into a typed value, when it is asked for.
///
/// Offsets of errors are counted from where their item begins.
pub fn from_array<'a, T: Deserialize<'a>>(
    array: Array<'a>,
) -> impl Iterator<Item = Result<T, ReadError>> + use<'a, T> {
    let mut items = Items::of(&array);
    core::iter::from_fn(move || {
        let text = items.rest().trim_ascii_start();
        items.next()?;
        let text = text.strip_prefix(',').unwrap_or(text);
        let mut document = Document::new(text.trim_ascii_start().as_bytes(), &mut []);
        Some(document.item(PhantomData))
    })
}

/// The longest text that is decoded on the stack: a secret's has 94 bytes.
const SHORT_BYTES_MAX: usize = 96;

/// Hands a short text with escapes on, decoded. What is longer than any such text goes on as it stands.
#[inline(never)]
fn visit_decoded<'de, V: Visitor<'de>>(
    string: Str<'de>,
    visitor: V,
) -> Result<V::Value, ReadError> {
    let mut memory = [0; SHORT_BYTES_MAX];
    match string.decode_into(&mut memory) {
        Some(text) => visitor.visit_str(text),
        None => visitor.visit_borrowed_str(string.escaped_text()),
    }
}

/// The value that comes next in a document. Whoever has read it has left it behind, or where it stands.
struct Typed<'d, 'de>(&'d mut Document<'de>);

impl<'de> Typed<'_, 'de> {
    fn integer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let number = self.0.number().ok_or(ReadErrorKind::Type)?;
        if let Ok(number) = number.as_u64() {
            return visitor.visit_u64(number);
        }
        match number.as_i64() {
            Ok(number) => visitor.visit_i64(number),
            Err(NumberError::NotAnInteger) => Err(ReadErrorKind::Type.into()),
            Err(NumberError::OutOfRange) => Err(ReadErrorKind::Range.into()),
        }
    }

    fn float<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let number = self.0.number().ok_or(ReadErrorKind::Type)?;
        match number.text().parse::<f64>() {
            Ok(number) if number.is_finite() => visitor.visit_f64(number),
            _ => Err(ReadErrorKind::Range.into()),
        }
    }

    fn string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let string = self.0.string().ok_or(ReadErrorKind::Type)?;
        match string.plain() {
            Some(text) => visitor.visit_borrowed_str(text),
            None => visitor.visit_borrowed_str(self.0.decode(string)?),
        }
    }

    /// Hands a short text on.
    fn short<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let string = self.0.string().ok_or(ReadErrorKind::Type)?;
        match string.plain() {
            Some(text) => visitor.visit_borrowed_str(text),
            None => visit_decoded(string, visitor),
        }
    }

    fn array<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let start = self.0.open(b'[').ok_or(ReadErrorKind::Type)?;
        let value = visitor.visit_seq(TypedItems::new(self.0));
        self.0.leave(start);
        value
    }

    fn object<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let start = self.0.open(b'{').ok_or(ReadErrorKind::Type)?;
        let value = visitor.visit_map(TypedMembers::new(name, fields, self.0));
        self.0.leave(start);
        value
    }
}

/// Methods that all take the same kind of value.
macro_rules! as_one {
    ($take:ident: $($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            self.$take(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Typed<'_, 'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.peek() {
            Some(b'"') => self.string(visitor),
            Some(b'[') => self.array(visitor),
            Some(b'{') => self.object("", &[], visitor),
            Some(b'-' | b'0'..=b'9') => {
                let start = self.0.place();
                let number = self.0.number().ok_or(ReadErrorKind::Type)?;
                self.0.go_back(start);
                match number.as_i64() {
                    Err(NumberError::NotAnInteger) => self.float(visitor),
                    _ => self.integer(visitor),
                }
            }
            _ => match self.0.literal() {
                Some(Literal::Null) => visitor.visit_unit(),
                Some(literal) => visitor.visit_bool(literal == Literal::True),
                None => Err(ReadErrorKind::Type.into()),
            },
        }
    }

    as_one!(integer: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128);
    as_one!(float: deserialize_f32 deserialize_f64);
    as_one!(string: deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf);
    as_one!(array: deserialize_seq);

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.literal() {
            Some(Literal::True) => visitor.visit_bool(true),
            Some(Literal::False) => visitor.visit_bool(false),
            _ => Err(ReadErrorKind::Type.into()),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_identifier(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.peek() {
            Some(b'n') => {
                self.0.skip();
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.literal() {
            Some(Literal::Null) => visitor.visit_unit(),
            _ => Err(ReadErrorKind::Type.into()),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match name {
            SHORT => self.short(visitor),
            STR => {
                let string = self.0.string().ok_or(ReadErrorKind::Type)?;
                match string.plain() {
                    Some(text) => visitor.visit_borrowed_str(text),
                    None => visitor.visit_borrowed_bytes(string.escaped_text().as_bytes()),
                }
            }
            ARRAY => {
                let array = self.0.array().ok_or(ReadErrorKind::Type)?;
                visitor.visit_borrowed_str(array.inside())
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.array(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.array(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.object("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.object(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if self.0.peek() == Some(b'"') {
            return visitor.visit_enum(Variant::new(self.0, false));
        }
        let start = self.0.open(b'{').ok_or(ReadErrorKind::Type)?;
        let value = match self.0.next_part(true, b'}') {
            true => visitor.visit_enum(Variant::new(self.0, true)),
            false => Err(ReadErrorKind::Type.into()),
        };
        // One member and no more.
        let is_more = value.is_ok() && self.0.next_part(false, b'}');
        self.0.leave(start);
        match is_more {
            true => Err(ReadErrorKind::Type.into()),
            false => value,
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.short(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }
}
