//! How endpoints fare: health, secrets, tests, dead letters.

use super::*;
use crate::{
    dispatch::{EndpointError, Schedule},
    endpoint::Disabled,
    signature::{Headers, Secret, verify},
};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

#[cfg(feature = "redelivery")]
#[test]
fn one_that_is_gone_is_disabled_and_comes_back_when_it_is_enabled() {
    bench(Keep::Nothing, |mut bench| {
        let ix = bench.endpoint("http://all.test/", false);
        bench.tell(FRONT, Kind::Opened, 0);
        let (id, _) = bench.attempt().unwrap();
        assert_eq!(bench.answer(id, 410).disabled, Some(Disabled::Gone));
        bench.tell(FRONT, Kind::Closed, 0);
        assert!(bench.attempt().is_none());
        let change = crate::dispatch::EndpointChange {
            enabled: Some(true),
            ..crate::dispatch::EndpointChange::default()
        };
        bench.dispatcher.change_endpoint(ix, change).unwrap();
        let again = bench
            .dispatcher
            .redeliver(ix, Timestamp::EPOCH, None, &bench.doors);
        assert_eq!(
            again,
            Ok(1),
            "the opening; of the closing it did not want to hear"
        );
        assert_eq!(bench.drain(204).len(), 1);
    });
}

/// After how many attempts an endpoint is disabled whose every attempt fails, one in `pause_ms` of running while the
/// calendar is set ahead by `jump_ms` besides.
#[track_caller]
fn check_failing(pause_ms: u64, jump_ms: u64, expect: u32) {
    let mut limits = Limits::DEVICE;
    limits.outbox.schedule = Schedule::new(&[]);
    let mut memory = Box::new(Memory::new());
    let mut bench = Bench::with(&mut memory, Keep::Nothing, limits);
    bench.admit();
    bench.endpoint("http://all.test/", false);
    let mut attempts = 0;
    loop {
        bench.tell(FRONT, Kind::Opened, 0);
        bench.pass(5_000);
        let (id, _) = bench.attempt().unwrap();
        attempts += 1;
        let disabled = bench.answer(id, 500).disabled;
        if disabled.is_some() {
            assert_eq!((disabled, attempts), (Some(Disabled::Failing), expect));
            return;
        }
        assert!(attempts < 1_000);
        bench.pass(pause_ms - 5_000);
        bench.now.timestamp = bench.now.timestamp.after_ms(jump_ms);
    }
}

#[test]
fn one_that_fails_for_five_days_of_trying_is_disabled() {
    check_failing(DAY_MS / 4, 0, 21);
    // A calendar that jumps is none of its business.
    check_failing(DAY_MS / 4, 100 * DAY_MS, 21);
    // Five days are not enough where hardly anything was tried.
    check_failing(DAY_MS, 0, 10);
    // What lies between attempts that are further apart than anybody waits is no trying.
    check_failing(30 * DAY_MS, 0, 10);
}

#[track_caller]
fn check_fault(status: u16, is_at_fault: bool) {
    bench(Keep::Nothing, |mut bench| {
        let ix = bench.endpoint("http://all.test/", false);
        bench.tell(BACK, Kind::Opened, 0);
        bench.tell(FRONT, Kind::Opened, 0);
        while let Some((id, request)) = bench.attempt() {
            let is_second = request.contains("all.test") && request.contains("\"door\":1");
            bench.answer(id, if is_second { status } else { 204 });
        }
        let endpoint = bench.dispatcher.endpoint(ix).unwrap();
        assert_eq!(endpoint.failing.is_so(), is_at_fault, "{status}");
    });
}

#[test]
fn an_endpoint_is_not_at_fault_for_what_it_rejects() {
    for status in [204, 400, 401, 403, 404, 413, 415, 422, 499] {
        check_fault(status, false);
    }
    for status in [302, 408, 425, 429, 500, 502, 503] {
        check_fault(status, true);
    }
}

