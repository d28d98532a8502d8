//! The connection to one server: one exchange after the other, kept while it is of use.

use super::{
    answer::{Answer, Failure, send},
    patient::Patient,
};
use crate::tls::{self, Trust};
use async_io::{Async, Timer};
use dubhook_core::{
    http::{Limits, Method, RecvBuf, Response, ResponseError},
    url::{Host, Scheme, Url},
};
use futures_lite::{
    future::{self, FutureExt, poll_fn},
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
};
use futures_rustls::TlsConnector;
use smol::unblock;
use std::{
    fmt, io,
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    time::Duration,
};

/// How long an address may take to answer before the next one is tried.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A connection, with TLS or without.
trait Stream: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Stream for S {}

/// A connection to one server, made when it is needed.
///
/// It is used for one exchange after the other as long as the server allows that. A kept one that has been closed, or on
/// which something has come, is no use and is made anew.
#[derive(Debug)]
pub struct Link<'u> {
    url: Url<'u>,
    trust: Trust,
    patience: Duration,
    limits: Limits,
    memory: Box<[u8]>,
    kept: Option<Box<dyn Stream>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum LinkError {
    /// There is no connection, or none to whom it should be.
    Connect(io::Error),
    /// The connection broke, or the server took too long.
    Broken(io::Error),
    /// What came is no answer, or too long a one.
    Answer(ResponseError),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) | Self::Broken(error) => error.fmt(f),
            Self::Answer(error) => f.write_str(error.as_str()),
        }
    }
}

impl std::error::Error for LinkError {}

impl From<LinkError> for io::Error {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Connect(error) | LinkError::Broken(error) => error,
            LinkError::Answer(error) => Self::new(io::ErrorKind::InvalidData, error.as_str()),
        }
    }
}

impl From<Failure> for LinkError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unheard(error) | Failure::Broken(error) => Self::Broken(error),
            Failure::Answer(error) => Self::Answer(error),
        }
    }
}

impl<'u> Link<'u> {
    /// To the server that `url` names, whose certificate `trust` believes where it is `https`. An answer may have so many
    /// bytes, its head included.
    #[must_use]
    pub fn new(url: Url<'u>, trust: Trust, answer_bytes_max: usize) -> Self {
        Self {
            url,
            trust,
            patience: Duration::MAX,
            limits: Limits {
                body_bytes_max: answer_bytes_max,
                ..Limits::SERVER
            },
            memory: vec![0; answer_bytes_max].into(),
            kept: None,
        }
    }

    /// How long the server may take for anything once there is a connection; as long as it likes where not said.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends a request with this method and receives its answer. Dropped before it is done, it leaves no connection.
    ///
    /// # Errors
    ///
    /// [`LinkError`] says why there is no answer. The server may have seen the request all the same.
    pub async fn exchange(
        &mut self,
        method: Method,
        request: &[u8],
    ) -> Result<Response<'_>, LinkError> {
        let mut stream = match quiet(self.kept.take()).await {
            Some(stream) => stream,
            None => {
                let opened = open(&self.url, &self.trust, self.patience).await;
                opened.map_err(LinkError::Connect)?
            }
        };
        send(&mut *stream, request).await?;
        let mut answer = Answer::to(method);
        let mut input = RecvBuf::new(&mut self.memory, 0);
        poll_fn(|cx| answer.poll(cx, &mut *stream, &self.limits, &mut input)).await?;
        let filled = input.filled_range();
        let response = answer.response(self.memory.get(filled).unwrap_or_default());
        let response = response.ok_or(LinkError::Answer(ResponseError::Truncated))?;
        if response.reuse {
            self.kept = Some(stream);
        }
        Ok(response)
    }
}

/// A new connection to the server, who under `https` has proved its name.
async fn open(url: &Url<'_>, trust: &Trust, patience: Duration) -> io::Result<Box<dyn Stream>> {
    let stream = Patient::new(connect(url).await?, patience);
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

/// A connection to the first address of the server that takes one.
async fn connect(url: &Url<'_>) -> io::Result<Async<TcpStream>> {
    let port = url.port();
    let addresses: Vec<SocketAddr> = match url.host() {
        Host::V4(address) => vec![(address, port).into()],
        Host::V6(address) => vec![(address, port).into()],
        Host::Name(name) => {
            let name = name.to_owned();
            let found = unblock(move || (name, port).to_socket_addrs()).await?;
            found.collect()
        }
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        let late = async {
            Timer::after(CONNECT_MAX).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        match Async::<TcpStream>::connect(address).or(late).await {
            Ok(stream) => {
                // Each write is a whole message, so holding it back gains nothing.
                stream.get_ref().set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::block_on;
    use std::{
        io::{Read, Write},
        net::TcpListener,
        sync::mpsc,
        thread,
    };

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n";

    /// Takes connections one after the other, answers so many requests on each, and says when it has closed it.
    fn server(answers: &'static [usize]) -> (String, mpsc::Receiver<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (closed, told) = mpsc::channel();
        thread::spawn(move || {
            for count in answers {
                let (mut stream, _) = listener.accept().unwrap();
                for _ in 0..*count {
                    let mut request = [0; REQUEST.len()];
                    stream.read_exact(&mut request).unwrap();
                    stream.write_all(ANSWER).unwrap();
                }
                drop(stream);
                closed.send(()).unwrap();
            }
        });
        (format!("http://{address}"), told)
    }

    #[test]
    fn a_connection_is_kept_and_made_anew_when_it_was_closed() {
        let (url, closed) = server(&[2, 1]);
        let url = Url::parse(&url, 100).unwrap();
        let mut link = Link::new(url, Trust::platform(), 1_000);
        for exchange in 0..3 {
            if exchange == 2 {
                closed.recv().unwrap();
            }
            let answer = block_on(link.exchange(Method::Get, REQUEST)).unwrap();
            assert_eq!((answer.status, answer.body), (200, b"{}".as_slice()));
        }
        closed.recv().unwrap();
    }

    #[test]
    fn a_server_that_says_nothing_is_waited_for_as_long_as_was_said() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let url = Url::parse(&url, 100).unwrap();
        let link = Link::new(url, Trust::platform(), 1_000);
        let mut link = link.patience(Duration::from_millis(20));
        match block_on(link.exchange(Method::Get, REQUEST)) {
            Err(LinkError::Broken(error)) => assert_eq!(error.kind(), io::ErrorKind::TimedOut),
            other => panic!("{other:?}"),
        }
    }
}
