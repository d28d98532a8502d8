//! Few descriptors: there are fewer connections, and the store has what it needs.
#![cfg(target_os = "linux")]

use dubhook_tests::{
    program::Program,
    wire::{Asker, PATIENCE},
};
use std::{io::Read, net::TcpStream};

const DESCRIPTORS: usize = 64;
/// More than there are descriptors for.
const CALLERS: usize = 2 * DESCRIPTORS;
const JOB: &str = r#"{"video_url":"https://v.test/1.mp4","target_language":"es"}"#;

#[test]
fn callers_do_not_take_the_descriptors_of_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let data = data.to_str().expect("a path in UTF-8");
    let arguments = ["--data", data, "--simulate", "1h"];
    let log = folder.path().join("log");
    let mut program = Program::serve_with_descriptors(&arguments, &log, DESCRIPTORS);
    let address = program.address();
    let mut asker = Asker::new(address);
    let connect = |_| TcpStream::connect(address).expect("the kernel takes it");
    let mut callers: Vec<_> = (0..CALLERS).map(connect).collect();

    // Whoever is too many is told so, and not left to wait for a descriptor.
    let last = callers.last_mut().expect("many");
    last.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut refused = String::new();
    last.read_to_string(&mut refused).expect("an answer");
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused:?}");
    let free = DESCRIPTORS - program.descriptors();
    assert!(free >= 16, "{free} are free");
    let taken = asker.call("POST", "/v1/translations", JOB);
    assert_eq!(taken.status, 202, "{taken:?}");

    program.terminate();
    let (status, logged) = program.wait();
    assert!(status.success(), "{logged}");
    assert!(logged.contains("few descriptors"), "{logged}");
}
