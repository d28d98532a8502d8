//! Receivers that are a burden: what the server must bear without letting anybody else feel it.

use crate::certificates::{Authority, Shown};
use rustls::{ServerConfig, ServerConnection};
use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

/// What is wrong with a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It accepts connections and never answers.
    Silent,
    /// Its answer comes a byte a second.
    Drip,
    /// It resets each connection.
    Reset,
    /// The head of its answer never ends.
    Endless,
    /// Its certificate is nobody's whom the server believes.
    Stranger,
}

/// All of them.
pub const KINDS: [Kind; 5] = [
    Kind::Silent,
    Kind::Drip,
    Kind::Reset,
    Kind::Endless,
    Kind::Stranger,
];

/// Starts a receiver of this kind; its URL, that of a folder.
///
/// # Panics
///
/// If no port is free.
#[must_use]
pub fn listen(kind: Kind) -> String {
    start(kind, || ())
}

/// The same, which has the processor only where nobody else wants it: in life such receivers have machines of their own, and
/// it is what they make of the server that is measured, not what they take from it.
///
/// # Panics
///
/// If no port is free.
#[must_use]
pub fn listen_behind(kind: Kind) -> String {
    start(kind, stand_back)
}

fn start(kind: Kind, begin: fn()) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serve = match kind {
        Kind::Silent => never_answer,
        Kind::Drip => drip,
        Kind::Reset => reset,
        Kind::Endless => head_without_end,
        Kind::Stranger => handshake,
    };
    thread::spawn(move || {
        begin();
        while let Ok((stream, _)) = listener.accept() {
            // How it ends is what the server is tested by.
            thread::spawn(move || drop(serve(stream)));
        }
    });
    match kind {
        Kind::Stranger => format!("https://localhost:{port}/"),
        _ => format!("http://127.0.0.1:{port}/"),
    }
}

/// Lets everybody else have the processor first: whoever this thread begins does, too.
fn stand_back() {
    // Where it cannot be done there is only more noise.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 19);
}

/// Reads to the end, and says nothing.
fn never_answer(mut stream: TcpStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

fn drip(mut stream: TcpStream) -> io::Result<()> {
    for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" {
        stream.write_all(&[*byte])?;
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

/// Closes with bytes unread, which resets the connection.
fn reset(mut stream: TcpStream) -> io::Result<()> {
    stream.read_exact(&mut [0])
}

fn head_without_end(mut stream: TcpStream) -> io::Result<()> {
    let more = b"x-more: and more\r\n".repeat(256);
    stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
    loop {
        stream.write_all(&more)?;
    }
}

/// Shows a certificate that nobody believes, so there is nothing after it.
fn handshake(mut stream: TcpStream) -> io::Result<()> {
    static IDENTITY: OnceLock<Arc<ServerConfig>> = OnceLock::new();
    let identity = IDENTITY.get_or_init(|| Authority::new().server(Shown::Good("localhost")));
    let connection = ServerConnection::new(Arc::clone(identity));
    let mut connection = connection.map_err(io::Error::other)?;
    connection.complete_io(&mut stream).map(drop)
}
