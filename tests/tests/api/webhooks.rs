//! Webhooks: registered, changed, tried, and told the truth.

use crate::{HOOK, JOB, call, check_problem, new_hook, new_job};
use dubhook_core::{
    delivery::Verdict,
    service::Report,
    signature::{Headers, Secret, TOLERANCE_S, VerifyError, verify},
};
use dubhook_tests::machine::{Machine, Records, at, body, field};
use serde_json::json;

fn machine() -> Machine {
    Machine::durable(1, Records::new(), at(0))
}

/// Whether a delivery's signature fits one of these secrets.
fn is_signed(machine: &Machine, request: &str, secret: &str) -> bool {
    let key = Secret::parse(secret).unwrap().signing_key();
    let (_, payload) = request.split_once("\r\n\r\n").unwrap();
    let headers = Headers {
        id: field(request, "webhook-id").as_bytes(),
        timestamp: field(request, "webhook-timestamp").as_bytes(),
        signature: field(request, "webhook-signature").as_bytes(),
    };
    let result: Result<_, VerifyError> = verify(
        &headers,
        payload.as_bytes(),
        [&key],
        machine.now.timestamp,
        TOLERANCE_S,
    );
    result.is_ok()
}

/// Takes every attempt that may be made and answers it with `status`. Returns the requests.
fn deliver_all(machine: &mut Machine, status: u16) -> Vec<String> {
    machine.commit();
    let mut requests = Vec::new();
    while let Some((attempt, request)) = machine.attempt() {
        machine.settle(&attempt, status);
        machine.commit();
        requests.push(request);
    }
    requests
}

