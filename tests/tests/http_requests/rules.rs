//! What the cases do not say: the views, the limits, and bursts.

use crate::connection::{CAPACITY, Connection, serve};
use dubhook_core::http::{Limits, Method, Progress, RecvBuf, RequestParser};

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
fn a_few_empty_lines_before_a_request_are_ignored_and_many_are_refused() {
    for (empty, refused) in [
        (0, None),
        (1, None),
        (32, None),
        (33, Some(400)),
        (4_090, Some(400)),
    ] {
        let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let mut memory = format!("{}{request}", "\r\n".repeat(empty)).into_bytes();
        for limits in [Limits::SERVER, Limits::SMALL] {
            let len = memory.len();
            let mut buf = RecvBuf::new(&mut memory, len);
            let read = RequestParser::new().advance(&limits, &mut buf);
            assert_eq!(read.err().map(|why| why.status()), refused, "{empty} lines");
        }
    }
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
    check("", "\r\n", 400);
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
