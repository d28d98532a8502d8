//! The whole server machine alone: requests, work, webhooks, records, restoring.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use dubhook_core::{
    out::Out,
    record::Keep,
    server::{Config, Drive, Input, Output, Ready, Server, ServerStorage},
    service::{AttemptResult, Report},
    time::Now,
};
use dubhook_sizes::{at, end, received};
use static_cell::{ConstStaticCell, StaticCell};

const SUBMISSION: &str = "POST /v1/translations HTTP/1.1\r\nhost: here\r\n\
content-type: application/json\r\ncontent-length: 103\r\n\r\n\
{\"video_url\":\"https://v.test/1.mp4\",\"target_language\":\"es\",\"callback_url\":\"http://127.0.0.1:3120/hook\"}";

#[cfg(feature = "records")]
const KEEP: Keep = Keep::Records;
#[cfg(not(feature = "records"))]
const KEEP: Keep = Keep::Nothing;
static MEMORY: ConstStaticCell<ServerStorage<8, 4, 2, 2>> =
    ConstStaticCell::new(ServerStorage::new());
static BUFFERS: ConstStaticCell<([u8; 1_536], [u8; 2_560])> =
    ConstStaticCell::new(([0; 1_536], [0; 2_560]));
static SERVER: StaticCell<Server<'static>> = StaticCell::new();

#[inline(never)]
fn start() -> &'static mut Server<'static> {
    let memory = MEMORY.take().lend(KEEP);
    #[allow(unused_mut, reason = "without the guard there is nothing to set")]
    let mut config = Config::DEVICE;
    #[cfg(feature = "guard")]
    {
        config.guard.allow_loopback = black_box(true);
    }
    match Server::new_in(SERVER.uninit(), memory, &config, black_box([7; 32])) {
        Ok(server) => server,
        Err(_) => end(false),
    }
}

#[entry]
fn main() -> ! {
    let now = at(0);
    let server = start();
    let (input, output) = BUFFERS.take();
    #[cfg(feature = "records")]
    restore(now, server, output);
    let Ok(conn) = server.accept(now) else {
        end(false);
    };
    let mut request = received(SUBMISSION, input);
    let mut told = 0;
    while server.drive(now, conn, &mut request, &mut Out::new(output)) == Ok(Drive::Wait) {
        told += work(now, server, output);
    }
    told += work(now, server, output);
    black_box(server.poll(at(60_000), Ready::NONE, output).is_ok());
    server.close(conn);
    let stopped = server.handle(at(60_000), Input::Shutdown);
    end(stopped.is_ok() && told == 3)
}

#[cfg(feature = "records")]
#[inline(never)]
fn restore(now: Now, server: &mut Server<'_>, record: &mut [u8]) {
    if let Some(key) = dubhook_core::record::Key::from_bytes(black_box([9; 5])) {
        black_box(server.restore(now, key, record).is_ok());
    }
    black_box(server.start(now).is_ok());
}

/// Does what is to be done. Returns how many deliveries were made.
#[inline(never)]
fn work(now: Now, server: &mut Server<'_>, memory: &mut [u8]) -> usize {
    let mut told = 0;
    loop {
        let input = match server.poll(now, Ready::ALL, memory) {
            Ok(Output::Start { job, .. }) => {
                let report = Report::Completed(black_box("https://v.test/2.mp4"));
                Input::Report { job, report }
            }
            Ok(Output::Save { key, value }) => {
                black_box((key.to_bytes(), value.is_some()));
                continue;
            }
            Ok(Output::Commit(batch)) => Input::Durable(batch),
            Ok(Output::Attempt(attempt)) => {
                let id = attempt.id;
                let mut url = [0; 128];
                let Ok(url) = server.attempt_url(id, &mut url) else {
                    return told;
                };
                if server.write_attempt(now, id, &url, memory).is_err() {
                    return told;
                }
                told += 1;
                let result = AttemptResult::Answer {
                    status: black_box(204),
                    retry_after_ms: None,
                    body: b"",
                };
                Input::Attempt { id, result }
            }
            Ok(Output::Drive(_) | Output::Stop { .. } | Output::Archive { .. }) => continue,
            Ok(Output::Sleep(_)) | Err(_) => return told,
        };
        if server.handle(now, input).is_err() {
            return told;
        }
    }
}
