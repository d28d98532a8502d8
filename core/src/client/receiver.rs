//! The client's own HTTP server: one connection on which webhooks come in.

use super::{Client, Outcome, Update};
use crate::{
    http::{
        CONTINUE, Phase, Progress, RecvBuf, Refusal, Request, RequestParser, ResponseHead, Version,
    },
    out::{Out, Overflow},
    time::{Instant, Now},
};

/// The most bytes that one answer has: what an output must have room for when it is empty.
pub const ANSWER_BYTES_MAX: usize = 160;

/// How long a connection may be silent between requests, in milliseconds: longer than a server keeps
/// an idle connection, so that the server is the one to close it.
const IDLE_MS: u64 = 90_000;
/// How long a request may take to arrive, in milliseconds.
const REQUEST_MS: u64 = 10_000;

/// A connection on which a server delivers webhooks.
///
/// The driver owns the socket and the memory. It receives into a buffer, calls [`Client::drive`], and does what that says; it
/// closes the connection when its [`deadline`](Self::deadline) has come.
#[derive(Debug)]
pub struct Receiver {
    parser: RequestParser,
    deadline: Instant,
    phase: Phase,
    /// The answer to the last request is written; what comes next is the end.
    closing: bool,
    /// There is no room for what a request tells.
    full: bool,
}

/// What a connection needs next.
#[allow(
    clippy::large_enum_variant,
    reason = "there is no heap to put the larger one in, and it is taken apart at once"
)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub enum Drive<'b> {
    /// More bytes. Send what is in the output first.
    Input {
        /// At least so many are missing.
        bytes_min: usize,
    },
    /// A request was taken and its answer is in the output. Hand on what it told, send the answer, and
    /// drive on.
    Answered {
        /// What was made of it.
        answer: Answer,
        /// What it told, if it was news.
        update: Option<Update<'b>>,
    },
    /// Room for the next answer. Send what is in the output and drive on.
    Flush,
    /// Its end. Send what is in the output and close the connection.
    Close,
}

/// What was answered, for whoever keeps a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Answer {
    /// To a request for the client.
    Webhook(Outcome),
    /// To what is no request.
    Refused(Refusal),
}

impl Answer {
    /// The status that was answered.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Webhook(outcome) => outcome.status(),
            Self::Refused(refusal) => refusal.status(),
        }
    }
}

impl Client<'_> {
    /// Takes on a connection of the client's own server.
    #[must_use]
    pub const fn accept(&self, now: Now) -> Receiver {
        Receiver {
            parser: RequestParser::new(),
            deadline: now.instant.after_ms(REQUEST_MS),
            phase: Phase::Idle,
            closing: false,
            full: false,
        }
    }

    /// Takes at most one request out of `input`, and writes its answer to `out`.
    ///
    /// `out` must have room for [`ANSWER_BYTES_MAX`] bytes when it is empty. What was told borrows from
    /// `input`; its request is taken out by the next call.
    ///
    /// # Errors
    ///
    /// [`Overflow`] where the output is shorter than [`ANSWER_BYTES_MAX`], and nothing has changed.
    pub fn drive<'b>(
        &mut self,
        now: Now,
        conn: &mut Receiver,
        input: &'b mut RecvBuf<'_>,
        out: &mut Out<'_>,
    ) -> Result<Drive<'b>, Overflow> {
        if out.room() < ANSWER_BYTES_MAX && out.is_empty() {
            return Err(Overflow);
        }
        conn.parser.finish(input);
        if conn.closing {
            return Ok(Drive::Close);
        }
        if out.room() < ANSWER_BYTES_MAX {
            return Ok(Drive::Flush);
        }
        loop {
            match conn.parser.advance(&self.config.http, input) {
                Ok(Progress::NeedMore { bytes_min }) => {
                    conn.watch_phase(now.instant);
                    return Ok(Drive::Input { bytes_min });
                }
                Ok(Progress::ExpectContinue) => out.put(CONTINUE),
                Ok(Progress::Complete) => break,
                Err(refusal) => {
                    let answer = Answer::Refused(refusal);
                    conn.write_answer(answer, false, Version::V11, out);
                    return Ok(Drive::Answered {
                        answer,
                        update: None,
                    });
                }
            }
        }
        conn.watch_phase(now.instant);
        let Some(request) = conn.parser.request(input.filled()) else {
            return Ok(Drive::Close);
        };
        let verdict = if conn.full {
            Outcome::Full.into()
        } else {
            self.handle_webhook(now, &request)
        };
        let answer = Answer::Webhook(verdict.outcome);
        conn.write_answer(answer, request.keep_alive, request.version, out);
        Ok(Drive::Answered {
            answer,
            update: verdict.update,
        })
    }
}

impl Receiver {
    /// When the connection is to be closed unless something comes.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether there is no room for what the next request tells: it is not looked at then and answered 503, so that the
    /// server comes again.
    pub const fn turn_away(&mut self, full: bool) {
        self.full = full;
    }

    /// The request that was answered last, as it lies in `filled`, the input's bytes: for whoever hands it on to somebody
    /// who verifies for himself. It is there until the next call of [`Client::drive`].
    #[must_use]
    pub fn request<'b>(&self, filled: &'b [u8]) -> Option<Request<'b>> {
        self.parser.request(filled)
    }

    /// Each phase has a time limit of its own; a peer that trickles does not move it.
    fn watch_phase(&mut self, now: Instant) {
        let phase = self.parser.phase();
        let in_request = |phase| matches!(phase, Phase::Head | Phase::Body);
        self.deadline = match phase {
            Phase::Head | Phase::Body if in_request(self.phase) => self.deadline,
            Phase::Head | Phase::Body => now.after_ms(REQUEST_MS),
            _ => now.after_ms(IDLE_MS),
        };
        self.phase = phase;
    }

    fn write_answer(
        &mut self,
        answer: Answer,
        keep_alive: bool,
        version: Version,
        out: &mut Out<'_>,
    ) {
        self.closing = !keep_alive;
        let mut head = ResponseHead::new(out, answer.status());
        if answer == Answer::Webhook(Outcome::NotPost) {
            head = head.field("allow", b"POST");
        }
        // There is room, and nothing in it is anybody's input; were it not so, silence and a closed
        // connection would still be an honest end.
        let written = head.connection(keep_alive, version).finish_with_length(0);
        self.closing |= written.is_err();
    }
}
