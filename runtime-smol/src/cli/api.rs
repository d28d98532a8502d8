//! One call of the HTTP API, and an answer that is worth showing.

use super::{
    exchange::{Ask, PATIENCE, REQUEST_BYTES_MAX, TRANSFER_PATIENCE},
    fail::Fail,
    remote::Remote,
    rest::rest,
    servers::Servers,
    show::plain,
};
use async_io::block_on;
use dubhook_core::{
    client::check_api_key,
    http::{Method, Response},
    json,
    model::Problem,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{io, time::Duration};

/// A server to call.
#[derive(Debug)]
pub(super) struct Api<'r> {
    servers: Servers,
    api_key: Option<&'r str>,
}

impl<'r> Api<'r> {
    /// The server that the arguments name.
    pub(super) fn new(remote: &'r Remote) -> Result<Self, Fail> {
        let servers = Servers::new(&remote.servers, remote.trust()?)?;
        let api_key = remote.api_key.as_deref();
        if let Some(key) = api_key {
            check_api_key(key)
                .map_err(|error| Fail::Usage(format!("--api-key: {}", error.as_str())))?;
        }
        Ok(Self { servers, api_key })
    }

    /// Calls without a body.
    pub(super) fn get(&self, path: &str) -> Result<Vec<u8>, Fail> {
        self.call(Method::Get, path, "")
    }

    /// Makes a call. The answer's body where it succeeds; what the server says is wrong where it does not.
    pub(super) fn call(&self, method: Method, path: &str, body: &str) -> Result<Vec<u8>, Fail> {
        let (status, answer) = self.answer(method, path, body)?;
        match status {
            200..=299 => Ok(answer),
            _ => Err(refusal(status, &answer)),
        }
    }

    /// Makes a call. The status and the body of its answer, whatever they are.
    pub(super) fn answer(
        &self,
        method: Method,
        path: &str,
        body: &str,
    ) -> Result<(u16, Vec<u8>), Fail> {
        let ask = Ask {
            method,
            target: path,
            body: body.as_bytes(),
            fields: &[],
            api_key: self.api_key,
            patience: PATIENCE,
        };
        block_on(self.servers.ask(ask))
    }

    /// Moves a piece of a file: what `read` makes of the answer, whatever that is. A `path` that is a whole URL leads to somebody
    /// else, such as an object store.
    pub(super) fn transfer<T>(
        &self,
        method: Method,
        path: &str,
        fields: &[(&'static str, &str)],
        body: &[u8],
        read: impl FnOnce(&Response<'_>) -> T,
    ) -> Result<T, Fail> {
        let ask = Ask {
            method,
            target: path,
            body,
            fields,
            api_key: self.api_key,
            patience: TRANSFER_PATIENCE,
        };
        block_on(self.servers.transfer(ask, read))
    }

    /// Gets the rest of a file: see [`rest`].
    pub(super) fn rest(
        &self,
        path: &str,
        at: u64,
        tag: Option<&str>,
        take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<u64> {
        block_on(rest(&self.servers, self.api_key, path, at, tag, take))
    }
}

/// The pauses after which a piece that was lost is moved again.
pub(super) const PAUSES: [Duration; 4] = [
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
];

/// What is said of an answer that is none to be glad of.
pub(super) fn refusal(status: u16, answer: &[u8]) -> Fail {
    match status {
        400 | 415 | 422 => Fail::Usage(problem(status, answer)),
        401 => {
            let why = problem(status, answer);
            Fail::NotDone(format!("{why} (--api-key KEY, or DUBHOOK_API_KEY)"))
        }
        _ => Fail::NotDone(problem(status, answer)),
    }
}

/// What a problem document says.
pub(super) fn problem(status: u16, body: &[u8]) -> String {
    let Ok(problem) = read::<Problem<String>>(body) else {
        return format!("the server answered {status}");
    };
    let detail = plain(&problem.detail.unwrap_or_default());
    match plain(&problem.field.unwrap_or_default()).as_str() {
        "" => detail,
        field => format!("{field}: {detail}"),
    }
}

/// The JSON of a typed value.
pub(super) fn body(value: &impl Serialize) -> String {
    let mut memory = vec![0; REQUEST_BYTES_MAX];
    let len = json::to_slice(value, &mut memory).unwrap_or_default();
    memory.truncate(len);
    String::from_utf8(memory).unwrap_or_default()
}

/// An answer as a typed value.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fail> {
    let mut memory = vec![0; body.len()];
    json::from_slice_in(body, &mut memory)
        .map_err(|error| Fail::NotDone(format!("the server's answer makes no sense: {error}")))
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
