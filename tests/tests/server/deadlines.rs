//! Nothing waits for ever: who is slow costs a slot for a bounded time.

use crate::open_network;
use dubhook_core::server::{AcceptError, Drive};
use dubhook_tests::{
    caller::{Caller, request},
    machine::{Machine, Records, at},
};

const JOB: &str = r#"{"video_url":"https://example.test/v.mp4","target_language":"es"}"#;

fn machine() -> Machine {
    Machine::sized::<8, 4, 4>(open_network())
}

/// Lets time pass until the machine names the connection, and drives it. Returns after how many milliseconds; nothing
/// may come of it before.
fn until_named(machine: &mut Machine, caller: &mut Caller) -> u64 {
    let start = machine.now.instant;
    while let Some(due) = machine.server.deadline() {
        machine.advance_ms(due.ms_since(machine.now.instant).max(1));
        let named = std::iter::from_fn(|| machine.next_conn()).collect::<Vec<_>>();
        if named.contains(&caller.id) {
            caller.turn(machine);
            return machine.now.instant.ms_since(start);
        }
    }
    panic!("nobody looks at the connection again");
}

fn statuses(caller: &mut Caller) -> Vec<u16> {
    caller
        .answers()
        .iter()
        .map(|answer| answer.status)
        .collect()
}

#[test]
fn a_silent_connection_ends_without_a_word() {
    let mut machine = machine();
    // A new one is given as long as a head may take, one that has been served for as long as it may be idle.
    for (bytes, ms) in [
        (&b""[..], 10_000),
        (b"\r\n", 10_000),
        (&request("GET", "/healthz", "", ""), 75_000),
    ] {
        let mut caller = Caller::open(&mut machine);
        caller.send(&mut machine, bytes);
        caller.take();
        assert_eq!(until_named(&mut machine, &mut caller), ms);
        assert_eq!(
            (caller.wants, statuses(&mut caller)),
            (Drive::Close, vec![])
        );
        machine.server.close(caller.id);
    }
}

#[test]
fn a_head_must_come_in_ten_seconds_however_it_trickles() {
    for start in [
        &b"G"[..],
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nhost: t\r\n",
    ] {
        let mut machine = machine();
        let mut caller = Caller::open(&mut machine);
        machine.advance_ms(3_000);
        caller.send(&mut machine, start);
        // A byte every second does not help.
        for _ in 0..9 {
            machine.advance_ms(1_000);
            caller.send(&mut machine, b"x");
            assert!(statuses(&mut caller).is_empty());
        }
        assert_eq!(until_named(&mut machine, &mut caller), 1_000);
        assert_eq!(
            (caller.wants, statuses(&mut caller)),
            (Drive::Close, vec![408])
        );
    }
}

#[test]
fn empty_lines_before_a_request_do_not_buy_time() {
    let mut machine = machine();
    let mut caller = Caller::open(&mut machine);
    for _ in 0..9 {
        machine.advance_ms(1_000);
        caller.send(&mut machine, b"\r\n");
    }
    assert_eq!(until_named(&mut machine, &mut caller), 1_000);
    assert_eq!(caller.wants, Drive::Close);
}

#[test]
fn a_body_must_keep_its_pace() {
    let head = b"POST /v1/translations HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n";
    // Nothing of it: five seconds, and what the head has earned at 500 bytes a second.
    let mut machine_ = machine();
    let mut caller = Caller::open(&mut machine_);
    caller.send(&mut machine_, head);
    let earned = head.len() as u64 * 2;
    assert_eq!(until_named(&mut machine_, &mut caller), 5_000 + earned);
    assert_eq!(
        (caller.wants, statuses(&mut caller)),
        (Drive::Close, vec![408])
    );

    for (bytes_a_second, survives) in [(600, true), (400, false)] {
        let mut machine = machine();
        let mut caller = Caller::open(&mut machine);
        caller.send(&mut machine, head);
        let mut seconds = 0;
        while seconds < 90 && matches!(caller.wants, Drive::Input { .. }) {
            machine.advance_ms(1_000);
            while machine.next_conn().is_some() {
                caller.turn(&mut machine);
            }
            caller.send(&mut machine, &vec![b' '; bytes_a_second]);
            seconds += 1;
        }
        assert_eq!(seconds == 90, survives, "{bytes_a_second} B/s: {seconds} s");
        assert_eq!(
            statuses(&mut caller),
            if survives { vec![] } else { vec![408] }
        );
    }
}

