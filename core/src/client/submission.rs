//! What is being asked for in words of the asker's own: a translation, or a page of the list. Kept until the server has
//! answered.

use super::Call;
use crate::{job::Status, json, model::NewTranslation, out::Out, random::Random};

/// Which translations to list, and from where on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListQuery<'a> {
    /// Only those with this status.
    pub status: Option<Status>,
    /// At most so many, 1 to 100. An answer that is longer than the driver's memory is no answer.
    pub limit: u8,
    /// Where the page before ended; from the newest on where `None`.
    pub cursor: Option<&'a str>,
}

/// Why a command was not taken. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CommandError {
    /// The one before is not answered yet: one at a time.
    Busy,
    /// Every slot holds a followed job.
    NoRoom,
    /// The request does not fit the memory lent for it.
    TooLong,
    /// A cursor has characters that no cursor has.
    Cursor,
    /// The client is closed, or about to.
    Closed,
}

impl CommandError {
    /// A sentence for people, without the full stop.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "another request of this kind is not answered yet",
            Self::NoRoom => "no more jobs can be followed",
            Self::TooLong => "the request is too long",
            Self::Cursor => "the cursor is none of the server's",
            Self::Closed => "the client is closed",
        }
    }
}

impl core::fmt::Display for CommandError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for CommandError {}

/// The longest cursor, in bytes: the server's are ids.
const CURSOR_BYTES_MAX: usize = 64;

/// At most one request with a text, and the key that makes a repeat of it harmless.
#[derive(Debug)]
pub(super) struct Submission<'a> {
    memory: &'a mut [u8],
    /// The bytes of the text.
    len: usize,
    call: Option<Call>,
    key: [u8; 16],
    /// It was sent before, or events came that may be its job's: what the answer tells may be old.
    pub(super) may_lag: bool,
}

impl<'a> Submission<'a> {
    pub(super) const fn new(memory: &'a mut [u8]) -> Self {
        Self {
            memory,
            len: 0,
            call: None,
            key: [0; 16],
            may_lag: false,
        }
    }

    /// The request that waits for its answer.
    pub(super) const fn call(&self) -> Option<Call> {
        self.call
    }

    /// Whether a translation waits to be a job, which then needs a slot.
    pub(super) const fn is_translation(&self) -> bool {
        matches!(self.call, Some(Call::Translate))
    }

    /// Takes on a translation.
    pub(super) fn translate(
        &mut self,
        new: &NewTranslation<&str>,
        random: &mut Random,
    ) -> Result<(), CommandError> {
        let len = json::to_slice(new, self.memory).map_err(|_| CommandError::TooLong)?;
        self.begin(Call::Translate, len);
        let [key @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _]: [u8; 32] = random.bytes();
        self.key = key;
        self.may_lag = false;
        Ok(())
    }

    /// Takes on a page of the list.
    pub(super) fn list(&mut self, query: &ListQuery<'_>) -> Result<(), CommandError> {
        let is_in_cursors = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let cursor = query.cursor.unwrap_or_default();
        if cursor.len() > CURSOR_BYTES_MAX || !cursor.bytes().all(is_in_cursors) {
            return Err(CommandError::Cursor);
        }
        let mut out = Out::new(self.memory);
        out.put(b"?limit=");
        out.put_u64(query.limit.into());
        if let Some(status) = query.status {
            out.put(b"&status=");
            out.put(status.as_str().as_bytes());
        }
        if !cursor.is_empty() {
            out.put(b"&cursor=");
            out.put(cursor.as_bytes());
        }
        let len = out.finish().map_err(|_| CommandError::TooLong)?;
        self.begin(Call::List, len);
        Ok(())
    }

    fn begin(&mut self, call: Call, len: usize) {
        self.len = len;
        self.call = Some(call);
    }

    pub(super) const fn end(&mut self) {
        self.call = None;
    }

    /// The body of a translation, or the query of a list.
    pub(super) fn text(&self) -> &[u8] {
        self.memory.get(..self.len).unwrap_or_default()
    }

    /// The most bytes that the text can have.
    pub(super) const fn text_bytes_max(&self) -> usize {
        self.memory.len()
    }

    /// The key as `Idempotency-Key` carries it: 32 hexadecimal digits.
    pub(super) fn key(&self) -> [u8; 32] {
        let digit = |half: u8| {
            let half = half & 0x0f;
            if half < 10 {
                b'0' + half
            } else {
                b'a' - 10 + half
            }
        };
        let mut text = [0; 32];
        let digits = self.key.iter().flat_map(|byte| [byte >> 4, *byte]);
        for (place, half) in text.iter_mut().zip(digits) {
            *place = digit(half);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_kept_whole_or_not_at_all() {
        let new = NewTranslation {
            reference: Some("say \"hi\""),
            ..NewTranslation::new("file:///a.mp4", "es")
        };
        let body =
            br#"{"video_url":"file:///a.mp4","target_language":"es","reference":"say \"hi\""}"#;
        let mut random = Random::new([1; 32]);
        let mut memory = [0; 100];
        for room in 0..body.len() {
            let mut submission = Submission::new(&mut memory[..room]);
            let refused = submission.translate(&new, &mut random);
            assert_eq!(refused, Err(CommandError::TooLong));
            assert_eq!(submission.call(), None);
        }
        let mut submission = Submission::new(&mut memory);
        assert_eq!(submission.translate(&new, &mut random), Ok(()));
        assert_eq!(submission.text(), body);
        let key = submission.key();
        assert!(key.iter().all(u8::is_ascii_hexdigit));
        submission.end();
        assert_eq!(submission.translate(&new, &mut random), Ok(()));
        assert_ne!(submission.key(), key, "another request, another key");
    }

    #[test]
    fn a_page_is_asked_for_by_its_query() {
        let mut memory = [0; 100];
        let mut submission = Submission::new(&mut memory);
        let mut query = ListQuery {
            status: None,
            limit: 7,
            cursor: None,
        };
        assert_eq!(submission.list(&query), Ok(()));
        assert_eq!(submission.text(), b"?limit=7");
        query.status = Some(Status::Error);
        query.cursor = Some("job_1");
        assert_eq!(submission.list(&query), Ok(()));
        assert_eq!(submission.text(), b"?limit=7&status=error&cursor=job_1");
        query.cursor = Some("a&b");
        assert_eq!(submission.list(&query), Err(CommandError::Cursor));
        assert_eq!(submission.text(), b"?limit=7&status=error&cursor=job_1");
    }
}
