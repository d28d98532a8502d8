//! Records: objects whose members are known by name, read through a table of what each must hold.
//!
//! Whatever the record, there is one reader of its members for each format and each kind of text, where one made by
//! `derive` would be code of its own for each record. It fills cells; what a record is made of it takes out of them.

use super::cell::{Cell, CellSeed, Member};
use crate::json::{self, ReadError, Str};
use core::fmt;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};

/// What the members of a record must hold.
pub(crate) struct Record {
    /// Their names.
    pub(crate) names: &'static [&'static str],
    /// What each of them holds, in the same order.
    pub(crate) members: &'static [Member],
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
            map.next_value_seed(CellSeed::new(*member, cell))?;
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
