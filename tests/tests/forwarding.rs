//! `dubhook listen` hands webhooks on as they came, so that whoever gets them can verify them.

use dubhook_core::{
    signature::{Headers, Secret, TOLERANCE_S, verify},
    time::Timestamp,
};
use dubhook_tests::{
    hooks::submit,
    program::Program,
    wire::{Asker, Hearer, PATIENCE},
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
