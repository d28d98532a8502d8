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
mod objects;
mod parts;
mod place;
mod wire;

pub use place::{Keys, Place};

use super::{
    contract::{Body, Filling, Input, Kept, Media, NewUpload, Output, PartOf},
    list,
    names::{self, NOTE, SRT, VTT},
    note::Note,
    room::{Limits, Room},
    subtitles,
};
use crate::{clock, entropy, tls::Trust};
use dubhook_core::{
    id::{Id, Prefix},
    server::{MediaRefusal, Subtitles},
    time::Timestamp,
};
use notes::checked;
use parts::{WHOLE_BYTES_MAX, part_bytes};
use place::{PUT_FOR, READ_FOR};
use rusty_s3::S3Action;
use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use wire::Fault;

/// The most bytes that are read of the key for links.
const KEY_BYTES_MAX: u64 = 32;
/// How many notes are read for one page of a list: a page that ends there has a successor all the same.
const LOOKED_AT_MAX: usize = 100;

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
