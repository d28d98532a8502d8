//! A new connection for an attempt: look the name up, check every address, connect to a checked one.

use super::pool::{Idle, write_origin};
use crate::server::engine::Engine;
use dubhook_core::{
    delivery::Attempt,
    log::AttemptError,
    url::{Host, Scheme, Url},
};
use smol::{Async, unblock};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};

/// Connects to where the attempt goes.
pub(super) async fn connect(engine: &Engine<'_>, attempt: &Attempt) -> Result<Idle, AttemptError> {
    let text = {
        let server = engine.server.borrow();
        let mut buffers = engine.buffers.borrow_mut();
        let url = server.service().attempt_url(attempt, &mut buffers.url);
        url.ok_or(AttemptError::Closed)?.to_owned()
    };
    let url = Url::parse(&text, usize::MAX).map_err(|_| AttemptError::Resolve)?;
    if url.scheme() == Scheme::Https {
        return Err(AttemptError::Tls);
    }
    let addresses = resolve(&url).await?;
    let guard = engine.server.borrow().config().guard;
    if !guard.permits_answers(&url, addresses.iter().copied()) {
        return Err(AttemptError::Blocked);
    }
    for address in addresses {
        let address = SocketAddr::new(address, url.port());
        let connected = Async::<TcpStream>::connect(address).await;
        if let Ok(socket) = connected.and_then(Async::into_inner) {
            let stream = engine.net.watch(socket);
            let mut origin = String::new();
            write_origin(&url, &mut origin);
            return Ok(Idle {
                stream: stream.map_err(|_| AttemptError::Connect)?,
                origin: origin.into(),
            });
        }
    }
    Err(AttemptError::Connect)
}

/// All addresses of the URL's host, those that it has right now.
async fn resolve(url: &Url<'_>) -> Result<Vec<IpAddr>, AttemptError> {
    match url.host() {
        Host::V4(address) => Ok(vec![address.into()]),
        Host::V6(address) => Ok(vec![address.into()]),
        Host::Name(name) => {
            // The port is only there because the call wants one.
            let host = (name.to_owned(), 0);
            let found = unblock(move || host.to_socket_addrs()).await;
            let addresses: Vec<_> = found
                .map_err(|_| AttemptError::Resolve)?
                .map(|address| address.ip())
                .collect();
            if addresses.is_empty() {
                return Err(AttemptError::Resolve);
            }
            Ok(addresses)
        }
    }
}
