//! Webhooks as bytes on a connection: whole, in pieces, one after the other.

use super::*;
use crate::{http::Refusal, out::Overflow, signature::VerifyError};
use std::vec;

/// Sends `bytes` in pieces of `piece_len` bytes over one connection. Returns what was answered, and what
/// the client was told.
fn receive(bytes: &[u8], piece_len: usize) -> (String, Vec<String>) {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.register();
    world.follow(5);
    let mut receiver = world.client.accept(world.now());
    let (mut received, mut filled) = (vec![0; 2048], 0..0);
    let (mut sent, mut told) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(piece_len) {
        let mut input = RecvBuf::resume(&mut received, filled);
        input.room()[..piece.len()].copy_from_slice(piece);
        input.commit(piece.len());
        loop {
            let mut memory = [0; ANSWER_BYTES_MAX];
            let mut out = Out::new(&mut memory);
            let now = world.now();
            let drive = world
                .client
                .drive(now, &mut receiver, &mut input, &mut out)
                .unwrap();
            sent.extend_from_slice(out.written());
            match drive {
                Drive::Answered { answer, update } => {
                    told.push(format!("{} {}", answer.status(), show(update)));
                }
                Drive::Input { .. } => break,
                Drive::Flush => panic!("the output was empty"),
                Drive::Close => {
                    told.push("closed".into());
                    return (String::from_utf8(sent).unwrap(), told);
                }
            }
        }
        filled = input.filled_range();
    }
    (String::from_utf8(sent).unwrap(), told)
}

/// Whole, byte by byte, and cut at every place.
#[track_caller]
fn check(bytes: &[u8], expect_sent: &str, expect_told: &[&str]) {
    for piece_len in 1..=bytes.len() {
        let (sent, told) = receive(bytes, piece_len);
        assert_eq!(sent, expect_sent, "in pieces of {piece_len}");
        assert_eq!(told, expect_told, "in pieces of {piece_len}");
    }
}

fn delivery(sequence: u32) -> Vec<u8> {
    let body = event(5, sequence, "translation.processing", "processing");
    webhook(SECRET, UNIX_MS, &body)
}

#[test]
fn deliveries_come_one_after_the_other() {
    let bytes = [delivery(2), delivery(2), delivery(3)].concat();
    check(
        &bytes,
        &"HTTP/1.1 204 No Content\r\n\r\n".repeat(3),
        &[
            "204 job processing 2 told",
            "204 ",
            "204 job processing 3 told",
        ],
    );
}

#[test]
fn the_sender_may_want_the_connection_closed() {
    let request = String::from_utf8(delivery(2)).unwrap();
    let request = request.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    let bytes = [request.as_bytes(), &delivery(3)].concat();
    check(
        &bytes,
        "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
        &["204 job processing 2 told", "closed"],
    );
}

#[test]
fn refusals_have_no_body_and_keep_the_connection_where_they_can() {
    let get = b"GET /webhook HTTP/1.1\r\nhost: a\r\n\r\n".to_vec();
    let lost = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}".to_vec();
    check(
        &[get, lost, delivery(2)].concat(),
        "HTTP/1.1 405 Method Not Allowed\r\nallow: POST\r\ncontent-length: 0\r\n\r\n\
         HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n\
         HTTP/1.1 204 No Content\r\n\r\n",
        &["405 ", "404 ", "204 job processing 2 told"],
    );
}

#[test]
fn what_is_no_request_ends_the_connection() {
    let bytes = [
        b"POST /webhook HTTP/1.1\r\nhost : a\r\n\r\n".to_vec(),
        delivery(2),
    ]
    .concat();
    check(
        &bytes,
        "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        &["400 ", "closed"],
    );
}

