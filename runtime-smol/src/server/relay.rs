//! An answer on its way from the owner of the records to a caller.
//!
//! Its head is read by the parser that clients use and written anew; what follows is passed on as it comes, in the framing that
//! it has, and is only followed so far that its end is noticed. Of a body that says how long it is, the bytes are counted: so
//! it may be of any length.

use super::{broken::Broken, caller::Caller};
use crate::exchange::Stream;
use dubhook_core::http::{
    BodyUse, Fields, Limits, Method, Phase, RecvBuf, ResponseParser, ResponseProgress,
};
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt};
use std::{cell::Cell, io};

/// What is on its way from the owner to a caller at most, in bytes.
const WINDOW: usize = 8 * 1024;
/// A body in chunks is only counted here.
const LIMITS: Limits = Limits {
    body_bytes_max: u32::MAX as usize - 2,
    ..Limits::SERVER
};
/// Room for an answer's head, a window, and what is left of a chunk's framing before it.
const ROOM: usize = LIMITS.head_bytes_max + 2 * WINDOW;

/// What is to come of an answer.
enum Rest {
    /// Its head, which is read as if there were nothing behind it.
    Head(ResponseParser),
    /// So many bytes.
    Length(u64),
    Chunks(ResponseParser),
    /// Whatever comes until the connection ends.
    UntilClose,
}

/// An answer on its way.
pub(super) struct Relay<'c> {
    rest: Rest,
    memory: Box<[u8]>,
    filled: std::ops::Range<usize>,
    keep_alive: bool,
    /// Whether this server is about to end, and callers' connections with it.
    closing: &'c Cell<bool>,
    method: Method,
    /// Whether the owner's connection may serve another call after it.
    reuse: bool,
    /// Whether the caller has been sent something.
    pub(super) has_begun: bool,
    /// Whether the end of the connection is the end of the answer.
    pub(super) until_close: bool,
    /// Whether an answer has begun that does not say how long it is.
    is_stream: bool,
}

impl<'c> Relay<'c> {
    /// An answer to a call with this method, by a caller whose connection goes on or does not.
    pub(super) fn new(method: Method, keep_alive: bool, closing: &'c Cell<bool>) -> Self {
        Self {
            rest: Rest::Head(ResponseParser::new(Method::Head, BodyUse::Discard)),
            memory: vec![0; ROOM].into(),
            filled: 0..0,
            keep_alive,
            closing,
            method,
            reuse: false,
            has_begun: false,
            until_close: false,
            is_stream: false,
        }
    }

    /// The caller's connection ends behind the answer.
    pub(super) const fn make_last(&mut self) {
        self.keep_alive = false;
    }

    /// Whether the caller's connection ends behind the answer.
    pub(super) fn is_last(&self) -> bool {
        !self.keep_alive || self.until_close || self.closing.get()
    }

    /// Passes on what comes until the answer has ended, `early` first; says `begun` when something of it has come, and
    /// whether it is a stream. Whether the owner's connection may serve another call.
    pub(super) async fn run(
        &mut self,
        caller: &mut Caller,
        owner: &mut dyn Stream,
        early: &[u8],
        mut begun: impl FnMut(bool),
    ) -> Result<bool, Broken> {
        enum Came {
            Answer(io::Result<usize>),
            Caller(io::Result<()>),
        }
        let mut bytes = vec![0; WINDOW];
        let mut len = early.len();
        bytes[..len].copy_from_slice(early);
        let mut told_end = false;
        loop {
            if len > 0 {
                let came = bytes.get(..len).unwrap_or_default();
                let (out, is_whole) = self.take(came)?;
                if !out.is_empty() {
                    begun(self.is_stream);
                    self.has_begun = true;
                    caller.say(&out).await.map_err(|_| Broken::Cut)?;
                }
                if is_whole {
                    return Ok(self.reuse);
                }
            }
            if caller.has_ended && !told_end {
                if self.is_stream {
                    // Whoever listens to a stream and ends its side is gone.
                    return Err(Broken::Cut);
                }
                // What that means is the owner's to say: it may still want its answer.
                told_end = true;
                let _ = owner.close().await;
            }
            let answer = async { Came::Answer(owner.read(&mut bytes).await) };
            let more = async { Came::Caller(caller.more().await) };
            len = match answer.or(more).await {
                Came::Caller(Ok(())) => 0,
                Came::Caller(Err(_)) => return Err(Broken::Cut),
                Came::Answer(Ok(0)) => return self.eof(),
                Came::Answer(Ok(len)) => len,
                Came::Answer(Err(_)) if self.is_unheard() => return Err(Broken::Unheard),
                Came::Answer(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return self.eof();
                }
                Came::Answer(Err(_)) => return Err(Broken::Cut),
            };
        }
    }

