//! The disk is full: the program says so and ends, and what it had acknowledged is there when it starts again.
#![cfg(target_os = "linux")]

use dubhook_tests::{program::Program, wire::Asker};

/// Where the journal cannot be written on: behind a few dozen jobs.
const FULL_BYTES: u64 = 64 * 1024;
const JOB: &str = r#"{"video_url":"https://v.test/1.mp4","target_language":"es"}"#;

#[test]
fn a_full_disk_ends_the_program_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let data = data.to_str().expect("a path in UTF-8");
    let log = folder.path().join("log");
    let arguments = ["--data", data, "--simulate", "1h"];
    let mut program = Program::serve_on_full_disk(&arguments, &log);
    let mut asker = Asker::new(program.address());
    program.fill_disk(FULL_BYTES);
    let mut accepted = Vec::new();
    // It is there until it cannot keep what it would have to promise.
    while let Ok(answer) = asker.try_call("POST", "/v1/translations", "", JOB) {
        assert_eq!(answer.status, 202, "{answer:?}");
        accepted.push(answer.json()["id"].as_str().expect("an id").to_owned());
        assert!(accepted.len() < 10_000, "the disk is never full");
    }
    let (status, logged) = program.wait();
    assert_eq!(status.code(), Some(1), "{logged}");
    let said = logged.lines().last().unwrap_or_default();
    assert!(
        said.contains("error:")
            && said.contains("the store failed: ")
            && said.contains("too large"),
        "{logged}"
    );
    assert!(!accepted.is_empty(), "{logged}");

    let mut program = Program::serve(&arguments, &log);
    let mut asker = Asker::new(program.address());
    for job in &accepted {
        let found = asker.call("GET", &format!("/v1/translations/{job}"), "");
        assert_eq!(found.status, 200, "{job} was acknowledged");
    }
    program.terminate();
    let (status, logged) = program.wait();
    assert!(status.success(), "{logged}");
}
