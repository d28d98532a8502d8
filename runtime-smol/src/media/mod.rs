//! Where videos are kept: what people upload, and what comes of it.
//!
//! The machine says what is asked for and moves nothing; a [`Media`] keeps bytes. It is called on threads that may wait, never
//! on the one that serves, and a failure of it concerns one request: nothing of a job is lost with it, unlike with a
//! [`Store`](crate::store::Store).
//!
//! [`Folder`] keeps them as files of a directory, and [`ObjectStore`] as objects of a store that speaks S3: then callers, workers and
//! that store send each other the bytes, and the server says where.

mod bucket;
mod contract;
mod digest;
mod folder;
mod list;
mod names;
mod note;
mod part;
mod room;
mod subtitles;

pub use bucket::{Keys, ObjectStore, Place};
pub use contract::{Body, Filling, Input, Kept, Media, NewUpload, Output, PartOf, Put};
pub use digest::of as sha256;
pub use folder::Folder;
pub use names::plain as plain_name;
pub use room::Limits;