    /// Whether nothing has come.
    fn is_unheard(&self) -> bool {
        matches!(&self.rest, Rest::Head(parser) if parser.phase() == Phase::Idle)
    }

    /// The owner's connection has ended, and with it the answer or half of it.
    fn eof(&self) -> Result<bool, Broken> {
        match self.rest {
            Rest::UntilClose => Ok(false),
            _ if self.has_begun => Err(Broken::Cut),
            _ => Err(Broken::Unheard),
        }
    }

    /// What goes to the caller of what has come, and whether that is the end.
    fn take(&mut self, came: &[u8]) -> Result<(Vec<u8>, bool), Broken> {
        match &mut self.rest {
            Rest::UntilClose => Ok((came.to_vec(), false)),
            Rest::Length(left) => {
                // Nothing comes behind an answer before the next call.
                let rest = left.checked_sub(came.len() as u64);
                *left = rest.ok_or(Broken::Cut)?;
                let is_whole = *left == 0;
                Ok((came.to_vec(), is_whole))
            }
            Rest::Chunks(parser) => {
                let mut parser = *parser;
                let progress = self.advance(&mut parser, came)?;
                self.rest = Rest::Chunks(parser);
                Ok((came.to_vec(), progress == ResponseProgress::Complete))
            }
            Rest::Head(parser) => {
                let mut parser = *parser;
                let progress = self.advance(&mut parser, came)?;
                self.rest = Rest::Head(parser);
                match progress {
                    ResponseProgress::Complete => self.begin(&parser),
                    ResponseProgress::NeedMore { .. } => Ok((Vec::new(), false)),
                }
            }
        }
    }

    fn advance(
        &mut self,
        parser: &mut ResponseParser,
        came: &[u8],
    ) -> Result<ResponseProgress, Broken> {
        let mut input = RecvBuf::resume(&mut self.memory, self.filled.clone());
        // What lies there is never more than a head and a piece of framing.
        let room = input.room().get_mut(..came.len()).ok_or(Broken::Unheard)?;
        room.copy_from_slice(came);
        input.commit(came.len());
        let progress = parser.advance(&LIMITS, &mut input);
        self.filled = input.filled_range();
        progress.map_err(|_| Broken::Unheard)
    }

    /// The head is whole: it is written anew, and says what follows.
    fn begin(&mut self, parser: &ResponseParser) -> Result<(Vec<u8>, bool), Broken> {
        let filled = self.memory.get(self.filled.clone()).unwrap_or_default();
        let end = filled.windows(4).position(|end| end == b"\r\n\r\n");
        let (head, body) = filled.split_at(end.ok_or(Broken::Unheard)? + 4);
        let response = parser.response(head).ok_or(Broken::Unheard)?;
        let has_body = self.method != Method::Head && ![204, 304].contains(&response.status);
        let is_chunked = response.fields.get("transfer-encoding").is_some();
        let length = length(&response.fields);
        self.until_close = has_body && !is_chunked && length.is_none();
        self.is_stream = has_body && length.is_none();
        self.reuse = response.reuse && !self.until_close;
        let (mut out, came) = (self.answer_head(head), body.to_vec());
        let rest = match (has_body, length) {
            (false, _) => Rest::Length(0),
            (true, Some(length)) => Rest::Length(length),
            (true, None) if is_chunked => {
                Rest::Chunks(ResponseParser::new(self.method, BodyUse::Discard))
            }
            (true, None) => Rest::UntilClose,
        };
        let is_chunks = matches!(rest, Rest::Chunks(_));
        self.rest = rest;
        let (body, is_whole) = match is_chunks {
            // The parser reads the head too, which lies there with what came behind it.
            true => {
                let (_, is_whole) = self.take(&[])?;
                (came, is_whole)
            }
            false => self.take(&came)?,
        };
        out.extend_from_slice(&body);
        Ok((out, is_whole))
    }

