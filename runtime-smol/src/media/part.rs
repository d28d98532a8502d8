//! An upload that grows, up to the moment at which it is whole.

use super::{
    contract::{Filling, Kept, NewUpload, Put},
    digest,
    names::{NOTE, PART},
    note::{Note, sync_folder},
    room::{Hold, refusal},
};
use dubhook_core::{id::Id, server::MediaRefusal, time::Timestamp};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// An upload as its note says it. Nobody has checked it yet.
pub(super) fn kept(id: Id, note: Note, received: u64) -> Kept {
    Kept {
        is_checked: false,
        upload: NewUpload {
            id,
            bytes: note.bytes,
            filename: note.filename,
            content_type: note.content_type,
            sha256: note.sha256,
            created_at: Timestamp::from_unix_ms(note.created_at_ms),
        },
        received,
        put: Put::Here,
    }
}

/// A part that grows.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) id: Id,
    /// Where all of it will be.
    pub(super) whole: PathBuf,
    pub(super) note: Note,
    pub(super) file: File,
    pub(super) received: u64,
    pub(super) hold: Hold,
}

impl Part {
    /// Checks what is there as a whole, and gives it its name.
    fn complete(&mut self) -> Result<(), MediaRefusal> {
        let broken = |error: io::Error| refusal(&error);
        if self.file.metadata().map_err(broken)?.len() != self.note.bytes {
            return Err(MediaRefusal::Broken);
        }
        let digest = digest::of(&mut self.file).map_err(broken)?;
        if self
            .note
            .sha256
            .as_ref()
            .is_some_and(|told| *told != digest)
        {
            self.file.set_len(0).map_err(broken)?;
            self.hold.room.has_gone(self.received);
            return Err(MediaRefusal::Checksum);
        }
        self.note.sha256 = Some(digest);
        let named = || {
            let mut note = self.whole.clone().into_os_string();
            let mut part = note.clone();
            note.push(NOTE);
            part.push(PART);
            self.note.write(Path::new(&note))?;
            fs::rename(part, &self.whole)?;
            sync_folder(&self.whole)
        };
        named().map_err(broken)
    }
}

impl Filling for Part {
    fn store(&mut self, bytes: &[u8]) -> Result<(), MediaRefusal> {
        if let Err(error) = self.file.write_all(bytes) {
            // What fitted is there, and who goes on does so after it.
            let there = self
                .file
                .metadata()
                .map_or(self.received, |file| file.len());
            self.hold.room.has_come(there.saturating_sub(self.received));
            return Err(refusal(&error));
        }
        self.received += bytes.len() as u64;
        self.hold.room.has_come(bytes.len() as u64);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Kept, MediaRefusal> {
        self.file.sync_all().map_err(|error| refusal(&error))?;
        if self.received == self.note.bytes {
            self.complete()?;
        }
        Ok(Kept {
            is_checked: self.received == self.note.bytes,
            ..kept(self.id, self.note.clone(), self.received)
        })
    }
}
