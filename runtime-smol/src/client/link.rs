//! The connection to the server: one exchange after the other, kept while it is of use.

use crate::tls::{self, Trust};
use dubhook_core::{
    client::{Failure, Server},
    http::{
        BodyUse, Limits, Method, RecvBuf, Response, ResponseError, ResponseParser, ResponseProgress,
    },
    url::{Host, Scheme, Url},
};
use futures_rustls::TlsConnector;
use smol::{
    future,
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{IpAddr, SocketAddr, TcpStream, resolve},
    unblock,
};
use std::{fmt, io};

/// The longest answer, in bytes, its head included.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A connection, with TLS or without.
trait Stream: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Stream for S {}

/// A connection that is made when it is needed.
#[derive(Debug)]
pub(super) struct Link<'a> {
    server: Server<'a>,
    trust: Trust,
    kept: Option<Box<dyn Stream>>,
    memory: Box<[u8]>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum LinkError {
    /// There is no connection, or none to whom it should be.
    Connect(io::Error),
    /// The connection broke.
    Broken(io::Error),
    /// What came is no answer.
    Answer(ResponseError),
}

impl LinkError {
    /// What it means to the machine.
    pub(super) const fn failure(&self) -> Failure {
        match self {
            Self::Connect(_) => Failure::Unreachable,
            Self::Broken(_) | Self::Answer(ResponseError::Truncated) => Failure::Broken,
            Self::Answer(_) => Failure::Unreadable,
        }
    }
}

impl std::fmt::Display for LinkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connect(error) | Self::Broken(error) => error.fmt(f),
            Self::Answer(error) => f.write_str(error.as_str()),
        }
    }
}

impl<'a> Link<'a> {
    pub(super) fn new(server: Server<'a>, trust: Trust) -> Self {
        Self {
            server,
            trust,
            kept: None,
            memory: vec![0; ANSWER_BYTES_MAX].into(),
        }
    }

    /// Sends a request and receives its answer. Dropped before it is done, it leaves no connection.
    pub(super) async fn exchange(
        &mut self,
        request: &[u8],
        method: Method,
    ) -> Result<Response<'_>, LinkError> {
        let kept = self.kept.take();
        let mut stream = match quiet(kept).await {
            Some(stream) => stream,
            None => open(self.server.url(), &self.trust)
                .await
                .map_err(LinkError::Connect)?,
        };
        send(&mut *stream, request)
            .await
            .map_err(LinkError::Broken)?;
        let mut parser = ResponseParser::new(method, BodyUse::Keep);
        let mut input = RecvBuf::new(&mut self.memory, 0);
        while parser
            .advance(&Limits::SERVER, &mut input)
            .map_err(LinkError::Answer)?
            != ResponseProgress::Complete
        {
            match stream.read(input.room()).await {
                Ok(0) => {
                    parser.eof().map_err(LinkError::Answer)?;
                    break;
                }
                Ok(len) => input.commit(len),
                Err(error) => return Err(LinkError::Broken(error)),
            }
        }
        let filled = input.filled_range();
        let filled = self.memory.get(filled).unwrap_or_default();
        let response = parser
            .response(filled)
            .ok_or(LinkError::Answer(ResponseError::Truncated))?;
        if response.reuse {
            self.kept = Some(stream);
        }
        Ok(response)
    }
}

/// A new connection to the server, who under `https` has proved its name.
async fn open(url: &Url<'_>, trust: &Trust) -> io::Result<Box<dyn Stream>> {
    let stream = connect(url).await?;
    if url.scheme() == Scheme::Http {
        return Ok(Box::new(stream));
    }
    let name = tls::server_name(url)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let trust = trust.clone();
    let connector = TlsConnector::from(unblock(move || trust.client()).await);
    Ok(Box::new(connector.connect(name, stream).await?))
}

/// A kept connection on which nothing has come: any other was closed, or is no use. What TLS has to say for itself is
/// taken on the way.
async fn quiet(kept: Option<Box<dyn Stream>>) -> Option<Box<dyn Stream>> {
    let mut stream = kept?;
    let came = future::poll_once(stream.read(&mut [0])).await;
    came.is_none().then_some(stream)
}

async fn send(stream: &mut dyn Stream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// A connection to the first address of the server that takes one.
async fn connect(url: &Url<'_>) -> io::Result<TcpStream> {
    let addresses = match url.host() {
        Host::V4(address) => vec![SocketAddr::new(IpAddr::V4(address), url.port())],
        Host::V6(address) => vec![SocketAddr::new(IpAddr::V6(address), url.port())],
        Host::Name(name) => resolve((name, url.port())).await?,
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Each write is a whole message, so holding it back gains nothing.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
