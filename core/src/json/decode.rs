//! From a document that has been checked to typed values: a serde `Deserializer` over its views.
//!
//! The check has seen every byte before the first value is made, so what is skipped is JSON too, and nothing nests deeper
//! than [`DEPTH_MAX`](super::DEPTH_MAX): a type that holds itself is read in so many calls inside one another at most, and
//! all others in as many as the type is deep.

use super::{
    Error, Items, Members, NumberError, Object, Str, Value, checked,
    lend::{ARRAY, FIRST_MEMBER_FIRST, SHORT, STR},
    value,
};
use core::fmt;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

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
    let start = text.len().wrapping_sub(text.trim_ascii_start().len());
    let Some(value) = value::document(text) else {
        return Err(ReadErrorKind::Type.into());
    };
    let mut document = Document { text, memory };
    T::deserialize(Typed {
        value,
        document: &mut document,
    })
    .map_err(|error| error.or_at(None, start))
}

/// Reads a value of a document that was checked into a typed one, as [`from_slice`] does with a whole document.
///
/// # Errors
///
/// [`ReadError`], its offset counted from where the value begins.
pub fn from_value<'a, T: Deserialize<'a>>(value: Value<'a>) -> Result<T, ReadError> {
    let text = match &value {
        Value::Array(array) => array.inside(),
        Value::Object(object) => object.inside(),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => "",
    };
    let mut document = Document {
        text,
        memory: &mut [],
    };
    let read = T::deserialize(Typed {
        value,
        document: &mut document,
    });
    // The bracket before it counts too.
    read.map_err(|error| match error.offset {
        SOMEWHERE => error.or_at(None, 0),
        offset => ReadError {
            offset: offset.saturating_add(1),
            ..error
        },
    })
}

/// Why a document is not what a program wants to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ReadError {
    /// What is wrong.
    pub kind: ReadErrorKind,
    /// The innermost member that it is wrong with, if it is one that the type names.
    pub member: Option<&'static str>,
    /// The offset in bytes of the value that is wrong; of the object, where a member is missing or there twice.
    pub offset: usize,
}

/// What is wrong with a document that a program wants to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ReadErrorKind {
    /// It is no JSON.
    Json(super::ErrorKind),
    /// A member is missing.
    Missing,
    /// A member occurs twice.
    Twice,
    /// A value is of another type.
    Type,
    /// A value is of the right type, but out of its range or not of its form.
    Range,
    /// A member or a variant that the type does not have and does not pass over.
    Unknown,
    /// A string has escapes, and there is no memory to decode it.
    Escaped,
}

impl ReadErrorKind {
    /// A sentence for people, without the full stop.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json(kind) => kind.as_str(),
            Self::Missing => "a member is missing",
            Self::Twice => "a member occurs twice",
            Self::Type => "a value is of another type",
            Self::Range => "a value is out of range",
            Self::Unknown => "a name is unknown",
            Self::Escaped => "a string has escapes, and there is no memory to decode it",
        }
    }
}

/// An offset that is not known yet.
const SOMEWHERE: usize = usize::MAX;

impl ReadError {
    /// The same error, at this place if it has none yet.
    fn or_at(self, member: Option<&'static str>, offset: usize) -> Self {
        if self.offset != SOMEWHERE {
            return self;
        }
        Self {
            kind: self.kind,
            member: self.member.or(member),
            offset,
        }
    }
}

impl From<ReadErrorKind> for ReadError {
    fn from(kind: ReadErrorKind) -> Self {
        Self {
            kind,
            member: None,
            offset: SOMEWHERE,
        }
    }
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self {
            kind: ReadErrorKind::Json(error.kind),
            member: None,
            offset: error.offset,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(member) = self.member {
            write!(f, "{member}: ")?;
        }
        write!(f, "{} at byte {}", self.kind.as_str(), self.offset)
    }
}

impl core::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(_: T) -> Self {
        ReadErrorKind::Range.into()
    }

    fn invalid_type(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        ReadErrorKind::Type.into()
    }

    fn invalid_value(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        ReadErrorKind::Range.into()
    }

    fn invalid_length(_: usize, _: &dyn Expected) -> Self {
        ReadErrorKind::Range.into()
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        ReadErrorKind::Unknown.into()
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        ReadErrorKind::Unknown.into()
    }

    fn missing_field(name: &'static str) -> Self {
        Self {
            member: Some(name),
            ..ReadErrorKind::Missing.into()
        }
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self {
            member: Some(name),
            ..ReadErrorKind::Twice.into()
        }
    }
}

