//! Media in an object store that speaks S3: callers, workers and the store send each other the bytes, and the server signs what
//! they do.
//!
//! | name | holds |
//! | --- | --- |
//! | `uploads/med_….json` | what was announced of an upload, and under which name its parts come |
//! | `uploads/med_…` | all of it: the store takes as many bytes as were announced and no others |
//! | `outputs/job_….json` | a job's output: what it is, and which object |
//! | `outputs/job_…`, `outputs/job_….vtt`, `outputs/job_….srt` | an output that a program of the server made, and subtitles |
//! | `link-key` | the key that links are signed with |
//!
//! An object is whole or it is not there, so what an upload has is asked of the store each time; parts are put together when
//! somebody asks and all are there. An upload that becomes an output stays where it is: the output's note names it, and the
//! upload's own goes. A note goes last, so whatever a kill leaves behind is found again.

mod file;
mod notes;
mod place;
mod wire;

pub use place::{Keys, Place};

use super::{
    contract::{Body, Filling, Input, Kept, Media, NewUpload, Output, PartOf, Put},
    list,
    names::{self, NOTE, SRT, VTT},
    note::Note,
    room::{Limits, Room},
    subtitles::{self, Both},
};
use crate::{clock, entropy, tls::Trust};
use dubhook_core::{
    id::{Id, Prefix},
    server::{MediaRefusal, Subtitles},
    time::Timestamp,
};
use rusty_s3::S3Action;
use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use wire::{Fault, Head, Part, Session};

/// From how many bytes on an upload comes in parts.
const WHOLE_BYTES_MAX: u64 = 64 << 20;
/// How many bytes a part has at least, and how many parts there are at most: one list names them all, and is no longer than an answer.
const PART_BYTES_MIN: u64 = 16 << 20;
const PARTS_MAX: u64 = 500;
/// The most bytes that are read of the key for links.
const KEY_BYTES_MAX: u64 = 32;
/// How many notes are read for one page of a list: a page that ends there has a successor all the same.
const LOOKED_AT_MAX: usize = 100;
/// How long a URL is good by which bytes are sent: when it ends, what is on its way goes on.
const PUT_FOR: Duration = Duration::from_secs(3_600);
/// How long one is good by which a video is looked at, with pauses.
const GET_FOR: Duration = Duration::from_secs(6 * 3_600);
/// How long one is good that a translator program is given.
const READ_FOR: Duration = Duration::from_secs(24 * 3_600);

/// Media in an object store.
#[derive(Debug)]
pub struct ObjectStore {
    place: Place,
    trust: Trust,
    room: Arc<Room>,
}

impl ObjectStore {
    /// Media at that place. Nothing is asked of the store before the server starts.
    #[must_use]
    pub fn new(place: Place, trust: Trust, limits: Limits) -> Self {
        Self {
            place,
            trust,
            room: Room::new(limits, None),
        }
    }

