//! The example of a receiver, over real sockets: it answers as it should, and takes each webhook once.

use dubhook_core::{
    out::Out,
    signature::{MessageId, Secret},
};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::{SystemTime, UNIX_EPOCH},
};

#[expect(dead_code, reason = "its program is not run, but what it is made of")]
#[path = "../../examples/receiver.rs"]
mod receiver;

const BODY: &str = r#"{"type":"translation.completed","timestamp":"2026-11-24T09:00:00.123Z","data":{"id":"job_00000000000000000000000007","sequence":3,"status":"completed","progress":100,"video_url":"file:///a.mp4","source_language":null,"target_language":"es","output_url":"file:///b.mp4","error":null,"reference":"one \"two\"","created_at":"2026-11-24T08:59:00.000Z","updated_at":"2026-11-24T09:00:00.123Z"}}"#;

/// A request as a server sends it, signed with `secret`.
fn request(secret: u8, id: &str, body: &str) -> String {
    let key = Secret::from_random([secret; 32]).signing_key();
    let message = MessageId::new(id.as_bytes()).unwrap();
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut memory = [0; 47];
    let mut signature = Out::new(&mut memory);
    key.sign(message, unix.as_secs(), body.as_bytes())
        .write(&mut signature);
    format!(
        "POST / HTTP/1.1\r\nhost: here\r\nwebhook-id: {id}\r\nwebhook-timestamp: {}\r\nwebhook-signature: {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        unix.as_secs(),
        str::from_utf8(signature.written()).unwrap(),
        body.len()
    )
}

#[test]
fn it_is_short() {
    let program = include_str!("../../examples/receiver.rs");
    assert!(program.lines().count() < 60);
}

#[test]
fn each_webhook_is_verified_taken_once_read_and_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let unknown =
        r#"{"type":"translation.archived","timestamp":"2026-11-24T09:00:00.123Z","data":{}}"#;
    let rounds = [
        (request(7, "evt_1", BODY), 204, 1),
        (request(7, "evt_1", BODY), 204, 1),
        (request(8, "evt_2", BODY), 401, 1),
        (request(7, "evt_2", "{}"), 400, 1),
        ("GET / HTTP/1.1\r\nhost: here\r\n\r\n".to_owned(), 405, 1),
        ("nonsense\r\n\r\n".to_owned(), 400, 1),
        (request(7, "evt_2", BODY), 204, 2),
        (request(7, "evt_3", unknown), 204, 3),
    ];
    let key = Secret::from_random([7; 32]).signing_key();
    let mut taken = receiver::Taken::new();
    for (request, status, count) in rounds {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        receiver::serve(accepted, &key, &mut taken).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert_eq!(taken.len(), count, "{request}");
    }
}
