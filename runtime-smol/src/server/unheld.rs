//! What a server says while the records are not its to speak of: it stands by, or its lease has ended.
//!
//! It may not look at anything that it knows, since another server may have taken over: so these are constants, chosen by the
//! first line of a request.

use dubhook_core::http::{Method, Refusal};

/// The end of an answer's head that is the same for all.
macro_rules! answer {
    ($status:literal, $fields:literal, $kind:literal, $len:literal, $body:literal) => {
        concat!(
            "HTTP/1.1 ",
            $status,
            "\r\n",
            $fields,
            "content-type: ",
            $kind,
            "\r\ncache-control: no-store\r\n",
            "content-length: ",
            $len,
            "\r\nconnection: close\r\n\r\n",
            $body
        )
        .as_bytes()
    };
}

/// The process serves, if it can do no more.
const ALIVE: &[u8] = answer!("200 OK", "", "application/json", "15", r#"{"status":"ok"}"#);
/// Another server is asked instead, or this one a little later.
const STANDS_BY: &[u8] = answer!(
    "503 Service Unavailable",
    "retry-after: 1\r\n",
    "application/problem+json",
    "190",
    r#"{"type":"about:blank","title":"Service Unavailable","status":503,"code":"stands_by","detail":"This server stands by: another one has the records, or nobody can say who has them. Try again."}"#
);

/// Nobody knows what became of a call that was passed on.
const UNHEARD: &[u8] = answer!(
    "502 Bad Gateway",
    "retry-after: 1\r\n",
    "application/problem+json",
    "227",
    r#"{"type":"about:blank","title":"Bad Gateway","status":502,"code":"owner_unheard","detail":"The server that has the records has ended without an answer. It may have done what was asked: try again, with the same Idempotency-Key."}"#
);

/// What was asked for is no longer in memory, and the store cannot say whether it has it.
const UNANSWERED: &[u8] = answer!(
    "503 Service Unavailable",
    "retry-after: 1\r\n",
    "application/problem+json",
    "136",
    r#"{"type":"about:blank","title":"Service Unavailable","status":503,"code":"store_silent","detail":"The store does not answer. Try again."}"#
);

/// What to answer where the store cannot say what it has.
pub(super) fn unanswered(is_head: bool) -> &'static [u8] {
    match is_head {
        true => head_of(UNANSWERED),
        false => UNANSWERED,
    }
}

/// What to answer to who asks whether the process serves at all.
pub(super) fn alive(method: Method) -> &'static [u8] {
    match method {
        Method::Head => head_of(ALIVE),
        _ => ALIVE,
    }
}

/// What to answer where there is nobody whom to pass a call on to.
pub(super) fn stands_by(method: Method) -> &'static [u8] {
    match method {
        Method::Head => head_of(STANDS_BY),
        _ => STANDS_BY,
    }
}

/// What to answer where nobody knows what became of a call that was passed on.
pub(super) fn unheard(method: Method) -> &'static [u8] {
    match method {
        Method::Head => head_of(UNHEARD),
        _ => UNHEARD,
    }
}

/// An answer that shows these figures.
pub(super) fn metrics(text: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\ncache-control: no-store\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        text.len()
    );
    [head.as_bytes(), text].concat()
}

/// What to answer to what no server would take.
pub(super) fn refused(refusal: Refusal) -> String {
    let (status, why) = (refusal.status(), refusal.as_str());
    let body =
        format!(r#"{{"type":"about:blank","status":{status},"code":"bad_http","detail":"{why}"}}"#);
    format!(
        "HTTP/1.1 {status} \r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn head_of(answer: &'static [u8]) -> &'static [u8] {
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n");
    head.map_or(answer, |head| &answer[..head + 4])
}

/// What to answer to a request that begins like this.
pub(super) fn answer(request: &[u8]) -> &'static [u8] {
    let line = request
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    let path = target.split(|byte| *byte == b'?').next();
    let (answer, whole) = match (method, path) {
        (Some(b"GET"), Some(b"/healthz")) => (ALIVE, true),
        (Some(b"HEAD"), Some(b"/healthz")) => (ALIVE, false),
        (Some(b"HEAD"), _) => (STANDS_BY, false),
        _ => (STANDS_BY, true),
    };
    if whole { answer } else { head_of(answer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_answers_say_how_long_they_are() {
        for answer in [ALIVE, STANDS_BY, UNHEARD, UNANSWERED] {
            let text = std::str::from_utf8(answer).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let len = format!("content-length: {}", body.len());
            assert!(head.lines().any(|line| line == len), "{len}");
        }
    }

    #[test]
    fn only_its_health_is_good() {
        let status = |request: &str| &answer(request.as_bytes())[9..12];
        assert_eq!(status("GET /healthz HTTP/1.1\r\n"), b"200");
        assert_eq!(status("GET /healthz?x HTTP/1.1\r\n"), b"200");
        assert_eq!(status("GET /readyz HTTP/1.1\r\n"), b"503");
        assert_eq!(status("POST /healthz HTTP/1.1\r\n"), b"503");
        assert_eq!(status("POST /v1/translations HTTP/1.1\r\n"), b"503");
        assert_eq!(status(""), b"503");
        assert!(answer(b"HEAD / HTTP/1.1\r\n").ends_with(b"\r\n\r\n"));
    }
}