    /// The head of an answer as the caller gets it.
    fn answer_head(&self, head: &[u8]) -> Vec<u8> {
        let mut lines = head
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::trim_ascii_end);
        let mut out = lines.next().unwrap_or_default().to_vec();
        out.extend_from_slice(b"\r\n");
        for line in lines.filter(|line| !line.is_empty()) {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            if is_hop(name) {
                continue;
            }
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
        let connection: &[u8] = match self.is_last() {
            false => b"connection: keep-alive\r\n\r\n",
            true => b"connection: close\r\n\r\n",
        };
        out.extend_from_slice(connection);
        out
    }
}

/// How long a body is that says so. The parser has checked that it is said once, and in digits.
fn length(fields: &Fields<'_>) -> Option<u64> {
    let length = std::str::from_utf8(fields.get("content-length")?).ok()?;
    length.parse().ok()
}

/// Whether a field is of one connection alone (RFC 9110, section 7.6.1). `Transfer-Encoding` is too: of requests it is made
/// anew, and answers are passed on in the framing that they have.
pub(super) fn is_hop(name: &[u8]) -> bool {
    let hop: [&[u8]; 6] = [
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"upgrade",
    ];
    hop.iter().any(|hop| name.eq_ignore_ascii_case(hop))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a caller gets of this answer, which comes in pieces of so many bytes; and how it ended.
    fn relayed(method: Method, answer: &str, piece: usize) -> (String, Option<bool>) {
        let closing = Cell::new(false);
        let mut relay = Relay::new(method, true, &closing);
        let mut told = Vec::new();
        for came in answer.as_bytes().chunks(piece) {
            let (out, is_whole) = relay.take(came).unwrap();
            told.extend(out);
            if is_whole {
                return (String::from_utf8(told).unwrap(), Some(relay.reuse));
            }
        }
        (String::from_utf8(told).unwrap(), None)
    }

    #[track_caller]
    fn check(method: Method, answer: &str, told: &str, ended: Option<bool>) {
        for piece in [1, 2, 7, 10_000] {
            let (found, how) = relayed(method, answer, piece);
            assert_eq!(
                (found.as_str(), how),
                (told, ended),
                "{piece} bytes at once"
            );
        }
    }

    #[test]
    fn an_answer_says_whether_its_connection_goes_on() {
        check(
            Method::Get,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nconnection: keep-alive\r\n\r\nab",
            Some(false),
        );
        check(
            Method::Get,
            "HTTP/1.1 200 OK\r\n\r\nwhatever comes",
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nwhatever comes",
            None,
        );
        check(
            Method::Put,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nconnection: keep-alive\r\n\r\n",
            Some(true),
        );
        check(
            Method::Head,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nconnection: keep-alive\r\n\r\n",
            Some(true),
        );
    }

    #[test]
    fn the_end_of_an_answer_in_chunks_is_noticed() {
        let body = "2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n\r\n";
        check(
            Method::Post,
            &format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"),
            &format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nconnection: keep-alive\r\n\r\n{body}"
            ),
            Some(true),
        );
    }

    #[test]
    fn an_answer_may_be_longer_than_any_memory() {
        let closing = Cell::new(false);
        let mut relay = Relay::new(Method::Get, true, &closing);
        let head = format!(
            "HTTP/1.1 206 Partial\r\nContent-Length: {}\r\n\r\n",
            u64::MAX
        );
        relay.take(head.as_bytes()).unwrap();
        relay.take(b"some of it").unwrap();
        assert!(matches!(relay.rest, Rest::Length(left) if left == u64::MAX - 10));
        relay.rest = Rest::Length(2);
        assert!(relay.take(b"abc").is_err());
    }
}
