//! Notes as objects.

use super::{
    Note,
    wire::{Fault, Session},
};

/// The most bytes of a note.
const BYTES_MAX: u64 = 64 << 10;

/// Reads a note; what is none is as good as not there.
pub(super) fn read(session: &mut Session<'_>, key: &str) -> Result<Note, Fault> {
    let text = session.get(key, BYTES_MAX)?;
    Note::parse(&text).ok_or(Fault::NotFound)
}
