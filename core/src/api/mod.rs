//! The HTTP API on paper: which paths there are, what bodies they take, what can be wrong with them.
//!
//! Nothing here holds state or answers anything: [`route`] finds the resource that a path names,
//! [`translation`] and its like read bodies into requests that can only be right, and [`Problem`] is
//! everything that can be wrong, each with its status, its stable code and a sentence that helps. The
//! [`server`](crate::server) machine puts them to work.

mod body;
mod field;
#[cfg(feature = "media")]
mod media;
#[cfg(feature = "lists")]
mod page;
mod problem;
#[cfg(any(feature = "lists", feature = "hub"))]
mod query;
mod route;
mod translation;
#[cfg(feature = "hub")]
mod waiting;
#[cfg(feature = "webhook-api")]
mod webhook;
#[cfg(feature = "hub")]
mod work;

pub(crate) use body::{Rules, is_encoded, read_object};
pub(crate) use field::Field;
#[cfg(feature = "media")]
pub(crate) use media::upload;
#[cfg(feature = "media")]
pub use media::{NewUpload, Subtitles};
#[cfg(all(feature = "lists", feature = "webhook-api"))]
pub(crate) use page::limit;
#[cfg(feature = "lists")]
pub(crate) use page::page;
#[cfg(all(feature = "lists", feature = "media"))]
pub(crate) use page::uploads;
#[cfg(feature = "media")]
pub(crate) use problem::MediaProblem;
pub(crate) use problem::Problem;
#[cfg(feature = "hub")]
pub(crate) use query::parameter;
pub(crate) use route::{Methods, OfTranslation, Resource, route};
pub(crate) use translation::translation;
#[cfg(feature = "hub")]
pub(crate) use waiting::{after_sequence, prefer_wait};
#[cfg(all(feature = "webhook-api", feature = "redelivery"))]
pub(crate) use webhook::redelivery;
#[cfg(feature = "webhook-api")]
pub(crate) use webhook::{OfWebhook, webhook, webhook_change};
#[cfg(feature = "media")]
pub(crate) use work::brought;
#[cfg(feature = "hub")]
pub(crate) use work::{OfWork, claim, report};

/// The longest string that is decoded, but for URLs and what is said of an error: a secret of 64 bytes in Base64, with its
/// prefix.
pub(crate) const STRING_BYTES_MAX: usize = 94;
