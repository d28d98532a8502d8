//! The body of a webhook.

use super::{
    Translation, endpoint_id,
    record::{self, Cell, Cells, Holds, Member::Must, Record, Recorded, Said, Seen, Word},
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
    de::{
        Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess,
        Unexpected, Visitor, value::BorrowedStrDeserializer,
    },
    ser::SerializeStruct,
};

/// The body of a webhook, as Standard Webhooks shapes it: `{"type":…,"timestamp":…,"data":{…}}`.
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

/// To read a record with texts `T`.
struct RecordSeed<R, T>(PhantomData<(R, T)>);

impl<'de, R: Recorded<'de, T>, T: Deserialize<'de>> DeserializeSeed<'de> for RecordSeed<R, T> {
    type Value = R;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<R, D::Error> {
        record::deserialize(deserializer)
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
    /// Of all formats, [`json::from_slice`] takes the members in any order; others must have the type before the data.
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
        let (mut kind, mut timestamp, mut data) = (None, None, None);
        let mut seen = Seen::default();
        while let Some(at) = map.next_key_seed(seen.next(NAMES))? {
            match at {
                0 => {
                    seen.add(NAMES, at)?;
                    kind = Some(map.next_value::<Type<T>>()?);
                }
                1 => {
                    seen.add(NAMES, at)?;
                    timestamp = Some(map.next_value()?);
                }
                2 => {
                    seen.add(NAMES, at)?;
                    data = Some(match kind.take() {
                        Some(Type::Known(Kind::Test)) => Data::Test(
                            map.next_value_seed(RecordSeed::<Tested, T>(PhantomData))?
                                .id,
                        ),
                        Some(Type::Known(kind)) => about_translation(kind, map.next_value()?)?,
                        Some(Type::Unknown(name)) => {
                            map.next_value::<IgnoredAny>()?;
                            Data::Unknown(name)
                        }
                        None => return Err(A::Error::missing_field(TYPE)),
                    });
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let missing = match (data, timestamp) {
            (Some(data), Some(timestamp)) => return Ok(Event { timestamp, data }),
            (Some(_), None) => TIMESTAMP,
            (None, _) if seen.has(0) => DATA,
            (None, _) => TYPE,
        };
        Err(A::Error::missing_field(missing))
    }
}

/// What an event says of a translation, if both agree.
fn about_translation<T, E: Error>(kind: Kind, translation: Translation<T>) -> Result<Data<T>, E> {
    if translation.status == kind.status() {
        return Ok(Data::Translation(kind, translation));
    }
    Err(E::invalid_value(
        Unexpected::Str(translation.status.as_str()),
        &"the status that its type leads to",
    ))
}

/// The type of an event.
enum Type<T> {
    Known(Kind),
    Unknown(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Type<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::short(deserializer, TypeVisitor(PhantomData))
    }
}

struct TypeVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TypeVisitor<T> {
    type Value = Type<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type of an event")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Type<T>, E> {
        match Kind::parse(name) {
            Some(kind) => Ok(Type::Known(kind)),
            None => T::deserialize(BorrowedStrDeserializer::new(name)).map(Type::Unknown),
        }
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Type<T>, E> {
        match Kind::parse(name) {
            Some(kind) => Ok(Type::Known(kind)),
            None => T::deserialize(name.into_deserializer()).map(Type::Unknown),
        }
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Type<T>, D::Error> {
        deserializer.deserialize_str(self)
    }
}
