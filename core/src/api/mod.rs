//! The HTTP API on paper: which paths there are, what bodies they take, what can be wrong with them.
//!
//! Nothing here holds state or answers anything: [`route`] finds the resource that a path names,
//! [`translation`] and [`webhook`] read bodies into requests that can only be right, and [`Problem`] is
//! everything that can be wrong, each with its status, its stable code and a sentence that helps. The
//! [`server`](crate::server) machine puts them to work.

mod body;
mod field;
mod problem;
mod route;
mod translation;
#[cfg(feature = "hub")]
mod waiting;
mod webhook;
#[cfg(feature = "hub")]
mod work;

pub use body::{Rules, read_object};
pub use field::Field;
pub use problem::Problem;
pub use route::{Methods, OfTranslation, OfWebhook, Page, Resource, page, route};
pub use translation::translation;
#[cfg(feature = "hub")]
pub use waiting::{WAIT_S_MAX, after_sequence, parameter, prefer_wait};
pub(crate) use webhook::STRING_BYTES_MAX;
pub use webhook::{redelivery, webhook, webhook_change};
#[cfg(feature = "hub")]
pub use work::{OfWork, claim, report};
