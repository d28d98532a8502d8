//! From typed values to JSON: what serde's `Serialize` says, in the order in which it says it.
//!
//! There is one spelling for each string, as in all that is written here.

use super::{write_escaped, write_str};
use crate::out::Out;
use core::fmt::{self, Write as _};
use serde::{
    Serialize,
    ser::{
        self, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant, Serializer,
    },
};

/// Writes a typed value into `memory`, and returns how many bytes it has.
///
/// For what is neither signed nor written often: bodies of requests, lines for people. What is, goes through a
/// [`Writer`](super::Writer).
///
/// ```
/// use dubhook_core::json;
///
/// #[derive(serde::Serialize)]
/// struct Opened<'a> {
///     door: &'a str,
///     count: i32,
/// }
///
/// let mut memory = [0; 64];
/// let len = json::to_slice(&Opened { door: "north", count: -2 }, &mut memory).unwrap();
/// assert_eq!(&memory[..len], br#"{"door":"north","count":-2}"#);
/// ```
///
/// # Errors
///
/// [`WriteError`]; a part of it may have been written then.
pub fn to_slice<T: Serialize + ?Sized>(value: &T, memory: &mut [u8]) -> Result<usize, WriteError> {
    let mut out = Out::new(memory);
    write(value, &mut out)?;
    out.finish().map_err(|_| WriteError::NoRoom)
}

/// Writes a typed value at the end of `out`. That it does not fit shows there.
///
/// # Errors
///
/// [`WriteError::Type`].
pub(crate) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Out<'_>) -> Result<(), WriteError> {
    value.serialize(Encode(out))
}

/// Why a value was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WriteError {
    /// It does not fit the memory lent for it.
    NoRoom,
    /// JSON has nothing for it: a float that is no number, a map whose keys are no strings, or what its type refuses to say.
    Type,
}

impl WriteError {
    /// A sentence for people, without the full stop.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoRoom => "the value does not fit the memory lent for it",
            Self::Type => "the value has no JSON",
        }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for WriteError {}

impl ser::Error for WriteError {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Type
    }
}

/// Writes one value. Whether all of it fits is looked at once, at the end.
struct Encode<'o, 'a>(&'o mut Out<'a>);

impl<'o, 'a> Encode<'o, 'a> {
    /// Opens what has parts; with a variant's name, inside an object of that one member.
    fn open(
        self,
        variant: Option<&str>,
        ends: &'static [u8; 2],
    ) -> Result<Parts<'o, 'a>, WriteError> {
        if let Some(name) = variant {
            self.0.put_byte(b'{');
            write_str(self.0, name);
            self.0.put_byte(b':');
        }
        let [start, end] = ends;
        self.0.put_byte(*start);
        Ok(Parts {
            out: self.0,
            end: *end,
            in_variant: variant.is_some(),
            comma: false,
        })
    }

    fn integer(self, is_negative: bool, magnitude: u64) -> Result<(), WriteError> {
        if is_negative {
            self.0.put_byte(b'-');
        }
        self.0.put_u64(magnitude);
        Ok(())
    }

    fn float(self, is_number: bool, value: impl fmt::Display) -> Result<(), WriteError> {
        match is_number {
            true => write!(Escaped(self.0), "{value}").map_err(|_| WriteError::Type),
            false => Err(WriteError::Type),
        }
    }
}

const ARRAY: &[u8; 2] = b"[]";
const OBJECT: &[u8; 2] = b"{}";

/// Integers that all go the same way.
macro_rules! integers {
    ($($method:ident($type:ty))*) => {
        $(fn $method(self, value: $type) -> Result<(), WriteError> {
            self.serialize_i64(value.into())
        })*
    };
}

impl<'o, 'a> Serializer for Encode<'o, 'a> {
    type Ok = ();
    type Error = WriteError;
    type SerializeSeq = Parts<'o, 'a>;
    type SerializeTuple = Parts<'o, 'a>;
    type SerializeTupleStruct = Parts<'o, 'a>;
    type SerializeTupleVariant = Parts<'o, 'a>;
    type SerializeMap = Parts<'o, 'a>;
    type SerializeStruct = Parts<'o, 'a>;
    type SerializeStructVariant = Parts<'o, 'a>;

