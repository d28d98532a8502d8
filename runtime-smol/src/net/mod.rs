//! TCP connections that try before they wait.
//!
//! # Theory of operation
//!
//! A system call costs more than all else that happens to a small request, so none is made in vain: a [`Stream`] reads
//! and writes at once, and waits only after the kernel has said that it would block, or after a read that came short and
//! so has emptied the socket. What the kernel says of readiness it says once, when it changes (edge-triggered), and
//! never has to be asked again ([`Net`] keeps what it said).
//!
//! All connections of one `Net` are watched through one descriptor, which the executor's own reactor watches. `Net::run`
//! must run as a task beside the tasks that use the streams. A thread that does nothing else runs them all under
//! `Net::block_on` and waits in that descriptor itself.
//!
//! A stream may be [secured](Stream::secure); it is used as before, and one that is not pays nothing for it.

#[cfg(target_os = "linux")]
mod epoll;
#[cfg(target_os = "linux")]
mod park;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;
mod secure;
mod unsent;

#[cfg(target_os = "linux")]
pub use epoll::Net;
#[cfg(not(target_os = "linux"))]
pub use portable::Net;

use futures_lite::io::{AsyncRead, AsyncWrite};
use rustls::Connection;
use secure::Session;
use std::{
    cell::{Cell, RefCell},
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    pin::Pin,
    task::{Context, Poll},
};

/// The socket may have bytes to read, or its end.
const READ: u8 = 1;
/// The socket may take bytes.
const WRITE: u8 = 2;
/// The peer sends no more: every read tells something, and no edge comes any more.
const ENDED: u8 = 4;

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
struct Readiness {
    bits: Cell<u8>,
}

impl Readiness {
    /// Nothing was tried yet, so all may work.
    const fn new() -> Self {
        Self {
            bits: Cell::new(READ | WRITE),
        }
    }

    fn has(&self, bit: u8) -> bool {
        self.bits.get() & bit != 0
    }

    fn set(&self, bits: u8) {
        self.bits.set(self.bits.get() | bits);
    }

    fn clear(&self, bit: u8) {
        self.bits.set(self.bits.get() & !bit);
    }
}

/// How a kind of [`Net`] watches one socket.
trait Watched {
    fn socket(&self) -> &TcpStream;
    fn readiness(&self) -> &Readiness;
    /// Waits until the kernel says something new of what `interest` is about.
    fn poll_edge(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<()>;
}

#[cfg(target_os = "linux")]
type Socket = epoll::Socket;
#[cfg(not(target_os = "linux"))]
type Socket = portable::Socket;

/// A connection, used by one task at a time.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    tls: Option<Box<RefCell<Session>>>,
}

impl Stream {
    const fn new(socket: Socket) -> Self {
        Self { socket, tls: None }
    }

    /// Speaks TLS from here on. The handshake comes by itself with the first read, or with
    /// [`handshake`](Self::handshake).
    #[must_use]
    pub fn secure(mut self, connection: impl Into<Connection>) -> Self {
        let session = Session::new(connection.into());
        self.tls = Some(Box::new(RefCell::new(session)));
        self
    }

    /// Waits until the peer has proved who it is. At once, where no TLS is spoken.
    ///
    /// # Errors
    ///
    /// What is wrong with the peer, or what the operating system says; the connection is of no use then.
    pub async fn handshake(&self) -> io::Result<()> {
        while !self.try_handshake()? {
            self.ready(Interest::Read).await;
        }
        Ok(())
    }

    /// Goes on with the [`handshake`](Self::handshake) as far as it can without waiting; whether it is done.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_handshake(&self) -> io::Result<bool> {
        match &self.tls {
            None => Ok(true),
            Some(session) => session.borrow_mut().try_handshake(&self.socket),
        }
    }

    /// Reads what is there. `None` where nothing is; 0 bytes are the end.
    ///
    /// # Errors
    ///
    /// What the operating system says, or that the peer does not keep to TLS; the connection is of no use then.
    pub fn try_read(&self, bytes: &mut [u8]) -> io::Result<Option<usize>> {
        match &self.tls {
            None => try_read(&self.socket, bytes),
            Some(session) => session.borrow_mut().try_read(&self.socket, bytes),
        }
    }

    /// Writes as many of `bytes` as there is room for; `None` where there is no room. What is not taken must be offered
    /// again as it is: under TLS it may be on its way in part.
    ///
    /// # Errors
    ///
    /// What the operating system says; the connection is of no use then.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        match &self.tls {
            None => try_write(&self.socket, bytes),
            Some(session) => session.borrow_mut().try_write(&self.socket, bytes),
        }
    }

    /// Waits until a read or a write is worth trying.
    pub fn poll_ready(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<()> {
        match &self.tls {
            None => poll_ready(&self.socket, cx, interest),
            Some(session) => session.borrow_mut().poll_ready(&self.socket, cx, interest),
        }
    }

    /// Waits until a read or a write is worth trying.
    pub async fn ready(&self, interest: Interest) {
        std::future::poll_fn(|cx| self.poll_ready(cx, interest)).await;
    }

    /// Whether nothing has come that was not read: a kept connection of which this is not true has been closed, or is no
    /// use.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        !self.socket.readiness().has(ENDED) && matches!(self.try_read(&mut [0]), Ok(None))
    }

    /// Says to the peer that nothing more will come. A peer that is gone already need not be told.
    pub fn finish(&self) {
        if let Some(session) = &self.tls {
            session.borrow_mut().finish(&self.socket);
        }
        let _ = self.socket.socket().shutdown(Shutdown::Write);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // So that the peer can tell an end from a cut (RFC 8446, section 6.1).
        if let Some(session) = &mut self.tls {
            session.get_mut().finish(&self.socket);
        }
    }
}

