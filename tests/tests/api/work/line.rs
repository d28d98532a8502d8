//! Workers who wait for a job: in a line, and for a while.

use super::{CLAIM, check_status, claimed, complete, machine, remote, turn, under, waiting};
use crate::{check_problem, new_job};
use dubhook_core::server::Drive;
use dubhook_core::{service::NewJob, text::Source};
use dubhook_tests::caller::{Caller, request};
use dubhook_tests::machine::{Machine, config};

#[test]
fn workers_wait_in_line_and_each_job_calls_one() {
    let mut machine = machine();
    let mut workers = [(); 4].map(|()| waiting(&mut machine, 60));
    let [first, second, third, fourth] = &mut workers;
    assert_eq!(machine.server.conns_held(), 4);
    let job = new_job(&mut machine);
    // It is called, and called again when the claim is durable.
    assert_eq!(
        turn(&mut machine, &mut [first, second, third, fourth]),
        [0, 0]
    );
    let given = first.answers().remove(0).json();
    assert!(job.ends_with(given["job"]["id"].as_str().unwrap()));
    // Two jobs at once call two, in their order.
    for _ in 0..2 {
        let now = machine.now;
        machine.server.submit(now, &TRANSLATION).unwrap();
    }
    assert_eq!(
        turn(&mut machine, &mut [second, third, fourth]),
        [0, 0, 1, 1]
    );
    for worker in [second, third] {
        assert_eq!(worker.answers()[0].status, 200);
    }
    // Who comes later and waits stands behind those who wait already; who does not wait takes what is there.
    new_job(&mut machine);
    let mut last = waiting(&mut machine, 60);
    assert!(matches!(last.wants, Drive::Input { .. }));
    assert_eq!(turn(&mut machine, &mut [fourth, &mut last]), [0, 0]);
    assert_eq!(fourth.answers()[0].status, 200);
    new_job(&mut machine);
    claimed_beside(&mut machine);
    assert!(last.take().is_empty());
    assert_eq!(machine.server.conns_held(), 1);
}

const TRANSLATION: NewJob<'_> = NewJob {
    video_url: Source::Plain("https://v.test/1"),
    source_language: None,
    target_language: Source::Plain("es"),
    reference: None,
    callback_url: None,
};

/// Claims a job without waiting, while others wait.
fn claimed_beside(machine: &mut Machine) {
    let mut worker = waiting(machine, 0);
    assert_eq!(worker.wants, Drive::Wait);
    machine.commit();
    worker.turn(machine);
    assert_eq!(worker.answers()[0].status, 200);
}

#[test]
fn a_worker_that_closes_is_passed_over() {
    let mut machine = machine();
    let gone = waiting(&mut machine, 60);
    let mut next = waiting(&mut machine, 60);
    let job = new_job(&mut machine);
    // It was called, and closes before it has looked.
    assert_eq!(machine.next_conn(), Some(gone.id));
    assert_eq!(machine.next_conn(), None);
    machine.server.close(gone.id);
    assert_eq!(turn(&mut machine, &mut [&mut next]), [0, 0]);
    assert_eq!(next.answers()[0].status, 200);
    check_status(&mut machine, &job, "processing");
}

#[test]
fn a_job_whose_worker_is_gone_before_the_answer_is_given_back_at_once() {
    let mut machine = machine();
    let job = new_job(&mut machine);
    let gone = waiting(&mut machine, 0);
    assert_eq!(gone.wants, Drive::Wait);
    let mut next = waiting(&mut machine, 60);
    machine.commit();
    machine.server.close(gone.id);
    let due = machine.server.deadline();
    assert!(
        due.is_some_and(|due| due <= machine.now.instant),
        "it is due at once"
    );
    machine.advance_ms(0);
    machine.commit();
    check_status(&mut machine, &job, "pending");
    assert_eq!(turn(&mut machine, &mut [&mut next]), [0, 0]);
    let given = next.answers().remove(0);
    let (work, lease) = under(&given);
    // That did not count as an attempt of the job's.
    let ix = machine.server.service().newest_job().unwrap();
    assert_eq!(machine.server.service().job(ix).unwrap().attempts(), 1);
    assert_eq!(complete(&mut machine, &work, lease).status, 200);
}

