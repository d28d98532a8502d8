//! Streams of events and reads that wait, over real sockets and a real disk.

use dubhook_core::simulate::Settings;
use dubhook_smol::server::{Handle, Server};
use dubhook_tests::{
    hooks::{NO_TIME, submit},
    program::Program,
    stream::{Message, Stream},
    wire::{self, ALONE, Asker, PATIENCE},
};
use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// A client that reads a stream.
struct Watcher {
    socket: TcpStream,
    stream: Stream,
}

impl Watcher {
    /// Asks for a stream; it is there when this returns.
    fn open(address: SocketAddr, path: &str, last: Option<&str>) -> Self {
        let mut socket = TcpStream::connect(address).expect("a listener");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let last = last.map_or(String::new(), |id| format!("last-event-id: {id}\r\n"));
        let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\n{last}\r\n");
        socket.write_all(request.as_bytes()).expect("a connection");
        wire::until_it_says_something(&socket);
        Self {
            socket,
            stream: Stream::new(path.strip_prefix("/v1/events?job=")),
        }
    }

    /// Reads until `is_enough` events have come, or to the end.
    fn read(&mut self, is_enough: impl Fn(&[Message]) -> bool) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut bytes = [0; 1_000];
        while !is_enough(&messages) {
            match wire::read(&mut self.socket, &mut bytes).expect("bytes in time") {
                0 => break,
                len => messages.extend(self.stream.read(&bytes[..len])),
            }
        }
        messages
    }

    fn read_to_end(&mut self) -> Vec<Message> {
        self.read(|_| false)
    }
}

/// Whether the newest event is of this kind.
fn ends_with(kind: &str) -> impl Fn(&[Message]) -> bool {
    move |messages| messages.last().is_some_and(|last| last.kind == kind)
}

/// A server whose jobs take so long.
fn server(ms: u64) -> Handle {
    let settings = Settings {
        shortest_ms: ms,
        longest_ms: ms,
        ..NO_TIME
    };
    let server = Server::builder().listen("127.0.0.1:0").capacity(100);
    let server = server.simulate(settings).bind().expect("a port");
    server.start().expect("a thread")
}

#[test]
fn a_job_is_told_of_from_its_start_to_its_end() {
    let server = server(50);
    let mut all = Watcher::open(server.address(), "/v1/events", None);
    let mut asker = Asker::new(server.address());
    let job = submit(&mut asker);
    let path = format!("/v1/events?job={job}");
    let mut one = Watcher::open(server.address(), &path, None);
    let told = one.read_to_end();
    assert_eq!(told.last().expect("an end").kind, "translation.completed");
    let all = all.read(ends_with("translation.completed"));
    let shown: Vec<_> = all.iter().skip(all.len() - told.len()).collect();
    assert_eq!(shown, told.iter().collect::<Vec<_>>());
    // Who comes back is told the rest.
    let rest = Watcher::open(server.address(), &path, Some(&all[0].id)).read_to_end();
    assert_eq!(rest, all[1..]);
    server.stop().expect("a good end");
}

#[test]
fn a_read_that_waits_is_answered_when_its_job_has_ended() {
    let server = server(300);
    let mut asker = Asker::new(server.address());
    let job = submit(&mut asker);
    let since = Instant::now();
    let path = format!("/v1/translations/{job}");
    let head = format!("GET {path} HTTP/1.1\r\nhost: here\r\nprefer: wait=30\r\n\r\n");
    asker.send(head.as_bytes());
    let answer = asker.answer("GET");
    assert_eq!(answer.json()["status"], "completed");
    assert!(
        since.elapsed() < Duration::from_secs(20),
        "it was not called"
    );
    server.stop().expect("a good end");
}

#[test]
fn who_sends_no_more_after_its_requests_has_all_its_answers() {
    let server = server(300);
    let job = submit(&mut Asker::new(server.address()));
    for (path, fields, count) in [
        (format!("/v1/translations/{job}"), "prefer: wait=30\r\n", 2),
        (format!("/v1/events?job={job}"), "", 1),
    ] {
        let mut socket = TcpStream::connect(server.address()).expect("a listener");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\n{fields}\r\n");
        let requests = request.repeat(count);
        socket.write_all(requests.as_bytes()).expect("a connection");
        socket.shutdown(Shutdown::Write).expect("a connection");
        let mut answers = String::new();
        socket.read_to_string(&mut answers).expect("an end in time");
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), count);
        assert!(answers.contains(r#""status":"completed""#), "{answers}");
    }
    server.stop().expect("a good end");
}

#[test]
fn a_server_that_stops_ends_its_streams_at_once() {
    let server = server(60_000);
    let mut watcher = Watcher::open(server.address(), "/v1/events", None);
    let mut asker = Asker::new(server.address());
    submit(&mut asker);
    assert!(!watcher.read(ends_with("translation.processing")).is_empty());
    let since = Instant::now();
    let stop = std::thread::spawn(move || server.stop());
    assert_eq!(watcher.read_to_end(), []);
    drop(asker);
    stop.join().expect("no panic").expect("a good end");
    assert!(
        since.elapsed() < Duration::from_secs(9),
        "it was waited for"
    );
}

#[test]
fn a_client_that_is_gone_holds_nothing() {
    // 256 connections at least: half of them may be streams.
    let server = server(60_000);
    for _ in 0..5 {
        let open: Vec<_> = (0..128)
            .map(|_| {
                let mut watcher = Watcher::open(server.address(), "/v1/events", None);
                let mut start = [0; 12];
                watcher.socket.read_exact(&mut start).expect("an answer");
                start
            })
            .collect();
        // The server may hear of some ends only after the next one has come.
        let served = open.iter().filter(|start| start.ends_with(b"200")).count();
        assert!(served > 0);
    }
    let start = Instant::now();
    let mut asker = Asker::new(server.address());
    while asker.call("GET", "/v1/events?job=job_x", "").status == 503 {
        assert!(start.elapsed() < PATIENCE);
    }
    server.stop().expect("a good end");
}

#[test]
fn a_stream_goes_on_after_the_program_was_killed() {
    let data = tempfile::tempdir().expect("a folder");
    let log = data.path().join("log");
    let store = data.path().join("store");
    let store = store.to_str().expect("text");
    let serve = [
        "--data",
        store,
        "--simulate",
        "50ms..50ms",
        "--simulate-errors",
        "0",
    ];
    let start = |listen: &str| {
        let arguments = [&["--listen", listen][..], &serve[..]].concat();
        Program::start(&[&["serve"][..], &arguments].concat(), &log)
    };
    // Where the port is still its own when it comes back.
    let mut program = start(&format!("{ALONE}:0"));
    let address = program.address();
    let mut watcher = Watcher::open(address, "/v1/events", None);
    let mut asker = Asker::new(address);
    submit(&mut asker);
    let told = watcher.read(ends_with("translation.completed"));
    program.kill();
    let _ = watcher.socket.read(&mut [0; 1]);
    let mut program = start(&address.to_string());
    let address = program.address();
    // What was told before is not known any more: the stream says so, and goes on.
    let last = told.last().expect("an end").id.clone();
    let mut watcher = Watcher::open(address, "/v1/events", Some(&last));
    let job = submit(&mut Asker::new(address));
    let told = watcher.read(ends_with("translation.completed"));
    assert_eq!(told[0].kind, "stream.gap");
    assert!(told[1..].iter().all(|message| message.job() == job));
    assert_eq!(told[1].kind, "translation.pending");
    program.terminate();
    assert!(program.wait().0.success());
}
