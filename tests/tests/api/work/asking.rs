//! Who may claim and report, and how what is said wrongly is refused.

use super::{CLAIM, claimed, machine, remote, report};
use crate::{call, check_problem, new_job};
use dubhook_core::server::ApiKey;
use dubhook_core::service::Report;
use dubhook_tests::caller::{ask, config_with_keys};
use dubhook_tests::machine::{Machine, Records, at, config};
use serde_json::json;

#[test]
fn a_server_with_its_own_translator_has_no_remote_workers() {
    let mut machine = Machine::durable(1, Records::new(), at(0));
    let job = new_job(&mut machine);
    let id = machine.start_job().unwrap();
    let work = job.replace("translations", "work");
    for path in ["/v1/work/claim".to_owned()]
        .into_iter()
        .chain(["progress", "complete", "fail"].map(|what| format!("{work}/{what}")))
    {
        let answer = call(&mut machine, "POST", &path, "");
        check_problem(&answer, 409, "no_remote_workers", None);
    }
    machine.report(id, Report::Completed("file:///o.mp4"));
}

#[test]
fn workers_need_a_key_where_callers_do() {
    let keys: &'static [ApiKey] = vec![ApiKey::new("letmein")].leak();
    let mut machine = Machine::sized::<8, 4, 4>(remote(config_with_keys(keys)));
    let key = "authorization: Bearer letmein\r\n";
    for what in ["claim", "x/progress", "x/complete", "x/fail"] {
        let path = format!("/v1/work/{what}");
        let answer = ask(&mut machine, "POST", &path, "", "");
        check_problem(&answer, 401, "unauthorized", None);
        let answer = ask(&mut machine, "POST", &path, key, "");
        assert_ne!(answer.status, 401);
        let answer = ask(&mut machine, "GET", &path, key, "");
        check_problem(&answer, 405, "method_not_allowed", None);
        assert_eq!(answer.field("allow"), Some("POST, OPTIONS"));
    }
    for nothing in ["/v1/work", "/v1/work/x", "/v1/work/claim/x", "/v1/work/x/y"] {
        let answer = ask(&mut machine, "POST", nothing, key, "");
        check_problem(&answer, 404, "not_found", None);
    }
}

#[test]
fn what_a_report_says_wrongly_is_named() {
    const INVALID: &str = "invalid_request";
    let mut machine = machine();
    let job = new_job(&mut machine);
    let (work, lease) = claimed(&mut machine);
    report(
        &mut machine,
        &work,
        lease,
        "progress",
        &json!({"progress": 40}),
    );
    let long = "x".repeat(config().service.error_bytes_max + 1);
    let far = format!("https://{}", "x".repeat(config().service.url_bytes_max));
    for (what, body, field) in [
        ("progress", json!({"progress": 101}), "progress"),
        ("progress", json!({"progress": -1}), "progress"),
        ("progress", json!({"progress": 100.5}), "progress"),
        ("progress", json!({"progress": 1e300}), "progress"),
        ("progress", json!({"progress": -0.5}), "progress"),
        ("progress", json!({"progress": true}), "progress"),
        ("progress", json!({"progress": 39.9}), "progress"),
        ("progress", json!({"progress": "41"}), "progress"),
        ("progress", json!({"progress": 39}), "progress"),
        ("progress", json!({"lease": "2"}), "lease"),
        ("progress", json!({"lease": -2}), "lease"),
        ("progress", json!({"lease": 4_294_967_296_u64}), "lease"),
        ("complete", json!({}), "output_url"),
        ("complete", json!({"output_url": null}), "output_url"),
        ("complete", json!({"output_url": 1}), "output_url"),
        ("complete", json!({"output_url": "o.mp4"}), "output_url"),
        ("complete", json!({"output_url": ""}), "output_url"),
        ("complete", json!({"output_url": far}), "output_url"),
        ("fail", json!({"output_url": "https://o.test/1"}), "error"),
        ("fail", json!({"error": ["why"]}), "error"),
        ("fail", json!({"error": long}), "error"),
    ] {
        let answer = call(
            &mut machine,
            "POST",
            &format!("{work}/{what}"),
            &body.to_string(),
        );
        check_problem(&answer, 422, INVALID, Some(field));
    }
    let twice = r#"{"error":"a","error":"b"}"#;
    let answer = call(&mut machine, "POST", &format!("{work}/fail"), twice);
    check_problem(&answer, 422, INVALID, Some("error"));
    for (path, body, status, code) in [
        (format!("{work}/complete"), "", 400, "invalid_json"),
        (format!("{work}/progress"), "[1]", 400, "invalid_json"),
        (CLAIM.to_owned(), "[]", 400, "invalid_json"),
        (CLAIM.to_owned(), "{", 400, "invalid_json"),
        (
            "/v1/work/job_x/progress".to_owned(),
            "",
            404,
            "job_not_found",
        ),
    ] {
        let answer = call(&mut machine, "POST", &path, body);
        check_problem(&answer, status, code, None);
    }
    // Each says what is wrong with it.
    let fell = report(
        &mut machine,
        &work,
        lease,
        "progress",
        &json!({"progress": 3}),
    );
    assert_eq!(fell.json()["detail"], "It must not be less than before.");
    let job = call(&mut machine, "GET", &job, "").json();
    assert_eq!(
        (&job["status"], &job["progress"]),
        (&json!("processing"), &json!(40))
    );
}

#[test]
fn a_share_counts_in_any_spelling_and_what_is_between_two_is_not_reached_yet() {
    let mut machine = machine();
    new_job(&mut machine);
    let (work, lease) = claimed(&mut machine);
    for (share, expect) in [
        ("0.5", 0),
        ("4.2e1", 42),
        ("42.0", 42),
        ("42.9", 42),
        ("430e-1", 43),
        ("1e2", 100),
        ("100.0", 100),
    ] {
        let body = format!(r#"{{"progress":{share},"lease":{lease}}}"#);
        let answer = call(&mut machine, "POST", &format!("{work}/progress"), &body);
        assert_eq!(answer.status, 200, "{share}");
        assert_eq!(answer.json()["progress"], expect, "{share}");
    }
}

#[test]
fn the_longest_claim_has_room() {
    let limits = config().service;
    let mut machine = machine();
    let url = |len: usize| format!("https://v.test/{}", "v".repeat(len - 15));
    let reference = "\u{1}".repeat(limits.reference_bytes_max);
    let job = json!({
        "video_url": url(limits.url_bytes_max),
        "target_language": "es",
        "reference": reference,
        "callback_url": format!("http://127.0.0.1:3120/{}", "c".repeat(limits.callback_bytes_max - 22)),
    });
    assert_eq!(
        call(&mut machine, "POST", "/v1/translations", &job.to_string()).status,
        202
    );
    assert_eq!(
        call(&mut machine, "POST", CLAIM, "").json()["job"]["reference"],
        reference
    );
}
