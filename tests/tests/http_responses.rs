//! What a strict client makes of each response of `data/http_response_cases.jsonl`, and what holds
//! for any bytes.

use base64::{Engine, engine::general_purpose::STANDARD};
use dubhook_core::http::{
    BodyUse, Limits, Method, RecvBuf, Refusal, ResponseError, ResponseParser, ResponseProgress,
};
use proptest::{collection, prelude::*, sample};
use serde_json::Value;

/// Status, body and whether the connection may be used again; or why there is no response.
type Outcome = Result<(u16, Vec<u8>, bool), ResponseError>;

/// Receives `pieces` and then, if `eof`, the end of the connection. `None` if the response is still
/// awaited.
fn receive<'p>(
    mut parser: ResponseParser,
    capacity: usize,
    pieces: impl IntoIterator<Item = &'p [u8]>,
    eof: bool,
) -> Option<Outcome> {
    let mut memory = vec![0; capacity];
    let mut buf = RecvBuf::new(&mut memory, 0);
    let mut complete = false;
    for mut piece in pieces {
        while !piece.is_empty() {
            let room = buf.room();
            let taken = piece.len().min(room.len());
            if taken == 0 {
                // Only what follows a whole response can find no room.
                assert!(complete);
                break;
            }
            room[..taken].copy_from_slice(&piece[..taken]);
            buf.commit(taken);
            piece = &piece[taken..];
            match parser.advance(&Limits::SERVER, &mut buf) {
                Ok(ResponseProgress::NeedMore { bytes_min }) => {
                    assert!(bytes_min > 0 && !buf.is_full() && !complete);
                }
                Ok(ResponseProgress::Complete) => complete = true,
                Err(error) => {
                    assert_eq!(parser.eof(), Err(error));
                    assert!(parser.response(buf.filled()).is_none());
                    return Some(Err(error));
                }
            }
        }
    }
    if eof && let Err(error) = parser.eof() {
        return Some(Err(error));
    }
    parser
        .response(buf.filled())
        .map(|response| Ok((response.status, response.body.to_vec(), response.reuse)))
}

const CAPACITY: usize = 80_000;

fn keeping(method: Method) -> ResponseParser {
    ResponseParser::new(method, BodyUse::Keep)
}

struct Case {
    name: String,
    bytes: Vec<u8>,
    eof: bool,
    method: Method,
    expect: Value,
}

fn cases() -> Vec<Case> {
    include_str!("../data/http_response_cases.jsonl")
        .lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            Case {
                name: row["name"].as_str().unwrap().into(),
                bytes: STANDARD.decode(row["bytes_b64"].as_str().unwrap()).unwrap(),
                eof: row["eof"] == true,
                method: if row["method"] == "HEAD" {
                    Method::Head
                } else {
                    Method::Post
                },
                expect: row["expect"].clone(),
            }
        })
        .collect()
}

/// Compares with what is expected of a strict client; the more lenient `also` does not count.
fn check<'p>(case: &Case, pieces: impl IntoIterator<Item = &'p [u8]>) {
    let name = &case.name;
    let outcome = receive(keeping(case.method), CAPACITY, pieces, case.eof)
        .unwrap_or_else(|| panic!("{name}: still waiting"));
    if case.expect["error"] == true {
        assert!(outcome.is_err(), "{name}: {outcome:?}");
        return;
    }
    let (status, body, reuse) = outcome.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    assert_eq!(
        Some(u64::from(status)),
        case.expect["status"].as_u64(),
        "{name}"
    );
    assert_eq!(
        Some(STANDARD.encode(body).as_str()),
        case.expect["body_b64"].as_str(),
        "{name}"
    );
    assert_eq!(Some(reuse), case.expect["reuse"].as_bool(), "{name}");
}

#[test]
fn every_case_is_met_whole() {
    let cases = cases();
    assert_eq!(cases.len(), 36);
    for case in cases {
        check(&case, [&case.bytes[..]]);
    }
}

#[test]
fn every_case_is_met_byte_by_byte() {
    for case in cases() {
        check(&case, case.bytes.chunks(1));
    }
}

