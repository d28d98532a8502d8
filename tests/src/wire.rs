//! Real sockets: a client that asks and a receiver that is told.

use dubhook_core::http::{
    BodyUse, Limits, Method, Progress, RecvBuf, RequestParser, ResponseParser, ResponseProgress,
};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

/// How long anything may take before a test gives up: far longer than it ever does, on however busy a machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A loopback address on which nothing else of these tests listens or connects from, so that a port of it that was given
/// back is nobody else's a moment later.
pub const ALONE: &str = if cfg!(target_os = "linux") {
    "127.77.0.1"
} else {
    // Other systems have but one.
    "127.0.0.1"
};

/// Reads what comes next. A read with a time-out ends as interrupted where the process was stopped for a while, or its machine
/// slept: that is no fault of anybody's, and it is begun again.
///
/// # Errors
///
/// Where the connection breaks, or nothing comes in time.
pub fn read(stream: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Waits until something has come on a connection, and leaves it there. The kernel connects before a server accepts: only what it
/// has said shows that a server has taken a connection on, and read what came on it.
///
/// # Panics
///
/// If nothing comes.
pub fn until_it_says_something(stream: &TcpStream) {
    loop {
        match stream.peek(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            come => {
                come.expect("bytes in time");
                return;
            }
        }
    }
}

/// Takes all descriptors that the system allows, for a test that needs many: most systems start a process with 1,024.
pub fn take_descriptors() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let all = Rlimit {
            current: limit.maximum,
            ..limit
        };
        // Where there are no more of them, the test says what it lacks.
        let _ = setrlimit(Resource::Nofile, all);
    }
}

/// More bytes than two sockets hold between them: how much that is at most is this machine's to say.
#[must_use]
pub fn more_than_sockets_hold() -> usize {
    const MORE: usize = 4 << 20;
    /// Where the machine does not say it.
    const USUAL: usize = 12 << 20;
    let most = |direction: &str| {
        let sizes = format!("/proc/sys/net/ipv4/tcp_{direction}mem");
        let sizes = std::fs::read_to_string(sizes).unwrap_or_default();
        let most = sizes.split_whitespace().nth(2);
        most.and_then(|most| most.parse().ok()).unwrap_or(0)
    };
    USUAL.max(most("r") + most("w")) + MORE
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The fields, with names in lower case.
    pub fields: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// What an answer may have: more than a request, for the description of the API is longer.
const ANSWER: Limits = Limits {
    body_bytes_max: 120 * 1024,
    ..Limits::SERVER
};

/// A kept connection to a server.
#[derive(Debug)]
pub struct Asker {
    stream: TcpStream,
    memory: Vec<u8>,
    filled: std::ops::Range<usize>,
}

impl Asker {
    /// Connects.
    ///
    /// # Panics
    ///
    /// If nobody listens.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a server");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("no delay");
        Self {
            stream,
            memory: vec![0; 128 * 1024],
            filled: 0..0,
        }
    }

    /// Which server it is connected to.
    ///
    /// # Panics
    ///
    /// If the connection is broken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.stream.peer_addr().expect("a connection")
    }

    /// Makes a request, with a JSON body or none.
    ///
    /// # Panics
    ///
    /// If no whole answer comes.
    pub fn call(&mut self, method: &str, path: &str, body: &str) -> Answer {
        self.try_call(method, path, "", body).expect("an answer")
    }

    /// Makes a request, with more field lines that each end in CRLF.
    ///
    /// # Errors
    ///
    /// Where the connection breaks before a whole answer has come.
    ///
    /// # Panics
    ///
    /// If what comes is not HTTP.
    pub fn try_call(
        &mut self,
        method: &str,
        path: &str,
        fields: &str,
        body: &str,
    ) -> io::Result<Answer> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n{fields}\
             content-length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes())?;
        self.try_answer(method)
    }

    /// Sends bytes.
    ///
    /// # Panics
    ///
    /// If the server does not take them.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// Reads the answer to a request with this method.
    ///
    /// # Panics
    ///
    /// If no whole answer comes.
    pub fn answer(&mut self, method: &str) -> Answer {
        self.try_answer(method).expect("an answer")
    }

    fn try_answer(&mut self, method: &str) -> io::Result<Answer> {
        let method = match method {
            "HEAD" => Method::Head,
            _ => Method::Get,
        };
        let mut parser = ResponseParser::new(method, BodyUse::Keep);
        let mut input = RecvBuf::resume(&mut self.memory, self.filled.clone());
        while parser.advance(&ANSWER, &mut input).expect("HTTP") != ResponseProgress::Complete {
            match read(&mut self.stream, input.room())? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                len => input.commit(len),
            }
        }
        let response = parser.response(input.filled()).expect("an answer");
        let answer = Answer {
            status: response.status,
            fields: fields(response.fields.iter()),
            body: response.body.to_vec(),
        };
        parser.finish(method, &mut input);
        self.filled = input.filled_range();
        Ok(answer)
    }
}

