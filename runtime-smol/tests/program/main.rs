//! The program as people and scripts use it: what it prints, and how it ends.

mod container;
mod leaving;
mod refusing;
mod translating;
mod working;

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The program with these arguments, and nothing of this environment that it would listen to.
fn dubhook(arguments: &[&str]) -> Command {
    // Who runs the tests so that they outlive a terminal (`nohup`) has SIGHUP ignored, and programs inherit that.
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_dubhook")]);
    command.args(arguments).stdin(Stdio::null());
    for name in [
        "DUBHOOK_SERVER",
        "DUBHOOK_API_KEY",
        "DUBHOOK_API_KEYS",
        "DUBHOOK_CA",
        "DUBHOOK_SECRET",
        "DUBHOOK_STORE",
    ] {
        command.env_remove(name);
    }
    command
}

/// Runs it to its end, against `server`.
fn run(server: &str, arguments: &[&str]) -> Output {
    let mut command = dubhook(arguments);
    command
        .env("DUBHOOK_SERVER", server)
        .output()
        .expect("the program runs")
}

/// A translator program whose output is the job that it was given.
const ECHO: &str = r#"job=$(cat); echo '{"progress":42}'; echo noise
    printf %s "$job" > "$DUBHOOK_OUTPUT_DIR/$DUBHOOK_JOB_ID.json"
    echo "{\"output_url\":\"file://$DUBHOOK_OUTPUT_DIR/$DUBHOOK_JOB_ID.json\"}""#;

/// Asks a server whose translator is [`ECHO`] for a translation, and returns what that was given.
fn echoed(server: &str) -> String {
    let done = run(server, &WAIT);
    check(&done, 0, "completed  file://", "");
    let done = String::from_utf8(done.stdout).unwrap();
    let output = done.trim().rsplit("file://").next().unwrap();
    std::fs::read_to_string(output).expect("the output is there")
}

/// Asks for a translation and waits for its end.
const WAIT: [&str; 5] = ["translate", VIDEO, "--to", "es", "--wait"];

#[track_caller]
fn check(output: &Output, code: i32, stdout: &str, stderr: &str) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    assert!(out.contains(stdout), "no {stdout:?} in {out:?}");
    assert!(err.contains(stderr), "no {stderr:?} in {err:?}");
}

