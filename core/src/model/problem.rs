//! A problem document (RFC 9457): what a refusal says.

use serde::{Deserialize, Deserializer, Serialize};

/// What a refusal says, as far as it says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Problem<T> {
    /// A URL that names the type of problem; `about:blank` where the status says it all.
    #[serde(rename = "type", default, deserialize_with = "as_said")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<T>,
    /// The status in words.
    #[serde(default, deserialize_with = "as_said")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<T>,
    /// The status of the answer.
    #[serde(default, deserialize_with = "as_said")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The stable code, for programs.
    #[serde(default, deserialize_with = "as_said")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<T>,
    /// The sentence, for people.
    #[serde(default, deserialize_with = "as_said")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<T>,
    /// The member or parameter that is wrong, if it is one.
    #[serde(default, deserialize_with = "as_said")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<T>,
    /// Where a body stops being JSON, in bytes.
    #[serde(default, deserialize_with = "as_said")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

impl<T> Problem<T> {
    /// One that says nothing.
    pub const NONE: Self = Self {
        kind: None,
        title: None,
        status: None,
        code: None,
        detail: None,
        field: None,
        offset: None,
    };
}

/// RFC 9457 section 3.1: "If a member's value type does not match the specified type, the member MUST be ignored".
fn as_said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(T::deserialize(deserializer).ok())
}
