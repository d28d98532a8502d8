//! TLS on a connection that tries before it waits.
//!
//! rustls moves no bytes of its own accord, so it fits between a [`Stream`](super::stream::Stream) and its socket as it is: what
//! the socket has is given to it, what it has for the socket is written, and neither ever waits.

use super::readiness::{Interest, Watched, poll_ready, try_read, try_write};
use rustls::Connection;
use std::{
    io::{self, BufRead, Read, Write},
    task::{Context, Poll},
};

/// What is sealed at once, in bytes: one record of the longest kind (RFC 8446, section 5.1). It counts as sent only when
/// all of it is, so more would make a peer that reads slowly look like one that does not read.
const SEALED_MAX: usize = 16 * 1024;

/// The state of TLS on one connection.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    /// Bytes that are sealed already and not all written: the next write is said to have taken them.
    sealed: usize,
}

impl Session {
    pub(super) const fn new(connection: Connection) -> Self {
        Self {
            connection,
            sealed: 0,
        }
    }

    /// Goes on with the handshake; whether it is done.
    pub(super) fn try_handshake(&mut self, socket: &impl Watched) -> io::Result<bool> {
        while self.connection.is_handshaking() {
            if !self.receive(socket)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads what is there. `None` where nothing is; 0 bytes are an end that the peer has declared.
    pub(super) fn try_read(
        &mut self,
        socket: &impl Watched,
        bytes: &mut [u8],
    ) -> io::Result<Option<usize>> {
        loop {
            match self.connection.reader().read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read.map(Some),
            }
            if !self.receive(socket)? {
                return Ok(None);
            }
        }
    }

    /// Writes bytes. What is sealed is taken only once it is written, so that nobody thinks sent what is not: bytes for
    /// which there was no room must come again as they were.
    pub(super) fn try_write(
        &mut self,
        socket: &impl Watched,
        bytes: &[u8],
    ) -> io::Result<Option<usize>> {
        if self.sealed == 0 {
            if !self.flush(socket)? {
                return Ok(None);
            }
            let bytes = &bytes[..bytes.len().min(SEALED_MAX)];
            self.sealed = self.connection.writer().write(bytes)?;
        }
        let written = self.flush(socket)?;
        Ok(written.then(|| std::mem::take(&mut self.sealed)))
    }

    /// Waits until a read or a write is worth trying.
    pub(super) fn poll_ready(
        &mut self,
        socket: &impl Watched,
        cx: &mut Context<'_>,
        interest: Interest,
    ) -> Poll<()> {
        if interest == Interest::Write {
            return poll_ready(socket, cx, Interest::Write);
        }
        // Both may be there already though the socket has nothing: bytes that were opened, and bytes that TLS itself has
        // to send before the peer goes on.
        if self.connection.reader().fill_buf().is_ok()
            || self.connection.wants_write() && poll_ready(socket, cx, Interest::Write).is_ready()
        {
            return Poll::Ready(());
        }
        poll_ready(socket, cx, Interest::Read)
    }

    /// Says that nothing more will come.
    pub(super) fn finish(&mut self, socket: &impl Watched) {
        self.connection.send_close_notify();
        // A peer that is gone, or that does not read, need not be told.
        let _ = self.flush(socket);
    }

    /// Opens what has come, and sends what TLS itself has to say to it. Whether anything had come.
    fn receive(&mut self, socket: &impl Watched) -> io::Result<bool> {
        let came = match self.connection.read_tls(&mut Wire(socket)) {
            Ok(0) if self.connection.is_handshaking() => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => return Err(error),
        };
        if let Err(error) = self.connection.process_new_packets() {
            // The peer is told why, if it still listens.
            let _ = self.flush(socket);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        self.flush(socket)?;
        Ok(came)
    }

    /// Writes what is sealed, as far as there is room; whether that was all of it.
    fn flush(&mut self, socket: &impl Watched) -> io::Result<bool> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Wire(socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// A socket as rustls wants it.
struct Wire<'s, S>(&'s S);

impl<S: Watched> Read for Wire<'_, S> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        try_read(self.0, bytes)?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}

impl<S: Watched> Write for Wire<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        try_write(self.0, bytes)?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
