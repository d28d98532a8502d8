//! Notes as objects.

use super::{
    Note,
    wire::{Fault, Session},
};

/// Reads a note; what is none is as good as not there.
pub(super) fn read(session: &mut Session<'_>, key: &str) -> Result<Note, Fault> {
    let text = session.get(key)?;
    Note::parse(&text).ok_or(Fault::NotFound)
}
