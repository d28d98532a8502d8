//! Jobs that have left memory are still found.

use dubhook_core::{server::Drive, service::Report};
use dubhook_tests::{
    caller::{Caller, request},
    machine::{Machine, Records, at},
    stream::Stream,
};

/// Submits a job and lets it end; returns its path.
fn ended_job(machine: &mut Machine, number: usize) -> String {
    let ask = format!(r#"{{"video_url":"https://v.test/{number}.mp4","target_language":"es"}}"#);
    let (status, job) = machine.call("POST", "/v1/translations", &ask);
    assert_eq!(status, 202);
    machine.commit();
    let id = machine.start_job().expect("work");
    machine.report(id, Report::Completed("file:///out.mp4"));
    machine.commit();
    format!("/v1/translations/{}", job["id"].as_str().unwrap())
}

#[test]
fn a_job_that_made_room_for_others_is_found_in_the_archive() {
    let mut machine = Machine::archiving(1);
    let first = ended_job(&mut machine, 0);
    let (_, before) = machine.call("GET", &first, "");
    for number in 1..40 {
        ended_job(&mut machine, number);
    }
    assert_eq!(machine.server.service().jobs_len(), 16, "memory is bounded");
    let (status, after) = machine.call("GET", &first, "");
    assert_eq!((status, after), (200, before));
    let (status, problem) = machine.call("POST", &format!("{first}/cancel"), "");
    assert_eq!((status, &problem["code"]), (409, &"job_ended".into()));
    let head = machine.exchange(format!("HEAD {first} HTTP/1.1\r\nhost: t\r\n\r\n").as_bytes());
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let (status, _) = machine.call("GET", "/v1/translations/job_01k00000000000000000000000", "");
    assert_eq!(status, 404);
}

#[test]
fn a_stream_of_a_job_in_the_archive_is_its_ending() {
    let mut machine = Machine::archiving(1);
    let first = ended_job(&mut machine, 0);
    let path = first.replace("/v1/translations/", "/v1/events?job=");
    let read = |machine: &mut Machine| {
        let mut caller = Caller::open(machine);
        caller.send(machine, &request("GET", &path, "", ""));
        let mut stream = Stream::new(path.strip_prefix("/v1/events?job="));
        let messages = stream.read(&caller.take());
        assert!(stream.has_ended && caller.wants == Drive::Close);
        messages
    };
    let from_memory = read(&mut machine);
    for number in 1..40 {
        ended_job(&mut machine, number);
    }
    let from_archive = read(&mut machine);
    assert_eq!(from_archive, from_memory, "the same event, to the byte");
    assert_eq!(from_archive[0].kind, "translation.completed");
    // Who has it need not come back.
    let mut caller = Caller::open(&mut machine);
    let known = format!("last-event-id: {}\r\n", from_archive[0].id);
    caller.send(&mut machine, &request("GET", &path, &known, ""));
    assert_eq!(caller.answers().remove(0).status, 204);
    let mut caller = Caller::open(&mut machine);
    let none = "/v1/events?job=job_01k00000000000000000000000";
    caller.send(&mut machine, &request("GET", none, "", ""));
    assert_eq!(caller.answers().remove(0).status, 422);
}

#[test]
fn a_job_that_is_waited_for_keeps_its_place_until_that_is_answered() {
    let mut machine = Machine::archiving(1);
    let ask = r#"{"video_url":"https://v.test/0.mp4","target_language":"es"}"#;
    let (_, job) = machine.call("POST", "/v1/translations", ask);
    let path = format!("/v1/translations/{}", job["id"].as_str().unwrap());
    machine.commit();
    let mut caller = Caller::open(&mut machine);
    caller.send(
        &mut machine,
        &request("GET", &path, "prefer: wait=60\r\n", ""),
    );
    let id = machine.start_job().expect("work");
    machine.report(id, Report::Completed("file:///out.mp4"));
    machine.commit();
    // Before it has its turn, others want the place of its job.
    for number in 1..40 {
        ended_job(&mut machine, number);
    }
    assert!(machine.server.service().find_job(id).is_some());
    caller.turn(&mut machine);
    let answer = caller.answers().remove(0);
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (200, &"completed".into())
    );
    for number in 40..80 {
        ended_job(&mut machine, number);
    }
    assert!(machine.server.service().find_job(id).is_none());
}

#[test]
fn without_an_archive_what_left_memory_is_gone() {
    let mut machine = Machine::volatile(1);
    let first = ended_job(&mut machine, 0);
    for number in 1..40 {
        ended_job(&mut machine, number);
    }
    let (status, problem) = machine.call("GET", &first, "");
    assert_eq!((status, &problem["code"]), (404, &"job_not_found".into()));
}

#[test]
fn a_repeated_request_whose_job_has_left_memory_is_answered_with_it() {
    for archive in [true, false] {
        let mut machine = if archive {
            Machine::archiving(1)
        } else {
            Machine::volatile(1)
        };
        let fields = "idempotency-key: k\r\n";
        let ask = r#"{"video_url":"https://v.test/k.mp4","target_language":"es"}"#;
        let submit = |machine: &mut Machine, ask: &str| {
            machine.call_with("POST", "/v1/translations", fields, ask)
        };
        let (_, first) = submit(&mut machine, ask);
        machine.commit();
        let id = machine.start_job().expect("work");
        machine.report(id, Report::Completed("file:///out.mp4"));
        machine.commit();
        for number in 0..16 {
            ended_job(&mut machine, number);
        }
        let (status, again) = submit(&mut machine, ask);
        if archive {
            assert_eq!((status, &again["id"]), (202, &first["id"]));
            assert_eq!(again["status"], "completed");
        } else {
            let code = &again["code"];
            assert_eq!((status, code), (409, &"idempotency_key_used".into()));
        }
        let (status, _) = submit(&mut machine, &ask.replace("es", "fr"));
        assert_eq!(status, 422, "the key belongs to its request");
        assert!(machine.server.service().find_job(id).is_none());
    }
}

/// The answer to a repeated request waits for a commit like any other; its job may leave memory meanwhile.
#[test]
fn a_job_may_leave_memory_while_the_answer_to_a_repeated_request_waits() {
    for archive in [true, false] {
        let mut machine = if archive {
            Machine::archiving(1)
        } else {
            Machine::durable(1, Records::new(), at(0))
        };
        let fields = "idempotency-key: k\r\n";
        let ask = r#"{"video_url":"https://v.test/k.mp4","target_language":"es"}"#;
        machine.call_with("POST", "/v1/translations", fields, ask);
        let id = machine.start_job().expect("work");
        machine.report(id, Report::Completed("file:///out.mp4"));
        machine.commit();
        for number in 0..15 {
            ended_job(&mut machine, number);
        }
        let mut first = Caller::open(&mut machine);
        let mut again = Caller::open(&mut machine);
        // The first of these changes something, so that the answer to the second must wait; and the third wants room.
        let other = ask.replace("es", "fr");
        let paths = ["/v1/webhooks", "/v1/translations"];
        let hook = r#"{"url":"http://127.0.0.1:3120/"}"#;
        first.send(&mut machine, &request("POST", paths[0], "", hook));
        again.send(&mut machine, &request("POST", paths[1], fields, ask));
        let mut third = Caller::open(&mut machine);
        third.send(&mut machine, &request("POST", paths[1], "", &other));
        assert!(machine.server.service().find_job(id).is_none());
        assert_eq!(again.wants, Drive::Wait);
        machine.commit();
        again.turn(&mut machine);
        let status = again.answers()[0].status;
        assert_eq!(status, if archive { 202 } else { 409 });
    }
}
