//! Videos through a server that stands by: in pieces, no faster than the owner takes them, and without keeping them.

use dubhook_postgres_tests::{
    cluster::Cluster,
    rig::{LONG, Rig, get},
};
use dubhook_tests::{
    program::Program,
    video::video,
    wire::{self, Asker, PATIENCE},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const MIB: usize = 1024 * 1024;

/// An owner with videos, and a server that stands by.
struct Pair {
    _cluster: Cluster,
    _rig: Rig,
    owner: Program,
    standby: Program,
    passes: SocketAddr,
}

impl Pair {
    fn new() -> Self {
        let (cluster, rig) = (Cluster::new(&[]), Rig::new());
        let media = rig.log("media").display().to_string();
        let (owner, _) = rig.serve("owner", &cluster.url(), LONG, &["--media", &media]);
        let (standby, passes) = rig.serve("standby", &cluster.url(), LONG, &[]);
        Self {
            _cluster: cluster,
            _rig: rig,
            owner,
            standby,
            passes,
        }
    }

    /// Announces an upload: where it goes.
    fn announce(&self, bytes: usize) -> String {
        let body = format!(r#"{{"bytes":{bytes},"filename":"v.mp4"}}"#);
        let answer = Asker::new(self.passes).call("POST", "/v1/uploads", &body);
        assert_eq!(answer.status, 201, "{}", answer.json());
        format!(
            "/v1/uploads/{}",
            answer.json()["id"].as_str().expect("an id")
        )
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.passes).expect("a server");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream
            .set_write_timeout(Some(PATIENCE))
            .expect("a time-out");
        stream
    }
}

/// Reads until the head of an answer has come; what came with it.
fn head(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        let len = wire::read(stream, &mut byte).expect("more");
        assert_eq!(len, 1, "it ended");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text")
}

#[test]
fn a_video_goes_through_a_standby_and_comes_back_and_is_kept_by_nobody_on_the_way() {
    const BYTES: usize = 48 * MIB;
    let pair = Pair::new();
    let (upload, video) = (pair.announce(BYTES), video(BYTES));
    let before = pair.standby.resident_bytes();
    let mut stream = pair.connect();
    let mut send = |bytes: &[u8]| stream.write_all(bytes).expect("it is taken");
    send(
        format!("PUT {upload} HTTP/1.1\r\nhost: test\r\ncontent-length: {BYTES}\r\n\r\n")
            .as_bytes(),
    );
    let half = BYTES / 2 + 1;
    send(&video[..half]);
    let between = pair.standby.resident_bytes();
    send(&video[half..]);
    // And another request right behind it.
    send(format!("GET {upload}/content HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes());
    let put = head(&mut stream);
    assert!(put.starts_with("HTTP/1.1 200"), "{put}");
    let length = put
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut told = vec![0; length.expect("a length").parse().expect("a number")];
    stream.read_exact(&mut told).expect("more");
    let got = head(&mut stream);
    assert!(got.starts_with("HTTP/1.1 200"), "{got}");
    let mut back = vec![0; BYTES];
    stream.read_exact(&mut back).expect("more");
    assert!(back == video, "other bytes came back");
    let grown = pair
        .standby
        .resident_bytes()
        .max(between)
        .saturating_sub(before);
    println!(
        "{} MiB through a standby and back: {grown} bytes more",
        BYTES / MIB
    );
    assert!(grown < 4 * MIB as u64, "{grown}");
}

#[test]
fn an_owner_that_takes_nothing_holds_the_caller_back() {
    // There are two connections on the way, and as much again is what they could not hold.
    let bytes = (4 * wire::more_than_sockets_hold()).max(64 * MIB);
    let pair = Pair::new();
    let (upload, video) = (pair.announce(bytes), video(bytes));
    let mut stream = pair.connect();
    write!(
        stream,
        "PUT {upload} HTTP/1.1\r\nhost: test\r\ncontent-length: {bytes}\r\n\r\n"
    )
    .expect("it is taken");
    pair.owner.signal("STOP");
    stream
        .set_write_timeout(Some(Duration::from_millis(500)))
        .expect("a time-out");
    let mut taken = 0;
    while taken < bytes {
        match stream.write(&video[taken..]) {
            Ok(len) => taken += len,
            // As where a read is.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                break;
            }
            Err(error) => panic!("{error}"),
        }
    }
    println!("an owner that sleeps: {taken} bytes are on their way");
    assert!(taken < bytes / 2, "{taken} bytes lie somewhere");
    pair.owner.signal("CONT");
    stream
        .set_write_timeout(Some(PATIENCE))
        .expect("a time-out");
    stream.write_all(&video[taken..]).expect("it is taken");
    assert!(head(&mut stream).starts_with("HTTP/1.1 200"));
}

#[test]
fn who_waits_to_be_told_to_go_on_is_told_and_who_is_refused_hears_why() {
    let pair = Pair::new();
    let bytes = 200_000;
    let (upload, video) = (pair.announce(bytes), video(bytes));
    let mut stream = pair.connect();
    let request = |path: &str| {
        format!(
            "PUT {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {bytes}\r\nexpect: 100-continue\r\n\r\n"
        )
    };
    stream
        .write_all(request(&upload).as_bytes())
        .expect("it is taken");
    assert!(head(&mut stream).starts_with("HTTP/1.1 100"));
    stream.write_all(&video).expect("it is taken");
    assert!(head(&mut stream).starts_with("HTTP/1.1 200"));
    // The owner refuses it before anything has come; the caller is told so, and its connection ends.
    let mut stream = pair.connect();
    let unknown = "/v1/uploads/med_00000000000000000000000000";
    stream
        .write_all(request(unknown).as_bytes())
        .expect("it is taken");
    let mut told = head(&mut stream);
    if told.starts_with("HTTP/1.1 100") {
        told = head(&mut stream);
    }
    assert!(
        told.starts_with("HTTP/1.1 404") && told.contains("connection: close"),
        "{told}"
    );
    // Who goes away in the middle leaves nothing half done behind.
    let half = pair.announce(bytes);
    let mut stream = pair.connect();
    write!(
        stream,
        "PUT {half} HTTP/1.1\r\nhost: test\r\ncontent-length: {bytes}\r\n\r\n"
    )
    .expect("it is taken");
    stream.write_all(&video[..bytes / 2]).expect("it is taken");
    drop(stream);
    assert_eq!(get(pair.passes, &format!("{half}/content")).status, 404);
}
