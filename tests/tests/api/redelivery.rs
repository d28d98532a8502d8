//! What was given up: kept, sent again on request, and never in the way of what is new.

use crate::{HOOK, call, deliver_all, durable, new_hook, new_job, types};
use dubhook_core::service::Report;
use dubhook_tests::machine::{Machine, body, field};
use serde_json::json;

/// A webhook that is told of each job once: that it waits. Its path.
fn hook_for_first_events(machine: &mut Machine) -> String {
    let body = HOOK.replace('}', r#","events":["translation.pending"]}"#);
    new_hook(machine, &body).0
}

#[test]
fn what_was_given_up_is_sent_again_on_request() {
    let mut machine = durable();
    let path = hook_for_first_events(&mut machine);
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
    assert_eq!(again.len(), 1, "{enabled}");
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
    let mut machine = durable();
    let path = hook_for_first_events(&mut machine);
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
fn an_event_is_sent_though_a_dead_letter_of_its_own_job_must_make_room_for_it() {
    let mut machine = durable();
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
    while machine.server.service().owed().dead_letters < 32 {
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
