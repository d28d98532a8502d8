//! What a server machine answers with whatever features it was built with: what is left out is not there, and nothing
//! half works.
#![allow(
    clippy::unwrap_used,
    reason = "what a test calls may fail as the test itself may"
)]

use dubhook_core::{
    http::RecvBuf,
    out::Out,
    record::Keep,
    server::{Config, Server, ServerStorage},
    time::{Instant, Now, Timestamp},
};

const NOW: Now = Now {
    instant: Instant::ZERO,
    timestamp: Timestamp::from_unix_ms(1_795_510_800_000),
};
/// A callback that no guard lets through: a cloud's metadata service.
const TO_METADATA: &str = r#"{"video_url":"https://v.test/1","target_language":"es","callback_url":"http://169.254.169.254/"}"#;
const WEBHOOK: &str = r#"{"url":"https://hooks.example.com/"}"#;
const IN_WORDS: &str = r#"{"video_url":"https://v.test/1","target_language":"spanish"}"#;
const TRANSLATION: &str = r#"{"video_url":"https://v.test/1","target_language":"es"}"#;

/// The answer of a fresh server to the last of these requests: method, path, further fields, body.
fn answer(requests: &[(&str, &str, &str, &str)]) -> String {
    let mut memory = Box::new(ServerStorage::<2, 2, 1, 1>::new());
    let mut server = Server::new(memory.lend(Keep::Nothing), Config::DEVICE, [7; 32]).unwrap();
    let conn = server.accept(NOW).unwrap();
    let mut answered = String::new();
    for (method, path, fields, body) in requests {
        let mut bytes = format!(
            "{method} {path} HTTP/1.1\r\nhost: here\r\n{fields}content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes();
        let len = bytes.len();
        let mut output = [0; Config::DEVICE.answer_bytes_max()];
        let mut out = Out::new(&mut output);
        let mut input = RecvBuf::new(&mut bytes, len);
        let _ = server.drive(NOW, conn, &mut input, &mut out).unwrap();
        answered = String::from_utf8(out.written().to_vec()).unwrap();
    }
    answered
}

/// What a request is answered with where what it needs is there, and where it is not.
#[track_caller]
fn check(is_there: bool, request: (&str, &str, &str, &str), with: &str, without: &str) {
    let answer = answer(&[request]);
    let expect = if is_there { with } else { without };
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {expect} ")),
        "{request:?}: {answer}"
    );
    let to_people = cfg!(feature = "problem-details");
    if expect.starts_with('4') {
        assert!(answer.contains(r#","code":""#), "{answer}");
        assert_eq!(answer.contains(r#""detail":"#), to_people, "{answer}");
    }
}

#[test]
fn what_is_left_out_is_answered_like_what_never_was() {
    let (webhooks, lists) = (cfg!(feature = "webhook-api"), cfg!(feature = "lists"));
    check(
        webhooks,
        ("POST", "/v1/webhooks", "", WEBHOOK),
        "201",
        "404",
    );
    let changed = ("PATCH", "/v1/webhooks/ep_1", "", "{}");
    check(webhooks, changed, "404", "404");
    check(lists, ("GET", "/v1/translations", "", ""), "200", "405");
    let listed = ("GET", "/v1/webhooks", "", "");
    check(
        lists,
        listed,
        if webhooks { "200" } else { "404" },
        if webhooks { "405" } else { "404" },
    );
    check(
        true,
        ("POST", "/v1/translations", "", TRANSLATION),
        "202",
        "",
    );
    check(true, ("GET", "/status", "", ""), "404", "");
}

#[test]
fn what_is_below_a_webhook_is_there_as_it_was_built() {
    let webhooks = cfg!(feature = "webhook-api");
    let (lists, redelivery) = (cfg!(feature = "lists"), cfg!(feature = "redelivery"));
    for (method, below, is_there) in [
        ("GET", "attempts", webhooks && lists),
        ("POST", "redeliver", webhooks && redelivery),
        ("POST", "rotate-secret", webhooks),
        ("POST", "test", webhooks),
    ] {
        let path = format!("/v1/webhooks/ep_1/{below}");
        let answer = answer(&[(method, &path, "", "")]);
        let code = if is_there {
            r#""webhook_not_found""#
        } else {
            r#""not_found""#
        };
        assert!(answer.contains(code), "{path}: {answer}");
    }
}

#[test]
fn a_machine_is_as_strict_as_it_was_built() {
    let post = |body| ("POST", "/v1/translations", "", body);
    check(cfg!(feature = "guard"), post(TO_METADATA), "422", "202");
    check(cfg!(feature = "language"), post(IN_WORDS), "422", "202");
    let unsafe_tag = r#"{"video_url":"https://v.test/1","target_language":"e\"s"}"#;
    check(true, post(unsafe_tag), "422", "");
}

#[test]
fn a_repeated_request_makes_a_second_translation_where_keys_are_left_out() {
    let once = (
        "POST",
        "/v1/translations",
        "idempotency-key: once\r\n",
        TRANSLATION,
    );
    let location = |answer: &str| {
        let line = answer.lines().find(|line| line.starts_with("location: "));
        line.unwrap().to_owned()
    };
    let (first, second) = (answer(&[once]), answer(&[once, once]));
    let same = location(&first) == location(&second);
    assert_eq!(same, cfg!(feature = "idempotency"));
}
