//! The objects of the store: what they are called, what they are, and what is asked of them.

use super::{
    ObjectStore,
    notes::{self, checked},
    parts::{in_turn, part_bytes},
    place::{GET_FOR, PUT_FOR},
    wire::{Fault, Head, Part, Session},
};
use crate::{
    clock,
    media::{
        contract::{Body, Kept, Output, Put},
        names::{self, NOTE, SRT, VTT},
        note::Note,
        part,
        subtitles::{self, Both},
    },
};
use dubhook_core::{
    id::{Id, Prefix},
    server::MediaRefusal,
};
use rusty_s3::S3Action;
use std::{collections::BTreeSet, time::Duration};

impl ObjectStore {
    pub(super) fn session(&self) -> Result<Session<'_>, Fault> {
        Session::new(&self.place, &self.trust)
    }

    pub(super) fn upload(&self, id: Id, ending: &str) -> String {
        self.name("uploads", Prefix::Media, id, ending)
    }

    pub(super) fn of_job(&self, id: Id, ending: &str) -> String {
        self.name("outputs", Prefix::Job, id, ending)
    }

    fn name(&self, folder: &str, prefix: Prefix, id: Id, ending: &str) -> String {
        format!("{}{folder}/{}{ending}", self.place.prefix, id.text(prefix))
    }

    /// How the bytes of an upload are to be sent.
    pub(super) fn put(&self, id: Id, note: &Note) -> Put {
        if note.parts.is_some() {
            let bytes = part_bytes(note.bytes);
            let count = note.bytes.div_ceil(bytes);
            return Put::Parts { bytes, count };
        }
        let key = self.upload(id, "");
        let mut action = self.place.bucket.put_object(self.place.credentials(), &key);
        // Signed with it, the URL takes so many bytes and no others, and with the checksum none but these.
        let headers = action.headers_mut();
        headers.insert("content-length", note.bytes.to_string());
        let checksum = checked(note).and_then(base64);
        if let Some(checksum) = &checksum {
            headers.insert("x-amz-checksum-sha256", checksum.clone());
        }
        let (url, expires_at) = self.place.signed(&action, clock::timestamp(), PUT_FOR);
        Put::Elsewhere {
            url,
            checksum,
            expires_at,
        }
    }

    pub(super) fn kept(&self, id: Id, note: Note, received: u64) -> Kept {
        let put = self.put(id, &note);
        Kept {
            put,
            is_checked: received == note.bytes && checked(&note).is_some(),
            ..part::kept(id, note, received)
        }
    }

    /// An upload's note, unless it is an output by now.
    pub(super) fn note(&self, session: &mut Session<'_>, id: Id) -> Result<Note, Fault> {
        let note = notes::read(session, &self.upload(id, NOTE))?;
        match note.output_of {
            Some(_) => Err(Fault::NotFound),
            None => Ok(note),
        }
    }

    /// How many bytes of an upload are there. Puts it together, where all its parts are.
    pub(super) fn received(
        &self,
        session: &mut Session<'_>,
        id: Id,
        note: &Note,
    ) -> Result<u64, Fault> {
        let key = self.upload(id, "");
        match session.head(&key) {
            Ok(head) if self.is_announced(note, &head) => return Ok(note.bytes),
            // It was put there by no URL of ours, or a store keeps what it has refused.
            Ok(_) => session.delete(&key)?,
            Err(Fault::NotFound) => {}
            Err(fault) => return Err(fault),
        }
        let Some(parts) = &note.parts else {
            return Ok(0);
        };
        let come = match session.parts(&key, parts) {
            Ok(come) => come,
            // Somebody else has put it together meanwhile.
            Err(Fault::NotFound) => Vec::new(),
            Err(fault) => return Err(fault),
        };
        let bytes = come.iter().map(|part| part.bytes).sum::<u64>();
        let is_next = |(part, number): (&Part, u64)| part.number == number;
        if bytes != note.bytes || !come.iter().zip(1..).all(is_next) {
            let is_whole = session
                .head(&key)
                .is_ok_and(|head| head.bytes == note.bytes);
            return Ok(match is_whole {
                true => note.bytes,
                false => in_turn(&come, part_bytes(note.bytes)),
            });
        }
        let tags: Vec<_> = come.into_iter().map(|part| part.tag).collect();
        match session.end_parts(&key, parts, &tags) {
            Ok(()) | Err(Fault::NotFound) => Ok(session.head(&key)?.bytes),
            Err(fault) => Err(fault),
        }
    }

    /// Whether an object is what was announced.
    fn is_announced(&self, note: &Note, head: &Head) -> bool {
        let checksum = checked(note).and_then(base64);
        if checksum.is_some() && head.checksum.is_none() {
            tracing::warn!(place = ?self.place, "the object store says no checksum");
        }
        head.bytes == note.bytes && (checksum.is_none() || checksum == head.checksum)
    }

    /// The note of an upload that is whole.
    pub(super) fn whole(&self, session: &mut Session<'_>, id: Id) -> Result<Note, Fault> {
        let note = self.note(session, id)?;
        match self.received(session, id, &note)? == note.bytes {
            true => Ok(note),
            false => Err(Fault::NotFound),
        }
    }

    /// A URL that reads an object, as a file of that name.
    pub(super) fn read_url(&self, key: &str, filename: Option<&str>, time: Duration) -> String {
        let mut action = self.place.bucket.get_object(self.place.credentials(), key);
        if let Some(filename) = filename {
            let query = action.query_mut();
            // What a browser would run is taken for bytes, and saved.
            query.insert("response-content-type", names::content_type(filename));
            query.insert("response-content-disposition", names::attachment(filename));
        }
        self.place.signed(&action, clock::timestamp(), time).0
    }

    pub(super) fn open(&self, key: &str, note: Note) -> Output {
        let tag = format!("\"{}\"", checked(&note).unwrap_or_else(|| key_tag(key)));
        let filename = names::shown(note.filename);
        Output {
            body: Body::Elsewhere(self.read_url(key, Some(&filename), GET_FOR)),
            bytes: note.bytes,
            content_type: names::content_type(&filename).to_owned(),
            tag,
            filename,
        }
    }

    pub(super) fn read_subtitles(
        &self,
        session: &mut Session<'_>,
        id: Id,
    ) -> Result<Both, MediaRefusal> {
        let none = |fault| match fault {
            Fault::NotFound => MediaRefusal::Subtitles,
            fault => fault.into(),
        };
        let note = self.whole(session, id).map_err(none)?;
        if note.bytes > subtitles::BYTES_MAX {
            return Err(MediaRefusal::Subtitles);
        }
        let text = session
            .get(&self.upload(id, ""), subtitles::BYTES_MAX)
            .map_err(none)?;
        Both::of(&text).ok_or(MediaRefusal::Subtitles)
    }

    pub(super) fn write_subtitles(
        &self,
        session: &mut Session<'_>,
        job: Id,
        both: &Both,
    ) -> Result<(), MediaRefusal> {
        for (ending, text) in [(VTT, &both.vtt), (SRT, &both.srt)] {
            let bytes = text.len() as u64;
            self.room.take(bytes, 0)?;
            let put = session.put(&self.of_job(job, ending), text.as_bytes());
            put.inspect_err(|_| self.room.give(bytes, 0))?;
        }
        Ok(())
    }

    /// Counts what is there and what was announced.
    pub(super) fn count(&self, session: &mut Session<'_>) -> Result<(), Fault> {
        let listed = session.list(&self.place.prefix)?;
        let there: BTreeSet<_> = listed.iter().map(|object| object.key.as_str()).collect();
        for object in &listed {
            let Some(key) = object.key.strip_suffix(NOTE) else {
                self.room.count(object.bytes, 0);
                continue;
            };
            let is_upload = self
                .id(&object.key, "uploads", Prefix::Media, NOTE)
                .is_some();
            if is_upload && !there.contains(key) {
                let note = notes::read(session, &object.key)?;
                self.room.count(note.bytes, 0);
            }
        }
        Ok(())
    }

    pub(super) fn id(&self, key: &str, folder: &str, prefix: Prefix, ending: &str) -> Option<Id> {
        let name = key.strip_prefix(&self.place.prefix)?;
        let name = name.strip_prefix(folder)?.strip_prefix('/')?;
        Id::parse(prefix, name.strip_suffix(ending)?)
    }
}

/// A SHA-256 from its digits, as the store wants it.
fn base64(digits: &str) -> Option<String> {
    use base64ct::{Base64, Encoding};
    let digit = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(digit).collect();
    Some(Base64::encode_string(&bytes?))
}

/// What an object's bytes are known by whose checksum nobody knows: it never changes under its name.
fn key_tag(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_said_as_the_store_wants_it() {
        let digits = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let expect = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(base64(digits).as_deref(), Some(expect));
    }
}
