//! The translation that is being asked for: kept until the server has answered.

use crate::{json, model::NewTranslation, random::Random};

/// Why a translation was not taken on. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SubmitError {
    /// The one before is not answered yet: one at a time.
    Busy,
    /// Every slot holds a followed job.
    Full,
    /// The request does not fit the memory lent for it.
    TooLong,
    /// The client is closed, or about to.
    Closed,
}

impl SubmitError {
    /// A sentence for people, without the full stop.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "another translation is being submitted",
            Self::Full => "no more jobs can be followed",
            Self::TooLong => "the request is too long",
            Self::Closed => "the client is closed",
        }
    }
}

/// At most one request for a translation, with the key that makes a repeat of it harmless.
#[derive(Debug)]
pub(super) struct Submission<'a> {
    memory: &'a mut [u8],
    /// The bytes of the body; 0 for no request.
    len: usize,
    key: [u8; 16],
    /// It was sent before, or events came that may be its job's: what the answer tells may be old.
    pub(super) may_lag: bool,
}

impl<'a> Submission<'a> {
    pub(super) const fn new(memory: &'a mut [u8]) -> Self {
        Self {
            memory,
            len: 0,
            key: [0; 16],
            may_lag: false,
        }
    }

    pub(super) const fn is_waiting(&self) -> bool {
        self.len > 0
    }

    /// Takes on a request. `false` where the memory is too short for it.
    pub(super) fn begin(&mut self, new: &NewTranslation<&str>, random: &mut Random) -> bool {
        let Ok(len) = json::to_slice(new, self.memory) else {
            return false;
        };
        let [key @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _]: [u8; 32] = random.bytes();
        self.len = len;
        self.key = key;
        self.may_lag = false;
        true
    }

    pub(super) const fn end(&mut self) {
        self.len = 0;
    }

    pub(super) fn body(&self) -> &[u8] {
        self.memory.get(..self.len).unwrap_or_default()
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
            assert!(!submission.begin(&new, &mut random));
            assert!(!submission.is_waiting());
        }
        let mut submission = Submission::new(&mut memory);
        assert!(submission.begin(&new, &mut random));
        assert_eq!(submission.body(), body);
        let key = submission.key();
        assert!(key.iter().all(u8::is_ascii_hexdigit));
        submission.end();
        assert!(submission.begin(&new, &mut random));
        assert_ne!(submission.key(), key, "another request, another key");
    }
}
