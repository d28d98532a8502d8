//! What a typed value may want of a document and serde has no word for: a string or an array as it stands, a short text, an
//! order.
//!
//! Each asks for a type of a name that [`from_slice`](super::from_slice) knows. To another format it is a name like any
//! other: a short text is a string, members come as they come, and a string that stands in a document it does not have.

use super::{Array, Str, plain::plain_len};
use core::{fmt, marker::PhantomData};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// Asks for a string that may have escapes.
pub(super) const STR: &str = "$dubhook::Str";
/// Asks for an array, unread.
pub(super) const ARRAY: &str = "$dubhook::Array";
/// Asks for a short text, decoded.
pub(super) const SHORT: &str = "$dubhook::Short";
/// As the name of a struct: asks for the member that the type names first before all others, wherever it stands.
pub(crate) const FIRST_MEMBER_FIRST: &str = "$dubhook::FirstMemberFirst";

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    /// Takes a string as it stands in the document; no other format has one.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(STR, StrVisitor)
    }
}

struct StrVisitor;

impl<'de> Visitor<'de> for StrVisitor {
    type Value = Str<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string of a JSON document in memory")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        // What means itself may come from anywhere.
        if plain_len(text.as_bytes()) < text.len() {
            return Err(E::invalid_value(Unexpected::Str(text), &self));
        }
        Ok(Str::new(text, false))
    }

    /// What stands between the quotes, where it has escapes.
    fn visit_borrowed_bytes<E: Error>(self, text: &'de [u8]) -> Result<Self::Value, E> {
        match core::str::from_utf8(text) {
            Ok(text) => Ok(Str::new(text, true)),
            Err(_) => Err(E::invalid_value(Unexpected::Bytes(text), &self)),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Array<'a> {
    /// Takes an array as it stands in the document, to be read an item at a time with [`from_array`](super::from_array); no
    /// other format has one.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(ARRAY, ArrayVisitor)
    }
}

struct ArrayVisitor;

impl<'de> Visitor<'de> for ArrayVisitor {
    type Value = Array<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of a JSON document in memory")
    }

    fn visit_borrowed_str<E: Error>(self, inside: &'de str) -> Result<Self::Value, E> {
        Ok(Array::new(inside))
    }
}

/// Reads a text of few bytes.
pub(crate) fn short<'de, D: Deserializer<'de>, V: Visitor<'de>>(
    deserializer: D,
    visitor: V,
) -> Result<V::Value, D::Error> {
    deserializer.deserialize_newtype_struct(SHORT, visitor)
}

/// Reads a text of few bytes that `parse` makes something of. `what` says what it must be.
pub(crate) fn word<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    what: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    short(
        deserializer,
        WordVisitor {
            what,
            parse,
            kind: PhantomData,
        },
    )
}

struct WordVisitor<P, T> {
    what: &'static str,
    parse: P,
    kind: PhantomData<T>,
}

impl<'de, P: Fn(&str) -> Option<T>, T> Visitor<'de> for WordVisitor<P, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        match (self.parse)(text) {
            Some(value) => Ok(value),
            None => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}
