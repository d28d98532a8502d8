//! What is known of a socket, and reading and writing that does not wait.

use std::{
    cell::Cell,
    io::{self, Read, Write},
    net::TcpStream,
    task::{Context, Poll},
};

/// The socket may have bytes to read, or its end.
pub(super) const READ: u8 = 1;
/// The socket may take bytes.
pub(super) const WRITE: u8 = 2;
/// The peer sends no more: every read tells something, and no edge comes any more.
pub(super) const ENDED: u8 = 4;

/// What a stream waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Bytes, or the end of them.
    Read,
    /// Room for bytes.
    Write,
}

/// What is known of a socket.
#[derive(Debug)]
pub(super) struct Readiness {
    bits: Cell<u8>,
}

impl Readiness {
    /// Nothing was tried yet, so all may work.
    pub(super) const fn new() -> Self {
        Self {
            bits: Cell::new(READ | WRITE),
        }
    }

    pub(super) fn has(&self, bit: u8) -> bool {
        self.bits.get() & bit != 0
    }

    pub(super) fn set(&self, bits: u8) {
        self.bits.set(self.bits.get() | bits);
    }

    pub(super) fn clear(&self, bit: u8) {
        self.bits.set(self.bits.get() & !bit);
    }
}

/// How a kind of [`Net`](super::Net) watches one socket.
pub(super) trait Watched {
    fn socket(&self) -> &TcpStream;
    fn readiness(&self) -> &Readiness;
    /// Waits until the kernel says something new of what `interest` is about.
    fn poll_edge(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<()>;
}

pub(super) fn try_read(socket: &impl Watched, bytes: &mut [u8]) -> io::Result<Option<usize>> {
    let readiness = socket.readiness();
    while readiness.has(READ) {
        match socket.socket().read(bytes) {
            Ok(len) => {
                // A short read has emptied the socket: the next bytes come with an edge of their own.
                if len < bytes.len() && !readiness.has(ENDED) && len > 0 {
                    readiness.clear(READ);
                }
                return Ok(Some(len));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => readiness.clear(READ),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

pub(super) fn try_write(socket: &impl Watched, bytes: &[u8]) -> io::Result<Option<usize>> {
    let readiness = socket.readiness();
    while readiness.has(WRITE) {
        match socket.socket().write(bytes) {
            Ok(len) => {
                if len < bytes.len() {
                    readiness.clear(WRITE);
                }
                return Ok(Some(len));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => readiness.clear(WRITE),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

pub(super) fn poll_ready(
    socket: &impl Watched,
    cx: &mut Context<'_>,
    interest: Interest,
) -> Poll<()> {
    let bit = match interest {
        Interest::Read => READ,
        Interest::Write => WRITE,
    };
    if socket.readiness().has(bit) {
        return Poll::Ready(());
    }
    socket.poll_edge(cx, interest)
}
