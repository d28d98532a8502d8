//! Reads that wait until a job has changed.

use crate::{JOB, call, check_problem, durable, named, new_job};
use dubhook_core::{server::Drive, service::Report};
use dubhook_tests::{
    caller::{Answer, Caller, ask, request},
    machine::{Machine, config},
};

const WAIT: &str = "prefer: wait=10\r\n";

/// Asks for a job, and to wait for it.
fn wait(machine: &mut Machine, path: &str) -> Caller {
    // What was told before concerns nobody who comes now.
    assert_eq!(machine.next_conn(), None);
    let mut caller = Caller::open(machine);
    caller.send(machine, &request("GET", path, WAIT, ""));
    caller
}

/// The one answer that is there, if it is.
#[track_caller]
fn answer(caller: &mut Caller) -> Option<Answer> {
    let mut answers = caller.answers();
    assert!(answers.len() <= 1);
    answers.pop()
}

#[test]
fn a_read_waits_until_its_job_has_come_past_the_sequence_or_has_ended() {
    let mut machine = Machine::volatile(1);
    let job = new_job(&mut machine);
    let mut end = wait(&mut machine, &job);
    let mut second = wait(&mut machine, &format!("{job}?after_sequence=1"));
    let mut third = wait(&mut machine, &format!("{job}?after_sequence=2"));
    let mut passed = wait(&mut machine, &format!("{job}?after_sequence=0"));
    assert_eq!(answer(&mut passed).unwrap().json()["sequence"], 1);
    assert_eq!(machine.server.conns_held(), 3);
    assert_eq!(named(&mut machine, &mut []), 0);

    let id = machine.start_job().unwrap();
    let all = &mut [&mut end, &mut second, &mut third];
    assert_eq!(named(&mut machine, all), 3);
    assert_eq!(answer(&mut second).unwrap().json()["status"], "processing");
    assert!(answer(&mut third).is_none() && answer(&mut end).is_none());

    machine.report(id, Report::Progress(40));
    assert_eq!(named(&mut machine, &mut [&mut end, &mut third]), 2);
    assert_eq!(answer(&mut third).unwrap().json()["progress"], 40);
    assert!(answer(&mut end).is_none());

    machine.report(id, Report::Completed("https://o.test/1"));
    assert_eq!(named(&mut machine, &mut [&mut end]), 1);
    let ended = answer(&mut end).unwrap().json();
    assert_eq!(
        (&ended["status"], &ended["sequence"]),
        (&"completed".into(), &4.into())
    );
    assert_eq!(machine.server.conns_held(), 0);
    // One that has ended is answered at once, whatever is waited for.
    let mut late = wait(&mut machine, &format!("{job}?after_sequence=9"));
    assert_eq!(answer(&mut late).unwrap().json()["status"], "completed");
}

#[test]
fn a_read_that_has_waited_long_enough_shows_the_job_as_it_is() {
    let mut machine = Machine::volatile(1);
    let job = new_job(&mut machine);
    let mut caller = wait(&mut machine, &job);
    machine.advance_ms(9_999);
    assert_eq!(named(&mut machine, &mut [&mut caller]), 0);
    machine.advance_ms(1);
    assert_eq!(named(&mut machine, &mut [&mut caller]), 1);
    assert_eq!(answer(&mut caller).unwrap().json()["status"], "pending");
    // The connection goes on, and its next wait is for a request.
    caller.send(&mut machine, &request("GET", "/status", "", ""));
    assert_eq!(answer(&mut caller).unwrap().status, 200);
    machine.advance_ms(75_000);
    assert_eq!(named(&mut machine, &mut [&mut caller]), 1);
    assert_eq!(caller.wants, Drive::Close);
}

#[test]
fn nobody_reads_what_is_not_durable() {
    let mut machine = durable();
    let job = new_job(&mut machine);
    let id = machine.start_job().unwrap();
    machine.commit();
    let mut caller = wait(&mut machine, &job);
    machine.report(id, Report::Completed("https://o.test/1"));
    assert_eq!(named(&mut machine, &mut [&mut caller]), 0);
    assert!(answer(&mut caller).is_none());
    machine.commit();
    assert_eq!(named(&mut machine, &mut [&mut caller]), 1);
    assert_eq!(answer(&mut caller).unwrap().json()["status"], "completed");
}

#[test]
fn more_at_once_than_the_feed_holds_wakes_everybody() {
    let mut machine = durable();
    let jobs = [(); 3].map(|()| new_job(&mut machine));
    let mut caller = wait(&mut machine, &format!("{}?after_sequence=1", jobs[0]));
    machine.start_job().unwrap();
    // Sixteen jobs have room for 128 events in the feed.
    for _ in 1..jobs.len() {
        let other = machine.start_job().unwrap();
        for percent in 0..100 {
            machine.report(other, Report::Progress(percent));
            named(&mut machine, &mut [&mut caller]);
            assert!(answer(&mut caller).is_none(), "not durable");
        }
    }
    machine.commit();
    assert_eq!(named(&mut machine, &mut [&mut caller]), 1);
    assert_eq!(answer(&mut caller).unwrap().json()["status"], "processing");
}

