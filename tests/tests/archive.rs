//! Jobs that have left memory are still found.

use dubhook_core::service::Report;
use dubhook_tests::machine::Machine;

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
fn without_an_archive_what_left_memory_is_gone() {
    let mut machine = Machine::volatile(1);
    let first = ended_job(&mut machine, 0);
    for number in 1..40 {
        ended_job(&mut machine, number);
    }
    let (status, problem) = machine.call("GET", &first, "");
    assert_eq!((status, &problem["code"]), (404, &"job_not_found".into()));
}
