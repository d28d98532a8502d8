//! Webhook deliveries over real sockets: what a receiver does, and what comes of it.

use dubhook_core::{
    dispatch::Schedule,
    service::Limits,
    signature::{Headers, Secret, TOLERANCE_S, verify},
    time::Timestamp,
};
use dubhook_smol::server::{Handle, Server};
use dubhook_tests::{
    hooks::NO_TIME,
    wire::{ALONE, Arrival, Asker, Hearer, PATIENCE},
};
use std::{
    collections::HashSet,
    io::Write,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

/// A server whose jobs take no time, and which tries again after 20 ms, twice.
fn serve() -> Handle {
    serve_with(PATIENCE)
}

/// The same, with so much time for each attempt.
fn serve_with(attempt: Duration) -> Handle {
    let mut limits = Limits::SERVER;
    limits.attempt_ms = attempt.as_millis() as u64;
    limits.outbox.schedule = Schedule::new(&[20, 20]);
    let server = Server::builder().listen("127.0.0.1:0").capacity(100);
    let server = server.simulate(NO_TIME).limits(limits);
    server.bind().expect("a port").start().expect("a thread")
}

/// Registers `url` for endings; returns the endpoint's id and its secret.
fn register(asker: &mut Asker, url: &str) -> (String, Secret) {
    let body = format!(r#"{{"url":"{url}","events":["translation.completed"]}}"#);
    let answer = asker.call("POST", "/v1/webhooks", &body);
    assert_eq!(answer.status, 201, "{answer:?}");
    let endpoint = answer.json();
    let text = |name: &str| endpoint[name].as_str().expect("text").to_owned();
    (
        text("id"),
        Secret::parse(&text("secret")).expect("a secret"),
    )
}

fn submit(asker: &mut Asker) {
    let body = r#"{"video_url":"https://v.test/1.mp4","target_language":"es"}"#;
    assert_eq!(asker.call("POST", "/v1/translations", body).status, 202);
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

/// The attempts to an endpoint, oldest first, once there are so many: status (0 for none), and why it failed.
fn attempts(asker: &mut Asker, endpoint: &str, count: usize) -> Vec<(u64, String)> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let list = asker.call("GET", &format!("/v1/webhooks/{endpoint}/attempts"), "");
        let list = list.json();
        let lines = list["data"].as_array().expect("a list");
        if lines.len() >= count {
            let line = |line: &serde_json::Value| {
                let error = line["error"].as_str().unwrap_or_default();
                (line["status"].as_u64().unwrap_or(0), error.to_owned())
            };
            return lines.iter().rev().map(line).collect();
        }
        assert!(Instant::now() < give_up, "{list}");
        thread::yield_now();
    }
}

const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[test]
fn a_failed_delivery_comes_again_with_the_same_id_and_body() {
    let server = serve();
    let mut asker = Asker::new(server.address());
    let count = Arc::new(AtomicUsize::new(0));
    let hearer = Hearer::answering(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\noops".to_owned(),
        1 => "HTTP/1.1 307 Temporary Redirect\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n"
            .to_owned(),
        _ => OK.to_owned(),
    });
    let (endpoint, secret) = register(&mut asker, &hearer.url());
    submit(&mut asker);
    let arrivals = [hearer.next(), hearer.next(), hearer.next()];
    for arrival in &arrivals {
        check_signature(arrival, &secret);
        assert_eq!(arrival.path, "/hook", "a redirect is not followed");
        assert_eq!(arrival.body, arrivals[0].body);
        assert_eq!(
            arrival.fields["webhook-id"],
            arrivals[0].fields["webhook-id"]
        );
    }
    let statuses: Vec<_> = attempts(&mut asker, &endpoint, 3)
        .into_iter()
        .map(|(status, _)| status)
        .collect();
    assert_eq!(statuses, [500, 307, 204]);
}

#[test]
fn one_connection_serves_many_deliveries_and_its_end_costs_none() {
    let server = serve();
    let mut asker = Asker::new(server.address());
    let hearer = Hearer::answering(|arrival| {
        let close = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let is_last = arrival.json()["data"]["reference"] == "last";
        if is_last { close } else { OK }.to_owned()
    });
    let (endpoint, _) = register(&mut asker, &hearer.url());
    let mut ports = HashSet::new();
    for (settled, reference) in (1..).zip(["one", "two", "last", "four", "five"]) {
        let body = format!(
            r#"{{"video_url":"https://v.test/1.mp4","target_language":"es","reference":"{reference}"}}"#
        );
        assert_eq!(asker.call("POST", "/v1/translations", &body).status, 202);
        ports.insert(hearer.next().peer);
        attempts(&mut asker, &endpoint, settled);
    }
    assert_eq!(ports.len(), 2, "a new one only after the close");
    let expect: Vec<_> = [204, 204, 200, 204, 204]
        .map(|status| (status, String::new()))
        .into();
    assert_eq!(attempts(&mut asker, &endpoint, 5), expect);
}

