//! What is held back shows, says why, and goes on when somebody asks for it.

use crate::{HOOK, call, deliver_all, durable, new_hook, new_job, types};
use dubhook_core::service::{AttemptResult, Report};
use dubhook_tests::machine::Machine;
use serde_json::{Value, json};

const HOUR_MS: u64 = 3_600_000;

/// Takes the next attempt, whose receiver asks to be left alone for an hour.
fn ask_for_an_hour(machine: &mut Machine) {
    machine.commit();
    let (attempt, _) = machine.attempt().expect("an attempt");
    let result = AttemptResult::Answer {
        status: 503,
        retry_after_ms: Some(HOUR_MS),
        body: b"",
    };
    machine.settle_as(&attempt, result);
    machine.commit();
}

fn pause(machine: &mut Machine, hook: &str) -> (Value, Value) {
    let shown = call(machine, "GET", hook, "").json();
    let listed = call(machine, "GET", "/v1/webhooks", "").json()["data"][0].clone();
    assert_eq!(shown, listed);
    assert_eq!(shown["enabled"], true);
    (
        shown["paused_until"].clone(),
        shown["paused_reason"].clone(),
    )
}

/// One that was asked for an hour of silence, and owes two deliveries. The webhook's path.
fn held(machine: &mut Machine) -> String {
    let (hook, _) = new_hook(machine, HOOK);
    new_job(machine);
    ask_for_an_hour(machine);
    new_job(machine);
    assert!(deliver_all(machine, 204).is_empty());
    hook
}

#[test]
fn a_pause_shows_until_when_it_is_and_why() {
    let mut machine = durable();
    let (hook, _) = new_hook(&mut machine, HOOK);
    let nothing = (Value::Null, Value::Null);
    assert_eq!(pause(&mut machine, &hook), nothing);
    new_job(&mut machine);
    ask_for_an_hour(&mut machine);
    let until = json!("2026-11-24T10:00:00.000Z");
    let why = json!("the receiver asked for time (Retry-After)");
    assert_eq!(pause(&mut machine, &hook), (until, why));
    machine.advance_ms(HOUR_MS + HOUR_MS / 10);
    assert_eq!(pause(&mut machine, &hook), nothing);
    assert_eq!(deliver_all(&mut machine, 204).len(), 1);
}

#[test]
fn one_that_fails_again_and_again_says_so() {
    let mut machine = durable();
    let (hook, _) = new_hook(&mut machine, HOOK);
    for _ in 0..5 {
        new_job(&mut machine);
    }
    assert_eq!(deliver_all(&mut machine, 500).len(), 3);
    let (until, why) = pause(&mut machine, &hook);
    assert!(until.is_string());
    assert_eq!(why, "several attempts in a row failed");
}

/// Whatever somebody does who sees to a webhook, its pause ends, and all that it is owed goes out.
#[test]
fn a_test_a_redelivery_and_an_enabling_each_end_a_pause() {
    for (method, below, body, count) in [
        ("POST", "/test", "", 2),
        ("POST", "/redeliver", "", 2),
        (
            "POST",
            "/redeliver",
            r#"{"since":"2026-11-24T00:00:00Z"}"#,
            2,
        ),
        ("PATCH", "", r#"{"enabled":true}"#, 2),
    ] {
        let mut machine = durable();
        let hook = held(&mut machine);
        let answer = call(&mut machine, method, &format!("{hook}{below}"), body);
        assert!(answer.status < 300, "{}", answer.json());
        if below == "/redeliver" {
            assert_eq!(answer.json(), json!({"redelivered": 2}));
        }
        assert_eq!(pause(&mut machine, &hook), (Value::Null, Value::Null));
        assert_eq!(
            deliver_all(&mut machine, 204).len(),
            count,
            "{below} {body}"
        );
    }
    // What has nothing to do with it does not.
    let mut machine = durable();
    let hook = held(&mut machine);
    call(&mut machine, "PATCH", &hook, r#"{"description":"x"}"#);
    assert!(pause(&mut machine, &hook).0.is_string());
}

/// A receiver that answers 400 to one kind of event and takes all others hears of the ending in seconds, and of good jobs at
/// once; what it does not take is a dead letter that says why.
#[test]
fn one_kind_of_event_that_is_rejected_holds_up_nothing() {
    let mut machine = durable();
    let (hook, _) = new_hook(&mut machine, HOOK);
    for _ in 0..10 {
        new_job(&mut machine);
    }
    let mut told = Vec::new();
    let mut deliver = |machine: &mut Machine| {
        machine.commit();
        while let Some((attempt, request)) = machine.attempt() {
            let kind = types(std::slice::from_ref(&request)).remove(0);
            machine.settle(
                &attempt,
                if kind.ends_with("processing") {
                    400
                } else {
                    204
                },
            );
            machine.commit();
            told.push((machine.now.instant.as_ms(), kind));
        }
    };
    deliver(&mut machine);
    while let Some(id) = machine.start_job() {
        deliver(&mut machine);
        machine.report(id, Report::Completed("file:///o.mp4"));
        deliver(&mut machine);
    }
    for _ in 0..8 {
        machine.advance_ms(1_000);
        deliver(&mut machine);
    }
    let of = |kind: &str| told.iter().filter(|(_, k)| k.ends_with(kind)).count();
    assert_eq!(of("pending"), 10);
    assert_eq!(of("processing"), 20, "each twice");
    assert_eq!(of("completed"), 10);
    assert!(told.iter().all(|(at_ms, _)| *at_ms <= 6_000));
    let shown = call(&mut machine, "GET", &hook, "").json();
    assert_eq!(
        (&shown["enabled"], &shown["paused_until"]),
        (&json!(true), &Value::Null)
    );
    let attempts = call(&mut machine, "GET", &format!("{hook}/attempts"), "").json();
    let given_up = attempts["data"].as_array().unwrap().iter();
    let errors: Vec<_> = given_up.filter_map(|line| line["error"].as_str()).collect();
    assert!(
        errors.iter().any(|error| error.starts_with("overtaken")),
        "{errors:?}"
    );
    let again = call(&mut machine, "POST", &format!("{hook}/redeliver"), "").json();
    assert_eq!(again, json!({"redelivered": 10}));
}
