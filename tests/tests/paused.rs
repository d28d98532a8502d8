//! A server that is stopped for a while reads what has come meanwhile before it judges what is late.

use dubhook_smol::store::Disk;
use dubhook_tests::{
    hooks::{attempts, register, submit},
    own_process::{self, Process},
    program::Program,
    wire::{Asker, Hearer},
};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// Longer than an attempt, or a request, may take.
const PAUSE: Duration = Duration::from_millis(15_500);

#[test]
fn what_has_come_while_a_server_was_stopped_has_come_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("server");
    let program = Arc::new(OnceLock::<Program>::new());
    let stopped = Arc::clone(&program);
    let once = Arc::new(AtomicBool::new(false));
    let hearer = Hearer::answering(move |_| {
        if !once.swap(true, Ordering::Relaxed) {
            stopped.get().expect("a server").signal("STOP");
        }
        "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
    });
    let mut server = Program::serve(&["--in-memory", "--simulate", "0ms"], &log);
    let address = server.address();
    program.set(server).expect("one server");
    let server = program.get().expect("a server");
    let mut asker = Asker::new(address);
    let endpoint = register(&mut asker, &hearer.url());
    let mut slow = Asker::new(address);
    let body = r#"{"video_url":"https://v.test/1.mp4","target_language":"es"}"#;
    let head = format!(
        "POST /v1/translations HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    slow.send(head.as_bytes());
    submit(&mut asker);
    let _ = hearer.next();
    slow.send(body.as_bytes());
    thread::sleep(PAUSE);
    server.signal("CONT");
    assert_eq!(slow.answer("POST").status, 202);
    // The answer was there, so the event is not sent again.
    let first = attempts(&mut asker, &endpoint, 1).remove(0);
    assert_eq!(first, (204, String::new()));
    server.signal("KILL");
}

#[test]
fn what_workers_have_said_while_a_server_was_stopped_counts() {
    if let Some(folder) = own_process::store() {
        own_process::serve(|server| server.store(Disk::open(&folder).expect("a store")));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let server = Process::start(
        "what_workers_have_said_while_a_server_was_stopped_counts",
        folder.path().to_str().expect("a path in UTF-8"),
    );
    server.assert_what_was_reported_counts();
}
