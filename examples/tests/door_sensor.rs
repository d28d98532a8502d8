//! The door sensor over real sockets: two receivers, of which one is not there for a while.

#[path = "../door_sensor.rs"]
#[expect(dead_code, reason = "a program's `main` is not called here")]
mod door_sensor;

use dubhook_core::dispatch::Schedule;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::mpsc::{Sender, channel},
    thread,
    time::Duration,
};

/// A loopback address on which nobody else listens.
const ALONE: &str = if cfg!(target_os = "linux") {
    "127.77.0.1:0"
} else {
    "127.0.0.1:0"
};
/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes webhooks until one is `last`, and hands each over as it comes. Returns the bodies, without repeats, in the order in
/// which they came.
fn receive(listener: &TcpListener, last: &str, came: &Sender<String>) -> Vec<String> {
    let mut told: Vec<(String, String)> = Vec::new();
    loop {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = String::new();
        while !request.ends_with("}}") {
            let mut bytes = [0; 1_024];
            let len = socket.read(&mut bytes).unwrap();
            assert!(len > 0, "it ended: {request}");
            request.push_str(std::str::from_utf8(&bytes[..len]).unwrap());
        }
        socket
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("\r\nwebhook-signature: v1,"), "{head}");
        let mut lines = head.lines();
        let id = lines
            .find_map(|line| line.strip_prefix("webhook-id: "))
            .unwrap();
        let _ = came.send(body.into());
        if told.iter().all(|(known, _)| known != id) {
            told.push((id.into(), body.into()));
        }
        if body.contains(last) {
            return told.into_iter().map(|(_, body)| body).collect();
        }
    }
}

#[test]
fn one_that_was_down_is_told_all_moves_in_order_and_the_newest_reading_alone() {
    let up = TcpListener::bind("127.0.0.1:0").unwrap();
    let down: SocketAddr = {
        // On an address of its own, so that the port is nobody else's meanwhile.
        let taken = TcpListener::bind(ALONE).unwrap();
        taken.local_addr().unwrap()
    };
    let urls = [up.local_addr().unwrap(), down].map(|at| format!("http://{at}/"));
    let (door, seen) = channel();
    let program = thread::spawn(move || {
        // For as long as the other one may stay away.
        let again = Schedule::new(&[1_000; 15]);
        door_sensor::run(&urls, again, &seen).map_err(|error| error.to_string())
    });
    let (came, told) = channel();
    let heard = came.clone();
    let first = thread::spawn(move || receive(&up, r#""tenths":-9"#, &heard));
    // Opened, three readings, closed; and then the other one comes back.
    for event in [(0, 0), (1, 195), (1, 194), (2, -5), (3, 0)] {
        door.send(event).unwrap();
    }
    // All of that was seen once this one is told the last of it.
    while !told.recv_timeout(PATIENCE).unwrap().contains("door.closed") {}
    let listener = TcpListener::bind(down).unwrap();
    let second = thread::spawn(move || receive(&listener, r#""tenths":-9"#, &came));
    door.send((0, -9)).unwrap();
    drop(door);

    let kinds = |told: Vec<String>| -> Vec<&str> {
        let kinds = ["door.opened", "door.reading", "door.closed"];
        let kind_of = |body: &String| kinds.into_iter().find(|kind| body.contains(kind));
        told.iter().filter_map(kind_of).collect()
    };
    let first = kinds(first.join().unwrap());
    assert_eq!(first.first(), Some(&"door.opened"));
    assert_eq!(&first[first.len() - 2..], ["door.closed", "door.opened"]);
    let second = second.join().unwrap();
    assert_eq!(kinds(second), ["door.opened", "door.closed", "door.opened"]);
    assert_eq!(program.join().unwrap(), Ok(()));
}
