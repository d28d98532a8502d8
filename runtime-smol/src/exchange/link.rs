//! The connection to one server: one exchange after the other, kept while it is of use.

use super::{
    answer::{Answer, Failure, send},
    dial::{Stream, addresses, dial},
    greeting::speaks_tls,
    pour::{Came, pour},
};
use crate::tls::Trust;
use async_io::{Async, Timer};
use dubhook_core::{
    http::{Limits, Method, RecvBuf, Response, ResponseError},
    url::{Scheme, Url},
};
use futures_lite::{
    future::{self, FutureExt, poll_fn},
    io::AsyncReadExt,
};
use std::{
    fmt, io,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// How long it may take until there is a connection.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a kept connection is used without looking its name up anew.
const FRESH: Duration = Duration::from_secs(60);
/// How long a look-up may hold up an exchange for which there is a connection.
const LOOK_UP_MAX: Duration = Duration::from_secs(2);

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
    kept: Option<Open>,
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
            Failure::NeedsTls => Self::Broken(io::Error::new(
                io::ErrorKind::InvalidData,
                "it speaks TLS: use https://",
            )),
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
        let kept = self.standing().await;
        let is_new = kept.is_none();
        let mut open = match kept {
            Some(open) => open,
            None => {
                let opened = open(&self.url, &self.trust, self.patience).await;
                opened.map_err(LinkError::Connect)?
            }
        };
        let mut answer = Answer::to(method);
        let mut input = RecvBuf::new(&mut self.memory, 0);
        let exchanged = async {
            send(&mut *open.stream, request).await?;
            poll_fn(|cx| answer.poll(cx, &mut *open.stream, &self.limits, &mut input)).await
        };
        if let Err(failure) = exchanged.await {
            let address = open.address;
            // Some peers take one connection at a time.
            drop(open);
            let failure = match failure {
                Failure::Unheard(error) if is_new => explained(error, &self.url, address).await,
                failure => failure,
            };
            return Err(failure.into());
        }
        let filled = input.filled_range();
        let response = answer.response(self.memory.get(filled).unwrap_or_default());
        let response = response.ok_or(LinkError::Answer(ResponseError::Truncated))?;
        // A server that fails may be about to be another one.
        open.is_doubted = response.status >= 500;
        if response.reuse {
            self.kept = Some(open);
        }
        Ok(response)
    }

    /// Sends a GET on a connection of its own, and hands the body of its answer on as it comes, however long that is, if its head
    /// says how long and `wants` says that it is wanted. None once all of it was taken; else the answer, as of any exchange.
    ///
    /// # Errors
    ///
    /// As [`exchange`](Self::exchange); and where `take` fails, which ends it.
    pub async fn pour(
        &mut self,
        request: &[u8],
        wants: impl FnOnce(&Response<'_>) -> bool,
        take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Option<Response<'_>>, LinkError> {
        let opened = open(&self.url, &self.trust, self.patience).await;
        let mut open = opened.map_err(LinkError::Connect)?;
        let mut input = RecvBuf::new(&mut self.memory, 0);
        let poured = async {
            send(&mut *open.stream, request).await?;
            pour(&mut *open.stream, &self.limits, &mut input, wants, take).await
        };
        let poured = match poured.await {
            Ok(poured) => poured,
            Err(Failure::Unheard(error)) => {
                return Err(explained(error, &self.url, open.address).await.into());
            }
            Err(failure) => return Err(failure.into()),
        };
        let Came::Kept(answer) = poured else {
            return Ok(None);
        };
        let filled = input.filled_range();
        let response = answer.response(self.memory.get(filled).unwrap_or_default());
        let response = response.ok_or(LinkError::Answer(ResponseError::Truncated))?;
        Ok(Some(response))
    }

    /// The kept connection, if nothing has come on it, and it leads to where the server's name does: any other was closed,
    /// or is no use. What TLS has to say for itself is taken on the way.
    async fn standing(&mut self) -> Option<Open> {
        let mut open = self.kept.take()?;
        if future::poll_once(open.stream.read(&mut [0]))
            .await
            .is_some()
        {
            return None;
        }
        if open.is_doubted || open.looked_up.elapsed() >= FRESH {
            let late = async {
                Timer::after(LOOK_UP_MAX).await;
                Err(io::ErrorKind::TimedOut.into())
            };
            // A name server that is slow or silent keeps nobody from a connection that stands.
            if let Ok(addresses) = addresses(&self.url).or(late).await {
                if !addresses.contains(&open.address) {
                    return None;
                }
                open.is_doubted = false;
            }
            open.looked_up = Instant::now();
        }
        Some(open)
    }
}