#[test]
fn a_rotation_too_many_changes_nothing() {
    bench(Keep::Nothing, |mut bench| {
        let ix = bench.endpoint("http://all.test/", false);
        for _ in 0..crate::endpoint::REPLACED_MAX {
            assert_eq!(bench.dispatcher.rotate_secret(bench.now, ix), Ok(()));
        }
        let refused = bench.dispatcher.rotate_secret(bench.now, ix);
        assert_eq!(refused, Err(EndpointError::Secrets));
        // The calendar ends none.
        bench.now.timestamp = bench.now.timestamp.after_ms(DAY_MS);
        let refused = bench.dispatcher.rotate_secret(bench.now, ix);
        assert_eq!(refused, Err(EndpointError::Secrets));
        bench.pass(DAY_MS);
        assert_eq!(bench.dispatcher.rotate_secret(bench.now, ix), Ok(()));
    });
}

#[test]
fn both_secrets_sign_for_a_day_after_a_rotation() {
    bench(Keep::Nothing, |mut bench| {
        let ix = bench.endpoint("http://all.test/", false);
        let secret = |bench: &Bench<'_>| {
            let endpoint = bench.dispatcher.endpoint(ix).unwrap();
            endpoint.secret.secret().unwrap()
        };
        let before = secret(&bench);
        bench.dispatcher.rotate_secret(bench.now, ix).unwrap();
        let after = secret(&bench);
        for (passed_ms, both) in [(0, true), (DAY_MS, false)] {
            bench.pass(passed_ms);
            bench.tell(FRONT, Kind::Opened, 0);
            let (id, request) = bench.attempt().unwrap();
            bench.answer(id, 204);
            assert!(is_signed(&request, &after, bench.now));
            assert_eq!(is_signed(&request, &before, bench.now), both);
        }
    });
}

fn is_signed(request: &str, secret: &Secret, now: Now) -> bool {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let headers = Headers {
        id: field(head, "webhook-id").as_bytes(),
        timestamp: field(head, "webhook-timestamp").as_bytes(),
        signature: field(head, "webhook-signature").as_bytes(),
    };
    let keys = [&secret.signing_key()];
    verify(&headers, body.as_bytes(), keys, now.timestamp, 300).is_ok()
}

#[test]
fn a_test_goes_to_one_endpoint_and_is_of_no_subject() {
    bench(Keep::Nothing, |mut bench| {
        bench.endpoint("http://one.test/", true);
        let two = bench.endpoint("http://two.test/", true);
        let test = bench.event(FRONT, Kind::Test, 0);
        let id = bench.dispatcher.send(two, None, test, &bench.doors);
        let (_, request) = bench.attempt().unwrap();
        assert_eq!(
            field(&request, "webhook-id"),
            &*id.unwrap().text(Prefix::Event)
        );
        let name = bench.dispatcher.endpoint(two).unwrap().id;
        let expect = format!("two.test {}", name.text(Prefix::Endpoint));
        assert_eq!(summary(&request), expect);
        assert!(bench.attempt().is_none());
    });
}

#[cfg(feature = "lists")]
#[test]
fn each_attempt_leaves_a_line() {
    bench(Keep::Nothing, |mut bench| {
        let ix = bench.endpoint("http://all.test/", true);
        bench.tell(FRONT, Kind::Closed, 0);
        let (id, _) = bench.attempt().unwrap();
        bench.pass(30);
        bench.end(id, CLOSED);
        let (line, answer) = bench.dispatcher.attempt_line(ix, 0).unwrap();
        assert_eq!((line.kind, line.number), (Kind::Closed as u8, 1));
        assert_eq!((line.error, line.duration_ms), (AttemptError::Closed, 30));
        assert_eq!(answer, b"");
        assert!(bench.dispatcher.attempt_line(ix, 1).is_none());
        assert_eq!(bench.dispatcher.counters().attempts, 1);
    });
}
