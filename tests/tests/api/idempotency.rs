//! The same request again.

use crate::{JOB, check_problem};
use dubhook_core::service::Report;
use dubhook_tests::{
    caller::{Answer, ask},
    machine::{Machine, Records, at},
};

fn submit(machine: &mut Machine, key: &str, body: &str) -> Answer {
    let fields = format!("idempotency-key: {key}\r\n");
    ask(machine, "POST", "/v1/translations", &fields, body)
}

#[test]
fn the_same_request_gets_the_same_answer_whatever_happened_since() {
    let mut machine = Machine::durable(1, Records::new(), at(0));
    let body = JOB.replace('}', r#","callback_url":"http://127.0.0.1:3121/"}"#);
    let first = submit(&mut machine, "k-1", &body);
    assert_eq!(first.status, 202);
    let again = submit(&mut machine, "k-1", &body);
    assert_eq!(again, first);
    let id = machine.start_job().unwrap();
    machine.report(id, Report::Progress(40));
    machine.advance_ms(5_000);
    let again = submit(&mut machine, "k-1", &body);
    assert_ne!(again.field("date"), first.field("date"));
    assert_eq!(again.without_date(), first.clone().without_date());
    machine.report(id, Report::Completed("file:///out.mp4"));
    let again = submit(&mut machine, "k-1", &body);
    assert_eq!(again.without_date(), first.clone().without_date());
    assert_eq!(machine.server.service().jobs_len(), 1);
    // Also when the callback is gone for good.
    let (attempt, _) = machine.attempt().unwrap();
    assert!(attempt.callback);
    machine.settle(&attempt, 410);
    let again = submit(&mut machine, "k-1", &body);
    assert_eq!(again.without_date(), first.clone().without_date());
    // And after a restart.
    machine.commit();
    let mut machine = Machine::durable(2, machine.records, machine.now);
    let again = submit(&mut machine, "k-1", &body);
    assert_eq!(again.without_date(), first.without_date());
}

#[test]
fn a_key_belongs_to_one_request() {
    let mut machine = Machine::volatile(1);
    assert_eq!(submit(&mut machine, "k", JOB).status, 202);
    let other = JOB.replace("es", "fr");
    let answer = submit(&mut machine, "k", &other);
    check_problem(&answer, 422, "idempotency_key_reused", None);
    assert_eq!(submit(&mut machine, "K", &other).status, 202);
    assert_eq!(machine.server.service().jobs_len(), 2);
    // Without a key everything is new.
    for _ in 0..2 {
        assert_eq!(
            ask(&mut machine, "POST", "/v1/translations", "", JOB).status,
            202
        );
    }
    assert_eq!(machine.server.service().jobs_len(), 4);
}

#[test]
fn a_request_that_was_refused_does_not_take_its_key() {
    let mut machine = Machine::volatile(1);
    let bad = JOB.replace("es", "e");
    assert_eq!(submit(&mut machine, "k", &bad).status, 422);
    assert_eq!(submit(&mut machine, "k", JOB).status, 202);
}

#[test]
fn a_key_whose_job_is_no_longer_kept_is_used_up() {
    let mut machine = Machine::volatile(1);
    assert_eq!(submit(&mut machine, "k", JOB).status, 202);
    let id = machine.start_job().unwrap();
    machine.report(id, Report::Completed("file:///out.mp4"));
    // Sixteen more jobs want its room.
    for _ in 0..16 {
        assert_eq!(
            ask(&mut machine, "POST", "/v1/translations", "", JOB).status,
            202
        );
    }
    let answer = submit(&mut machine, "k", JOB);
    check_problem(&answer, 409, "idempotency_key_used", None);
    // A day later the key is new again.
    for _ in 0..16 {
        let id = machine.start_job().unwrap();
        machine.report(id, Report::Failed("no"));
    }
    machine.advance_ms(24 * 60 * 60 * 1_000);
    assert_eq!(submit(&mut machine, "k", JOB).status, 202);
}

#[test]
fn a_key_is_one_word() {
    let long = "k".repeat(256);
    let just = &long[..255];
    for (fields, taken) in [
        (format!("idempotency-key: {just}\r\n"), true),
        (format!("idempotency-key: {long}\r\n"), false),
        ("idempotency-key: \"quoted\"\r\n".to_owned(), true),
        ("idempotency-key:\r\n".to_owned(), false),
        ("idempotency-key: a b\r\n".to_owned(), false),
        ("idempotency-key: \u{e9}\r\n".to_owned(), false),
        (
            "idempotency-key: a\r\nidempotency-key: a\r\n".to_owned(),
            false,
        ),
    ] {
        let mut machine = Machine::volatile(1);
        let answer = ask(&mut machine, "POST", "/v1/translations", &fields, JOB);
        if taken {
            assert_eq!(answer.status, 202, "{fields}");
        } else {
            check_problem(&answer, 400, "invalid_idempotency_key", None);
        }
    }
}