    fn session(&self) -> Result<Session<'_>, Fault> {
        Session::new(&self.place, &self.trust)
    }

    fn upload(&self, id: Id, ending: &str) -> String {
        self.name("uploads", Prefix::Media, id, ending)
    }

    fn of_job(&self, id: Id, ending: &str) -> String {
        self.name("outputs", Prefix::Job, id, ending)
    }

    fn name(&self, folder: &str, prefix: Prefix, id: Id, ending: &str) -> String {
        format!("{}{folder}/{}{ending}", self.place.prefix, id.text(prefix))
    }

    /// How the bytes of an upload are to be sent.
    fn put(&self, id: Id, note: &Note) -> Put {
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

    fn kept(&self, id: Id, note: Note, received: u64) -> Kept {
        let put = self.put(id, &note);
        Kept {
            put,
            is_checked: received == note.bytes && checked(&note).is_some(),
            ..super::part::kept(id, note, received)
        }
    }

    /// An upload's note, unless it is an output by now.
    fn note(&self, session: &mut Session<'_>, id: Id) -> Result<Note, Fault> {
        let note = notes::read(session, &self.upload(id, NOTE))?;
        match note.output_of {
            Some(_) => Err(Fault::NotFound),
            None => Ok(note),
        }
    }

    /// How many bytes of an upload are there. Puts it together, where all its parts are.
    fn received(&self, session: &mut Session<'_>, id: Id, note: &Note) -> Result<u64, Fault> {
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
    fn whole(&self, session: &mut Session<'_>, id: Id) -> Result<Note, Fault> {
        let note = self.note(session, id)?;
        match self.received(session, id, &note)? == note.bytes {
            true => Ok(note),
            false => Err(Fault::NotFound),
        }
    }

    /// A URL that reads an object, as a file of that name.
    fn read_url(&self, key: &str, filename: Option<&str>, time: Duration) -> String {
        let mut action = self.place.bucket.get_object(self.place.credentials(), key);
        if let Some(filename) = filename {
            let query = action.query_mut();
            // What a browser would run is taken for bytes, and saved.
            query.insert("response-content-type", names::content_type(filename));
            query.insert("response-content-disposition", names::attachment(filename));
        }
        self.place.signed(&action, clock::timestamp(), time).0
    }

    fn open(&self, key: &str, note: Note) -> Output {
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

    fn read_subtitles(&self, session: &mut Session<'_>, id: Id) -> Result<Both, MediaRefusal> {
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

    fn write_subtitles(
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
    fn count(&self, session: &mut Session<'_>) -> Result<(), Fault> {
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

    fn id(&self, key: &str, folder: &str, prefix: Prefix, ending: &str) -> Option<Id> {
        let name = key.strip_prefix(&self.place.prefix)?;
        let name = name.strip_prefix(folder)?.strip_prefix('/')?;
        Id::parse(prefix, name.strip_suffix(ending)?)
    }
}

impl Media for ObjectStore {
    fn link_key(&self) -> io::Result<[u8; 32]> {
        let mut session = self.session()?;
        self.count(&mut session)?;
        let name = format!("{}link-key", self.place.prefix);
        let key = match session.get(&name, KEY_BYTES_MAX) {
            Err(Fault::NotFound) => {
                let key = entropy::seed()?;
                match session.put_new(&name, &key) {
                    // Another server was first.
                    Ok(()) | Err(Fault::Exists) => session.get(&name, KEY_BYTES_MAX)?,
                    Err(fault) => return Err(fault.into()),
                }
            }
            found => found?,
        };
        let wrong = |_| io::Error::new(io::ErrorKind::InvalidData, "link-key is no key");
        key.try_into().map_err(wrong)
    }

    fn hidden(&self) -> &'static [&'static str] {
        &[
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
        ]
    }

    fn upload_bytes_max(&self) -> u64 {
        self.room.upload_bytes_max()
    }

    fn create(&self, upload: NewUpload) -> Result<Kept, MediaRefusal> {
        let (id, bytes) = (upload.id, upload.bytes);
        self.room.check_upload(bytes)?;
        self.room.take(bytes, 0)?;
        let made = || {
            let mut session = self.session()?;
            let parts = match bytes > WHOLE_BYTES_MAX {
                true => Some(session.begin_parts(&self.upload(id, ""))?),
                false => None,
            };
            let note = Note {
                parts,
                ..Note::of(&upload)
            };
            session.put(&self.upload(id, NOTE), &note.render())?;
            Ok(note)
        };
        match made() {
            Ok(note) => Ok(self.kept(id, note, 0)),
            Err(fault) => {
                self.room.give(bytes, 0);
                Err(Fault::into(fault))
            }
        }
    }

    fn find(&self, id: Id) -> Result<Kept, MediaRefusal> {
        let mut session = self.session()?;
        let note = self.note(&mut session, id)?;
        let received = self.received(&mut session, id, &note)?;
        Ok(self.kept(id, note, received))
    }

    fn list(
        &self,
        after: Option<Id>,
        limit: usize,
        sha256: Option<&str>,
    ) -> Result<(Vec<Kept>, Option<Id>), MediaRefusal> {
        let mut session = self.session()?;
        let listed = session.list(&format!("{}uploads/", self.place.prefix))?;
        let ids = listed
            .iter()
            .filter_map(|object| self.id(&object.key, "uploads", Prefix::Media, NOTE));
        let mut find = |id| -> Result<Option<Kept>, Fault> {
            let note = self.note(&mut session, id)?;
            if !note.has(sha256) {
                return Ok(None);
            }
            let received = self.received(&mut session, id, &note)?;
            Ok(Some(self.kept(id, note, received)))
        };
        let mut broken = None;
        let page = list::page(ids.collect(), after, limit, LOOKED_AT_MAX, |id| {
            match find(id) {
                Ok(kept) => kept,
                // It went meanwhile.
                Err(Fault::NotFound) => None,
                Err(fault) => {
                    broken = Some(fault);
                    None
                }
            }
        });
        match broken {
            Some(fault) => Err(fault.into()),
            None => Ok(page),
        }
    }

    fn begin(&self, id: Id, _: Option<u64>, _: u64) -> Result<Box<dyn Filling>, MediaRefusal> {
        self.note(&mut self.session()?, id)?;
        Err(MediaRefusal::Elsewhere)
    }

    fn part(&self, id: Id, number: u64) -> Result<PartOf, MediaRefusal> {
        let note = self.note(&mut self.session()?, id)?;
        let each = part_bytes(note.bytes);
        let at = number
            .checked_sub(1)
            .and_then(|before| before.checked_mul(each));
        let at = at
            .filter(|at| *at < note.bytes)
            .ok_or(MediaRefusal::NotFound)?;
        let parts = note.parts.ok_or(MediaRefusal::NotFound)?;
        let bytes = each.min(note.bytes - at);
        let key = self.upload(id, "");
        let number = u16::try_from(number).map_err(|_| MediaRefusal::NotFound)?;
        let credentials = self.place.credentials();
        let mut action = self
            .place
            .bucket
            .upload_part(credentials, &key, number, &parts);
        action
            .headers_mut()
            .insert("content-length", bytes.to_string());
        let (url, expires_at) = self.place.signed(&action, clock::timestamp(), PUT_FOR);
        Ok(PartOf {
            bytes,
            url,
            expires_at,
        })
    }

    fn remove(&self, id: Id) -> Result<(), MediaRefusal> {
        let mut session = self.session()?;
        let name = self.upload(id, NOTE);
        let note = notes::read(&mut session, &name)?;
        // An upload that is becoming an output: what it is stays, once that is said to be one.
        let is_kept = match note.output_of {
            Some(job) => match notes::read(&mut session, &self.of_job(job, NOTE)) {
                Ok(output) => output.object == Some(id),
                Err(Fault::NotFound) => false,
                Err(fault) => return Err(fault.into()),
            },
            None => false,
        };
        if !is_kept {
            let key = self.upload(id, "");
            if let Some(parts) = &note.parts {
                session.drop_parts(&key, parts)?;
            }
            session.delete(&key)?;
            self.room.give(note.bytes, 0);
        }
        session.delete(&name)?;
        Ok(())
    }

    fn input(&self, id: Id) -> Result<Input, MediaRefusal> {
        self.whole(&mut self.session()?, id)?;
        Ok(Input::Url(self.read_url(
            &self.upload(id, ""),
            None,
            READ_FOR,
        )))
    }

    fn adopt(
        &self,
        job: Id,
        language: &str,
        file: &Path,
        subtitles: &[PathBuf],
    ) -> Result<(), MediaRefusal> {
        self.remove_output(job)?;
        let mut session = self.session()?;
        if let Some(both) = subtitles::beside(subtitles) {
            self.write_subtitles(&mut session, job, &both)?;
        }
        let (key, note) = (self.of_job(job, ""), self.of_job(job, NOTE));
        file::send(&mut session, &self.room, file, language, (&key, &note))
    }

    fn content(&self, id: Id) -> Result<Output, MediaRefusal> {
        let note = self.whole(&mut self.session()?, id)?;
        Ok(self.open(&self.upload(id, ""), note))
    }

    fn keep(
        &self,
        id: Id,
        job: Id,
        language: &str,
        subtitles: Option<Id>,
    ) -> Result<(), MediaRefusal> {
        let mut session = self.session()?;
        let (name, output) = (self.upload(id, NOTE), self.of_job(job, NOTE));
        let note = match self.whole(&mut session, id) {
            Ok(note) => note,
            // The answer to the first report was lost, or the server ended in the middle of it.
            Err(Fault::NotFound) => {
                let kept = notes::read(&mut session, &output)?;
                if kept.object != Some(id) {
                    return Err(MediaRefusal::NotFound);
                }
                return Ok(session.delete(&name)?);
            }
            Err(fault) => return Err(fault.into()),
        };
        let both = match subtitles {
            Some(subtitles) => Some(self.read_subtitles(&mut session, subtitles)?),
            None => None,
        };
        self.remove_output(job)?;
        if let Some(both) = both {
            self.write_subtitles(&mut session, job, &both)?;
        }
        // First the upload says what it becomes: whoever removes it then leaves what is an output.
        let note = Note {
            parts: None,
            sha256: checked(&note).map(str::to_owned),
            ..note
        };
        let note = note.of_output(language);
        let becoming = Note {
            output_of: Some(job),
            ..note.clone()
        };
        let kept = Note {
            object: Some(id),
            ..note
        };
        session.put(&name, &becoming.render())?;
        session.put(&output, &kept.render())?;
        session.delete(&name)?;
        if let Some(subtitles) = subtitles {
            self.remove(subtitles)?;
        }
        Ok(())
    }

    fn output(&self, job: Id) -> Result<Output, MediaRefusal> {
        let note = notes::read(&mut self.session()?, &self.of_job(job, NOTE))?;
        if note.parts.is_some() {
            return Err(MediaRefusal::NotFound);
        }
        let key = match note.object {
            Some(id) => self.upload(id, ""),
            None => self.of_job(job, ""),
        };
        Ok(self.open(&key, note))
    }

    fn subtitles(&self, job: Id, form: Subtitles) -> Result<Output, MediaRefusal> {
        let ending = match form {
            Subtitles::Vtt => VTT,
            Subtitles::Srt => SRT,
        };
        let mut session = self.session()?;
        // What is made of the one form may be longer than that.
        let text = session.get(&self.of_job(job, ending), 2 * subtitles::BYTES_MAX)?;
        let note = notes::read(&mut session, &self.of_job(job, NOTE))?;
        let filename = names::with_ending(&names::shown(note.filename), ending);
        Ok(Output {
            bytes: text.len() as u64,
            content_type: names::content_type(&filename).to_owned(),
            tag: format!("\"{}\"", super::digest::of_bytes(&text)),
            filename,
            body: Body::Bytes(text),
        })
    }

    fn remove_output(&self, job: Id) -> Result<(), MediaRefusal> {
        let mut session = self.session()?;
        let name = self.of_job(job, NOTE);
        let note = match notes::read(&mut session, &name) {
            Ok(note) => Some(note),
            Err(Fault::NotFound) => None,
            Err(fault) => return Err(fault.into()),
        };
        let key = self.of_job(job, "");
        for ending in [VTT, SRT] {
            let key = self.of_job(job, ending);
            match session.head(&key) {
                Ok(head) => {
                    session.delete(&key)?;
                    self.room.give(head.bytes, 0);
                }
                Err(Fault::NotFound) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        let Some(note) = note else {
            return Ok(());
        };
        if let Some(parts) = &note.parts {
            session.drop_parts(&key, parts)?;
        }
        session.delete(&note.object.map_or(key, |id| self.upload(id, "")))?;
        session.delete(&name)?;
        self.room.give(note.bytes, 0);
        Ok(())
    }

    fn kept(&self, now: Timestamp) -> Result<(Vec<Id>, Vec<Id>), MediaRefusal> {
        let mut session = self.session()?;
        let (mut old, mut outputs) = (Vec::new(), BTreeSet::new());
        for object in session.list(&self.place.prefix)? {
            if let Some(id) = self.id(&object.key, "uploads", Prefix::Media, NOTE) {
                // An id begins with the time at which it was made.
                let made_ms = (id.to_bits() >> 80) as u64;
                if made_ms.saturating_add(super::contract::KEPT_MS) <= now.as_unix_ms() {
                    old.push(id);
                }
            }
            let id = |ending: &&str| self.id(&object.key, "outputs", Prefix::Job, ending);
            outputs.extend([NOTE, VTT, SRT].iter().find_map(id));
        }
        Ok((old, outputs.into_iter().collect()))
    }
}

/// How many bytes each part of so many has, but for the last one.
fn part_bytes(bytes: u64) -> u64 {
    let least = bytes.div_ceil(PARTS_MAX);
    least.next_multiple_of(1 << 20).max(PART_BYTES_MIN)
}

/// How many bytes have come up to the first part that has not: who sends them in turn goes on there.
fn in_turn(come: &[Part], each: u64) -> u64 {
    let is_next = |(part, number): &(&Part, u64)| part.number == *number && part.bytes == each;
    let next = come.iter().zip(1..).take_while(is_next);
    next.map(|(part, _)| part.bytes).sum()
}

/// A SHA-256 from its digits, as the store wants it.
fn base64(digits: &str) -> Option<String> {
    use base64ct::{Base64, Encoding};
    let digit = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(digit).collect();
    Some(Base64::encode_string(&bytes?))
}

/// The SHA-256 that the store holds an object against. What comes in parts has none: no store makes one of theirs, and what was
/// announced stays what somebody said.
fn checked(note: &Note) -> Option<&str> {
    note.sha256.as_deref().filter(|_| note.parts.is_none())
}

/// What an object's bytes are known by whose checksum nobody knows: it never changes under its name.
fn key_tag(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_of_an_upload_are_on_one_list() {
        for bytes in [
            1,
            WHOLE_BYTES_MAX + 1,
            5 << 30,
            16_000 << 20,
            u64::MAX >> 12,
        ] {
            let each = part_bytes(bytes);
            assert!(
                each >= PART_BYTES_MIN && bytes.div_ceil(each) <= PARTS_MAX,
                "{bytes}"
            );
        }
        let digits = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let expect = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(base64(digits).as_deref(), Some(expect));
    }
}
