//! Media as files of a directory.
//!
//! | name | holds |
//! | --- | --- |
//! | `uploads/med_….json` | what was announced of an upload, and at its end its SHA-256 |
//! | `uploads/med_….part` | as much of it as has come |
//! | `uploads/med_…` | all of it: its length and SHA-256 were checked, and it was synced before it got this name |
//! | `outputs/job_….json`, `outputs/job_…` | a job's output and what it is |
//!
//! Whatever has one of the last two names is whole, for a name is given in one step and last. A kill leaves a part, which goes on
//! where it was.

use super::{
    contract::{Filling, KEPT_MS, Kept, Media, NewUpload, Output},
    digest, names,
    note::{Note, sync_folder},
    room::{Hold, Limits, Room, refusal},
};
use dubhook_core::{
    id::{Id, Prefix},
    server::MediaRefusal,
    time::Timestamp,
};
use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// How the name of what has come in part ends, and that of a note, and that of what is being written.
const PART: &str = ".part";
const NOTE: &str = ".json";
const NEW: &str = ".new";

/// Media as files of a directory, which one process uses.
#[derive(Debug)]
pub struct Folder {
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
            uploads,
            outputs,
            room: Room::new(limits, path),
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
            if names::id(&path, Prefix::Job, "").is_some() {
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
}

fn kept(id: Id, note: Note, received: u64) -> Kept {
    Kept {
        upload: NewUpload {
            id,
            bytes: note.bytes,
            filename: note.filename,
            content_type: note.content_type,
            sha256: note.sha256,
            created_at: Timestamp::from_unix_ms(note.created_at_ms),
        },
        received,
    }
}

impl Media for Folder {
    fn create(&self, upload: NewUpload) -> Result<Kept, MediaRefusal> {
        let bytes = upload.bytes;
        self.room.check_upload(bytes)?;
        self.room.take(bytes, bytes)?;
        let note = Note {
            bytes,
            created_at_ms: upload.created_at.as_unix_ms(),
            filename: upload.filename.clone(),
            content_type: upload.content_type.clone(),
            sha256: upload.sha256.as_deref().map(str::to_ascii_lowercase),
        };
        match note.write(&self.upload(upload.id, NOTE)) {
            Ok(()) => Ok(kept(upload.id, note, 0)),
            Err(error) => {
                self.room.give(bytes, bytes);
                Err(refusal(&error))
            }
        }
    }

    fn find(&self, id: Id) -> Result<Kept, MediaRefusal> {
        let note = self.note(id)?;
        let received = self.received(id, &note).map_err(|error| refusal(&error))?;
        let is_whole = self.upload(id, "").exists();
        if received < note.bytes || is_whole {
            return Ok(kept(id, note, received));
        }
        match self.settle(id) {
            // Whoever fills it sees to it.
            Err(MediaRefusal::Busy) => Ok(kept(id, note, received)),
            Err(MediaRefusal::Checksum) => Ok(kept(id, note, 0)),
            settled => settled,
        }
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

    fn input(&self, id: Id) -> Result<PathBuf, MediaRefusal> {
        let kept = self.find(id)?;
        let path = self.upload(id, "");
        match kept.received == kept.upload.bytes && path.exists() {
            true => Ok(path),
            false => Err(MediaRefusal::NotFound),
        }
    }

    fn adopt(&self, job: Id, file: &Path) -> Result<(), MediaRefusal> {
        let broken = |error: io::Error| refusal(&error);
        let bytes = fs::metadata(file).map_err(broken)?.len();
        // A run before this one may have left another.
        self.remove_output(job)?;
        self.room.take(bytes, 0)?;
        let adopted = || {
            let new = self.of_job(job, NEW);
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
            let note = Note {
                bytes,
                created_at_ms: 0,
                filename: file
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned()),
                content_type: None,
                sha256: Some(digest::of(&mut kept)?),
            };
            kept.sync_all()?;
            note.write(&self.of_job(job, NOTE))?;
            fs::rename(&new, self.of_job(job, ""))?;
            sync_folder(&new)
        };
        adopted().map_err(|error| {
            self.room.give(bytes, 0);
            refusal(&error)
        })
    }

    fn content(&self, id: Id) -> Result<Output, MediaRefusal> {
        let path = self.input(id)?;
        let note = self.note(id)?;
        open(&path, note)
    }

    fn keep(&self, id: Id, job: Id) -> Result<(), MediaRefusal> {
        let broken = |error: io::Error| refusal(&error);
        let path = match self.input(id) {
            Ok(path) => path,
            // The answer to the first report was lost.
            Err(MediaRefusal::NotFound) if self.of_job(job, "").exists() => return Ok(()),
            Err(why) => return Err(why),
        };
        let note = self.note(id)?;
        let _hold = self.room.hold(id)?;
        self.remove_output(job)?;
        let named = || {
            note.write(&self.of_job(job, NOTE))?;
            fs::rename(&path, self.of_job(job, ""))?;
            sync_folder(&self.of_job(job, ""))
        };
        named().map_err(broken)?;
        remove(&self.upload(id, NOTE))
    }

