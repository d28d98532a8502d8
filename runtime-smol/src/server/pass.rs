//! Passing a call on to the owner of the records, and its answer back.
//!
//! A request is passed on when it is whole; the longest is 64 KiB. Its answer is passed on as it comes, byte for byte, and no
//! faster than the caller takes it, so a stream of events costs no more than what is on its way. Whoever ends first ends the
//! other side. A call goes one step: what was passed on already is not passed on again.

use super::{caller::Caller, unheld, way::Way};
use crate::exchange::Stream;
use dubhook_core::{
    http::{
        BodyUse, Fields, Limits, Method, Phase, RecvBuf, Request, ResponseParser, ResponseProgress,
        Version,
    },
    url::Url,
};
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt};
use std::{cell::Cell, fmt::Write, io};

/// What says that a call was passed on.
const PASSED: &str = "dubhook-passed";
/// What is on its way from the owner to a caller at most, in bytes.
const WINDOW: usize = 8 * 1024;
/// A body is only counted here.
const LIMITS: Limits = Limits {
    body_bytes_max: u32::MAX as usize - 2,
    ..Limits::SERVER
};

/// Room for an answer's head, a window, and what is left of a chunk's framing before it.
const ROOM: usize = LIMITS.head_bytes_max + 2 * WINDOW;

/// A request as it goes to the owner.
#[derive(Debug)]
pub(super) struct Call {
    bytes: Vec<u8>,
    method: Method,
    /// Whether it may be made again though nobody knows what became of it.
    repeatable: bool,
    /// Whether the caller's connection may serve another one.
    keep_alive: bool,
}

/// Why a call is not passed on to its end.
#[derive(Debug)]
enum Broken {
    /// Nothing of an answer came. The owner may have seen the call.
    Unheard,
    /// There is no connection to the owner, so it has not seen the call.
    Unreached,
    /// Another server has the records now.
    Ended,
    /// The answer broke, or the caller did.
    Cut,
}

impl Call {
    /// What goes to the server at `url` for this request; nothing where it was passed on before, or cannot be.
    pub(super) fn new(request: &Request<'_>, url: &Url<'_>) -> Option<Self> {
        if request.fields.get(PASSED).is_some() || request.method == Method::Other {
            return None;
        }
        Some(Self {
            bytes: render(request, url),
            method: request.method,
            repeatable: request.method != Method::Post
                || request.fields.get("idempotency-key").is_some(),
            keep_alive: request.keep_alive,
        })
    }

    /// Passes it on, and its answer back. Whether the caller may make another call on its connection.
    pub(super) async fn pass(
        &self,
        caller: &mut Caller,
        way: &Way,
        unanswered: &Cell<usize>,
    ) -> io::Result<bool> {
        let mut waits = Waits::new(unanswered);
        let kept = way.kept().await;
        let was_kept = kept.is_some();
        let mut done = self.pass_over(kept, caller, way, &mut waits).await;
        // Most likely it was closed while nobody used it.
        if was_kept && self.repeatable && matches!(done, Err(Broken::Unheard)) {
            done = self.pass_over(None, caller, way, &mut waits).await;
        }
        let answer = match done {
            Ok(keep_alive) => return Ok(keep_alive),
            Err(Broken::Cut) => return Err(io::ErrorKind::ConnectionAborted.into()),
            Err(Broken::Unheard) => unheld::unheard(self.method),
            Err(Broken::Ended) if waits.sent => unheld::unheard(self.method),
            Err(Broken::Unreached | Broken::Ended) => unheld::stands_by(self.method),
        };
        caller.say(answer).await?;
        Ok(false)
    }

    async fn pass_over(
        &self,
        stream: Option<Box<dyn Stream>>,
        caller: &mut Caller,
        way: &Way,
        waits: &mut Waits<'_>,
    ) -> Result<bool, Broken> {
        let opened = async {
            match stream {
                Some(stream) => Ok(stream),
                None => way.open().await.map_err(|_| Broken::Unreached),
            }
        };
        let mut owner = opened.or(ended(way)).await?;
        waits.sent = true;
        let sent = async {
            let sent = owner.write_all(&self.bytes).await;
            sent.and(owner.flush().await).map_err(|_| Broken::Unheard)
        };
        sent.or(ended(way)).await?;
        let mut relay = Relay::new(self);
        let relayed = relay.run(caller, &mut *owner, waits).or(ended(way)).await;
        match relayed {
            Ok(reuse) => {
                if reuse && !caller.has_ended {
                    way.keep(owner);
                }
                Ok(self.keep_alive && !relay.until_close)
            }
            // Half an answer has no other end.
            Err(_) if relay.has_begun => Err(Broken::Cut),
            Err(broken) => Err(broken),
        }
    }
}

async fn ended<T>(way: &Way) -> Result<T, Broken> {
    way.ended().await;
    Err(Broken::Ended)
}

/// One who waits for an answer of which nothing has come.
struct Waits<'c> {
    count: &'c Cell<usize>,
    counts: bool,
    /// Whether the owner may have seen the call.
    sent: bool,
}

