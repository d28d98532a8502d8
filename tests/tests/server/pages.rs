//! Pages, which may be larger than any output.

use dubhook_core::{
    http::{FieldLine, RecvBuf},
    out::Out,
    out::Overflow,
    server::{Config, Drive, Page},
};
use dubhook_tests::{
    caller::{Caller, answers, ask, config_with_keys, request},
    machine::{Machine, config},
};

const TEXT: &[FieldLine] = &[
    FieldLine::new("content-type: text/plain; charset=utf-8\r\n"),
    FieldLine::new("x-content-type-options: nosniff\r\n"),
];
/// Longer than the output that is lent for it most often here, and no part of it like another.
const LONG: &[u8] = &{
    let mut body = [0; 20_000];
    let mut at = 0;
    while at < body.len() {
        body[at] = b'a' + (at * at / 7 % 26) as u8;
        at += 1;
    }
    body
};
const JOB: &str = r#"{"video_url":"https://example.test/v.mp4","target_language":"es"}"#;
const PAGES: &[Page<'_>] = &[
    Page::new("/", TEXT, b"<p>A page.</p>").tagged(),
    Page::new("/long", TEXT, LONG).tagged(),
    Page::new("/empty", TEXT, b"").tagged(),
    Page::new("/plain", TEXT, b"untagged"),
    // What the server itself has is found first.
    Page::new("/status", TEXT, b"a page"),
];
/// The least output that may be lent.
fn least() -> usize {
    with_pages().answer_bytes_max()
}

fn with_pages() -> Config<'static> {
    Config {
        pages: PAGES,
        ..config()
    }
}

fn machine() -> Machine {
    Machine::sized::<4, 4, 4>(with_pages())
}

/// What comes back on `caller`'s connection for these requests, by outputs of `size` bytes.
fn exchange(
    machine: &mut Machine,
    caller: &Caller,
    requests: &[u8],
    size: usize,
) -> (Vec<u8>, Drive) {
    let mut memory = requests.to_vec();
    let mut input = RecvBuf::new(&mut memory, requests.len());
    let mut written = Vec::new();
    loop {
        let mut output = vec![0; size];
        let mut out = Out::new(&mut output);
        let server = &mut machine.server;
        let drive = server.drive(machine.now, caller.id, &mut input, &mut out);
        let drive = drive.expect("room for the longest answer");
        assert!(!out.is_full(), "half an answer in an output of {size}");
        written.extend_from_slice(out.written());
        if drive != Drive::Flush {
            return (written, drive);
        }
        assert!(!out.is_empty(), "nothing to make room of");
    }
}

#[test]
fn a_page_is_whole_whatever_the_output_holds() {
    let paths = ["/healthz", "/long", "/", "/empty", "/long", "/x", "/"];
    let expect = [
        (200, None),
        (200, Some(LONG)),
        (200, Some(&b"<p>A page.</p>"[..])),
        (200, Some(b"")),
        (200, Some(LONG)),
        (404, None),
        (200, Some(b"<p>A page.</p>")),
    ];
    let requests: Vec<_> = paths
        .iter()
        .flat_map(|path| request("GET", path, "", ""))
        .collect();
    let mut machine = machine();
    let large = [20_000, 20_300, 64 * 1_024];
    for size in (least()..least() + 700).chain(large) {
        let caller = Caller::open(&mut machine);
        let (written, drive) = exchange(&mut machine, &caller, &requests, size);
        let found = answers(&written, std::iter::repeat(false));
        assert_eq!(found.len(), expect.len(), "outputs of {size}");
        for (answer, (status, body)) in found.iter().zip(expect) {
            assert_eq!(answer.status, status, "outputs of {size}");
            assert!(
                body.is_none_or(|body| body == answer.body),
                "outputs of {size}"
            );
        }
        assert!(matches!(drive, Drive::Input { bytes_min: 1 }));
        machine.server.close(caller.id);
    }
}