#[test]
fn every_case_is_met_split_at_every_byte() {
    for case in cases() {
        // Past the longest head the answer is known.
        for at in 1..case.bytes.len().min(Limits::SERVER.head_bytes_max + 2) {
            let (before, after) = case.bytes.split_at(at);
            check(&case, [before, after]);
        }
    }
}

#[track_caller]
fn check_text(
    method: Method,
    text: &str,
    eof: bool,
    expect: Option<Result<(u16, &str, bool), ResponseError>>,
) {
    let expect =
        expect.map(|r| r.map(|(status, body, reuse)| (status, body.as_bytes().to_vec(), reuse)));
    let bytes = text.as_bytes();
    assert_eq!(receive(keeping(method), CAPACITY, [bytes], eof), expect);
    assert_eq!(
        receive(keeping(method), CAPACITY, bytes.chunks(1), eof),
        expect
    );
}

#[test]
fn the_request_decides_whether_there_is_a_body() {
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    check_text(Method::Head, text, false, Some(Ok((200, "", true))));
    check_text(Method::Get, text, false, None);
    let text = "HTTP/1.1 200 OK\r\n\r\n";
    check_text(Method::Head, text, false, Some(Ok((200, "", true))));
}

#[test]
fn a_cut_response_is_no_success() {
    let truncated = Some(Err(ResponseError::Truncated));
    for text in [
        "",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 200 OK\r\nA: b\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
    ] {
        check_text(Method::Get, text, false, None);
        check_text(Method::Get, text, true, truncated);
    }
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    let text = "HTTP/1.1 200 OK\r\n\r\nhello";
    check_text(Method::Get, text, false, None);
    check_text(Method::Get, text, true, Some(Ok((200, "hello", false))));
    let text = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n";
    check_text(Method::Get, text, true, Some(Ok((200, "", false))));
}

#[test]
fn connections_are_used_again_only_if_the_framing_is_sound() {
    for (text, reuse) in [
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false),
        (
            "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
            true,
        ),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", true),
        (
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            false,
        ),
        (
            "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n",
            false,
        ),
    ] {
        let (status, _, found) = receive(keeping(Method::Get), 1_000, [text.as_bytes()], false)
            .unwrap()
            .unwrap();
        assert!(matches!(status, 200 | 204));
        assert_eq!(found, reuse, "{text}");
    }
}

#[test]
fn what_never_ends_is_given_up_at_its_limit() {
    #[track_caller]
    fn check(start: &str, repeat: &str, expect: ResponseError) {
        let bytes = [start, &repeat.repeat(70_000)].concat();
        let outcome = receive(keeping(Method::Get), CAPACITY, [bytes.as_bytes()], false);
        assert_eq!(outcome, Some(Err(expect)));
        let parser = ResponseParser::new(Method::Get, BodyUse::Discard);
        let outcome = receive(parser, CAPACITY, bytes.as_bytes().chunks(1_000), false);
        assert_eq!(outcome, Some(Err(expect)));
    }
    let ok = "HTTP/1.1 200 OK\r\n";
    check("", "a", Refusal::HeadTooLarge.into());
    check(ok, "a", Refusal::HeadTooLarge.into());
    check(ok, "a:\r\n", Refusal::TooManyFields.into());
    check("", "HTTP/1.1 102 \r\n\r\n", ResponseError::TooManyInterim);
    check(&format!("{ok}\r\n"), "a", Refusal::BodyTooLarge.into());
    check(
        &format!("{ok}Content-Length: 65537\r\n\r\n"),
        "a",
        Refusal::BodyTooLarge.into(),
    );
    let chunked = format!("{ok}Transfer-Encoding: chunked\r\n\r\n");
    check(&chunked, "1\r\na\r\n", Refusal::BodyTooLarge.into());
    check(
        &format!("{chunked}0\r\n"),
        "a:\r\n",
        Refusal::TrailersTooLarge.into(),
    );
}

