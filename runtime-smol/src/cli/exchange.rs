//! One HTTP exchange on a connection of its own, for commands that make one call and end.

use dubhook_core::{
    http::{
        BodyUse, Limits, Method, RecvBuf, RequestHead, ResponseError, ResponseParser,
        ResponseProgress,
    },
    out::Out,
    url::{Host, Scheme, Url},
};
use dubhook_smol::tls::{self, Trust};
use rustls::{ClientConnection, StreamOwned};
use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

/// How long the other side may take for anything, where it is not asked to wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer, in bytes, its head included.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest request, in bytes, its head included.
pub(super) const REQUEST_BYTES_MAX: usize = 128 * 1024;

/// What to ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: &'a str,
    /// JSON where nothing else is said, or nothing.
    pub(super) body: &'a [u8],
    /// More fields; `content-type` among them, if the body is no JSON.
    pub(super) fields: &'a [(&'static str, &'a str)],
    pub(super) api_key: Option<&'a str>,
    /// How long the other side may take for anything.
    pub(super) patience: Duration,
}

/// Asks the server that `url` names. Returns the status and the body of its answer.
pub(super) fn exchange(url: &Url<'_>, trust: &Trust, ask: Ask<'_>) -> io::Result<(u16, Vec<u8>)> {
    let stream = connect(url)?;
    stream.set_read_timeout(Some(ask.patience))?;
    stream.set_write_timeout(Some(ask.patience))?;
    match url.scheme() {
        Scheme::Http => converse(stream, url, ask),
        Scheme::Https => converse(secure(url, trust, stream)?, url, ask),
    }
}

fn converse(
    mut stream: impl Read + Write,
    url: &Url<'_>,
    ask: Ask<'_>,
) -> io::Result<(u16, Vec<u8>)> {
    stream.write_all(&request(url, ask)?)?;
    receive(&mut stream, ask.method)
}

/// Has the server prove its name, at the first byte that is sent.
fn secure(
    url: &Url<'_>,
    trust: &Trust,
    stream: TcpStream,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let bad = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    let name = tls::server_name(url).map_err(io::Error::other)?;
    let connection = ClientConnection::new(trust.client(), name).map_err(bad)?;
    Ok(StreamOwned::new(connection, stream))
}

fn connect(url: &Url<'_>) -> io::Result<TcpStream> {
    let port = url.port();
    let addresses: Vec<_> = match url.host() {
        Host::V4(address) => vec![(address, port).into()],
        Host::V6(address) => vec![(address, port).into()],
        Host::Name(name) => (name, port).to_socket_addrs()?.collect(),
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn request(url: &Url<'_>, ask: Ask<'_>) -> io::Result<Vec<u8>> {
    const AGENT: &[u8] = concat!("dubhook/", env!("CARGO_PKG_VERSION")).as_bytes();
    let mut memory = vec![0; REQUEST_BYTES_MAX];
    let mut host = [0; 300];
    let mut host = Out::new(&mut host);
    url.write_host(&mut host);
    let host = String::from_utf8_lossy(host.written());
    let mut out = Out::new(&mut memory);
    let mut head = RequestHead::new(&mut out, ask.method, ask.target, &host)
        .field("user-agent", AGENT)
        .field("connection", b"close");
    let typed = ask.fields.iter().any(|(name, _)| *name == "content-type");
    if !ask.body.is_empty() && !typed {
        head = head.field("content-type", b"application/json");
    }
    for (name, value) in ask.fields {
        head = head.field(name, value.as_bytes());
    }
    if let Some(key) = ask.api_key {
        head = head.field("authorization", format!("Bearer {key}").as_bytes());
    }
    let written = head.finish_with_length(ask.body.len());
    out.put(ask.body);
    match (written, out.finish()) {
        (Ok(()), Ok(len)) => {
            memory.truncate(len);
            Ok(memory)
        }
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the request cannot be written",
        )),
    }
}

fn receive(stream: &mut impl Read, method: Method) -> io::Result<(u16, Vec<u8>)> {
    let limits = Limits {
        body_bytes_max: ANSWER_BYTES_MAX,
        ..Limits::SERVER
    };
    let bad = |error: ResponseError| io::Error::new(io::ErrorKind::InvalidData, error.as_str());
    let mut memory = vec![0; ANSWER_BYTES_MAX];
    let mut input = RecvBuf::new(&mut memory, 0);
    let mut parser = ResponseParser::new(method, BodyUse::Keep);
    while parser.advance(&limits, &mut input).map_err(bad)? != ResponseProgress::Complete {
        match stream.read(input.room()) {
            Ok(0) => {
                parser.eof().map_err(bad)?;
                break;
            }
            Ok(len) => input.commit(len),
            // Somebody stopped the program for a while, and let it go on.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let response = parser.response(input.filled());
    let response = response.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((response.status, response.body.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a byte at a time, and is interrupted before each.
    struct Interrupted<'b>(&'b [u8], bool);

    impl Read for Interrupted<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            self.0.read(&mut bytes[..1])
        }
    }

    #[test]
    fn an_interrupted_read_is_made_again() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        let answer = receive(&mut Interrupted(bytes, false), Method::Get).unwrap();
        assert_eq!(answer, (200, b"{}".to_vec()));
    }
}
