//! What the machines note through the `log` crate.
#![allow(
    clippy::unwrap_used,
    reason = "what a test calls may fail as the test itself may"
)]
#![cfg(feature = "log")]

use std::sync::Mutex;

use dubhook_core::{
    http::RecvBuf,
    out::Out,
    record,
    server::{Config, Drive, Server, ServerStorage},
    time::{Instant, Now, Timestamp},
};

static NOTES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Keep;

impl log::Log for Keep {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        let note = format!("{} {} {}", record.level(), record.target(), record.args());
        NOTES.lock().unwrap().push(note);
    }
    fn flush(&self) {}
}

fn drive(server: &mut Server<'_>, body: &str) {
    let now = Now {
        instant: Instant::ZERO,
        timestamp: Timestamp::from_unix_ms(1_795_510_800_000),
    };
    let conn = server.accept(now).unwrap();
    let mut bytes = format!(
        "POST /v1/translations HTTP/1.1\r\nhost: here\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes();
    let len = bytes.len();
    let mut answer = [0; Config::DEVICE.answer_bytes_max()];
    let mut input = RecvBuf::new(&mut bytes, len);
    let turn = server.drive(now, conn, &mut input, &mut Out::new(&mut answer));
    assert!(matches!(turn, Ok(Drive::Input { .. })));
    server.close(conn);
}

#[test]
fn a_server_notes_what_it_takes_and_what_it_refuses_and_no_text_of_it() {
    log::set_logger(&Keep).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let mut memory = Box::new(ServerStorage::<8, 4, 2, 4>::new());
    let mut server =
        Server::new(memory.lend(record::Keep::Nothing), Config::DEVICE, [7; 32]).unwrap();
    drive(
        &mut server,
        r#"{"video_url":"https://v.test/1","target_language":"es","reference":"order-17"}"#,
    );
    drive(&mut server, r#"{"video_url":"https://v.test/1"}"#);
    assert_eq!(
        *NOTES.lock().unwrap(),
        [
            "TRACE dubhook_core::server connection in slot 1: accepted",
            "DEBUG dubhook_core::service::jobs job in slot 1: accepted",
            "TRACE dubhook_core::server connection in slot 1: closed",
            "TRACE dubhook_core::server connection in slot 1: accepted",
            "DEBUG dubhook_core::server::answer request refused: Missing(TargetLanguage)",
            "TRACE dubhook_core::server connection in slot 1: closed",
        ]
    );
}
