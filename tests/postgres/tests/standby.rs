//! A server that stands by passes on what it is asked to the one that has the records, and says so where it cannot.

use dubhook_postgres_tests::{
    cluster::Cluster,
    rig::{LEASE, LONG, Rig, ask, assert_stops, get, ready, wait_until},
};
use dubhook_tests::{
    certificates::Authority,
    program::Program,
    wire::{self, ALONE, Answer, Asker, PATIENCE},
};
use std::{
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    time::Instant,
};

const JOB: &str = r#"{"video_url":"https://v.test/1.mp4","target_language":"es"}"#;
const SLOW: &[&str] = &["--simulate", "1h..1h"];

/// Opens a connection, sends this, and reads until all of `parts` have come.
fn open(address: SocketAddr, request: &str, parts: &[&str]) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a server");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream.write_all(request.as_bytes()).expect("it is taken");
    read_until(&mut stream, parts);
    stream
}

fn read_until(stream: &mut TcpStream, parts: &[&str]) -> String {
    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    while !parts.iter().all(|part| text.contains(part)) {
        let len = wire::read(stream, &mut bytes).expect("more comes");
        assert!(len > 0, "it ended: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..len]));
    }
    text
}

/// Reads to the end, however that comes.
fn drain(stream: &mut TcpStream) -> String {
    let (mut text, mut bytes) = (Vec::new(), [0; 4096]);
    loop {
        match wire::read(stream, &mut bytes) {
            Ok(0) => break,
            Ok(len) => text.extend_from_slice(&bytes[..len]),
            Err(error) => {
                assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "it goes on");
                break;
            }
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn assert_stands_by(answer: &Answer) {
    assert_eq!(answer.status, 503);
    assert_eq!(answer.fields["retry-after"], "1");
    assert_eq!(answer.fields["content-type"], "application/problem+json");
    assert_eq!(answer.json()["code"], "stands_by");
}

const STREAM: &str = "GET /v1/events HTTP/1.1\r\nhost: test\r\n\r\n";

#[test]
fn a_standby_passes_on_all_but_what_is_its_own() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let keyed = [&["--api-key", "sesame"], SLOW].concat();
    let (_owner, owner) = rig.serve("owner", &cluster.url(), LONG, &keyed);
    // It asks for no key itself: who may do what is the owner's to say.
    let (waiting, standby) = rig.serve("standby", &cluster.url(), LONG, SLOW);
    assert_eq!(get(standby, "/healthz").status, 200);
    assert_stands_by(&get(standby, "/readyz"));
    assert_eq!(get(owner, "/readyz").status, 200);

    const KEY: &str = "authorization: Bearer sesame\r\n";
    let mut asker = Asker::new(standby);
    let refused = asker.try_call("POST", "/v1/translations", "", JOB);
    assert_eq!(refused.expect("an answer").status, 401);
    let mut asker = Asker::new(standby);
    for count in 0..20 {
        let fields = format!("{KEY}idempotency-key: {}\r\n", count / 2);
        let answer = asker.try_call("POST", "/v1/translations", &fields, JOB);
        assert_eq!(answer.expect("on the same connection").status, 202);
    }
    let there = asker
        .try_call("GET", "/v1/translations", KEY, "")
        .expect("an answer");
    let here = Asker::new(owner)
        .try_call("GET", "/v1/translations", KEY, "")
        .expect("an answer");
    assert_eq!(there.json(), here.json());
    assert_eq!(there.json()["data"].as_array().map(Vec::len), Some(10));
    let head = asker.try_call("HEAD", "/v1/translations", KEY, "");
    let head = head.expect("an answer");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(
        asker
            .try_call("GET", "/nowhere", KEY, "")
            .expect("one")
            .status,
        404
    );
    // In chunks, by a client that waits to be told to go on, and another request right behind it.
    asker.send(
        b"POST /v1/translations HTTP/1.1\r\nhost: test\r\nauthorization: Bearer sesame\r\n\
          content-type: application/json\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n",
    );
    let chunks = format!(
        "{:x}\r\n{JOB}\r\n0\r\n\r\nGET /v1/translations HTTP/1.1\r\nhost: test\r\n{KEY}\r\n",
        JOB.len()
    );
    asker.send(chunks.as_bytes());
    assert_eq!(asker.answer("POST").status, 202);
    assert_eq!(asker.answer("GET").status, 200);
    // A device that knows no chunks.
    let old = format!("GET /v1/translations HTTP/1.0\r\n{KEY}\r\n");
    let mut stream = open(standby, &old, &[]);
    let answer = drain(&mut stream);
    assert!(
        answer.contains("connection: close") && answer.ends_with('}'),
        "{answer}"
    );
    // What is no request is not passed on.
    let mut stream = open(standby, "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", &[]);
    assert!(drain(&mut stream).starts_with("HTTP/1.1 400"));
    assert_stops(waiting);
}

#[test]
fn requests_that_come_at_once_are_passed_on_one_by_one() {
    const REQUESTS: usize = 200;
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (_owner, _) = rig.serve("owner", &cluster.url(), LONG, SLOW);
    let (_standby, standby) = rig.serve("standby", &cluster.url(), LONG, SLOW);
    let mut requests = Vec::new();
    for count in 0..REQUESTS {
        let key = format!("idempotency-key: {count}\r\ncontent-type: application/json\r\n");
        let head = format!("POST /v1/translations HTTP/1.1\r\nhost: test\r\n{key}");
        let request = format!("{head}content-length: {}\r\n\r\n{JOB}", JOB.len());
        requests.extend_from_slice(request.as_bytes());
        requests.extend_from_slice(b"HEAD /v1/translations HTTP/1.1\r\nhost: test\r\n\r\n");
    }
    let mut asker = Asker::new(standby);
    asker.send(&requests);
    for _ in 0..REQUESTS {
        assert_eq!(asker.answer("POST").status, 202);
        assert_eq!(asker.answer("HEAD").status, 200);
    }
    let jobs = get(standby, "/v1/translations?limit=100").json();
    assert_eq!(jobs["data"].as_array().map(Vec::len), Some(100));
}

#[test]
fn a_call_goes_one_step_and_nowhere_but_to_the_owner() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (_owner, _) = rig.serve("owner", &cluster.url(), LONG, SLOW);
    let (_standby, standby) = rig.serve("standby", &cluster.url(), LONG, SLOW);
    let passed =
        Asker::new(standby).try_call("GET", "/v1/translations", "dubhook-passed: 1\r\n", "");
    assert_stands_by(&passed.expect("an answer"));
    // Nobody listens there; the owner is what is asked.
    let mut stream = open(
        standby,
        "GET http://127.0.0.1:1/v1/translations HTTP/1.1\r\nhost: 127.0.0.1:1\r\nconnection: close\r\n\r\n",
        &[],
    );
    assert!(drain(&mut stream).starts_with("HTTP/1.1 200"));
}

#[test]
fn an_owner_that_cannot_be_reached_is_told_of() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (_owner, owner) = rig.serve(
        "owner",
        &cluster.url(),
        LONG,
        &["--advertise", "http://127.0.0.1:1"],
    );
    let (_standby, standby) = rig.serve("standby", &cluster.url(), LONG, &[]);
    assert_eq!(get(owner, "/v1/translations").status, 200);
    for (method, body) in [("GET", ""), ("POST", JOB)] {
        assert_stands_by(&ask(standby, method, "/v1/translations", body).expect("an answer"));
    }
}

