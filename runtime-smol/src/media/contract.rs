//! What a home of media must do.

use dubhook_core::{
    id::Id,
    server::{MediaRefusal, Subtitles},
    time::Timestamp,
};
use std::{fmt, fs::File, io, path::Path, path::PathBuf};

/// How long an upload is kept that no job names, in milliseconds.
pub(super) const KEPT_MS: u64 = 24 * 60 * 60 * 1_000;

/// An upload that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload {
    /// What it is called.
    pub id: Id,
    /// How many bytes it has.
    pub bytes: u64,
    /// What its file is called, to be shown and never to be opened.
    pub filename: Option<String>,
    /// What it says it is.
    pub content_type: Option<String>,
    /// The SHA-256 that its bytes must have, as hexadecimal digits.
    pub sha256: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// An upload as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What was asked for; once all is there, and was seen by who keeps it, with the SHA-256 that it has.
    pub upload: NewUpload,
    /// How many of its bytes are there.
    pub received: u64,
    /// Whether all of them are there and have the SHA-256 that is told; else that is what was announced.
    pub is_checked: bool,
    /// How they are to be sent.
    pub put: Put,
}

/// How the bytes of an upload are to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// To the server.
    Here,
    /// All of them to an object store.
    Elsewhere {
        /// The URL that takes them.
        url: String,
        /// Their SHA-256 in Base64, which must come with them as `x-amz-checksum-sha256`.
        checksum: Option<String>,
        /// Until when it takes them.
        expires_at: Timestamp,
    },
    /// To an object store, in parts; [`Media::part`] says where each goes.
    Parts {
        /// How many bytes each has but for the last one.
        bytes: u64,
        /// How many there are.
        count: u64,
    },
}

/// Where a part of an upload is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartOf {
    /// How many bytes it has.
    pub bytes: u64,
    /// The URL that takes it.
    pub url: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// An upload for a translator to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A file of this machine.
    File(PathBuf),
    /// A URL that is good for a day.
    Url(String),
}

impl Kept {
    /// When it goes, if no job names it.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        let created_ms = self.upload.created_at.as_unix_ms();
        Timestamp::from_unix_ms(created_ms.saturating_add(KEPT_MS))
    }
}

/// The bytes of an output.
#[derive(Debug)]
pub enum Body {
    /// A file, open to be read.
    File(File),
    /// They themselves.
    Bytes(Vec<u8>),
    /// Where clients get them: a URL that is good for some hours.
    Elsewhere(String),
}

/// An output that can be read.
#[derive(Debug)]
pub struct Output {
    /// Its bytes.
    pub body: Body,
    /// How many.
    pub bytes: u64,
    /// What it is.
    pub content_type: String,
    /// What its file is called.
    pub filename: String,
    /// Its tag, in its quotes.
    pub tag: String,
}

/// An upload whose bytes are coming. Dropped, it keeps what was stored.
pub trait Filling: Send + fmt::Debug {
    /// Stores the next bytes.
    ///
    /// # Errors
    ///
    /// [`MediaRefusal::Full`] or [`MediaRefusal::Broken`].
    fn store(&mut self, bytes: &[u8]) -> Result<(), MediaRefusal>;

    /// All bytes that were to come now are stored: makes them durable, and if these are all that the upload has, checks them.
    ///
    /// # Errors
    ///
    /// [`MediaRefusal::Checksum`], and then none of them is kept; or as [`store`](Self::store).
    fn finish(self: Box<Self>) -> Result<Kept, MediaRefusal>;
}

/// Keeps media.
pub trait Media: Send + Sync + fmt::Debug {
    /// The bytes of the key that links to these media are signed with: random, made once, and the same ever after. Called at the start
    /// alone.
    ///
    /// # Errors
    ///
    /// Where it can be neither read nor made.
    fn link_key(&self) -> io::Result<[u8; 32]>;

