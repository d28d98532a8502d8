//! More than the server can carry, and its end in the middle of it.

use dubhook_core::simulate::Settings;
use dubhook_smol::server::Server;
use dubhook_tests::{
    hooks::register,
    program::Program,
    wire::{self, Asker, Hearer, PATIENCE},
};
use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const JOB: &str = r#"{"video_url":"https://v.test/1.mp4","target_language":"es"}"#;
/// Who submits at the same time.
const CALLERS: usize = 4;

/// What became of a wave of submissions.
#[derive(Debug, Default)]
struct Wave {
    accepted: BTreeSet<String>,
    refused: usize,
    /// What the refusals took, all together.
    refusing: Duration,
}

/// Submits so many jobs as fast as it is answered.
fn wave(address: SocketAddr, jobs: usize) -> Wave {
    let wave = Mutex::new(Wave::default());
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let mut asker = Asker::new(address);
                for _ in 0..jobs / CALLERS {
                    let asked = Instant::now();
                    let answer = asker.call("POST", "/v1/translations", JOB);
                    let mut wave = wave.lock().expect("no panic");
                    if answer.status == 202 {
                        let job = answer.json()["id"].as_str().expect("an id").to_owned();
                        assert!(wave.accepted.insert(job), "an id twice");
                        continue;
                    }
                    assert_eq!(answer.status, 503, "{answer:?}");
                    let pause = answer.fields["retry-after"].parse::<u64>();
                    assert!((1..=30).contains(&pause.expect("seconds")));
                    wave.refused += 1;
                    wave.refusing += asked.elapsed();
                }
            });
        }
    });
    wave.into_inner().expect("no panic")
}

/// Takes arrivals until every one of these jobs has been told of.
fn all_told(hearer: &Hearer, mut jobs: BTreeSet<String>) {
    while !jobs.is_empty() {
        let told = hearer.next().json();
        jobs.remove(told["data"]["id"].as_str().expect("an id"));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn ten_times_too_much_is_refused_at_once_and_the_rest_is_done() {
    const CAPACITY: usize = 100;
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = ["--in-memory", "--capacity", "100", "--simulate", "1s..1s"];
    let mut program = Program::serve(&arguments, &folder.path().join("log"));
    let address = program.address();
    let mut asker = Asker::new(address);
    let hearer = Hearer::new();
    register(&mut asker, &hearer.url());
    let mut resident = Vec::new();
    for _ in 0..3 {
        let wave = wave(address, 10 * CAPACITY);
        assert!(wave.accepted.len() >= CAPACITY, "{}", wave.accepted.len());
        // Nobody is kept waiting to be refused: not until a job ends, and nowhere near it.
        assert!(wave.refused > CAPACITY, "{}", wave.refused);
        let each = wave.refusing / wave.refused as u32;
        assert!(each < Duration::from_millis(100), "{each:?}");
        assert_eq!(asker.call("GET", "/healthz", "").status, 200);
        all_told(&hearer, wave.accepted);
        resident.push(program.resident_bytes());
    }
    // The first wave has touched every table; what came after it has cost nothing.
    let growth = resident[2].saturating_sub(resident[0]);
    assert!(growth < 1 << 20, "{resident:?}");
    program.terminate();
    let (status, log) = program.wait();
    assert!(status.success(), "{log}");
}

/// Everything that is answered until the end of the connection.
fn ask_alone(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).expect("a listener");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let request = b"GET /healthz HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
    // It may be refused, and closed, before it has asked.
    let _ = stream.write_all(request);
    let (mut answer, mut bytes) = (Vec::new(), [0; 1_024]);
    loop {
        match wire::read(&mut stream, &mut bytes) {
            Ok(0) => break,
            Ok(len) => answer.extend_from_slice(&bytes[..len]),
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
                break;
            }
        }
    }
    String::from_utf8(answer).expect("text")
}

/// The fewest connections that a server takes.
const CONNECTIONS: usize = 256;

/// Takes all connections that there are, and sends this on each.
fn hold(address: SocketAddr, bytes: &[u8]) -> Vec<TcpStream> {
    let connect = |_| {
        let mut stream = TcpStream::connect(address).expect("a listener");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.write_all(bytes).expect("it reads");
        stream
    };
    (0..CONNECTIONS).map(connect).collect()
}

/// The status of the next answer.
fn status(stream: &mut TcpStream) -> String {
    let mut start = [0; 12];
    stream.read_exact(&mut start).expect("an answer");
    String::from_utf8_lossy(&start[9..]).into_owned()
}

