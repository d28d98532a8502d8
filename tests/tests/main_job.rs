//! The main job in virtual time: a translation is asked for, worked on, and told of by signed webhook.

use dubhook_core::{
    dispatch::Verdict,
    service::Report,
    signature::{Headers, Secret, TOLERANCE_S, verify},
};
use dubhook_tests::machine::{Machine, Records, at, body, field};

const ASK: &str =
    r#"{"video_url":"https://example.test/v.mp4","target_language":"es","reference":"order-17"}"#;
const HOOK: &str = r#"{"url":"http://127.0.0.1:3120/hook"}"#;

/// Takes the next attempt, checks that it is of this type and well signed, and answers it with `status`.
#[track_caller]
fn deliver(machine: &mut Machine, secret: &str, kind: &str, status: u16) -> (String, Verdict) {
    machine.commit();
    let (attempt, request) = machine.attempt().expect("an attempt");
    assert_eq!(body(&request)["type"], kind);
    let key = Secret::parse(secret).unwrap().signing_key();
    let (_, payload) = request.split_once("\r\n\r\n").unwrap();
    let headers = Headers {
        id: field(&request, "webhook-id").as_bytes(),
        timestamp: field(&request, "webhook-timestamp").as_bytes(),
        signature: field(&request, "webhook-signature").as_bytes(),
    };
    verify(
        &headers,
        payload.as_bytes(),
        [&key],
        machine.now.timestamp,
        TOLERANCE_S,
    )
    .expect("a signature that fits");
    let settled = machine.settle(&attempt, status).expect("in flight");
    (request, settled.verdict)
}

fn start() -> (Machine, String) {
    let mut machine = Machine::durable(1, Records::new(), at(0));
    let (status, hook) = machine.call("POST", "/v1/webhooks", HOOK);
    assert_eq!(status, 201);
    let secret = hook["secret"].as_str().unwrap().to_owned();
    (machine, secret)
}

#[test]
fn a_translation_is_told_from_pending_to_completed() {
    let (mut machine, secret) = start();
    assert_eq!(machine.call("GET", "/status", "").0, 404);
    let (status, job) = machine.call("POST", "/v1/translations", ASK);
    assert_eq!(
        (status, &job["status"], &job["sequence"]),
        (202, &"pending".into(), &1.into())
    );
    assert_eq!(machine.call("GET", "/status", "").1["status"], "pending");
    deliver(&mut machine, &secret, "translation.pending", 200);

    let id = machine.start_job().expect("work");
    deliver(&mut machine, &secret, "translation.processing", 204);
    machine.report(id, Report::Progress(40));
    deliver(&mut machine, &secret, "translation.progress", 200);
    machine.report(id, Report::Completed("file:///out.mp4"));
    let (request, verdict) = deliver(&mut machine, &secret, "translation.completed", 200);
    assert_eq!(verdict, Verdict::Delivered);
    assert!(request.starts_with("POST /hook HTTP/1.1\r\nhost: 127.0.0.1:3120\r\n"));
    let data = &body(&request)["data"];
    assert_eq!(data["output_url"], "file:///out.mp4");
    assert_eq!(data["reference"], "order-17");
    assert_eq!(data["sequence"], 4);
    assert_eq!(machine.call("GET", "/status", "").1["status"], "completed");
    let path = format!("/v1/translations/{}", job["id"].as_str().unwrap());
    assert_eq!(&machine.call("GET", &path, "").1, data);
    assert!(machine.attempt().is_none());
}

#[test]
fn an_error_is_told_with_its_reason() {
    let (mut machine, secret) = start();
    machine.call("POST", "/v1/translations", ASK);
    deliver(&mut machine, &secret, "translation.pending", 200);
    let id = machine.start_job().expect("work");
    deliver(&mut machine, &secret, "translation.processing", 200);
    machine.report(id, Report::Failed("The video has no sound."));
    let (request, _) = deliver(&mut machine, &secret, "translation.error", 200);
    assert_eq!(body(&request)["data"]["error"], "The video has no sound.");
    assert_eq!(machine.call("GET", "/status", "").1["status"], "error");
}

