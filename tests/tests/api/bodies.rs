//! What a body must be.

use crate::{HOOK, JOB, call, check_problem, new_hook};
use dubhook_core::service::Report;
use dubhook_tests::{
    caller::{Caller, ask, request},
    machine::{Machine, config},
};
use serde_json::{Value, json};

fn machine() -> Machine {
    Machine::volatile(1)
}

#[test]
fn a_body_is_json_by_its_type() {
    for (fields, taken) in [
        ("content-type: application/json\r\n", true),
        ("Content-Type: Application/JSON\r\n", true),
        ("content-type: application/json;charset=utf-8\r\n", true),
        ("content-type: application/json ; x=y\r\n", true),
        ("content-type:\r\n", false),
        ("content-type: text/plain\r\n", false),
        ("content-type: application/jsonx\r\n", false),
        ("content-type: application/x-www-form-urlencoded\r\n", false),
        (
            "content-type: multipart/form-data; boundary=application/json\r\n",
            false,
        ),
        ("content-type: text/plain, application/json\r\n", false),
    ] {
        for (path, body, status) in [("/v1/translations", JOB, 202), ("/v1/webhooks", HOOK, 201)] {
            let answer = ask(&mut machine(), "POST", path, fields, body);
            if taken {
                assert_eq!(answer.status, status, "{fields}");
            } else {
                check_problem(&answer, 415, "unsupported_media_type", None);
            }
        }
    }
    // Two types are one too many for the parser already: the connection ends.
    let twice = "content-type: application/json\r\ncontent-type: text/plain\r\n";
    let answer = ask(&mut machine(), "POST", "/v1/translations", twice, JOB);
    check_problem(&answer, 400, "bad_http", None);
    assert!(answer.closes());
}

#[test]
fn a_body_is_taken_as_it_is_and_what_is_compressed_is_told_what_is_spoken() {
    for (fields, taken) in [
        ("content-encoding: identity\r\n", true),
        ("Content-Encoding: IDENTITY\r\n", true),
        ("content-encoding:\r\n", true),
        ("content-encoding: gzip\r\n", false),
        ("Content-Encoding: GZIP\r\n", false),
        ("content-encoding: x-gzip\r\n", false),
        ("content-encoding: br\r\n", false),
        ("content-encoding: identity, gzip\r\n", false),
        (
            "content-encoding: identity\r\ncontent-encoding: zstd\r\n",
            false,
        ),
    ] {
        for (path, body, status) in [("/v1/translations", JOB, 202), ("/v1/webhooks", HOOK, 201)] {
            let fields = format!("content-type: application/json\r\n{fields}");
            let answer = ask(&mut machine(), "POST", path, &fields, body);
            if taken {
                assert_eq!(answer.status, status, "{fields}");
                continue;
            }
            check_problem(&answer, 415, "unsupported_content_encoding", None);
            assert_eq!(answer.field("accept-encoding"), Some("identity"));
            // Who waits before it sends the body need not send it.
            let mut machine = machine();
            let mut caller = Caller::open(&mut machine);
            let fields = format!("{fields}expect: 100-continue\r\ncontent-length: 9\r\n");
            caller.send(&mut machine, &request("POST", path, &fields, ""));
            assert_eq!(caller.answers()[0].status, 415, "{fields}");
        }
    }
    // A body of another type is another matter, and reading has none.
    let text = "content-type: text/plain\r\n";
    let answer = ask(&mut machine(), "POST", "/v1/translations", text, JOB);
    assert_eq!(answer.field("accept-encoding"), None);
    let gzip = "content-encoding: gzip\r\n";
    let claim = ask(&mut machine(), "POST", "/v1/work/claim", gzip, "");
    assert_eq!(
        claim.status, 409,
        "there is nothing that could be compressed"
    );
    assert_eq!(ask(&mut machine(), "GET", "/healthz", gzip, "").status, 200);
}

