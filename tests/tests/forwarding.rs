//! `dubhook listen` hands webhooks on as they came, so that whoever gets them can verify them.

use dubhook_core::{
    out::Out,
    signature::{Headers, MessageId, Secret, TOLERANCE_S, verify, write_header},
    time::Timestamp,
};
use dubhook_tests::{
    hooks::submit,
    program::Program,
    wire::{Arrival, Asker, Hearer, PATIENCE},
};
use std::{
    fs, thread,
    time::{Instant, SystemTime},
};

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Fails unless these are a webhook that the server has just signed.
fn check(body: &[u8], id: &str, timestamp: &str, signature: &str) {
    let fields = [
        ("webhook-id", id),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signature),
    ];
    let fields = fields.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let headers = Headers::from_fields(fields).expect("three fields");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = Timestamp::from_unix_ms(now.expect("a clock").as_millis() as u64);
    let keys = [Secret::parse(SECRET).expect("a secret").signing_key()];
    verify(&headers, body, &keys, now, TOLERANCE_S).expect("a good signature");
}

/// Waits until it is there.
fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < give_up, "no {what}");
        thread::yield_now();
    }
}

#[test]
fn who_is_handed_a_webhook_can_verify_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let mut server = Program::serve(&["--in-memory", "--simulate", "1ms"], &file("server"));
    let mut asker = Asker::new(server.address());
    let hearer = Hearer::new();
    let (at, url) = (format!("http://{}", asker.address()), hearer.url());
    let [body, fields] = ["body", "fields"].map(|name| file(name).display().to_string());
    let exec = format!(
        "cat > '{body}'; printf '%s\\n' \"$WEBHOOK_CONTENT_TYPE\" \"$WEBHOOK_ID\" \
         \"$WEBHOOK_TIMESTAMP\" \"$WEBHOOK_SIGNATURE\" > '{fields}.part'; mv '{fields}.part' '{fields}'"
    );
    let arguments = [
        &["listen", "--server", &at, "--port", "0", "--secret", SECRET][..],
        &["--events", "translation.completed", "--forward-to", &url],
        &["--exec", &exec],
    ];
    let listener = Program::start(&arguments.concat(), &file("listener"));
    until("registration", || {
        let webhooks = asker.call("GET", "/v1/webhooks", "").json();
        webhooks["data"].get(0).map(|_| ())
    });
    let job = submit(&mut asker);

    let forwarded = hearer.next();
    assert_eq!(forwarded.json()["data"]["id"], job);
    assert_eq!(forwarded.kind(), "translation.completed");
    assert_eq!(forwarded.fields["content-type"], "application/json");
    let field = |name: &str| forwarded.fields[name].as_str();
    check(
        &forwarded.body,
        field("webhook-id"),
        field("webhook-timestamp"),
        field("webhook-signature"),
    );

    let fields = until("run of the command", || fs::read_to_string(&fields).ok());
    let fields: Vec<_> = fields.lines().collect();
    let [content_type, id, timestamp, signature] = fields[..] else {
        panic!("{fields:?}");
    };
    assert_eq!(content_type, "application/json");
    assert_eq!(id, field("webhook-id"));
    let body = fs::read(body).expect("a body");
    assert_eq!(body, forwarded.body);
    check(&body, id, timestamp, signature);
    drop(listener);
}

/// A server that tells of an ending as soon as it is asked to register a webhook, and answers only then.
fn tell_first(asked: &Arrival) -> String {
    if asked.path != "/v1/webhooks" {
        return "HTTP/1.1 204 No Content\r\n\r\n".to_owned();
    }
    let wanted = asked.json();
    let url = wanted["url"].as_str().expect("a URL");
    let address = url.strip_prefix("http://").expect("plain HTTP");
    let (address, path) = address.split_once('/').expect("a path");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now_s = now.expect("a clock").as_secs();
    let id = "evt_01k00000000000000000000000";
    let key = Secret::parse(SECRET).expect("a secret").signing_key();
    let signature = key.sign(MessageId::new(id.as_bytes()).expect("an id"), now_s, ENDING);
    let mut memory = [0; 128];
    let mut out = Out::new(&mut memory);
    write_header(&mut out, [signature]);
    let signature = String::from_utf8_lossy(out.written()).into_owned();
    let fields = format!(
        "webhook-id: {id}\r\nwebhook-timestamp: {now_s}\r\nwebhook-signature: {signature}\r\n"
    );
    let mut teller = Asker::new(address.parse().expect("an address"));
    let body = std::str::from_utf8(ENDING).expect("text");
    let told = teller.try_call("POST", &format!("/{path}"), &fields, body);
    assert_eq!(told.expect("an answer").status, 204);
    let made = format!(
        r#"{{"id":"ep_01k00000000000000000000000","url":"{url}","events":["*"],"description":"","enabled":true,"secret":"{SECRET}"}}"#
    );
    let length = made.len();
    format!(
        "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{made}"
    )
}

/// The ending of a job that the listener has never heard of.
const ENDING: &[u8] = br#"{"type":"translation.completed","timestamp":"2026-11-24T09:00:00.123Z","data":{"id":"job_01k00000000000000000000000","sequence":3,"status":"completed","progress":100,"video_url":"https://v.test/1.mp4","source_language":null,"target_language":"es","output_url":"https://v.test/out.mp4","error":null,"reference":null,"created_at":"2026-11-24T08:59:00.000Z","updated_at":"2026-11-24T09:00:00.123Z"}}"#;

#[test]
fn what_is_told_before_the_registration_is_answered_is_handed_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let body = folder.path().join("body");
    let server = Hearer::answering(tell_first);
    let at = format!("http://{}", server.address);
    let exec = format!("cat > '{0}.part'; mv '{0}.part' '{0}'", body.display());
    let arguments = [
        &["listen", "--server", &at, "--host", "127.0.0.1"][..],
        &["--port", "0", "--secret", SECRET, "--exec", &exec],
    ];
    let listener = Program::start(&arguments.concat(), &folder.path().join("listener"));
    let handed = until("run of the command", || fs::read(&body).ok());
    assert_eq!(handed, ENDING);
    drop(listener);
}
