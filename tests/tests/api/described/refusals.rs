//! Refusals and limits that are described by their own, and not as whatever else may be wrong.

use crate::{call, check_problem, new_job};
use dubhook_core::{server::Config, service::Limits};
use dubhook_tests::described::{description, names, schema};
use dubhook_tests::machine::{Machine, config};

/// What has room for one connection that is held, and gives its jobs to remote workers.
fn machine() -> Machine {
    let mut config: Config<'static> = config();
    config.service.remote_workers = true;
    Machine::sized::<4, 4, 2>(config)
}

#[test]
fn who_follows_or_claims_is_refused_as_described() {
    let doc = description();
    let responses = |path: &str, method: &str| &doc["paths"][path][method]["responses"];
    let mut machine = machine();
    for query in ["job=x", "job=job_01m8hmbbfzenp8mfb755000005"] {
        let answer = call(&mut machine, "GET", &format!("/v1/events?{query}"), "");
        check_problem(&answer, 422, "invalid_request", Some("job"));
    }
    let described = names(responses("/v1/events", "get"));
    assert!(described.contains("422") && !described.contains("404"));
    let answer = call(&mut machine, "POST", "/v1/work/claim", "[]");
    check_problem(&answer, 400, "invalid_json", None);
    let described = names(responses("/v1/work/claim", "post"));
    for status in ["400", "415", "503"] {
        assert!(described.contains(status), "{status}");
    }
    let described = names(responses("/v1/translations/{id}", "get"));
    assert!(described.contains("503"), "no room for one more that waits");
}

#[test]
fn texts_may_be_as_long_as_is_described() {
    let doc = description();
    let longest = |name: &str, member: &str| {
        let longest = &schema(&doc, name)["properties"][member]["maxLength"];
        longest.as_u64().map(|bytes| bytes as usize)
    };
    let limits = Limits::SERVER;
    for (name, member, bytes_max) in [
        ("NewJob", "video_url", limits.url_bytes_max),
        ("NewJob", "callback_url", limits.callback_bytes_max),
        ("NewJob", "reference", limits.reference_bytes_max),
        ("NewWebhook", "url", limits.callback_bytes_max),
        ("NewWebhook", "description", limits.description_bytes_max),
        ("WebhookChange", "url", limits.callback_bytes_max),
        ("WebhookChange", "description", limits.description_bytes_max),
        ("WorkComplete", "output_url", limits.url_bytes_max),
        ("WorkFail", "error", limits.error_bytes_max),
    ] {
        assert_eq!(longest(name, member), Some(bytes_max), "{name}: {member}");
    }
    let mut machine = machine();
    let bytes_max = config().service.error_bytes_max;
    let job = new_job(&mut machine);
    let id = job.rsplit('/').next().expect("an id");
    assert_eq!(call(&mut machine, "POST", "/v1/work/claim", "").status, 200);
    let fail = |error: String| format!(r#"{{"error":"{error}"}}"#);
    let path = format!("/v1/work/{id}/fail");
    let answer = call(
        &mut machine,
        "POST",
        &path,
        &fail("x".repeat(bytes_max + 1)),
    );
    check_problem(&answer, 422, "invalid_request", Some("error"));
    let answer = call(&mut machine, "POST", &path, &fail("x".repeat(bytes_max)));
    assert_eq!(answer.status, 200);
}
