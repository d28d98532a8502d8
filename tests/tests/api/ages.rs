//! What has an age: it is time that passed while the server ran, whatever calendars said meanwhile.

use crate::{HOOK, JOB, call, check_problem, deliver_all, durable, is_signed, new_hook};
use dubhook_core::{
    service::Report,
    time::{Now, Timestamp},
};
use dubhook_tests::{
    caller::ask,
    machine::{Machine, Records, at},
};

const DAY_MS: u64 = 24 * 3_600_000;
const YEAR_MS: u64 = 365 * DAY_MS;

/// The moment so many milliseconds after the machine's start, where the calendar says this.
fn when(instant_ms: u64, unix_ms: u64) -> Now {
    Now {
        timestamp: Timestamp::from_unix_ms(unix_ms),
        ..at(instant_ms)
    }
}

/// The next run of a machine, which is told this moment first.
fn restart(mut machine: Machine, now: Now) -> Machine {
    machine.commit();
    Machine::durable(2, machine.records, now)
}

/// Whether a job that ended when the calendar said `ended_unix_ms` is there after a restart at `unix_ms`, and gone a day of
/// running later.
#[track_caller]
fn check_job(ended_unix_ms: u64, unix_ms: u64) {
    let now = when(0, ended_unix_ms);
    let mut machine = Machine::durable(1, Records::new(), now);
    let answer = call(&mut machine, "POST", "/v1/translations", JOB);
    let path = answer.field("location").unwrap().to_owned();
    let id = machine.start_job().unwrap();
    machine.report(id, Report::Completed("file:///o.mp4"));
    let mut machine = restart(machine, when(0, unix_ms));
    assert_eq!(
        call(&mut machine, "GET", &path, "").json()["status"],
        "completed"
    );
    machine.now = when(DAY_MS - 1_000, unix_ms + DAY_MS - 1_000);
    machine.settle_down();
    machine.commit();
    assert_eq!(call(&mut machine, "GET", &path, "").status, 200);
    machine.now = when(DAY_MS, unix_ms + DAY_MS);
    machine.settle_down();
    machine.commit();
    assert_eq!(call(&mut machine, "GET", &path, "").status, 404);
}

#[test]
fn a_job_that_ended_stays_for_a_day_whatever_the_calendar_said() {
    let right = at(0).timestamp.as_unix_ms();
    for ended in [0, 1_000, right, right + 73 * YEAR_MS] {
        check_job(ended, right);
    }
    check_job(right, right + 73 * YEAR_MS);
    check_job(right, 0);
}

#[test]
fn an_age_goes_on_after_a_restart() {
    let mut machine = durable();
    let answer = call(&mut machine, "POST", "/v1/translations", JOB);
    let path = answer.field("location").unwrap().to_owned();
    let id = machine.start_job().unwrap();
    machine.report(id, Report::Completed("file:///o.mp4"));
    machine.commit();
    machine.advance_ms(20 * 3_600_000);
    // Something is written, so it is known for how long the machine has run.
    call(&mut machine, "POST", "/v1/translations", JOB);
    let mut machine = restart(machine, at(0));
    machine.advance_ms(4 * 3_600_000 - 1_000);
    assert_eq!(call(&mut machine, "GET", &path, "").status, 200);
    machine.advance_ms(1_000);
    assert_eq!(call(&mut machine, "GET", &path, "").status, 404);
}

#[test]
fn an_idempotency_key_lives_for_a_day_whatever_the_calendar_says() {
    let submit = |machine: &mut Machine| {
        let answer = ask(
            machine,
            "POST",
            "/v1/translations",
            "idempotency-key: k\r\n",
            JOB,
        );
        answer.field("location").unwrap().to_owned()
    };
    let right = at(0).timestamp.as_unix_ms();
    let mut machine = Machine::durable(1, Records::new(), when(0, 1_000));
    let first = submit(&mut machine);
    machine.now = when(1_000, right);
    assert_eq!(submit(&mut machine), first);
    let mut machine = restart(machine, when(0, right + 9 * YEAR_MS));
    assert_eq!(submit(&mut machine), first);
    machine.now = when(DAY_MS, right);
    assert_ne!(submit(&mut machine), first);
}

