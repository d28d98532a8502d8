//! The core alone: a translation, from request to signed webhook, without a socket.
//!
//! `cargo run --example core_alone`

use dubhook_core::{
    http::RecvBuf,
    out::Out,
    record::Keep,
    server::{Config, Server, ServerStorage},
    service::{AttemptResult, Report, Work},
    time::{Instant, Now, Timestamp},
    url::Url,
};

const BODY: &str = r#"{"video_url":"https://v.test/1.mp4","target_language":"es","callback_url":"http://127.0.0.1:3120/"}"#;

fn main() {
    // Memory for 8 jobs, 4 endpoints, 2 connections, 4 attempts. The clock is ours to turn.
    let mut memory = Box::new(ServerStorage::<8, 4, 2, 4>::new());
    let mut config = Config::DEVICE;
    config.guard.allow_loopback = true;
    let mut server = Server::new(memory.lend(Keep::Nothing), config, [7; 32]);
    let now = Now {
        instant: Instant::ZERO,
        timestamp: Timestamp::from_unix_ms(1_795_510_800_000),
    };

    // Bytes in, bytes out.
    let conn = server.accept(now).expect("a free connection");
    let head = "POST /v1/translations HTTP/1.1\r\nhost: here\r\ncontent-type: application/json";
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{BODY}", BODY.len());
    let (mut bytes, mut answer) = (request.into_bytes(), [0; 4096]);
    let received = bytes.len();
    let mut out = Out::new(&mut answer);
    let mut input = RecvBuf::new(&mut bytes, received);
    let _ = server.drive(now, conn, &mut input, &mut out);
    println!("{}\n", String::from_utf8_lossy(out.written()));

    // Work out, reports in.
    let service = server.service_mut();
    if let Some(Work::Start(_, job)) = service.poll_work(now, true) {
        let done = Report::Completed("https://v.test/1.es.mp4");
        service.report(now, job, done).expect("a job that runs");
    }

    // Webhooks out, outcomes in.
    let (mut url, mut request) = ([0; 256], [0; 4096]);
    while let Some(attempt) = service.poll_attempt(now) {
        let url = service.attempt_url(&attempt, &mut url).expect("a URL");
        let url = Url::parse(url, 256).expect("a checked URL");
        let len = service
            .write_attempt(now, &attempt, &url, &mut request)
            .expect("room");
        println!("{}\n", String::from_utf8_lossy(&request[..len]));
        let result = AttemptResult::Answer {
            status: 204,
            retry_after_ms: None,
            body: b"",
        };
        service.handle_attempt(now, attempt.id, result);
    }
}
