//! What the programs share: a connection on which two requests have come, and a future run to its end.
#![no_std]

use core::{
    convert::Infallible,
    future::Future,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use embedded_io_async::{ErrorType, Read, Write};

/// What asks for the status.
pub const GET: &str = "GET /status HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
/// What sets it.
pub const POST: &str = "POST /status HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\
content-type: application/json\r\ncontent-length: 22\r\n\r\n{\"status\":\"completed\"}";

/// The receiving half of a connection, on which one request has come.
#[derive(Debug)]
pub struct Input(&'static [u8]);

impl Input {
    /// With this request.
    #[must_use]
    pub fn new(request: &'static str) -> Self {
        Self(black_box(request).as_bytes())
    }
}

impl ErrorType for Input {
    type Error = Infallible;
}

impl Read for Input {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Read::read(&mut self.0, buffer).await
    }
}

impl edge_nal::Readable for Input {
    async fn readable(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The sending half of a connection: it remembers how an answer began and how it ended.
#[derive(Debug)]
pub struct Output {
    bytes: [u8; 512],
    len: usize,
}

impl Output {
    /// Nothing was sent yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: [0; 512],
            len: 0,
        }
    }

    /// Forgets what was sent.
    pub const fn clear(&mut self) {
        self.len = 0;
    }

    /// Whether what was sent begins and ends like this.
    #[must_use]
    pub fn is(&self, start: &str, end: &str) -> bool {
        let sent = self.bytes.get(..self.len).unwrap_or_default();
        sent.starts_with(start.as_bytes()) && sent.ends_with(end.as_bytes())
    }
}

impl Default for Output {
    fn default() -> Self {
        Self::new()
    }
}

impl ErrorType for Output {
    type Error = Infallible;
}

impl Write for Output {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.len += bytes.len().min(room.len());
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Runs a future that never waits: nothing here does.
pub fn run<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
