//! What a server of many people has and a device can do without: the feature `hub`.
//!
//! Each file is a room of its own, and what the rest of the server knows of it is a hook at one or two places: so
//! without the feature nothing of it is there.
//!
//! - `held`: answers that are held until something happens, on which three others are built: `wait`, reads of a job that has
//!   changed, and `events`, streams of what happens.
//! - `work`: jobs for workers that are no part of this process, who may be held until there is one.
//! - `page`: bytes that the caller lends, such as a page for people or the description of the API, each with its `tag`.
//! - `metrics`: the server's own figures, for a program that watches it; `store` are those of its store, `text` is their form.

mod events;
mod held;
mod metrics;
mod page;
mod store;
mod tag;
mod text;
mod wait;
mod work;

pub(super) use held::Watch;
pub use page::Page;
pub use store::StoreFigures;

pub(super) use events::{events, is_known};
pub(super) use held::Held;
pub(super) use metrics::{METRICS_BYTES_MAX, METRICS_TEXT, Traffic, write_metrics};
pub(super) use page::page_instead;
pub(super) use wait::read;
pub(super) use work::{claim, report};
