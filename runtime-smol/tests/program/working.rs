//! Workers that are programs of their own: what they run, what they say, and how they end.

use super::{
    ECHO, PATIENCE, Scratch, Server, VIDEO, check, dubhook, echoed, run, signal, submitted,
    translating::{dies, lives},
};
use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::Instant,
};

/// A server that leaves the translating to others.
fn remote() -> Server {
    Server::in_memory(&["--translator", "remote"])
}

/// `dubhook work`, until it is dropped.
struct Worker {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Worker {
    fn start(server: &str, scratch: &Scratch, exec: &str, more: &[&str]) -> Self {
        let mut command = dubhook(&["work", "--exec", exec, "--output", &scratch.path("output")]);
        Self::spawn(command.args(more).env("DUBHOOK_SERVER", server))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        let stdout = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, stdout }
    }

    /// The next line that it prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        line
    }

    fn terminate(mut self) -> ExitStatus {
        signal(&self.child, "TERM");
        self.child.wait().expect("its end")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_worker_elsewhere_translates() {
    let scratch = Scratch::new("elsewhere");
    let server = remote();
    let mut worker = Worker::start(&server.url, &scratch, ECHO, &[]);
    let job = echoed(&server.url);
    let whole = job.starts_with(r#"{"id":"job_"#) && job.ends_with('}');
    assert!(whole && job.contains("\"status\":\"processing\"") && job.contains(VIDEO));
    let line = worker.line();
    assert!(
        line.starts_with("claimed    job_") && line.contains("  es  "),
        "{line}"
    );
    let line = worker.line();
    assert!(
        line.starts_with("completed  job_") && line.contains("file://"),
        "{line}"
    );
    assert_eq!(worker.terminate().code(), Some(0));
}

/// Each program ends only when all of them run, and there is one thread for all that blocks.
#[test]
fn more_workers_than_threads_do_not_wait_for_each_other() {
    const WORKERS: usize = 24;
    let scratch = Scratch::new("threads");
    let server = remote();
    let exec = format!(
        r#"touch "$DUBHOOK_OUTPUT_DIR/$DUBHOOK_JOB_ID"
        while [ "$(ls "$DUBHOOK_OUTPUT_DIR" | wc -l)" -lt {WORKERS} ]; do sleep 0.1; done
        echo '{{"output_url":"file:///o.mp4"}}'"#
    );
    let workers = WORKERS.to_string();
    let output = scratch.path("output");
    let mut command = dubhook(&["work", "--exec", &exec, "--workers", &workers]);
    // A name has to be looked up, which blocks.
    let url = server.url.replace("127.0.0.1", "localhost");
    command.args(["--output", &output, "--server", &url]);
    command.envs([("SMOL_THREADS", "1"), ("BLOCKING_MAX_THREADS", "1")]);
    let mut worker = Worker::spawn(&mut command);
    for _ in 0..WORKERS {
        submitted(&server);
    }
    let lines: Vec<_> = (0..2 * WORKERS).map(|_| worker.line()).collect();
    let count = |what| lines.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!((count("claimed "), count("completed ")), (WORKERS, WORKERS));
    assert_eq!(worker.terminate().code(), Some(0));
}

#[test]
fn what_a_program_says_in_vain_is_told_to_whoever_runs_it() {
    let scratch = Scratch::new("in-vain");
    let server = remote();
    submitted(&server);
    let exec = r#"echo '{"progress":"42"}'; echo '{"output_url":"file:///o.mp4"}'"#;
    let output = scratch.path("output");
    let once = ["work", "--once", "--output", &output, "--exec", exec];
    check(
        &run(&server.url, &once),
        0,
        "completed",
        "progress is no share of 100",
    );
}

#[test]
fn a_worker_that_takes_one_job_says_how_that_ended() {
    let scratch = Scratch::new("once");
    for (exec, code, printed, status) in [
        (
            r#"echo '{"output_url":"file:///o.mp4"}'"#,
            0,
            r#""type":"completed""#,
            "completed",
        ),
        (
            "echo 'the video has no sound' >&2; exit 1",
            1,
            r#""error":"the video has no sound""#,
            "the video has no sound",
        ),
        (
            r#"echo '{"output_url":"o.mp4"}'"#,
            1,
            r#""type":"error""#,
            "named an output that is no URL",
        ),
        // A server takes so much of a sentence and no more.
        (
            "head -c 2000 /dev/zero | tr '\\0' x >&2; exit 1",
            1,
            r#""type":"error""#,
            "xxxxxxxxxx",
        ),
    ] {
        let server = remote();
        let job = submitted(&server);
        let output = scratch.path("output");
        let once = [
            "work", "--once", "--json", "--output", &output, "--exec", exec,
        ];
        check(&run(&server.url, &once), code, printed, "");
        check(&run(&server.url, &["status", &job]), 0, status, "");
    }
}

#[test]
fn a_worker_that_is_told_to_end_ends_its_program_and_reports_nothing() {
    let scratch = Scratch::new("ended");
    let pid = scratch.path("pid");
    let server = remote();
    let job = submitted(&server);
    let exec = format!("trap '' TERM; sleep 1000 & echo $! > {pid}; wait");
    let worker = Worker::start(&server.url, &scratch, &exec, &["--workers", "3"]);
    assert!(lives(&pid));
    assert_eq!(worker.terminate().code(), Some(0));
    assert!(dies(&pid), "the child lives on");
    check(&run(&server.url, &["status", &job]), 0, "processing", "");
}

#[test]
fn a_worker_outlives_its_server() {
    let scratch = Scratch::new("outlives");
    let data = scratch.path("data");
    let go = scratch.path("go");
    let serve = |address: &str| {
        let mut command = dubhook(&["serve", "--translator", "remote", "--data", &data]);
        command.args(["--listen", address]);
        Server::spawn(command.stderr(Stdio::null()))
    };
    // On an address of its own, so that the port is still its own when it comes back.
    let server = serve("127.77.0.1:0");
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let job = submitted(&server);
    let exec = format!(
        r#"while [ ! -e {go} ]; do sleep 0.02; done; echo '{{"output_url":"file:///o.mp4"}}'"#
    );
    let mut worker = Worker::start(&server.url, &scratch, &exec, &["--workers", "1"]);
    assert!(worker.line().starts_with("claimed"));
    // The server is gone when the program ends, and still takes its word when it is back.
    drop(server);
    std::fs::write(&go, "").unwrap();
    let server = serve(&address);
    let completed = worker.line();
    assert!(completed.starts_with("completed  job_"), "{completed}");
    check(&run(&server.url, &["status", &job]), 0, "completed", "");
}

#[test]
fn a_worker_is_told_why_it_is_not_let_in() {
    let work = ["work", "--exec", "true"];
    let own = Server::in_memory(&[]);
    check(&run(&own.url, &work), 1, "", "--translator remote");
    let locked = Server::in_memory(&["--translator", "remote", "--api-key", "letmein"]);
    check(&run(&locked.url, &work), 1, "", "API key");
    check(&run("http://127.0.0.1:1", &work), 3, "", "does not answer");
    check(&run("ftp://x", &work), 2, "", "--server");
    for (flag, value) in [("--command", "true"), ("--workers", "2")] {
        let serve = [
            "serve",
            "--in-memory",
            "--translator",
            "remote",
            flag,
            value,
        ];
        check(&run("", &serve), 2, "", "dubhook work --exec");
    }
    let both = ["work", "--exec", "true", "--once", "--workers", "2"];
    check(&run(&own.url, &both), 2, "", "cannot be used with");
}

#[test]
fn a_worker_s_program_is_not_given_its_key() {
    let scratch = Scratch::new("worker-keys");
    let server = Server::in_memory(&["--translator", "remote", "--api-key", "letmein"]);
    let mut asked = dubhook(&["translate", VIDEO, "--to", "es"]);
    let asked = asked.env("DUBHOOK_SERVER", &server.url);
    let asked = asked.env("DUBHOOK_API_KEY", "letmein").output();
    check(&asked.expect("the program runs"), 0, "", "");
    let output = scratch.path("output");
    let exec = "env | grep -c letmein >&2; exit 1";
    let ended = dubhook(&["work", "--once", "--output", &output, "--exec", exec])
        .env("DUBHOOK_SERVER", &server.url)
        .env("DUBHOOK_API_KEY", "letmein")
        .output();
    check(&ended.expect("the program runs"), 1, "", "error: 0");
}

#[test]
fn workers_share_what_there_is() {
    let scratch = Scratch::new("share");
    let server = remote();
    let exec = r#"echo '{"output_url":"file:///o.mp4"}'"#;
    let workers = [(); 2].map(|()| Worker::start(&server.url, &scratch, exec, &["--workers", "2"]));
    let jobs: Vec<_> = (0..8).map(|_| submitted(&server)).collect();
    let give_up = Instant::now() + PATIENCE;
    for job in jobs {
        while !run(&server.url, &["status", &job])
            .stdout
            .windows(9)
            .any(|w| w == b"completed")
        {
            assert!(Instant::now() < give_up, "{job} is not done");
        }
    }
    for worker in workers {
        assert_eq!(worker.terminate().code(), Some(0));
    }
}
