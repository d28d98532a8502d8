//! Strings on their way in: copied as they are, or out of the JSON in which they lie.

use crate::json;

/// A string that comes in: plain, or as it stands in a JSON document.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Source<'a> {
    /// As it is.
    Plain(&'a str),
    /// Between the quotes of a JSON document.
    Json(json::Str<'a>),
}

impl<'a> Source<'a> {
    /// No string.
    pub const EMPTY: Self = Self::Plain("");

    /// How many bytes it has.
    pub(crate) fn bytes_len(self) -> usize {
        match self {
            Self::Plain(text) => text.len(),
            Self::Json(text) => text.decoded_len(),
        }
    }

    /// Its bytes: UTF-8.
    pub(crate) fn bytes(self) -> SourceBytes<'a> {
        let plain = match self {
            Self::Plain(text) => text,
            Self::Json(text) => match text.plain() {
                Some(text) => text,
                None => return SourceBytes(Spelled::Json(json::Decoded::of(&text))),
            },
        };
        SourceBytes(Spelled::Plain(plain.bytes()))
    }
}

/// The bytes of [`Source`].
#[derive(Debug, Clone)]
pub(crate) struct SourceBytes<'a>(Spelled<'a>);

/// Most strings have no escapes, and are copied as they are.
#[derive(Debug, Clone)]
enum Spelled<'a> {
    Plain(core::str::Bytes<'a>),
    Json(json::Decoded<'a>),
}

impl Iterator for SourceBytes<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        match &mut self.0 {
            Spelled::Plain(bytes) => bytes.next(),
            Spelled::Json(bytes) => bytes.next(),
        }
    }
}

impl<'a> From<&'a str> for Source<'a> {
    fn from(text: &'a str) -> Self {
        Self::Plain(text)
    }
}