    fn output(&self, job: Id) -> Result<Output, MediaRefusal> {
        let broken = |error: io::Error| refusal(&error);
        let note = Note::read(&self.of_job(job, NOTE)).map_err(broken)?;
        open(&self.of_job(job, ""), note)
    }

    fn remove_output(&self, job: Id) -> Result<(), MediaRefusal> {
        let bytes = fs::metadata(self.of_job(job, "")).map_or(0, |file| file.len());
        for ending in ["", NOTE] {
            remove(&self.of_job(job, ending))?;
        }
        self.room.give(bytes, 0);
        Ok(())
    }

    fn kept(&self, now: Timestamp) -> Result<(Vec<Id>, Vec<Id>), MediaRefusal> {
        let listed = || {
            let (mut old, mut outputs) = (Vec::new(), Vec::new());
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
                outputs.extend(names::id(&entry?.path(), Prefix::Job, ""));
            }
            Ok((old, outputs))
        };
        listed().map_err(|error: io::Error| refusal(&error))
    }
}

/// Opens a whole file to be read.
fn open(path: &Path, note: Note) -> Result<Output, MediaRefusal> {
    let opened = || {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok((file, bytes))
    };
    let (file, bytes) = opened().map_err(|error: io::Error| refusal(&error))?;
    let filename = note.filename.unwrap_or_else(|| "video".to_owned());
    Ok(Output {
        file,
        bytes,
        content_type: names::content_type(&filename).to_owned(),
        tag: format!("\"{}\"", note.sha256.unwrap_or_default()),
        filename: filename[..filename.floor_char_boundary(255)].to_owned(),
    })
}

/// Removes a file that may not be there.
fn remove(path: &Path) -> Result<(), MediaRefusal> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refusal(&error)),
        _ => Ok(()),
    }
}

