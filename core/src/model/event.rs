//! The body of a webhook.

use super::{
    Translation,
    cell::{Cell, CellSeed, Holds, Member::Must, Said, Word},
    endpoint_id,
    record::{self, Cells, FillSeed, Record, Recorded, Seen},
};
use crate::{
    event::Kind,
    id::{Id, Prefix},
    json,
    time::Timestamp,
};
use core::{fmt, marker::PhantomData};
use serde::{
    Serialize, Serializer,
    de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Unexpected, Visitor},
    ser::SerializeStruct,
};

/// The body of a webhook, as Standard Webhooks shapes it: `{"type":…,"timestamp":…,"data":{…}}`.
///
/// What the data must hold depends on the type. [`json::from_slice`] looks for the type first, wherever it stands; any other
/// format must have it before the data, since there is no memory here to keep the data until it comes. A `serde_json::Value`
/// has its members sorted, the data first, and is refused: read the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Event<T> {
    /// When it happened.
    pub timestamp: Timestamp,
    /// What happened, and to what.
    pub data: Data<T>,
}

/// What happened, and to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Data<T> {
    /// Something happened to a translation: what, and how it is after it. Its status is the one that this leads to.
    Translation(Kind, Translation<T>),
    /// Somebody tests this webhook.
    Test(Id),
    /// A type that this version does not know. What it is about is passed over.
    Unknown(T),
}

impl<T> Event<T> {
    /// The translation that it is about, if it is about one.
    pub const fn translation(&self) -> Option<&Translation<T>> {
        match &self.data {
            Data::Translation(_, translation) => Some(translation),
            Data::Test(_) | Data::Unknown(_) => None,
        }
    }

    /// The same with other texts: owned ones, say, where it is to be kept.
    pub fn map<U>(self, mut text: impl FnMut(T) -> U) -> Event<U> {
        Event {
            timestamp: self.timestamp,
            data: match self.data {
                Data::Translation(kind, translation) => {
                    Data::Translation(kind, translation.map(text))
                }
                Data::Test(id) => Data::Test(id),
                Data::Unknown(name) => Data::Unknown(text(name)),
            },
        }
    }
}

/// What a test is about.
#[derive(serde::Serialize)]
struct Tested {
    #[serde(serialize_with = "endpoint_id::serialize")]
    id: Id,
}

impl<'de, T> Recorded<'de, T> for Tested {
    const RECORD: &'static Record = &Record {
        names: &["id"],
        members: &[Must(Holds::Word(Word::Id(Prefix::Endpoint)))],
    };

    fn from_cells(cells: Cells<'de, T>) -> Option<Self> {
        match cells {
            [Cell::Said(Said::Id(id)), ..] => Some(Self { id }),
            _ => None,
        }
    }
}

const TYPE: &str = "type";
const TIMESTAMP: &str = "timestamp";
const DATA: &str = "data";
const NAMES: &[&str] = &[TYPE, TIMESTAMP, DATA];

impl<T: Serialize> Serialize for Event<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_struct("Event", 3)?;
        match &self.data {
            Data::Translation(kind, _) => event.serialize_field(TYPE, kind)?,
            Data::Test(_) => event.serialize_field(TYPE, &Kind::Test)?,
            Data::Unknown(name) => event.serialize_field(TYPE, name)?,
        }
        event.serialize_field(TIMESTAMP, &self.timestamp)?;
        match &self.data {
            Data::Translation(_, translation) => event.serialize_field(DATA, translation)?,
            Data::Test(id) => event.serialize_field(DATA, &Tested { id: *id })?,
            Data::Unknown(_) => event.serialize_field(DATA, &())?,
        }
        event.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Event<T> {
    /// [`json::from_slice`] takes the members in any order; any other format must have the type before the data.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct(json::FIRST_MEMBER_FIRST, NAMES, EventVisitor(PhantomData))
    }
}

struct EventVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EventVisitor<T> {
    type Value = Event<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event<T>, A::Error> {
        let (mut kind, mut timestamp) = (Cell::Absent, Cell::<T>::Absent);
        let mut cells = record::no_cells();
        let mut seen = Seen::default();
        let mut is_early = false;
        while let Some(at) = map.next_key_seed(seen.next(NAMES))? {
            if at < NAMES.len() {
                seen.add(NAMES, at)?;
            }
            let record = match (at, &kind) {
                (0, _) => {
                    map.next_value_seed(CellSeed::new(Must(Holds::Type), &mut kind))?;
                    continue;
                }
                (1, _) => {
                    let member = Must(Holds::Word(Word::Time));
                    map.next_value_seed(CellSeed::new(member, &mut timestamp))?;
                    continue;
                }
                (2, Cell::Said(Said::Kind(Kind::Test))) => <Tested as Recorded<T>>::RECORD,
                (2, Cell::Said(_)) => <Translation<T> as Recorded<T>>::RECORD,
                _ => {
                    is_early |= at == 2 && matches!(kind, Cell::Absent);
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            map.next_value_seed(FillSeed::new(record, &mut cells))?;
        }
        for at in [0, 2, 1] {
            seen.need(NAMES, at)?;
        }
        let Cell::Said(Said::Time(timestamp)) = timestamp else {
            return Err(record::misread());
        };
        let data = match kind {
            Cell::Said(_) if is_early => {
                return Err(A::Error::custom(
                    "the data of an event stands before its type",
                ));
            }
            Cell::Said(Said::Kind(Kind::Test)) => {
                Tested::from_cells(cells).map(|tested: Tested| Data::Test(tested.id))
            }
            Cell::Said(Said::Kind(kind)) => match Translation::from_cells(cells) {
                Some(translation) if translation.status != kind.status() => {
                    return Err(A::Error::invalid_value(
                        Unexpected::Str(translation.status.as_str()),
                        &"the status that its type leads to",
                    ));
                }
                translation => translation.map(|it| Data::Translation(kind, it)),
            },
            kind => kind.text().map(Data::Unknown),
        };
        let data = data.ok_or_else(record::misread)?;
        Ok(Event { timestamp, data })
    }
}
