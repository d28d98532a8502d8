//! Media as files of a directory.
//!
//! | name | holds |
//! | --- | --- |
//! | `uploads/med_….json` | what was announced of an upload, and at its end its SHA-256 |
//! | `uploads/med_….part` | as much of it as has come |
//! | `uploads/med_…` | all of it: its length and SHA-256 were checked, and it was synced before it got this name |
//! | `link-key` | the key that links are signed with |
//! | `outputs/job_….json`, `outputs/job_…` | a job's output and what it is |
//! | `outputs/job_….vtt`, `outputs/job_….srt` | its subtitles in both forms |
//!
//! Whatever has one of the last two names is whole, for a name is given in one step and last. A kill leaves a part, which goes on
//! where it was.

use super::{
    contract::{Body, Filling, Input, KEPT_MS, Kept, Media, NewUpload, Output},
    digest, list,
    names::{self, NEW, NOTE, PART, SRT, VTT},
    note::{Note, sync_folder},
    part::{Part, kept},
    room::{Limits, Room, refusal},
    subtitles::{self, Both},
};
use crate::entropy;
use dubhook_core::{
    id::{Id, Prefix},
    server::{MediaRefusal, Subtitles},
    time::Timestamp,
};
use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

/// How the names of files end that are of a job, and count.
const OF_JOB: [&str; 3] = ["", VTT, SRT];

/// How many notes are read for one page of a list.
const LOOKED_AT_MAX: usize = 1_000;

/// Media as files of a directory, which one process uses.
#[derive(Debug)]
pub struct Folder {
    link_key: PathBuf,
    uploads: PathBuf,
    outputs: PathBuf,
    room: Arc<Room>,
}

impl Folder {
    /// Makes the directory if it is not there, and counts what is in it. What was being written when a process ended is removed.
    ///
    /// # Errors
    ///
    /// Where it cannot be made or read.
    pub fn open(path: &Path, limits: Limits) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let (uploads, outputs) = (path.join("uploads"), path.join("outputs"));
        for folder in [&uploads, &outputs] {
            // What is in it is nobody else's business.
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let folder = Self {
            link_key: path.join("link-key"),
            uploads,
            outputs,
            room: Room::new(limits, Some(path)),
        };
        folder.count()?;
        Ok(folder)
    }

