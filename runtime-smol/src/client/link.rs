//! The connection to the server: one exchange after the other, kept while it is of use.

use dubhook_core::{
    client::{Failure, Server},
    http::{
        BodyUse, Limits, Method, RecvBuf, Response, ResponseError, ResponseParser, ResponseProgress,
    },
    url::{Host, Url},
};
use smol::{
    future,
    io::{AsyncReadExt, AsyncWriteExt},
    net::{IpAddr, SocketAddr, TcpStream, resolve},
};
use std::io;

/// The longest answer, in bytes, its head included.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A connection that is made when it is needed.
#[derive(Debug)]
pub(super) struct Link<'a> {
    server: Server<'a>,
    kept: Option<TcpStream>,
    memory: Box<[u8]>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum LinkError {
    /// There is no connection.
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
    pub(super) fn new(server: Server<'a>) -> Self {
        Self {
            server,
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
        let mut stream = match self.kept.take() {
            Some(stream) if is_quiet(&stream).await => stream,
            _ => connect(self.server.url())
                .await
                .map_err(LinkError::Connect)?,
        };
        stream.write_all(request).await.map_err(LinkError::Broken)?;
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

/// Whether nothing has come: a kept connection of which this is not true was closed, or is no use.
async fn is_quiet(stream: &TcpStream) -> bool {
    future::poll_once(stream.peek(&mut [0])).await.is_none()
}

/// A connection to the first address of the server that takes one. This is where TLS will come in.
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
