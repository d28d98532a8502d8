//! Requests to make, and webhooks to receive.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use dubhook_core::{
    signature::{Headers, Secret, TOLERANCE_S, verify},
    time::Timestamp,
};
use serde_json::Value;

/// No test waits longer for a socket.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a request with a body, or without one, and returns the answer's status and body.
#[track_caller]
pub(crate) fn ask(address: &str, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("it receives");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head ends");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let body = serde_json::from_str(body).expect("it answers with JSON");
    (status.expect("a status"), body)
}

/// Receives one webhook, sees that it is signed with `secret`, and returns its body.
#[track_caller]
pub(crate) fn receive(listener: &TcpListener, secret: &str) -> Value {
    loop {
        let (socket, _) = listener.accept().expect("somebody comes");
        // One that was killed leaves a connection behind on which its request may or may not be.
        if let Some(body) = take(socket, secret) {
            return body;
        }
    }
}

fn take(socket: TcpStream, secret: &str) -> Option<Value> {
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut reader = BufReader::new(socket);
    let mut fields = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => fields.push((name.to_owned(), value.to_owned())),
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    let length = fields.iter().find(|(name, _)| name == "content-length")?;
    let mut body = vec![0; length.1.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let fields = fields
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let headers = Headers::from_fields(fields).expect("it is signed");
    let key = Secret::parse(secret).expect("a secret").signing_key();
    let unix = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    let now = Timestamp::from_unix_ms(unix.as_millis() as u64);
    verify(&headers, &body, &[key], now, TOLERANCE_S).expect("it is signed with that secret");
    let mut socket = reader.into_inner();
    socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok()?;
    Some(serde_json::from_slice(&body).expect("it is JSON"))
}
