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

/// The SHA-256 that the store holds an object against. What comes in parts has none: no store makes one of theirs, and what was
/// announced stays what somebody said.
pub(super) fn checked(note: &Note) -> Option<&str> {
    note.sha256.as_deref().filter(|_| note.parts.is_none())
}
