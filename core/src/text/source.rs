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

    /// It in one piece, unless escapes are in the way.
    pub(crate) fn plain(self) -> Option<&'a str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Json(text) => text.plain(),
        }
    }

    /// Its bytes: UTF-8.
    pub(crate) fn bytes(self) -> SourceBytes<'a> {
        SourceBytes(match (self.plain(), self) {
            (Some(text), _) | (None, Self::Plain(text)) => Spelled::Plain(text.bytes()),
            (None, Self::Json(text)) => Spelled::Json(json::Decoded::of(&text)),
        })
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
