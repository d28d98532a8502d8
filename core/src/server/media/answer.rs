//! What the driver tells of its media.

use super::ask::What;
use crate::{
    api::{Field, MediaProblem},
    id::Id,
    time::Timestamp,
};

#[cfg(doc)]
use crate::server::Drive;

/// What the driver tells.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MediaAnswer<'a> {
    /// How an upload is now.
    Upload(Upload<'a>),
    /// Uploads, newest first, and the id of the last one that was looked at where older ones may follow.
    #[cfg(feature = "lists")]
    Uploads {
        /// They: no more than were asked for.
        uploads: &'a [Upload<'a>],
        /// Where a next page begins after.
        next: Option<Id>,
    },
    /// The bytes may come.
    Begin,
    /// Those at the front of the input are stored.
    Stored {
        /// How many: what [`Drive::Store`] said.
        bytes: usize,
    },
    /// It is done: the upload is gone, or it is an output now.
    Done,
    /// The output is there.
    Output(Output<'a>),
    /// So many of its bytes are sent, or on their way in order.
    Sent {
        /// How many, and no more than [`Drive::Send`] said.
        bytes: u64,
    },
    /// Where a part of an upload is to be sent.
    Part(Part<'a>),
    /// It cannot be.
    Refused(MediaRefusal),
}

/// Why the driver did not do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MediaRefusal {
    /// There is no such upload, or no output.
    NotFound,
    /// The upload does not go on there.
    Offset,
    /// These are not as many bytes as the upload has.
    Length,
    /// The upload is larger than uploads may be.
    TooLarge,
    /// Another request is filling it.
    Busy,
    /// All its bytes are there.
    Done,
    /// The bytes are not those that were announced.
    Checksum,
    /// What shall be subtitles are none, or none that are there.
    Subtitles,
    /// The bytes are to be sent to where [`Put`] says, and not here.
    Elsewhere,
    /// There is no room.
    Full,
    /// The bytes could not be read or written.
    Broken,
}

impl MediaRefusal {
    /// The refusal as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "there is no such upload or output",
            Self::Offset => "the upload does not go on there",
            Self::Length => "these are not as many bytes as the upload has",
            Self::TooLarge => "the upload is larger than uploads may be",
            Self::Busy => "another request is filling the upload",
            Self::Done => "all bytes of the upload are there",
            Self::Checksum => "the bytes are not those that were announced",
            Self::Subtitles => "what shall be subtitles are none, or none that are there",
            Self::Elsewhere => "the bytes are to be sent elsewhere",
            Self::Full => "there is no room",
            Self::Broken => "the bytes could not be read or written",
        }
    }

    pub(super) fn problem(self, what: Option<What>) -> MediaProblem {
        match self {
            Self::NotFound if what == Some(What::Output) => MediaProblem::NoOutput,
            Self::NotFound if matches!(what, Some(What::Subtitles(_))) => MediaProblem::NoSubtitles,
            Self::NotFound if what == Some(What::Keep) => MediaProblem::Upload(Field::Upload),
            Self::Subtitles => MediaProblem::Subtitles,
            Self::NotFound if what == Some(What::Submit) => MediaProblem::UploadNotReady,
            Self::NotFound => MediaProblem::NoSuchUpload,
            Self::Elsewhere => MediaProblem::UploadElsewhere,
            Self::Offset => MediaProblem::Offset,
            Self::Length => MediaProblem::UploadLength,
            Self::TooLarge => MediaProblem::UploadTooLarge,
            Self::Busy => MediaProblem::UploadBusy,
            Self::Done => MediaProblem::UploadDone,
            Self::Checksum => MediaProblem::Checksum,
            Self::Full => MediaProblem::MediaFull,
            Self::Broken => MediaProblem::MediaBroken,
        }
    }
}

impl core::fmt::Display for MediaRefusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for MediaRefusal {}

/// How an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Upload<'a> {
    /// What it is called.
    pub id: Id,
    /// How many bytes it has.
    pub bytes: u64,
    /// How many of these are there.
    pub received: u64,
    /// What its file is called: 255 bytes at most.
    pub filename: Option<&'a str>,
    /// What it says it is: 127 bytes at most.
    pub content_type: Option<&'a str>,
    /// The SHA-256 of its bytes, in 64 hexadecimal digits.
    pub sha256: Option<&'a str>,
    /// Whether all of them are there and have this SHA-256; else it is what was announced.
    pub sha256_checked: bool,
    /// When it goes if no job names it.
    pub expires_at: Timestamp,
    /// How its bytes are to be sent.
    pub put: Put<'a>,
}

/// How the bytes of an upload are to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Put<'a> {
    /// To this server.
    Here,
    /// All of them to an object store.
    Elsewhere {
        /// The URL that takes them.
        url: &'a str,
        /// Their SHA-256 in Base64, which must come with them as `x-amz-checksum-sha256`.
        checksum: Option<&'a str>,
        /// Until when it takes them.
        expires_at: Timestamp,
    },
    /// To an object store, in parts. Where each goes is answered to [`MediaCall::Part`](super::MediaCall::Part).
    Parts {
        /// How many bytes each has but for the last one.
        bytes: u64,
        /// How many there are.
        count: u64,
    },
}

/// Where a part of an upload is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Part<'a> {
    /// How many bytes it has.
    pub bytes: u64,
    /// The URL that takes it.
    pub url: &'a str,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A translation's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Output<'a> {
    /// How many bytes it has.
    pub bytes: u64,
    /// What it is.
    pub content_type: &'a str,
    /// What its file is called, with the language in it: 255 bytes at most.
    pub filename: &'a str,
    /// Its tag, a strong one in its quotes: other bytes have another.
    pub tag: &'a str,
    /// The URL of an object store where clients get it; none where it comes from here.
    pub elsewhere: Option<&'a str>,
}
