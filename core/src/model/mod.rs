//! What goes over the wire as typed values: events, translations, webhooks, problems, and what is asked for.
//!
//! Each type has serde's traits and is generic over its texts: `&str` where they may lie in what was received,
//! `heapless::String<N>` where they are kept without a heap, `String` where there is one, [`json::Str`](crate::json::Str)
//! where they stay as they stand in a document. Members that a type does not name may be there; those that it names must be
//! what they must be. In whatever format they are written, they are the same members in the same order: what the server
//! renders by hand is, byte for byte, what a JSON serializer makes of the model.
//!
//! ```
//! use dubhook_core::{event::Kind, json, model::{Data, Event}};
//!
//! let body = br#"{"type":"translation.completed","timestamp":"2026-11-24T09:00:00.123Z","data":{
//!     "id":"job_01kas4ve3qes2rvbqxvxyw0003","sequence":3,"status":"completed","progress":100,
//!     "video_url":"https://v.test/1.mp4","source_language":null,"target_language":"es",
//!     "output_url":"https://v.test/1.es.mp4","error":null,"reference":"order-17",
//!     "created_at":"2026-11-24T08:59:00.000Z","updated_at":"2026-11-24T09:00:00.123Z"}}"#;
//! let event: Event<&str> = json::from_slice(body).unwrap();
//! let Data::Translation(Kind::Completed, translation) = event.data else { panic!() };
//! assert_eq!(translation.output_url, Some("https://v.test/1.es.mp4"));
//! assert_eq!(translation.reference, Some("order-17"));
//! ```

pub(crate) mod cell;
mod event;
mod problem;
pub(crate) mod record;
mod sensitive;
mod spelling;
mod translation;
mod webhook;
mod work;

pub use event::{Data, Event};
pub use problem::Problem;
pub use sensitive::Sensitive;
pub use spelling::{endpoint_id, event_id, job_id, job_id_or_null};
pub use translation::{NewTranslation, Newest, NewestStatus, Translation};
pub use webhook::{Attempt, Attempts, NewWebhook, Redelivery, Webhook, WebhookChange};
pub use work::{Claim, Report};

use serde::{Deserialize, Serialize};

/// One page of a list: `{"data":[…],"next_cursor":…}`.
///
/// `L` is any list: `heapless::Vec<Translation<…>, N>`, `Vec<Webhook<String>>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<L, T> {
    /// The items, newest first.
    pub data: L,
    /// Where the next page begins; nothing where there is none.
    pub next_cursor: Option<T>,
}