/// A server that runs until it is dropped.
struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    url: String,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut command = dubhook(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(arguments);
        Self::spawn(command.stderr(Stdio::null()))
    }

    /// The server that this command starts.
    fn spawn(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped());
        let mut child = child.spawn().expect("the program runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        let url = line
            .strip_prefix("listening on ")
            .expect("the one line that it prints");
        Self {
            url: url.trim_end().to_owned(),
            child,
            stdout,
        }
    }

    fn in_memory(arguments: &[&str]) -> Self {
        Self::start(&[&["--in-memory"], arguments].concat())
    }

    /// Asks it to end; returns the exit code and what else it had printed.
    fn terminate(mut self) -> (Option<i32>, String) {
        signal(&self.child, "TERM");
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("text");
        (self.child.wait().expect("its end").code(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a process a signal. Every shell has `kill` built in, and not every system has it as a program.
fn signal(child: &Child, name: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"kill -s "$0" "$1""#, name, &child.id().to_string()]);
    assert!(shell.status().expect("a shell").success());
}

/// A job that was just asked for, by its id.
fn submitted(server: &Server) -> String {
    let asked = run(&server.url, &["translate", VIDEO, "--to", "es", "--json"]);
    let asked = String::from_utf8(asked.stdout).unwrap();
    let id = asked.split('"').find(|word| word.starts_with("job_"));
    id.expect("an id").to_owned()
}

/// A directory of this test's own that is gone after it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("dubhook-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // One that was killed has left it, and processes of containers have the same numbers again and again.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How long anything may take before a test gives up: far longer than it ever does, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(60);

const VIDEO: &str = "https://v.test/1.mp4";

#[test]
fn a_job_from_the_command_line_to_its_end() {
    let server = Server::in_memory(&["--simulate", "20ms"]);
    let run = |arguments: &[&str]| run(&server.url, arguments);
    check(&run(&["status"]), 1, "", "No translation was submitted yet");
    let done = run(&WAIT);
    check(&done, 0, "completed  https://example.com/dubbed/job_", "");
    check(&run(&["status"]), 0, "completed\n", "");
    let json = run(&[
        "translate",
        VIDEO,
        "--to",
        "es",
        "--json",
        "--reference",
        "r1",
    ]);
    check(&json, 0, "\"reference\":\"r1\"", "");
    let jobs = run(&["jobs", "--limit", "1"]);
    check(&jobs, 0, VIDEO, "");
    let jobs = String::from_utf8(jobs.stdout).unwrap();
    assert_eq!(jobs.lines().count(), 2, "a heading and one job: {jobs}");
    let job = jobs
        .split_whitespace()
        .find(|word| word.starts_with("job_"))
        .expect("an id");
    check(&run(&["status", job]), 0, "r1", "");
    let (code, rest) = server.terminate();
    assert_eq!(
        (code, rest.as_str()),
        (Some(0), ""),
        "one line is all that it prints"
    );
}

#[test]
fn a_long_list_is_one_document_and_simulated_workers_are_as_many_as_was_said() {
    let server = Server::in_memory(&["--simulate", "1h", "--workers", "2"]);
    for _ in 0..101 {
        submitted(&server);
    }
    let listed = |more: &[&str]| {
        let jobs = run(&server.url, &[&["jobs", "--json"], more].concat());
        String::from_utf8(jobs.stdout).unwrap()
    };
    let all = listed(&["--limit", "1000"]);
    assert_eq!(all.lines().count(), 1, "one document");
    assert_eq!(all.matches("\"video_url\"").count(), 101);
    assert!(all.ends_with("],\"next_cursor\":null}\n"), "{all}");
    assert!(
        !listed(&["--limit", "3"]).contains("null}\n"),
        "there are more"
    );
    let working = listed(&["--status", "processing"]);
    assert_eq!(working.matches("\"video_url\"").count(), 2, "{working}");
}

/// Waits for a job that does not end, for so long that the server has taken it. How that ended, and how long it was.
fn wait_in_vain(server: &str) -> (Output, &'static str) {
    for (flag, said) in [("100ms", "0.1 s"), ("2s", "2 s"), ("10s", "10 s")] {
        let ended = run(server, &[&WAIT[..], &["--timeout", flag]].concat());
        if !String::from_utf8_lossy(&ended.stderr).contains("has not taken it") {
            return (ended, said);
        }
    }
    panic!("it is never taken");
}

#[test]
fn how_a_wait_ends_is_in_the_exit_code() {
    let failing = Server::in_memory(&["--simulate", "20ms", "--simulate-errors", "1"]);
    let ended = run(&failing.url, &WAIT);
    check(
        &ended,
        1,
        "",
        "The translation was simulated, and so was this error.",
    );
    let slow = Server::in_memory(&["--simulate", "1h"]);
    let (ended, time) = wait_in_vain(&slow.url);
    check(&ended, 4, "", &format!("has not ended within {time}"));
    let list = run(&slow.url, &["webhooks", "list"]);
    check(&list, 0, "WEBHOOK", "");
    assert!(
        !String::from_utf8_lossy(&list.stdout).contains("ep_"),
        "it has cleaned up"
    );
}

#[test]
fn what_cannot_be_is_refused_with_a_sentence() {
    let server = Server::in_memory(&[]);
    let ask = |arguments: &[&str]| run(&server.url, arguments);
    check(
        &ask(&["translate", VIDEO, "--to", "spanish"]),
        2,
        "",
        "write es for Spanish",
    );
    check(
        &ask(&["translate", "no-such-file.mp4", "--to", "es"]),
        2,
        "",
        "No such file",
    );
    check(
        &ask(&["status", "job_01k3aaaaaaaaaaaaaaaaaaaaaa"]),
        1,
        "",
        "no translation with this id",
    );
    check(&ask(&["cancel", "17"]), 2, "", "is no id");
    check(
        &ask(&["webhooks", "add", "http://10.0.0.1/"]),
        2,
        "",
        "not allowed",
    );
    check(
        &ask(&["webhooks", "add", "http://127.0.0.1:3120/", "--events", "x"]),
        2,
        "",
        "events",
    );
    let in_use = server.url.strip_prefix("http://").unwrap();
    let second = dubhook(&["serve", "--in-memory", "--listen", in_use])
        .output()
        .unwrap();
    check(&second, 1, "", "is in use");
    // On an address of its own, so that the port is nobody else's a moment later.
    let nobody = TcpListener::bind("127.77.0.1:0").unwrap();
    let address = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    check(
        &run(&address, &["status"]),
        3,
        "",
        "Is `dubhook serve` running there?",
    );
    let asked = ["translate", VIDEO, "--to", "es"];
    check(&run(&address, &asked), 3, "", "does not answer");
    check(
        &run("localhost", &["status"]),
        2,
        "",
        "must start with http",
    );
}

#[test]
fn a_key_is_wanted_where_one_is_set() {
    let server = Server::in_memory(&["--api-key", "one", "--api-key", "two"]);
    check(&run(&server.url, &["jobs"]), 1, "", "Send an API key");
    check(
        &run(&server.url, &["jobs", "--api-key", "three"]),
        1,
        "",
        "Send an API key",
    );
    check(
        &run(&server.url, &["jobs", "--api-key", "two"]),
        0,
        "JOB",
        "",
    );
}

#[test]
fn a_server_that_is_open_to_others_says_so() {
    for (address, keys, is_open) in [
        ("0.0.0.0:0", &[][..], true),
        ("0.0.0.0:0", &["--api-key", "one"], false),
        ("127.0.0.1:0", &[], false),
    ] {
        let mut server = dubhook(&["serve", "--in-memory", "--listen", address])
            .args(keys)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut line = String::new();
        let stdout = server.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        server.kill().expect("it was running");
        let logged = server.wait_with_output().expect("its end").stderr;
        let logged = String::from_utf8(logged).expect("text");
        assert_eq!(logged.contains("no key is asked for"), is_open, "{logged}");
    }
}

#[test]
fn webhooks_are_managed_from_the_command_line() {
    let server = Server::in_memory(&[]);
    let run = |arguments: &[&str]| run(&server.url, arguments);
    let url = "http://127.0.0.1:3120/hook";
    let added = run(&[
        "webhooks",
        "add",
        url,
        "--events",
        "translation.error",
        "--description",
        "mine",
    ]);
    check(&added, 0, "whsec_", "");
    let added = String::from_utf8(added.stdout).unwrap();
    let id = added
        .split_whitespace()
        .find(|word| word.starts_with("ep_"))
        .expect("an id");
    let list = run(&["webhooks", "list"]);
    check(&list, 0, url, "");
    assert!(
        !String::from_utf8_lossy(&list.stdout).contains("whsec_"),
        "shown once"
    );
    check(&run(&["webhooks", "rotate", id]), 0, "whsec_", "");
    check(&run(&["webhooks", "test", id]), 0, "evt_", "");
    check(&run(&["webhooks", "redeliver", id]), 0, "redelivered", "");
    check(&run(&["webhooks", "attempts", id]), 0, "EVENT", "");
    check(&run(&["webhooks", "enable", id]), 0, "true", "");
    check(&run(&["webhooks", "remove", id]), 0, "removed", "");
    check(&run(&["webhooks", "remove", id]), 1, "", "no webhook");
}

#[test]
fn a_listener_hands_events_on_until_it_is_interrupted() {
    let server = Server::in_memory(&["--simulate", "20ms"]);
    let scratch = Scratch::new("listen");
    let heard = scratch.path("heard");
    let exec = format!("cat >> {heard}; echo >> {heard}");
    let arguments = [
        "listen",
        "--port",
        "0",
        "--exec",
        &exec,
        "--events",
        "translation.completed",
    ];
    let mut command = dubhook(&arguments);
    command.env("DUBHOOK_SERVER", &server.url);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told_at = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut told_at).unwrap();
    assert!(told_at.contains("told at http://localhost:"), "{told_at}");
    check(&run(&server.url, &WAIT), 0, "completed", "");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(
        line.contains("translation.completed") && line.contains("job_"),
        "{line}"
    );
    // The line comes first and then the command, which writes a line end last.
    let give_up = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(&heard).is_ok_and(|heard| heard.ends_with('\n')) {
        assert!(Instant::now() < give_up, "--exec was not run");
        std::thread::sleep(Duration::from_millis(5));
    }
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let heard = std::fs::read_to_string(heard).expect("--exec was run");
    assert!(
        heard.starts_with("{\"type\":\"translation.completed\""),
        "{heard}"
    );
    let list = run(&server.url, &["webhooks", "list", "--json"]);
    check(&list, 0, "\"data\":[]", "");
}

#[test]
fn the_demonstration_ends_well_and_says_what_happened() {
    let told = dubhook(&["demo"]).output().unwrap();
    check(&told, 0, "translation.completed", "");
    check(&told, 0, "signature verified", "");
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let scratch = Scratch::new("kill");
    let data = scratch.path("data");
    let arguments = ["--data", &data, "--simulate", "1h"];
    let mut server = Server::start(&arguments);
    let second = dubhook(&["serve", "--listen", "127.0.0.1:0", "--data", &data]);
    check(&{ second }.output().unwrap(), 1, "", "another process uses");
    let job = &submitted(&server);
    server.child.kill().expect("it was running");
    server.child.wait().expect("its end");
    let server = Server::start(&arguments);
    check(&run(&server.url, &["status", job]), 0, VIDEO, "");
    let job = run(&server.url, &["cancel", job]);
    check(&job, 0, "canceled", "");
    assert_eq!(server.terminate().0, Some(0));
}
