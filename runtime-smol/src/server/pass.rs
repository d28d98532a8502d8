//! Passing a call on to the owner of the records, and its answer back.
//!
//! A request is passed on when it is whole; one that is longer than 64 KiB, in pieces (`upload.rs`). Its answer is passed on as
//! it comes, and no faster than the caller takes it (`relay.rs`), so a stream of events costs no more than what is on its way.
//! Whoever ends first ends the other side. A call goes one step: what was passed on already is not passed on again.
//!
//! `Forwarded` and `X-Forwarded-…` go on as they came, and nothing is added to them: no server here believes what they say, and
//! who stands behind the owner may, as much as it does of any caller.

use super::{
    broken::Broken,
    caller::Caller,
    relay::{Relay, is_hop},
    unheld, upload,
    way::{Calls, Way},
};
use crate::exchange::Stream;
use dubhook_core::{
    http::{CONTINUE, Fields, Method, Request, Version},
    url::Url,
};
use futures_lite::{AsyncWriteExt, FutureExt};
use std::{cell::Cell, fmt::Write, io, mem};

/// What says that a call was passed on.
const PASSED: &str = "dubhook-passed";
/// A request as it goes to the owner.
#[derive(Debug)]
pub(super) struct Call {
    bytes: Vec<u8>,
    /// How long the body is that follows in pieces.
    upload: Option<u64>,
    /// Whether the caller waits to be told that it may send that.
    is_waited_for: bool,
    method: Method,
    /// Whether it may be made again though nobody knows what became of it.
    repeatable: bool,
    /// Whether the caller's connection may serve another one.
    keep_alive: bool,
}

impl Call {
    /// What goes to the server at `url` for this request, of which so many bytes come later; nothing where it was passed on
    /// before, or cannot be.
    pub(super) fn new(request: &Request<'_>, upload: Option<u64>, url: &Url<'_>) -> Option<Self> {
        if request.fields.get(PASSED).is_some() || request.method == Method::Other {
            return None;
        }
        Some(Self {
            bytes: render(request, upload, url),
            upload,
            is_waited_for: request.version == Version::V11
                && request.fields.get("expect").is_some(),
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
        calls: &Calls,
    ) -> io::Result<bool> {
        let mut waits = Waits::new(calls);
        // What comes in pieces can be sent once.
        let kept = match self.upload {
            None => way.kept().await,
            Some(_) => None,
        };
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
        let mut relay = Relay::new(self.method, self.keep_alive, &waits.calls.closing);
        let mut is_sent = true;
        let relayed = async {
            let mut early = Vec::new();
            if let Some(length) = self.upload {
                if self.is_waited_for && caller.filled().is_empty() {
                    caller.say(CONTINUE).await.map_err(|_| Broken::Cut)?;
                }
                (is_sent, early) = upload::pass_on(caller, &mut *owner, length).await?;
            }
            if !is_sent {
                // What is left of an upload is no request.
                relay.make_last();
            }
            let begun = |is_stream| waits.begun(is_stream);
            relay.run(caller, &mut *owner, &early, begun).await
        };
        match relayed.or(ended(way)).await {
            Ok(reuse) => {
                if reuse && is_sent && !caller.has_ended {
                    way.keep(owner);
                }
                Ok(!relay.is_last())
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

/// One who waits for an answer, of which nothing has come at first.
struct Waits<'c> {
    calls: &'c Calls,
    is_unanswered: bool,
    is_unfinished: bool,
    /// Whether the owner may have seen the call.
    sent: bool,
}

impl<'c> Waits<'c> {
    fn new(calls: &'c Calls) -> Self {
        add(&calls.unanswered);
        add(&calls.unfinished);
        Self {
            calls,
            is_unanswered: true,
            is_unfinished: true,
            sent: false,
        }
    }

    /// Something of the answer has come; a stream is not waited for to its end.
    fn begun(&mut self, is_stream: bool) {
        if mem::take(&mut self.is_unanswered) {
            remove(&self.calls.unanswered);
        }
        if is_stream && mem::take(&mut self.is_unfinished) {
            remove(&self.calls.unfinished);
        }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.begun(true);
    }
}

fn add(count: &Cell<usize>) {
    count.set(count.get() + 1);
}

fn remove(count: &Cell<usize>) {
    count.set(count.get().saturating_sub(1));
}

/// Whether a request's `Connection` says that this field is for us alone.
fn is_named(fields: &Fields<'_>, name: &[u8]) -> bool {
    let mut named = fields
        .all("connection")
        .flat_map(|value| value.split(|byte| *byte == b','));
    named.any(|option| option.trim_ascii().eq_ignore_ascii_case(name))
}

/// A request as the server at `url` gets it, without what comes later.
fn render(request: &Request<'_>, upload: Option<u64>, url: &Url<'_>) -> Vec<u8> {
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
        let length = upload.unwrap_or(request.body.len() as u64);
        let length = format!("content-length: {length}\r\n");
        bytes.extend_from_slice(length.as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(request.body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use dubhook_core::http::{Limits, Progress, RecvBuf, RequestParser};

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
        let call = Call::new(&request, None, &url)?;
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
}