#[test]
fn a_job_is_not_forgotten_before_those_who_wait_for_it_are_answered() {
    let mut machine = Machine::volatile(1);
    let jobs = [(); 16].map(|()| new_job(&mut machine));
    let mut caller = wait(&mut machine, &jobs[0]);
    let id = machine.start_job().unwrap();
    machine.report(id, Report::Completed("https://o.test/1"));
    // Its room is wanted before the one who waits has had a turn.
    let refused = call(&mut machine, "POST", "/v1/translations", JOB);
    check_problem(&refused, 503, "full", None);
    assert_eq!(named(&mut machine, &mut [&mut caller]), 1);
    assert_eq!(answer(&mut caller).unwrap().json()["status"], "completed");
    new_job(&mut machine);
    assert_eq!(call(&mut machine, "GET", &jobs[0], "").status, 404);
    // One who goes before that keeps nothing.
    let mut caller = wait(&mut machine, &jobs[1]);
    assert!(answer(&mut caller).is_none());
    machine.server.close(caller.id);
    let id = machine.start_job().unwrap();
    machine.report(id, Report::Failed("no sound"));
    new_job(&mut machine);
}

#[test]
fn half_of_all_connections_may_wait() {
    let mut machine = Machine::volatile(1);
    let job = new_job(&mut machine);
    let mut held: Vec<_> = (0..4).map(|_| wait(&mut machine, &job)).collect();
    let mut refused = wait(&mut machine, &job);
    check_problem(&answer(&mut refused).unwrap(), 503, "full", None);
    // Without the wish to wait it is read, and one that goes makes room.
    assert_eq!(call(&mut machine, "GET", &job, "").status, 200);
    machine.server.close(held.pop().unwrap().id);
    refused.send(&mut machine, &request("GET", &job, WAIT, ""));
    assert!(answer(&mut refused).is_none());
    assert_eq!(machine.server.conns_held(), 4);
}

#[test]
fn what_comes_while_a_read_waits_is_answered_after_it() {
    let mut machine = Machine::volatile(1);
    let job = new_job(&mut machine);
    let mut caller = wait(&mut machine, &job);
    caller.send(&mut machine, &request("GET", "/status", "", ""));
    assert!(answer(&mut caller).is_none());
    // A buffer that is full is not asked to take more.
    let rest = vec![b'x'; 1 << 20];
    assert!(caller.send(&mut machine, &rest) > 0);
    assert_eq!(caller.wants, Drive::Wait);
    let id = machine.start_job().unwrap();
    machine.report(id, Report::Failed("no sound"));
    assert!(named(&mut machine, &mut [&mut caller]) > 0);
    let answers = caller.answers();
    assert_eq!(answers[0].json()["status"], "error");
    assert_eq!(answers[1].json()["status"], "error");
    assert!(answers[2].status >= 400 && caller.wants == Drive::Close);
}

#[test]
fn a_server_that_stops_holds_nobody() {
    let mut machine = Machine::volatile(1);
    let job = new_job(&mut machine);
    let mut caller = wait(&mut machine, &job);
    machine.shutdown();
    assert_eq!(named(&mut machine, &mut [&mut caller]), 1);
    let last = answer(&mut caller).unwrap();
    assert!(last.closes() && last.json()["status"] == "pending");
}

#[test]
fn waiting_is_a_preference_and_the_sequence_a_number() {
    let mut machine = Machine::volatile(1);
    let job = new_job(&mut machine);
    for fields in [
        "",
        "prefer: wait=0\r\n",
        "prefer: wait=x\r\n",
        "prefer: respond-async\r\n",
    ] {
        assert_eq!(ask(&mut machine, "GET", &job, fields, "").status, 200);
    }
    for bad in [
        "x",
        "",
        "-1",
        "01",
        "1.0",
        "4294967296",
        "1&after_sequence=1",
    ] {
        for fields in ["", WAIT] {
            let path = format!("{job}?after_sequence={bad}");
            let answer = ask(&mut machine, "GET", &path, fields, "");
            check_problem(&answer, 422, "invalid_request", Some("after_sequence"));
        }
    }
    let nobody = job.replace("job_0", "job_1");
    assert_eq!(ask(&mut machine, "GET", &nobody, WAIT, "").status, 404);
    let _ = ask(&mut machine, "POST", "/v1/translations", WAIT, JOB);
}

#[test]
fn who_sends_no_more_is_answered_all_the_same() {
    let mut machine = Machine::volatile(1);
    let job = new_job(&mut machine);
    let mut caller = wait(&mut machine, &job);
    assert!(machine.server.end_input(caller.id));
    assert!(
        machine.server.end_input(caller.id),
        "as often as it is asked"
    );
    let id = machine.start_job().unwrap();
    machine.report(id, Report::Completed("file:///o.mp4"));
    assert_eq!(named(&mut machine, &mut [&mut caller]), 1);
    assert_eq!(caller.answers()[0].json()["status"], "completed");
    assert!(!machine.server.end_input(caller.id), "nothing is owed");
    let mut idle = Caller::open(&mut machine);
    idle.send(&mut machine, &request("GET", &job, "", "")[..9]);
    assert!(!machine.server.end_input(idle.id));
}

#[test]
fn those_who_send_no_more_do_not_hold_all_that_may_be_held() {
    // Of sixteen connections eight may be held, and two with clients that may be gone.
    let mut machine = Machine::sized::<4, 4, 16>(config());
    let job = new_job(&mut machine);
    let held = [(); 4].map(|()| wait(&mut machine, &job));
    let ended = held
        .each_ref()
        .map(|caller| machine.server.end_input(caller.id));
    assert_eq!(ended, [true, true, false, false]);
    for caller in &held {
        machine.server.close(caller.id);
    }
    assert_eq!(machine.server.conns_held(), 0);
    let caller = wait(&mut machine, &job);
    assert!(machine.server.end_input(caller.id), "there is room again");
}
