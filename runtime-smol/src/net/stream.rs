//! A connection: tried before it is waited for, with TLS or without.

use super::{
    Net,
    readiness::{ENDED, Interest, WRITE, Watched, poll_ready, try_read, try_write},
    secure::Session,
};
use futures_lite::io::{AsyncRead, AsyncWrite};
use rustls::Connection;
use std::{
    cell::RefCell,
    io,
    net::{Shutdown, TcpStream},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

#[cfg(target_os = "linux")]
type Socket = super::epoll::Socket;
#[cfg(not(target_os = "linux"))]
type Socket = super::portable::Socket;

/// A connection, used by one task at a time.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    tls: Option<Box<RefCell<Session>>>,
}

impl Stream {
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

    /// The socket, for the kernel to write to by itself; none where TLS is spoken. A write is not worth trying from here on until the
    /// kernel says so, or somebody [expects room](Self::expect_room).
    #[cfg(target_os = "linux")]
    pub(crate) fn lend_to_kernel(&self) -> Option<&TcpStream> {
        if self.tls.is_some() {
            return None;
        }
        self.socket.readiness().clear(WRITE);
        Some(self.socket.socket())
    }

    /// From here on a write is worth trying, whatever the kernel has said: it keeps to itself that there is a little room.
    pub(crate) fn expect_room(&self) {
        self.socket.readiness().set(WRITE);
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

    /// [Finishes](Self::finish), and reads what still comes until the peer has ended too, so that it can read its last answer:
    /// a socket that is closed with bytes unread takes its own answer back.
    pub(crate) async fn linger(&self) -> io::Result<()> {
        self.finish();
        let mut bytes = [0; 512];
        loop {
            match self.try_read(&mut bytes)? {
                Some(0) => return Ok(()),
                Some(_) => {}
                None => self.ready(Interest::Read).await,
            }
        }
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

impl Net {
    /// Takes on a connection.
    ///
    /// # Errors
    ///
    /// Where the operating system cannot watch it.
    pub fn watch(self: &Rc<Self>, socket: TcpStream) -> io::Result<Stream> {
        Ok(Stream {
            socket: self.watch_socket(socket)?,
            tls: None,
        })
    }
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
