//! Many requests on one connection, and answers that must wait.

use crate::open_network;
use dubhook_core::{
    http::{FieldLine, RecvBuf},
    out::Out,
    server::{Config, Drive, Page},
    service::Report,
};
use dubhook_tests::{
    caller::{Caller, answers, ask, request},
    machine::{Machine, Records, at, config},
};

const JOB: &str = r#"{"video_url":"https://example.test/v.mp4","target_language":"es"}"#;

#[test]
fn ten_thousand_pipelined_requests_are_answered_in_order_in_constant_memory() {
    let mut machine = Machine::volatile(1);
    let mut caller = Caller::open(&mut machine);
    // They tell themselves apart by their status: 200, 404, 405, 501.
    let kinds = [
        ("GET", "/healthz", 200),
        ("GET", "/x", 404),
        ("PUT", "/status", 405),
        ("BREW", "/", 501),
    ];
    let (mut expect, mut burst) = (Vec::new(), Vec::new());
    for n in 0..10_000_usize {
        let (method, path, status) = kinds[n * n % 4 + n % 3 % 2];
        burst.extend_from_slice(&request(method, path, "", ""));
        expect.push(status);
    }
    // The buffer and the output are what they are, however much comes: `Caller` lends no more.
    assert_eq!(caller.send(&mut machine, &burst), 0);
    let statuses: Vec<_> = caller
        .answers()
        .iter()
        .map(|answer| answer.status)
        .collect();
    assert_eq!(statuses, expect);
    assert!(matches!(caller.wants, Drive::Input { bytes_min: 1 }) && caller.unread() == 0);
}

