//! A connection to the server that a URL names, who under `https` has proved its name.

use super::patient::Patient;
use crate::{
    race::{self, Spare},
    tls::{self, Trust},
};
use async_io::{Async, Timer};
use dubhook_core::url::{Host, Scheme, Url};
use futures_lite::{
    future::FutureExt,
    io::{AsyncRead, AsyncWrite},
};
use futures_rustls::TlsConnector;
use smol::unblock;
use std::{
    fmt, io,
    net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// How many connections may be under way besides the first one.
const SPARE_MAX: usize = 16;

/// A connection, with TLS or without.
pub(crate) trait Stream: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Stream for S {}

/// A socket that says to the other side that nothing more comes when it is closed, which an `Async` alone does not.
#[derive(Debug)]
struct Socket(Async<TcpStream>);

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, bytes)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.get_ref().shutdown(Shutdown::Write))
    }
}

/// A new connection to the server, and where it leads. There must be one within `time`; once there is, the server may take
/// as long as `patience` for anything.
pub(crate) async fn dial(
    url: &Url<'_>,
    trust: &Trust,
    time: Duration,
    patience: Duration,
) -> io::Result<(SocketAddr, Box<dyn Stream>)> {
    let (address, stream) = connect(url, time).await?;
    let stream = Patient::new(Socket(stream), patience);
    let stream: Box<dyn Stream> = match url.scheme() {
        Scheme::Http => Box::new(stream),
        Scheme::Https => {
            let name = tls::server_name(url)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            let trust = trust.clone();
            let connector = TlsConnector::from(unblock(move || trust.client()).await);
            let connected = connector.connect(name, stream).await;
            Box::new(connected.map_err(tls::explain)?)
        }
    };
    Ok((address, stream))
}

/// All addresses of the server.
pub(super) async fn addresses(url: &Url<'_>) -> io::Result<Vec<SocketAddr>> {
    let port = url.port();
    Ok(match url.host() {
        Host::V4(address) => vec![(address, port).into()],
        Host::V6(address) => vec![(address, port).into()],
        Host::Name(name) => {
            let name = name.to_owned();
            let found = unblock(move || (name, port).to_socket_addrs()).await?;
            found.collect()
        }
    })
}

/// A connection to the first address of the server that takes one.
async fn connect(url: &Url<'_>, time: Duration) -> io::Result<(SocketAddr, Async<TcpStream>)> {
    let late = async {
        Timer::after(time).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    let connected = async {
        let addresses = addresses(url).await?;
        let spare = Spare::new(SPARE_MAX);
        let connect = Async::<TcpStream>::connect;
        race::first(url.host_text(), addresses, &spare, connect).await
    };
    let (address, stream) = connected.or(late).await?;
    // Each write is a whole message, so holding it back gains nothing.
    stream.get_ref().set_nodelay(true)?;
    Ok((address, stream))
}
