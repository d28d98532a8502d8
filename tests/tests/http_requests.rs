//! What a strict server does with each request of `data/http_cases.jsonl`, and what holds for any bytes.

use base64::{Engine, engine::general_purpose::STANDARD};
use dubhook_core::http::{Limits, Method, Phase, Progress, RecvBuf, Request, RequestParser};
use proptest::{collection, prelude::*, sample};
use serde_json::Value;

/// What one connection came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    /// Final responses in order.
    statuses: Vec<u16>,
    /// The bodies of the requests that were accepted.
    bodies: Vec<Vec<u8>>,
    /// The server ends the connection.
    closed: bool,
}

/// A connection of the smallest server there can be: it accepts everything that parses.
struct Connection {
    memory: Vec<u8>,
    filled: std::ops::Range<usize>,
    parser: RequestParser,
    limits: Limits,
    outcome: Outcome,
    continues: usize,
}

impl Connection {
    fn new(limits: Limits, capacity: usize) -> Self {
        Self {
            memory: vec![0; capacity],
            filled: 0..0,
            parser: RequestParser::new(),
            limits,
            outcome: Outcome::default(),
            continues: 0,
        }
    }

    /// Receives `bytes`, as many at a time as there is room for.
    fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.outcome.closed {
            let mut buf = RecvBuf::resume(&mut self.memory, self.filled.clone());
            let room = buf.room();
            let taken = bytes.len().min(room.len());
            assert!(taken > 0, "a parser that needs more left no room for it");
            room[..taken].copy_from_slice(&bytes[..taken]);
            buf.commit(taken);
            self.filled = buf.filled_range();
            bytes = &bytes[taken..];
            self.work();
        }
    }

    fn work(&mut self) {
        let mut buf = RecvBuf::resume(&mut self.memory, self.filled.clone());
        while !self.outcome.closed {
            match self.parser.advance(&self.limits, &mut buf) {
                Ok(Progress::NeedMore { bytes_min }) => {
                    assert!(bytes_min > 0 && !buf.is_full());
                    break;
                }
                Ok(Progress::ExpectContinue) => {
                    assert!(self.parser.head(buf.filled()).unwrap().body.is_empty());
                    self.continues += 1;
                }
                Ok(Progress::Complete) => {
                    let request = self.parser.request(buf.filled()).unwrap();
                    self.outcome.statuses.push(status_for(&request));
                    self.outcome.bodies.push(request.body.to_vec());
                    self.outcome.closed = !request.keep_alive;
                    self.parser.finish(&mut buf);
                }
                Err(refusal) => {
                    // A refusal is final, whatever comes.
                    assert_eq!(self.parser.advance(&self.limits, &mut buf), Err(refusal));
                    assert_eq!(self.parser.phase(), Phase::Refused);
                    assert!(self.parser.request(buf.filled()).is_none());
                    assert!(refusal.as_str().ends_with('.'));
                    self.outcome.statuses.push(refusal.status());
                    self.outcome.closed = true;
                }
            }
        }
        self.filled = buf.filled_range();
    }

    /// Nothing more comes: the time runs out, or the client closes.
    fn end(mut self) -> Outcome {
        if !self.outcome.closed && !self.parser.is_idle() {
            self.outcome.statuses.push(408);
        }
        self.outcome.closed = true;
        self.outcome
    }
}

/// What the layer above the parser decides: which methods it implements, and that no route has a dot segment.
fn status_for(request: &Request<'_>) -> u16 {
    let has_dot_segment = request
        .path
        .replace("%2e", ".")
        .split('/')
        .any(|segment| segment == "..");
    match request.method {
        Method::Other => 501,
        _ if has_dot_segment => 404,
        _ => 200,
    }
}

fn serve<'p>(
    limits: Limits,
    capacity: usize,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> Connection {
    let mut connection = Connection::new(limits, capacity);
    for piece in pieces {
        connection.receive(piece);
    }
    connection
}

const CAPACITY: usize = 16_384;

fn decode(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

fn cases() -> Vec<(String, Vec<u8>, Value)> {
    include_str!("../data/http_cases.jsonl")
        .lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            let name = format!(
                "{}/{}",
                row["group"].as_str().unwrap(),
                row["name"].as_str().unwrap()
            );
            (name, decode(&row["bytes_b64"]), row["expect"].clone())
        })
        .collect()
}

