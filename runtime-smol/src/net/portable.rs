//! Other systems: each connection is registered with the executor's own reactor.

use super::readiness::{Interest, READ, Readiness, WRITE, Watched};
use async_io::Async;
use std::{
    io,
    net::TcpStream,
    task::{Context, Poll, ready},
};

/// A socket that is watched.
#[derive(Debug)]
pub(super) struct Socket {
    socket: Async<TcpStream>,
    readiness: Readiness,
}

impl Socket {
    pub(super) fn new(socket: TcpStream) -> io::Result<Self> {
        // Each write is a whole message, so holding it back gains nothing.
        socket.set_nodelay(true)?;
        Ok(Self {
            socket: Async::new(socket)?,
            readiness: Readiness::new(),
        })
    }
}

impl Watched for Socket {
    fn socket(&self) -> &TcpStream {
        self.socket.get_ref()
    }

    fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    fn poll_edge(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<()> {
        // An error shows again, and in full, at the read or write that follows.
        let bit = match interest {
            Interest::Read => {
                let _ = ready!(self.socket.poll_readable(cx));
                READ
            }
            Interest::Write => {
                let _ = ready!(self.socket.poll_writable(cx));
                WRITE
            }
        };
        self.readiness.set(bit);
        Poll::Ready(())
    }
}

/// Watches connections.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub struct Net(());

#[cfg(not(target_os = "linux"))]
impl Net {
    /// Watches nothing yet.
    ///
    /// # Errors
    ///
    /// None.
    pub fn new() -> io::Result<std::rc::Rc<Self>> {
        Ok(std::rc::Rc::new(Self(())))
    }

    /// Watches a connection.
    pub(super) fn watch_socket(self: &std::rc::Rc<Self>, socket: TcpStream) -> io::Result<Socket> {
        Socket::new(socket)
    }

    /// Does nothing: the executor's reactor does it all.
    pub(crate) const fn look(&self) {}

    /// Does nothing, for ever: the executor's reactor does it all.
    ///
    /// # Errors
    ///
    /// None.
    pub async fn run(&self) -> io::Result<std::convert::Infallible> {
        futures_lite::future::pending().await
    }

    /// Runs a future on this thread.
    ///
    /// # Errors
    ///
    /// None.
    pub fn block_on<T>(self: &std::rc::Rc<Self>, future: impl Future<Output = T>) -> io::Result<T> {
        Ok(async_io::block_on(future))
    }

    /// Does nothing: a timer of the executor's does it.
    pub(crate) const fn ring_at(&self, _: std::time::Instant) -> bool {
        false
    }

    /// Never.
    pub(crate) const fn poll_alarm(&self, _: &Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    /// Waits until other tasks have had a turn.
    pub(crate) async fn idle(&self) {
        futures_lite::future::yield_now().await;
    }
}
