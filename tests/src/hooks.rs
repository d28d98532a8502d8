//! What tests of deliveries do again and again: register a webhook, submit a job, read the attempts.

use crate::wire::{Asker, PATIENCE};
use dubhook_core::simulate::Settings;
use serde_json::Value;
use std::{thread, time::Instant};

/// Jobs that take no time and end well.
pub const NO_TIME: Settings = Settings {
    shortest_ms: 0,
    longest_ms: 0,
    errors_ppm: 0,
    steps: 1,
};

/// Registers `url` for endings; the endpoint's id.
///
/// # Panics
///
/// If the server refuses.
pub fn register(asker: &mut Asker, url: &str) -> String {
    let body = format!(r#"{{"url":"{url}","events":["translation.completed"]}}"#);
    let answer = asker.call("POST", "/v1/webhooks", &body);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// Submits a job; its id.
///
/// # Panics
///
/// If the server refuses.
pub fn submit(asker: &mut Asker) -> String {
    let body = r#"{"video_url":"https://v.test/1.mp4","target_language":"es"}"#;
    let answer = asker.call("POST", "/v1/translations", body);
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// The newest attempts to an endpoint, oldest first, once there are so many: status (0 for none), and why it failed.
///
/// # Panics
///
/// If they never come.
pub fn attempts(asker: &mut Asker, endpoint: &str, count: usize) -> Vec<(u64, String)> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let path = format!("/v1/webhooks/{endpoint}/attempts");
        let list = asker.call("GET", &path, "").json();
        let lines = list["data"].as_array().expect("a list");
        if lines.len() >= count {
            let line = |line: &Value| {
                let error = line["error"].as_str().unwrap_or_default();
                (line["status"].as_u64().unwrap_or(0), error.to_owned())
            };
            return lines.iter().rev().map(line).collect();
        }
        assert!(Instant::now() < give_up, "{list}");
        thread::yield_now();
    }
}
