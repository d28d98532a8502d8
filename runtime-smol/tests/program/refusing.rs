//! What cannot be meant is refused before anything is done, with a sentence that says what to write instead.

use super::{Server, WAIT, check, dubhook, run};
use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

/// Runs `serve`, which must not come to listen. What it said.
#[track_caller]
fn refuses(arguments: &[&str], why: &str) -> String {
    let mut child = dubhook(&["serve", "--in-memory"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("its output"));
    stdout.read_line(&mut line).expect("text");
    if !line.is_empty() {
        let _ = child.kill();
    }
    let ended = child.wait_with_output().expect("its end");
    assert_eq!(line, "", "{arguments:?}");
    check(&ended, 2, "", why);
    String::from_utf8(ended.stderr).expect("text")
}

#[test]
fn a_server_does_not_pass_over_what_it_was_told() {
    refuses(&["--command", "true"], "goes with --translator command");
    refuses(
        &["--workers", "2", "--translator", "remote"],
        "the workers run the programs",
    );
    refuses(
        &["--translator", "remote", "--command", "true"],
        "dubhook work --exec CMD",
    );
    let database = "postgres://u@127.0.0.1:1/d";
    refuses(&["--store", database], "cannot be used with");
    refuses(&["--lease", "1s"], "--lease goes with --store");
    refuses(&["--schema", "other"], "--schema goes with --store");
    for listen in ["", "8000", ":8000", "127.0.0.1", "127.0.0.1:99999"] {
        refuses(&["--listen", listen], "write it like 127.0.0.1:8000");
    }
}

#[test]
fn the_url_of_a_database_is_never_shown() {
    for (url, why) in [
        ("postgres://u:hunter7@h/d", "would show in `ps`"),
        (
            "mysql://u:hunter7@h/d",
            "postgres://USER@HOST:PORT/DATABASE",
        ),
        (
            "postgres://u:hunter7/more@h/d",
            "postgres://USER@HOST/DATABASE",
        ),
        ("postgres://u:x@hunter7:y/d", "write that as %2F or %40"),
        ("postgres://u:hunter7@h/d?sslmode=prefer", "verify-full"),
    ] {
        let flag = dubhook(&["serve", "--store", url]).output();
        check(&flag.expect("the program runs"), 2, "", why);
        let mut variable = dubhook(&["serve", "--lease", "1s"]);
        // In a variable a password is where it should be, so there is nothing wrong with the first.
        if !why.contains("`ps`") {
            let ended = variable.env("DUBHOOK_STORE", url).output();
            let ended = ended.expect("the program runs");
            check(&ended, 2, "", why);
            assert!(!String::from_utf8_lossy(&ended.stderr).contains("hunter7"));
        }
    }
    let help = dubhook(&["serve", "--help"])
        .env("DUBHOOK_STORE", "postgres://u:hunter7@h/d")
        .output()
        .expect("the program runs");
    check(&help, 0, "[env: DUBHOOK_STORE]", "");
    assert!(!String::from_utf8_lossy(&help.stdout).contains("hunter7"));
}

#[test]
fn a_server_that_shall_ask_for_keys_has_one_that_can_be_sent() {
    let open = ["--listen", "127.0.0.1:0", "--api-key"];
    for key in ["", ","] {
        refuses(&[&open[..], &[key]].concat(), "there is no key");
    }
    let long = "k".repeat(129);
    for key in ["a b", "schlüssel", &long] {
        let told = refuses(
            &[&open[..], &[key]].concat(),
            "1 to 128 visible ASCII characters",
        );
        assert!(!told.contains(key), "a key is shown: {told}");
    }
    let server = Server::in_memory(&["--api-key", "one,,two"]);
    check(&run(&server.url, &["jobs", "--api-key", "two"]), 0, "", "");
}

#[test]
fn every_command_takes_the_same_servers_and_keys() {
    let server = Server::in_memory(&[]);
    let below = format!("{}/v1", server.url);
    for arguments in [&["jobs"][..], &WAIT, &["work", "--exec", "true"]] {
        let end = "must end after host and port";
        check(&run(&below, arguments), 2, "", end);
        for key in ["", "a b", "a\nb"] {
            let refused = run(&server.url, &[arguments, &["--api-key", key]].concat());
            check(&refused, 2, "", "1 to 128 visible ASCII characters");
        }
    }
}

#[test]
fn a_listener_says_what_to_do_on_the_command_line() {
    let server = Server::in_memory(&[]);
    let listen = |more: &[&str]| run(&server.url, &[&["listen", "--port", "0"], more].concat());
    check(&listen(&["--host", "203.0.113.1"]), 1, "", "--bind");
    check(&listen(&["--forward-to", "nowhere"]), 2, "", "http://");
}

#[test]
fn a_wrong_key_is_no_matter_of_webhooks() {
    let server = Server::in_memory(&["--api-key", "one"]);
    let ended = run(&server.url, &WAIT);
    check(&ended, 1, "", "Send an API key");
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!told.contains("cannot tell"), "{told}");
}

#[test]
fn help_says_where_the_body_comes_from() {
    let help = dubhook(&["verify", "--help"]).output().unwrap();
    check(&help, 0, "read from standard input", "");
}
