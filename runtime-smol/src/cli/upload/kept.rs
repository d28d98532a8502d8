//! An upload as the server says it.

use crate::cli::{
    api::{self, Api},
    fail::Fail,
};
use dubhook_core::time::Timestamp;
use serde::Deserialize;

/// What the server says of an upload.
#[derive(Debug, Deserialize)]
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) video_url: String,
    pub(super) bytes: u64,
    pub(super) received: u64,
    pub(super) sha256: Option<String>,
    pub(super) filename: Option<String>,
    pub(super) expires_at: Timestamp,
    pub(super) upload: Put,
}

/// How its bytes are to be sent.
#[derive(Debug, Deserialize)]
pub(super) struct Put {
    /// Of the server's own, where they may come in pieces, it is a path.
    pub(super) url: String,
    pub(super) headers: PutHeaders,
    /// How many bytes each part has but for the last one, where they go in parts.
    pub(super) part_bytes: Option<u64>,
}

/// What must come with them.
#[derive(Debug, Deserialize)]
pub(super) struct PutHeaders {
    #[serde(rename = "x-amz-checksum-sha256")]
    pub(super) checksum: Option<String>,
}

/// How far an upload is.
pub(super) fn read(api: &Api<'_>, id: &str) -> Result<Kept, Fail> {
    api::read(&api.get(&format!("/v1/uploads/{id}"))?)
}