/// Compares with what is expected of a strict server; the more lenient `also` does not count.
fn check(name: &str, connection: Connection, expect: &Value) {
    let closed = connection.outcome.closed;
    if expect["incomplete"] == true {
        assert!(!closed, "{name}: answered before the request was whole");
        assert!(connection.outcome.statuses.is_empty(), "{name}");
        let outcome = connection.end();
        assert!(
            matches!(outcome.statuses[..], [] | [408]),
            "{name}: {outcome:?}"
        );
        return;
    }
    let outcome = connection.outcome;
    let (last, before) = outcome
        .statuses
        .split_last()
        .unwrap_or_else(|| panic!("{name}: no answer"));
    assert!(
        before.iter().all(|status| *status == 200),
        "{name}: {outcome:?}"
    );
    assert_eq!(
        Some(outcome.statuses.len() as u64),
        expect["responses"].as_u64(),
        "{name}: {outcome:?}"
    );
    if expect["accept"] == true {
        assert_eq!(*last, 200, "{name}");
    } else {
        assert!(
            expect["status"]
                .as_array()
                .unwrap()
                .contains(&Value::from(*last)),
            "{name}: {last}"
        );
    }
    if let Some(expected) = expect["close"].as_bool() {
        assert_eq!(closed, expected, "{name}: whether it closes");
    }
    if let Some(bodies) = expect["bodies"].as_array() {
        assert_eq!(
            outcome.bodies,
            bodies.iter().map(decode).collect::<Vec<_>>(),
            "{name}"
        );
    }
}

#[test]
fn every_case_is_met_whole() {
    let cases = cases();
    assert_eq!(cases.len(), 192);
    for (name, bytes, expect) in cases {
        check(
            &name,
            serve(Limits::SERVER, CAPACITY, [&bytes[..]]),
            &expect,
        );
    }
}

#[test]
fn every_case_is_met_byte_by_byte() {
    for (name, bytes, expect) in cases() {
        check(
            &name,
            serve(Limits::SERVER, CAPACITY, bytes.chunks(1)),
            &expect,
        );
    }
}

#[test]
fn every_case_is_met_split_at_every_byte() {
    for (name, bytes, expect) in cases() {
        for at in 1..bytes.len() {
            let (before, after) = bytes.split_at(at);
            let mut connection = Connection::new(Limits::SERVER, CAPACITY);
            connection.receive(before);
            let answered = connection.outcome.closed;
            connection.receive(after);
            check(&name, connection, &expect);
            // From here on the second piece is never looked at.
            if answered {
                break;
            }
        }
    }
}

#[test]
fn a_waiting_client_is_told_to_go_on_once() {
    let head =
        b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    let continues = |pieces: &[&[u8]]| serve(Limits::SERVER, CAPACITY, pieces.to_vec()).continues;
    assert_eq!(continues(&[head, b"h", b"i"]), 1);
    // It does not wait any more, never did, or does not know what 100 is.
    assert_eq!(continues(&[&[head.as_slice(), b"h"].concat(), b"i"]), 0);
    assert_eq!(
        continues(&[b"GET / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n\r\n"]),
        0
    );
    assert_eq!(
        continues(&[
            b"POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
            b"hi"
        ]),
        0
    );
}

#[test]
fn a_request_shows_its_parts() {
    #[track_caller]
    fn check(bytes: &str, expect: (Method, &str, Option<&str>, &str, bool)) {
        let mut memory = bytes.as_bytes().to_vec();
        let len = memory.len();
        let mut buf = RecvBuf::new(&mut memory, len);
        let mut parser = RequestParser::new();
        assert!(parser.is_idle());
        assert_eq!(
            parser.advance(&Limits::SERVER, &mut buf),
            Ok(Progress::Complete)
        );
        let request = parser.request(buf.filled()).unwrap();
        let host = std::str::from_utf8(request.host).unwrap();
        assert_eq!(
            (
                request.method,
                request.path,
                request.query,
                host,
                request.keep_alive
            ),
            expect
        );
        parser.finish(&mut buf);
        assert!(buf.is_empty() && parser.is_idle());
    }
    check(
        "GET /a%20b?c?d HTTP/1.1\r\nHost: x:1\r\n\r\n",
        (Method::Get, "/a%20b", Some("c?d"), "x:1", true),
    );
    check(
        "\r\n\r\nHEAD /? HTTP/1.2\r\nHost: x\r\n\r\n",
        (Method::Head, "/", Some(""), "x", true),
    );
    check(
        "PUT http://y:2?q HTTP/1.1\r\nHost: x\r\n\r\n",
        (Method::Put, "/", Some("q"), "y:2", true),
    );
    check(
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        (Method::Options, "*", None, "x", true),
    );
    check(
        "OPTIONS http://y HTTP/1.1\r\nHost: x\r\nConnection: a, close\r\n\r\n",
        (Method::Options, "*", None, "y", false),
    );
    check(
        "get /x HTTP/1.0\r\n\r\n",
        (Method::Other, "/x", None, "", false),
    );
    check(
        "DELETE /x HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
        (Method::Delete, "/x", None, "", true),
    );
}

