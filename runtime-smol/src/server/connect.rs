//! A new connection for an attempt: look the name up, check every address, connect to a checked one, and under `https`
//! have the receiver prove its name.

use super::engine::Engine;
use crate::{
    deliver::{Idle, Known, write_origin},
    exchange::speaks_tls,
    net::{Interest, Stream},
    own, race,
    tls::{self, Fault},
};
use async_io::{Async, Timer};
use dubhook_core::{
    log::AttemptError,
    server::Server,
    service::Attempt,
    url::{Host, Scheme, Url},
};
use futures_lite::future::FutureExt;
use rustls::{ClientConfig, ClientConnection};
use smol::unblock;
use std::{
    io,
    net::{IpAddr, SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

/// Where the attempt goes.
pub(super) fn attempt_url<'b>(
    server: &Server<'_>,
    attempt: &Attempt,
    memory: &'b mut [u8],
) -> Result<Url<'b>, AttemptError> {
    let url = server.attempt_url(attempt.id, memory);
    url.map_err(|_| AttemptError::Closed)
}

/// Has the guard look at every address that a URL's host has.
fn permit(engine: &Engine<'_>, url: &Url<'_>, addresses: &[IpAddr]) -> Result<(), AttemptError> {
    let guard = engine.server.borrow().config().guard;
    if guard.permits_answers(url, addresses.iter().copied()) {
        Ok(())
    } else {
        Err(AttemptError::Blocked)
    }
}

/// Connects to where the attempt goes.
pub(super) async fn connect(engine: &Engine<'_>, attempt: &Attempt) -> Result<Idle, AttemptError> {
    let mut memory = vec![0; engine.buffers.borrow().url.len()];
    let url = attempt_url(&engine.server.borrow(), attempt, &mut memory)?;
    let addresses = addresses(engine, &url).await?;
    let mut origin = String::new();
    write_origin(&url, &mut origin);
    let now = engine.clock.now().instant;
    let known = engine.pool.borrow_mut().looked_up(
        now,
        &origin,
        addresses.clone(),
        matches!(url.host(), Host::Name(_)),
    );
    let (address, stream) = connect_first(engine, &origin, &addresses, url.port()).await?;
    let stream = match url.scheme() {
        Scheme::Http => stream,
        Scheme::Https => secure(engine, &url, stream).await?,
    };
    Ok(Idle {
        stream,
        address,
        known,
    })
}

/// The addresses that may be called, which are all that the URL's host has.
///
/// A name that leads where deliveries may not go and one that does not exist fail alike, and after the same time: else a
/// webhook would tell which names there are inside the server's network. The operator is told.
async fn addresses(engine: &Engine<'_>, url: &Url<'_>) -> Result<Vec<IpAddr>, AttemptError> {
    let begun = Instant::now();
    let error = match looked_up(engine, url).await {
        Ok(addresses) => return Ok(addresses),
        Err(error) => error,
    };
    if !matches!(url.host(), Host::Name(_)) {
        return Err(error);
    }
    tracing::info!(
        host = url.host_text(),
        why = error.as_str(),
        "no address to call"
    );
    Timer::at(begun + NAMELESS).await;
    Err(AttemptError::Resolve)
}

/// How long an attempt takes whose name has no address that may be called: longer than most look-ups.
const NAMELESS: Duration = Duration::from_millis(500);

async fn looked_up(engine: &Engine<'_>, url: &Url<'_>) -> Result<Vec<IpAddr>, AttemptError> {
    let addresses = resolve(engine, url).await?;
    permit(engine, url, &addresses)?;
    // Interfaces come and go while a server runs.
    let leads_back =
        |address: &IpAddr| own::leads_back(engine.address, SocketAddr::new(*address, url.port()));
    if addresses.iter().any(leads_back) {
        return Err(AttemptError::Blocked);
    }
    Ok(addresses)
}

/// Connects to the first of the addresses that takes a connection.
async fn connect_first(
    engine: &Engine<'_>,
    origin: &str,
    addresses: &[IpAddr],
    port: u16,
) -> Result<(IpAddr, Stream), AttemptError> {
    let addresses = addresses.iter().copied();
    let addresses = addresses.map(|address| SocketAddr::new(address, port));
    let connect = |address| connect_to(engine, address);
    let found = race::first(origin, addresses, &engine.spare, connect).await;
    let (address, socket) = found.map_err(|_| AttemptError::Connect)?;
    let watched = socket
        .into_inner()
        .and_then(|socket| engine.net.watch(socket));
    let stream = watched.map_err(|_| AttemptError::Connect)?;
    Ok((address.ip(), stream))
}

/// Looks the name up anew of which connections are kept, and closes those to addresses that it no longer has. A name
/// server that is slow or silent keeps nobody from a connection that stands.
pub(super) async fn look_again(
    engine: &Engine<'_>,
    attempt: &Attempt,
    known: &Known,
) -> Result<(), AttemptError> {
    known.put_off(engine.clock.now().instant);
    let mut memory = vec![0; engine.buffers.borrow().url.len()];
    let url = attempt_url(&engine.server.borrow(), attempt, &mut memory)?;
    let late = async {
        Timer::after(LOOK_UP_MAX).await;
        Err(AttemptError::Resolve)
    };
    let begun = Instant::now();
    let Ok(addresses) = resolve(engine, &url).or(late).await else {
        return Ok(());
    };
    if permit(engine, &url, &addresses).is_err() {
        Timer::at(begun + NAMELESS).await;
        return Err(AttemptError::Resolve);
    }
    let now = engine.clock.now().instant;
    let mut pool = engine.pool.borrow_mut();
    pool.looked_up(now, &known.origin, addresses, true);
    Ok(())
}

/// An attempt has failed before it was known on which connection: its name may lead elsewhere meanwhile.
pub(super) fn doubt(engine: &Engine<'_>, attempt: &Attempt) {
    let mut memory = vec![0; engine.buffers.borrow().url.len()];
    if let Ok(url) = attempt_url(&engine.server.borrow(), attempt, &mut memory) {
        let mut origin = String::new();
        write_origin(&url, &mut origin);
        engine.pool.borrow().doubt(&origin);
        race::forget(&origin);
    }
}

/// How long a look-up may hold up an attempt for which there is a connection.
const LOOK_UP_MAX: Duration = Duration::from_secs(2);

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
            let blamed = match Fault::of(&error) {
                Fault::NoSuite => AttemptError::NoSuite,
                Fault::NotTls => AttemptError::NotTls,
                Fault::Cut => AttemptError::TlsCut,
                Fault::Untrusted => AttemptError::Tls,
            };
            let error = tls::explain(error).to_string();
            let error = error.escape_debug();
            tracing::info!(host = url.host_text(), %error, "no TLS connection");
            Err(blamed)
        }
    }
}

/// Whether TLS is spoken at the address at which a plain attempt has got no answer.
pub(super) async fn needs_tls(engine: &Engine<'_>, attempt: &Attempt, address: IpAddr) -> bool {
    let mut memory = vec![0; engine.buffers.borrow().url.len()];
    let url = attempt_url(&engine.server.borrow(), attempt, &mut memory);
    let Some(url) = url.ok().filter(|url| url.scheme() == Scheme::Http) else {
        return false;
    };
    let address = SocketAddr::new(address, url.port());
    speaks_tls(connect_to(engine, address)).await
}

async fn connect_to(engine: &Engine<'_>, address: SocketAddr) -> io::Result<Async<TcpStream>> {
    engine.limiter.turn(&engine.net).await;
    Async::<TcpStream>::connect(address).await
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
