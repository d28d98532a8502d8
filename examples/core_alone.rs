//! The core alone: a translation, from request to signed webhook, without a socket.
//!
//! `cargo run --example core_alone`

use dubhook_core::{
    http::RecvBuf,
    out::Out,
    record::Keep,
    server::{Config, Drive, Input, Output, Ready, Server, ServerStorage},
    service::{AttemptResult, Report},
    time::{Instant, Now, Timestamp},
};

const REQUEST: &[u8; 197] = b"POST /v1/translations HTTP/1.1\r\nhost: here\r\n\
content-type: application/json\r\ncontent-length: 99\r\n\r\n\
{\"video_url\":\"https://v.test/1.mp4\",\"target_language\":\"es\",\"callback_url\":\"http://127.0.0.1:3120/\"}";
const ANSWER_BYTES: usize = Config::DEVICE.answer_bytes_max();

fn main() {
    // Memory for 8 jobs, 4 endpoints, 2 connections, 4 attempts. The clock is ours to turn.
    let mut memory = ServerStorage::<8, 4, 2, 4>::new();
    let mut config = Config::DEVICE;
    config.guard.allow_loopback = true;
    let mut server = Server::new(memory.lend(Keep::Nothing), config, [7; 32]).unwrap();
    let now = Now {
        instant: Instant::ZERO,
        timestamp: Timestamp::from_unix_ms(1_795_510_800_000),
    };

    // Bytes in, bytes out.
    let conn = server.accept(now).expect("a free connection");
    let mut received = *REQUEST;
    let len = received.len();
    let mut answer = [0; ANSWER_BYTES];
    let mut out = Out::new(&mut answer);
    let driven = server.drive(now, conn, &mut RecvBuf::new(&mut received, len), &mut out);
    match driven.expect("room for any answer") {
        // Send what is written, and receive the next request.
        Drive::Input { .. } => println!("{}\n", String::from_utf8_lossy(out.written())),
        other => unreachable!("nothing is kept, so no answer waits: {other:?}"),
    }

    // What is to be done comes out, one thing at a time, and what came of it goes in.
    let (mut url, mut request) = ([0; 128], [0; Config::DEVICE.attempt_bytes_max()]);
    loop {
        let input = match server.poll(now, Ready::ALL, &mut []).expect("it works") {
            Output::Start { job, .. } => {
                let report = Report::Completed("https://v.test/1.es.mp4");
                Input::Report { job, report }
            }
            Output::Attempt(attempt) => {
                let id = attempt.id;
                let url = server.attempt_url(id, &mut url).expect("it is owed");
                let len = server.write_attempt(now, id, &url, &mut request);
                let request = &request[..len.expect("room for any request")];
                println!("{}\n", String::from_utf8_lossy(request));
                let result = AttemptResult::Answer {
                    status: 204,
                    retry_after_ms: None,
                    body: b"",
                };
                Input::Attempt { id, result }
            }
            Output::Sleep(_) => return,
            other => unreachable!("nothing is kept, and nobody calls off: {other:?}"),
        };
        server.handle(now, input).expect("it is taken");
    }
}
