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
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
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

/// A server that takes every registration. The listener's address and path, once it is there.
fn listening(server: &Hearer) -> (SocketAddr, String) {
    let asked = std::iter::repeat_with(|| server.next()).find(|asked| asked.path == "/v1/webhooks");
    let url = asked.expect("a registration").json()["url"].clone();
    let url = url.as_str().expect("a URL");
    let (address, path) = url["http://".len()..].split_once('/').expect("a path");
    (address.parse().expect("an address"), format!("/{path}"))
}

fn registrar(asked: &Arrival) -> String {
    if asked.path != "/v1/webhooks" {
        return "HTTP/1.1 204 No Content\r\n\r\n".to_owned();
    }
    let url = asked.json()["url"].clone();
    let made = format!(
        r#"{{"id":"ep_01k00000000000000000000000","url":{url},"events":["*"],"description":"","enabled":true,"secret":"{SECRET}"}}"#
    );
    let length = made.len();
    format!(
        "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{made}"
    )
}

/// Sends a webhook that was signed so many seconds ago; its status, none where the connection was closed instead.
fn tell(to: &(SocketAddr, String), id: &str, body: &str, ago_s: u64) -> Option<u16> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let at = now.expect("a clock").as_secs() - ago_s;
    let key = Secret::parse(SECRET).expect("a secret").signing_key();
    let signature = key.sign(
        MessageId::new(id.as_bytes()).expect("an id"),
        at,
        body.as_bytes(),
    );
    let mut memory = [0; 128];
    let mut out = Out::new(&mut memory);
    write_header(&mut out, [signature]);
    let signature = String::from_utf8_lossy(out.written()).into_owned();
    let fields = format!(
        "webhook-id: {id}\r\nwebhook-timestamp: {at}\r\nwebhook-signature: {signature}\r\n"
    );
    let answer = Asker::new(to.0).try_call("POST", &to.1, &fields, body);
    answer.ok().map(|answer| answer.status)
}

/// The ending of another job.
fn ending(number: char) -> String {
    let ending = std::str::from_utf8(ENDING).expect("text");
    ending.replace(
        "job_01k00000000000000000000000",
        &format!("job_01k0000000000000000000000{number}"),
    )
}

/// A listener that runs a command, and its server.
fn listener(more: &[&str], log: &Path) -> (Program, Hearer, (SocketAddr, String)) {
    let server = Hearer::answering(registrar);
    let at = format!("http://{}", server.address);
    let arguments = [
        &["listen", "--server", &at, "--host", "127.0.0.1"][..],
        &["--port", "0", "--secret", SECRET],
        more,
    ];
    let listener = Program::start(&arguments.concat(), log);
    let to = listening(&server);
    (listener, server, to)
}

#[test]
fn nothing_is_answered_before_it_is_handed_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let [body, go, ran] = ["body", "go", "ran"].map(|name| folder.path().join(name));
    let exec = format!(
        "cat > '{}'; while [ ! -e '{}' ]; do sleep 0.01; done; echo ran >> '{}'",
        body.display(),
        go.display(),
        ran.display()
    );
    let (listener, _server, to) = listener(&["--exec", &exec], &folder.path().join("listener"));
    let runs = || fs::read_to_string(&ran).map_or(0, |ran| ran.lines().count());
    thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let status = tell(&to, "evt_1", &ending('1'), 0);
            (status, runs())
        });
        until("run of the command", || fs::read(&body).ok());
        fs::write(&go, "").expect("a file");
        assert_eq!(slow.join().expect("an answer"), (Some(204), 1));
        fs::remove_file(&go).expect("a file");
        fs::remove_file(&body).expect("a file");
        // Where the command is never done, those that wait for their turn are told to come again, and do not count as
        // known then.
        scope.spawn(|| tell(&to, "evt_2", &ending('2'), 0));
        until("run of the command", || fs::read(&body).ok());
        assert_eq!(tell(&to, "evt_3", &ending('3'), 0), Some(503));
        fs::write(&go, "").expect("a file");
        assert_eq!(tell(&to, "evt_3", &ending('3'), 0), Some(204));
        assert_eq!(runs(), 3);
    });
    drop(listener);
}

#[test]
fn what_cannot_be_forwarded_comes_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let is_up = Arc::new(AtomicBool::new(false));
    let up = Arc::clone(&is_up);
    let hearer = Hearer::answering(move |_| match up.load(Ordering::Relaxed) {
        true => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        false => "HTTP/1.1 500 Not Today\r\ncontent-length: 0\r\n\r\n".to_owned(),
    });
    let forward = ["--forward-to", &hearer.url()];
    let (listener, _server, to) = listener(&forward, &folder.path().join("listener"));
    assert_eq!(tell(&to, "evt_1", &ending('1'), 0), None);
    is_up.store(true, Ordering::Relaxed);
    // It is no repeat for whoever has never had it; then it is one.
    assert_eq!(tell(&to, "evt_1", &ending('1'), 0), Some(204));
    assert_eq!(tell(&to, "evt_1", &ending('1'), 0), Some(204));
    assert_eq!(hearer.arrived().count(), 2);
    drop(listener);
}

#[test]
fn a_test_is_handed_on_and_a_wrong_clock_is_told() {
    const TEST: &str = r#"{"type":"webhook.test","timestamp":"2026-11-24T09:00:00.000Z","data":{"id":"ep_01k00000000000000000000000"}}"#;
    let folder = tempfile::tempdir().expect("a folder");
    let [body, log] = ["body", "listener"].map(|name| folder.path().join(name));
    let exec = format!("cat > '{}'", body.display());
    let (mut listener, _server, to) = listener(&["--exec", &exec], &log);
    let mut printed = listener.printed();
    assert_eq!(tell(&to, "evt_1", TEST, 0), Some(204));
    assert_eq!(fs::read_to_string(&body).expect("a body"), TEST);
    let line = printed.next().expect("a line");
    assert!(
        line.contains("webhook.test") && line.ends_with("evt_1"),
        "{line}"
    );

    assert_eq!(tell(&to, "evt_2", &ending('2'), 600), Some(401));
    let told = until("warning", || {
        let log = fs::read_to_string(&log).ok()?;
        log.contains("warning").then_some(log)
    });
    assert!(told.contains("they are 10 minutes apart"), "{told}");
    drop(listener);
}
