//! Few descriptors: there are fewer connections, and the store has what it needs.
#![cfg(target_os = "linux")]

use dubhook_tests::{
    program::Program,
    wire::{Answer, Asker},
};
use std::{
    io::Read,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const DESCRIPTORS: usize = 64;
/// More than there are descriptors for.
const CALLERS: usize = 2 * DESCRIPTORS;
const JOB: &str = r#"{"video_url":"https://v.test/1.mp4","target_language":"es"}"#;
/// Where a machine stalls for seconds, those who have been silent for so long go first, and nobody is refused: then it is tried
/// again.
const TRIES: usize = 5;

/// Takes all connections that there are. What one too many is told, how many descriptors are free then, and what comes of a job
/// that is submitted by one of those who have a connection.
fn take_all(program: &Program, address: SocketAddr) -> Option<(String, usize, Answer)> {
    let mut asker = Asker::new(address);
    let connect = |_| TcpStream::connect(address).expect("the kernel takes it");
    let mut callers: Vec<_> = (0..CALLERS).map(connect).collect();
    let last = callers.last_mut().expect("many");
    let soon = Some(Duration::from_secs(10));
    last.set_read_timeout(soon).expect("a time-out");
    let mut refused = String::new();
    last.read_to_string(&mut refused).ok()?;
    let free = DESCRIPTORS - program.descriptors();
    let taken = asker.try_call("POST", "/v1/translations", "", JOB).ok()?;
    Some((refused, free, taken))
}

#[test]
fn callers_do_not_take_the_descriptors_of_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let data = data.to_str().expect("a path in UTF-8");
    let arguments = ["--data", data, "--simulate", "1h"];
    let log = folder.path().join("log");
    let mut program = Program::serve_with_descriptors(&arguments, &log, DESCRIPTORS);
    let address = program.address();
    let found = (0..TRIES).find_map(|_| take_all(&program, address));
    let (refused, free, taken) =
        found.expect("one too many is refused, and one of the others served");
    // Whoever is too many is told so, and not left to wait for a descriptor.
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused:?}");
    assert!(free >= 16, "{free} are free");
    assert_eq!(taken.status, 202, "{taken:?}");

    program.terminate();
    let (status, logged) = program.wait();
    assert!(status.success(), "{logged}");
    assert!(logged.contains("few descriptors"), "{logged}");
}
