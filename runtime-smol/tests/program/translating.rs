//! Jobs that a program translates: what it is given, how it ends, and that nothing of it stays behind.

use super::{ECHO, PATIENCE, Scratch, Server, VIDEO, WAIT, check, dubhook, echoed, run, submitted};
use std::{process::Stdio, time::Instant};

/// A server whose translator is this shell command.
fn translating(scratch: &Scratch, command: &str, more: &[&str]) -> Server {
    let output = scratch.path("output");
    let arguments = [
        "--translator",
        "command",
        "--command",
        command,
        "--output",
        &output,
    ];
    Server::in_memory(&[&arguments, more].concat())
}

#[test]
fn a_program_translates() {
    let scratch = Scratch::new("program");
    let server = translating(&scratch, ECHO, &[]);
    let job = echoed(&server.url);
    assert!(
        job.contains("\"status\":\"processing\"") && job.contains(VIDEO),
        "{job}"
    );
}

#[test]
fn a_program_that_fails_says_why() {
    let scratch = Scratch::new("failure");
    for (command, why) in [
        (
            "echo first >&2; echo 'the video has no sound' >&2; exit 1",
            "the video has no sound",
        ),
        ("exit 7", "failed without a word"),
        ("true", "named no output_url"),
        ("kill -9 $$", "signal: 9"),
    ] {
        let server = translating(&scratch, command, &[]);
        let ended = run(&server.url, &WAIT);
        check(&ended, 1, "", why);
    }
}

/// Whether the process whose number is in this file runs; waits for the file.
pub(super) fn lives(pid: &str) -> bool {
    let give_up = Instant::now() + PATIENCE;
    let pid = loop {
        match std::fs::read_to_string(pid) {
            Ok(pid) if pid.ends_with('\n') => break pid,
            _ => std::thread::yield_now(),
        }
        assert!(Instant::now() < give_up, "it was never started");
    };
    let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    // A zombie is one that nobody has buried yet.
    state.is_ok_and(|state| !state.contains(") Z "))
}

/// Whether that process ends within the time that the operating system may take for it.
pub(super) fn dies(pid: &str) -> bool {
    let give_up = Instant::now() + PATIENCE;
    while lives(pid) {
        if Instant::now() > give_up {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

#[test]
fn a_program_ends_with_its_children_when_its_time_is_over() {
    let scratch = Scratch::new("late");
    let pid = scratch.path("pid");
    let command = format!("sleep 1000 & echo $! > {pid}; wait");
    let server = translating(&scratch, &command, &["--command-timeout", "8s"]);
    let ended = run(&server.url, &WAIT);
    check(&ended, 1, "", "took longer than 8 s");
    assert!(dies(&pid), "the child lives on");
}

#[test]
fn a_program_ends_with_its_children_when_its_job_is_called_off() {
    let scratch = Scratch::new("canceled");
    let pid = scratch.path("pid");
    let command = format!("trap '' TERM; sleep 1000 & echo $! > {pid}; wait");
    let server = translating(&scratch, &command, &[]);
    let job = &submitted(&server);
    assert!(lives(&pid));
    check(&run(&server.url, &["cancel", job]), 0, "canceled", "");
    assert!(dies(&pid), "the child lives on");
    check(&run(&server.url, &["status", job]), 0, "canceled", "");
    // A server that ends takes its programs along.
    std::fs::remove_file(&pid).unwrap();
    run(&server.url, &["translate", VIDEO, "--to", "es"]);
    assert!(lives(&pid));
    assert_eq!(server.terminate().0, Some(0));
    assert!(dies(&pid), "the child lives on");
}

#[test]
fn a_program_is_not_given_the_keys_of_callers() {
    let scratch = Scratch::new("keys");
    let mut command = dubhook(&["serve", "--listen", "127.0.0.1:0", "--in-memory"]);
    command
        .env("DUBHOOK_API_KEYS", "letmein")
        .args([
            "--translator",
            "command",
            "--output",
            &scratch.path("output"),
        ])
        .args(["--command", "env | grep -c letmein >&2; exit 1"]);
    let server = Server::spawn(command.stderr(Stdio::null()));
    let ended = dubhook(&WAIT)
        .env("DUBHOOK_SERVER", &server.url)
        .env("DUBHOOK_API_KEY", "letmein")
        .output()
        .expect("the program runs");
    check(&ended, 1, "", "error: 0");
}
