//! What slow, full and broken media cost webhooks: how long an event takes from its submission to its arrival, alone and beside a
//! hundred readers that stall, fifty uploads of a byte a second, sixteen that wait for a disk that does not answer, and others that
//! are told all the time that there is no room, or that what they want cannot be read.
//!
//! ```text
//! cargo run --release --package dubhook-tests --example media_neighbours
//! ```

use dubhook_core::{
    id::{Id, Ix, Prefix},
    random::Random,
    service::Limits,
    time::Timestamp,
};
use dubhook_smol::{
    media::{self, Folder, Media, NewUpload},
    server::{Handle, Server},
};
use dubhook_tests::{
    beside,
    hooks::NO_TIME,
    wire::{Asker, PATIENCE},
};
use std::{
    fs::{self, File},
    io::Write,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use tempfile::TempDir;

const STALLED: usize = 100;
const TRICKLING: usize = 50;
const HUNG: usize = 16;
const OUTPUT_BYTES: u64 = 64 << 20;
/// How often somebody is told that there is no room, or that nothing can be read.
const REFUSED_EVERY: Duration = Duration::from_millis(5);

fn main() {
    beside::compare("slow, full and broken media", serve);
}

/// What weighs on a server for as long as this is there.
struct Burden {
    is_over: Arc<AtomicBool>,
    /// What nobody answers who opens it.
    pipe: PathBuf,
    _home: TempDir,
}

impl Drop for Burden {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Lets go whoever waits for it, so that the process can end.
        for _ in 0..1_000 {
            let _ = File::options().read(true).write(true).open(&self.pipe);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn id(number: u64) -> Id {
    let at = Timestamp::from_unix_ms(1_795_510_800_000 + number);
    Id::new(at, Ix::MIN, &mut Random::new([1; 32]))
}

fn serve(is_burdened: bool) -> (Handle, Burden) {
    let home = TempDir::new().expect("a directory");
    let limits = media::Limits {
        upload_bytes_max: 1 << 40,
        media_bytes_max: 1 << 30,
    };
    let media = Folder::open(&home.path().join("media"), limits).expect("a directory");
    let video = home.path().join("v.es.mp4");
    let file = File::create(&video).expect("a file");
    file.set_len(OUTPUT_BYTES).expect("a sparse file");
    media.adopt(id(0), "es", &video, &[]).expect("it has room");
    for number in 0..TRICKLING as u64 + 2 {
        let upload = NewUpload {
            id: id(number),
            bytes: 1_000_000,
            filename: None,
            content_type: None,
            sha256: None,
            created_at: Timestamp::from_unix_ms(1_795_510_800_000),
        };
        media.create(upload).expect("it has room");
    }
    let server = Server::builder()
        .listen("127.0.0.1:0")
        .capacity(50_000)
        .simulate(NO_TIME)
        .limits(Limits::SERVER)
        .media(media);
    let server = server.bind().expect("a port").start().expect("a thread");
    let is_over = Arc::new(AtomicBool::new(!is_burdened));
    let note = |number| {
        let name = format!("{}.json", id(number).text(Prefix::Media));
        home.path().join("media/uploads").join(name)
    };
    let (hung, broken) = (TRICKLING as u64, TRICKLING as u64 + 1);
    make_bad(&note(hung), &note(broken));
    if is_burdened {
        stall(server.address(), hung, &is_over);
        trickle(server.address(), &is_over);
        ask_in_vain(server.address(), broken, &is_over);
    }
    let burden = Burden {
        is_over,
        pipe: note(hung),
        _home: home,
    };
    (server, burden)
}

/// Whoever opens the one waits, and whoever reads the other fails.
fn make_bad(hung: &Path, broken: &Path) {
    fs::remove_file(hung).expect("a note");
    let made = Command::new("mkfifo").arg(hung).status();
    assert!(made.expect("mkfifo").success());
    fs::remove_file(broken).expect("a note");
    fs::create_dir(broken).expect("a directory");
}

fn send(address: SocketAddr, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a server");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let head = format!("{head} HTTP/1.1\r\nhost: here\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    stream
}

/// Readers that do not read, who come again when they are given up, and those who wait for a disk.
fn stall(address: SocketAddr, hung: u64, is_over: &Arc<AtomicBool>) {
    let is_over = Arc::clone(is_over);
    let output = id(0).text(Prefix::Job);
    let output = format!("GET /v1/translations/{output}/output");
    let hung = format!("GET /v1/uploads/{}", id(hung).text(Prefix::Media));
    thread::spawn(move || {
        while !is_over.load(Ordering::Relaxed) {
            let heads = [(&output, STALLED), (&hung, HUNG)];
            let all = heads.map(|(head, count)| {
                let open = || {
                    let mut stream = send(address, head);
                    stream.write_all(b"\r\n").expect("it reads");
                    stream
                };
                (0..count).map(|_| open()).collect::<Vec<_>>()
            });
            for _ in 0..100 {
                if !is_over.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(100));
                }
            }
            drop(all);
        }
    });
}

/// Uploads of a byte a second, which are begun anew when they are given up.
fn trickle(address: SocketAddr, is_over: &Arc<AtomicBool>) {
    let is_over = Arc::clone(is_over);
    thread::spawn(move || {
        let mut streams: Vec<Option<TcpStream>> = (0..TRICKLING).map(|_| None).collect();
        while !is_over.load(Ordering::Relaxed) {
            for (number, stream) in streams.iter_mut().enumerate() {
                let begin = || {
                    let name = id(number as u64).text(Prefix::Media);
                    let mut stream = send(address, &format!("PUT /v1/uploads/{name}"));
                    let rest = b"content-length: 1000000\r\n\r\n";
                    stream.write_all(rest).expect("it reads");
                    stream
                };
                let open = stream.get_or_insert_with(begin);
                if open.write_all(b"x").is_err() {
                    *stream = None;
                }
            }
            thread::sleep(Duration::from_secs(1));
        }
    });
}

/// Uploads for which there is no room, and what cannot be read.
fn ask_in_vain(address: SocketAddr, broken: u64, is_over: &Arc<AtomicBool>) {
    let is_over = Arc::clone(is_over);
    let broken = format!("/v1/uploads/{}", id(broken).text(Prefix::Media));
    thread::spawn(move || {
        let mut asker = Asker::new(address);
        while !is_over.load(Ordering::Relaxed) {
            let full = asker.try_call("POST", "/v1/uploads", "", r#"{"bytes":1099511627776}"#);
            let unread = asker.try_call("GET", &broken, "", "");
            // The server may have been stopped.
            let (Ok(full), Ok(unread)) = (full, unread) else {
                return;
            };
            assert_eq!((full.status, unread.status / 100), (507, 5));
            thread::sleep(REFUSED_EVERY);
        }
    });
}
