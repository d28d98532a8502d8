//! Workers that are processes of their own, and die, or are thought dead, or lose their jobs.
#![cfg(target_os = "linux")]

use dubhook_core::service::Limits;
use dubhook_smol::server::{Handle, Server};
use dubhook_tests::{
    hooks::submit,
    program::{Program, signal},
    wire::{ALONE, Asker, PATIENCE},
};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How long a worker may be silent: longer than a busy machine stalls.
const LEASE_MS: u64 = 8_000;

/// A server with remote workers, and a folder for what they leave behind.
struct Shop {
    server: Handle,
    asker: Asker,
    folder: tempfile::TempDir,
}

impl Shop {
    fn open() -> Self {
        let mut limits = Limits::SERVER;
        limits.lease_ms = LEASE_MS;
        // On a busy machine a lease may be lost by accident.
        limits.attempts_max = 20;
        let server = Server::builder().listen("127.0.0.1:0").capacity(10);
        let server = server.remote().limits(limits).bind();
        let server = server.expect("a port").start().expect("a thread");
        Self {
            asker: Asker::new(server.address()),
            server,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A worker that runs this in the folder, one at a time.
    fn hire(&self, exec: &str) -> Program {
        let folder = self.folder.path().display().to_string();
        let exec = format!("cd {folder} || exit 1\n{exec}");
        let url = self.server.url();
        let arguments = [
            "work",
            "--server",
            &url,
            "--workers",
            "1",
            "--output",
            &folder,
        ];
        let arguments = [&arguments[..], &["--exec", &exec]].concat();
        Program::start(&arguments, &self.file("log"))
    }

    fn job(&mut self, id: &str) -> serde_json::Value {
        let path = format!("/v1/translations/{id}");
        self.asker.call("GET", &path, "").json()
    }
}

/// Waits until it is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let give_up = Instant::now() + 3 * PATIENCE;
    while !is_so() {
        assert!(Instant::now() < give_up, "not {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether the process whose number is in this file runs. A zombie is one that nobody has buried yet.
fn lives(file: &Path) -> bool {
    let pid = fs::read_to_string(file).expect("it was written");
    let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    state.is_ok_and(|state| !state.contains(") Z "))
}

#[test]
fn the_job_of_a_killed_worker_goes_to_another_one() {
    let mut shop = Shop::open();
    let hang = "echo $$ > pid; mv pid first; exec sleep 1000";
    let killed = shop.hire(hang);
    let job = submit(&mut shop.asker);
    until("begun", || shop.file("first").exists());
    let _other = shop.hire(r#"echo '{"output_url":"file:///second"}'"#);
    killed.kill();
    until("done by the other", || {
        shop.job(&job)["status"] == "completed"
    });
    assert_eq!(shop.job(&job)["output_url"], "file:///second");
    // Nobody is left who could have ended the first program.
    let orphan = fs::read_to_string(shop.file("first")).expect("its number");
    let orphan = orphan.trim().parse().expect("a number");
    let _ = signal(orphan, "KILL");
    shop.server.stop().expect("a good end");
}

#[test]
fn a_worker_that_was_stopped_for_a_while_is_not_believed() {
    let mut shop = Shop::open();
    let work = |mine: &str| {
        format!(
            r#"echo $DUBHOOK_JOB_ID > {mine}
while [ ! -e go-{mine} ]; do sleep 0.02; done
echo '{{"output_url":"file:///{mine}"}}'; touch end-{mine}"#
        )
    };
    let mut first = shop.hire(&work("first"));
    let mut printed = first.printed();
    let job = submit(&mut shop.asker);
    until("begun", || shop.file("first").exists());
    assert!(printed.next().expect("a line").starts_with("claimed"));
    first.signal("STOP");
    let _second = shop.hire(&work("second"));
    until("given to the second", || shop.file("second").exists());
    // Its program ends, and it wakes up with a result.
    fs::write(shop.file("go-first"), "").expect("a file");
    until("ended", || shop.file("end-first").exists());
    first.signal("CONT");
    let said = printed.next().expect("a line");
    assert!(said.starts_with("lost"), "{said}");
    assert_eq!(shop.job(&job)["status"], "processing");
    fs::write(shop.file("go-second"), "").expect("a file");
    until("done by the second", || {
        shop.job(&job)["status"] == "completed"
    });
    assert_eq!(shop.job(&job)["output_url"], "file:///second");
    shop.server.stop().expect("a good end");
}

#[test]
fn a_worker_ends_a_program_whose_job_was_called_off_and_takes_the_next() {
    let mut shop = Shop::open();
    let _worker = shop.hire(
        r#"if mkdir once 2>/dev/null; then
    trap '' TERM; sleep 1000 & echo $! > pid; mv pid child; wait
fi
echo '{"progress":50}'; while [ ! -e go ]; do sleep 0.02; done
echo '{"output_url":"file:///next"}'"#,
    );
    let job = submit(&mut shop.asker);
    until("begun", || shop.file("child").exists());
    assert!(lives(&shop.file("child")));
    let cancel = format!("/v1/translations/{job}/cancel");
    assert_eq!(shop.asker.call("POST", &cancel, "").status, 200);
    let next = submit(&mut shop.asker);
    until("told of its progress", || shop.job(&next)["progress"] == 50);
    assert!(!lives(&shop.file("child")), "the child lives on");
    assert_eq!(shop.job(&job)["status"], "canceled");
    fs::write(shop.file("go"), "").expect("a file");
    until("done", || shop.job(&next)["status"] == "completed");
    shop.server.stop().expect("a good end");
}

/// The server is killed and started anew while a worker's program runs: the job ends by that same run.
#[test]
fn a_worker_goes_on_while_the_server_is_killed_and_started_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let data = file("data").display().to_string();
    let serve = |listen: &str| {
        let arguments = [
            "serve",
            "--listen",
            listen,
            "--data",
            &data,
            "--translator",
            "remote",
        ];
        Program::start(&arguments, &file("log"))
    };
    // Where the port is still its own when it comes back.
    let mut server = serve(&format!("{ALONE}:0"));
    let address = server.address();
    let listen = address.to_string();
    let url = format!("http://{listen}");
    let here = folder.path().display();
    let exec = format!(
        r#"echo run >> {here}/runs; while [ ! -e {here}/go ]; do sleep 0.02; done; echo '{{"output_url":"file:///o.mp4"}}'"#
    );
    let work = ["work", "--server", &url, "--workers", "1", "--exec", &exec];
    let _worker = Program::start(&work, &file("work"));
    let mut asker = Asker::new(address);
    let job = submit(&mut asker);
    until("begun", || file("runs").exists());
    server.kill();
    fs::write(file("go"), "").expect("a file");
    let mut server = serve(&listen);
    assert_eq!(server.address(), address);
    let mut asker = Asker::new(address);
    let path = format!("/v1/translations/{job}");
    until("done", || {
        asker.call("GET", &path, "").json()["status"] == "completed"
    });
    let shown = asker.call("GET", &path, "").json();
    assert_eq!(
        shown["sequence"], 3,
        "pending, processing, completed: {shown}"
    );
    assert_eq!(fs::read_to_string(file("runs")).expect("runs"), "run\n");
}
