//! What is told, to whom, and in which order.

use super::*;
use crate::delivery::Verdict;
use std::vec;

#[test]
fn each_endpoint_is_told_what_passes_its_filter_in_order() {
    bench(Keep::Nothing, |mut bench| {
        bench.endpoint("http://all.test/", false);
        bench.endpoint("http://moves.test/", true);
        bench.tell(FRONT, Kind::Opened, 0);
        bench.tell(FRONT, Kind::Reading, -35);
        bench.tell(FRONT, Kind::Closed, 0);
        let body = |kind, tenths| format!("{{\"door\":1,\"kind\":\"{kind}\",\"tenths\":{tenths}}}");
        let (opened, closed) = (body("Opened", 0), body("Closed", 0));
        let mut sent = bench.drain(204);
        sent.sort();
        // The reading was overtaken before it was sent.
        let told = ["all.test", "moves.test"];
        let expect = told.map(|host| [format!("{host} {closed}"), format!("{host} {opened}")]);
        assert_eq!(sent, expect.concat());
    });
}

#[test]
fn the_newest_reading_takes_the_place_of_those_before() {
    bench(Keep::Nothing, |mut bench| {
        bench.endpoint("http://all.test/", false);
        bench.tell(FRONT, Kind::Reading, 190);
        let (id, first) = bench.attempt().unwrap();
        for tenths in 191..200 {
            bench.tell(FRONT, Kind::Reading, tenths);
        }
        assert!(first.contains("190"));
        assert!(bench.attempt().is_none(), "one at a time");
        bench.answer(id, 204);
        let sent = bench.drain(204);
        assert_eq!(sent.len(), 1);
        assert!(sent[0].contains("199"));
    });
}

#[test]
fn a_door_that_failed_waits_and_keeps_its_order_and_holds_up_no_other() {
    bench(Keep::Nothing, |mut bench| {
        bench.endpoint("http://all.test/", true);
        bench.tell(FRONT, Kind::Opened, 0);
        let (id, first) = bench.attempt().unwrap();
        let ended = bench.answer(id, 500);
        assert!(matches!(ended.verdict, Verdict::Retry { .. }));
        bench.tell(FRONT, Kind::Closed, 0);
        bench.tell(BACK, Kind::Opened, 0);
        let sent = bench.drain(204);
        assert!(
            sent.iter().all(|sent| sent.contains("\"door\":2")),
            "{sent:?}"
        );
        bench.pass(6_000);
        let (id, again) = bench.attempt().unwrap();
        assert_eq!(summary(&again), summary(&first));
        assert_eq!(field(&again, "webhook-id"), field(&first, "webhook-id"));
        bench.answer(id, 204);
        assert!(bench.drain(204)[0].contains("Closed"));
    });
}

#[test]
fn a_callback_of_its_own_gets_every_event_until_it_is_gone() {
    bench(Keep::Nothing, |mut bench| {
        bench.tell(BACK, Kind::Opened, 0);
        let (id, request) = bench.attempt().unwrap();
        assert!(request.starts_with("POST /back HTTP/1.1\r\nhost: own.test\r\n"));
        assert_eq!(bench.answer(id, 204).endpoint, None);
        bench.tell(BACK, Kind::Closed, 0);
        let (id, _) = bench.attempt().unwrap();
        let ended = bench.answer(id, 410);
        assert_eq!(ended.callback_gone, Some(BACK));
        bench.dispatcher.end_callback(BACK);
        assert_eq!(bench.dispatcher.audit(), Ok(()));
        assert_eq!(bench.drain(204), Vec::<String>::new());
    });
}

#[test]
fn an_endpoint_narrowed_to_a_door_hears_of_no_other_and_goes_with_it() {
    bench(Keep::Nothing, |mut bench| {
        let new = NewEndpoint {
            subject: Some(FRONT),
            ..NewEndpoint::new("http://front.test/", false).unwrap()
        };
        let ix = bench.dispatcher.create_endpoint(bench.now, new).unwrap();
        let id = bench.dispatcher.endpoint(ix).unwrap().id;
        bench.tell(FRONT, Kind::Opened, 0);
        let hosts = |sent: Vec<String>| {
            let hosts = sent
                .iter()
                .map(|sent| sent.split(' ').next().unwrap().into());
            hosts.collect::<Vec<String>>()
        };
        assert_eq!(hosts(bench.drain(204)), ["front.test"]);
        bench.tell(BACK, Kind::Opened, 0);
        assert_eq!(hosts(bench.drain(204)), ["own.test"]);
        bench.tell(FRONT, Kind::Removed, 0);
        assert_eq!(hosts(bench.drain(204)), ["front.test"]);
        bench.dispatcher.forget_subject(FRONT);
        assert_eq!(bench.dispatcher.find_endpoint(id), None);
        assert_eq!(bench.dispatcher.audit(), Ok(()));
    });
}

#[test]
fn what_an_answer_means() {
    let check = |result: AttemptResult<'_>, held: bool, dead: bool| {
        bench(Keep::Nothing, |mut bench| {
            bench.endpoint("http://all.test/", false);
            bench.tell(FRONT, Kind::Opened, 0);
            let (id, _) = bench.attempt().unwrap();
            let ended = bench.end(id, result);
            assert_eq!(ended.held_ms > 0, held, "{result:?}");
            assert_eq!(ended.verdict == Verdict::Dead, dead, "{result:?}");
            let delivered = ended.verdict == Verdict::Delivered;
            assert_eq!(delivered, (200..300).contains(&ended.status));
        });
    };
    for status in [200, 204, 299] {
        check(answered(status, None), false, false);
    }
    for status in [301, 400, 404, 500] {
        check(answered(status, None), false, false);
    }
    for status in [429, 502, 503, 504] {
        check(answered(status, Some(30_000)), true, false);
    }
    check(answered(410, None), false, true);
    check(CLOSED, false, false);
}

#[test]
fn an_answer_is_read_in_pieces() {
    let now = Now {
        instant: Instant::ZERO,
        timestamp: Timestamp::EPOCH,
    };
    let check = |text: &str, whole: bool, expect: AttemptResult<'_>| {
        for step in [1, 7, 256] {
            let mut memory = vec![0; 256];
            let mut input = crate::http::RecvBuf::new(&mut memory, 0);
            let mut answer = super::super::Answer::new();
            let mut result = None;
            for piece in text.as_bytes().chunks(step) {
                input.room()[..piece.len()].copy_from_slice(piece);
                input.commit(piece.len());
                result = answer.read(now, &mut input);
            }
            assert_eq!(result.is_some(), whole, "{text}");
            let result = result.unwrap_or_else(|| answer.end(now, &mut input));
            assert_eq!(result, expect, "{text}");
        }
    };
    check("HTTP/1.1 204 X\r\n\r\n", true, answered(204, None));
    check(
        "HTTP/1.1 500 X\r\ncontent-length: 3\r\n\r\nabc",
        true,
        answered(500, None),
    );
    check("HTTP/1.1 200 X\r\n\r\nabc", false, answered(200, None));
    check(
        "HTTP/1.1 200 X\r\ncontent-length: 3\r\n\r\na",
        false,
        CLOSED,
    );
    check("", false, CLOSED);
}
