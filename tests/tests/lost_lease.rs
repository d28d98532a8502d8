//! A program that had a job which is with another run by now: it is ended, and what it still says changes nothing.

use dubhook_core::service::Limits;
use dubhook_smol::{server::Server, translate::Command};
use dubhook_tests::{
    hooks::submit,
    wire::{Asker, PATIENCE},
};
use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// The first run never ends by itself, and when it is told to, it says that the job is done, and then that it failed.
/// The second one does its work.
const PROGRAM: &str = r#"cd "$DUBHOOK_OUTPUT_DIR" || exit 1
if mkdir first 2>/dev/null; then
    trap 'echo "{\"output_url\":\"file:///first\"}"; echo first >&2; exit 1' TERM
    sleep 1000 & echo $! > child; echo $$ > pid; mv pid shell
    wait
fi
while [ ! -e go ]; do echo '{"progress":50}'; sleep 0.05; done
echo '{"output_url":"file:///second"}'
"#;

/// Whether the process whose number is in this file runs. A zombie is one that nobody has buried yet.
fn lives(file: &Path) -> bool {
    let pid = fs::read_to_string(file).expect("it was written");
    let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    state.is_ok_and(|state| !state.contains(") Z "))
}

/// Waits until it is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let give_up = Instant::now() + 3 * PATIENCE;
    while !is_so() {
        assert!(Instant::now() < give_up, "not {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_run_that_has_lost_its_job_is_ended_and_not_believed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let mut limits = Limits::SERVER;
    // Silence for so long loses a job: the first run is silent, the second one is not, though its machine may stall for a while.
    limits.lease_ms = 8_000;
    limits.attempts_max = 20;
    let command = Command {
        line: PROGRAM.to_owned(),
        workers: 2,
        output: folder.path().to_owned(),
        timeout: Duration::from_secs(1_000),
    };
    let server = Server::builder().listen("127.0.0.1:0").capacity(10);
    let server = server.command(command).limits(limits).bind();
    let server = server.expect("a port").start().expect("a thread");
    let mut asker = Asker::new(server.address());
    let path = format!("/v1/translations/{}", submit(&mut asker));
    until("started", || file("shell").exists());
    assert!(lives(&file("shell")) && lives(&file("child")));
    until("given to another run", || {
        asker.call("GET", &path, "").json()["progress"] == 50
    });
    until("ended with its child", || {
        !lives(&file("shell")) && !lives(&file("child"))
    });
    let job = asker.call("GET", &path, "").json();
    assert_eq!(job["output_url"], serde_json::Value::Null, "{job}");
    fs::write(file("go"), "").expect("a file");
    until("done", || {
        let job = asker.call("GET", &path, "").json();
        job["status"] == "completed" || job["status"] == "error"
    });
    let job = asker.call("GET", &path, "").json();
    assert_eq!(
        (&job["status"], &job["output_url"]),
        (&"completed".into(), &"file:///second".into())
    );
    server.stop().expect("a good end");
}
