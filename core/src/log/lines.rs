//! Lines of attempts, and the rings that they lie in.

use super::AttemptError;
use crate::{
    id::Id,
    setup::{self, Lent, SetupError},
    slab::Ix,
    time::Timestamp,
};
use zerocopy::FromZeros;

/// One attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
pub(crate) struct Line {
    /// When it ended.
    pub at: Timestamp,
    /// The event's id.
    pub event: Id,
    /// The event's kind, as a number.
    pub kind: u8,
    /// Which attempt of its delivery it was, from 1.
    pub number: u8,
    /// Why it failed.
    pub error: AttemptError,
    /// The answer's status; 0 where there was none.
    pub status: u16,
    /// How long it took, in milliseconds.
    pub duration_ms: u32,
    /// How many bytes of the answer are kept.
    pub answer_bytes: u16,
}

impl Line {
    /// An empty line: all zero.
    pub(crate) const EMPTY: Self = Self {
        at: Timestamp::EPOCH,
        event: Id::NONE,
        kind: 0,
        number: 0,
        error: AttemptError::None,
        status: 0,
        duration_ms: 0,
        answer_bytes: 0,
    };
}

/// The rings of all endpoints.
#[derive(Debug)]
pub(crate) struct Log<'a> {
    lines: &'a mut [Line],
    answers: &'a mut [u8],
    /// Lines of one endpoint.
    depth: usize,
    /// Bytes of answer for one line.
    answer_bytes: usize,
}

impl<'a> Log<'a> {
    /// Divides the memory among `endpoints`.
    ///
    /// # Errors
    ///
    /// [`SetupError`] where lines, or bytes of answers, would be left over.
    #[cfg(test)]
    pub(crate) fn new(
        lines: &'a mut [Line],
        answers: &'a mut [u8],
        endpoints: usize,
    ) -> Result<Self, SetupError> {
        Self::check(lines, answers, endpoints)?;
        Ok(Self::of(lines, answers, endpoints))
    }

    /// Whether the memory can be divided so.
    pub(crate) fn check(
        lines: &[Line],
        answers: &[u8],
        endpoints: usize,
    ) -> Result<(), SetupError> {
        setup::divides(Lent::Log, lines.len(), endpoints)?;
        setup::divides(Lent::LogAnswers, answers.len(), lines.len())
    }

    /// A log in memory that can be divided so.
    pub(crate) fn of(lines: &'a mut [Line], answers: &'a mut [u8], endpoints: usize) -> Self {
        Self {
            depth: lines.len().checked_div(endpoints).unwrap_or(0),
            answer_bytes: answers.len().checked_div(lines.len()).unwrap_or(0),
            lines,
            answers,
        }
    }

    /// Writes a line for an endpoint, which has had `count` of them before, over its oldest one. `answer` is how the
    /// receiver's body began.
    pub(crate) fn add(&mut self, endpoint: Ix, count: u64, mut line: Line, answer: &[u8]) {
        let Some(place) = self.place(endpoint, count) else {
            return;
        };
        let kept = answer.get(..self.answer_bytes).unwrap_or(answer);
        let at = place.saturating_mul(self.answer_bytes);
        let room = self.answers.get_mut(at..).unwrap_or_default();
        if let Some(room) = room.get_mut(..kept.len()) {
            room.copy_from_slice(kept);
            line.answer_bytes = kept.len() as u16;
        }
        if let Some(room) = self.lines.get_mut(place) {
            *room = line;
        }
    }

    /// Forgets the lines of an endpoint that is gone.
    pub(crate) fn clear(&mut self, endpoint: Ix) {
        let start = (endpoint.get() as usize - 1).saturating_mul(self.depth);
        if let Some(ring) = self.lines.get_mut(start..start.saturating_add(self.depth)) {
            ring.fill(Line::EMPTY);
        }
    }

    /// Line number `rank` of an endpoint that has had `count` of them, with the answer's start: 0 is the newest.
    #[must_use]
    pub(crate) fn newest(&self, endpoint: Ix, count: u64, rank: usize) -> Option<(&Line, &[u8])> {
        if rank >= self.depth {
            return None;
        }
        let number = count.checked_sub(1)?.checked_sub(rank as u64)?;
        let place = self.place(endpoint, number)?;
        let line = self.lines.get(place)?;
        let start = place.saturating_mul(self.answer_bytes);
        let answer = self.answers.get(start..).unwrap_or_default();
        let answer = answer.get(..line.answer_bytes.into()).unwrap_or_default();
        Some((line, answer))
    }

    /// Where an endpoint's line number `number`, counted from 0, is or was.
    fn place(&self, endpoint: Ix, number: u64) -> Option<usize> {
        let start = (endpoint.get() as usize - 1).saturating_mul(self.depth);
        let offset = number.checked_rem(self.depth as u64)?;
        Some(start.saturating_add(offset as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_divided_is_refused() {
        let (mut lines, mut answers) = ([Line::EMPTY; 4], [0; 12]);
        let mut refused = |lines_len, answers_len, endpoints| {
            let lines = &mut lines[..lines_len];
            let log = Log::new(lines, &mut answers[..answers_len], endpoints);
            log.err().map(|error| (error.what, error.needed))
        };
        assert_eq!(refused(4, 12, 2), None);
        assert_eq!(refused(0, 0, 2), None);
        assert_eq!(refused(4, 12, 0), None);
        assert_eq!(refused(3, 12, 2), Some((Lent::Log, 4)));
        assert_eq!(refused(4, 11, 2), Some((Lent::LogAnswers, 12)));
    }

    #[test]
    fn each_endpoint_keeps_its_newest_lines() {
        let mut lines = [Line::EMPTY; 4];
        let mut answers = [0; 12];
        let mut log = Log::new(&mut lines, &mut answers, 2).unwrap();
        let (one, two) = (Ix::new(1).unwrap(), Ix::new(2).unwrap());
        for count in 0..5 {
            let line = Line {
                status: 201 + count as u16,
                ..Line::EMPTY
            };
            log.add(one, count, line, b"answer");
        }
        let status = |log: &Log<'_>, endpoint, count, rank| {
            log.newest(endpoint, count, rank).map(|(line, answer)| {
                assert_eq!(answer, b"ans");
                line.status
            })
        };
        assert_eq!(status(&log, one, 5, 0), Some(205));
        assert_eq!(status(&log, one, 5, 1), Some(204));
        assert_eq!(status(&log, one, 5, 2), None);
        assert_eq!(status(&log, one, 1, 1), None);
        assert_eq!(status(&log, two, 0, 0), None);
    }
}
