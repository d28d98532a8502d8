//! Whoever holds connections and asks for nothing makes room for the next one.

use crate::open_network;
use dubhook_core::server::{AcceptError, ConnId, Drive};
use dubhook_tests::{
    caller::{Caller, request},
    machine::{Machine, Records, at},
};

/// Eight connections: slots are scarce when fewer than two of them are free.
fn machine() -> Machine {
    Machine::sized::<8, 4, 8>(open_network())
}

/// A connection that has asked once and been answered.
fn served(machine: &mut Machine) -> Caller {
    let mut caller = Caller::open(machine);
    ask(machine, &mut caller);
    caller
}

/// Asks, and is answered.
fn ask(machine: &mut Machine, caller: &mut Caller) {
    caller.send(machine, &request("GET", "/healthz", "", ""));
    assert_eq!(statuses(caller), [200]);
}

/// A connection that has sent this, and gets no answer yet.
fn sent(machine: &mut Machine, bytes: &[u8]) -> Caller {
    let mut caller = Caller::open(machine);
    caller.send(machine, bytes);
    assert!(statuses(&mut caller).is_empty());
    caller
}

fn statuses(caller: &mut Caller) -> Vec<u16> {
    let answers = caller.answers();
    answers.iter().map(|answer| answer.status).collect()
}

/// Who is to be driven.
fn named(machine: &mut Machine) -> Vec<ConnId> {
    std::iter::from_fn(|| machine.next_conn()).collect()
}

#[test]
fn whoever_was_idle_longest_goes_first_and_only_where_slots_are_scarce() {
    let mut machine = machine();
    let mut idle: Vec<_> = (0..6)
        .map(|_| {
            machine.advance_ms(10);
            served(&mut machine)
        })
        .collect();
    machine.advance_ms(2_000);
    // The first has asked again: it was idle for less time than the others now.
    ask(&mut machine, &mut idle[0]);
    machine.advance_ms(2_000);
    let _seventh = Caller::open(&mut machine);
    assert_eq!(named(&mut machine), [], "there is room");
    for place in [1, 2, 3, 4, 5, 0] {
        let _new = Caller::open(&mut machine);
        let gone = &mut idle[place];
        assert_eq!(named(&mut machine), [gone.id], "{place}");
        gone.turn(&mut machine);
        assert_eq!((gone.wants, statuses(gone)), (Drive::Close, vec![]));
        machine.server.close(gone.id);
    }
    let _last = Caller::open(&mut machine);
    assert_eq!(
        machine.server.accept(machine.now),
        Err(AcceptError::Full),
        "nobody can go"
    );
    assert_eq!(named(&mut machine), []);
}

#[test]
fn a_full_table_makes_room_for_the_one_after() {
    let mut machine = machine();
    let idle: Vec<_> = (0..8).map(|_| served(&mut machine)).collect();
    machine.advance_ms(1_000);
    assert_eq!(machine.server.accept(machine.now), Err(AcceptError::Full));
    let named = named(&mut machine);
    assert_eq!(named.len(), 1);
    assert!(idle.iter().any(|idle| idle.id == named[0]));
    machine.server.close(named[0]);
    let mut good = Caller::open(&mut machine);
    ask(&mut machine, &mut good);
}

#[test]
fn one_that_asks_after_all_is_answered_and_stays() {
    let mut machine = machine();
    let mut idle = served(&mut machine);
    let _new: Vec<_> = (0..6).map(|_| Caller::open(&mut machine)).collect();
    machine.advance_ms(1_000);
    let _scarce = Caller::open(&mut machine);
    assert_eq!(named(&mut machine), [idle.id]);
    ask(&mut machine, &mut idle);
    assert!(matches!(idle.wants, Drive::Input { .. }));
    idle.turn(&mut machine);
    assert!(matches!(idle.wants, Drive::Input { .. }));
}

#[test]
fn heads_that_are_late_go_after_those_that_are_idle() {
    let mut machine = machine();
    let mut head = sent(&mut machine, b"GET / HTTP/1.1\r\n");
    machine.advance_ms(10);
    let mut silent = sent(&mut machine, b"");
    machine.advance_ms(490);
    let idle = served(&mut machine);
    let _rest: Vec<_> = (0..4).map(|_| served(&mut machine)).collect();
    machine.advance_ms(2_499);
    let mut others: Vec<_> = (0..5)
        .map(|_| {
            let new = machine.server.accept(machine.now).expect("room");
            let named = named(&mut machine);
            assert_eq!(named.len(), 1, "somebody is idle");
            assert!(![head.id, silent.id].contains(&named[0]));
            machine.server.close(named[0]);
            new
        })
        .collect();
    assert!(!others.contains(&idle.id));
    others.push(machine.server.accept(machine.now).expect("room"));
    assert_eq!(named(&mut machine), [], "a head has three seconds");
    machine.server.close(others.pop().expect("one"));
    for (ms, late, answers) in [(1, &mut head, vec![408]), (10, &mut silent, vec![])] {
        machine.advance_ms(ms);
        let _new = machine.server.accept(machine.now).expect("room");
        let named = named(&mut machine);
        assert_eq!(named, [late.id]);
        late.turn(&mut machine);
        assert_eq!((late.wants, statuses(late)), (Drive::Close, answers));
        machine.server.close(late.id);
    }
}

#[test]
fn nobody_who_is_about_something_goes() {
    // It has eight connections as well.
    let mut machine = Machine::durable(1, Records::new(), at(0));
    let job = r#"{"video_url":"https://example.test/v.mp4","target_language":"es"}"#;
    let asks = request("POST", "/v1/translations", "", job);
    let _answers: Vec<_> = (0..4).map(|_| sent(&mut machine, &asks)).collect();
    let part = &asks[..asks.len() - 1];
    let _bodies: Vec<_> = (0..4).map(|_| sent(&mut machine, part)).collect();
    // Bodies have five seconds to get going.
    for _ in 0..9 {
        machine.advance_ms(500);
        assert_eq!(machine.server.accept(machine.now), Err(AcceptError::Full));
        assert_eq!(named(&mut machine), []);
    }
}
