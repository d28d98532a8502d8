//! The server machine under any executor: a connection is a future over `embedded-io-async`'s traits, as a task of
//! embassy or of a host runtime would run it.
//!
//! `cargo run --example async_loop` lets one connection read a request from memory.

use std::{cell::RefCell, convert::Infallible};

use dubhook_core::{
    http::RecvBuf,
    out::Out,
    record::Keep,
    server::{Config, Drive, Server, ServerStorage},
    time::{Instant, Now, Timestamp},
};
use embedded_io_async::{ErrorType, Read, Write};

/// One connection from its beginning to its end. The machine is shared by all tasks of one thread; no borrow of it
/// lives across an `await`.
async fn serve<S: Read + Write>(
    server: &RefCell<Server<'_>>,
    now: impl Fn() -> Now,
    mut socket: S,
) -> Result<(), S::Error> {
    let Ok(conn) = server.borrow_mut().accept(now()) else {
        return socket.write_all(dubhook_core::server::REFUSED).await;
    };
    let (mut received, mut answer) = ([0; 1_536], [0; Config::DEVICE.answer_bytes_max()]);
    let mut input = RecvBuf::new(&mut received, 0);
    let ended = loop {
        let mut out = Out::new(&mut answer);
        let next = server.borrow_mut().drive(now(), conn, &mut input, &mut out);
        let next = next.expect("room for any answer");
        if let Err(error) = socket.write_all(out.written()).await {
            break Err(error);
        }
        match next {
            Drive::Input { .. } => match socket.read(input.room()).await {
                Ok(0) => break Ok(()),
                Ok(len) => input.commit(len),
                Err(error) => break Err(error),
            },
            Drive::Flush => {}
            // With a store, this is where to wait for the signal that `poll` has named this connection.
            Drive::Wait => {}
            Drive::Close | Drive::Lookup(_) => break Ok(()),
        }
    };
    server.borrow_mut().close(conn);
    ended
}

/// A socket that has received one request and keeps what is sent.
struct Wire<'a> {
    request: &'a [u8],
    answer: &'a mut Vec<u8>,
}

impl ErrorType for Wire<'_> {
    type Error = Infallible;
}

impl Read for Wire<'_> {
    async fn read(&mut self, room: &mut [u8]) -> Result<usize, Infallible> {
        let len = room.len().min(self.request.len());
        let (now, later) = self.request.split_at(len);
        room[..len].copy_from_slice(now);
        self.request = later;
        Ok(len)
    }
}

impl Write for Wire<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.answer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

fn main() {
    let mut memory = Box::new(ServerStorage::<8, 4, 2, 4>::new());
    let server = Server::new(memory.lend(Keep::Nothing), Config::DEVICE, [7; 32]).unwrap();
    // The clock is ours to turn.
    let now = || Now {
        instant: Instant::ZERO,
        timestamp: Timestamp::from_unix_ms(1_795_510_800_000),
    };
    let mut answer = Vec::new();
    let wire = Wire {
        request: b"GET /healthz HTTP/1.1\r\nhost: here\r\n\r\n",
        answer: &mut answer,
    };
    let Ok(()) = smol::block_on(serve(&RefCell::new(server), now, wire));
    println!("{}", String::from_utf8_lossy(&answer));
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
}
