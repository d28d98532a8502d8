//! The main job over real sockets: a server translates, whoever registered is told by webhook.

use dubhook_core::{
    signature::{Headers, Secret, TOLERANCE_S, verify},
    simulate::Settings,
    time::Timestamp,
};
use dubhook_smol::server::{Handle, Server};
use dubhook_tests::wire::{Answer, Arrival, Asker, Hearer};
use std::time::SystemTime;

/// A server on a free port whose jobs take 20 ms, and of which so many of a million fail.
fn serve(errors_ppm: u32) -> Handle {
    let settings = Settings {
        shortest_ms: 20,
        longest_ms: 20,
        errors_ppm,
        steps: 2,
    };
    let server = Server::builder().listen("127.0.0.1:0").capacity(100);
    let server = server.simulate(settings).bind().expect("a port");
    server.start().expect("a thread")
}

fn submit(asker: &mut Asker) -> Answer {
    let body = r#"{"video_url":"https://v.test/1.mp4","target_language":"es"}"#;
    asker.call("POST", "/v1/translations", body)
}

/// Registers the hearer; returns its secret.
fn register(asker: &mut Asker, hearer: &Hearer) -> Secret {
    let body = format!(r#"{{"url":"{}"}}"#, hearer.url());
    let answer = asker.call("POST", "/v1/webhooks", &body);
    assert_eq!(answer.status, 201, "{answer:?}");
    Secret::parse(answer.json()["secret"].as_str().expect("a secret")).expect("a secret")
}

fn check_signature(arrival: &Arrival, secret: &Secret) {
    let fields = arrival.fields.iter();
    let fields = fields.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let headers = Headers::from_fields(fields).expect("three fields");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = Timestamp::from_unix_ms(now.unwrap().as_millis() as u64);
    let keys = [secret.signing_key()];
    verify(&headers, &arrival.body, &keys, now, TOLERANCE_S).expect("a good signature");
}

#[test]
fn the_server_starts_and_answers() {
    let server = serve(0);
    let mut asker = Asker::new(server.address());
    assert_eq!(asker.call("GET", "/status", "").status, 404);
    assert_eq!(submit(&mut asker).status, 202);
    let status = asker.call("GET", "/status", "");
    assert_eq!(
        (status.status, &status.json()["status"]),
        (200, &"pending".into())
    );
    drop(asker);
    server.stop().expect("a good end");
}

#[test]
fn a_client_registers_and_receives_updates() {
    let server = serve(0);
    let mut asker = Asker::new(server.address());
    let hearer = Hearer::new();
    let secret = register(&mut asker, &hearer);
    let answer = submit(&mut asker);
    let id = answer.json()["id"].clone();
    assert_eq!(
        answer.fields["location"],
        format!("/v1/translations/{}", id.as_str().unwrap())
    );
    let mut kinds = Vec::new();
    while kinds
        .last()
        .is_none_or(|kind| kind != "translation.completed")
    {
        let arrival = hearer.next();
        check_signature(&arrival, &secret);
        assert_eq!(arrival.json()["data"]["id"], id);
        kinds.push(arrival.kind());
    }
    // Progress may be overtaken; a change of state never is.
    kinds.retain(|kind| kind != "translation.progress");
    assert_eq!(
        kinds,
        [
            "translation.pending",
            "translation.processing",
            "translation.completed"
        ]
    );
    drop(asker);
    server.stop().expect("a good end");
}

#[test]
fn both_endings_arrive() {
    for (errors_ppm, kind, status) in [
        (0, "translation.completed", "completed"),
        (1_000_000, "translation.error", "error"),
    ] {
        let server = serve(errors_ppm);
        let mut asker = Asker::new(server.address());
        let hearer = Hearer::new();
        register(&mut asker, &hearer);
        submit(&mut asker);
        let first = hearer.next().json();
        assert_eq!(first["data"]["status"], "pending");
        let last = std::iter::repeat_with(|| hearer.next())
            .find(|arrival| arrival.kind() == kind)
            .expect("the ending");
        assert_eq!(last.json()["data"]["status"], status);
        assert_eq!(asker.call("GET", "/status", "").json()["status"], status);
        drop(asker);
        server.stop().expect("a good end");
    }
}
