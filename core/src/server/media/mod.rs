//! Videos that go in and come out: the feature `media`.
//!
//! Whoever drives the machine keeps them; what the machine does is HTTP. It finds out what a request asks for and whether it may,
//! and asks the driver ([`MediaCall`]); the driver does it and tells ([`MediaAnswer`]), and the machine says it to the client.
//!
//! The bytes themselves never lie in the machine. An upload's come in pieces of the input: the machine says how many at its front
//! are the upload's ([`Drive::Store`]), and reads on only when these are stored. An output's go from the driver to the socket,
//! and the machine says from where and how many ([`Drive::Send`]). So a connection takes the same memory however long a body is,
//! and who is slow holds up nobody but himself.
//!
//! - `ask`: which requests these are.
//! - `body`: an upload's bytes, and the pace that they must keep.
//! - `answer`: what the driver tells, `told` what becomes of the connection by that, and `write` how it looks.
//! - `link`: URLs that are good without a key, for a time.
//! - `range`: which part of an output is asked for.

mod answer;
mod ask;
mod body;
mod link;
mod range;
#[cfg(test)]
mod tests;
mod told;
mod write;

pub use crate::api::{NewUpload, Subtitles};
pub use answer::{MediaAnswer, MediaRefusal, Output, Part, Put, Upload};
pub use ask::MediaCall;
pub use link::Links;

#[cfg(feature = "lists")]
pub(super) use ask::list;
pub(super) use ask::{
    Asked, brings_output, create, keep_output, of_content, of_output, of_part, of_upload, submitted,
};
pub(super) use body::Receiving;
pub(super) use link::{LINK_BYTES_MAX, admit as admit_link};
pub(super) use write::{TUS, tus_options};

#[cfg(doc)]
use super::Drive;