#[test]
fn limits_hold_to_the_byte_in_any_buffer() {
    #[track_caller]
    fn check(limits: Limits, capacity: usize, bytes: &[u8], expect: u16) {
        for pieces in [bytes.len(), 1] {
            let connection = serve(limits, capacity, bytes.chunks(pieces));
            assert_eq!(
                connection.outcome.statuses,
                [expect],
                "in pieces of {pieces}"
            );
        }
    }
    let get = b"GET /abc HTTP/1.1\r\nHost: a.test\r\nX: y\r\n\r\n";
    let head = |head_bytes_max| Limits {
        head_bytes_max,
        ..Limits::SERVER
    };
    check(head(get.len()), 1000, get, 200);
    check(head(get.len() - 1), 1000, get, 431);
    check(Limits::SERVER, get.len() + 1, get, 200);
    check(Limits::SERVER, get.len() - 1, get, 431);
    check(
        Limits {
            fields_max: 2,
            ..Limits::SERVER
        },
        1000,
        get,
        200,
    );
    check(
        Limits {
            fields_max: 1,
            ..Limits::SERVER
        },
        1000,
        get,
        431,
    );
    check(
        Limits {
            target_bytes_max: 4,
            ..Limits::SERVER
        },
        1000,
        get,
        200,
    );
    check(
        Limits {
            target_bytes_max: 3,
            ..Limits::SERVER
        },
        1000,
        get,
        414,
    );

    let post = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc";
    let body = |body_bytes_max| Limits {
        body_bytes_max,
        ..Limits::SERVER
    };
    check(body(3), 1000, post, 200);
    check(body(2), 1000, post, 413);
    check(Limits::SERVER, post.len(), post, 200);
    check(Limits::SERVER, post.len() - 1, post, 413);

    let chunked = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n\
        2;a=b\r\nab\r\n1;c\r\nc\r\n0\r\nX: y\r\nZ: w\r\n\r\n";
    check(body(3), 1000, chunked, 200);
    check(body(2), 1000, chunked, 413);
    check(
        Limits {
            chunk_line_bytes_max: 5,
            ..Limits::SERVER
        },
        1000,
        chunked,
        200,
    );
    check(
        Limits {
            chunk_line_bytes_max: 4,
            ..Limits::SERVER
        },
        1000,
        chunked,
        400,
    );
    check(
        Limits {
            chunk_extension_bytes_max: 6,
            ..Limits::SERVER
        },
        1000,
        chunked,
        200,
    );
    check(
        Limits {
            chunk_extension_bytes_max: 5,
            ..Limits::SERVER
        },
        1000,
        chunked,
        413,
    );
    check(
        Limits {
            trailer_bytes_max: 8,
            ..Limits::SERVER
        },
        1000,
        chunked,
        200,
    );
    check(
        Limits {
            trailer_bytes_max: 7,
            ..Limits::SERVER
        },
        1000,
        chunked,
        431,
    );
    // The framing of a chunk needs no room that its body does not have: it leaves as it is read.
    let head_len = chunked.len() - b"2;a=b\r\nab\r\n1;c\r\nc\r\n0\r\nX: y\r\nZ: w\r\n\r\n".len();
    check(Limits::SERVER, head_len + 10, chunked, 200);
    check(Limits::SERVER, head_len + 5, chunked, 413);
}

#[test]
fn ten_thousand_pipelined_requests_pass_through_a_small_buffer() {
    let request = b"POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi";
    let connection = serve(Limits::SMALL, 256, [&request.repeat(10_000)[..]]);
    assert_eq!(connection.outcome.statuses, [200; 10_000]);
    assert!(!connection.outcome.closed);
}