/// What all values of a document share.
struct Document<'de> {
    /// All of it, for telling where something lies.
    text: &'de str,
    /// What is left for decoded strings.
    memory: &'de mut [u8],
}

impl<'de> Document<'de> {
    /// Decodes a string into the memory.
    #[inline(never)]
    fn decode(&mut self, string: Str<'de>) -> Result<&'de str, ReadError> {
        let memory = core::mem::take(&mut self.memory);
        match memory.split_at_mut_checked(string.decoded_len()) {
            Some((room, rest)) => {
                self.memory = rest;
                string.decode_into(room).ok_or(ReadErrorKind::Escaped)
            }
            None => Err(ReadErrorKind::Escaped),
        }
        .map_err(ReadError::from)
    }

    /// Where a value begins, seen from the start of the document. `rest` is what follows it.
    #[inline(never)]
    fn offset(&self, value: &Value<'_>, rest: &str) -> usize {
        let at = match value {
            Value::Null | Value::Bool(true) => (rest.as_ptr() as usize).wrapping_sub(4),
            Value::Bool(false) => (rest.as_ptr() as usize).wrapping_sub(5),
            Value::Number(number) => number.text().as_ptr() as usize,
            Value::String(string) => (string.escaped_text().as_ptr() as usize).wrapping_sub(1),
            Value::Array(array) => (array.inside().as_ptr() as usize).wrapping_sub(1),
            Value::Object(object) => (object.inside().as_ptr() as usize).wrapping_sub(1),
        };
        at.wrapping_sub(self.text.as_ptr() as usize)
    }
}

/// The longest text that is decoded on the stack: a secret's has 94 bytes.
const SHORT_BYTES_MAX: usize = 96;

/// Hands a short text on.
fn visit_short<'de, V: Visitor<'de>>(string: Str<'de>, visitor: V) -> Result<V::Value, ReadError> {
    match string.plain() {
        Some(text) => visitor.visit_borrowed_str(text),
        None => visit_decoded(string, visitor),
    }
}

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

/// A value that is to become a typed one.
struct Typed<'d, 'de> {
    value: Value<'de>,
    document: &'d mut Document<'de>,
}

impl<'de> Typed<'_, 'de> {
    fn integer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let Value::Number(number) = self.value else {
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
        let Value::Number(number) = self.value else {
            return Err(ReadErrorKind::Type.into());
        };
        match number.text().parse::<f64>() {
            Ok(number) if number.is_finite() => visitor.visit_f64(number),
            _ => Err(ReadErrorKind::Range.into()),
        }
    }