#[test]
fn a_discarded_body_needs_no_room() {
    let head = "HTTP/1.1 200 OK\r\nRetry-After: 7\r\n";
    let body = "a".repeat(60_000);
    for (text, eof) in [
        (format!("{head}Content-Length: 60000\r\n\r\n{body}"), false),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\nea60\r\n{body}\r\n0\r\n\r\n"),
            false,
        ),
        (format!("{head}\r\n{body}"), true),
    ] {
        for size in [1, 100, 70_000] {
            let parser = ResponseParser::new(Method::Post, BodyUse::Discard);
            let outcome = receive(parser, 128, text.as_bytes().chunks(size), eof);
            assert_eq!(outcome, Some(Ok((200, vec![], !eof))));
            let outcome = receive(
                keeping(Method::Post),
                128,
                text.as_bytes().chunks(size),
                eof,
            );
            assert_eq!(outcome, Some(Err(Refusal::BodyTooLarge.into())));
        }
    }
}

#[test]
fn one_connection_carries_answer_after_answer() {
    let mut memory = [0; 64];
    let mut buf = RecvBuf::new(&mut memory, 0);
    let mut parser = keeping(Method::Post);
    for _ in 0..3 {
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" {
            assert!(parser.response(buf.filled()).is_none());
            buf.room()[0] = *byte;
            buf.commit(1);
            let _ = parser.advance(&Limits::SERVER, &mut buf).unwrap();
        }
        let response = parser.response(buf.filled()).unwrap();
        assert!(response.reuse);
        assert_eq!(response.fields.get("content-length"), Some(b"2".as_slice()));
        parser.finish(Method::Post, &mut buf);
        assert!(buf.is_empty());
    }
}

fn damaged_responses() -> impl Strategy<Value = Vec<u8>> {
    let seeds: Vec<Vec<u8>> = cases()
        .into_iter()
        .map(|case| case.bytes)
        .filter(|bytes| bytes.len() < 4_000)
        .collect();
    let bytes = sample::select(b"\r\n\t :;,0159aAfF\x00\x7f\xff".to_vec());
    let damage = (any::<sample::Index>(), any::<bool>(), bytes);
    (sample::select(seeds), collection::vec(damage, 0..4)).prop_map(|(mut bytes, damages)| {
        for (index, insert, byte) in damages {
            let at = index.index(bytes.len());
            if insert {
                bytes.insert(at, byte);
            } else {
                bytes[at] = byte;
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn how_bytes_are_split_makes_no_difference(
        bytes in damaged_responses(),
        size in 1..40usize,
        eof in any::<bool>(),
        discard in any::<bool>(),
        capacity in sample::select(vec![40usize, 200, 20_000]),
    ) {
        let body_use = if discard { BodyUse::Discard } else { BodyUse::Keep };
        let parser = ResponseParser::new(Method::Post, body_use);
        let whole = receive(parser, capacity, [&bytes[..]], eof);
        prop_assert_eq!(&whole, &receive(parser, capacity, bytes.chunks(1), eof));
        prop_assert_eq!(&whole, &receive(parser, capacity, bytes.chunks(size), eof));
    }

    #[test]
    fn what_is_accepted_means_the_same_to_httparse(bytes in damaged_responses()) {
        let mut memory = bytes.clone();
        let len = memory.len();
        let mut buf = RecvBuf::new(&mut memory, len);
        let mut parser = keeping(Method::Post);
        if let Ok(ResponseProgress::Complete) = parser.advance(&Limits::SERVER, &mut buf) {
            let response = parser.response(buf.filled()).unwrap();
            // The final head is the first that is not interim.
            let mut rest = &bytes[..];
            loop {
                let mut fields = [httparse::EMPTY_HEADER; 100];
                let mut oracle = httparse::Response::new(&mut fields);
                let parsed = oracle.parse(rest);
                // It refuses later minor versions, which RFC 9110, section 2.5, wants read as 1.1.
                prop_assume!(parsed != Err(httparse::Error::Version));
                let end = parsed.unwrap().unwrap();
                if oracle.code.unwrap() < 200 {
                    rest = &rest[end..];
                    continue;
                }
                prop_assert_eq!(Some(response.status), oracle.code);
                let found: Vec<_> = response.fields.iter().collect();
                let expect: Vec<_> = oracle.headers.iter().map(|f| (f.name.as_bytes(), f.value)).collect();
                prop_assert_eq!(found, expect);
                break;
            }
        }
    }
}