    fn count(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.uploads)? {
            let path = entry?.path();
            if let Some(id) = names::id(&path, Prefix::Media, NOTE) {
                let Ok(note) = Note::read(&path) else {
                    tracing::warn!(path = %path.display(), "no note of an upload");
                    continue;
                };
                let received = self.received(id, &note).unwrap_or(0);
                let promised = note.bytes.saturating_sub(received);
                self.room.count(note.bytes, promised);
            } else if path.extension().is_some_and(|ending| ending == "new") {
                fs::remove_file(path)?;
            }
        }
        for entry in fs::read_dir(&self.outputs)? {
            let entry = entry?;
            let path = entry.path();
            if OF_JOB
                .iter()
                .any(|ending| names::id(&path, Prefix::Job, ending).is_some())
            {
                self.room.count(entry.metadata()?.len(), 0);
            } else if path.extension().is_some_and(|ending| ending == "new") {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn upload(&self, id: Id, ending: &str) -> PathBuf {
        names::file(&self.uploads, Prefix::Media, id, ending)
    }

    fn of_job(&self, job: Id, ending: &str) -> PathBuf {
        names::file(&self.outputs, Prefix::Job, job, ending)
    }

    /// The file of an upload that is whole.
    fn whole(&self, id: Id) -> Result<PathBuf, MediaRefusal> {
        let kept = self.find(id)?;
        let path = self.upload(id, "");
        match kept.received == kept.upload.bytes && path.exists() {
            true => Ok(path),
            false => Err(MediaRefusal::NotFound),
        }
    }

    /// The subtitles that an upload is.
    fn read_subtitles(&self, id: Id) -> Result<Both, MediaRefusal> {
        let none = |_| MediaRefusal::Subtitles;
        let path = self.whole(id).map_err(none)?;
        subtitles::read(&path).ok_or(MediaRefusal::Subtitles)
    }

    /// Keeps the subtitles of a job.
    fn write_subtitles(&self, job: Id, both: &Both) -> Result<(), MediaRefusal> {
        for (ending, text) in [(VTT, &both.vtt), (SRT, &both.srt)] {
            let bytes = text.len() as u64;
            self.room.take(bytes, 0)?;
            let path = self.of_job(job, ending);
            write_whole(&path, text.as_bytes()).map_err(|error| {
                self.room.give(bytes, 0);
                refusal(&error)
            })?;
        }
        Ok(())
    }

    /// How many bytes of an upload are there.
    fn received(&self, id: Id, note: &Note) -> io::Result<u64> {
        if self.upload(id, "").try_exists()? {
            return Ok(note.bytes);
        }
        match fs::metadata(self.upload(id, PART)) {
            Ok(part) => Ok(part.len().min(note.bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn note(&self, id: Id) -> Result<Note, MediaRefusal> {
        Note::read(&self.upload(id, NOTE)).map_err(|error| refusal(&error))
    }

    /// How far an upload of this note is.
    fn find_noted(&self, id: Id, note: Note) -> Result<Kept, MediaRefusal> {
        let received = self.received(id, &note).map_err(|error| refusal(&error))?;
        let is_whole = self.upload(id, "").exists();
        if received < note.bytes || is_whole {
            return Ok(Kept {
                is_checked: is_whole,
                ..kept(id, note, received)
            });
        }
        match self.settle(id) {
            // Whoever fills it sees to it.
            Err(MediaRefusal::Busy) => Ok(kept(id, note, received)),
            Err(MediaRefusal::Checksum) => Ok(kept(id, note, 0)),
            settled => settled,
        }
    }

    /// An upload of which all bytes are there, but nobody has checked them: a process ended before it could.
    fn settle(&self, id: Id) -> Result<Kept, MediaRefusal> {
        let hold = self.room.hold(id)?;
        let note = self.note(id)?;
        let file = File::options()
            .read(true)
            .write(true)
            .open(self.upload(id, PART));
        let file = file.map_err(|error| refusal(&error))?;
        let filling = Box::new(Part {
            id,
            whole: self.upload(id, ""),
            received: note.bytes,
            note,
            file,
            hold,
        });
        filling.finish()
    }

    /// Makes the key for links, unless another server on the same media is quicker: then that is the key.
    fn make_link_key(&self) -> io::Result<()> {
        let [a, b, c, d, ..] = entropy::seed()?;
        let mut own = self.link_key.as_os_str().to_owned();
        own.push(format!(".{:08x}", u32::from_be_bytes([a, b, c, d])));
        let own = PathBuf::from(own);
        write_whole(&own, &entropy::seed()?)?;
        match fs::hard_link(&own, &self.link_key) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                // A file system without links: the last one to come is the key, as long as they start one after the other.
                fs::rename(&own, &self.link_key)?;
            }
            _ => fs::remove_file(&own)?,
        }
        sync_folder(&self.link_key)
    }
}

impl Media for Folder {
    fn link_key(&self) -> io::Result<[u8; 32]> {
        if !self.link_key.try_exists()? {
            self.make_link_key()?;
        }
        let wrong = |_| io::Error::new(io::ErrorKind::InvalidData, "link-key is no key");
        fs::read(&self.link_key)?.try_into().map_err(wrong)
    }

    fn upload_bytes_max(&self) -> u64 {
        self.room.upload_bytes_max()
    }

    fn create(&self, upload: NewUpload) -> Result<Kept, MediaRefusal> {
        let bytes = upload.bytes;
        self.room.check_upload(bytes)?;
        self.room.take(bytes, bytes)?;
        let note = Note::of(&upload);
        match note.write(&self.upload(upload.id, NOTE)) {
            Ok(()) => Ok(kept(upload.id, note, 0)),
            Err(error) => {
                self.room.give(bytes, bytes);
                Err(refusal(&error))
            }
        }
    }

    fn find(&self, id: Id) -> Result<Kept, MediaRefusal> {
        self.find_noted(id, self.note(id)?)
    }

    fn list(
        &self,
        after: Option<Id>,
        limit: usize,
        sha256: Option<&str>,
    ) -> Result<(Vec<Kept>, Option<Id>), MediaRefusal> {
        let mut ids = Vec::new();
        let listed = fs::read_dir(&self.uploads).and_then(|entries| {
            for entry in entries {
                ids.extend(names::id(&entry?.path(), Prefix::Media, NOTE));
            }
            Ok(())
        });
        listed.map_err(|error| refusal(&error))?;
        Ok(list::page(ids, after, limit, LOOKED_AT_MAX, |id| {
            let note = Note::read(&self.upload(id, NOTE)).ok()?;
            let is_wanted = note.has(sha256);
            is_wanted.then(|| self.find_noted(id, note).ok())?
        }))
    }

    fn begin(&self, id: Id, at: Option<u64>, bytes: u64) -> Result<Box<dyn Filling>, MediaRefusal> {
        let note = self.note(id)?;
        let hold = self.room.hold(id)?;
        let broken = |error: io::Error| refusal(&error);
        if self.upload(id, "").try_exists().map_err(broken)? {
            return Err(MediaRefusal::Done);
        }
        let received = self.received(id, &note).map_err(broken)?;
        let start = match at {
            None if bytes != note.bytes => return Err(MediaRefusal::Length),
            None => 0,
            Some(at) if at != received => return Err(MediaRefusal::Offset),
            Some(at) if bytes > note.bytes - at => return Err(MediaRefusal::Length),
            Some(at) => at,
        };
        let mut options = File::options();
        let options = options.create(true).truncate(false).read(true).append(true);
        let file = options.open(self.upload(id, PART)).map_err(broken)?;
        file.set_len(start).map_err(broken)?;
        hold.room.has_gone(received - start);
        Ok(Box::new(Part {
            id,
            whole: self.upload(id, ""),
            received: start,
            note,
            file,
            hold,
        }))
    }

    fn remove(&self, id: Id) -> Result<(), MediaRefusal> {
        let note = self.note(id)?;
        let _hold = self.room.hold(id)?;
        let received = self.received(id, &note).map_err(|error| refusal(&error))?;
        // The note goes last: what it speaks of is found again as long as it is there.
        for ending in ["", PART, NOTE] {
            remove(&self.upload(id, ending))?;
        }
        self.room.give(note.bytes, note.bytes - received);
        Ok(())
    }

    fn input(&self, id: Id) -> Result<Input, MediaRefusal> {
        self.whole(id).map(Input::File)
    }

    fn adopt(
        &self,
        job: Id,
        language: &str,
        file: &Path,
        subtitles: &[PathBuf],
    ) -> Result<(), MediaRefusal> {
        let broken = |error: io::Error| refusal(&error);
        let bytes = fs::metadata(file).map_err(broken)?.len();
        // A run before this one may have left another.
        self.remove_output(job)?;
        self.room.take(bytes, 0)?;
        let new = self.of_job(job, NEW);
        let adopted = || {
            if let Err(error) = fs::remove_file(&new)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
            // The translator has ended and writes no more: the same bytes do for both, where both are on one disk.
            if fs::hard_link(file, &new).is_err() {
                fs::copy(file, &new)?;
            }
            let mut kept = File::open(&new)?;
            let name = file.file_name();
            let name = name.map(|name| name.to_string_lossy().into_owned());
            let note = Note {
                bytes,
                filename: Some(names::of_output(name, None, language)),
                sha256: Some(digest::of(&mut kept)?),
                ..Note::default()
            };
            kept.sync_all()?;
            note.write(&self.of_job(job, NOTE))?;
            fs::rename(&new, self.of_job(job, ""))?;
            sync_folder(&new)
        };
        let texts = subtitles::beside(subtitles);
        let written = texts.map_or(Ok(()), |both| self.write_subtitles(job, &both));
        let adopted = written.and_then(|()| adopted().map_err(broken));
        adopted.inspect_err(|_| {
            // Nothing half stays, and its room comes back; what cannot be removed is, with the next run or the next start.
            if !self.of_job(job, "").exists() {
                self.room.give(bytes, 0);
            }
            let _ = remove(&new).and_then(|()| self.remove_output(job));
        })
    }

    fn content(&self, id: Id) -> Result<Output, MediaRefusal> {
        let path = self.whole(id)?;
        let note = self.note(id)?;
        open(&path, note)
    }

    fn keep(
        &self,
        id: Id,
        job: Id,
        language: &str,
        subtitles: Option<Id>,
    ) -> Result<(), MediaRefusal> {
        let broken = |error: io::Error| refusal(&error);
        let path = match self.whole(id) {
            Ok(path) => path,
            // The answer to the first report was lost.
            Err(MediaRefusal::NotFound) if self.of_job(job, "").exists() => return Ok(()),
            Err(why) => return Err(why),
        };
        let note = self.note(id)?.of_output(language);
        let _hold = self.room.hold(id)?;
        let both = subtitles.map(|id| self.read_subtitles(id)).transpose()?;
        self.remove_output(job)?;
        if let Some(both) = both {
            self.write_subtitles(job, &both)?;
        }
        let named = || {
            note.write(&self.of_job(job, NOTE))?;
            fs::rename(&path, self.of_job(job, ""))?;
            sync_folder(&self.of_job(job, ""))
        };
        named().map_err(broken)?;
        if let Some(subtitles) = subtitles {
            self.remove(subtitles)?;
        }
        remove(&self.upload(id, NOTE))
    }

    fn output(&self, job: Id) -> Result<Output, MediaRefusal> {
        let broken = |error: io::Error| refusal(&error);
        let note = Note::read(&self.of_job(job, NOTE)).map_err(broken)?;
        open(&self.of_job(job, ""), note)
    }

    fn subtitles(&self, job: Id, form: Subtitles) -> Result<Output, MediaRefusal> {
        let broken = |error: io::Error| refusal(&error);
        let ending = match form {
            Subtitles::Vtt => VTT,
            Subtitles::Srt => SRT,
        };
        let path = self.of_job(job, ending);
        let mut file = File::open(&path).map_err(broken)?;
        let mut note = Note::read(&self.of_job(job, NOTE)).map_err(broken)?;
        note.sha256 = Some(digest::of(&mut file).map_err(broken)?);
        note.filename = note.filename.map(|name| names::with_ending(&name, ending));
        open(&path, note)
    }

    fn remove_output(&self, job: Id) -> Result<(), MediaRefusal> {
        for ending in OF_JOB {
            let path = self.of_job(job, ending);
            let bytes = fs::metadata(&path).map_or(0, |file| file.len());
            remove(&path)?;
            self.room.give(bytes, 0);
        }
        remove(&self.of_job(job, NOTE))
    }

    fn kept(&self, now: Timestamp) -> Result<(Vec<Id>, Vec<Id>), MediaRefusal> {
        let listed = || {
            let (mut old, mut outputs) = (Vec::new(), BTreeSet::new());
            for entry in fs::read_dir(&self.uploads)? {
                let path = entry?.path();
                if let Some(id) = names::id(&path, Prefix::Media, NOTE)
                    && let Ok(note) = Note::read(&path)
                    && note.created_at_ms.saturating_add(KEPT_MS) <= now.as_unix_ms()
                {
                    old.push(id);
                }
            }
            for entry in fs::read_dir(&self.outputs)? {
                let path = entry?.path();
                let id = |ending: &&str| names::id(&path, Prefix::Job, ending);
                outputs.extend(OF_JOB.iter().find_map(id));
            }
            Ok((old, outputs.into_iter().collect()))
        };
        listed().map_err(|error: io::Error| refusal(&error))
    }
}

/// Writes a file in place of what was there: all of it or nothing, whatever happens.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(NEW);
    let mut options = File::options();
    let options = options.create(true).truncate(true).write(true).mode(0o600);
    let mut file = options.open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_folder(path)
}

/// Opens a whole file to be read.
fn open(path: &Path, note: Note) -> Result<Output, MediaRefusal> {
    let opened = || {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok((file, bytes))
    };
    let (file, bytes) = opened().map_err(|error: io::Error| refusal(&error))?;
    let filename = names::shown(note.filename);
    Ok(Output {
        body: Body::File(file),
        bytes,
        content_type: names::content_type(&filename).to_owned(),
        tag: format!("\"{}\"", note.sha256.unwrap_or_default()),
        filename,
    })
}

/// Removes a file that may not be there.
fn remove(path: &Path) -> Result<(), MediaRefusal> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refusal(&error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