    fn string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let Value::String(string) = self.value else {
            return Err(ReadErrorKind::Type.into());
        };
        match string.plain() {
            Some(text) => visitor.visit_borrowed_str(text),
            None => visitor.visit_borrowed_str(self.document.decode(string)?),
        }
    }

    fn array<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let Value::Array(array) = self.value else {
            return Err(ReadErrorKind::Type.into());
        };
        visitor.visit_seq(TypedItems {
            items: Items::of(&array),
            document: self.document,
        })
    }

    fn object<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let Value::Object(object) = self.value else {
            return Err(ReadErrorKind::Type.into());
        };
        visitor.visit_map(TypedMembers {
            members: Members::of(&object),
            order: Order::AsTheyStand,
            member: None,
            fields,
            document: self.document,
        })
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
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match number.as_i64() {
                Err(NumberError::NotAnInteger) => self.float(visitor),
                _ => self.integer(visitor),
            },
            Value::String(_) => self.string(visitor),
            Value::Array(_) => self.array(visitor),
            Value::Object(_) => self.object(&[], visitor),
        }
    }

    as_one!(integer: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128);
    as_one!(float: deserialize_f32 deserialize_f64);
    as_one!(string: deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf);
    as_one!(array: deserialize_seq);

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            Value::Bool(value) => visitor.visit_bool(value),
            _ => Err(ReadErrorKind::Type.into()),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_identifier(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            Value::Null => visitor.visit_unit(),
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
        match (name, self.value) {
            (SHORT, Value::String(string)) => visit_short(string, visitor),
            (STR, Value::String(string)) => match string.plain() {
                Some(text) => visitor.visit_borrowed_str(text),
                None => visitor.visit_borrowed_bytes(string.escaped_text().as_bytes()),
            },
            (ARRAY, Value::Array(array)) => visitor.visit_borrowed_str(array.inside()),
            (SHORT | STR | ARRAY, _) => Err(ReadErrorKind::Type.into()),
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
        self.object(&[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let Value::Object(object) = self.value else {
            return Err(ReadErrorKind::Type.into());
        };
        let order = match fields.first() {
            Some(first) if name == FIRST_MEMBER_FIRST => Order::first(first, object),
            _ => Order::AsTheyStand,
        };
        visitor.visit_map(TypedMembers {
            members: Members::of(&object),
            order,
            member: None,
            fields,
            document: self.document,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let (name, value) = match self.value {
            Value::String(name) => (name, None),
            Value::Object(object) => {
                let mut members = Members::of(&object);
                match (members.next(), members.next()) {
                    (Some((name, value)), None) => (name, Some(value)),
                    _ => return Err(ReadErrorKind::Type.into()),
                }
            }
            _ => return Err(ReadErrorKind::Type.into()),
        };
        visitor.visit_enum(Variant {
            name,
            value,
            document: self.document,
        })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            Value::String(string) => visit_short(string, visitor),
            _ => Err(ReadErrorKind::Type.into()),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }
}

/// In which order the members of an object are taken.
enum Order<'de> {
    AsTheyStand,
    /// Only those of this name; then all of the object's others.
    First(&'static str, Object<'de>),
    /// Only those of another name.
    Others(&'static str),
}

impl<'de> Order<'de> {
    /// Those named `name` first. Where one stands first, they come in that order anyway.
    fn first(name: &'static str, object: Object<'de>) -> Self {
        match Members::of(&object).next() {
            Some((first, _)) if first != name => Self::First(name, object),
            _ => Self::AsTheyStand,
        }
    }
}

/// The members of an object, each to become a typed value.
struct TypedMembers<'d, 'de> {
    members: Members<'de>,
    order: Order<'de>,
    /// The one whose name was read.
    member: Option<(Str<'de>, Value<'de>)>,
    /// The names that the type knows.
    fields: &'static [&'static str],
    document: &'d mut Document<'de>,
}

impl<'de> TypedMembers<'_, 'de> {
    fn next_member(&mut self) -> Option<(Str<'de>, Value<'de>)> {
        loop {
            match (self.members.next(), &self.order) {
                (None, Order::First(name, object)) => {
                    self.members = Members::of(object);
                    self.order = Order::Others(name);
                }
                (Some((name, _)), Order::First(first, _)) if name != *first => {}
                (Some((name, _)), Order::Others(first)) if name == *first => {}
                (member, _) => return member,
            }
        }
    }

    /// Says where an error is.
    #[cold]
    #[inline(never)]
    fn place(&self, error: ReadError, name: Str<'_>, value: &Value<'_>) -> ReadError {
        let mut fields = self.fields.iter();
        let field = fields.find(|field| name == **field).copied();
        error.or_at(field, self.document.offset(value, self.members.rest()))
    }
}

impl<'de> MapAccess<'de> for TypedMembers<'_, 'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        let Some((name, value)) = self.next_member() else {
            return Ok(None);
        };
        self.member = Some((name, value));
        let key = seed.deserialize(Typed {
            value: Value::String(name),
            document: self.document,
        });
        match key {
            Ok(key) => Ok(Some(key)),
            Err(error) => Err(self.place(error, name, &Value::String(name))),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, ReadError> {
        let Some((name, value)) = self.member.take() else {
            return Err(ReadErrorKind::Missing.into());
        };
        seed.deserialize(Typed {
            value,
            document: self.document,
        })
        .map_err(|error| self.place(error, name, &value))
    }
}

/// The items of an array, each to become a typed value.
struct TypedItems<'d, 'de> {
    items: Items<'de>,
    document: &'d mut Document<'de>,
}

impl<'de> SeqAccess<'de> for TypedItems<'_, 'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        let Some(value) = self.items.next() else {
            return Ok(None);
        };
        let item = seed.deserialize(Typed {
            value,
            document: self.document,
        });
        match item {
            Ok(item) => Ok(Some(item)),
            Err(error) => Err(error.or_at(None, self.document.offset(&value, self.items.rest()))),
        }
    }
}

/// A variant of an enum: its name, or an object whose only member has its name.
struct Variant<'d, 'de> {
    name: Str<'de>,
    value: Option<Value<'de>>,
    document: &'d mut Document<'de>,
}

impl<'d, 'de> Variant<'d, 'de> {
    fn content(self) -> Result<Typed<'d, 'de>, ReadError> {
        match self.value {
            Some(value) => Ok(Typed {
                value,
                document: self.document,
            }),
            None => Err(ReadErrorKind::Type.into()),
        }
    }
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), ReadError> {
        let variant = seed.deserialize(Typed {
            value: Value::String(self.name),
            document: self.document,
        })?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        match self.value {
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(ReadErrorKind::Type.into()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.content()?.array(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.content()?.object(fields, visitor)
    }
}
