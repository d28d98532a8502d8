//! Clients that take their answers slowly cost a bounded time.

use dubhook_core::simulate::Settings;
use dubhook_smol::server::{Builder, Server};
use dubhook_tests::{
    hooks::submit,
    wire::{Asker, PATIENCE},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

const LIST: &[u8] = b"GET /v1/translations?limit=100 HTTP/1.1\r\nhost: here\r\n\r\n";

/// A server with a list of jobs that is long enough to fill any socket when it is asked for again and again.
fn builder() -> Builder {
    let server = Server::builder().listen("127.0.0.1:0").capacity(100);
    server.simulate(Settings::STANDARD)
}

fn fill(address: SocketAddr) {
    let mut asker = Asker::new(address);
    for _ in 0..50 {
        submit(&mut asker);
    }
}

#[test]
fn a_client_that_takes_a_trickle_is_disconnected() {
    // Whoever has an answer waiting for longer than the grace is too slow, whatever it takes.
    let server = builder().reading_pace(Duration::from_millis(500), u64::MAX);
    let server = server.bind().expect("a port").start().expect("a thread");
    fill(server.address());
    let client = TcpStream::connect(server.address()).expect("a listener");
    client
        .set_write_timeout(Some(PATIENCE))
        .expect("a time-out");
    let mut sending = client.try_clone().expect("a descriptor");
    let asks = thread::spawn(move || {
        loop {
            if let Err(error) = sending.write_all(LIST) {
                return error.kind();
            }
        }
    });
    let mut bytes = [0; 512];
    while !asks.is_finished() {
        let mut client = &client;
        // It has its end when the other thread hears of it.
        let _ = client.read(&mut bytes);
        thread::sleep(Duration::from_millis(10));
    }
    let ended = asks.join().expect("no panic");
    let ends = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    assert!(ends.contains(&ended), "{ended}: it was still waited for");
    assert_eq!(
        Asker::new(server.address())
            .call("GET", "/healthz", "")
            .status,
        200
    );
    server.stop().expect("a good end");
}

#[test]
fn a_client_that_takes_pauses_gets_all_of_it() {
    const ASKS: usize = 2_000;
    let server = builder().bind().expect("a port").start();
    let server = server.expect("a thread");
    fill(server.address());
    let mut client = TcpStream::connect(server.address()).expect("a listener");
    client.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut sending = client.try_clone().expect("a descriptor");
    let asks = thread::spawn(move || {
        let mut asks = LIST.repeat(ASKS - 1);
        asks.extend_from_slice(b"GET /v1/translations HTTP/1.1\r\nhost: here\r\n");
        asks.extend_from_slice(b"connection: close\r\n\r\n");
        sending.write_all(&asks).expect("it reads on");
    });
    // Until the socket is full, and more waits behind it.
    thread::sleep(Duration::from_millis(300));
    let mut answers = Vec::new();
    client.read_to_end(&mut answers).expect("all of it");
    asks.join().expect("no panic");
    let heads = answers.windows(15).filter(|at| at == b"HTTP/1.1 200 OK");
    assert_eq!(heads.count(), ASKS);
    server.stop().expect("a good end");
}
