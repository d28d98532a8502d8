//! Records: objects whose members are known by name, read through a table of what each must hold.
//!
//! Whatever the record, there is one reader of its members for each format and each kind of text, where one made by
//! `derive` would be code of its own for each record. It fills cells; what a record is made of it takes out of them.

use crate::{
    event::Kind,
    id::{Id, Prefix},
    job::Status,
    json::{self, ReadError, Str},
    model::NewestStatus,
    time::Timestamp,
};
use core::{fmt, marker::PhantomData};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess,
    Unexpected, Visitor, value::BorrowedStrDeserializer,
};

/// What the members of a record must hold.
pub(crate) struct Record {
    /// Their names.
    pub(crate) names: &'static [&'static str],
    /// What each of them holds, in the same order.
    pub(crate) members: &'static [Member],
}

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

/// What was read of the members of a record: as many of them as it has, from the first on.
pub(crate) type Cells<'de, T> = [Cell<'de, T>; MEMBERS_MAX];

/// The most members of a record: those of a translation.
const MEMBERS_MAX: usize = 13;

/// What is a record, with texts `T`.
pub(crate) trait Recorded<'de, T>: Sized {
    /// What its members hold.
    const RECORD: &'static Record;

    /// Makes it of its members. That they hold what they must hold was seen before.
    fn from_cells(cells: Cells<'de, T>) -> Option<Self>;
}

/// Reads a record.
pub(crate) fn deserialize<'de, D, T, R>(deserializer: D) -> Result<R, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
    R: Recorded<'de, T>,
{
    let mut cells = no_cells();
    let record = R::RECORD;
    FillSeed {
        record,
        cells: &mut cells,
    }
    .deserialize(deserializer)?;
    R::from_cells(cells).ok_or_else(misread)
}

/// Reads a document that is a record.
pub(crate) fn from_slice<'de, R: Recorded<'de, Str<'de>>>(
    bytes: &'de [u8],
) -> Result<R, ReadError> {
    let mut cells = no_cells();
    fill(bytes, R::RECORD, &mut cells)?;
    R::from_cells(cells).ok_or_else(misread)
}

#[cfg_attr(target_pointer_width = "32", inline(never))]
fn fill<'de>(
    bytes: &'de [u8],
    record: &'static Record,
    cells: &mut Cells<'de, Str<'de>>,
) -> Result<(), ReadError> {
    json::from_slice_with(bytes, &mut [], FillSeed { record, cells })
}

/// Cells that nothing was read into.
pub(crate) const fn no_cells<'de, T>() -> Cells<'de, T> {
    [const { Cell::Absent }; MEMBERS_MAX]
}

#[cold]
pub(crate) fn misread<E: Error>() -> E {
    E::custom("a record is not what its table says")
}

/// To read the members of a record into their cells. What must be there is there then.
pub(crate) struct FillSeed<'c, 'de, T> {
    record: &'static Record,
    cells: &'c mut Cells<'de, T>,
}

impl<'c, 'de, T> FillSeed<'c, 'de, T> {
    pub(crate) const fn new(record: &'static Record, cells: &'c mut Cells<'de, T>) -> Self {
        Self { record, cells }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for FillSeed<'_, 'de, T> {
    type Value = ();

    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_struct("", self.record.names, self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for FillSeed<'_, 'de, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let names = self.record.names;
        let mut seen = Seen::default();
        while let Some(at) = map.next_key_seed(seen.next(names))? {
            let (Some(member), Some(cell)) = (self.record.members.get(at), self.cells.get_mut(at))
            else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            seen.add(names, at)?;
            map.next_value_seed(CellSeed {
                member: *member,
                cell,
            })?;
        }
        for (at, member) in self.record.members.iter().enumerate() {
            if let Member::Must(_) = member {
                seen.need(names, at)?;
            }
        }
        Ok(())
    }
}

/// Which members of a record were there.
#[derive(Default)]
pub(crate) struct Seen {
    bits: u32,
    /// The one that is expected next.
    next: usize,
}

impl Seen {
    const fn has(&self, at: usize) -> bool {
        self.bits >> at & 1 == 1
    }

    /// Sees to it that a member was there.
    pub(crate) fn need<E: Error>(
        &self,
        names: &'static [&'static str],
        at: usize,
    ) -> Result<(), E> {
        match self.has(at) {
            true => Ok(()),
            false => Err(E::missing_field(names.get(at).copied().unwrap_or_default())),
        }
    }

    /// Notes a member that may be there once.
    pub(crate) fn add<E: Error>(
        &mut self,
        names: &'static [&'static str],
        at: usize,
    ) -> Result<(), E> {
        if self.has(at) {
            return Err(E::duplicate_field(
                names.get(at).copied().unwrap_or_default(),
            ));
        }
        self.bits |= 1 << at;
        self.next = at.wrapping_add(1);
        Ok(())
    }

    /// To read the name of a member: its place among `names`, or a place behind them for any other.
    pub(crate) const fn next(&self, names: &'static [&'static str]) -> NameSeed {
        NameSeed {
            names,
            next: self.next,
        }
    }
}

pub(crate) struct NameSeed {
    names: &'static [&'static str],
    next: usize,
}

impl NameSeed {
    /// Members mostly come in the order of their table.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn place(&self, name: &str) -> usize {
        if self.names.get(self.next).is_some_and(|next| *next == name) {
            return self.next;
        }
        let mut names = self.names.iter();
        names.position(|known| *known == name).unwrap_or(usize::MAX)
    }
}

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        Ok(self.place(name))
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
            Member::IfSaid(holds) => Ok(read(holds, self.cell, deserializer).unwrap_or_default()),
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
