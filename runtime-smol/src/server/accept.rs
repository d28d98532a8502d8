//! Taking on connections.

use super::{
    connection,
    engine::{Engine, Spawner},
};
use crate::net::Stream;
use async_io::{Async, Timer};
use dubhook_core::server::REFUSED;
use futures_lite::future;
use rustls::ServerConnection;
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    time::Duration,
};

/// Connections taken on before others get their turn.
const ACCEPTED_MAX: usize = 64;
/// How long a client may leave unacknowledged what it was sent, in milliseconds.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_MS: u32 = 30_000;
/// How long to leave the listener alone when the operating system has no descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Takes on connections for ever.
pub(super) async fn accept<'e>(
    engine: &'e Engine<'_>,
    listener: &Async<TcpListener>,
    spawner: Spawner<'e>,
) {
    loop {
        for _ in 0..ACCEPTED_MAX {
            match listener.accept().await {
                Ok((stream, _)) => match stream.into_inner() {
                    Ok(stream) => admit(engine, stream, &spawner),
                    Err(error) => tracing::warn!(%error, "connection lost"),
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    Timer::after(EXHAUSTED).await;
                }
            }
        }
        future::yield_now().await;
    }
}

fn admit<'e>(engine: &'e Engine<'_>, stream: TcpStream, spawner: &Spawner<'e>) {
    let id = engine.server.borrow_mut().accept(engine.clock.now());
    // A new connection has a deadline, and where slots are scarce an old one is told to end.
    engine.turn.raise();
    let Ok(id) = id else {
        // A peer that is gone already need not be told.
        let _ = refuse(engine, stream);
        return;
    };
    // A flag left by the connection that had the slot before means nothing to this one.
    engine.named(id).take();
    match take_on(engine, stream) {
        Ok(stream) => spawner.spawn(connection::serve(engine, id, stream)),
        Err(error) => {
            tracing::warn!(%error, "cannot take on a connection");
            engine.server.borrow_mut().close(id);
        }
    }
}

fn take_on(engine: &Engine<'_>, stream: TcpStream) -> io::Result<Stream> {
    notice_when_gone(&stream)?;
    let stream = engine.net.watch(stream)?;
    match &engine.identity {
        None => Ok(stream),
        Some(identity) => {
            let connection = ServerConnection::new(identity.server());
            Ok(stream.secure(connection.map_err(io::Error::other)?))
        }
    }
}

/// Lets go of a client that is gone without a word, as a phone or an entry of an address translator goes: once it has
/// acknowledged nothing of what it was sent for so long. What a stream sends now and then finds it so.
pub(super) fn notice_when_gone(stream: &TcpStream) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(stream, UNACKNOWLEDGED_MS)?;
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
    Ok(())
}

/// Answers a connection for which there is no room, and closes it. No memory is spent on it, and no time.
fn refuse(engine: &Engine<'_>, mut stream: TcpStream) -> io::Result<()> {
    const REQUEST_BYTES: usize = 4 * 1024;
    if engine.identity.is_some() {
        // A handshake costs what there is none of; without one there is no answer that would be understood.
        return Ok(());
    }
    // It fits the empty buffer of a new socket.
    stream.write_all(REFUSED)?;
    stream.shutdown(Shutdown::Write)?;
    // A socket that is closed with bytes unread takes its own answer back: what has come already is taken.
    stream.read(&mut [0; REQUEST_BYTES]).map(drop)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use rustix::net::sockopt::tcp_user_timeout;

    #[test]
    fn who_acknowledges_nothing_is_let_go() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (here, _) = listener.accept().unwrap();
        notice_when_gone(&here).unwrap();
        assert_eq!(tcp_user_timeout(&here).unwrap(), UNACKNOWLEDGED_MS);
    }
}