#[test]
fn receivers_that_misbehave_are_failed_attempts_with_a_reason() {
    let server = serve();
    let mut asker = Asker::new(server.address());
    let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 1 << 20);
    let many = format!("HTTP/1.1 200 OK\r\n{}", "x: y\r\n".repeat(200));
    let cases = [
        (
            "",
            "the connection was closed before the answer was complete",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", "the answer is not valid HTTP"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "the answer is not valid HTTP",
        ),
        (&endless, "the answer is too large"),
        (&many, "the answer is too large"),
    ];
    for (answer, why) in cases {
        let given = answer.to_owned();
        let hearer = Hearer::answering(move |_| given.clone());
        let (endpoint, _) = register(&mut asker, &hearer.url());
        submit(&mut asker);
        let found = attempts(&mut asker, &endpoint, 3);
        assert_eq!(found, vec![(0, why.to_owned()); 3], "{answer:?}");
        let removed = asker.call("DELETE", &format!("/v1/webhooks/{endpoint}"), "");
        assert_eq!(removed.status, 204);
    }
}

#[test]
fn an_attempt_shows_how_its_answer_began() {
    let server = serve();
    let mut asker = Asker::new(server.address());
    let said = format!("no: {}", "x".repeat(1_000));
    let whole = said.clone();
    let hearer = Hearer::answering(move |_| {
        let length = said.len();
        format!("HTTP/1.1 500 Oh\r\ncontent-length: {length}\r\n\r\n{said}")
    });
    let (endpoint, _) = register(&mut asker, &hearer.url());
    submit(&mut asker);
    attempts(&mut asker, &endpoint, 1);
    let list = asker.call("GET", &format!("/v1/webhooks/{endpoint}/attempts"), "");
    let line = &list.json()["data"][0];
    assert_eq!(line["answer"], whole[..256]);
    assert!(
        line["duration_ms"].is_u64() && line["at"].is_string(),
        "{line}"
    );
}

#[test]
fn an_answer_that_does_not_come_to_its_end_in_time_is_none() {
    let server = serve_with(Duration::from_millis(300));
    let mut asker = Asker::new(server.address());
    let hearer =
        Hearer::answering(|_| "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhal".to_owned());
    let (endpoint, _) = register(&mut asker, &hearer.url());
    submit(&mut asker);
    let late = "the receiver did not answer in time".to_owned();
    assert_eq!(attempts(&mut asker, &endpoint, 3), vec![(0, late); 3]);
}

#[test]
fn one_that_never_answers_delays_nobody_else() {
    let server = serve_with(Duration::from_secs(2));
    let mut asker = Asker::new(server.address());
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let (endpoint, _) = register(&mut asker, &url);
    let hearer = Hearer::new();
    register(&mut asker, &hearer.url());
    for _ in 0..20 {
        submit(&mut asker);
        assert_eq!(hearer.next().kind(), "translation.completed");
    }
    let found = attempts(&mut asker, &endpoint, 1);
    assert_eq!(
        found[0],
        (0, "the receiver did not answer in time".to_owned())
    );
}

#[test]
fn a_dead_letter_goes_out_again_when_somebody_asks() {
    let server = serve();
    let mut asker = Asker::new(server.address());
    let reserved = TcpListener::bind((ALONE, 0)).expect("a port");
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let (endpoint, secret) = register(&mut asker, &format!("http://{address}/hook"));
    submit(&mut asker);
    let refused = "the connection was refused or could not be made".to_owned();
    assert_eq!(attempts(&mut asker, &endpoint, 3), vec![(0, refused); 3]);
    let listener = TcpListener::bind(address).expect("the port is still free");
    let path = format!("/v1/webhooks/{endpoint}/redeliver");
    let again = asker.call("POST", &path, "{}");
    assert_eq!(
        (again.status, &again.json()["redelivered"]),
        (202, &1.into())
    );
    let hearer = Hearer::on(listener, |_| OK.to_owned());
    let arrival = hearer.next();
    check_signature(&arrival, &secret);
    assert_eq!(arrival.kind(), "translation.completed");
}

#[test]
fn a_receiver_that_is_gone_is_not_called_again() {
    let server = serve();
    let mut asker = Asker::new(server.address());
    let hearer = Hearer::answering(|_| "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n".to_owned());
    let (endpoint, _) = register(&mut asker, &hearer.url());
    submit(&mut asker);
    assert_eq!(attempts(&mut asker, &endpoint, 1).len(), 1);
    let shown = asker
        .call("GET", &format!("/v1/webhooks/{endpoint}"), "")
        .json();
    assert_eq!(shown["enabled"], false);
    assert_eq!(shown["disabled_reason"], "the receiver answered 410 Gone");
}

#[test]
fn addresses_that_are_not_public_are_refused_unless_allowed() {
    let server = serve();
    let mut asker = Asker::new(server.address());
    let own = format!("http://{}/", server.address());
    for url in [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest",
        "http://[::ffff:10.0.0.1]/",
        &own,
    ] {
        let answer = asker.call("POST", "/v1/webhooks", &format!(r#"{{"url":"{url}"}}"#));
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (422, &"callback_blocked".into()),
            "{url}"
        );
    }
}

#[test]
fn a_stopping_server_finishes_the_attempt_in_flight() {
    let server = serve();
    let mut asker = Asker::new(server.address());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().unwrap());
    register(&mut asker, &url);
    submit(&mut asker);
    let (mut stream, _) = listener.accept().expect("an attempt");
    let stopping = thread::spawn(move || server.stop());
    stream.write_all(OK.as_bytes()).expect("it still reads");
    stopping.join().expect("no panic").expect("a good end");
}
