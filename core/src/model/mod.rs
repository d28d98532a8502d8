//! What goes over the wire as typed values: events, translations, webhooks, problems, and what is asked for.
//!
//! Each type has serde's traits and is generic over its texts. Whatever comes from outside may have an escape in it, with the
//! first quotation mark in a text; so what a text is decides how it is read:
//!
//! | texts | read with |
//! | --- | --- |
//! | [`json::Str`](crate::json::Str), as they stand in the document | [`json::from_slice`](crate::json::from_slice) |
//! | `&str`, in the document or in lent memory; `heapless::String<N>`; `String` | [`json::from_slice_in`](crate::json::from_slice_in), or a JSON library of others |
//!
//! Where no memory is lent (`from_slice`), all but the first of them are refused with
//! [`Escaped`](crate::json::ReadErrorKind::Escaped) as soon as a text has an escape.
//!
//! ```
//! use dubhook_core::{event::Kind, json::{self, Str}, model::{Data, Event}};
//!
//! let body = br#"{"type":"translation.error","timestamp":"2026-11-24T09:00:00.123Z","data":{
//!     "id":"job_01kas4ve3qes2rvbqxvxyw0003","sequence":3,"status":"error","progress":40,
//!     "video_url":"https://v.test/1.mp4","source_language":null,"target_language":"es",
//!     "output_url":null,"error":"no \"sound\"","reference":"order-17",
//!     "created_at":"2026-11-24T08:59:00.000Z","updated_at":"2026-11-24T09:00:00.123Z"}}"#;
//!
//! // With memory for what is escaped: as many bytes as the document has are always enough.
//! let mut memory = [0; 1_024];
//! let event: Event<&str> = json::from_slice_in(body, &mut memory).unwrap();
//! let Data::Translation(Kind::Error, translation) = event.data else { panic!() };
//! assert_eq!(translation.error, Some("no \"sound\""));
//!
//! // Without any: texts stay as they stand, compare and are written as what they mean, and can be owned later.
//! let event: Event<Str<'_>> = json::from_slice(body).unwrap();
//! let kept: Event<String> = event.map(|text| text.to_string());
//! assert_eq!(kept.translation().unwrap().reference.as_deref(), Some("order-17"));
//! ```
//!
//! Members that a type does not name may be there; those that it names must be what they must be. In whatever format they are
//! written, they are the same members in the same order: what the server renders by hand is, byte for byte, what a JSON
//! serializer makes of the model.

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
