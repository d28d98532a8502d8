//! Every request of `data/http_cases.jsonl` through the whole server: what must be refused is, the connection closes
//! where it must, and nothing that follows a refused head is ever done.

use crate::open_network;
use dubhook_core::server::Drive;
use dubhook_tests::{
    caller::{Answer, Caller, answers, request},
    cases,
    machine::Machine,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(rename = "bytes_b64", deserialize_with = "cases::base64")]
    bytes: Vec<u8>,
    expect: Expect,
}

/// What a strict server does; `also`, what a lenient one may do, is not read.
#[derive(Deserialize)]
struct Expect {
    #[serde(default)]
    accept: bool,
    #[serde(default)]
    incomplete: bool,
    #[serde(default)]
    status: Vec<u16>,
    close: Option<bool>,
    responses: Option<usize>,
}

/// Whether the request itself was in order, whatever the API made of it.
fn is_accepted(answer: &Answer) -> bool {
    answer.body.is_empty()
        || !matches!(
            answer.json()["code"].as_str(),
            Some("bad_http" | "too_slow")
        )
}

/// Sends a case in pieces, and behind it a request that shows whether it was done.
fn check(machine: &mut Machine, case: &Case, split: &[usize]) {
    let Case {
        name,
        bytes,
        expect,
    } = case;
    let mut caller = Caller::open(machine);
    let mut rest = &bytes[..];
    for len in split {
        let (piece, after) = rest.split_at((*len).min(rest.len()));
        caller.send(machine, piece);
        rest = after;
    }
    let is_head = bytes.starts_with(b"HEAD ");
    let heads = || std::iter::once(is_head).chain(std::iter::repeat(false));
    let mut found = answers(&caller.take(), heads());
    // RFC 9110, section 15.2: no interim answer to HTTP/1.0.
    let is_v10 = bytes.windows(10).any(|version| version == b" HTTP/1.0\r");
    assert!(!is_v10 || found.iter().all(|answer| answer.status >= 200));
    found.retain(|answer| answer.status >= 200);

    if expect.incomplete {
        assert!(found.is_empty() && caller.wants != Drive::Close, "{name}");
        machine.advance_ms(10_000);
        assert_eq!(machine.next_conn(), Some(caller.id), "{name}");
        caller.turn(machine);
        let found = answers(&caller.take(), heads());
        assert!(found.iter().all(|answer| answer.status == 408), "{name}");
        assert_eq!(caller.wants, Drive::Close, "{name}");
        machine.server.close(caller.id);
        return;
    }

    let closed = caller.wants == Drive::Close;
    let last = found.last().unwrap_or_else(|| panic!("{name}: no answer"));
    // A body that was not asked for may be refused by its head alone.
    let early = name.starts_with("expect-100") && last.status == 404 && closed;
    if !early {
        assert_eq!(Some(found.len()), expect.responses, "{name}: {found:?}");
        assert_eq!(closed, expect.close.unwrap_or(closed), "{name}: closes");
    }
    assert!(found[..found.len() - 1].iter().all(is_accepted), "{name}");
    if expect.accept {
        assert!(is_accepted(last), "{name}: {last:?}");
    } else {
        assert!(expect.status.contains(&last.status), "{name}: {last:?}");
    }
    assert_eq!(last.closes(), closed, "{name}");

    caller.send(machine, &request("GET", "/healthz", "", ""));
    let done = caller.answers();
    if closed {
        assert!(done.is_empty(), "{name}: {done:?}");
    } else {
        // The next request is where it should be: nothing of the one before is left over.
        assert_eq!(done.len(), 1, "{name}");
        assert_eq!(done[0].status, 200, "{name}");
    }
    machine.server.close(caller.id);
}

fn cases() -> Vec<Case> {
    let cases: Vec<Case> = cases::read("http_cases.jsonl");
    assert_eq!(cases.len(), 192);
    cases
}

fn machine() -> Machine {
    Machine::sized::<1, 1, 1>(open_network())
}

#[test]
fn every_case_is_met_whole() {
    let mut machine = machine();
    for case in cases() {
        check(&mut machine, &case, &[case.bytes.len()]);
    }
}

#[test]
fn every_case_is_met_byte_by_byte() {
    let mut machine = machine();
    for case in cases() {
        check(&mut machine, &case, &vec![1; case.bytes.len()]);
    }
}

#[test]
fn every_case_is_met_split_at_every_byte() {
    let mut machine = machine();
    for case in cases() {
        // Long ones are of one letter repeated: their ends are where splits matter.
        let len = case.bytes.len();
        for at in (1..len).filter(|at| len < 2_000 || *at < 300 || len - at < 300) {
            check(&mut machine, &case, &[at, len - at]);
        }
    }
}