fn types(requests: &[String]) -> Vec<String> {
    requests
        .iter()
        .map(|request| body(request)["type"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_secret_is_shown_when_it_is_made_and_never_again() {
    let mut machine = machine();
    let own = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let (path, secret) = new_hook(
        &mut machine,
        &HOOK.replace('}', &format!(r#","secret":"{own}"}}"#)),
    );
    assert_eq!(secret, own);
    let (other, made) = new_hook(&mut machine, HOOK);
    assert!(made.starts_with("whsec_") && made != own);
    for (method, path, body) in [
        ("GET", path.as_str(), ""),
        ("GET", "/v1/webhooks", ""),
        ("PATCH", &path, r#"{"description":"x","secret":"x"}"#),
        ("POST", &format!("{path}/test"), ""),
        ("GET", &format!("{path}/attempts"), ""),
        ("GET", &other, ""),
    ] {
        let answer = call(&mut machine, method, path, body);
        assert!(answer.status < 300);
        let text = String::from_utf8(answer.body).unwrap();
        assert!(
            !text.contains("whsec_") && !text.contains("secret"),
            "{method} {path}: {text}"
        );
    }
    let debug = format!("{:?}", machine.server);
    assert!(!debug.contains("whsec_") && !debug.contains("MDEyMzQ1"));
}

#[test]
fn a_rotated_secret_is_new_and_the_old_one_signs_for_a_day() {
    let mut machine = machine();
    let (path, old) = new_hook(&mut machine, HOOK);
    let answer = call(&mut machine, "POST", &format!("{path}/rotate-secret"), "");
    assert_eq!(answer.status, 200);
    let new = answer.json()["secret"].as_str().unwrap().to_owned();
    assert_ne!(new, old);
    let test = format!("{path}/test");
    for (hours, old_signs) in [(0, true), (23, true), (25, false)] {
        machine.advance_ms(hours * 3_600_000 - machine.now.instant.as_ms().min(hours * 3_600_000));
        assert_eq!(call(&mut machine, "POST", &test, "").status, 202);
        let sent = deliver_all(&mut machine, 200);
        assert_eq!(sent.len(), 1);
        assert!(is_signed(&machine, &sent[0], &new));
        assert_eq!(
            is_signed(&machine, &sent[0], &old),
            old_signs,
            "after {hours} h"
        );
    }
}

#[test]
fn a_change_changes_what_it_names_and_nothing_else() {
    let mut machine = machine();
    let (path, _) = new_hook(&mut machine, HOOK);
    let mut expect = call(&mut machine, "GET", &path, "").json();
    assert_eq!(
        (&expect["events"], &expect["enabled"]),
        (&json!(["*"]), &json!(true))
    );
    assert_eq!(
        (&expect["disabled_reason"], &expect["job"]),
        (&json!(null), &json!(null))
    );
    for (name, value) in [
        ("description", json!("é 😀")),
        ("url", json!("http://127.0.0.1:3121/other?x=y")),
        (
            "events",
            json!(["translation.completed", "translation.error"]),
        ),
        ("enabled", json!(false)),
        ("enabled", json!(true)),
        ("events", json!(["translation.*"])),
        ("description", json!("")),
    ] {
        let answer = call(
            &mut machine,
            "PATCH",
            &path,
            &json!({ name: value }).to_string(),
        );
        assert_eq!(answer.status, 200, "{name}: {}", answer.json());
        expect[name] = value.clone();
        let disabled = expect["enabled"] == false;
        expect["disabled_reason"] = answer.json()["disabled_reason"].clone();
        assert_eq!(expect["disabled_reason"].is_string(), disabled);
        assert_eq!(answer.json(), expect);
        assert_eq!(call(&mut machine, "GET", &path, "").json(), expect);
        assert_eq!(
            call(&mut machine, "GET", "/v1/webhooks", "").json()["data"][0],
            expect
        );
    }
    let answer = call(&mut machine, "PATCH", &path, "{}");
    assert_eq!((answer.status, answer.json()), (200, expect));
}

#[test]
fn a_disabled_webhook_is_sent_nothing() {
    let mut machine = machine();
    let (path, _) = new_hook(&mut machine, HOOK);
    call(&mut machine, "PATCH", &path, r#"{"enabled":false}"#);
    new_job(&mut machine);
    assert!(deliver_all(&mut machine, 200).is_empty());
    for action in ["test", "redeliver"] {
        let answer = call(&mut machine, "POST", &format!("{path}/{action}"), "");
        check_problem(&answer, 409, "webhook_disabled", None);
    }
    let answer = call(&mut machine, "PATCH", &path, r#"{"enabled":true}"#);
    assert_eq!(answer.json()["enabled"], true);
    new_job(&mut machine);
    assert_eq!(
        types(&deliver_all(&mut machine, 200)),
        ["translation.pending"]
    );
}

#[test]
fn a_webhook_is_sent_what_it_wants() {
    for (events, expect) in [
        (
            r#"["*"]"#,
            &[
                "translation.pending",
                "translation.processing",
                "translation.completed",
            ][..],
        ),
        (
            r#"["translation.*"]"#,
            &[
                "translation.pending",
                "translation.processing",
                "translation.completed",
            ],
        ),
        (r#"["translation.completed"]"#, &["translation.completed"]),
        (r#"["translation.error","translation.canceled"]"#, &[]),
        (
            r#"["translation.pending","translation.pending"]"#,
            &["translation.pending"],
        ),
    ] {
        let mut machine = machine();
        new_hook(
            &mut machine,
            &HOOK.replace('}', &format!(r#","events":{events}}}"#)),
        );
        new_job(&mut machine);
        let id = machine.start_job().unwrap();
        machine.report(id, Report::Completed("file:///o.mp4"));
        assert_eq!(types(&deliver_all(&mut machine, 200)), expect, "{events}");
    }
}

#[test]
fn a_test_is_sent_and_shows_among_the_attempts() {
    let mut machine = machine();
    let (path, secret) = new_hook(&mut machine, HOOK);
    let answer = call(&mut machine, "POST", &format!("{path}/test"), "");
    assert_eq!(answer.status, 202);
    let event = answer.json()["event"].as_str().unwrap().to_owned();
    assert!(event.starts_with("evt_"));
    let sent = deliver_all(&mut machine, 500);
    assert_eq!(types(&sent), ["webhook.test"]);
    assert_eq!(field(&sent[0], "webhook-id"), event);
    assert!(is_signed(&machine, &sent[0], &secret));
    let attempts = call(&mut machine, "GET", &format!("{path}/attempts"), "").json();
    let line = &attempts["data"][0];
    assert_eq!(
        (
            &line["event"],
            &line["type"],
            &line["status"],
            &line["attempt"]
        ),
        (
            &json!(event),
            &json!("webhook.test"),
            &json!(500),
            &json!(1)
        )
    );
    assert!(line["error"].is_string() && line["duration_ms"] == 0);
    assert_eq!(line["at"], "2026-11-24T09:00:00.000Z");
}

#[test]
fn what_was_given_up_is_sent_again_on_request() {
    let mut machine = machine();
    let (path, _) = new_hook(
        &mut machine,
        &HOOK.replace('}', r#","events":["translation.pending"]}"#),
    );
    new_job(&mut machine);
    let first = deliver_all(&mut machine, 500);
    for _ in 0..20 {
        machine.advance_ms(12 * 3_600_000);
        deliver_all(&mut machine, 500);
    }
    let redeliver = format!("{path}/redeliver");
    let later = r#"{"since":"2030-01-01T00:00:00Z"}"#;
    let enabled = call(&mut machine, "GET", &path, "").json();
    if enabled["enabled"] == false {
        call(&mut machine, "PATCH", &path, r#"{"enabled":true}"#);
    }
    assert_eq!(
        call(&mut machine, "POST", &redeliver, later).json(),
        json!({"redelivered": 0})
    );
    let answer = call(&mut machine, "POST", &redeliver, "").json();
    let again = deliver_all(&mut machine, 200);
    assert_eq!(answer["redelivered"], again.len(), "{enabled}");
    for request in &again {
        assert_eq!(field(request, "webhook-id"), field(&first[0], "webhook-id"));
        assert_eq!(body(request), body(&first[0]));
    }
    assert_eq!(
        call(&mut machine, "POST", &redeliver, "").json(),
        json!({"redelivered": 0})
    );
}

#[test]
fn one_event_alone_is_sent_again_on_request() {
    let mut machine = machine();
    let (path, _) = new_hook(
        &mut machine,
        &HOOK.replace('}', r#","events":["translation.pending"]}"#),
    );
    let mut ids = Vec::new();
    for _ in 0..3 {
        new_job(&mut machine);
        machine.commit();
        let (attempt, request) = machine.attempt().expect("an attempt");
        ids.push(field(&request, "webhook-id").to_owned());
        machine.settle(&attempt, 410);
        // What it is owed was given up with the endpoint.
        call(&mut machine, "PATCH", &path, r#"{"enabled":true}"#);
    }
    let redeliver = format!("{path}/redeliver");
    for (at, since, count) in [
        (1, "2026-11-24T09:00:00Z", 1),
        (1, "2026-11-24T09:00:00Z", 0),
        (0, "2030-01-01T00:00:00Z", 0),
        (0, "2026-11-24T09:00:00Z", 1),
    ] {
        let body = json!({"event": ids[at], "since": since}).to_string();
        let answer = call(&mut machine, "POST", &redeliver, &body);
        assert_eq!(answer.json(), json!({"redelivered": count}), "{at} {since}");
        let again = deliver_all(&mut machine, 200);
        assert_eq!(again.len(), count);
        for request in &again {
            assert_eq!(field(request, "webhook-id"), ids[at]);
        }
    }
    let rest = call(&mut machine, "POST", &redeliver, "");
    assert_eq!(rest.json(), json!({"redelivered": 1}));
}

#[test]
fn a_webhook_for_one_job_says_how_it_stands_and_is_sent_an_ending_at_once() {
    for ended in [false, true] {
        let mut machine = machine();
        let job = new_job(&mut machine);
        new_job(&mut machine);
        let job_id = job.rsplit('/').next().unwrap();
        let id = machine.start_job().unwrap();
        if ended {
            machine.report(id, Report::Completed("file:///o.mp4"));
        }
        machine.commit();
        let narrowed = HOOK.replace('}', &format!(r#","job":"{job_id}"}}"#));
        let answer = call(&mut machine, "POST", "/v1/webhooks", &narrowed);
        let (status, sequence) = if ended {
            ("completed", 3)
        } else {
            ("processing", 2)
        };
        let hook = answer.json();
        assert_eq!(
            (&hook["job"], &hook["status"], &hook["sequence"]),
            (&json!(job_id), &json!(status), &json!(sequence))
        );
        let sent = deliver_all(&mut machine, 200);
        if ended {
            assert_eq!(types(&sent), ["translation.completed"]);
            assert_eq!(body(&sent[0])["data"]["sequence"], 3);
            assert_eq!(
                body(&sent[0])["data"],
                call(&mut machine, "GET", &job, "").json()
            );
        } else {
            assert!(sent.is_empty());
            machine.report(id, Report::Failed("no"));
            assert_eq!(
                types(&deliver_all(&mut machine, 200)),
                ["translation.error"]
            );
        }
        // Another job's events are not its business.
        let other = machine.start_job().unwrap();
        machine.report(other, Report::Failed("no"));
        assert!(deliver_all(&mut machine, 200).is_empty());
    }
}

#[test]
fn a_callback_is_signed_with_the_secret_that_its_asker_was_given() {
    let mut machine = machine();
    let body_text = JOB.replace('}', r#","callback_url":"http://127.0.0.1:3121/cb"}"#);
    let answer = call(&mut machine, "POST", "/v1/translations", &body_text);
    let secret = answer.json()["callback_secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = answer.field("location").unwrap();
    let shown = String::from_utf8(call(&mut machine, "GET", path, "").body).unwrap();
    assert!(!shown.contains("secret"), "{shown}");
    let id = machine.start_job().unwrap();
    machine.report(id, Report::Failed("The video has no sound."));
    let sent = deliver_all(&mut machine, 200);
    assert_eq!(
        types(&sent),
        [
            "translation.pending",
            "translation.processing",
            "translation.error"
        ]
    );
    for request in &sent {
        assert!(request.starts_with("POST /cb HTTP/1.1\r\nhost: 127.0.0.1:3121\r\n"));
        assert!(is_signed(&machine, request, &secret));
        assert!(!request.contains("whsec_"));
    }
    // Without a callback there is no secret to show.
    let answer = call(&mut machine, "POST", "/v1/translations", JOB);
    assert_eq!(answer.json().get("callback_secret"), None);
}

#[test]
fn an_ended_job_cannot_be_called_off() {
    let mut machine = machine();
    let job = new_job(&mut machine);
    let cancel = format!("{job}/cancel");
    let answer = call(&mut machine, "POST", &cancel, "");
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (200, &json!("canceled"))
    );
    for _ in 0..2 {
        check_problem(
            &call(&mut machine, "POST", &cancel, ""),
            409,
            "job_ended",
            None,
        );
    }
    assert_eq!(
        call(&mut machine, "GET", "/status", "").json(),
        json!({"status": "error"})
    );
}

#[test]
fn a_webhook_that_is_gone_takes_no_more_and_a_410_ends_it() {
    let mut machine = machine();
    let (path, _) = new_hook(&mut machine, HOOK);
    call(&mut machine, "POST", &format!("{path}/test"), "");
    machine.commit();
    let (attempt, _) = machine.attempt().unwrap();
    let settled = machine.settle(&attempt, 410).unwrap();
    assert!(settled.disabled.is_some() && settled.verdict != Verdict::Delivered);
    machine.commit();
    let hook = call(&mut machine, "GET", &path, "").json();
    assert_eq!(hook["enabled"], false);
    assert!(hook["disabled_reason"].is_string());
}

#[test]
fn a_disabled_webhook_for_one_job_leaves_with_it_and_never_takes_up_another() {
    let mut machine = machine();
    let job = new_job(&mut machine);
    let job_id = job.rsplit('/').next().unwrap();
    let (hook, _) = new_hook(
        &mut machine,
        &HOOK.replace('}', &format!(r#","job":"{job_id}"}}"#)),
    );
    for enabled in ["false", "true", "false"] {
        let body = format!(r#"{{"enabled":{enabled}}}"#);
        assert_eq!(call(&mut machine, "PATCH", &hook, &body).status, 200);
    }
    machine.commit();
    let mut machine = Machine::durable(2, machine.records, machine.now);
    let id = machine.start_job().unwrap();
    machine.report(id, Report::Failed("no"));
    machine.commit();
    assert_eq!(
        call(&mut machine, "GET", &hook, "").json()["status"],
        "error"
    );
    // Sixteen others want its room; one of them has its slot.
    for _ in 0..16 {
        new_job(&mut machine);
    }
    assert_eq!(call(&mut machine, "GET", &job, "").status, 404);
    assert_eq!(call(&mut machine, "GET", &hook, "").status, 404);
    machine.advance_ms(1);
    assert_eq!(machine.server.service().endpoints_len(), 0);
}

#[test]
fn an_event_is_sent_though_a_dead_letter_of_its_own_job_must_make_room_for_it() {
    let mut machine = machine();
    new_hook(&mut machine, HOOK);
    new_job(&mut machine);
    // The oldest dead letter is the job's own first event.
    assert_eq!(
        types(&deliver_all(&mut machine, 410)),
        ["translation.pending"]
    );
    machine.advance_ms(1);
    let (hook, _) = new_hook(&mut machine, HOOK);
    // Tests that nobody took fill every other one of the 32 slots there are.
    while machine.server.service().outbox().dead_letters() < 32 {
        assert_eq!(
            call(&mut machine, "PATCH", &hook, r#"{"enabled":true}"#).status,
            200
        );
        assert_eq!(
            call(&mut machine, "POST", &format!("{hook}/test"), "").status,
            202
        );
        deliver_all(&mut machine, 410);
        machine.advance_ms(1);
    }
    call(&mut machine, "PATCH", &hook, r#"{"enabled":true}"#);
    let id = machine.start_job().unwrap();
    assert_eq!(
        types(&deliver_all(&mut machine, 200)),
        ["translation.processing"]
    );
    machine.report(id, Report::Completed("file:///o.mp4"));
    let sent = deliver_all(&mut machine, 200);
    assert_eq!(types(&sent), ["translation.completed"]);
}