#[test]
fn a_replaced_secret_lives_for_a_day_whatever_the_calendar_says() {
    let mut machine = Machine::durable(1, Records::new(), when(0, 1_000));
    let (hook, old) = new_hook(&mut machine, HOOK);
    call(&mut machine, "POST", &format!("{hook}/rotate-secret"), "");
    let right = at(0).timestamp.as_unix_ms();
    let mut machine = restart(machine, when(0, right));
    for (now, signs) in [
        (when(DAY_MS - 1, right), true),
        (when(DAY_MS, right), false),
    ] {
        machine.now = now;
        call(&mut machine, "POST", &format!("{hook}/test"), "");
        let sent = deliver_all(&mut machine, 204);
        assert_eq!(is_signed(&machine, &sent[0], &old), signs);
    }
}

/// Four rotations within a day leave five secrets that sign; a fifth is refused, and changes nothing.
#[test]
fn as_many_replaced_secrets_sign_as_there_is_room_for() {
    let mut machine = durable();
    let (hook, first) = new_hook(&mut machine, HOOK);
    let rotate = format!("{hook}/rotate-secret");
    let mut secrets = vec![first];
    for _ in 0..4 {
        machine.advance_ms(1_000);
        let answer = call(&mut machine, "POST", &rotate, "");
        secrets.push(answer.json()["secret"].as_str().unwrap().to_owned());
    }
    let refused = call(&mut machine, "POST", &rotate, "");
    check_problem(&refused, 409, "too_many_secrets", None);
    let mut machine = restart(machine, at(0));
    call(&mut machine, "POST", &format!("{hook}/test"), "");
    let sent = deliver_all(&mut machine, 204);
    for secret in &secrets {
        assert!(is_signed(&machine, &sent[0], secret));
    }
    // The restart makes them live longer by a minute at most.
    machine.advance_ms(DAY_MS + 60_000);
    assert_eq!(call(&mut machine, "POST", &rotate, "").status, 200);
}

/// A call whose answer was lost is made again with its key, and does nothing twice.
#[test]
fn a_key_counts_where_a_webhook_is_made_or_gets_a_new_secret() {
    let keyed = |machine: &mut Machine, path: &str, key: &str, body: &str| {
        ask(
            machine,
            "POST",
            path,
            &format!("idempotency-key: {key}\r\n"),
            body,
        )
    };
    let mut machine = durable();
    let made = keyed(&mut machine, "/v1/webhooks", "k", HOOK);
    assert_eq!(made.status, 201);
    machine.advance_ms(1_000);
    let again = keyed(&mut machine, "/v1/webhooks", "k", HOOK);
    assert_eq!((again.status, again.json()), (201, made.json()));
    assert_eq!(machine.server.service().endpoints_len(), 1);
    let other = HOOK.replace("hook", "other");
    let refused = keyed(&mut machine, "/v1/webhooks", "k", &other);
    check_problem(&refused, 422, "idempotency_key_reused", None);
    let refused = keyed(&mut machine, "/v1/translations", "k", JOB);
    check_problem(&refused, 422, "idempotency_key_reused", None);

    let hook = made.field("location").unwrap();
    let rotate = format!("{hook}/rotate-secret");
    let rotated = keyed(&mut machine, &rotate, "r", "");
    assert_ne!(rotated.json()["secret"], made.json()["secret"]);
    for _ in 0..9 {
        let again = keyed(&mut machine, &rotate, "r", "");
        assert_eq!((again.status, again.json()), (200, rotated.json()));
    }
    let (second, _) = new_hook(&mut machine, HOOK);
    let refused = keyed(&mut machine, &format!("{second}/rotate-secret"), "r", "");
    check_problem(&refused, 422, "idempotency_key_reused", None);

    let mut machine = restart(machine, at(2_000));
    let again = keyed(&mut machine, "/v1/webhooks", "k", HOOK);
    assert_eq!(again.json()["id"], made.json()["id"]);
    call(&mut machine, "DELETE", hook, "");
    let gone = keyed(&mut machine, "/v1/webhooks", "k", HOOK);
    check_problem(&gone, 409, "idempotency_key_used", None);
}
