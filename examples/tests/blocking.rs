//! `examples/blocking.rs` keeps what it has acknowledged, whatever happens to it.

#[path = "common/program.rs"]
mod program;
#[path = "common/wire.rs"]
mod wire;

use std::net::TcpListener;

use program::Program;
use serde_json::json;
use wire::{ask, receive};

#[test]
fn what_was_accepted_before_a_kill_is_there_and_told_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records");
    let args = ["127.0.0.1:0", records.to_str().unwrap()];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let callback = format!("http://{}/", listener.local_addr().unwrap());

    let mut program = Program::start("blocking", &args);
    let address = program.line("listening on http://");
    let wanted = json!({"video_url": "https://v.test/1.mp4", "target_language": "es", "callback_url": callback});
    let (status, job) = ask(&address, "POST", "/v1/translations", Some(&wanted));
    assert_eq!(status, 202);
    let secret = job["callback_secret"].as_str().unwrap();
    // Nobody has answered a webhook yet: the receiver's connections wait to be accepted.
    drop(program);

    let mut program = Program::start("blocking", &args);
    let address = program.line("listening on http://");
    let mut told = Vec::new();
    while told.last() != Some(&json!("translation.completed")) {
        let event = receive(&listener, secret);
        assert_eq!(event["data"]["id"], job["id"]);
        told.push(event["type"].clone());
    }
    told.dedup();
    assert_eq!(told.len(), 3, "pending, processing, completed: {told:?}");
    let path = format!("/v1/translations/{}", job["id"].as_str().unwrap());
    let (status, job) = ask(&address, "GET", &path, None);
    assert_eq!((status, &job["status"]), (200, &json!("completed")));
}