/// A webhook as it arrived.
#[derive(Debug)]
pub struct Arrival {
    /// Its path.
    pub path: String,
    /// Where its connection came from.
    pub peer: SocketAddr,
    /// The fields, with names in lower case.
    pub fields: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Arrival {
    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The event's `type`.
    ///
    /// # Panics
    ///
    /// If it has none.
    #[must_use]
    pub fn kind(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }
}

/// A receiver of webhooks on a port of its own: it answers each with what `answer` says, and hands it over.
#[derive(Debug)]
pub struct Hearer {
    /// Where it listens.
    pub address: SocketAddr,
    secured: bool,
    arrivals: Receiver<Arrival>,
}

impl Hearer {
    /// Answers everything with 204.
    ///
    /// # Panics
    ///
    /// If no port is free.
    #[must_use]
    pub fn new() -> Self {
        Self::answering(|_| "HTTP/1.1 204 No Content\r\n\r\n".to_owned())
    }

    /// Answers as `answer` says; an empty answer closes the connection.
    ///
    /// # Panics
    ///
    /// If no port is free.
    #[must_use]
    pub fn answering(answer: impl Fn(&Arrival) -> String + Send + Clone + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("a port"), answer)
    }

    /// As [`answering`](Self::answering), where something listens already.
    ///
    /// # Panics
    ///
    /// If the listener has no address.
    #[must_use]
    pub fn on(
        listener: TcpListener,
        answer: impl Fn(&Arrival) -> String + Send + Clone + 'static,
    ) -> Self {
        Self::with(listener, None, answer)
    }

    /// Speaks TLS, and answers everything with 204.
    ///
    /// # Panics
    ///
    /// If no port is free.
    #[must_use]
    pub fn secured(tls: Arc<ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        Self::with(listener, Some(tls), |_| {
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
        })
    }

    fn with(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Arrival) -> String + Send + Clone + 'static,
    ) -> Self {
        let address = listener.local_addr().expect("an address");
        let secured = tls.is_some();
        let (sender, arrivals) = channel();
        thread::spawn(move || {
            while let Ok((stream, peer)) = listener.accept() {
                let (sender, answer, tls) = (sender.clone(), answer.clone(), tls.clone());
                thread::spawn(move || match tls {
                    None => hear(stream, peer, &sender, answer),
                    Some(tls) => {
                        let connection = ServerConnection::new(tls).expect("a connection");
                        let stream = StreamOwned::new(connection, stream);
                        hear(stream, peer, &sender, answer);
                    }
                });
            }
        });
        Self {
            address,
            secured,
            arrivals,
        }
    }

    /// Its URL, by its address.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_by(&self.address.ip().to_string())
    }

    /// Its URL, by this name.
    #[must_use]
    pub fn url_by(&self, host: &str) -> String {
        let scheme = if self.secured { "https" } else { "http" };
        format!("{scheme}://{host}:{}/hook", self.address.port())
    }

    /// The next webhook.
    ///
    /// # Panics
    ///
    /// If none comes.
    #[must_use]
    pub fn next(&self) -> Arrival {
        self.arrivals.recv_timeout(PATIENCE).expect("a webhook")
    }

    /// The webhooks that have come and were not taken yet.
    pub fn arrived(&self) -> impl Iterator<Item = Arrival> {
        self.arrivals.try_iter()
    }
}

impl Default for Hearer {
    fn default() -> Self {
        Self::new()
    }
}

fn hear(
    mut stream: impl Read + Write,
    peer: SocketAddr,
    sender: &Sender<Arrival>,
    answer: impl Fn(&Arrival) -> String,
) {
    let mut memory = vec![0; 128 * 1024];
    let mut input = RecvBuf::new(&mut memory, 0);
    let mut parser = RequestParser::new();
    loop {
        while parser.advance(&Limits::SERVER, &mut input).expect("HTTP") != Progress::Complete {
            match read(&mut stream, input.room()) {
                Ok(0) | Err(_) => return,
                Ok(len) => input.commit(len),
            }
        }
        let request = parser.request(input.filled()).expect("a request");
        let arrival = Arrival {
            path: request.path.to_owned(),
            peer,
            fields: fields(request.fields.iter()),
            body: request.body.to_vec(),
        };
        parser.finish(&mut input);
        let answer = answer(&arrival);
        if sender.send(arrival).is_err() || answer.is_empty() {
            return;
        }
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn fields<'b>(fields: impl Iterator<Item = (&'b [u8], &'b [u8])>) -> BTreeMap<String, String> {
    fields
        .map(|(name, value)| {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            (text(name).to_ascii_lowercase(), text(value))
        })
        .collect()
}