    /// Variables of the environment that are the server's alone, and no business of a translator program.
    fn hidden(&self) -> &'static [&'static str] {
        &[]
    }

    /// How large an upload may be.
    fn upload_bytes_max(&self) -> u64;

    /// Makes room for an upload.
    ///
    /// # Errors
    ///
    /// [`MediaRefusal::TooLarge`] or [`MediaRefusal::Full`].
    fn create(&self, upload: NewUpload) -> Result<Kept, MediaRefusal>;

    /// How far an upload is.
    ///
    /// # Errors
    ///
    /// [`MediaRefusal::NotFound`].
    fn find(&self, upload: Id) -> Result<Kept, MediaRefusal>;

    /// Uploads, newest first: at most `limit` of those that come after `after`, or of all, and of those alone that have this
    /// SHA-256. And the last one that was looked at, where older ones may follow.
    ///
    /// # Errors
    ///
    /// [`MediaRefusal::Broken`].
    fn list(
        &self,
        after: Option<Id>,
        limit: usize,
        sha256: Option<&str>,
    ) -> Result<(Vec<Kept>, Option<Id>), MediaRefusal>;

    /// Begins to fill an upload: with `bytes` bytes from `at`, or with all of it.
    ///
    /// # Errors
    ///
    /// [`MediaRefusal`] says why these bytes cannot come.
    fn begin(
        &self,
        upload: Id,
        at: Option<u64>,
        bytes: u64,
    ) -> Result<Box<dyn Filling>, MediaRefusal>;

    /// Where a part of an upload is to be sent that comes in parts.
    ///
    /// # Errors
    ///
    /// [`MediaRefusal::NotFound`] where there is no such part.
    fn part(&self, upload: Id, number: u64) -> Result<PartOf, MediaRefusal> {
        let _ = (upload, number);
        Err(MediaRefusal::NotFound)
    }

    /// Removes an upload.
    ///
    /// # Errors
    ///
    /// [`MediaRefusal::NotFound`], or [`MediaRefusal::Busy`] while it is being filled.
    fn remove(&self, upload: Id) -> Result<(), MediaRefusal>;

    /// An upload that is whole, for a translator to read.
    ///
    /// # Errors
    ///
    /// [`MediaRefusal::NotFound`] where it is not, or not whole.
    fn input(&self, upload: Id) -> Result<Input, MediaRefusal>;

    /// Takes the file that a translator has made for a job in this language, and the files of its subtitles, of which those are passed
    /// over that are none. What the output is called says the language.
    ///
    /// # Errors
    ///
    /// [`MediaRefusal::Full`] or [`MediaRefusal::Broken`].
    fn adopt(
        &self,
        job: Id,
        language: &str,
        file: &Path,
        subtitles: &[PathBuf],
    ) -> Result<(), MediaRefusal>;

    /// The bytes of an upload that is whole.
    ///
    /// # Errors
    ///
    /// [`MediaRefusal::NotFound`] where it is not, or not whole.
    fn content(&self, upload: Id) -> Result<Output, MediaRefusal>;

    /// Makes a whole upload the output of a job in this language, and another one its subtitles, and uploads no more. Asked again, they
    /// are that already. What the output is called says the language.
    ///
    /// # Errors
    ///
    /// As [`content`](Self::content), and [`MediaRefusal::Subtitles`].
    fn keep(
        &self,
        upload: Id,
        job: Id,
        language: &str,
        subtitles: Option<Id>,
    ) -> Result<(), MediaRefusal>;

    /// A job's output.
    ///
    /// # Errors
    ///
    /// [`MediaRefusal::NotFound`].
    fn output(&self, job: Id) -> Result<Output, MediaRefusal>;

    /// A job's subtitles.
    ///
    /// # Errors
    ///
    /// [`MediaRefusal::NotFound`].
    fn subtitles(&self, job: Id, form: Subtitles) -> Result<Output, MediaRefusal>;

    /// Removes a job's output, and its subtitles.
    ///
    /// # Errors
    ///
    /// [`MediaRefusal::Broken`].
    fn remove_output(&self, job: Id) -> Result<(), MediaRefusal>;

    /// The uploads that are so old that they go unless a job names them, and the jobs of which there are outputs.
    ///
    /// # Errors
    ///
    /// [`MediaRefusal::Broken`].
    fn kept(&self, now: Timestamp) -> Result<(Vec<Id>, Vec<Id>), MediaRefusal>;
}