/// A connection that is kept, and what is known of where it leads.
#[derive(Debug)]
struct Open {
    stream: Box<dyn Stream>,
    address: SocketAddr,
    looked_up: Instant,
    /// The server has failed on it.
    is_doubted: bool,
}

/// A new connection to the server, who under `https` has proved its name.
async fn open(url: &Url<'_>, trust: &Trust, patience: Duration) -> io::Result<Open> {
    let (address, stream) = dial(url, trust, CONNECT_MAX, patience).await?;
    Ok(Open {
        stream,
        address,
        looked_up: Instant::now(),
        is_doubted: false,
    })
}

/// What there is to say of a failure: the same, or that TLS is spoken where plain http has got no answer.
async fn explained(error: io::Error, url: &Url<'_>, address: SocketAddr) -> Failure {
    let is_plain = url.scheme() == Scheme::Http && error.kind() != io::ErrorKind::TimedOut;
    if is_plain && speaks_tls(Async::<TcpStream>::connect(address)).await {
        Failure::NeedsTls
    } else {
        Failure::Unheard(error)
    }
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

    /// The status and the body of an answer that was not poured.
    type Kept = Option<(u16, Vec<u8>)>;

    /// What a client has who asks a server that answers so: what was poured, and else the status and the body.
    fn poured(answer: Vec<u8>, wants: bool) -> (Vec<u8>, Result<Kept, LinkError>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; REQUEST.len()]).unwrap();
            let (one, two) = answer.split_at(answer.len() / 2);
            stream.write_all(one).unwrap();
            stream.write_all(two).unwrap();
        });
        let mut link = Link::new(Url::parse(&url, 100).unwrap(), Trust::platform(), 1_000);
        let mut taken = Vec::new();
        let take = |piece: &[u8]| {
            taken.extend(piece);
            Ok(())
        };
        let came = block_on(link.pour(REQUEST, |_| wants, take));
        let came = came.map(|kept| kept.map(|kept| (kept.status, kept.body.to_vec())));
        (taken, came)
    }

    #[test]
    fn a_body_that_is_longer_than_the_memory_is_handed_on_and_one_that_is_not_wanted_is_kept() {
        let body: Vec<u8> = (0..100_000_u32).map(|at| at as u8).collect();
        let long = [
            &b"HTTP/1.1 206 Some\r\ncontent-length: 100000\r\n\r\n"[..],
            &body,
        ]
        .concat();
        let (taken, came) = poured(long.clone(), true);
        assert!(taken == body && matches!(came, Ok(None)), "{came:?}");
        let (taken, came) = poured(long[..60_000].to_vec(), true);
        assert!(body.starts_with(&taken) && taken.len() > 50_000);
        assert!(
            matches!(came, Err(LinkError::Answer(ResponseError::Truncated))),
            "{came:?}"
        );
        for (answer, wants) in [
            (
                &b"HTTP/1.1 404 Not\r\ncontent-length: 2\r\n\r\n{}"[..],
                false,
            ),
            (
                b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 404 Not\r\nconnection: close\r\n\r\n{}",
                false,
            ),
            // Nobody can tell how long it is.
            (
                b"HTTP/1.1 404 Not\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
                true,
            ),
        ] {
            let (taken, came) = poured(answer.to_vec(), wants);
            assert!(taken.is_empty());
            assert_eq!(came.unwrap(), Some((404, b"{}".to_vec())));
        }
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
