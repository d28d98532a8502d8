//! Why a document could not be read into a typed value, and where.

use crate::json::{Error, ErrorKind};
use core::fmt;
use serde::de::{self, Expected, Unexpected};

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
    Json(ErrorKind),
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
pub(super) const SOMEWHERE: usize = usize::MAX;

impl ReadError {
    /// The same error, at this place if it has none yet.
    pub(super) fn or_at(self, member: Option<&'static str>, offset: usize) -> Self {
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
