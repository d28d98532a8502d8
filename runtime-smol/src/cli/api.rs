//! One call of the HTTP API, and an answer that is worth showing.

use super::{Remote, fail::Fail};
use dubhook_core::{
    http::{BodyUse, Limits, Method, RecvBuf, RequestHead, ResponseParser, ResponseProgress},
    json::{self, Object, Writer},
    out::Out,
    url::{Host, Scheme, Url},
};
use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

/// How long the server may take for anything.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer, in bytes, its head included.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
const REQUEST_BYTES_MAX: usize = 128 * 1024;

/// A server to call.
#[derive(Debug)]
pub(super) struct Api<'r> {
    remote: &'r Remote,
    url: Url<'r>,
}

impl<'r> Api<'r> {
    /// The server that the arguments name.
    pub(super) fn new(remote: &'r Remote) -> Result<Self, Fail> {
        let server = remote.server.trim_end_matches('/');
        let url = Url::parse(server, 2_048)
            .map_err(|error| Fail::Usage(format!("--server {server}: {}", error.as_str())))?;
        if url.scheme() == Scheme::Https {
            let why = "--server: https is not supported by this build; use http on a network that you trust";
            return Err(Fail::Usage(why.to_owned()));
        }
        Ok(Self { remote, url })
    }

    /// Calls without a body.
    pub(super) fn get(&self, path: &str) -> Result<Vec<u8>, Fail> {
        self.call(Method::Get, path, "")
    }

    /// Makes a call. The answer's body where it succeeds; what the server says is wrong where it does not.
    pub(super) fn call(&self, method: Method, path: &str, body: &str) -> Result<Vec<u8>, Fail> {
        let (status, answer) =
            self.exchange(method, path, body)
                .map_err(|error| Fail::Unreachable {
                    server: self.remote.server.clone(),
                    error,
                })?;
        match status {
            200..=299 => Ok(answer),
            400 | 415 | 422 => Err(Fail::Usage(problem(status, &answer))),
            _ => Err(Fail::NotDone(problem(status, &answer))),
        }
    }

    fn exchange(&self, method: Method, path: &str, body: &str) -> io::Result<(u16, Vec<u8>)> {
        let mut stream = self.connect()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(&self.request(method, path, body)?)?;
        let mut memory = vec![0; ANSWER_BYTES_MAX];
        let mut input = RecvBuf::new(&mut memory, 0);
        let mut parser = ResponseParser::new(method, BodyUse::Keep);
        let limits = Limits {
            body_bytes_max: ANSWER_BYTES_MAX,
            ..Limits::SERVER
        };
        let bad = |error: dubhook_core::http::ResponseError| {
            io::Error::new(io::ErrorKind::InvalidData, error.as_str())
        };
        while parser.advance(&limits, &mut input).map_err(bad)? != ResponseProgress::Complete {
            match stream.read(input.room())? {
                0 => {
                    parser.eof().map_err(bad)?;
                    break;
                }
                len => input.commit(len),
            }
        }
        let response = parser.response(input.filled());
        let response = response.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok((response.status, response.body.to_vec()))
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let port = self.url.port();
        let addresses: Vec<_> = match self.url.host() {
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

    fn request(&self, method: Method, path: &str, body: &str) -> io::Result<Vec<u8>> {
        let mut memory = vec![0; REQUEST_BYTES_MAX];
        let mut out = Out::new(&mut memory);
        let host = format!("{}:{}", self.url.host_text(), self.url.port());
        let mut head = RequestHead::new(&mut out, method, path, &host)
            .field(
                "user-agent",
                concat!("dubhook/", env!("CARGO_PKG_VERSION")).as_bytes(),
            )
            .field("connection", b"close");
        if !body.is_empty() {
            head = head.field("content-type", b"application/json");
        }
        if let Some(key) = &self.remote.api_key {
            head = head.field("authorization", format!("Bearer {key}").as_bytes());
        }
        let written = head.finish_with_length(body.len());
        out.put(body.as_bytes());
        let len = out.finish();
        match (written, len) {
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
}

/// What a problem document says.
fn problem(status: u16, body: &[u8]) -> String {
    let Ok(problem) = json::object(body) else {
        return format!("the server answered {status}");
    };
    let detail = super::show::member(&problem, "detail");
    match super::show::member(&problem, "field").as_str() {
        "" => detail,
        field => format!("{field}: {detail}"),
    }
}

/// Builds the JSON body of a request.
pub(super) fn body(write: impl FnOnce(&mut Writer<'_, '_>)) -> String {
    let mut memory = vec![0; REQUEST_BYTES_MAX];
    let mut out = Out::new(&mut memory);
    let mut json = Writer::new(&mut out);
    json.object();
    write(&mut json);
    json.end_object();
    String::from_utf8_lossy(out.written()).into_owned()
}

/// The items of a list as objects.
pub(super) fn items<'b>(list: &Object<'b>) -> Vec<Object<'b>> {
    let Ok(Some(json::Value::Array(items))) = list.get("data") else {
        return Vec::new();
    };
    items
        .items()
        .filter_map(|item| match item {
            json::Value::Object(object) => Some(object),
            _ => None,
        })
        .collect()
}

/// An answer as an object.
pub(super) fn object(body: &[u8]) -> Result<Object<'_>, Fail> {
    json::object(body)
        .map_err(|_| Fail::NotDone("the server's answer is no JSON object".to_owned()))
}

/// An id as it may stand in a path: what nobody would have made is refused here already.
pub(super) fn id<'a>(id: &'a str, prefix: &str) -> Result<&'a str, Fail> {
    let letters = id.strip_prefix(prefix).unwrap_or_default();
    if !letters.is_empty() && letters.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(id);
    }
    Err(Fail::Usage(format!(
        "{id:?} is no id: they look like {prefix}01k3…"
    )))
}