#[test]
fn while_the_output_is_full_nothing_is_read_or_done() {
    let mut machine = Machine::volatile(1);
    let mut caller = Caller::open(&mut machine);
    let burst = request("POST", "/v1/translations", "", JOB).repeat(6);
    let mut memory = burst.clone();
    let mut input = RecvBuf::new(&mut memory, burst.len());
    let size = machine.server.config().answer_bytes_max();
    let (mut done, mut answered) = (0, Vec::new());
    loop {
        let mut output = vec![0; size];
        let mut out = Out::new(&mut output);
        let drive = machine
            .server
            .drive(machine.now, caller.id, &mut input, &mut out)
            .expect("room for the longest answer");
        let now_done = machine.server.service().jobs_len();
        let now_answered = answers(out.written(), std::iter::repeat(false)).len();
        assert_eq!(
            now_done - done,
            now_answered,
            "what is done is answered at once"
        );
        done = now_done;
        answered.extend_from_slice(out.written());
        match drive {
            Drive::Flush => assert!(now_answered >= 1),
            Drive::Input { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answers(&answered, std::iter::repeat(false)).len(), 6);
    assert!(caller.take().is_empty());
}

#[test]
fn one_request_at_a_time_waits_for_its_commit() {
    let mut machine = Machine::durable(1, Records::new(), at(0));
    let mut caller = Caller::open(&mut machine);
    let burst = [
        request("GET", "/healthz", "", ""),
        request("POST", "/v1/translations", "", JOB),
        request("GET", "/status", "", ""),
        request("POST", "/v1/translations", "", JOB),
    ]
    .concat();
    let unsent = caller.send(&mut machine, &burst);
    assert_eq!(caller.answers().len(), 1);
    assert_eq!(caller.wants, Drive::Wait);
    assert_eq!(
        machine.server.service().jobs_len(),
        1,
        "the second job must wait its turn"
    );
    machine.commit();
    assert_eq!(machine.next_conn(), Some(caller.id));
    caller.turn(&mut machine);
    let statuses: Vec<_> = caller
        .answers()
        .iter()
        .map(|answer| answer.status)
        .collect();
    assert_eq!((statuses, caller.wants), (vec![202, 200], Drive::Wait));
    machine.commit();
    caller.turn(&mut machine);
    assert_eq!(caller.answers().len(), 1);
    assert_eq!(unsent, 0);
}

#[test]
fn a_client_that_waits_is_told_to_go_on_or_why_not() {
    let config = dubhook_core::server::Config {
        http: dubhook_core::http::Limits {
            body_bytes_max: 300,
            ..config().http
        },
        ..config()
    };
    for (method, path, length, expect) in [
        ("POST", "/v1/translations", 65, 100),
        ("POST", "/v1/webhooks", 65, 100),
        ("PATCH", "/v1/webhooks/ep_x", 65, 100),
        ("POST", "/v1/nothing", 65, 404),
        ("PUT", "/v1/translations", 65, 405),
        ("GET", "/v1/translations/x/cancel", 65, 405),
        ("BREW", "/status", 65, 501),
        ("POST", "/v1/translations", 301, 413),
    ] {
        let mut machine = Machine::sized::<4, 4, 4>(config);
        let mut caller = Caller::open(&mut machine);
        let fields = format!(
            "expect: 100-continue\r\ncontent-length: {length}\r\ncontent-type: application/json\r\n"
        );
        caller.send(&mut machine, &request(method, path, &fields, ""));
        let found = caller.answers();
        assert_eq!(
            (found.len(), found[0].status),
            (1, expect),
            "{method} {path}"
        );
        if expect == 100 {
            assert!(matches!(caller.wants, Drive::Input { bytes_min: 65 }));
            caller.send(&mut machine, JOB.as_bytes());
            let found = caller.answers();
            assert_eq!(found.len(), 1);
            assert!(!found[0].closes());
        } else {
            assert_eq!(caller.wants, Drive::Close);
            assert_eq!(caller.send(&mut machine, JOB.as_bytes()), JOB.len());
            assert!(caller.answers().is_empty());
            assert_eq!(machine.server.service().jobs_len(), 0);
        }
    }
}

#[test]
fn going_on_is_said_even_if_the_output_is_full_at_that_moment() {
    const TEXT: &[FieldLine] = &[FieldLine::new("content-type: text/plain\r\n")];
    const PAGE: &[Page<'_>] = &[Page::new("/", TEXT, &[b'x'; 8_000])];
    let mut machine = Machine::sized::<4, 4, 4>(Config {
        pages: PAGE,
        ..config()
    });
    // Of all answers a page alone fills an output to its end.
    let get = request("GET", "/", "", "");
    let fields = "expect: 100-continue\r\ncontent-length: 65\r\ncontent-type: application/json\r\n";
    let post = request("POST", "/v1/translations", fields, "");
    let one = ask(&mut machine, "GET", "/healthz", "", "");
    assert_eq!(one.status, 200);
    let mut caller = Caller::open(&mut machine);
    caller.send(&mut machine, &get);
    let answer_bytes = caller.take().len();
    // With every size of output around the place where the interim answer does not fit any more.
    assert!(answer_bytes > machine.server.config().answer_bytes_max());
    for size in (answer_bytes - 5)..(answer_bytes + 60) {
        let mut memory = [get.clone(), post.clone()].concat();
        let len = memory.len();
        // Room for the body.
        memory.resize(len + 65, 0);
        let mut input = RecvBuf::new(&mut memory, len);
        let mut written = Vec::new();
        loop {
            let mut output = vec![0; size];
            let mut out = Out::new(&mut output);
            let drive = machine
                .server
                .drive(machine.now, caller.id, &mut input, &mut out)
                .expect("room for the longest answer");
            assert!(!out.is_full(), "an output of {size}");
            written.extend_from_slice(out.written());
            if drive != Drive::Flush {
                assert!(matches!(drive, Drive::Input { .. }));
                break;
            }
        }
        let statuses: Vec<_> = answers(&written, std::iter::repeat(false))
            .iter()
            .map(|a| a.status)
            .collect();
        assert_eq!(statuses, [200, 100], "an output of {size}");
        machine.server.close(caller.id);
        caller = Caller::open(&mut machine);
    }
}

#[test]
fn a_refused_head_request_has_no_content() {
    for request in [
        "HEAD / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "HEAD / HTTP/1.1\r\nx y: z\r\n\r\n",
        "HEAD /v1/nothing HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n",
        "HEAD / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
    ] {
        let mut machine = Machine::sized::<1, 1, 1>(open_network());
        let mut caller = Caller::open(&mut machine);
        caller.send(&mut machine, request.as_bytes());
        let found = answers(&caller.take(), [true]);
        assert!(found[0].status >= 400 && found[0].body.is_empty());
        assert_eq!(caller.wants, Drive::Close);
    }
}

#[test]
fn what_the_archive_has_is_answered_like_anything_else() {
    let mut machine = Machine::archiving(1);
    let mut paths = Vec::new();
    for _ in 0..20 {
        let job = ask(&mut machine, "POST", "/v1/translations", "", JOB);
        paths.push(job.field("location").unwrap().to_owned());
        let id = machine.start_job().unwrap();
        machine.report(id, Report::Failed("no"));
        machine.commit();
    }
    let mut caller = Caller::open(&mut machine);
    let burst: Vec<_> = paths
        .iter()
        .map(|path| request("GET", path, "", ""))
        .collect();
    assert_eq!(caller.send(&mut machine, &burst.concat()), 0);
    let found = caller.answers();
    assert_eq!(found.len(), 20);
    for (answer, path) in found.iter().zip(&paths) {
        assert_eq!(answer.status, 200);
        assert!(path.ends_with(answer.json()["id"].as_str().unwrap()));
        assert_eq!(answer.json()["status"], "error");
    }
    for (method, status) in [("GET", 200), ("HEAD", 200)] {
        let answer = ask(&mut machine, method, &paths[0], "", "");
        assert_eq!(answer.status, status);
        assert_eq!(answer.fields.len(), found[19].fields.len());
    }
    let cancel = format!("{}/cancel", paths[0]);
    assert_eq!(ask(&mut machine, "POST", &cancel, "", "").status, 409);
    let unknown = "/v1/translations/job_01k00000000000000000000000";
    assert_eq!(ask(&mut machine, "GET", unknown, "", "").status, 404);

    machine.shutdown();
    caller.send(&mut machine, &burst[..2].concat());
    let found = caller.answers();
    assert_eq!((found.len(), caller.wants), (1, Drive::Close));
    assert!(found[0].closes());
}
