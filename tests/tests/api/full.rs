//! No room, and room again.

use crate::{HOOK, JOB, call, check_problem, new_hook, new_job};
use dubhook_core::{
    server::{AcceptError, Drive, REFUSED},
    service::Report,
};
use dubhook_tests::{
    caller::{Caller, request},
    machine::Machine,
};

#[test]
fn a_full_table_of_jobs_says_so_and_takes_more_when_one_ends() {
    let mut machine = Machine::volatile(1);
    for _ in 0..16 {
        new_job(&mut machine);
    }
    let mut pauses = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let answer = call(&mut machine, "POST", "/v1/translations", JOB);
        check_problem(&answer, 503, "full", None);
        assert!(!answer.closes());
        pauses.insert(answer.field("retry-after").unwrap().to_owned());
    }
    assert!(pauses.len() > 5, "pauses are spread out: {pauses:?}");
    let id = machine.start_job().unwrap();
    machine.report(id, Report::Failed("no"));
    new_job(&mut machine);
    assert_eq!(
        call(&mut machine, "POST", "/v1/translations", JOB).status,
        503
    );
    while let Some(id) = machine.start_job() {
        machine.report(id, Report::Completed("file:///o.mp4"));
    }
    for _ in 0..16 {
        new_job(&mut machine);
    }
    assert_eq!(machine.server.service().jobs_len(), 16);
}

#[test]
fn a_full_table_of_webhooks_says_so_and_takes_more_when_one_goes() {
    let mut machine = Machine::volatile(1);
    let hooks: Vec<_> = (0..8).map(|_| new_hook(&mut machine, HOOK).0).collect();
    let answer = call(&mut machine, "POST", "/v1/webhooks", HOOK);
    check_problem(&answer, 503, "full", None);
    assert_eq!(call(&mut machine, "DELETE", &hooks[3], "").status, 204);
    machine.commit();
    // Letting go of an endpoint is work for the next turn, which is due at once.
    machine.advance_ms(0);
    new_hook(&mut machine, HOOK);
    for hook in &hooks {
        let gone = *hook == hooks[3];
        let status = call(&mut machine, "GET", hook, "").status;
        assert_eq!(status, if gone { 404 } else { 200 });
    }
}

#[test]
fn a_full_table_of_connections_refuses_with_a_constant() {
    let mut machine = Machine::volatile(1);
    let conns: Vec<_> = std::iter::from_fn(|| machine.server.accept(machine.now).ok()).collect();
    assert_eq!((conns.len(), machine.server.conns_len()), (8, 8));
    let text = std::str::from_utf8(REFUSED).unwrap();
    assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("\r\nconnection: close\r\n"));
    assert!(
        text.contains("\r\nretry-after: 1\r\n") && text.contains("\r\ncache-control: no-store\r\n")
    );
    machine.server.close(conns[2]);
    machine.server.close(conns[2]);
    let again = machine.server.accept(machine.now).unwrap();
    assert_eq!(again.slot(), conns[2].slot());
    assert_ne!(again, conns[2]);
    assert_eq!(machine.server.accept(machine.now), Err(AcceptError::Full));
    // The old name reaches nothing.
    machine.server.close(conns[2]);
    assert_eq!(machine.server.conns_len(), 8);
    assert_eq!(
        machine.drive(conns[2], &request("GET", "/healthz", "", "")),
        (String::new(), Drive::Close)
    );
    assert!(
        machine
            .drive(again, &request("GET", "/healthz", "", ""))
            .0
            .starts_with("HTTP/1.1 200")
    );
}

#[test]
fn a_server_that_stops_is_not_ready_and_ends_what_it_has() {
    let mut machine = Machine::durable(1, Default::default(), dubhook_tests::machine::at(0));
    let mut idle = Caller::open(&mut machine);
    idle.send(&mut machine, b"\r\n");
    let mut half = Caller::open(&mut machine);
    half.send(&mut machine, b"GET /readyz HT");
    let mut waits = Caller::open(&mut machine);
    let two = [
        request("POST", "/v1/translations", "", JOB),
        request("GET", "/healthz", "", ""),
    ];
    waits.send(&mut machine, &two.concat());
    assert_eq!(waits.wants, Drive::Wait);

    machine.shutdown();
    let refused = machine.server.accept(machine.now);
    assert_eq!(refused, Err(AcceptError::Stopping));
    let mut named: Vec<_> = std::iter::from_fn(|| machine.next_conn()).collect();
    named.sort_by_key(|id| id.slot());
    assert_eq!(named, [idle.id, half.id]);
    idle.turn(&mut machine);
    assert_eq!(idle.wants, Drive::Close);
    half.turn(&mut machine);
    half.send(&mut machine, b"TP/1.1\r\nhost: t\r\n\r\n");
    let answer = half.answers().remove(0);
    check_problem(&answer, 503, "stopping", None);
    assert!(answer.closes() && half.wants == Drive::Close);
    // The job that was accepted is answered for, and what was pipelined behind it is not begun.
    machine.commit();
    assert_eq!(machine.next_conn(), Some(waits.id));
    waits.turn(&mut machine);
    let answers = waits.answers();
    assert_eq!((answers.len(), answers[0].status), (1, 202));
    assert!(answers[0].closes() && waits.wants == Drive::Close);
    for id in [idle.id, half.id, waits.id] {
        machine.server.close(id);
    }
    assert_eq!(machine.server.conns_len(), 0);
}
