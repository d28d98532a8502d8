//! Records of format 1, as the last version that wrote them left them, are read, and go on as if nothing had happened.

use dubhook_core::{
    record::{FORMAT_VERSION, Key, Table},
    signature::{Headers, Secret, TOLERANCE_S, verify},
};
use dubhook_tests::{
    cases,
    machine::{Machine, Records, at, field},
};
use serde::Deserialize;

const DAY_MS: u64 = 24 * 3_600_000;

/// What was there when the records were written: an ended job, whose request had a key; one that waits; and a webhook whose
/// secret was replaced in that moment, and whose only attempt failed.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Names {
        ended: String,
        waits: String,
        hook: String,
        secret: String,
        replaced: String,
    },
    Record {
        table: u8,
        slot: u32,
        value: String,
    },
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
    pairs.map(|pair| byte(pair).unwrap()).collect()
}

fn is_signed(machine: &Machine, request: &str, secret: &str) -> bool {
    let key = Secret::parse(secret).unwrap().signing_key();
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    let headers = Headers {
        id: field(request, "webhook-id").as_bytes(),
        timestamp: field(request, "webhook-timestamp").as_bytes(),
        signature: field(request, "webhook-signature").as_bytes(),
    };
    let now = machine.now.timestamp;
    verify(&headers, body.as_bytes(), [&key], now, TOLERANCE_S).is_ok()
}

#[test]
fn records_of_format_1_go_on() {
    let mut lines = cases::read::<Line>("records_format_1.jsonl").into_iter();
    let Some(Line::Names {
        ended,
        waits,
        hook,
        secret,
        replaced,
    }) = lines.next()
    else {
        panic!("the names come first");
    };
    let records: Records = lines
        .map(|line| match line {
            Line::Record { table, slot, value } => {
                let table = Table::ALL[usize::from(table)];
                (Key { table, slot }, bytes(&value))
            }
            Line::Names { .. } => panic!("the names come once"),
        })
        .collect();
    assert_eq!(records.len(), 9);

    let mut machine = Machine::durable(2, records, at(1_000));
    let meta = Key {
        table: Table::Meta,
        slot: 0,
    };
    assert_eq!(
        machine.records[&meta][0], FORMAT_VERSION,
        "no older version may open it now"
    );
    let status = |machine: &mut Machine, id: &str| {
        let (status, job) = machine.call("GET", &format!("/v1/translations/{id}"), "");
        (
            status,
            job["status"].as_str().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(status(&mut machine, &ended), (200, "completed".into()));
    assert_eq!(status(&mut machine, &waits), (200, "pending".into()));
    let job = r#"{"video_url":"https://example.test/v.mp4","target_language":"es","reference":"order-17"}"#;
    let (_, again) = machine.call_with("POST", "/v1/translations", "idempotency-key: k\r\n", job);
    assert_eq!(again["id"], ended.as_str());

    let path = format!("/v1/webhooks/{hook}");
    let (_, shown) = machine.call("GET", &path, "");
    assert_eq!(
        (&shown["enabled"], &shown["url"]),
        (&true.into(), &"http://127.0.0.1:3120/hook".into())
    );
    machine.advance_ms(6_000);
    let (attempt, request) = machine.attempt().expect("the second attempt");
    assert_eq!(attempt.number, 2);
    assert!(is_signed(&machine, &request, &secret) && is_signed(&machine, &request, &replaced));
    machine.settle(&attempt, 204);

    // A day later the ended job has left, and the replaced secret signs no more.
    machine.advance_ms(DAY_MS);
    machine.commit();
    assert_eq!(status(&mut machine, &ended).0, 404);
    assert_eq!(machine.call("POST", &format!("{path}/test"), "").0, 202);
    let (_, request) = machine.attempt().expect("the test");
    assert!(is_signed(&machine, &request, &secret) && !is_signed(&machine, &request, &replaced));
}