impl<'c> Waits<'c> {
    fn new(count: &'c Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self {
            count,
            counts: true,
            sent: false,
        }
    }

    fn end(&mut self) {
        if self.counts {
            self.counts = false;
            self.count.set(self.count.get().saturating_sub(1));
        }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

/// An answer on its way.
struct Relay {
    parser: ResponseParser,
    memory: Box<[u8]>,
    /// The head as it came, until it is whole.
    head: Vec<u8>,
    keep_alive: bool,
    method: Method,
    /// Whether the caller has been sent something.
    has_begun: bool,
    /// Whether the end of the connection is the end of the answer.
    until_close: bool,
    /// Whether an answer has begun that does not say how long it is.
    is_stream: bool,
}

impl Relay {
    fn new(call: &Call) -> Self {
        Self {
            parser: ResponseParser::new(call.method, BodyUse::Discard),
            memory: vec![0; ROOM].into(),
            head: Vec::new(),
            keep_alive: call.keep_alive,
            method: call.method,
            has_begun: false,
            until_close: false,
            is_stream: false,
        }
    }

    /// Passes on what comes until the answer has ended. Whether the owner's connection may serve another call.
    async fn run(
        &mut self,
        caller: &mut Caller,
        owner: &mut dyn Stream,
        waits: &mut Waits<'_>,
    ) -> Result<bool, Broken> {
        enum Came {
            Answer(io::Result<usize>),
            Caller(io::Result<()>),
        }
        let mut bytes = vec![0; WINDOW];
        let mut filled = 0..0;
        let mut told_end = false;
        loop {
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
            let len = match answer.or(more).await {
                Came::Caller(Ok(())) => continue,
                Came::Caller(Err(_)) => return Err(Broken::Cut),
                Came::Answer(Ok(0)) => return self.eof(),
                Came::Answer(Ok(len)) => len,
                Came::Answer(Err(_)) if self.parser.phase() == Phase::Idle => {
                    return Err(Broken::Unheard);
                }
                Came::Answer(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return self.eof();
                }
                Came::Answer(Err(_)) => return Err(Broken::Cut),
            };
            let came = bytes.get(..len).unwrap_or_default();
            let mut input = RecvBuf::resume(&mut self.memory, filled);
            // What lies there is never more than a head and a piece of framing.
            let room = input.room().get_mut(..len).ok_or(Broken::Unheard)?;
            room.copy_from_slice(came);
            input.commit(len);
            let advanced = self.parser.advance(&LIMITS, &mut input);
            let progress = advanced.map_err(|_| Broken::Unheard)?;
            filled = input.filled_range();
            self.hand_on(came, caller, waits).await?;
            if progress == ResponseProgress::Complete {
                let lies = self.memory.get(filled).unwrap_or_default();
                let response = self.parser.response(lies);
                return Ok(response.is_some_and(|response| response.reuse));
            }
        }
    }

    /// The owner's connection has ended, and with it the answer or half of it.
    fn eof(&mut self) -> Result<bool, Broken> {
        match self.parser.eof() {
            Ok(()) => Ok(false),
            Err(_) if self.has_begun => Err(Broken::Cut),
            Err(_) => Err(Broken::Unheard),
        }
    }

    /// Passes these bytes on: the head in a form of our own, what follows as it is.
    async fn hand_on(
        &mut self,
        came: &[u8],
        caller: &mut Caller,
        waits: &mut Waits<'_>,
    ) -> Result<(), Broken> {
        let cut = |_| Broken::Cut;
        if self.has_begun {
            return caller.say(came).await.map_err(cut);
        }
        self.head.extend_from_slice(came);
        if !matches!(self.parser.phase(), Phase::Body | Phase::Complete) {
            return Ok(());
        }
        let whole = std::mem::take(&mut self.head);
        let mut rest = whole.as_slice();
        let head = loop {
            let end = rest.windows(4).position(|end| end == b"\r\n\r\n");
            let (head, body) = rest.split_at(end.ok_or(Broken::Unheard)? + 4);
            rest = body;
            // Interim answers are for this server.
            if head.get(9) != Some(&b'1') {
                break head;
            }
        };
        let mut out = self.answer_head(head);
        out.extend_from_slice(rest);
        waits.end();
        self.has_begun = true;
        caller.say(&out).await.map_err(cut)
    }

    /// The head of an answer as the caller gets it.
    fn answer_head(&mut self, head: &[u8]) -> Vec<u8> {
        let mut lines = head
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::trim_ascii_end);
        let status = lines.next().unwrap_or_default();
        let (mut out, mut is_framed) = (status.to_vec(), false);
        out.extend_from_slice(b"\r\n");
        let without_body = [&b"204"[..], b"304"]
            .iter()
            .any(|code| status.get(9..12) == Some(code));
        for line in lines.filter(|line| !line.is_empty()) {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            if is_hop(name) {
                continue;
            }
            let is_chunked = name.eq_ignore_ascii_case(b"transfer-encoding");
            is_framed |= is_chunked || name.eq_ignore_ascii_case(b"content-length");
            self.is_stream |= is_chunked;
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
        self.until_close = !is_framed && !without_body && self.method != Method::Head;
        self.is_stream |= self.until_close;
        let connection: &[u8] = match self.keep_alive && !self.until_close {
            true => b"connection: keep-alive\r\n\r\n",
            false => b"connection: close\r\n\r\n",
        };
        out.extend_from_slice(connection);
        out
    }
}

/// Whether a field is of one connection alone (RFC 9110, section 7.6.1). `Transfer-Encoding` is too: of requests it is made
/// anew, and answers are passed on in the framing that they have.
fn is_hop(name: &[u8]) -> bool {
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

/// Whether a request's `Connection` says that this field is for us alone.
fn is_named(fields: &Fields<'_>, name: &[u8]) -> bool {
    let mut named = fields
        .all("connection")
        .flat_map(|value| value.split(|byte| *byte == b','));
    named.any(|option| option.trim_ascii().eq_ignore_ascii_case(name))
}

/// A request as the server at `url` gets it.
fn render(request: &Request<'_>, url: &Url<'_>) -> Vec<u8> {
    let made: [&[u8]; 4] = [b"host", b"content-length", b"transfer-encoding", b"expect"];
    let mut head = format!("{} {}", request.method.as_str(), request.path);
    if let Some(query) = request.query {
        let _ = write!(head, "?{query}");
    }
    // A caller that knows no chunks is to be sent none.
    let version = match request.version {
        Version::V10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    };
    let mut host = [0; 300];
    let mut host = dubhook_core::out::Out::new(&mut host);
    url.write_host(&mut host);
    let host = String::from_utf8_lossy(host.written());
    let _ = write!(head, " {version}\r\nhost: {host}\r\n{PASSED}: 1\r\n");
    let mut bytes = head.into_bytes();
    for (name, value) in request.fields.iter() {
        let is_made = made.iter().any(|made| name.eq_ignore_ascii_case(made));
        if is_made || is_hop(name) || is_named(&request.fields, name) {
            continue;
        }
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    }
    let has_length = ["content-length", "transfer-encoding"]
        .iter()
        .any(|name| request.fields.get(name).is_some());
    if has_length {
        let length = format!("content-length: {}\r\n", request.body.len());
        bytes.extend_from_slice(length.as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(request.body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use dubhook_core::http::{Progress, RequestParser};

    /// What is passed on of a request that came in like this.
    fn passed(text: &str) -> Option<String> {
        let mut memory = vec![0; 100_000];
        memory[..text.len()].copy_from_slice(text.as_bytes());
        let mut input = RecvBuf::new(&mut memory, text.len());
        let mut parser = RequestParser::new();
        let progress = parser.advance(&Limits::SERVER, &mut input);
        assert_eq!(progress, Ok(Progress::Complete));
        let request = parser.request(input.filled()).unwrap();
        let url = Url::parse("http://owner.test:8000", 100).unwrap();
        let call = Call::new(&request, &url)?;
        Some(String::from_utf8(call.bytes).unwrap())
    }

    #[test]
    fn a_request_goes_to_the_owner_without_what_was_for_one_connection() {
        let text = "POST http://elsewhere.test/v1/translations?a=b HTTP/1.1\r\nHost: elsewhere.test\r\n\
            Authorization: Bearer k\r\nConnection: close, x-own\r\nX-Own: 1\r\nTE: trailers\r\n\
            Idempotency-Key: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
        let expected = "POST /v1/translations?a=b HTTP/1.1\r\nhost: owner.test:8000\r\ndubhook-passed: 1\r\n\
            Authorization: Bearer k\r\nIdempotency-Key: 7\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(passed(text).as_deref(), Some(expected));
    }

    #[test]
    fn a_call_goes_one_step() {
        let text = "GET / HTTP/1.1\r\nHost: a\r\nDubhook-Passed: 1\r\n\r\n";
        assert_eq!(passed(text), None);
        assert_eq!(passed("BREW / HTTP/1.1\r\nHost: a\r\n\r\n"), None);
    }

    #[test]
    fn an_answer_says_whether_its_connection_goes_on() {
        let call = Call {
            bytes: Vec::new(),
            method: Method::Get,
            repeatable: true,
            keep_alive: true,
        };
        let head = |head: &str| {
            let mut relay = Relay::new(&call);
            String::from_utf8(relay.answer_head(head.as_bytes())).unwrap()
        };
        assert_eq!(
            head("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nconnection: keep-alive\r\n\r\n"
        );
        assert_eq!(
            head("HTTP/1.1 200 OK\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
        );
        assert_eq!(
            head("HTTP/1.1 204 No Content\r\n\r\n"),
            "HTTP/1.1 204 No Content\r\nconnection: keep-alive\r\n\r\n"
        );
    }
}
