//! Where videos are kept: what people upload, and what comes of it.
//!
//! The machine says what is asked for and moves nothing; a [`Media`] keeps bytes. It is called on threads that may wait, never
//! on the one that serves, and a failure of it concerns one request: nothing of a job is lost with it, unlike with a
//! [`Store`](crate::store::Store).
//!
//! [`Folder`] keeps them as files of a directory.

mod contract;
mod digest;
mod folder;
mod names;
mod note;
mod part;
mod room;
mod subtitles;

pub use contract::{Filling, Kept, Media, NewUpload, Output};
pub use digest::of as sha256;
pub use folder::Folder;
pub use room::Limits;
