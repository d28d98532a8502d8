//! Every path with every method.

use crate::{HOOK, JOB, call, check_problem, new_hook, new_job};
use dubhook_core::http::parse_date;
use dubhook_tests::{
    caller::{Caller, ask, request},
    machine::Machine,
};

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// A method, the status of a good call, and the body that it takes.
type Known = (&'static str, u16, &'static str);

/// The paths of the API and what each has. `{job}` and `{hook}` stand for ids of a job and a webhook that are there.
const ROUTES: &[(&str, &[Known])] = &[
    ("/status", &[("GET", 200, ""), ("HEAD", 200, "")]),
    ("/healthz", &[("GET", 200, ""), ("HEAD", 200, "")]),
    ("/readyz", &[("GET", 200, ""), ("HEAD", 200, "")]),
    ("/metrics", &[("GET", 200, ""), ("HEAD", 200, "")]),
    (
        "/v1/translations",
        &[("GET", 200, ""), ("HEAD", 200, ""), ("POST", 202, JOB)],
    ),
    (
        "/v1/translations/{job}",
        &[("GET", 200, ""), ("HEAD", 200, "")],
    ),
    ("/v1/translations/{job}/cancel", &[("POST", 200, "")]),
    (
        "/v1/webhooks",
        &[("GET", 200, ""), ("HEAD", 200, ""), ("POST", 201, HOOK)],
    ),
    (
        "/v1/webhooks/{hook}",
        &[
            ("GET", 200, ""),
            ("HEAD", 200, ""),
            ("PATCH", 200, r#"{"description":"x"}"#),
            ("DELETE", 204, ""),
        ],
    ),
    ("/v1/webhooks/{hook}/test", &[("POST", 202, "")]),
    ("/v1/webhooks/{hook}/rotate-secret", &[("POST", 200, "")]),
    ("/v1/webhooks/{hook}/redeliver", &[("POST", 202, "")]),
    (
        "/v1/webhooks/{hook}/attempts",
        &[("GET", 200, ""), ("HEAD", 200, "")],
    ),
];

/// A machine with a job and a webhook, and `path` with their ids in it.
fn prepare(path: &str) -> (Machine, String) {
    let mut machine = Machine::durable(1, Default::default(), dubhook_tests::machine::at(0));
    let job = new_job(&mut machine);
    let (hook, _) = new_hook(&mut machine, HOOK);
    let last = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let path = path
        .replace("{job}", &last(&job))
        .replace("{hook}", &last(&hook));
    (machine, path)
}

#[test]
fn every_path_has_its_methods_and_no_others() {
    for (path, methods) in ROUTES {
        for method in METHODS {
            let (mut machine, path) = prepare(path);
            let known = methods.iter().find(|known| known.0 == method);
            let body = known.map_or("", |known| known.2);
            let answer = call(&mut machine, method, &path, body);
            assert!(!answer.closes(), "{method} {path}");
            let allow: Vec<_> = methods.iter().map(|known| known.0).collect();
            let allow = format!("{}, OPTIONS", allow.join(", "));
            match known {
                None if method == "OPTIONS" => {
                    assert_eq!((answer.status, answer.body.len()), (204, 0), "{path}");
                    assert_eq!(answer.field("allow"), Some(&*allow));
                }
                Some((_, status, _)) => {
                    assert_eq!(answer.status, *status, "{method} {path}");
                    assert_eq!(answer.field("allow"), None);
                }
                None => {
                    assert_eq!(answer.status, 405, "{method} {path}");
                    if method != "HEAD" {
                        check_problem(&answer, 405, "method_not_allowed", None);
                    }
                    assert_eq!(answer.field("allow"), Some(&*allow));
                }
            }
        }
    }
}

#[test]
fn head_says_what_get_would_without_its_body() {
    for (path, methods) in ROUTES {
        if !methods.iter().any(|known| known.0 == "HEAD") {
            continue;
        }
        for path in [
            *path,
            "/v1/nothing",
            "/v1/translations/job_0",
            "/v1/translations?limit=x",
        ] {
            let (mut machine, path) = prepare(path);
            let get = call(&mut machine, "GET", &path, "");
            let head = call(&mut machine, "HEAD", &path, "");
            assert!(!get.body.is_empty() && head.body.is_empty(), "{path}");
            assert_eq!(
                (get.status, &get.fields),
                (head.status, &head.fields),
                "{path}"
            );
        }
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let (mut machine, _) = prepare("");
    let gone = {
        let (mut other, path) = prepare("/v1/webhooks/{hook}");
        assert_eq!(call(&mut other, "DELETE", &path, "").status, 204);
        assert_eq!(call(&mut other, "GET", &path, "").status, 404);
        assert_eq!(call(&mut other, "DELETE", &path, "").status, 404);
        path
    };
    let same_slot = |path: &str| path.replace("hooks/ep_0", "hooks/ep_1");
    for (path, code) in [
        ("/", "not_found"),
        ("/v1", "not_found"),
        ("/v1/", "not_found"),
        ("/v2/translations", "not_found"),
        ("/v1/translations/../webhooks", "not_found"),
        ("/v1//translations", "not_found"),
        ("/status/", "not_found"),
        ("/Status", "not_found"),
        ("/%73tatus", "not_found"),
        ("/v1/translations/", "job_not_found"),
        ("/v1/translations/job_", "job_not_found"),
        (
            "/v1/translations/job_00000000000000000000000000",
            "job_not_found",
        ),
        (
            "/v1/translations/job_7zzzzzzzzzzzzzzzzzzzzzzzzz",
            "job_not_found",
        ),
        (
            "/v1/translations/job_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "job_not_found",
        ),
        (
            "/v1/translations/%6aob_00000000000000000000000000",
            "job_not_found",
        ),
        (
            "/v1/webhooks/ep_00000000000000000000000000",
            "webhook_not_found",
        ),
        ("/v1/webhooks/x/attempts", "webhook_not_found"),
        (&same_slot(&gone), "webhook_not_found"),
    ] {
        check_problem(&call(&mut machine, "GET", path, ""), 404, code, None);
    }
    for (method, path, code) in [
        ("POST", "/v1/translations/job_0/cancel", "job_not_found"),
        ("POST", "/v1/webhooks/ep_0/test", "webhook_not_found"),
        (
            "POST",
            "/v1/webhooks/ep_0/rotate-secret",
            "webhook_not_found",
        ),
        ("POST", "/v1/webhooks/ep_0/redeliver", "webhook_not_found"),
        ("PATCH", "/v1/webhooks/ep_0", "webhook_not_found"),
        ("DELETE", "/v1/webhooks/ep_0", "webhook_not_found"),
    ] {
        check_problem(&call(&mut machine, method, path, "{}"), 404, code, None);
    }
}

#[test]
fn methods_that_nobody_knows_are_not_implemented() {
    let (mut machine, _) = prepare("");
    // RFC 9110, section 9.1: a method is case-sensitive, and 501 is for one that is not recognised.
    for method in ["get", "BREW", "TRACE", "LINK", "X"] {
        for path in ["/status", "/v1/nothing"] {
            let answer = call(&mut machine, method, path, "");
            check_problem(&answer, 501, "unknown_method", None);
        }
    }
}

#[test]
fn the_server_itself_says_what_it_can_do() {
    let (mut machine, _) = prepare("");
    let answer = call(&mut machine, "OPTIONS", "*", "");
    assert_eq!(answer.status, 204);
    assert_eq!(
        answer.field("allow"),
        Some("GET, HEAD, POST, PATCH, DELETE, OPTIONS")
    );
    // Where there is nothing, there are no methods either.
    let answer = call(&mut machine, "OPTIONS", "/v1/nothing", "");
    check_problem(&answer, 404, "not_found", None);
}

#[test]
fn the_date_is_the_calendar_s() {
    let (mut machine, _) = prepare("");
    machine.advance_ms(61_500);
    let date = call(&mut machine, "GET", "/healthz", "");
    let date = date.field("date").unwrap();
    assert_eq!(date, "Tue, 24 Nov 2026 09:01:01 GMT");
    assert_eq!(
        parse_date(date.as_bytes(), machine.now.timestamp)
            .unwrap()
            .as_unix_seconds(),
        machine.now.timestamp.as_unix_seconds()
    );
}

#[test]
fn both_versions_are_answered_as_they_want_their_connection() {
    for (start, connection) in [
        ("GET /healthz HTTP/1.1\r\nhost: t\r\n", None),
        (
            "GET /healthz HTTP/1.1\r\nhost: t\r\nconnection: close\r\n",
            Some("close"),
        ),
        (
            "GET /healthz HTTP/1.1\r\nhost: t\r\nconnection: foo, CLOSE\r\n",
            Some("close"),
        ),
        ("GET /healthz HTTP/1.0\r\n", Some("close")),
        (
            "GET /healthz HTTP/1.0\r\nconnection: keep-alive\r\n",
            Some("keep-alive"),
        ),
    ] {
        let (mut machine, _) = prepare("");
        let mut caller = Caller::open(&mut machine);
        caller.send(&mut machine, format!("{start}\r\n").as_bytes());
        let answers = caller.answers();
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].field("connection"), connection, "{start}");
    }
}

#[test]
fn a_target_may_be_whole() {
    let (mut machine, path) = prepare("/v1/translations/{job}");
    let answer = ask(&mut machine, "GET", &format!("http://test{path}"), "", "");
    assert_eq!(answer.status, 200);
    let answer = ask(&mut machine, "GET", &format!("{path}?x=y"), "", "");
    assert_eq!(answer.status, 200);
    let mut caller = Caller::open(&mut machine);
    caller.send(&mut machine, &request("GET", &format!("{path}#x"), "", ""));
    assert_eq!(caller.answers()[0].status, 400);
}
