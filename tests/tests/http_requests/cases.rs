//! Every request of `data/http_cases.jsonl`, whole, byte by byte and split at every byte.

use crate::connection::{CAPACITY, Connection, serve};
use base64::{Engine, engine::general_purpose::STANDARD};
use dubhook_core::http::Limits;
use serde_json::Value;

fn decode(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

pub(crate) fn cases() -> Vec<(String, Vec<u8>, Value)> {
    include_str!("../../data/http_cases.jsonl")
        .lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            let name = format!(
                "{}/{}",
                row["group"].as_str().unwrap(),
                row["name"].as_str().unwrap()
            );
            (name, decode(&row["bytes_b64"]), row["expect"].clone())
        })
        .collect()
}

/// Compares with what is expected of a strict server; the more lenient `also` does not count.
fn check(name: &str, connection: Connection, expect: &Value) {
    let closed = connection.outcome.closed;
    if expect["incomplete"] == true {
        assert!(!closed, "{name}: answered before the request was whole");
        assert!(connection.outcome.statuses.is_empty(), "{name}");
        let outcome = connection.end();
        assert!(
            matches!(outcome.statuses[..], [] | [408]),
            "{name}: {outcome:?}"
        );
        return;
    }
    let outcome = connection.outcome;
    let (last, before) = outcome
        .statuses
        .split_last()
        .unwrap_or_else(|| panic!("{name}: no answer"));
    assert!(
        before.iter().all(|status| *status == 200),
        "{name}: {outcome:?}"
    );
    assert_eq!(
        Some(outcome.statuses.len() as u64),
        expect["responses"].as_u64(),
        "{name}: {outcome:?}"
    );
    if expect["accept"] == true {
        assert_eq!(*last, 200, "{name}");
    } else {
        assert!(
            expect["status"]
                .as_array()
                .unwrap()
                .contains(&Value::from(*last)),
            "{name}: {last}"
        );
    }
    if let Some(expected) = expect["close"].as_bool() {
        assert_eq!(closed, expected, "{name}: whether it closes");
    }
    if let Some(bodies) = expect["bodies"].as_array() {
        assert_eq!(
            outcome.bodies,
            bodies.iter().map(decode).collect::<Vec<_>>(),
            "{name}"
        );
    }
}

#[test]
fn every_case_is_met_whole() {
    let cases = cases();
    assert_eq!(cases.len(), 192);
    for (name, bytes, expect) in cases {
        check(
            &name,
            serve(Limits::SERVER, CAPACITY, [&bytes[..]]),
            &expect,
        );
    }
}

#[test]
fn every_case_is_met_byte_by_byte() {
    for (name, bytes, expect) in cases() {
        check(
            &name,
            serve(Limits::SERVER, CAPACITY, bytes.chunks(1)),
            &expect,
        );
    }
}

#[test]
fn every_case_is_met_split_at_every_byte() {
    for (name, bytes, expect) in cases() {
        for at in 1..bytes.len() {
            let (before, after) = bytes.split_at(at);
            let mut connection = Connection::new(Limits::SERVER, CAPACITY);
            connection.receive(before);
            let answered = connection.outcome.closed;
            connection.receive(after);
            check(&name, connection, &expect);
            // From here on the second piece is never looked at.
            if answered {
                break;
            }
        }
    }
}
