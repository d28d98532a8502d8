//! A problem document (RFC 9457): what a refusal says.

use super::{
    cell::{Holds, Member::IfSaid, Range},
    record::{self, Cells, Record, Recorded},
};
use serde::{Deserialize, Deserializer, Serialize};

/// What a refusal says, as far as it says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Problem<T> {
    /// A URL that names the type of problem; `about:blank` where the status says it all.
    #[serde(rename = "type")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<T>,
    /// The status in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<T>,
    /// The status of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The stable code, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<T>,
    /// The sentence, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<T>,
    /// The member or parameter that is wrong, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<T>,
    /// Where a body stops being JSON, in bytes.
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

impl<'de, T> Recorded<'de, T> for Problem<T> {
    const RECORD: &'static Record = &Record {
        names: &[
            "type", "title", "status", "code", "detail", "field", "offset",
        ],
        members: &[
            IfSaid(Holds::Text),
            IfSaid(Holds::Text),
            IfSaid(Holds::Number(Range::U16)),
            IfSaid(Holds::Text),
            IfSaid(Holds::Text),
            IfSaid(Holds::Text),
            IfSaid(Holds::Number(Range::U64)),
        ],
    };

    fn from_cells(cells: Cells<'de, T>) -> Option<Self> {
        let [kind, title, status, code, detail, field, offset, ..] = cells;
        Some(Self {
            kind: kind.text(),
            title: title.text(),
            status: status.number().map(|status| status as u16),
            code: code.text(),
            detail: detail.text(),
            field: field.text(),
            offset: offset.number(),
        })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Problem<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        record::deserialize(deserializer)
    }
}