#[test]
fn who_has_a_page_already_is_not_sent_it_again() {
    let mut machine = machine();
    let get = |machine: &mut Machine, method: &str, path: &str, fields: &str| {
        ask(machine, method, path, fields, "")
    };
    let tags = ["/", "/long", "/empty"].map(|path| {
        let whole = get(&mut machine, "GET", path, "");
        let tag = whole.field("etag").expect("a tag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        for (fields, known) in [
            (format!("if-none-match: {tag}\r\n"), true),
            (format!("If-None-Match: W/{tag}\r\n"), true),
            (format!("if-none-match: \"x\", {tag}\r\n"), true),
            (
                format!("if-none-match: \"x\"\r\nif-none-match: {tag}\r\n"),
                true,
            ),
            ("if-none-match: *\r\n".to_owned(), true),
            ("if-none-match: \"x\"\r\n".to_owned(), false),
            ("if-none-match:\r\n".to_owned(), false),
            (
                format!("if-none-match: {}\r\n", tag.trim_matches('"')),
                false,
            ),
        ] {
            for method in ["GET", "HEAD"] {
                let answer = get(&mut machine, method, path, &fields);
                let expect = if known { 304 } else { 200 };
                assert_eq!(answer.status, expect, "{method} {fields}");
                assert_eq!(answer.field("etag"), Some(&*tag));
                assert!(!known || answer.body.is_empty());
            }
        }
        tag
    });
    assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[2] != tags[0]);
    let answer = get(&mut machine, "OPTIONS", "/", "");
    assert_eq!(
        (answer.status, answer.field("allow")),
        (204, Some("GET, HEAD, OPTIONS"))
    );
    // What is not found has none, and what was given none.
    for (path, status) in [("/x", 404), ("/plain", 200)] {
        let answer = get(&mut machine, "GET", path, "if-none-match: *\r\n");
        assert_eq!((answer.status, answer.field("etag")), (status, None));
    }
}

#[test]
fn while_a_page_is_not_out_nothing_else_is_done() {
    const JOB: &str = r#"{"video_url":"https://example.test/v.mp4","target_language":"es"}"#;
    let mut machine = machine();
    let size = least();
    let mut caller = Caller::with_output(&mut machine, size);
    let mut requests = request("GET", "/long", "", "");
    requests.extend(request("POST", "/v1/translations", "", JOB));
    let mut memory = requests.clone();
    let mut input = RecvBuf::new(&mut memory, requests.len());
    let mut bytes = 0;
    while bytes < LONG.len() {
        assert_eq!(machine.server.service().jobs_len(), 0);
        let mut output = vec![0; size];
        let mut out = Out::new(&mut output);
        let drive = machine
            .server
            .drive(machine.now, caller.id, &mut input, &mut out);
        bytes += out.len();
        if bytes < LONG.len() {
            assert_eq!((drive, out.len()), (Ok(Drive::Flush), size));
        }
        // A driver whose client takes its time drives no further, and nothing hurries it here.
        machine.advance_ms(60_000);
        assert_eq!(machine.next_conn(), None);
    }
    caller.turn(&mut machine);
    assert_eq!(
        machine.server.service().jobs_len(),
        0,
        "its input is another one"
    );
}