#[test]
fn what_is_no_json_is_refused_where_it_stops_being_json() {
    for (body, offset) in [
        ("{", Some(1)),
        (" {}x", Some(3)),
        (r#"{"a":1,}"#, Some(7)),
        (r#"{"a":01}"#, Some(6)),
        (r#"{"a":"\x"}"#, Some(7)),
        ("{\"a\":\"\n\"}", Some(6)),
        (r#"{"video_url":"\ud800"}"#, Some(14)),
        ("\u{feff}{}", Some(0)),
        ("nul", Some(3)),
        ("[]", None),
        ("null", None),
        (r#""{}""#, None),
        ("1", None),
    ] {
        for (method, path) in [("POST", "/v1/translations"), ("POST", "/v1/webhooks")] {
            let answer = call(&mut machine(), method, path, body);
            check_problem(&answer, 400, "invalid_json", None);
            assert_eq!(answer.json()["offset"].as_u64(), offset, "{body}");
        }
    }
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(40), "]".repeat(40));
    let answer = call(&mut machine(), "POST", "/v1/translations", &deep);
    check_problem(&answer, 400, "invalid_json", None);
    assert_eq!(
        answer.json()["detail"],
        "The body is not JSON: arrays and objects are nested too deeply."
    );
    let answer = call(&mut machine(), "POST", "/v1/translations", "");
    check_problem(&answer, 400, "invalid_json", None);
}

/// `base` with one member replaced, added or (null in `value` is JSON's null) set.
fn with(base: &str, name: &str, value: &Value) -> String {
    let mut object: Value = serde_json::from_str(base).unwrap();
    object[name] = value.clone();
    object.to_string()
}

fn without(base: &str, name: &str) -> String {
    let mut object: Value = serde_json::from_str(base).unwrap();
    object.as_object_mut().unwrap().remove(name);
    object.to_string()
}

#[test]
fn every_member_of_a_translation_is_checked() {
    let check = |body: &str, field: &str, code: &str| {
        let mut machine = machine();
        let answer = call(&mut machine, "POST", "/v1/translations", body);
        check_problem(&answer, 422, code, Some(field));
        assert_eq!(machine.server.service().jobs_len(), 0);
    };
    let long = format!("https://example.test/{}", "a".repeat(120));
    let is = "invalid_request";
    for name in ["video_url", "target_language"] {
        check(&without(JOB, name), name, is);
        check(&with(JOB, name, &Value::Null), name, is);
    }
    for name in [
        "video_url",
        "target_language",
        "source_language",
        "callback_url",
        "reference",
    ] {
        for wrong in [json!(1), json!(true), json!([]), json!({}), json!(["x"])] {
            check(&with(JOB, name, &wrong), name, is);
        }
    }
    for url in [
        "",
        "x",
        "/a.mp4",
        "a b:c",
        "https://ex ample/",
        "https://a/\u{e9}",
        "ht\ntp://a",
        &long,
    ] {
        check(&with(JOB, "video_url", &json!(url)), "video_url", is);
    }
    for tag in [
        "",
        "e",
        "es_ES",
        "es-",
        "-es",
        "e s",
        "\u{65}\u{301}s",
        "abcdefghi",
        &"es-".repeat(20),
    ] {
        check(
            &with(JOB, "target_language", &json!(tag)),
            "target_language",
            is,
        );
        check(
            &with(JOB, "source_language", &json!(tag)),
            "source_language",
            is,
        );
    }
    check(
        &with(JOB, "reference", &json!("x".repeat(33))),
        "reference",
        is,
    );
    for url in [
        "",
        "x",
        "ftp://a/",
        "http://",
        "http://u:p@a/",
        "http://a/#f",
        "http://a:0/",
        "http://a /",
        &long,
    ] {
        check(&with(JOB, "callback_url", &json!(url)), "callback_url", is);
    }
    for url in [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest",
        "https://[fe80::1]/",
        "http://[::ffff:10.0.0.1]/",
    ] {
        check(
            &with(JOB, "callback_url", &json!(url)),
            "callback_url",
            "callback_blocked",
        );
    }
}

#[test]
fn every_member_of_a_webhook_is_checked() {
    let check = |body: &str, field: &str, code: &str| {
        let mut machine = machine();
        let answer = call(&mut machine, "POST", "/v1/webhooks", body);
        check_problem(&answer, 422, code, Some(field));
        assert_eq!(machine.server.service().endpoints_len(), 0);
        // What a change has too is checked as well, and changes nothing.
        if !matches!(field, "secret" | "job") && without(HOOK, "url") != body {
            let (path, _) = new_hook(&mut machine, HOOK);
            let before = call(&mut machine, "GET", &path, "").json();
            if body.contains("\"url\":null") {
                return;
            }
            let answer = call(&mut machine, "PATCH", &path, body);
            check_problem(&answer, 422, code, Some(field));
            assert_eq!(call(&mut machine, "GET", &path, "").json(), before);
        }
    };
    let is = "invalid_request";
    check(&without(HOOK, "url"), "url", is);
    check(&with(HOOK, "url", &Value::Null), "url", is);
    for name in ["url", "description", "secret", "job"] {
        for wrong in [json!(1), json!(false), json!([]), json!({})] {
            check(&with(HOOK, name, &wrong), name, is);
        }
    }
    check(
        &with(HOOK, "url", &json!("http://10.0.0.1/")),
        "url",
        "callback_blocked",
    );
    check(
        &with(HOOK, "description", &json!("x".repeat(33))),
        "description",
        is,
    );
    for events in [
        json!("*"),
        json!(1),
        json!({}),
        json!([]),
        json!([1]),
        json!(["translation"]),
        json!(["translation.done"]),
        json!(["*", "x"]),
        json!(["Translation.completed"]),
    ] {
        check(&with(HOOK, "events", &events), "events", is);
    }
    for secret in [
        "",
        "x",
        "whsec_",
        "whsec_AAAA",
        "whsec_!!!!",
        &format!("whsec_{}", "A".repeat(88)),
    ] {
        check(&with(HOOK, "secret", &json!(secret)), "secret", is);
    }
    for job in ["", "x", "job_00000000000000000000000000"] {
        check(&with(HOOK, "job", &json!(job)), "job", is);
    }
}

#[test]
fn enabled_is_true_or_false() {
    let mut machine = machine();
    let (path, _) = new_hook(&mut machine, HOOK);
    for wrong in [json!(0), json!("true"), json!([])] {
        let body = json!({ "enabled": wrong }).to_string();
        let answer = call(&mut machine, "PATCH", &path, &body);
        check_problem(&answer, 422, "invalid_request", Some("enabled"));
    }
}

#[test]
fn what_is_redelivered_is_since_a_time_or_one_event() {
    let mut machine = machine();
    let (path, _) = new_hook(&mut machine, HOOK);
    let path = format!("{path}/redeliver");
    for (member, wrong) in [
        ("since", json!(0)),
        ("since", json!("")),
        ("since", json!("yesterday")),
        ("since", json!("2026-13-01T00:00:00Z")),
        ("since", json!([])),
        ("event", json!(0)),
        ("event", json!("")),
        ("event", json!("evt_")),
        ("event", json!("job_00000000000000000000000001")),
        ("event", json!([])),
    ] {
        let body = json!({ member: wrong }).to_string();
        let answer = call(&mut machine, "POST", &path, &body);
        check_problem(&answer, 422, "invalid_request", Some(member));
    }
    for right in [
        "{}",
        r#"{"since":null,"event":null}"#,
        r#"{"since":"2026-11-24T09:00:00Z"}"#,
        r#"{"event":"evt_00000000000000000000000001"}"#,
        "",
    ] {
        let answer = call(&mut machine, "POST", &path, right);
        assert_eq!(
            (answer.status, answer.json()),
            (202, json!({"redelivered": 0}))
        );
    }
}

#[test]
fn a_member_that_is_known_may_stand_once_and_others_are_passed_over() {
    let mut machine = machine();
    let (path, _) = new_hook(&mut machine, HOOK);
    for (method, path, body, field) in [
        (
            "POST",
            "/v1/translations",
            r#"{"video_url":"a:b","video_url":"a:b","target_language":"es"}"#,
            "video_url",
        ),
        (
            "POST",
            "/v1/translations",
            r#"{"video_url":"a:b","video\u005furl":"a:c","target_language":"es"}"#,
            "video_url",
        ),
        (
            "POST",
            "/v1/translations",
            r#"{"reference":null,"reference":"x","video_url":"a:b","target_language":"es"}"#,
            "reference",
        ),
        (
            "POST",
            "/v1/webhooks",
            r#"{"url":"http://127.0.0.1/","url":"http://127.0.0.1/"}"#,
            "url",
        ),
        (
            "PATCH",
            &path,
            r#"{"enabled":true,"enabled":true}"#,
            "enabled",
        ),
        (
            "POST",
            &format!("{path}/redeliver"),
            r#"{"since":null,"since":null}"#,
            "since",
        ),
    ] {
        let answer = call(&mut machine, method, path, body);
        check_problem(&answer, 422, "invalid_request", Some(field));
    }
    let more =
        r#"{"x":{"video_url":1},"x":[],"video_url":"a:b","target_language":"es","y":"\u0000"}"#;
    assert_eq!(
        call(&mut machine, "POST", "/v1/translations", more).status,
        202
    );
}

#[test]
fn strings_are_stored_as_what_they_mean() {
    for (member, written, meant) in [
        (
            "video_url",
            r#""https:\/\/example.test\/v.mp4""#,
            "https://example.test/v.mp4",
        ),
        (
            "video_url",
            r#""\u0068ttps://example.test/\u0041""#,
            "https://example.test/A",
        ),
        ("target_language", r#""\u0065s""#, "es"),
        ("source_language", r#""pt\u002dBR""#, "pt-BR"),
        ("reference", r#""caf\u00e9""#, "café"),
        ("reference", "\"café\"", "café"),
        ("reference", r#""\ud83d\ude00 😀""#, "😀 😀"),
        (
            "reference",
            r#""\"\\\/\b\f\n\r\t""#,
            "\"\\/\u{8}\u{c}\n\r\t",
        ),
        (
            "reference",
            r#""\u0000\u001f\u007f\u2028""#,
            "\0\u{1f}\u{7f}\u{2028}",
        ),
        ("reference", r#""""#, ""),
    ] {
        let mut machine = machine();
        let others = without(JOB, member);
        let body = format!("{},\"{member}\":{written}}}", others.trim_end_matches('}'));
        let answer = call(&mut machine, "POST", "/v1/translations", &body);
        assert_eq!(answer.status, 202, "{body}: {}", answer.json());
        assert_eq!(answer.json()[member], meant);
        let path = answer.field("location").unwrap();
        assert_eq!(call(&mut machine, "GET", path, "").json()[member], meant);
        assert_eq!(
            call(&mut machine, "GET", "/v1/translations", "").json()["data"][0][member],
            meant
        );
    }
    let mut machine = machine();
    let (path, _) = new_hook(
        &mut machine,
        r#"{"url":"http:\/\/127.0.0.1\/\u0061","description":"\u00e9\"","events":["translation.\u0065rror"]}"#,
    );
    let hook = call(&mut machine, "GET", &path, "").json();
    assert_eq!(
        (&hook["url"], &hook["description"], &hook["events"]),
        (
            &json!("http://127.0.0.1/a"),
            &json!("é\""),
            &json!(["translation.error"])
        )
    );
}

/// A machine whose outputs are no larger than they must be, with a job whose strings are at their longest.
#[test]
fn the_largest_answer_fits_the_smallest_output() {
    for ending in [Report::Completed as fn(&'static str) -> _, Report::Failed] {
        let mut config = config();
        config.http.body_bytes_max = 2_048;
        let mut machine = Machine::sized::<4, 4, 4>(config);
        let url = |start: &str| format!("{start}{}", "a".repeat(120 - start.len()));
        let quotes = "\\u0001".repeat(32);
        let job = format!(
            r#"{{"video_url":"{}","callback_url":"{}","reference":"{quotes}","target_language":"{}","source_language":"{}"}}"#,
            url("a:"),
            url("http://127.0.0.1:3120/"),
            "es-abcdefgh-bcdefghi-cdefghij",
            "es-abcdefgh-bcdefghi-cdefghij",
        );
        let answer = call(&mut machine, "POST", "/v1/translations", &job);
        assert_eq!(answer.status, 202, "{}", answer.json());
        let path = answer.field("location").unwrap();
        let hook = format!(
            r#"{{"url":"{}","description":"{quotes}","job":"{}","events":["translation.pending","translation.processing","translation.progress","translation.completed","translation.error"]}}"#,
            url("http://127.0.0.1:3120/"),
            path.rsplit('/').next().unwrap(),
        );
        let (hook, _) = new_hook(&mut machine, &hook);
        let id = machine.start_job().unwrap();
        let longest: &'static str = "\u{1}".repeat(120).leak();
        // An output is a URL, whatever a worker says.
        assert!(machine.try_report(id, Report::Completed(longest)).is_err());
        assert!(machine.try_report(id, Report::Completed("no url")).is_err());
        assert!(
            machine
                .try_report(
                    id,
                    Report::Completed(url("a:b").replace("aaa", "aaaa").leak())
                )
                .is_err()
        );
        let ending = match ending("a:b") {
            Report::Completed(_) => Report::Completed(url("a:").leak()),
            _ => Report::Failed(longest),
        };
        machine.report(id, ending);
        for path in [path, "/v1/translations", &hook, "/v1/webhooks"] {
            let answer = call(&mut machine, "GET", path, "");
            assert_eq!(answer.status, 200, "{path}");
        }
        while let Some((attempt, _)) = machine.attempt() {
            machine.settle(&attempt, 200);
        }
    }
}
