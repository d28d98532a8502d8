//! A file of this machine as an object: what a program of the server's own has made.

use super::{
    Note, Room,
    wire::{Fault, Session},
};
use crate::media::{digest, names, room::refusal};
use dubhook_core::server::MediaRefusal;
use std::{
    fs::File,
    io::{self, Read, Seek},
    path::Path,
};

/// How many bytes are sent at once, and are in memory for that. The store takes ten thousand parts.
const PIECE_BYTES: u64 = 8 << 20;

/// Sends a file that is a job's output in this language, and writes its note in the end.
pub(super) fn send(
    session: &mut Session<'_>,
    room: &Room,
    path: &Path,
    language: &str,
    (key, note_key): (&str, &str),
) -> Result<(), MediaRefusal> {
    let broken = |error: io::Error| refusal(&error);
    let mut file = File::open(path).map_err(broken)?;
    let bytes = file.metadata().map_err(broken)?.len();
    let name = path.file_name();
    let name = name.map(|name| name.to_string_lossy().into_owned());
    let mut note = Note {
        bytes,
        filename: Some(names::of_output(name, None, language)),
        sha256: Some(digest::of(&mut file).map_err(broken)?),
        ..Note::default()
    };
    file.rewind().map_err(broken)?;
    room.take(bytes, 0)?;
    let mut sent = || -> Result<(), Fault> {
        if bytes <= PIECE_BYTES {
            let whole = piece(&mut file, bytes)?;
            session.put(key, &whole)?;
        } else {
            let parts = session.begin_parts(key)?;
            // By this the parts are found again, should the server end before all are there.
            note.parts = Some(parts.clone());
            session.put(note_key, &note.render())?;
            let mut tags = Vec::new();
            let mut left = bytes;
            for number in 1.. {
                let part = piece(&mut file, left.min(PIECE_BYTES))?;
                left -= part.len() as u64;
                tags.push(session.put_part(key, &parts, number, &part)?);
                if left == 0 {
                    break;
                }
            }
            session.end_parts(key, &parts, &tags)?;
            note.parts = None;
        }
        session.put(note_key, &note.render())
    };
    sent().map_err(|fault| {
        room.give(bytes, 0);
        fault.into()
    })
}

fn piece(file: &mut File, bytes: u64) -> Result<Vec<u8>, Fault> {
    let mut piece = vec![0; bytes as usize];
    let read = file.read_exact(&mut piece);
    read.map_err(|error| Fault::Other(format!("the output cannot be read: {error}")))?;
    Ok(piece)
}