#[test]
fn a_page_has_the_methods_of_what_is_read() {
    let mut machine = machine();
    for path in ["/", "/long", "/empty"] {
        let get = ask(&mut machine, "GET", path, "", "");
        assert_eq!(get.field("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(get.field("x-content-type-options"), Some("nosniff"));
        let head = ask(&mut machine, "HEAD", path, "", "");
        assert_eq!((head.status, &head.fields), (200, &get.fields));
        assert!(head.body.is_empty());
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let answer = ask(&mut machine, method, path, "", "");
            assert_eq!(
                (answer.status, answer.field("allow")),
                (405, Some("GET, HEAD"))
            );
        }
        assert_eq!(ask(&mut machine, "BREW", path, "", "").status, 501);
        let query = format!("{path}?x=y");
        assert_eq!(ask(&mut machine, "GET", &query, "", "").body, get.body);
    }
    assert_eq!(ask(&mut machine, "GET", "/status", "", "").status, 404);
    assert_eq!(ask(&mut machine, "GET", "/long/", "", "").status, 404);
}

#[test]
fn a_head_alone_ends_with_its_head_in_any_output() {
    let requests = [
        request("HEAD", "/long", "", ""),
        request("GET", "/", "", ""),
        request("HEAD", "/empty", "", ""),
    ]
    .concat();
    let mut machine = machine();
    for size in least()..least() + 700 {
        let caller = Caller::open(&mut machine);
        let (written, _) = exchange(&mut machine, &caller, &requests, size);
        let found = answers(&written, [true, false, true]);
        let lengths: Vec<_> = found.iter().map(|a| a.field("content-length")).collect();
        assert_eq!(
            lengths,
            [Some("20000"), Some("14"), Some("0")],
            "outputs of {size}"
        );
        machine.server.close(caller.id);
    }
}

#[test]
fn a_connection_closes_after_the_whole_page() {
    for (request, says_so) in [
        (
            &b"GET /long HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n"[..],
            true,
        ),
        (b"GET /long HTTP/1.0\r\n\r\n", true),
        (
            b"GET /long HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
            false,
        ),
    ] {
        let mut machine = machine();
        let caller = Caller::open(&mut machine);
        let (written, drive) = exchange(&mut machine, &caller, request, least() + 777);
        let found = answers(&written, [false]);
        assert_eq!((found[0].closes(), found[0].body == LONG), (says_so, true));
        assert_eq!(drive == Drive::Close, says_so);
    }
}

#[test]
fn a_server_that_stops_ends_the_page_first() {
    let mut machine = machine();
    let size = least();
    let mut caller = Caller::with_output(&mut machine, size);
    let mut memory = request("GET", "/long", "", "");
    let len = memory.len();
    let mut input = RecvBuf::new(&mut memory, len);
    let (mut written, mut drive) = (Vec::new(), Drive::Flush);
    while drive == Drive::Flush {
        let mut output = vec![0; size];
        let mut out = Out::new(&mut output);
        drive = machine
            .server
            .drive(machine.now, caller.id, &mut input, &mut out)
            .expect("room for the longest answer");
        written.extend_from_slice(out.written());
        machine.shutdown();
    }
    assert_eq!(drive, Drive::Close);
    assert!(answers(&written, [false])[0].body == LONG);
    caller.turn(&mut machine);
    assert_eq!((caller.wants, caller.take().len()), (Drive::Close, 0));
}

#[test]
fn an_output_that_is_too_small_is_refused_and_takes_nothing() {
    for size in [0, 10, 100, least() - 1] {
        for asks in [
            request("GET", "/long", "", ""),
            request("POST", "/v1/translations", "", JOB),
        ] {
            let mut machine = machine();
            let caller = Caller::open(&mut machine);
            let mut memory = asks.clone();
            let mut input = RecvBuf::new(&mut memory, asks.len());
            let mut output = vec![0; size];
            let mut out = Out::new(&mut output);
            let drive = machine
                .server
                .drive(machine.now, caller.id, &mut input, &mut out);
            assert_eq!(drive, Err(Overflow));
            assert_eq!((out.len(), input.filled()), (0, &asks[..]));
            assert_eq!(machine.server.service().jobs_len(), 0);
            let (written, _) = exchange(&mut machine, &caller, &asks, least());
            assert!(answers(&written, [false])[0].status < 300);
        }
    }
}

#[test]
fn a_body_that_is_waited_with_is_told_to_come_or_why_not() {
    let fields = "expect: 100-continue\r\ncontent-length: 2\r\n";
    for (method, path, expect) in [
        ("GET", "/long", 100),
        ("GET", "/metrics", 100),
        ("POST", "/long", 405),
        ("POST", "/metrics", 405),
        ("GET", "/x", 404),
    ] {
        let mut machine = machine();
        let mut caller = Caller::open(&mut machine);
        caller.send(&mut machine, &request(method, path, fields, ""));
        assert_eq!(caller.answers()[0].status, expect, "{method} {path}");
    }
}

#[test]
fn a_page_needs_no_key_and_tells_nobody_what_needs_one() {
    let keys = vec![dubhook_core::server::ApiKey::new("key")].leak();
    let mut machine = Machine::sized::<4, 4, 4>(Config {
        pages: PAGES,
        ..config_with_keys(keys)
    });
    for (path, status) in [("/", 200), ("/long", 200), ("/v1/", 401), ("/v1/long", 401)] {
        assert_eq!(
            ask(&mut machine, "GET", path, "", "").status,
            status,
            "{path}"
        );
    }
}
