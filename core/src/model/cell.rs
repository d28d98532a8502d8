//! What a member of a record holds, and how it is read.

use crate::{
    event::Kind,
    id::{Id, Prefix},
    job::Status,
    json,
    model::NewestStatus,
    time::Timestamp,
};
use core::{fmt, marker::PhantomData};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer, Unexpected, Visitor,
    value::BorrowedStrDeserializer,
};

/// What a member must hold, and whether it must be there.
#[derive(Clone, Copy)]
pub(crate) enum Member {
    /// It must be there.
    Must(Holds),
    /// It may be missing or `null`.
    May(Holds),
    /// It counts if it is there and of the right type.
    IfSaid(Holds),
}

/// What a value is.
#[derive(Clone, Copy)]
pub(crate) enum Holds {
    Text,
    /// The type of an event; a text, where nobody knows it.
    Type,
    Array,
    Flag,
    Number(Range),
    Word(Word),
}

/// Which numbers there may be.
#[derive(Clone, Copy)]
pub(crate) enum Range {
    /// 0 to 100.
    Share,
    /// 1 to the largest of 32 bits.
    FromOne,
    /// What 16 bits hold.
    U16,
    /// What 64 bits hold.
    U64,
}

impl Range {
    const fn has(self, number: u64) -> bool {
        match self {
            Self::Share => number <= 100,
            Self::FromOne => number != 0 && number <= u32::MAX as u64,
            Self::U16 => number <= u16::MAX as u64,
            Self::U64 => true,
        }
    }
}

/// A short text that says one of few things.
#[derive(Clone, Copy)]
pub(crate) enum Word {
    Id(Prefix),
    Time,
    Status,
    NewestStatus,
}

/// What such a text says.
#[derive(Clone, Copy)]
pub(crate) enum Said {
    Id(Id),
    Time(Timestamp),
    Kind(Kind),
    Status(Status),
    NewestStatus(NewestStatus),
}

impl Word {
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn read(self, text: &str) -> Option<Said> {
        Some(match self {
            Self::Id(prefix) => Said::Id(Id::parse(prefix, text)?),
            Self::Time => Said::Time(Timestamp::parse_rfc3339(text.as_bytes())?),
            Self::Status => Said::Status(Status::parse(text)?),
            Self::NewestStatus => Said::NewestStatus(NewestStatus::parse(text)?),
        })
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Id(_) => "an id",
            Self::Time => "a time of RFC 3339 in UTC",
            Self::Status => "the status of a translation",
            Self::NewestStatus => "the newest job's status",
        }
    }
}

/// What was read of a member.
#[derive(Clone, Copy)]
pub(crate) enum Cell<'de, T> {
    Absent,
    Text(T),
    Array(json::Array<'de>),
    Flag(bool),
    Number(u64),
    Said(Said),
}

impl<'de, T> Cell<'de, T> {
    pub(crate) fn text(self) -> Option<T> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }
}

/// To read a member into its cell.
pub(crate) struct CellSeed<'c, 'de, T> {
    member: Member,
    cell: &'c mut Cell<'de, T>,
}

impl<'c, 'de, T> CellSeed<'c, 'de, T> {
    pub(crate) const fn new(member: Member, cell: &'c mut Cell<'de, T>) -> Self {
        Self { member, cell }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for CellSeed<'_, 'de, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.member {
            Member::Must(holds) => read(holds, self.cell, deserializer),
            Member::May(_) => deserializer.deserialize_option(self),
            // RFC 9457 section 3.1: "If a member's value type does not match the specified type, the member MUST be ignored".
            Member::IfSaid(holds) => {
                let _ = read(holds, self.cell, deserializer);
                Ok(())
            }
        }
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for CellSeed<'_, 'de, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let (Member::Must(holds) | Member::May(holds) | Member::IfSaid(holds)) = self.member;
        read(holds, self.cell, deserializer)
    }
}

/// Reads a value into its cell.
#[cfg_attr(target_pointer_width = "32", inline(never))]
fn read<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    holds: Holds,
    cell: &mut Cell<'de, T>,
    deserializer: D,
) -> Result<(), D::Error> {
    *cell = match holds {
        Holds::Text => Cell::Text(T::deserialize(deserializer)?),
        Holds::Type => json::short(deserializer, TypeVisitor(PhantomData))?,
        Holds::Array => Cell::Array(json::Array::deserialize(deserializer)?),
        Holds::Flag => Cell::Flag(bool::deserialize(deserializer)?),
        Holds::Number(range) => {
            let number = u64::deserialize(deserializer)?;
            if !range.has(number) {
                let unexpected = Unexpected::Unsigned(number);
                return Err(D::Error::invalid_value(
                    unexpected,
                    &"a number in its range",
                ));
            }
            Cell::Number(number)
        }
        Holds::Word(word) => Cell::Said(json::short(deserializer, WordVisitor(word))?),
    };
    Ok(())
}

struct WordVisitor(Word);

impl<'de> Visitor<'de> for WordVisitor {
    type Value = Said;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.what())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Said, E> {
        match self.0.read(text) {
            Some(said) => Ok(said),
            None => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Said, D::Error> {
        deserializer.deserialize_str(self)
    }
}

struct TypeVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TypeVisitor<T> {
    type Value = Cell<'de, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type of an event")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Cell<'de, T>, E> {
        match Kind::parse(name) {
            Some(kind) => Ok(Cell::Said(Said::Kind(kind))),
            None => T::deserialize(BorrowedStrDeserializer::new(name)).map(Cell::Text),
        }
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Cell<'de, T>, E> {
        match Kind::parse(name) {
            Some(kind) => Ok(Cell::Said(Said::Kind(kind))),
            None => T::deserialize(name.into_deserializer()).map(Cell::Text),
        }
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Cell<'de, T>, D::Error> {
        deserializer.deserialize_str(self)
    }
}
