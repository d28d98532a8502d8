//! The whole server machine alone: requests, work, webhooks, records, restoring.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use dubhook_core::{record::Keep, 
    out::Out,
    record::Key,
    server::{Config, Drive, ServerStorage, Server},
    service::{AttemptResult, Report, Work},
    time::Now,
    url::Url,
};
use dubhook_sizes::{at, end, received};
use static_cell::{ConstStaticCell, StaticCell};

const SUBMISSION: &str = "POST /v1/translations HTTP/1.1\r\nhost: here\r\n\
content-type: application/json\r\ncontent-length: 103\r\n\r\n\
{\"video_url\":\"https://v.test/1.mp4\",\"target_language\":\"es\",\"callback_url\":\"http://127.0.0.1:3120/hook\"}";

static MEMORY: ConstStaticCell<ServerStorage<8, 4, 2, 2>> = ConstStaticCell::new(ServerStorage::new());
static BUFFERS: ConstStaticCell<([u8; 1_536], [u8; 2_560])> =
    ConstStaticCell::new(([0; 1_536], [0; 2_560]));
static SERVER: StaticCell<Server<'static>> = StaticCell::new();

#[inline(never)]
fn start() -> &'static mut Server<'static> {
    let memory = MEMORY.take().lend(Keep::Records);
    #[allow(unused_mut, reason = "without the guard there is nothing to set")]
    let mut config = Config::DEVICE;
    #[cfg(feature = "guard")]
    {
        config.guard.allow_loopback = black_box(true);
    }
    SERVER.init_with(|| Server::new(memory, config, black_box([7; 32])))
}

#[entry]
fn main() -> ! {
    let now = at(0);
    let server = start();
    let (input, output) = BUFFERS.take();
    restore(now, server, output);
    let Some(conn) = server.accept(now) else {
        end(false);
    };
    let mut request = received(SUBMISSION, input);
    while server.drive(now, conn, &mut request, &mut Out::new(output)) == Drive::Wait {
        commit(now, server, output);
    }
    let Some(Work::Start(_, id)) = server.service_mut().poll_work(now, true) else {
        end(false);
    };
    let service = server.service_mut();
    let reported = service.report(
        now,
        id,
        Report::Completed(black_box("https://v.test/2.mp4")),
    );
    commit(now, server, output);
    let told = tell(now, server, output);
    server.handle_timeout(at(60_000));
    black_box((server.poll_timeout(), server.poll_conn()));
    server.close(conn);
    server.shutdown();
    end(reported.is_ok() && told == 3)
}

#[inline(never)]
fn restore(now: Now, server: &mut Server<'_>, record: &mut [u8]) {
    let service = server.service_mut();
    if let Some(key) = Key::from_bytes(black_box([9; 5])) {
        black_box(service.restore(now, key, record).is_ok());
    }
    black_box(service.start(now).is_ok());
}

#[inline(never)]
fn commit(now: Now, server: &mut Server<'_>, memory: &mut [u8]) {
    while let Ok(Some(record)) = server.service_mut().poll_record(now, memory) {
        black_box(record.key.to_bytes());
    }
    let batch = server.service_mut().seal();
    server.committed(batch);
}

#[inline(never)]
fn tell(now: Now, server: &mut Server<'_>, memory: &mut [u8]) -> usize {
    let mut told = 0;
    while let Some(attempt) = server.service_mut().poll_attempt(now) {
        let service = server.service_mut();
        let mut url = [0; 128];
        let Some(Ok(url)) = service
            .attempt_url(&attempt, &mut url)
            .map(|url| Url::parse(url, 128))
        else {
            break;
        };
        if service.write_attempt(now, &attempt, &url, memory).is_err() {
            break;
        }
        let result = AttemptResult::Answer {
            status: black_box(204),
            retry_after_ms: None,
            body: b"",
        };
        told += usize::from(service.handle_attempt(now, attempt.id, result).is_some());
        commit(now, server, memory);
    }
    told
}