/// A part that grows.
#[derive(Debug)]
struct Part {
    id: Id,
    /// Where all of it will be.
    whole: PathBuf,
    note: Note,
    file: File,
    received: u64,
    hold: Hold,
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
        self.file
            .write_all(bytes)
            .map_err(|error| refusal(&error))?;
        self.received += bytes.len() as u64;
        self.hold.room.has_come(bytes.len() as u64);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Kept, MediaRefusal> {
        self.file.sync_all().map_err(|error| refusal(&error))?;
        if self.received == self.note.bytes {
            self.complete()?;
        }
        Ok(kept(self.id, self.note.clone(), self.received))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dubhook_core::id::Ix;

    /// A directory of its own for each test, removed when it ends.
    struct Home(PathBuf);

    impl Home {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("dubhook-media-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }

        fn open(&self, media_bytes_max: u64) -> Folder {
            let limits = Limits {
                upload_bytes_max: 100,
                media_bytes_max,
            };
            Folder::open(&self.0, limits).unwrap()
        }

        /// Every file in it.
        fn files(&self) -> usize {
            let count = |name: &str| fs::read_dir(self.0.join(name)).unwrap().count();
            count("uploads") + count("outputs")
        }
    }

    impl Drop for Home {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn id(slot: u32) -> Id {
        let at = Timestamp::from_unix_ms(1_795_510_800_000);
        let seed = [7; 32];
        Id::new(
            at,
            Ix::new(slot).unwrap(),
            &mut dubhook_core::random::Random::new(seed),
        )
    }

    fn new(slot: u32, bytes: u64) -> NewUpload {
        NewUpload {
            id: id(slot),
            bytes,
            filename: Some("v.mp4".to_owned()),
            content_type: None,
            sha256: None,
            created_at: Timestamp::from_unix_ms(1_000),
        }
    }

    fn fill(
        folder: &Folder,
        slot: u32,
        at: Option<u64>,
        bytes: &[u8],
    ) -> Result<u64, MediaRefusal> {
        let mut filling = folder.begin(id(slot), at, bytes.len() as u64)?;
        for piece in bytes.chunks(3) {
            filling.store(piece)?;
        }
        Ok(filling.finish()?.received)
    }

    #[test]
    fn an_upload_grows_and_is_whole_at_its_end_and_only_then() {
        let home = Home::new("grows");
        let folder = home.open(1_000);
        assert_eq!(folder.find(id(1)), Err(MediaRefusal::NotFound));
        folder.create(new(1, 10)).unwrap();
        assert_eq!(fill(&folder, 1, Some(0), b"01234"), Ok(5));
        assert_eq!(folder.input(id(1)), Err(MediaRefusal::NotFound));
        assert_eq!(fill(&folder, 1, Some(4), b"4"), Err(MediaRefusal::Offset));
        assert_eq!(
            fill(&folder, 1, Some(5), b"567890"),
            Err(MediaRefusal::Length)
        );
        assert_eq!(fill(&folder, 1, None, b"5"), Err(MediaRefusal::Length));
        let held = folder.begin(id(1), Some(5), 5).unwrap();
        assert_eq!(fill(&folder, 1, Some(5), b"5"), Err(MediaRefusal::Busy));
        assert_eq!(folder.remove(id(1)), Err(MediaRefusal::Busy));
        drop(held);
        assert_eq!(fill(&folder, 1, Some(5), b"56789"), Ok(10));
        assert_eq!(
            fs::read(folder.input(id(1)).unwrap()).unwrap(),
            b"0123456789"
        );
        assert_eq!(
            fill(&folder, 1, None, b"0123456789"),
            Err(MediaRefusal::Done)
        );
        let found = folder.find(id(1)).unwrap().upload;
        assert!(
            found
                .sha256
                .is_some_and(|text| text.starts_with("84d89877f0d4041efb6bf91a16f0248f"))
        );
    }

    #[test]
    fn what_a_process_left_is_counted_and_settled_by_the_next() {
        let home = Home::new("left");
        let folder = home.open(100);
        folder.create(new(1, 10)).unwrap();
        // All bytes are there, and nobody has looked at them yet.
        let mut filling = folder.begin(id(1), None, 10).unwrap();
        filling.store(b"0123456789").unwrap();
        drop(filling);
        let wrong = NewUpload {
            sha256: Some("0".repeat(64)),
            ..new(2, 10)
        };
        folder.create(wrong).unwrap();
        let mut filling = folder.begin(id(2), None, 10).unwrap();
        filling.store(b"0123456789").unwrap();
        drop(filling);
        fs::write(home.0.join("uploads/med_x.json.new"), "half").unwrap();
        drop(folder);
        let folder = home.open(100);
        assert_eq!(folder.find(id(1)).unwrap().received, 10);
        assert!(folder.input(id(1)).is_ok());
        assert_eq!(folder.find(id(2)).unwrap().received, 0, "they were others");
        assert!(
            folder
                .create(new(3, 81))
                .is_err_and(|why| why == MediaRefusal::Full)
        );
        assert!(folder.create(new(3, 80)).is_ok());
        for slot in 1..=3 {
            folder.remove(id(slot)).unwrap();
        }
        assert_eq!(home.files(), 0);
        assert!(folder.create(new(4, 100)).is_ok(), "all room came back");
        assert!(
            folder
                .create(new(5, 101))
                .is_err_and(|why| why == MediaRefusal::TooLarge)
        );
    }

    #[test]
    fn an_output_is_the_translators_file_and_goes_when_it_is_removed() {
        let home = Home::new("output");
        let folder = home.open(20);
        let made = home.0.join("v.es.mp4");
        fs::write(&made, "0123456789").unwrap();
        folder.adopt(id(1), &made).unwrap();
        // A second run of the same job puts its own in place of it.
        fs::remove_file(&made).unwrap();
        fs::write(&made, "abcdefghij").unwrap();
        folder.adopt(id(1), &made).unwrap();
        let output = folder.output(id(1)).unwrap();
        assert_eq!(
            (
                output.bytes,
                output.filename.as_str(),
                output.content_type.as_str()
            ),
            (10, "v.es.mp4", "video/mp4")
        );
        assert_eq!(output.tag.len(), 66);
        assert_eq!(fs::read(&made).unwrap(), b"abcdefghij");
        assert_eq!(
            folder.kept(Timestamp::from_unix_ms(0)).unwrap(),
            (vec![], vec![id(1)])
        );
        fs::write(home.0.join("big.mp4"), [0; 21]).unwrap();
        assert_eq!(
            folder.adopt(id(2), &home.0.join("big.mp4")),
            Err(MediaRefusal::Full)
        );
        assert!(folder.output(id(2)).is_err());
        folder.remove_output(id(1)).unwrap();
        folder.adopt(id(2), &made).unwrap();
        folder.adopt(id(3), &made).unwrap();
        assert_eq!(folder.adopt(id(4), &made), Err(MediaRefusal::Full));
    }

    #[test]
    fn an_upload_becomes_an_output_once() {
        let home = Home::new("keep");
        let folder = home.open(20);
        folder.create(new(1, 10)).unwrap();
        assert_eq!(folder.keep(id(1), id(9)), Err(MediaRefusal::NotFound));
        fill(&folder, 1, None, b"0123456789").unwrap();
        assert_eq!(folder.content(id(1)).unwrap().bytes, 10);
        folder.keep(id(1), id(9)).unwrap();
        folder.keep(id(1), id(9)).unwrap();
        assert_eq!(folder.find(id(1)), Err(MediaRefusal::NotFound));
        assert_eq!(folder.output(id(9)).unwrap().filename, "v.mp4");
        assert!(
            folder.create(new(2, 11)).is_err(),
            "it takes its room still"
        );
        folder.remove_output(id(9)).unwrap();
        assert_eq!(home.files(), 0);
        assert!(folder.create(new(2, 20)).is_ok());
    }

    #[test]
    fn what_is_old_is_named_after_a_day() {
        let home = Home::new("old");
        let folder = home.open(1_000);
        folder.create(new(1, 10)).unwrap();
        let old = |ms| folder.kept(Timestamp::from_unix_ms(ms)).unwrap().0;
        assert_eq!(old(KEPT_MS + 999), []);
        assert_eq!(old(KEPT_MS + 1_000), [id(1)]);
    }
}
