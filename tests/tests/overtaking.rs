//! Progress that newer events overtake, and what of it may be on its way when the process dies: whatever arrives for the
//! first time arrives in order, for as long as a receiver may take to look at what was sent to it.

use dubhook_core::service::Report;
use dubhook_tests::machine::{Machine, Records, at, body};

const HOOK: &str = r#"{"url":"http://127.0.0.1:3120/hook"}"#;
const ASK: &str = r#"{"video_url":"https://v.test/1.mp4","target_language":"es"}"#;

/// What the next attempt is about, and the attempt: `None` where none may be made.
fn next(machine: &mut Machine) -> Option<(String, dubhook_core::service::Attempt)> {
    let (attempt, request) = machine.attempt()?;
    let body = body(&request);
    let kind = body["type"].as_str().unwrap();
    let kind = kind.strip_prefix("translation.").unwrap();
    Some((format!("{} {kind}", body["data"]["sequence"]), attempt))
}

/// Sends what may be sent, each with success, without writing anything down. Returns what it was.
fn send(machine: &mut Machine) -> Vec<String> {
    let mut sent = Vec::new();
    while let Some((what, attempt)) = next(machine) {
        machine.settle(&attempt, 200).expect("in flight");
        sent.push(what);
    }
    sent
}

/// A machine with one endpoint and one job under way, of which `pending` and `processing` have arrived.
fn under_way() -> (Machine, dubhook_core::id::Id) {
    let mut machine = Machine::durable(1, Records::new(), at(0));
    assert_eq!(machine.call("POST", "/v1/webhooks", HOOK).0, 201);
    assert_eq!(machine.call("POST", "/v1/translations", ASK).0, 202);
    let id = machine.start_job().expect("work");
    machine.commit();
    assert_eq!(send(&mut machine), ["1 pending", "2 processing"]);
    machine.commit();
    (machine, id)
}

/// What a process that comes up from what is written now sends, in order.
fn after_a_crash(machine: &Machine) -> Vec<String> {
    let mut machine = Machine::durable(2, machine.records.clone(), at(1_000));
    let mut sent = Vec::new();
    loop {
        let more = send(&mut machine);
        machine.commit();
        if more.is_empty() {
            return sent;
        }
        sent.extend(more);
    }
}

#[test]
fn progress_on_its_way_is_sent_again_before_what_comes_after_a_restart() {
    let (mut machine, id) = under_way();
    machine.report(id, Report::Progress(30));
    machine.commit();
    assert_eq!(next(&mut machine).expect("an attempt").0, "3 progress");
    assert_eq!(after_a_crash(&machine), ["3 progress", "4 pending"]);
}

#[test]
fn progress_left_out_is_not_sent_after_what_overtook_it() {
    let (mut machine, id) = under_way();
    machine.report(id, Report::Progress(30));
    machine.commit();
    machine.report(id, Report::Completed("https://v.test/2.mp4"));
    assert_eq!(send(&mut machine), [""; 0], "not before it is written");
    machine.commit();
    assert_eq!(send(&mut machine), ["4 completed"]);
    assert_eq!(after_a_crash(&machine), ["4 completed"]);
}

#[test]
fn the_newest_progress_takes_the_place_of_the_one_before() {
    let (mut machine, id) = under_way();
    for percent in [10, 20, 30] {
        machine.report(id, Report::Progress(percent));
        machine.commit();
    }
    assert_eq!(send(&mut machine), ["5 progress"]);
}

#[test]
fn progress_after_another_event_waits_until_that_is_written() {
    let (mut machine, id) = under_way();
    machine.report(id, Report::Progress(30));
    machine.commit();
    let (what, attempt) = next(&mut machine).expect("an attempt");
    assert_eq!(what, "3 progress");
    machine.report(id, Report::Progress(40));
    machine.commit();
    machine.settle(&attempt, 200).expect("in flight");
    assert_eq!(send(&mut machine), [""; 0]);
    // Had it been sent, this restart could not know of it.
    assert_eq!(after_a_crash(&machine), ["3 progress", "5 pending"],);
    machine.commit();
    assert_eq!(next(&mut machine).expect("an attempt").0, "4 progress");
    assert_eq!(after_a_crash(&machine), ["4 progress", "5 pending"],);
}

#[test]
fn a_change_of_state_after_another_event_waits_for_nothing() {
    let (mut machine, id) = under_way();
    machine.report(id, Report::Progress(30));
    machine.commit();
    let (_, attempt) = next(&mut machine).expect("an attempt");
    machine.report(id, Report::Completed("https://v.test/2.mp4"));
    machine.commit();
    machine.settle(&attempt, 200).expect("in flight");
    assert_eq!(send(&mut machine), ["4 completed"]);
}
