//! What a remote worker is given, and what it says.

use super::Translation;
use serde::{Deserialize, Serialize};

/// A translation to be worked on: the answer to `POST /v1/work/claim`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim<T> {
    /// The translation.
    pub job: Translation<T>,
    /// The lease, which reports name.
    pub lease: u64,
    /// How long it lasts from the last report on, in milliseconds.
    pub lease_ms: u64,
}

/// What a worker says of its work: the body of a report. `progress`, `complete` and `fail` want one member each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report<T> {
    /// The lease that came with the translation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<u64>,
    /// How much is done, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
    /// Where the result is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_url: Option<T>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<T>,
}