#[test]
fn a_sender_that_waits_is_let_go_on() {
    let request = String::from_utf8(delivery(2)).unwrap();
    let request = request.replacen("\r\n", "\r\nexpect: 100-continue\r\n", 1);
    let head_len = request.find("\r\n\r\n").unwrap() + 4;
    let (sent, told) = receive(request.as_bytes(), head_len);
    assert_eq!(
        sent,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
    );
    assert_eq!(told, ["204 job processing 2 told"]);
}

#[test]
fn every_answer_fits_the_room_that_is_asked_for() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    let mut longest = 0;
    for request in [
        "DELETE /webhook HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
        "GET /webhook HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "POST /webhook HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n",
    ] {
        let mut received = request.as_bytes().to_vec();
        let len = received.len();
        received.resize(256, b' ');
        let mut input = RecvBuf::new(&mut received, len);
        let mut receiver = world.client.accept(world.now());
        let now = world.now();
        let mut memory = [0; ANSWER_BYTES_MAX];
        let mut short = Out::new(&mut memory[1..]);
        let drive = world
            .client
            .drive(now, &mut receiver, &mut input, &mut short);
        assert_eq!(drive.err(), Some(Overflow));
        assert!(short.is_empty());
        // Room that others have taken some of will be there again.
        let mut out = Out::new(&mut memory);
        out.put_byte(b' ');
        let drive = world.client.drive(now, &mut receiver, &mut input, &mut out);
        assert!(matches!(drive, Ok(Drive::Flush)));
        assert_eq!(out.len(), 1);
        let mut out = Out::new(&mut memory);
        let _ = world
            .client
            .drive(now, &mut receiver, &mut input, &mut out)
            .unwrap();
        assert!(!out.is_empty() && !out.is_full());
        longest = longest.max(out.len());
    }
    // And the one with the longest reason, after a `100 Continue`.
    let mut memory = [0; 256];
    let mut out = Out::new(&mut memory);
    out.put(crate::http::CONTINUE);
    crate::http::ResponseHead::new(&mut out, 431)
        .connection(false, crate::http::Version::V11)
        .finish_with_length(0)
        .unwrap();
    assert!(longest.max(out.len()) <= ANSWER_BYTES_MAX);
}

#[test]
fn each_phase_has_a_time_limit_that_a_trickle_does_not_move() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    let mut receiver = world.client.accept(world.now());
    assert_eq!(receiver.deadline(), Instant::from_ms(10_000));
    let (mut received, mut filled) = ([0; 64], 0..0);
    let mut deadlines = Vec::new();
    for (ms, byte) in [(3_000, b'P'), (5_000, b'O'), (9_000, b'S')] {
        world.ms = ms;
        let mut input = RecvBuf::resume(&mut received, filled);
        input.room()[0] = byte;
        input.commit(1);
        let mut memory = [0; ANSWER_BYTES_MAX];
        let mut out = Out::new(&mut memory);
        let now = world.now();
        let drive = world.client.drive(now, &mut receiver, &mut input, &mut out);
        assert!(matches!(drive, Ok(Drive::Input { bytes_min: 1 })));
        filled = input.filled_range();
        deadlines.push(receiver.deadline().as_ms());
    }
    assert_eq!(deadlines, [13_000, 13_000, 13_000]);
}

#[test]
fn every_outcome_has_the_status_that_fits_its_blame() {
    for (outcome, expect) in [
        (Outcome::Taken, 204),
        (Outcome::Repeat, 204),
        (Outcome::NotFollowed, 204),
        (Outcome::Unverified(VerifyError::NoMatch), 401),
        (Outcome::Unverified(VerifyError::TooOld), 401),
        (Outcome::Unverified(VerifyError::DuplicateHeader), 400),
        (Outcome::Malformed(read_event(b"[]").unwrap_err()), 400),
        (Outcome::Closed, 410),
        (Outcome::Full, 503),
    ] {
        assert_eq!(outcome.status(), expect, "{outcome:?}");
    }
    assert_eq!(Answer::Refused(Refusal::BodyTooLarge).status(), 413);
}
