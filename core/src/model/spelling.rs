//! serde's traits for ids, times and words: the same spellings as everywhere on the wire.

use crate::{
    event::{Filter, Kind},
    id::{Id, Prefix},
    job::Status,
    json,
    time::Timestamp,
};
use core::fmt;
use serde::{
    Serialize, Serializer,
    de::{Deserialize, Deserializer, SeqAccess, Visitor},
    ser::SerializeSeq,
};

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::word(deserializer, "a time of RFC 3339 in UTC", |text| {
            Self::parse_rfc3339(text.as_bytes())
        })
    }
}

/// serde's traits for what is one of a few words.
macro_rules! word {
    ($type:ident, $what:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                json::word(deserializer, $what, $type::parse)
            }
        }
    };
}

word!(Status, "the status of a translation");
word!(Kind, "the type of an event");

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut names = serializer.serialize_seq(Some(self.names().count()))?;
        for name in self.names() {
            names.serialize_element(name)?;
        }
        names.end()
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FilterVisitor)
    }
}

struct FilterVisitor;

impl<'de> Visitor<'de> for FilterVisitor {
    type Value = Filter;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of names of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Filter, A::Error> {
        let mut filter = Filter::NONE;
        while let Some(Name(more)) = names.next_element()? {
            filter = Filter::from_bits(filter.to_bits() | more.to_bits());
        }
        Ok(filter)
    }
}

/// What one name of a filter stands for.
struct Name(Filter);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::word(
            deserializer,
            "the name of an event, translation.* or *",
            |name| {
                let mut filter = Filter::NONE;
                filter.add(name).then_some(Self(filter))
            },
        )
    }
}

fn write_id<S: Serializer>(prefix: Prefix, id: Id, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&id.text(prefix))
}

fn read_id<'de, D: Deserializer<'de>>(prefix: Prefix, deserializer: D) -> Result<Id, D::Error> {
    json::word(deserializer, "an id", |text| Id::parse(prefix, text))
}

/// A module for serde's `with`: an [`Id`] with its prefix.
macro_rules! id_module {
    ($(#[$doc:meta])* $module:ident, $prefix:ident) => {
        $(#[$doc])*
        pub mod $module {
            use super::{Deserializer, Id, Prefix, Serializer, read_id, write_id};

            /// Writes the id with its prefix.
            ///
            /// # Errors
            ///
            /// Those of the serializer.
            pub fn serialize<S: Serializer>(id: &Id, serializer: S) -> Result<S::Ok, S::Error> {
                write_id(Prefix::$prefix, *id, serializer)
            }

            /// Reads an id with its prefix.
            ///
            /// # Errors
            ///
            /// Those of the deserializer, and an invalid value for any other text.
            pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
                read_id(Prefix::$prefix, deserializer)
            }
        }
    };
}

id_module! {
    /// For serde's `with`: the [`Id`] of a translation, as `job_…`.
    job_id, Job
}
id_module! {
    /// For serde's `with`: the [`Id`] of an event, as `evt_…`.
    event_id, Event
}
id_module! {
    /// For serde's `with`: the [`Id`] of a webhook, as `ep_…`.
    endpoint_id, Endpoint
}

/// For serde's `with`: the [`Id`] of a translation as `job_…`, or `null`.
pub mod job_id_or_null {
    use super::{Deserializer, Id, Serializer, job_id};
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct JobId(#[serde(with = "job_id")] Id);

    /// Writes the id with its prefix, or `null`.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(id: &Option<Id>, serializer: S) -> Result<S::Ok, S::Error> {
        id.map(JobId).serialize(serializer)
    }

    /// Reads an id with its prefix, or `null`.
    ///
    /// # Errors
    ///
    /// Those of the deserializer, and an invalid value for any other text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Id>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(|JobId(id)| id))
    }
}
