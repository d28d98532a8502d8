//! Nothing is answered before it is durable, nor waits longer than that.

use crate::{HOOK, JOB, call, new_hook, new_job};
use dubhook_core::{server::Drive, service::Report};
use dubhook_tests::{
    caller::{Caller, ask, request},
    machine::{Machine, Records, at},
};
use serde_json::json;

fn machine() -> Machine {
    Machine::durable(1, Records::new(), at(0))
}

/// Sends one request and returns the connection, which waits or not.
fn send(machine: &mut Machine, method: &str, path: &str, body: &str) -> Caller {
    let mut caller = Caller::open(machine);
    caller.send(machine, &request(method, path, "", body));
    caller
}

#[test]
fn every_change_waits_for_its_commit() {
    for (method, path, body) in [
        ("POST", "/v1/translations", JOB),
        ("POST", "{job}/cancel", ""),
        ("POST", "/v1/webhooks", HOOK),
        ("PATCH", "{hook}", r#"{"description":"x"}"#),
        ("DELETE", "{hook}", ""),
        ("POST", "{hook}/test", ""),
        ("POST", "{hook}/rotate-secret", ""),
    ] {
        let mut machine = machine();
        let job = new_job(&mut machine);
        let (hook, _) = new_hook(&mut machine, HOOK);
        let path = path.replace("{job}", &job).replace("{hook}", &hook);
        let mut caller = send(&mut machine, method, &path, body);
        assert_eq!(caller.wants, Drive::Wait, "{method} {path}");
        assert!(caller.take().is_empty());
        // A call between, as when more bytes come, changes nothing.
        caller.turn(&mut machine);
        assert_eq!(caller.wants, Drive::Wait);
        machine.commit();
        assert_eq!(machine.next_conn(), Some(caller.id));
        assert_eq!(machine.next_conn(), None);
        caller.turn(&mut machine);
        assert!(caller.answers()[0].status < 300, "{method} {path}");
    }
}

#[test]
fn what_changes_nothing_does_not_wait_for_a_commit_that_may_never_come() {
    let mut machine = machine();
    let fields = "idempotency-key: k\r\n";
    let first = ask(&mut machine, "POST", "/v1/translations", fields, JOB);
    let (hook, _) = new_hook(&mut machine, HOOK);
    machine.commit();
    assert!(!machine.server.has_unsaved());

    let mut caller = Caller::open(&mut machine);
    caller.send(
        &mut machine,
        &request("POST", "/v1/translations", fields, JOB),
    );
    assert_eq!(caller.answers(), [first]);
    let mut caller = send(&mut machine, "POST", &format!("{hook}/redeliver"), "");
    assert_eq!(caller.answers()[0].json(), json!({"redelivered": 0}));
}

#[test]
fn a_repeat_waits_for_the_first_one_s_commit() {
    let mut machine = machine();
    let again = request("POST", "/v1/translations", "idempotency-key: k\r\n", JOB);
    let mut first = Caller::open(&mut machine);
    first.send(&mut machine, &again);
    // The first one's batch is being written when the second one comes.
    let (_, batch) = machine.write();
    let mut second = Caller::open(&mut machine);
    second.send(&mut machine, &again);
    assert_eq!((first.wants, second.wants), (Drive::Wait, Drive::Wait));
    machine.durable_now(batch.unwrap());
    for caller in [&mut first, &mut second] {
        assert_eq!(machine.next_conn(), Some(caller.id));
        caller.turn(&mut machine);
    }
    assert_eq!(first.answers(), second.answers());
}

#[test]
fn reading_shows_only_what_is_durable() {
    for path in ["{job}", "/status", "{hook}"] {
        let mut machine = machine();
        let job = new_job(&mut machine);
        let narrowed = HOOK.replace(
            '}',
            &format!(r#","job":"{}"}}"#, job.rsplit('/').next().unwrap()),
        );
        let (hook, _) = new_hook(&mut machine, &narrowed);
        let path = path.replace("{job}", &job).replace("{hook}", &hook);
        let id = machine.start_job().unwrap();
        machine.report(id, Report::Completed("file:///o.mp4"));
        let mut caller = send(&mut machine, "GET", &path, "");
        let before = caller.answers();
        let leaked = before
            .iter()
            .any(|answer| answer.json()["status"] == "completed");
        assert!(!leaked, "{path}");
        machine.commit();
        if before.is_empty() {
            assert_eq!(machine.next_conn(), Some(caller.id));
            caller.turn(&mut machine);
            assert_eq!(caller.answers()[0].json()["status"], "completed", "{path}");
        }
        assert_eq!(
            call(&mut machine, "GET", &path, "").json()["status"],
            "completed"
        );
    }
}

#[test]
fn a_list_shows_only_what_is_durable_and_leaves_out_nothing_that_was_answered_for() {
    let mut machine = machine();
    let first = new_job(&mut machine);
    let narrowed = HOOK.replace(
        '}',
        &format!(r#","job":"{}"}}"#, first.rsplit('/').next().unwrap()),
    );
    new_hook(&mut machine, &narrowed);
    // It changes again as soon as it is accepted, and that is not durable when the list is asked for.
    let id = machine.start_job().unwrap();
    machine.report(id, Report::Completed("file:///o.mp4"));
    let mut unanswered = send(&mut machine, "POST", "/v1/translations", JOB);
    for path in ["/v1/translations", "/v1/webhooks"] {
        let mut caller = send(&mut machine, "GET", path, "");
        let answers = caller.answers();
        for answer in &answers {
            let data = &answer.json()["data"];
            assert_eq!(data.as_array().unwrap().len(), 1, "{path}: {data}");
            assert_ne!(data[0]["status"], "completed", "{path}");
        }
        assert_eq!(answers.is_empty(), caller.wants == Drive::Wait);
        machine.server.close(caller.id);
    }
    machine.commit();
    unanswered.turn(&mut machine);
    assert_eq!(unanswered.answers()[0].status, 202);
    for (path, len) in [("/v1/translations", 2), ("/v1/webhooks", 1)] {
        let data = &call(&mut machine, "GET", path, "").json()["data"];
        assert_eq!(data.as_array().unwrap().len(), len);
        assert_eq!(data[len - 1]["status"], "completed");
    }
}

#[test]
fn the_status_is_told_while_new_jobs_keep_coming() {
    let mut machine = machine();
    new_job(&mut machine);
    let mut caller = send(&mut machine, "GET", "/status", "");
    for _ in 0..5 {
        if !caller.take().is_empty() {
            return;
        }
        let _ = send(&mut machine, "POST", "/v1/translations", JOB);
        machine.commit();
        let _ = send(&mut machine, "POST", "/v1/translations", JOB);
        caller.turn(&mut machine);
    }
    panic!("no answer for five commits");
}

#[test]
fn a_connection_that_closes_while_it_waits_is_gone() {
    let mut machine = machine();
    let caller = send(&mut machine, "POST", "/v1/translations", JOB);
    machine.server.close(caller.id);
    assert_eq!(machine.server.conns_len(), 0);
    machine.commit();
    assert_eq!(machine.next_conn(), None);
    assert_eq!(machine.server.service().jobs_len(), 1);
    // Its slot's next connection has nothing of it.
    let mut next = Caller::open(&mut machine);
    assert_eq!(next.id.slot(), caller.id.slot());
    next.turn(&mut machine);
    assert!(matches!(next.wants, Drive::Input { .. }) && next.take().is_empty());
}
