//! Remote workers: who is given which job, for how long, and whose word counts.

mod asking;
mod line;

use crate::{JOB, call, check_problem, new_hook, new_job};
use dubhook_core::server::{Config, Drive};
use dubhook_tests::caller::{Answer, Caller, request};
use dubhook_tests::machine::{Machine, Records, at, config};
use serde_json::{Value, json};

const CLAIM: &str = "/v1/work/claim";

fn remote(mut config: Config<'static>) -> Config<'static> {
    config.service.remote_workers = true;
    config
}

/// A machine whose jobs are for remote workers, and which writes records.
fn machine() -> Machine {
    Machine::durable_as(remote(config()), 1, Records::new(), at(0))
}

/// The same records in a new process.
fn restarted(machine: &Machine) -> Machine {
    let records = machine.records.clone();
    Machine::durable_as(remote(config()), 2, records, machine.now)
}

/// Claims a job and waits for nothing but the commit. Returns where to report on it, and the lease.
#[track_caller]
fn claimed(machine: &mut Machine) -> (String, u64) {
    let answer = call(machine, "POST", CLAIM, "");
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    under(&answer)
}

fn under(answer: &Answer) -> (String, u64) {
    let claim = answer.json();
    let id = claim["job"]["id"].as_str().expect("an id");
    let lease = claim["lease"].as_u64().expect("a lease");
    (format!("/v1/work/{id}"), lease)
}

/// Reports under a lease: `what` is the last part of the path, `said` the member that goes with it.
fn report(machine: &mut Machine, work: &str, lease: u64, what: &str, said: &Value) -> Answer {
    let mut body = said.clone();
    body["lease"] = lease.into();
    call(
        machine,
        "POST",
        &format!("{work}/{what}"),
        &body.to_string(),
    )
}

fn complete(machine: &mut Machine, work: &str, lease: u64) -> Answer {
    let said = json!({"output_url": "https://o.test/1"});
    report(machine, work, lease, "complete", &said)
}

/// A worker that waits for a job for so many seconds.
fn waiting(machine: &mut Machine, seconds: u32) -> Caller {
    let mut caller = Caller::open(machine);
    let prefer = format!("prefer: wait={seconds}\r\n");
    caller.send(machine, &request("POST", CLAIM, &prefer, ""));
    caller
}

/// Commits, and drives the connections that the machine names until it names none. Returns in which order it did.
fn turn(machine: &mut Machine, callers: &mut [&mut Caller]) -> Vec<usize> {
    let mut named = Vec::new();
    loop {
        machine.commit();
        let Some(id) = machine.next_conn() else {
            return named;
        };
        let at = callers.iter().position(|caller| caller.id == id);
        let at = at.expect("one of ours");
        callers[at].turn(machine);
        named.push(at);
    }
}

#[track_caller]
fn check_status(machine: &mut Machine, job: &str, status: &str) {
    assert_eq!(call(machine, "GET", job, "").json()["status"], status);
}

#[test]
fn a_claim_gives_the_job_that_has_waited_longest() {
    let mut machine = machine();
    let first = new_job(&mut machine);
    let second = new_job(&mut machine);
    let nothing = r#"{"capabilities":["es"],"worker":7}"#;
    for (job, body) in [(first, ""), (second, nothing)] {
        let answer = call(&mut machine, "POST", CLAIM, body);
        assert_eq!(answer.status, 200);
        let claim = answer.json();
        assert_eq!(claim["job"], call(&mut machine, "GET", &job, "").json());
        assert_eq!(claim["job"]["status"], "processing");
        assert_eq!(claim["lease"], claim["job"]["sequence"]);
        assert_eq!(claim["lease_ms"], config().service.lease_ms);
    }
    let none = call(&mut machine, "POST", CLAIM, "");
    assert_eq!((none.status, none.body.len()), (204, 0));
    // The driver has no part in it.
    new_job(&mut machine);
    assert_eq!((machine.start_job(), machine.stop_job()), (None, None));
}

#[test]
fn neither_a_job_nor_a_claim_is_told_before_it_is_durable() {
    let mut machine = machine();
    let mut asker = Caller::open(&mut machine);
    asker.send(&mut machine, &request("POST", "/v1/translations", "", JOB));
    let mut early = waiting(&mut machine, 0);
    assert_eq!(early.answers()[0].status, 204);
    let mut worker = waiting(&mut machine, 10);
    assert!(matches!(worker.wants, Drive::Input { .. }), "it is held");
    assert_eq!(machine.next_conn(), None);
    machine.commit();
    // The asker has its answer, and the worker may look.
    assert_eq!(machine.next_conn(), Some(asker.id));
    assert_eq!(machine.next_conn(), Some(worker.id));
    assert_eq!(machine.next_conn(), None);
    worker.turn(&mut machine);
    assert_eq!(worker.wants, Drive::Wait);
    assert!(worker.take().is_empty());
    machine.commit();
    assert_eq!(machine.next_conn(), Some(worker.id));
    worker.turn(&mut machine);
    assert_eq!(worker.answers()[0].json()["job"]["status"], "processing");
}

#[test]
fn a_worker_reports_until_its_job_has_ended() {
    for (what, said, status) in [
        (
            "complete",
            json!({"output_url": "file:///o.mp4"}),
            "completed",
        ),
        ("fail", json!({"error": "No \"sound\".\n"}), "error"),
    ] {
        let mut machine = machine();
        new_job(&mut machine);
        let (work, lease) = claimed(&mut machine);
        let share = report(
            &mut machine,
            &work,
            lease,
            "progress",
            &json!({"progress": 40}),
        );
        assert_eq!((share.status, &share.json()["progress"]), (200, &json!(40)));
        let ended = report(&mut machine, &work, lease, what, &said);
        assert_eq!(ended.status, 200);
        let job = ended.json();
        assert_eq!(job["status"], status);
        let (member, text) = said.as_object().unwrap().iter().next().unwrap();
        assert_eq!(&job[member], text);
        assert_eq!(call(&mut machine, "POST", CLAIM, "").status, 204);
    }
}

#[test]
fn who_could_not_be_heard_has_one_lease_more() {
    let lease_ms = config().service.lease_ms;
    // For how long: almost until its lease runs out, and for half of it.
    for silent_ms in [lease_ms - 1, lease_ms / 2] {
        let mut machine = machine();
        let job = new_job(&mut machine);
        let (work, lease) = claimed(&mut machine);
        machine.advance_ms(silent_ms);
        machine.server.spare_workers(machine.now);
        machine.advance_ms(lease_ms - 1);
        check_status(&mut machine, &job, "processing");
        let said = report(&mut machine, &work, lease, "progress", &json!({}));
        assert_eq!(said.status, 200, "{:?}", said.json());
        // Silence counts from there as ever.
        machine.advance_ms(lease_ms);
        machine.commit();
        check_status(&mut machine, &job, "pending");
    }
    // So it does where nothing comes at all.
    let mut machine = machine();
    let job = new_job(&mut machine);
    claimed(&mut machine);
    machine.advance_ms(lease_ms - 1);
    machine.server.spare_workers(machine.now);
    machine.advance_ms(lease_ms - 1);
    check_status(&mut machine, &job, "processing");
    machine.advance_ms(1);
    machine.commit();
    check_status(&mut machine, &job, "pending");
}

#[test]
fn every_report_renews_the_lease_and_silence_loses_it() {
    let lease_ms = config().service.lease_ms;
    let mut machine = machine();
    let job = new_job(&mut machine);
    let (work, lease) = claimed(&mut machine);
    let progress = format!("{work}/progress");
    for body in [
        "",
        "{}",
        r#"{"lease":2}"#,
        r#"{"progress":7,"lease":2}"#,
        r#"{"progress":7}"#,
    ] {
        machine.advance_ms(lease_ms - 1);
        let alive = call(&mut machine, "POST", &progress, body);
        assert_eq!(alive.status, 200, "{body}: {:?}", alive.json());
    }
    machine.advance_ms(lease_ms);
    machine.commit();
    check_status(&mut machine, &job, "pending");
    let lost = report(
        &mut machine,
        &work,
        lease,
        "progress",
        &json!({"progress": 50}),
    );
    check_problem(&lost, 409, "lease_lost", None);
    for (what, body) in [("progress", ""), ("fail", r#"{"error":"x"}"#)] {
        let lost = call(&mut machine, "POST", &format!("{work}/{what}"), body);
        check_problem(&lost, 409, "lease_lost", None);
    }
    check_status(&mut machine, &job, "pending");
}

#[test]
fn a_worker_that_was_thought_dead_cannot_speak_for_the_next_one() {
    let mut machine = machine();
    let job = new_job(&mut machine);
    let (work, old) = claimed(&mut machine);
    machine.advance_ms(config().service.lease_ms);
    machine.commit();
    let (_, new) = claimed(&mut machine);
    assert!(new > old);
    for (what, said) in [
        ("progress", json!({"progress": 90})),
        ("complete", json!({"output_url": "https://o.test/old"})),
        ("fail", json!({"error": "I am back."})),
    ] {
        let late = report(&mut machine, &work, old, what, &said);
        check_problem(&late, 409, "lease_lost", None);
    }
    check_status(&mut machine, &job, "processing");
    assert_eq!(complete(&mut machine, &work, new).status, 200);
    // It has ended by now, and not through the old one, though that says the same.
    let late = complete(&mut machine, &work, old);
    check_problem(&late, 409, "job_ended", None);
}

#[test]
fn a_job_that_loses_its_workers_too_often_has_failed() {
    let mut machine = machine();
    let job = new_job(&mut machine);
    for _ in 0..config().service.attempts_max {
        claimed(&mut machine);
        machine.advance_ms(config().service.lease_ms);
        machine.commit();
    }
    check_status(&mut machine, &job, "error");
    assert_eq!(machine.stop_job(), None);
}

#[test]
fn a_worker_goes_on_after_a_restart_of_the_server() {
    for heard in [false, true] {
        let mut machine = machine();
        let (hook, _) = new_hook(&mut machine, crate::HOOK);
        let job = new_job(&mut machine);
        let (work, lease) = claimed(&mut machine);
        let mut machine = restarted(&machine);
        check_status(&mut machine, &job, "processing");
        machine.advance_ms(config().service.lease_ms - 1_000);
        if heard {
            let alive = report(
                &mut machine,
                &work,
                lease,
                "progress",
                &json!({"progress": 40}),
            );
            assert_eq!(alive.status, 200, "{}", alive.json());
            machine.advance_ms(config().service.lease_ms - 1_000);
        }
        assert_eq!(complete(&mut machine, &work, lease).status, 200);
        let told = crate::types(&crate::deliver_all(&mut machine, 204));
        let progress = told
            .iter()
            .filter(|kind| kind.ends_with("progress"))
            .count();
        assert_eq!(progress, 0, "overtaken");
        assert_eq!(
            told.len(),
            3,
            "{told:?}: pending, processing and completed, each once"
        );
        assert_eq!(call(&mut machine, "GET", &hook, "").status, 200);
    }
}

#[test]
fn a_worker_that_is_not_heard_of_after_a_restart_loses_its_job_and_no_attempt() {
    let mut machine = machine();
    let job = new_job(&mut machine);
    for _ in 0..2 * config().service.attempts_max {
        let (work, old) = claimed(&mut machine);
        machine = restarted(&machine);
        machine.advance_ms(config().service.lease_ms - 1);
        check_status(&mut machine, &job, "processing");
        machine.advance_ms(1);
        machine.commit();
        check_status(&mut machine, &job, "pending");
        check_problem(&complete(&mut machine, &work, old), 409, "lease_lost", None);
    }
    let (work, new) = claimed(&mut machine);
    assert_eq!(complete(&mut machine, &work, new).status, 200);
}

#[test]
fn a_worker_that_was_heard_of_and_falls_silent_has_used_an_attempt() {
    let mut machine = machine();
    let job = new_job(&mut machine);
    for _ in 0..config().service.attempts_max {
        let (work, lease) = claimed(&mut machine);
        machine = restarted(&machine);
        let alive = report(&mut machine, &work, lease, "progress", &json!({}));
        assert_eq!(alive.status, 200);
        machine.advance_ms(config().service.lease_ms);
        machine.commit();
    }
    check_status(&mut machine, &job, "error");
}

#[test]
fn an_ending_that_is_reported_again_is_taken_again_and_changes_nothing() {
    for (what, said, other) in [
        (
            "complete",
            json!({"output_url": "https://o.test/1"}),
            json!({"output_url": "https://o.test/2"}),
        ),
        (
            "fail",
            json!({"error": "x".repeat(90)}),
            json!({"error": "x"}),
        ),
    ] {
        let mut machine = machine();
        new_hook(&mut machine, crate::HOOK);
        new_job(&mut machine);
        let (work, lease) = claimed(&mut machine);
        let first = report(&mut machine, &work, lease, what, &said);
        for restart in [false, true] {
            if restart {
                machine = restarted(&machine);
            }
            let again = report(&mut machine, &work, lease, what, &said);
            assert_eq!((again.status, again.json()), (200, first.json()));
            assert!(!machine.server.has_unsaved());
            let differs = report(&mut machine, &work, lease, what, &other);
            check_problem(&differs, 409, "job_ended", None);
            let alive = report(&mut machine, &work, lease, "progress", &json!({}));
            check_problem(&alive, 409, "job_ended", None);
        }
    }
}

#[test]
fn a_job_that_is_only_in_the_archive_has_ended() {
    let mut config = remote(config());
    config.service.retain_ms = 1_000;
    let memory = Box::leak(Box::new(
        dubhook_core::server::ServerStorage::<4, 2, 4, 4>::new(),
    ));
    let tables = memory.lend(dubhook_core::record::Keep::Archive);
    let server = dubhook_core::server::Server::new(tables, config, [1; 32]).unwrap();
    let mut machine = Machine::over(server, at(0));
    new_job(&mut machine);
    let (work, lease) = claimed(&mut machine);
    assert_eq!(complete(&mut machine, &work, lease).status, 200);
    machine.advance_ms(2_000);
    machine.commit();
    assert_eq!(machine.server.service().jobs_len(), 0);
    check_problem(
        &complete(&mut machine, &work, lease),
        409,
        "job_ended",
        None,
    );
}

#[test]
fn a_job_that_is_called_off_is_refused_its_worker() {
    let mut machine = machine();
    let job = new_job(&mut machine);
    let (work, lease) = claimed(&mut machine);
    assert_eq!(
        call(&mut machine, "POST", &format!("{job}/cancel"), "").status,
        200
    );
    let alive = call(&mut machine, "POST", &format!("{work}/progress"), "");
    check_problem(&alive, 409, "job_ended", None);
    check_problem(
        &complete(&mut machine, &work, lease),
        409,
        "job_ended",
        None,
    );
    // Nobody here has a worker to stop, and the job can be forgotten all the same.
    assert_eq!((machine.start_job(), machine.stop_job()), (None, None));
    machine.advance_ms(config().service.retain_ms);
    assert_eq!(call(&mut machine, "GET", &job, "").status, 404);
}
