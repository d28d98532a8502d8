//! A translation: how it is, and what is asked for to have one.

use super::{
    Sensitive,
    cell::{
        Cell, Holds,
        Member::{May, Must},
        Range, Said, Word,
    },
    job_id,
    record::{self, Cells, Record, Recorded},
};
use crate::{
    id::{Id, Prefix},
    job::Status,
    json::{self, Str},
    time::Timestamp,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A translation, as answers tell of it and as the `data` of its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Translation<T> {
    /// Its name: `job_…`.
    #[serde(serialize_with = "job_id::serialize")]
    pub id: Id,
    /// The number of its latest event, from 1: what is older has a smaller one.
    pub sequence: u32,
    /// Where it is in its life.
    pub status: Status,
    /// How much is done, 0 to 100.
    pub progress: u8,
    /// The video.
    pub video_url: T,
    /// The language it is in, if the asker said so.
    pub source_language: Option<T>,
    /// The language it shall be in.
    pub target_language: T,
    /// Where the result is, once completed.
    pub output_url: Option<T>,
    /// What went wrong, once failed.
    pub error: Option<T>,
    /// What the asker calls it.
    pub reference: Option<T>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its latest event was.
    pub updated_at: Timestamp,
    /// What deliveries to its own `callback_url` are signed with: in the answer to its submission, and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_secret: Option<Sensitive<T>>,
}

impl<T> Translation<T> {
    /// Whether it is done, and has an output.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.status == Status::Completed
    }

    /// Whether nothing can happen to it any more.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.status.is_terminal()
    }

    /// Its name as text: `job_…`.
    #[must_use]
    pub fn name(&self) -> heapless::String<30> {
        self.id.text(Prefix::Job)
    }

    /// The same with other texts: owned ones, say, where it is to be kept.
    pub fn map<U>(self, mut text: impl FnMut(T) -> U) -> Translation<U> {
        Translation {
            id: self.id,
            sequence: self.sequence,
            status: self.status,
            progress: self.progress,
            video_url: text(self.video_url),
            source_language: self.source_language.map(&mut text),
            target_language: text(self.target_language),
            output_url: self.output_url.map(&mut text),
            error: self.error.map(&mut text),
            reference: self.reference.map(&mut text),
            created_at: self.created_at,
            updated_at: self.updated_at,
            callback_secret: self
                .callback_secret
                .map(|secret| Sensitive::new(text(secret.into_inner()))),
        }
    }
}

impl<'de, T> Recorded<'de, T> for Translation<T> {
    const RECORD: &'static Record = &Record {
        names: &[
            "id",
            "sequence",
            "status",
            "progress",
            "video_url",
            "source_language",
            "target_language",
            "output_url",
            "error",
            "reference",
            "created_at",
            "updated_at",
            "callback_secret",
        ],
        members: &[
            Must(Holds::Word(Word::Id(Prefix::Job))),
            Must(Holds::Number(Range::FromOne)),
            Must(Holds::Word(Word::Status)),
            Must(Holds::Number(Range::Share)),
            Must(Holds::Text),
            May(Holds::Text),
            Must(Holds::Text),
            May(Holds::Text),
            May(Holds::Text),
            May(Holds::Text),
            Must(Holds::Word(Word::Time)),
            Must(Holds::Word(Word::Time)),
            May(Holds::Text),
        ],
    };

    fn from_cells(cells: Cells<'de, T>) -> Option<Self> {
        let [
            Cell::Said(Said::Id(id)),
            Cell::Number(sequence),
            Cell::Said(Said::Status(status)),
            Cell::Number(progress),
            Cell::Text(video_url),
            source_language,
            Cell::Text(target_language),
            output_url,
            error,
            reference,
            Cell::Said(Said::Time(created_at)),
            Cell::Said(Said::Time(updated_at)),
            callback_secret,
        ] = cells
        else {
            return None;
        };
        Some(Self {
            id,
            sequence: sequence as u32,
            status,
            progress: progress as u8,
            video_url,
            source_language: source_language.text(),
            target_language,
            output_url: output_url.text(),
            error: error.text(),
            reference: reference.text(),
            created_at,
            updated_at,
            callback_secret: callback_secret.text().map(Sensitive::new),
        })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Translation<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        record::deserialize(deserializer)
    }
}

/// A translation to be asked for: the body of `POST /v1/translations`. The server checks it; its refusal says what is wrong.
///
/// ```
/// use dubhook_core::{json, model::NewTranslation};
///
/// let new = NewTranslation { reference: Some("order-17"), ..NewTranslation::new("https://v.test/1.mp4", "es") };
/// let mut memory = [0; 128];
/// let len = json::to_slice(&new, &mut memory).unwrap();
/// assert_eq!(
///     &memory[..len],
///     br#"{"video_url":"https://v.test/1.mp4","target_language":"es","reference":"order-17"}"#
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NewTranslation<T> {
    /// The video: an absolute URL.
    pub video_url: T,
    /// The language it shall be in: a tag of BCP 47.
    pub target_language: T,
    /// The language it is in, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_language: Option<T>,
    /// What the asker calls it; events carry it along.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<T>,
    /// A receiver of this job's events alone, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<T>,
}

impl<T> NewTranslation<T> {
    /// Of the video at this URL, into this language.
    #[must_use]
    pub const fn new(video_url: T, target_language: T) -> Self {
        Self {
            video_url,
            target_language,
            source_language: None,
            reference: None,
            callback_url: None,
        }
    }
}

/// A status as `GET /status` tells it: three words for five states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NewestStatus {
    /// The newest job waits or is being worked on.
    Pending,
    /// It is done.
    Completed,
    /// It failed or was called off.
    Error,
}

impl NewestStatus {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Completed, Self::Error];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Error => "error",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|status| status.as_str() == name).copied()
    }
}

impl From<Status> for NewestStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending | Status::Processing => Self::Pending,
            Status::Completed => Self::Completed,
            Status::Error | Status::Canceled => Self::Error,
        }
    }
}

impl Serialize for NewestStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for NewestStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::word(deserializer, "the newest job's status", Self::parse)
    }
}

/// The answer to `GET /status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Newest {
    /// How the newest job is.
    pub status: NewestStatus,
}

impl<'de> Recorded<'de, Str<'de>> for Newest {
    const RECORD: &'static Record = &Record {
        names: &["status"],
        members: &[Must(Holds::Word(Word::NewestStatus))],
    };

    fn from_cells(cells: Cells<'de, Str<'de>>) -> Option<Self> {
        match cells {
            [Cell::Said(Said::NewestStatus(status)), ..] => Some(Self { status }),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Newest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        record::deserialize(deserializer)
    }
}