#[test]
fn a_place_where_nobody_is_reached_is_refused() {
    for (arguments, said) in [
        (&["--listen", "0.0.0.0:0"][..], "--advertise URL"),
        (&["--listen", "[::]:0"], "--advertise URL"),
        (&["--advertise", "dub1:8000"], "--advertise dub1:8000"),
        (
            &["--advertise", "http://dub1/path"],
            "--advertise http://dub1/path",
        ),
    ] {
        let store = ["serve", "--store", "postgres://a@127.0.0.1:1/a"];
        let output = dubhook_tests::program::run(&[&store, arguments].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn who_goes_away_from_a_standby_is_gone_from_the_owner() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (_owner, _) = rig.serve("owner", &cluster.url(), LONG, &["--translator", "remote"]);
    let (standby, passes) = rig.serve("standby", &cluster.url(), LONG, &[]);
    let before = standby.descriptors();
    let streams: Vec<_> = (0..8).map(|_| open(passes, STREAM, &["retry: "])).collect();
    let claims: Vec<_> = (0..8)
        .map(|_| {
            let claim = "POST /v1/work/claim HTTP/1.1\r\nhost: test\r\nprefer: wait=60\r\n\r\n";
            open(passes, claim, &[])
        })
        .collect();
    // One to each of them, and one on to the owner.
    wait_until("they are not passed on", || {
        standby.descriptors() >= before + 32
    });
    drop((streams, claims));
    wait_until("the standby goes on with who is gone", || {
        standby.descriptors() <= before + 8
    });
    // A claim of one who is gone has taken nothing.
    let job = ask(passes, "POST", "/v1/translations", JOB).expect("an answer");
    assert_eq!(job.status, 202);
    let claimed = ask(passes, "POST", "/v1/work/claim", "").expect("an answer");
    assert_eq!(claimed.json()["job"]["id"], job.json()["id"]);
}

#[test]
fn an_owner_that_dies_ends_what_was_passed_on_to_it() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (owner, _) = rig.serve("owner", &cluster.url(), LEASE, &["--translator", "remote"]);
    let (_standby, standby) = rig.serve(
        "standby",
        &cluster.url(),
        LEASE,
        &["--translator", "remote"],
    );
    let mut stream = open(standby, STREAM, &["retry: "]);
    let claim = "POST /v1/work/claim HTTP/1.1\r\nhost: test\r\nprefer: wait=60\r\n\r\n";
    let mut claim = open(standby, claim, &[]);
    // What comes on a stream comes at once.
    assert_eq!(
        ask(standby, "POST", "/v1/translations", JOB)
            .expect("one")
            .status,
        202
    );
    read_until(
        &mut stream,
        &["translation.pending", "translation.processing"],
    );
    read_until(&mut claim, &["200 OK", "\"lease\""]);
    let wait = "POST /v1/work/claim HTTP/1.1\r\nhost: test\r\nprefer: wait=60\r\n\r\n";
    let mut waits = open(standby, wait, &[]);
    owner.kill();
    drain(&mut stream);
    let answer = drain(&mut waits);
    // It may have been on its way yet.
    let told = answer.contains("owner_unheard") || answer.contains("stands_by");
    assert!(told, "{answer}");
    let took = ready(standby);
    println!("the owner was killed: the standby answers after {took:?}");
    open(standby, STREAM, &["retry: "]);
}

#[test]
fn a_standby_that_is_told_to_stop_finishes_what_it_passes_on() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (_owner, owner) = rig.serve("owner", &cluster.url(), LONG, &["--translator", "remote"]);
    let (standby, passes) = rig.serve("standby", &cluster.url(), LONG, &[]);
    let mut stream = open(passes, STREAM, &["retry: "]);
    let claim = "POST /v1/work/claim HTTP/1.1\r\nhost: test\r\nprefer: wait=60\r\n\r\n";
    let mut claim = open(passes, claim, &[]);
    let mut asker = Asker::new(passes);
    assert_eq!(asker.call("GET", "/v1/translations", "").status, 200);
    wait_until("both are passed on", || {
        let figures = String::from_utf8(get(owner, "/metrics").body).expect("text");
        figures.contains("\ndubhook_connections_held 2\n")
    });
    standby.terminate();
    wait_until("it notices", || rig.logged("standby").contains("stopping"));
    // What comes from here on is another server's.
    assert_stands_by(&asker.call("GET", "/v1/translations", ""));
    let job = ask(owner, "POST", "/v1/translations", JOB).expect("an answer");
    assert_eq!(job.status, 202);
    let told = drain(&mut claim);
    assert!(
        told.contains("200 OK") && told.contains("\"lease\""),
        "{told}"
    );
    assert!(told.contains("connection: close"), "{told}");
    let (status, log) = standby.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    // Whoever listens is no reason to go on.
    drain(&mut stream);
}

