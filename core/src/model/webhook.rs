//! A registered webhook: how it is, what is asked for to have one, and how it fares.

use super::{Sensitive, endpoint_id, event_id, job_id_or_null};
use crate::{
    event::{Filter, Kind},
    id::{Id, Prefix},
    job::Status,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// A registered webhook, as answers tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook<T> {
    /// Its name: `ep_…`.
    #[serde(with = "endpoint_id")]
    pub id: Id,
    /// Where deliveries go.
    pub url: T,
    /// What tells it from others.
    pub description: T,
    /// Which events it gets.
    pub events: Filter,
    /// Whether anything is sent to it.
    pub enabled: bool,
    /// Why not, if not.
    pub disabled_reason: Option<T>,
    /// Until when nothing is sent to it though it is enabled, if it pauses.
    #[serde(default)]
    pub paused_until: Option<Timestamp>,
    /// Why it pauses, if it does.
    #[serde(default = "none")]
    pub paused_reason: Option<T>,
    /// The only translation it is told of, if there is one.
    #[serde(with = "job_id_or_null", default)]
    pub job: Option<Id>,
    /// How that translation is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The number of that translation's latest event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u32>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// What deliveries are signed with: in the answer to its making or to a rotation, and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Sensitive<T>>,
}

/// What is not said: an older server says nothing of pauses.
const fn none<T>() -> Option<T> {
    None
}

impl<T> Webhook<T> {
    /// Its name as text: `ep_…`.
    #[must_use]
    pub fn name(&self) -> heapless::String<30> {
        self.id.text(Prefix::Endpoint)
    }
}

/// A webhook to be registered: the body of `POST /v1/webhooks`. The server checks it; its refusal says what is wrong.
///
/// `L` is any list of names of events: a [`Filter`], `&[&str]`, `Vec<String>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewWebhook<T, L = Filter> {
    /// Where deliveries shall go.
    pub url: T,
    /// Which events it shall get; all where not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<L>,
    /// What tells it from others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<T>,
    /// What to sign with; the server makes one up where not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Sensitive<T>>,
    /// The only translation to be told of: `job_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<T>,
}

impl<T, L> NewWebhook<T, L> {
    /// At this URL, for all events.
    #[must_use]
    pub const fn new(url: T) -> Self {
        Self {
            url,
            events: None,
            description: None,
            secret: None,
            job: None,
        }
    }
}

/// What is to change of a webhook: the body of `PATCH /v1/webhooks/{id}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookChange<T> {
    /// Where deliveries shall go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<T>,
    /// Which events it shall get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Filter>,
    /// What tells it from others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<T>,
    /// Whether anything shall be sent to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

impl<T> WebhookChange<T> {
    /// Nothing.
    pub const NONE: Self = Self {
        url: None,
        events: None,
        description: None,
        enabled: None,
    };
}

/// What is to be sent again: the body of `POST /v1/webhooks/{id}/redeliver`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Redelivery<T> {
    /// Only events at this time or later: RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<T>,
    /// Only this event: its `webhook-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<T>,
}

/// The newest attempts at deliveries to a webhook: `{"data":[…]}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts<L> {
    /// The attempts, newest first.
    pub data: L,
}

/// One attempt at a delivery, as `GET /v1/webhooks/{id}/attempts` lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt<T> {
    /// When.
    pub at: Timestamp,
    /// Of which event: `evt_…`.
    #[serde(with = "event_id")]
    pub event: Id,
    /// Of which type that is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The how-manieth it was, from 1.
    pub attempt: u32,
    /// The status that was answered, if one was.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub duration_ms: u32,
    /// Why it failed, if it did.
    pub error: Option<T>,
    /// The beginning of the answer's body.
    pub answer: T,
}