#[test]
fn a_job_that_is_called_off_before_its_worker_has_heard_of_it_is_not_given() {
    let mut machine = machine();
    let job = new_job(&mut machine);
    let mut worker = waiting(&mut machine, 0);
    assert_eq!(worker.wants, Drive::Wait);
    let mut owner = Caller::open(&mut machine);
    let cancel = request("POST", &format!("{job}/cancel"), "", "");
    owner.send(&mut machine, &cancel);
    turn(&mut machine, &mut [&mut worker, &mut owner]);
    assert_eq!(worker.answers()[0].status, 204);
    assert_eq!(owner.answers()[0].json()["status"], "canceled");
}

#[test]
fn a_worker_that_sends_no_more_is_told_at_once_and_given_nothing() {
    let mut machine = machine();
    let mut ended = waiting(&mut machine, 60);
    let mut next = waiting(&mut machine, 60);
    assert!(machine.server.end_input(ended.id));
    assert_eq!(turn(&mut machine, &mut [&mut ended, &mut next]), [0]);
    assert_eq!(ended.answers()[0].status, 204);
    let job = new_job(&mut machine);
    turn(&mut machine, &mut [&mut next]);
    assert_eq!(next.answers()[0].status, 200);
    check_status(&mut machine, &job, "processing");
}

#[test]
fn a_worker_that_has_waited_long_enough_is_told_that_there_is_nothing() {
    for (seconds, counted) in [(1, 1), (60, 60), (61, 60), (4_000, 60)] {
        let mut machine = machine();
        let mut worker = waiting(&mut machine, seconds);
        machine.advance_ms(counted * 1_000 - 1);
        assert!(turn(&mut machine, &mut [&mut worker]).is_empty());
        machine.advance_ms(1);
        assert_eq!(turn(&mut machine, &mut [&mut worker]), [0]);
        assert_eq!(worker.answers()[0].status, 204);
        // The connection goes on.
        worker.send(&mut machine, &request("GET", "/healthz", "", ""));
        assert_eq!(worker.answers()[0].status, 200);
        assert_eq!(machine.server.conns_held(), 0);
    }
}

#[test]
fn half_of_the_connections_may_wait_for_work() {
    let mut machine = Machine::sized::<8, 4, 4>(remote(config()));
    let held = [(); 2].map(|()| waiting(&mut machine, 60));
    let mut third = waiting(&mut machine, 60);
    check_problem(&third.answers()[0], 503, "full", None);
    machine.server.close(held[0].id);
    third.send(
        &mut machine,
        &request("POST", CLAIM, "prefer: wait=1\r\n", ""),
    );
    assert!(third.take().is_empty());
    assert_eq!(machine.server.conns_held(), 2);
}

#[test]
fn a_server_that_stops_gives_nothing_more() {
    let mut machine = machine();
    new_job(&mut machine);
    let (work, lease) = claimed(&mut machine);
    let mut held = waiting(&mut machine, 60);
    let mut open = Caller::open(&mut machine);
    open.send(&mut machine, &request("GET", "/healthz", "", "")[..20]);
    let mut late = Caller::open(&mut machine);
    let claim = request("POST", CLAIM, "", "");
    late.send(&mut machine, &claim[..20]);
    let mut reporter = Caller::open(&mut machine);
    let body = format!(r#"{{"output_url":"https://o.test/1","lease":{lease}}}"#);
    let said = request("POST", &format!("{work}/complete"), "", &body);
    reporter.send(&mut machine, &said[..20]);
    machine.shutdown();
    turn(
        &mut machine,
        &mut [&mut held, &mut open, &mut late, &mut reporter],
    );
    check_problem(&held.answers()[0], 503, "stopping", None);
    late.send(&mut machine, &claim[20..]);
    check_problem(&late.answers()[0], 503, "stopping", None);
    // What a worker has come to is still taken.
    reporter.send(&mut machine, &said[20..]);
    turn(&mut machine, &mut [&mut reporter]);
    assert_eq!(reporter.answers()[0].status, 200);
}
