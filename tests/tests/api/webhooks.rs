//! Webhooks: registered, changed, tried, and told the truth.

use crate::{HOOK, call, check_problem, deliver_all, durable, is_signed, new_hook, new_job, types};
use dubhook_core::{dispatch::Verdict, service::Report};
use dubhook_tests::machine::{Machine, body, field};
use serde_json::json;

#[test]
fn a_change_changes_what_it_names_and_nothing_else() {
    let mut machine = durable();
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
    let mut machine = durable();
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
        let mut machine = durable();
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
    let mut machine = durable();
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
fn a_webhook_for_one_job_says_how_it_stands_and_is_sent_an_ending_at_once() {
    for ended in [false, true] {
        let mut machine = durable();
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
fn an_ended_job_cannot_be_called_off() {
    let mut machine = durable();
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
    let mut machine = durable();
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
    let mut machine = durable();
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
