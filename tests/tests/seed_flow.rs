//! The main job over real sockets: a server translates, and a client that registered its webhook is told.

use dubhook_core::{job::Status, simulate::Settings};
use dubhook_smol::{
    client::{Client, Kind, NewestStatus, Pauses, Request, Timings},
    server::{Handle, Server},
};
use dubhook_tests::wire::{Asker, PATIENCE};
use smol::stream::StreamExt;
use std::time::Instant;

/// How long a job takes that shall end, in milliseconds.
const SHORT_MS: u64 = 20;

/// A server on a free port whose jobs take so long, and of which so many of a million fail.
fn serve(job_ms: u64, errors_ppm: u32) -> Handle {
    let settings = Settings {
        shortest_ms: job_ms,
        longest_ms: job_ms,
        errors_ppm,
        steps: 2,
    };
    let server = Server::builder().listen("127.0.0.1:0").capacity(100);
    let server = server.simulate(settings).bind().expect("a port");
    server.start().expect("a thread")
}

/// Whoever is to be told does not ask, however late it is told.
const UNHURRIED: Timings = Timings {
    ask: Pauses {
        first_ms: 300_000,
        max_ms: 300_000,
    },
    ..Timings::STANDARD
};

fn video() -> Request {
    Request::new("https://v.test/1.mp4").to("es")
}

#[test]
fn the_server_starts_and_answers() {
    let server = serve(60 * 60_000, 0);
    let mut asker = Asker::new(server.address());
    let before = asker.call("GET", "/status", "");
    assert_eq!(
        (before.status, &before.json()["code"]),
        (404, &"no_job".into())
    );
    let body = r#"{"video_url":"https://v.test/1.mp4","target_language":"es"}"#;
    let job = asker.call("POST", "/v1/translations", body);
    assert_eq!(
        (job.status, &job.json()["status"]),
        (202, &"pending".into())
    );
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
    let server = serve(SHORT_MS, 0);
    smol::block_on(async {
        let client = Client::new(server.url())
            .webhook("localhost", 0)
            .timings(UNHURRIED);
        client.register_webhook().await.expect("a registration");
        assert_eq!(client.known_status(), None, "there was no job to hear of");
        let mut events = client.events();
        let job = client.translate(video()).await.expect("a job");
        let mut sequence = 0;
        loop {
            let event = events.next().await.expect("an event");
            assert_eq!(event.translation.name().as_str(), job.id());
            assert!(
                event.translation.sequence > sequence,
                "in order, and each once"
            );
            sequence = event.translation.sequence;
            assert!(event.by_webhook || event.kind == Kind::Pending, "{event:?}");
            if event.kind == Kind::Completed {
                assert!(event.translation.output_url.is_some());
                break;
            }
        }
        // Nobody is asked: the event has told this too, on the client's own thread.
        let give_up = Instant::now() + PATIENCE;
        while client.known_status() != Some(NewestStatus::Completed) {
            assert!(Instant::now() < give_up, "{:?}", client.known_status());
            smol::future::yield_now().await;
        }
        client.close().await.expect("a good end");
    });
    server.stop().expect("a good end");
}

#[test]
fn both_endings_arrive() {
    for (errors_ppm, status, simple) in [
        (0, Status::Completed, NewestStatus::Completed),
        (1_000_000, Status::Error, NewestStatus::Error),
    ] {
        let server = serve(SHORT_MS, errors_ppm);
        smol::block_on(async {
            let client = Client::new(server.url()).webhook("localhost", 0);
            client.register_webhook().await.expect("a registration");
            let job = client.translate(video()).await.expect("a job");
            // It may have ended by now.
            let asked = client.status().await.expect("an answer");
            assert!([NewestStatus::Pending, simple].map(Some).contains(&asked));
            let ended = job.wait().await.expect("an end");
            assert_eq!(ended.status, status);
            assert_eq!(ended.error.is_some(), status == Status::Error);
            assert_eq!(client.status().await.expect("an answer"), Some(simple));
            client.close().await.expect("a good end");
        });
        server.stop().expect("a good end");
    }
}