#[test]
fn one_connection_too_many_is_refused_and_closed() {
    wire::take_descriptors();
    let server = Server::builder().listen("127.0.0.1:0").capacity(1);
    let server = server.simulate(Settings::STANDARD).bind().expect("a port");
    let server = server.start().expect("a thread");
    let address = server.address();
    // Nobody who sends a body goes: it has a pace of its own.
    let body = [JOB.as_bytes(), &[b' '; 40_000]].concat();
    let (first, rest) = body.split_at(39_000);
    let head = "POST /v1/translations HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n";
    let head = format!("{head}content-length: {}\r\n\r\n", body.len());
    let first = [head.as_bytes(), first].concat();
    let mut held = hold(address, &first);
    for _ in 0..20 {
        let refused = ask_alone(address);
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused:?}");
        assert!(refused.contains("\r\nretry-after: 1\r\n"), "{refused:?}");
        assert!(refused.ends_with('}'), "a whole answer: {refused:?}");
    }
    // Those that are held are served as ever, and one that goes makes room for another.
    let mut last = held.pop().expect("a connection");
    last.write_all(rest).expect("it reads");
    assert_eq!(status(&mut last), "202");
    drop(last);
    let give_up = Instant::now() + PATIENCE;
    while !ask_alone(address).starts_with("HTTP/1.1 200 ") {
        assert!(Instant::now() < give_up, "there is no room again");
    }
    drop(held);
    server.stop().expect("a good end");
}

#[test]
fn those_who_hold_all_connections_and_ask_for_nothing_make_room() {
    wire::take_descriptors();
    let server = Server::builder().listen("127.0.0.1:0").capacity(1);
    let server = server.simulate(Settings::STANDARD).bind().expect("a port");
    let server = server.start().expect("a thread");
    let address = server.address();
    let mut held = hold(address, b"GET /healthz HTTP/1.1\r\nhost: here\r\n\r\n");
    for stream in &mut held {
        assert_eq!(status(stream), "200");
    }
    // They may stay for a minute where others have room; as it is, it takes a second and one who is refused.
    let give_up = Instant::now() + PATIENCE;
    loop {
        let answer = ask_alone(address);
        if answer.starts_with("HTTP/1.1 200 ") {
            break;
        }
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer:?}");
        assert!(Instant::now() < give_up, "nobody makes room");
        thread::sleep(Duration::from_millis(50));
    }
    server.stop().expect("a good end");
}

/// A server that keeps everything in this folder.
fn serve(folder: &Path) -> Program {
    let data = folder.join("data");
    let data = data.to_str().expect("a path in UTF-8");
    let arguments = ["--data", data, "--capacity", "20000", "--simulate"];
    let arguments = [&arguments[..], &["5ms..200ms"]].concat();
    Program::serve(&arguments, &folder.join("log"))
}

#[test]
fn told_to_end_under_load_it_loses_nothing() {
    const ENOUGH: usize = 300;
    let folder = tempfile::tempdir().expect("a folder");
    let mut program = serve(folder.path());
    let address = program.address();
    let hearer = Hearer::new();
    register(&mut Asker::new(address), &hearer.url());
    let accepted = Mutex::new(BTreeSet::new());
    let count = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let mut asker = Asker::new(address);
                while let Ok(answer) = asker.try_call("POST", "/v1/translations", "", JOB) {
                    if answer.status == 202 {
                        let job = answer.json()["id"].as_str().expect("an id").to_owned();
                        accepted.lock().expect("no panic").insert(job);
                        count.fetch_add(1, Ordering::Relaxed);
                    } else {
                        assert_eq!(answer.status, 503, "{answer:?}");
                    }
                }
            });
        }
        let give_up = Instant::now() + PATIENCE;
        while count.load(Ordering::Relaxed) < ENOUGH && Instant::now() < give_up {
            thread::yield_now();
        }
        program.terminate();
    });
    let (status, log) = program.wait();
    assert!(status.success(), "{log}");

    let accepted = accepted.into_inner().expect("no panic");
    assert!(accepted.len() >= ENOUGH, "{}", accepted.len());
    let mut program = serve(folder.path());
    let mut asker = Asker::new(program.address());
    for job in &accepted {
        let found = asker.call("GET", &format!("/v1/translations/{job}"), "");
        assert_eq!(found.status, 200, "{job} was acknowledged");
    }
    all_told(&hearer, accepted);
    program.terminate();
    let (status, log) = program.wait();
    assert!(status.success(), "{log}");
}
