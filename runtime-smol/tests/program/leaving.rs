//! Readers that have enough, and waits that somebody interrupts: nothing breaks, and nothing stays behind.

use super::{PATIENCE, Server, VIDEO, WAIT, check, dubhook, run, signal, wait_in_vain};
use std::{
    io::{PipeWriter, Read, pipe},
    net::TcpListener,
    process::{Output, Stdio},
    time::{Duration, Instant},
};

/// An output whose reader has gone.
fn unheard() -> PipeWriter {
    pipe().expect("a pipe").1
}

/// Waits until `found` finds something.
#[track_caller]
fn until<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < give_up, "it never came");
        std::thread::yield_now();
    }
}

/// The server's webhooks, as JSON.
fn webhooks(server: &Server) -> String {
    let list = run(&server.url, &["webhooks", "list", "--json"]);
    String::from_utf8(list.stdout).expect("text")
}

#[test]
fn a_reader_that_has_enough_ends_a_command_in_peace() {
    let server = Server::in_memory(&["--simulate", "20ms"]);
    for arguments in [&WAIT[..], &["status"], &["jobs"], &["demo"]] {
        let mut command = dubhook(arguments);
        command.env("DUBHOOK_SERVER", &server.url);
        let ended = command.stdout(unheard()).stderr(Stdio::piped()).output();
        let ended = ended.expect("the program runs");
        assert_eq!(
            String::from_utf8_lossy(&ended.stderr),
            "",
            "{arguments:?} complains"
        );
        assert_eq!(ended.status.code(), Some(0), "{arguments:?}");
    }
    let mut command = dubhook(&["cancel", "17"]);
    let ended = command.stderr(unheard()).status();
    assert_eq!(ended.expect("the program runs").code(), Some(2));
}

#[test]
fn a_listener_that_nobody_reads_removes_its_webhook() {
    let server = Server::in_memory(&["--simulate", "20ms"]);
    let mut command = dubhook(&["listen", "--port", "0"]);
    command.env("DUBHOOK_SERVER", &server.url);
    let mut child = command
        .stdout(unheard())
        .stderr(unheard())
        .spawn()
        .expect("the program runs");
    until(|| webhooks(&server).contains("ep_").then_some(()));
    run(&server.url, &["translate", VIDEO, "--to", "es"]);
    assert_eq!(child.wait().expect("its end").code(), Some(0));
    assert!(webhooks(&server).contains("\"data\":[]"));
}

#[test]
fn a_server_goes_on_when_nobody_reads_its_log() {
    let mut command = dubhook(&["serve", "--listen", "127.0.0.1:0", "--in-memory", "-v"]);
    command.args(["--simulate", "1ms"]).stderr(unheard());
    let server = Server::spawn(&mut command);
    let done = run(&server.url, &WAIT);
    check(&done, 0, "completed", "");
    assert_eq!(server.terminate().0, Some(0));
}

#[test]
fn an_interrupted_wait_removes_its_webhook_and_names_its_job() {
    let server = Server::in_memory(&["--simulate", "1h"]);
    for by in ["INT", "TERM", "HUP", "QUIT"] {
        // The answer that names the job may still be on its way to the one that waits; then it is tried again.
        let (job, ended) = until(|| {
            let (job, ended) = interrupt_a_wait(&server, by);
            assert!(webhooks(&server).contains("\"data\":[]"));
            run(&server.url, &["cancel", &job]);
            let told = String::from_utf8_lossy(&ended.stderr);
            let too_soon = told.contains("before the server has taken it");
            (!too_soon).then_some((job, ended))
        });
        check(&ended, 1, "", &format!("{job} goes on without us"));
    }
}

/// Waits for a job and is interrupted once the server has it. The job, and the end of the command.
fn interrupt_a_wait(server: &Server, by: &str) -> (String, Output) {
    let mut command = dubhook(&WAIT);
    command.env("DUBHOOK_SERVER", &server.url);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let status = ["jobs", "--status", "processing", "--json"];
    let job = until(|| {
        let jobs = run(&server.url, &status).stdout;
        let jobs = String::from_utf8(jobs).expect("text");
        let id = jobs.split('"').find(|word| word.starts_with("job_"));
        id.map(str::to_owned)
    });
    signal(&child, by);
    (job, child.wait_with_output().expect("its end"))
}

#[test]
fn a_server_that_hangs_holds_nobody_up() {
    // Connections come to be, and nobody ever answers.
    let hung = || {
        let hung = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", hung.local_addr().expect("an address"));
        (hung, url)
    };
    let (_hung, url) = hung();
    let asked = Instant::now();
    let ended = run(&url, &[&WAIT[..], &["--timeout", "100ms"]].concat());
    check(&ended, 4, "", "has not taken it within 0.1 s");
    for by in ["INT", "HUP", "QUIT"] {
        let (hung, url) = hung();
        let mut command = dubhook(&["listen", "--port", "0"]);
        command.env("DUBHOOK_SERVER", &url).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program runs");
        // It asks to be told before it can be interrupted, so that there is something to remove.
        let (mut heard, _) = hung.accept().expect("a connection");
        heard.read_exact(&mut [0]).expect("a request");
        signal(&child, by);
        assert_eq!(child.wait().expect("its end").code(), Some(0), "{by}");
    }
    // Each of these waited for half a minute.
    assert!(asked.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_server_ends_its_programs_whichever_way_it_is_asked() {
    for by in ["HUP", "QUIT", "INT"] {
        let server = Server::in_memory(&["--translator", "command", "--command", "exec sleep 600"]);
        run(&server.url, &["translate", VIDEO, "--to", "es"]);
        let children = format!("/proc/{0}/task/{0}/children", server.child.id());
        let program = until(|| {
            let children = std::fs::read_to_string(&children).ok()?;
            children.split_whitespace().next().map(str::to_owned)
        });
        signal(&server.child, by);
        let mut server = server;
        assert_eq!(
            server.child.wait().expect("its end").code(),
            Some(0),
            "{by}"
        );
        // It was killed: that takes the kernel a moment. One that has ended and is not waited for yet has no arguments any more.
        let cmdline = format!("/proc/{program}/cmdline");
        until(|| {
            std::fs::read(&cmdline)
                .unwrap_or_default()
                .is_empty()
                .then_some(())
        });
    }
}

#[test]
fn who_waits_in_vain_is_told_for_which_job() {
    let server = Server::in_memory(&["--simulate", "1h"]);
    let (ended, _) = wait_in_vain(&server.url);
    check(&ended, 4, "", "error: job_");
}
