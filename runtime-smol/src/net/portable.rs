//! Other systems: each connection is registered with the executor's own reactor.

use super::{Interest, READ, Readiness, WRITE, Watched};
use smol::{Async, future};
use std::{
    convert::Infallible,
    io,
    net::TcpStream,
    rc::Rc,
    task::{Context, Poll, ready},
};

/// Watches connections.
#[derive(Debug)]
pub struct Net(());

/// A socket that is watched.
#[derive(Debug)]
pub(super) struct Socket {
    socket: Async<TcpStream>,
    readiness: Readiness,
}

impl Net {
    /// Watches nothing yet.
    ///
    /// # Errors
    ///
    /// None.
    #[cfg_attr(test, expect(dead_code, reason = "tests reach for the socket beneath"))]
    pub fn new() -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self(())))
    }

    /// Takes on a connection.
    ///
    /// # Errors
    ///
    /// Where the operating system cannot watch it.
    #[cfg(not(test))]
    pub fn watch(self: &Rc<Self>, socket: TcpStream) -> io::Result<super::Stream> {
        Socket::new(socket).map(super::Stream)
    }

    /// Does nothing, for ever: there is nothing to do.
    ///
    /// # Errors
    ///
    /// None.
    #[cfg_attr(test, expect(dead_code, reason = "tests reach for the socket beneath"))]
    pub async fn run(&self) -> io::Result<Infallible> {
        future::pending().await
    }
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
