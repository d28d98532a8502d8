//! Reading the answer to an attempt, for a driver that has nothing but a socket.

use super::AttemptResult;
use crate::{
    http::{self, BodyUse, Method, RecvBuf, ResponseParser, ResponseProgress},
    log::AttemptError,
    time::Now,
};

/// Reads the answer to one attempt as it comes. Its body is counted against its limit of 64 KiB and dropped, so a small
/// buffer will do: its head must fit.
///
/// ```
/// use dubhook_core::{dispatch::{Answer, AttemptResult}, http::RecvBuf, time::{Instant, Now, Timestamp}};
///
/// let now = Now { instant: Instant::ZERO, timestamp: Timestamp::EPOCH };
/// let mut memory = [0; 128];
/// let mut input = RecvBuf::new(&mut memory, 0);
/// let mut answer = Answer::new();
/// let mut pieces = ["HTTP/1.1 503 Busy\r\nretry-", "after: 30\r\ncontent-length: 0\r\n\r\n"].into_iter();
/// let result = loop {
///     if let Some(result) = answer.read(now, &mut input) {
///         break result;
///     }
///     let Some(piece) = pieces.next() else { break answer.end(now, &mut input) }; // a socket's read goes here
///     input.room()[..piece.len()].copy_from_slice(piece.as_bytes());
///     input.commit(piece.len());
/// };
/// assert_eq!(result, AttemptResult::Answer { status: 503, retry_after_ms: Some(30_000), body: b"" });
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Answer(ResponseParser);

impl Default for Answer {
    fn default() -> Self {
        Self::new()
    }
}

impl Answer {
    /// An answer of which nothing has come yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(ResponseParser::new(Method::Post, BodyUse::Discard))
    }

    /// Reads on in `input`. `None` where more must come: there is room for it then.
    pub fn read(&mut self, now: Now, input: &mut RecvBuf<'_>) -> Option<AttemptResult<'static>> {
        match self.0.advance(&http::Limits::SERVER, input) {
            Ok(ResponseProgress::NeedMore { .. }) => None,
            Ok(ResponseProgress::Complete) => Some(self.result(now, input)),
            Err(error) => Some(AttemptResult::Failed(error.into())),
        }
    }

    /// What there is of it when the connection has ended, or has failed.
    pub fn end(&mut self, now: Now, input: &mut RecvBuf<'_>) -> AttemptResult<'static> {
        match self.0.eof() {
            Ok(()) => self.result(now, input),
            Err(error) => AttemptResult::Failed(error.into()),
        }
    }

    fn result(&self, now: Now, input: &RecvBuf<'_>) -> AttemptResult<'static> {
        let Some(response) = self.0.response(input.filled()) else {
            return AttemptResult::Failed(AttemptError::Closed);
        };
        AttemptResult::Answer {
            status: response.status,
            retry_after_ms: AttemptResult::hint(&response, now),
            body: &[],
        }
    }
}