#[test]
fn nothing_leaves_before_it_is_durable() {
    let (mut machine, _) = start();
    let conn = machine.server.accept(machine.now).unwrap();
    let ask = format!(
        "POST /v1/translations HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ASK}",
        ASK.len()
    );
    let (answer, _) = machine.drive(conn, ask.as_bytes());
    assert_eq!(answer, "", "no 202 before the job is on disk");
    let status = machine.exchange(b"GET /status HTTP/1.1\r\nhost: t\r\n\r\n");
    assert!(status.starts_with("HTTP/1.1 404 "), "nor is it shown");
    assert!(machine.attempt().is_none(), "no webhook either");
    assert!(machine.start_job().is_none(), "nor any work");
    machine.commit();
    assert_eq!(machine.next_conn(), Some(conn));
    assert!(machine.drive(conn, b"").0.starts_with("HTTP/1.1 202 "));
    assert!(machine.attempt().is_some());
    assert!(machine.start_job().is_some());
}

#[test]
fn a_failed_delivery_is_tried_again_with_the_same_id_and_body() {
    let (mut machine, secret) = start();
    machine.call("POST", "/v1/translations", ASK);
    let (first, verdict) = deliver(&mut machine, &secret, "translation.pending", 500);
    let Verdict::Retry { pause_ms } = verdict else {
        panic!("{verdict:?}");
    };
    machine.advance_ms(pause_ms - 1);
    assert!(machine.attempt().is_none());
    machine.advance_ms(1);
    let (second, _) = deliver(&mut machine, &secret, "translation.pending", 200);
    assert_eq!(field(&first, "webhook-id"), field(&second, "webhook-id"));
    assert_eq!(body(&first), body(&second));
    assert_ne!(
        field(&first, "webhook-signature"),
        field(&second, "webhook-signature")
    );
}

#[test]
fn a_restart_from_records_goes_on_where_it_was() {
    let (mut machine, secret) = start();
    let (_, job) = machine.call("POST", "/v1/translations", ASK);
    deliver(&mut machine, &secret, "translation.pending", 200);
    machine.start_job().expect("work");
    let (before, _) = deliver(&mut machine, &secret, "translation.processing", 503);
    machine.commit();

    let mut machine = Machine::durable(2, machine.records, at(60_000));
    let path = format!("/v1/translations/{}", job["id"].as_str().unwrap());
    let (_, restored) = machine.call("GET", &path, "");
    assert_eq!(
        (&restored["status"], &restored["sequence"]),
        (&"pending".into(), &3.into())
    );
    let (after, _) = deliver(&mut machine, &secret, "translation.processing", 200);
    assert_eq!(field(&before, "webhook-id"), field(&after, "webhook-id"));
    assert_eq!(body(&before), body(&after));
    deliver(&mut machine, &secret, "translation.pending", 200);
    let id = machine.start_job().expect("work again");
    machine.report(id, Report::Completed("file:///out.mp4"));
    deliver(&mut machine, &secret, "translation.processing", 200);
    deliver(&mut machine, &secret, "translation.completed", 200);
    machine.commit();
    let again = Machine::durable(3, machine.records.clone(), at(60_000));
    assert_eq!(
        again.records, machine.records,
        "a restart with nothing to do changes nothing"
    );
}

#[test]
fn a_callback_is_signed_with_the_secret_that_the_answer_showed() {
    let mut machine = Machine::durable(1, Records::new(), at(0));
    let ask = r#"{"video_url":"https://example.test/v.mp4","target_language":"es","callback_url":"http://127.0.0.1:3120/cb"}"#;
    let (_, job) = machine.call("POST", "/v1/translations", ask);
    let secret = job["callback_secret"].as_str().unwrap().to_owned();
    deliver(&mut machine, &secret, "translation.pending", 200);
    let id = machine.start_job().expect("work");
    machine.report(id, Report::Completed("file:///out.mp4"));
    deliver(&mut machine, &secret, "translation.processing", 200);
    let (request, _) = deliver(&mut machine, &secret, "translation.completed", 200);
    assert!(request.starts_with("POST /cb HTTP/1.1\r\n"));
}
