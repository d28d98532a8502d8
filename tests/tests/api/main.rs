//! The HTTP API, as whoever calls it sees it.

mod ages;
mod bodies;
mod described;
mod events;
mod failing;
mod full;
mod held;
mod idempotency;
mod in_flight;
mod injection;
mod keys;
mod lists;
mod metrics;
mod origins;
mod pauses;
mod redelivery;
mod routes;
mod secrets;
mod waiting;
mod webhooks;
mod work;

use dubhook_core::signature::{Headers, Secret, TOLERANCE_S, VerifyError, verify};
use dubhook_tests::{
    caller::{Answer, Caller, ask},
    machine::{Machine, Records, at, body, field},
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

/// A machine whose records have to be written before anything leaves.
fn durable() -> Machine {
    Machine::durable(1, Records::new(), at(0))
}

/// Drives the connections that the machine names, and returns how many there were.
fn named(machine: &mut Machine, callers: &mut [&mut Caller]) -> usize {
    let mut named = 0;
    while let Some(id) = machine.next_conn() {
        let mut callers = callers.iter_mut();
        let caller = callers.find(|caller| caller.id == id).expect("one of ours");
        caller.turn(machine);
        named += 1;
    }
    named
}

/// Whether a delivery's signature fits one of these secrets.
fn is_signed(machine: &Machine, request: &str, secret: &str) -> bool {
    let key = Secret::parse(secret).unwrap().signing_key();
    let (_, payload) = request.split_once("\r\n\r\n").unwrap();
    let headers = Headers {
        id: field(request, "webhook-id").as_bytes(),
        timestamp: field(request, "webhook-timestamp").as_bytes(),
        signature: field(request, "webhook-signature").as_bytes(),
    };
    let result: Result<_, VerifyError> = verify(
        &headers,
        payload.as_bytes(),
        [&key],
        machine.now.timestamp,
        TOLERANCE_S,
    );
    result.is_ok()
}

/// Takes every attempt that may be made and answers it with `status`. Returns the requests.
fn deliver_all(machine: &mut Machine, status: u16) -> Vec<String> {
    machine.commit();
    let mut requests = Vec::new();
    while let Some((attempt, request)) = machine.attempt() {
        machine.settle(&attempt, status);
        machine.commit();
        requests.push(request);
    }
    requests
}

/// What the requests tell, each by its type.
fn types(requests: &[String]) -> Vec<String> {
    requests
        .iter()
        .map(|request| body(request)["type"].as_str().unwrap().to_owned())
        .collect()
}