#[test]
fn an_owner_that_freezes_is_waited_for_until_another_one_takes_over() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (owner, _) = rig.serve("owner", &cluster.url(), LEASE, SLOW);
    let (_standby, standby) = rig.serve("standby", &cluster.url(), LEASE, SLOW);
    let mut asker = Asker::new(standby);
    assert_eq!(asker.call("GET", "/v1/translations", "").status, 200);
    owner.signal("STOP");
    let asked = Instant::now();
    let answer = asker.call("GET", "/v1/translations", "");
    assert_eq!(answer.status, 502);
    println!(
        "the owner froze: who had asked was told after {:?}",
        asked.elapsed()
    );
    ready(standby);
    owner.signal("CONT");
}

#[test]
fn a_slow_reader_costs_no_memory() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (_owner, owner) = rig.serve("owner", &cluster.url(), LONG, &["--simulate", "1ms..2ms"]);
    let (standby, passes) = rig.serve("standby", &cluster.url(), LONG, SLOW);
    let readers: Vec<_> = (0..8).map(|_| open(passes, STREAM, &["retry: "])).collect();
    let before = standby.resident_bytes();
    let mut asker = Asker::new(owner);
    for _ in 0..3_000 {
        assert_eq!(asker.call("POST", "/v1/translations", JOB).status, 202);
    }
    let grown = standby.resident_bytes().saturating_sub(before);
    println!(
        "{} readers that read nothing: {grown} bytes more",
        readers.len()
    );
    assert!(grown < 4 << 20, "{grown}");
    let _: &Program = &standby;
}

