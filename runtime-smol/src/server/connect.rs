//! A new connection for an attempt: look the name up, check every address, connect to a checked one, and under `https`
//! have the receiver prove its name.

use super::engine::Engine;
use crate::{
    deliver::{Idle, write_origin},
    net::{Interest, Stream},
    tls,
};
use async_io::{Async, Timer};
use dubhook_core::{
    log::AttemptError,
    service::Attempt,
    url::{Host, Scheme, Url},
};
use futures_lite::future::{self, FutureExt};
use rustls::{ClientConfig, ClientConnection};
use smol::unblock;
use std::{
    io,
    net::{IpAddr, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

/// Connects to where the attempt goes.
pub(super) async fn connect(engine: &Engine<'_>, attempt: &Attempt) -> Result<Idle, AttemptError> {
    let mut memory = vec![0; engine.buffers.borrow().url.len()];
    let url = engine.server.borrow().attempt_url(attempt.id, &mut memory);
    let url = url.map_err(|_| AttemptError::Closed)?;
    let addresses = resolve(engine, &url).await?;
    let guard = engine.server.borrow().config().guard;
    if !guard.permits_answers(&url, addresses.iter().copied()) {
        return Err(AttemptError::Blocked);
    }
    let stream = connect_first(engine, &addresses, url.port()).await?;
    let stream = match url.scheme() {
        Scheme::Http => stream,
        Scheme::Https => secure(engine, &url, stream).await?,
    };
    let mut origin = String::new();
    write_origin(&url, &mut origin);
    Ok(Idle {
        stream,
        origin: origin.into(),
    })
}

/// How long an address may take to answer before the next one is tried, where there is a next one.
const NEXT_ADDRESS: Duration = Duration::from_secs(3);

/// Connects to the first of the addresses that takes a connection.
async fn connect_first(
    engine: &Engine<'_>,
    addresses: &[IpAddr],
    port: u16,
) -> Result<Stream, AttemptError> {
    for (number, address) in (1..).zip(addresses) {
        let address = SocketAddr::new(*address, port);
        let connect = async {
            engine.limiter.turn(&engine.net).await;
            Async::<TcpStream>::connect(address).await
        };
        let too_late = async {
            if number == addresses.len() {
                // The attempt's own end is the only one.
                future::pending::<()>().await;
            }
            Timer::after(NEXT_ADDRESS).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        let connected = connect.or(too_late).await;
        if let Ok(socket) = connected.and_then(Async::into_inner) {
            let watched = engine.net.watch(socket);
            return watched.map_err(|_| AttemptError::Connect);
        }
    }
    Err(AttemptError::Connect)
}

/// Has the receiver prove that it is the URL's host, whatever its address.
async fn secure(
    engine: &Engine<'_>,
    url: &Url<'_>,
    stream: Stream,
) -> Result<Stream, AttemptError> {
    let name = tls::server_name(url).map_err(|_| AttemptError::Tls)?;
    let connection = ClientConnection::new(client_config(engine).await, name);
    let stream = stream.secure(connection.map_err(|_| AttemptError::Tls)?);
    match handshake(engine, &stream).await {
        Ok(()) => Ok(stream),
        Err(error) => {
            // The receiver's host may be written down; what is after it may be a secret. What is wrong can hold names
            // of its own choice.
            let error = error.to_string();
            let error = error.escape_debug();
            tracing::info!(host = url.host_text(), %error, "no TLS connection");
            Err(AttemptError::Tls)
        }
    }
}

/// A handshake, each step of which waits for its turn: it is the dearest thing that there is to do for an attempt.
async fn handshake(engine: &Engine<'_>, stream: &Stream) -> io::Result<()> {
    loop {
        engine.limiter.turn(&engine.net).await;
        if stream.try_handshake()? {
            return Ok(());
        }
        stream.ready(Interest::Read).await;
    }
}

async fn client_config(engine: &Engine<'_>) -> Arc<ClientConfig> {
    match engine.trust.client_if_read() {
        Some(config) => config,
        None => {
            let trust = engine.trust.clone();
            unblock(move || trust.client()).await
        }
    }
}

/// All addresses of the URL's host, those that it has right now.
async fn resolve(engine: &Engine<'_>, url: &Url<'_>) -> Result<Vec<IpAddr>, AttemptError> {
    match url.host() {
        Host::V4(address) => Ok(vec![address.into()]),
        Host::V6(address) => Ok(vec![address.into()]),
        Host::Name(name) => {
            let addresses = engine.lookups.resolve(name).await;
            if addresses.is_empty() {
                return Err(AttemptError::Resolve);
            }
            Ok(addresses)
        }
    }
}