#[test]
fn what_never_ends_is_refused_at_its_limit() {
    #[track_caller]
    fn check(start: &str, repeat: &str, expect: u16) {
        let mut connection = Connection::new(Limits::SERVER, CAPACITY);
        connection.receive(start.as_bytes());
        let mut sent = 0;
        while !connection.outcome.closed {
            connection.receive(repeat.as_bytes());
            sent += repeat.len();
            assert!(sent < 1_000_000, "no bound");
        }
        assert_eq!(connection.outcome.statuses, [expect]);
    }
    let get = "GET / HTTP/1.1\r\nHost: a.test\r\n";
    let chunked = "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    check("", "\r\n", 431);
    check("", "A", 501);
    check("GET /", "a", 414);
    check("GET / ", "a", 414);
    check(get, "a", 431);
    check(get, "a:\r\n", 431);
    check(chunked, "0", 400);
    check(chunked, "1\r\na\r\n", 413);
    check(chunked, "1;a\r\na\r\n", 413);
    check(&format!("{chunked}0\r\n"), "a", 431);
    check(&format!("{chunked}0\r\n"), "a:\r\n", 431);
    check(&format!("{chunked}1;a=\""), "a", 400);
}

/// Requests, good and nearly good, then damaged in a few places.
fn damaged_requests() -> impl Strategy<Value = Vec<u8>> {
    let seeds: Vec<Vec<u8>> = cases()
        .into_iter()
        .map(|(_, bytes, _)| bytes)
        .filter(|bytes| bytes.len() < 4_000)
        .collect();
    let bytes = sample::select(b"\r\n\t :;,=%?#/\"\\0159aAfFxX\x00\x7f\x80\xff".to_vec());
    let damage = (any::<sample::Index>(), 0..4u8, bytes);
    (
        collection::vec(sample::select(seeds), 1..3),
        collection::vec(damage, 0..4),
    )
        .prop_map(|(requests, damages)| {
            let mut bytes = requests.concat();
            for (index, kind, byte) in damages {
                let at = index.index(bytes.len());
                match kind {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    2 if bytes.len() > 1 => drop(bytes.remove(at)),
                    _ => bytes.truncate(at + 1),
                }
            }
            bytes
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn how_bytes_are_split_makes_no_difference(
        bytes in damaged_requests(),
        size in 1..40usize,
        small in any::<bool>(),
    ) {
        let limits = if small { Limits::SMALL } else { Limits::SERVER };
        let capacity = if small { 700 } else { CAPACITY };
        let whole = serve(limits, capacity, [&bytes[..]]).end();
        prop_assert_eq!(&whole, &serve(limits, capacity, bytes.chunks(1)).end());
        prop_assert_eq!(&whole, &serve(limits, capacity, bytes.chunks(size)).end());
    }

    #[test]
    fn any_bytes_are_answered_or_waited_for(bytes in collection::vec(any::<u8>(), 0..300)) {
        let whole = serve(Limits::SMALL, 256, [&bytes[..]]).end();
        prop_assert_eq!(whole, serve(Limits::SMALL, 256, bytes.chunks(1)).end());
    }

    #[test]
    fn what_is_accepted_means_the_same_to_httparse(bytes in damaged_requests()) {
        let mut memory = bytes.clone();
        let len = memory.len();
        let mut buf = RecvBuf::new(&mut memory, len);
        let mut parser = RequestParser::new();
        let accepted = parser.advance(&Limits::SERVER, &mut buf);
        if let Ok(Progress::Complete) = accepted {
            let request = parser.request(buf.filled()).unwrap();
            let mut fields = [httparse::EMPTY_HEADER; 100];
            let mut oracle = httparse::Request::new(&mut fields);
            prop_assert!(oracle.parse(&bytes).expect("httparse takes it too").is_complete());
            if request.method != Method::Other {
                prop_assert_eq!(Some(request.method.as_str()), oracle.method);
            }
            let target = oracle.path.unwrap();
            if target.starts_with('/') {
                let query = request.query.map_or(String::new(), |query| format!("?{query}"));
                prop_assert_eq!(format!("{}{query}", request.path), target);
            }
            let found: Vec<_> = request.fields.iter().collect();
            let fields: Vec<_> = oracle.headers.iter().map(|f| (f.name.as_bytes(), f.value)).collect();
            prop_assert_eq!(found, fields);
        }
    }
}
