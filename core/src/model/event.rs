//! The body of a webhook.

use super::{Translation, endpoint_id};
use crate::{event::Kind, id::Id, json, time::Timestamp};
use core::{fmt, marker::PhantomData};
use serde::{
    Serialize, Serializer,
    de::{
        Deserialize, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, Unexpected,
        Visitor, value::BorrowedStrDeserializer,
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
#[derive(serde::Serialize, serde::Deserialize)]
struct Tested {
    #[serde(with = "endpoint_id")]
    id: Id,
}

const TYPE: &str = "type";
const TIMESTAMP: &str = "timestamp";
const DATA: &str = "data";

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
        deserializer.deserialize_struct(
            json::FIRST_MEMBER_FIRST,
            &[TYPE, TIMESTAMP, DATA],
            EventVisitor(PhantomData),
        )
    }
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Member {
    Type,
    Timestamp,
    Data,
    #[serde(other)]
    Other,
}

struct EventVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EventVisitor<T> {
    type Value = Event<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event<T>, A::Error> {
        let (mut kind, mut timestamp, mut about) = (None, None, None);
        while let Some(member) = map.next_key()? {
            match member {
                Member::Type => once(TYPE, &mut kind, map.next_value::<Type<T>>()?)?,
                Member::Timestamp => once(TIMESTAMP, &mut timestamp, map.next_value()?)?,
                Member::Data => {
                    let said = match &kind {
                        Some(Type::Known(Kind::Test)) => About::Test(map.next_value()?),
                        Some(Type::Known(_)) => About::Translation(map.next_value()?),
                        Some(Type::Unknown(_)) => About::Unknown(map.next_value()?),
                        None => return Err(A::Error::missing_field(TYPE)),
                    };
                    once(DATA, &mut about, said)?;
                }
                Member::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let kind = kind.ok_or_else(|| A::Error::missing_field(TYPE))?;
        let data = match (kind, about) {
            (Type::Known(kind), Some(About::Translation(translation))) => {
                if translation.status != kind.status() {
                    return Err(A::Error::invalid_value(
                        Unexpected::Str(translation.status.as_str()),
                        &"the status that its type leads to",
                    ));
                }
                Data::Translation(kind, translation)
            }
            (Type::Known(_), Some(About::Test(tested))) => Data::Test(tested.id),
            (Type::Unknown(name), Some(About::Unknown(_))) => Data::Unknown(name),
            _ => return Err(A::Error::missing_field(DATA)),
        };
        let timestamp = timestamp.ok_or_else(|| A::Error::missing_field(TIMESTAMP))?;
        Ok(Event { timestamp, data })
    }
}

/// What the data of an event is, whose type was read before.
enum About<T> {
    Translation(Translation<T>),
    Test(Tested),
    Unknown(IgnoredAny),
}

/// Keeps the value of a member that may stand there once.
fn once<V, E: Error>(name: &'static str, place: &mut Option<V>, value: V) -> Result<(), E> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::duplicate_field(name)),
    }
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