#[test]
fn the_metrics_of_both_say_who_has_the_records() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (first, owner) = rig.serve("owner", &cluster.url(), LEASE, SLOW);
    let (_second, standby) = rig.serve("standby", &cluster.url(), LEASE, SLOW);
    let figure = |address, name: &str| -> f64 {
        let text = String::from_utf8(get(address, "/metrics").body).expect("text");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("dubhook_store_{name} ")));
        line.and_then(|value| value.parse().ok())
            .unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    assert_eq!(
        ask(owner, "POST", "/v1/translations", JOB)
            .expect("one")
            .status,
        202
    );
    assert_eq!(
        (figure(owner, "owner"), figure(standby, "owner")),
        (1.0, 0.0)
    );
    assert_eq!(
        (figure(owner, "epoch"), figure(standby, "epoch")),
        (1.0, 1.0)
    );
    assert_eq!((figure(owner, "up"), figure(standby, "up")), (1.0, 1.0));
    assert!(figure(owner, "lease_left_seconds") > 0.0);
    assert_eq!(figure(standby, "lease_left_seconds"), 0.0);
    assert!(figure(owner, "commits_total") >= 1.0);
    assert!(figure(owner, "commit_seconds_total") > 0.0);
    assert_eq!(figure(standby, "takeovers_total"), 0.0);
    first.kill();
    ready(standby);
    assert_eq!(
        (figure(standby, "owner"), figure(standby, "epoch")),
        (1.0, 2.0)
    );
    assert_eq!(figure(standby, "takeovers_total"), 1.0);
}

#[test]
fn an_owner_with_tls_is_believed_by_its_certificate_alone() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let authority = Authority::new();
    let [certificate, key] = authority.files(ALONE);
    let path = |path: &PathBuf| path.to_str().expect("a path").to_owned();
    let (certificate, key, roots) = (path(&certificate), path(&key), path(&authority.file()));
    let listen = {
        let free = TcpListener::bind((ALONE, 0)).expect("a port");
        free.local_addr().expect("an address").to_string()
    };
    let url = format!("https://{listen}");
    let store = cluster.url();
    let mut owner = Program::start(
        &[
            "serve",
            "--listen",
            &listen,
            "--store",
            &store,
            "--lease",
            LONG,
            "--tls-cert",
            &certificate,
            "--tls-key",
            &key,
            "--advertise",
            &url,
        ],
        &rig.log("owner"),
    );
    owner.address();
    let (_doubts, doubts) = rig.serve("doubts", &store, LONG, &[]);
    let (_trusts, trusts) = rig.serve("trusts", &store, LONG, &["--ca", &roots]);
    assert_stands_by(&get(doubts, "/v1/translations"));
    for _ in 0..3 {
        let answer = ask(trusts, "POST", "/v1/translations", JOB).expect("an answer");
        assert_eq!(answer.status, 202);
    }
    let mut stream = open(trusts, STREAM, &["retry: "]);
    owner.kill();
    drain(&mut stream);
}