    integers!(serialize_i8(i8) serialize_i16(i16) serialize_i32(i32)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32));

    fn serialize_bool(self, value: bool) -> Result<(), WriteError> {
        self.0.put(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i64(self, value: i64) -> Result<(), WriteError> {
        self.integer(value < 0, value.unsigned_abs())
    }

    fn serialize_u64(self, value: u64) -> Result<(), WriteError> {
        self.integer(false, value)
    }

    fn serialize_f32(self, value: f32) -> Result<(), WriteError> {
        self.float(value.is_finite(), value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), WriteError> {
        self.float(value.is_finite(), value)
    }

    fn serialize_char(self, value: char) -> Result<(), WriteError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), WriteError> {
        write_str(self.0, text);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), WriteError> {
        let mut parts = self.open(None, ARRAY)?;
        for byte in bytes {
            parts.element(byte)?;
        }
        parts.close()
    }

    fn serialize_none(self) -> Result<(), WriteError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), WriteError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), WriteError> {
        self.0.put(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), WriteError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), WriteError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        let mut parts = self.open(None, OBJECT)?;
        parts.member(variant, value)?;
        parts.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'o, 'a>, WriteError> {
        self.open(None, ARRAY)
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'o, 'a>, WriteError> {
        self.open(None, ARRAY)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Parts<'o, 'a>, WriteError> {
        self.open(None, ARRAY)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'o, 'a>, WriteError> {
        self.open(Some(variant), ARRAY)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'o, 'a>, WriteError> {
        self.open(None, OBJECT)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'o, 'a>, WriteError> {
        self.open(None, OBJECT)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'o, 'a>, WriteError> {
        self.open(Some(variant), OBJECT)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, text: &T) -> Result<(), WriteError> {
        self.0.put_byte(b'"');
        let written = write!(Escaped(self.0), "{text}");
        self.0.put_byte(b'"');
        written.map_err(|_| WriteError::Type)
    }
}

/// What is formatted, as the inside of a string.
struct Escaped<'o, 'a>(&'o mut Out<'a>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_escaped(self.0, text.as_bytes());
        Ok(())
    }
}

/// The parts of an array or an object.
struct Parts<'o, 'a> {
    out: &'o mut Out<'a>,
    end: u8,
    in_variant: bool,
    comma: bool,
}

impl Parts<'_, '_> {
    fn between(&mut self) {
        if self.comma {
            self.out.put_byte(b',');
        }
        self.comma = true;
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        self.between();
        value.serialize(Encode(self.out))
    }

    fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), WriteError> {
        self.between();
        write_str(self.out, name);
        self.out.put_byte(b':');
        value.serialize(Encode(self.out))
    }

    fn close(self) -> Result<(), WriteError> {
        self.out.put_byte(self.end);
        if self.in_variant {
            self.out.put_byte(b'}');
        }
        Ok(())
    }
}

/// serde's traits for what has elements.
macro_rules! elements {
    ($($trait:ident::$method:ident)*) => {
        $(impl $trait for Parts<'_, '_> {
            type Ok = ();
            type Error = WriteError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
                self.element(value)
            }

            fn end(self) -> Result<(), WriteError> {
                self.close()
            }
        })*
    };
}

/// serde's traits for what has named members.
macro_rules! members {
    ($($trait:ident)*) => {
        $(impl $trait for Parts<'_, '_> {
            type Ok = ();
            type Error = WriteError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), WriteError> {
                self.member(name, value)
            }

            fn end(self) -> Result<(), WriteError> {
                self.close()
            }
        })*
    };
}

elements!(SerializeSeq::serialize_element SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field SerializeTupleVariant::serialize_field);
members!(SerializeStruct SerializeStructVariant);

impl SerializeMap for Parts<'_, '_> {
    type Ok = ();
    type Error = WriteError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), WriteError> {
        self.between();
        let start = self.out.len();
        key.serialize(Encode(self.out))?;
        match self.out.written().get(start) {
            Some(b'"') | None => Ok(()),
            Some(_) => Err(WriteError::Type),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        self.out.put_byte(b':');
        value.serialize(Encode(self.out))
    }

    fn end(self) -> Result<(), WriteError> {
        self.close()
    }
}
