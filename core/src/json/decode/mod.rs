//! From a document that has been checked to typed values: a serde `Deserializer` that goes through it once.
//!
//! The check has seen every byte before the first value is made, so what is skipped is JSON too, and nothing nests deeper
//! than [`DEPTH_MAX`](super::DEPTH_MAX): a type that holds itself is read in so many calls inside one another at most, and
//! all others in as many as the type is deep.

mod document;
mod error;
mod parts;

pub use error::{ReadError, ReadErrorKind};

use super::{
    Array, NumberError, Str, Value, checked,
    lend::{ARRAY, SHORT, STR},
    value::skip_space_and,
};
use core::marker::PhantomData;
use document::Document;
use parts::{TypedItems, TypedMembers, Variant};
use serde::de::{Deserialize, Deserializer, Visitor};

/// Reads a document into a typed value.
///
/// Strings without escapes are lent out of `bytes`; a [`Str`] takes those with escapes too, as they stand. Any other text
/// wants them decoded, which takes memory: that is [`from_slice_in`]. Names of members and of enums' variants, and the short
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
    let text = checked(bytes)?;
    let mut document = Document::new(text, text.trim_ascii_start(), memory);
    document.item(PhantomData)
}

/// Reads each item of an array into a typed value, when it is asked for.
///
/// Offsets of errors are counted from behind the array's opening bracket.
pub fn from_array<'a, T: Deserialize<'a>>(
    array: Array<'a>,
) -> impl Iterator<Item = Result<T, ReadError>> + use<'a, T> {
    let text = array.inside();
    let mut rest = text;
    core::iter::from_fn(move || {
        skip_space_and(&mut rest, b',');
        if rest.is_empty() {
            return None;
        }
        let mut document = Document::new(text, rest, &mut []);
        let item = document.item(PhantomData);
        rest = document.rest;
        Some(item)
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
        let Some(Value::Number(number)) = self.0.scalar() else {
            return Err(ReadErrorKind::Type.into());
        };
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
        let Some(Value::Number(number)) = self.0.scalar() else {
            return Err(ReadErrorKind::Type.into());
        };
        match number.text().parse::<f64>() {
            Ok(number) if number.is_finite() => visitor.visit_f64(number),
            _ => Err(ReadErrorKind::Range.into()),
        }
    }

    fn string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let string = self.0.string()?;
        match string.plain() {
            Some(text) => visitor.visit_borrowed_str(text),
            None => visitor.visit_borrowed_str(self.0.decode(string)?),
        }
    }

    /// Hands a short text on.
    fn short<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let string = self.0.string()?;
        match string.plain() {
            Some(text) => visitor.visit_borrowed_str(text),
            None => visit_decoded(string, visitor),
        }
    }

    fn array<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let (start, depth) = (self.0.rest, self.0.depth);
        self.0.open(b'[')?;
        let value = visitor.visit_seq(TypedItems::new(self.0));
        self.0.leave(start, depth);
        value
    }

    fn object<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let (start, depth) = (self.0.rest, self.0.depth);
        self.0.open(b'{')?;
        let value = visitor.visit_map(TypedMembers::new(name, fields, self.0));
        self.0.leave(start, depth);
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
        let before = self.0.rest;
        match self.0.scalar() {
            Some(Value::Null) => visitor.visit_unit(),
            Some(Value::Bool(value)) => visitor.visit_bool(value),
            Some(Value::Number(number)) => {
                self.0.rest = before;
                match number.as_i64() {
                    Err(NumberError::NotAnInteger) => self.float(visitor),
                    _ => self.integer(visitor),
                }
            }
            Some(Value::String(_)) => {
                self.0.rest = before;
                self.string(visitor)
            }
            _ if self.0.peek() == Some(b'[') => self.array(visitor),
            _ => self.object("", &[], visitor),
        }
    }

    as_one!(integer: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128);
    as_one!(float: deserialize_f32 deserialize_f64);
    as_one!(string: deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf);
    as_one!(array: deserialize_seq);

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.scalar() {
            Some(Value::Bool(value)) => visitor.visit_bool(value),
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
        match self.0.scalar() {
            Some(Value::Null) => visitor.visit_unit(),
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
                let string = self.0.string()?;
                match string.plain() {
                    Some(text) => visitor.visit_borrowed_str(text),
                    None => visitor.visit_borrowed_bytes(string.escaped_text().as_bytes()),
                }
            }
            ARRAY => match self.0.skip() {
                Some(Value::Array(array)) => visitor.visit_borrowed_str(array.inside()),
                _ => Err(ReadErrorKind::Type.into()),
            },
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
        let (start, depth) = (self.0.rest, self.0.depth);
        self.0.open(b'{')?;
        let value = match self.0.next_part() {
            true => visitor.visit_enum(Variant::new(self.0, true)),
            false => Err(ReadErrorKind::Type.into()),
        };
        // One member and no more.
        let is_more = value.is_ok() && self.0.next_part();
        self.0.leave(start, depth);
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