fn try_read(socket: &impl Watched, bytes: &mut [u8]) -> io::Result<Option<usize>> {
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

fn try_write(socket: &impl Watched, bytes: &[u8]) -> io::Result<Option<usize>> {
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

fn poll_ready(socket: &impl Watched, cx: &mut Context<'_>, interest: Interest) -> Poll<()> {
    let bit = match interest {
        Interest::Read => READ,
        Interest::Write => WRITE,
    };
    if socket.readiness().has(bit) {
        return Poll::Ready(());
    }
    socket.poll_edge(cx, interest)
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            if let Some(len) = self.try_read(bytes)? {
                return Poll::Ready(Ok(len));
            }
            std::task::ready!(self.poll_ready(cx, Interest::Read));
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            if let Some(len) = self.try_write(bytes)? {
                return Poll::Ready(Ok(len));
            }
            std::task::ready!(self.poll_ready(cx, Interest::Write));
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.finish();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    /// Two ends of a connection, the first of them as it was accepted.
    pub(super) fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener.accept().unwrap().0, there)
    }

    async fn ready(socket: &impl Watched, interest: Interest) {
        std::future::poll_fn(|cx| poll_ready(socket, cx, interest)).await;
    }

    /// Talks over a socket in every way that there is.
    async fn check(here: impl Watched, mut there: TcpStream) {
        let mut bytes = [0; 8];
        assert_eq!(try_read(&here, &mut bytes).unwrap(), None);
        there.write_all(b"hello").unwrap();
        ready(&here, Interest::Read).await;
        assert_eq!(try_read(&here, &mut bytes[..3]).unwrap(), Some(3));
        assert_eq!(try_read(&here, &mut bytes[3..]).unwrap(), Some(2));
        assert_eq!(&bytes[..5], b"hello");
        assert!(
            !here.readiness().has(READ),
            "a short read says that nothing is left"
        );

        // More than fits is written piece by piece, while the other end reads it.
        let sent = vec![7; 16 << 20];
        let reader = thread::spawn(move || {
            let mut received = Vec::new();
            there.read_to_end(&mut received).unwrap();
            (received, there)
        });
        let mut left = &sent[..];
        while !left.is_empty() {
            match try_write(&here, left).unwrap() {
                Some(len) => left = &left[len..],
                None => ready(&here, Interest::Write).await,
            }
        }
        here.socket().shutdown(Shutdown::Write).unwrap();
        let (received, there) = reader.join().unwrap();
        assert!(received == sent);

        drop(there);
        ready(&here, Interest::Read).await;
        assert_eq!(try_read(&here, &mut bytes).unwrap(), Some(0));
        assert_eq!(
            try_read(&here, &mut bytes).unwrap(),
            Some(0),
            "the end stays the end"
        );
    }

    #[test]
    fn one_portable_socket() {
        let (here, there) = pair();
        async_io::block_on(check(portable::Socket::new(here).unwrap(), there));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn one_socket_on_epoll_and_a_quiet_one() {
        use futures_lite::future::{self, FutureExt};

        let net = Net::new().unwrap();
        let (here, there) = pair();
        let (quiet, mut loud) = pair();
        let quiet = net.watch(quiet).unwrap();
        assert!(quiet.is_quiet());
        let socket = net.watch_socket(here).unwrap();
        let talk = async {
            check(socket, there).await;
            assert!(quiet.is_quiet());
            loud.write_all(b"!").unwrap();
            quiet.ready(Interest::Read).await;
            assert!(!quiet.is_quiet(), "it was spoken to");
        };
        let run = async {
            net.run().await.unwrap();
            future::pending().await
        };
        async_io::block_on(talk.or(run));
    }
}
