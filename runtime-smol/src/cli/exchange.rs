//! One HTTP exchange on a connection of its own, for commands that make one call and end.

use dubhook_core::{
    http::{Method, RequestHead, Response},
    out::Out,
    url::Url,
};
use dubhook_smol::{
    exchange::{Link, LinkError},
    tls::Trust,
};
use std::{io, time::Duration};

/// How long the other side may take for anything, where it is not asked to wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long the other side may take for a piece of a file: it syncs it, and looks at the last one's whole file.
pub(super) const TRANSFER_PATIENCE: Duration = Duration::from_secs(120);
/// The longest answer, in bytes, its head included.
pub(super) const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest request, in bytes, its head included; of a piece of a file, its head.
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

/// Where the pieces of an answer go, and whether they do.
#[derive(Debug)]
pub(super) struct Pouring<W, T> {
    /// By its head, whether it is what was asked for.
    pub(super) wants: W,
    /// Takes the next piece.
    pub(super) take: T,
}

/// Asks the server that `url` names. Returns the status and the body of its answer.
pub(super) async fn exchange(
    url: &Url<'_>,
    trust: &Trust,
    ask: Ask<'_>,
) -> Result<(u16, Vec<u8>), LinkError> {
    exchange_for(url, trust, ask, |answer| {
        (answer.status, answer.body.to_vec())
    })
    .await
}

/// Asks the server that `url` names. Returns what `read` makes of its answer.
pub(super) async fn exchange_for<T>(
    url: &Url<'_>,
    trust: &Trust,
    ask: Ask<'_>,
    read: impl FnOnce(&Response<'_>) -> T,
) -> Result<T, LinkError> {
    let request = request(url, ask).map_err(LinkError::Connect)?;
    let link = Link::new(*url, trust.clone(), ANSWER_BYTES_MAX);
    let mut link = link.patience(ask.patience);
    let answer = link.exchange(ask.method, &request).await?;
    Ok(read(&answer))
}

/// Gets something that may be long from the server that `url` names: each piece goes to `take`, if the answer's head is one that
/// `wants` wants and says how long it is. None then; else what `read` makes of the answer.
pub(super) async fn pour<T>(
    url: &Url<'_>,
    trust: &Trust,
    ask: Ask<'_>,
    pouring: Pouring<impl FnOnce(&Response<'_>) -> bool, impl FnMut(&[u8]) -> io::Result<()>>,
    read: impl FnOnce(&Response<'_>) -> T,
) -> Result<Option<T>, LinkError> {
    let request = request(url, ask).map_err(LinkError::Connect)?;
    let link = Link::new(*url, trust.clone(), ANSWER_BYTES_MAX);
    let mut link = link.patience(ask.patience);
    let answer = link.pour(&request, pouring.wants, pouring.take).await?;
    Ok(answer.map(|answer| read(&answer)))
}

fn request(url: &Url<'_>, ask: Ask<'_>) -> io::Result<Vec<u8>> {
    const AGENT: &[u8] = concat!("dubhook/", env!("CARGO_PKG_VERSION")).as_bytes();
    let mut memory = vec![0; REQUEST_BYTES_MAX + ask.body.len()];
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