#[test]
fn a_body_in_the_smallest_chunks_must_keep_its_pace_too() {
    let mut machine = machine();
    let mut caller = Caller::open(&mut machine);
    let head = b"POST /v1/translations HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n";
    caller.send(&mut machine, head);
    for _ in 0..20 {
        machine.advance_ms(1_000);
        while machine.next_conn().is_some() {
            caller.turn(&mut machine);
        }
        caller.send(&mut machine, b"1\r\n \r\n");
    }
    assert_eq!(
        (caller.wants, statuses(&mut caller)),
        (Drive::Close, vec![408])
    );
}

#[test]
fn the_time_of_one_request_is_not_the_next_one_s() {
    let mut machine = machine();
    let mut caller = Caller::open(&mut machine);
    let get = request("GET", "/healthz", "", "");
    for _ in 0..50 {
        machine.advance_ms(9_000);
        assert_eq!(machine.next_conn(), None);
        caller.send(&mut machine, &get[..10]);
        machine.advance_ms(9_000);
        assert_eq!(machine.next_conn(), None);
        caller.send(&mut machine, &get[10..]);
        assert_eq!(statuses(&mut caller), [200]);
    }
    assert_eq!(until_named(&mut machine, &mut caller), 75_000);
}

#[test]
fn a_call_that_waits_for_its_commit_is_not_hurried() {
    let mut machine = Machine::durable(1, Records::new(), at(0));
    let mut caller = Caller::open(&mut machine);
    caller.send(&mut machine, &request("POST", "/v1/translations", "", JOB));
    machine.advance_ms(600_000);
    assert_eq!(machine.next_conn(), None);
    caller.turn(&mut machine);
    assert_eq!(caller.wants, Drive::Wait);
    machine.commit();
    assert_eq!(machine.next_conn(), Some(caller.id));
    caller.turn(&mut machine);
    assert_eq!(statuses(&mut caller), [202]);
    assert_eq!(until_named(&mut machine, &mut caller), 75_000);
    assert_eq!(caller.wants, Drive::Close);
}

#[test]
fn a_good_client_is_served_while_slow_ones_hold_every_other_slot() {
    let mut machine = machine();
    let slow = |machine: &mut Machine, n: usize| {
        let mut caller = Caller::open(machine);
        let starts: [&[u8]; 3] = [
            b"",
            b"GET /",
            b"POST /v1/translations HTTP/1.1\r\nhost: t\r\ncontent-length: 99\r\n\r\n",
        ];
        caller.send(machine, starts[n % 3]);
        caller
    };
    let mut others: Vec<_> = (0..3).map(|n| slow(&mut machine, n)).collect();
    let mut good = Caller::open(&mut machine);
    assert_eq!(machine.server.accept(machine.now), Err(AcceptError::Full));
    for round in 0..120 {
        machine.advance_ms(500);
        good.send(&mut machine, &request("GET", "/healthz", "", ""));
        assert_eq!(statuses(&mut good), [200], "round {round}");
        while let Some(id) = machine.next_conn() {
            let place = others.iter().position(|other| other.id == id).unwrap();
            let mut other = others.remove(place);
            other.turn(&mut machine);
            assert_eq!(other.wants, Drive::Close);
            machine.server.close(id);
            // Whoever was slow comes back at once.
            others.push(slow(&mut machine, round));
        }
        assert_eq!(machine.server.conns_len(), 4);
    }
    // And when the good client comes only then, it waits for one deadline at most.
    machine.server.close(good.id);
    others.push(slow(&mut machine, 1));
    assert_eq!(machine.server.accept(machine.now), Err(AcceptError::Full));
    machine.advance_ms(10_000);
    let id = machine.next_conn().unwrap();
    machine.server.close(id);
    let mut good = Caller::open(&mut machine);
    good.send(&mut machine, &request("GET", "/healthz", "", ""));
    assert_eq!(statuses(&mut good), [200]);
}

#[test]
fn any_number_of_connections_can_end_at_one_moment() {
    let mut machine = Machine::sized::<1, 1, 500>(open_network());
    let mut callers: Vec<_> = (0..500).map(|_| Caller::open(&mut machine)).collect();
    for caller in &mut callers {
        caller.send(&mut machine, b"GET /");
    }
    machine.advance_ms(9_999);
    assert_eq!(machine.next_conn(), None);
    machine.advance_ms(1);
    while let Some(id) = machine.next_conn() {
        let caller = callers.iter_mut().find(|caller| caller.id == id).unwrap();
        caller.turn(&mut machine);
        assert_eq!(statuses(caller), [408]);
        machine.server.close(id);
    }
    assert_eq!(machine.server.conns_len(), 0);
    assert_eq!(machine.server.deadline(), None);
}
