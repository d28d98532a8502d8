//! Taking on connections.

use super::{
    conn,
    engine::{Engine, Spawner},
};
use dubhook_core::server::REFUSED;
use smol::{Async, Timer, future};
use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    time::Duration,
};

/// Connections taken on before others get their turn.
const ACCEPTED_MAX: usize = 64;
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

fn admit<'e>(engine: &'e Engine<'_>, mut stream: TcpStream, spawner: &Spawner<'e>) {
    let id = engine.server.borrow_mut().accept(engine.clock.now());
    let Some(id) = id else {
        // It fits the empty buffer of a new socket, or the peer is gone.
        let _ = stream.write(REFUSED);
        return;
    };
    // A flag left by the connection that had the slot before means nothing to this one.
    engine.named(id).take();
    match engine.net.watch(stream) {
        Ok(stream) => spawner.spawn(conn::serve(engine, id, stream)),
        Err(error) => {
            tracing::warn!(%error, "cannot watch a connection");
            engine.server.borrow_mut().close(id);
        }
    }
    // A new connection has a deadline.
    engine.turn.raise();
}
