//! The HTTP API, as whoever calls it sees it.

mod bodies;
mod failing;
mod full;
mod idempotency;
mod in_flight;
mod injection;
mod keys;
mod lists;
mod routes;
mod waiting;
mod webhooks;

use dubhook_tests::{
    caller::{Answer, ask},
    machine::Machine,
};

/// A translation that can be asked for.
const JOB: &str = r#"{"video_url":"https://example.test/v.mp4","target_language":"es"}"#;
/// A webhook that can be registered.
const HOOK: &str = r#"{"url":"http://127.0.0.1:3120/hook"}"#;

/// Calls with a JSON body, or none.
fn call(machine: &mut Machine, method: &str, path: &str, body: &str) -> Answer {
    ask(machine, method, path, "", body)
}

/// Asks for a translation and returns its path.
fn new_job(machine: &mut Machine) -> String {
    let answer = call(machine, "POST", "/v1/translations", JOB);
    assert_eq!(answer.status, 202);
    answer.field("location").unwrap().to_owned()
}

/// Registers a webhook and returns its path and secret.
fn new_hook(machine: &mut Machine, body: &str) -> (String, String) {
    let answer = call(machine, "POST", "/v1/webhooks", body);
    assert_eq!(answer.status, 201, "{:?}", answer.json());
    let secret = answer.json()["secret"].as_str().unwrap().to_owned();
    (answer.field("location").unwrap().to_owned(), secret)
}

/// Checks a refusal: its status, its code, and the member that it names, if it names one.
#[track_caller]
fn check_problem(answer: &Answer, status: u16, code: &str, field: Option<&str>) {
    let problem = answer.json();
    assert_eq!(
        (
            answer.status,
            problem["code"].as_str(),
            problem["field"].as_str()
        ),
        (status, Some(code), field),
        "{problem}"
    );
}
