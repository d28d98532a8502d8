//! One call of the HTTP API, and an answer that is worth showing.

use super::{
    exchange::{Ask, PATIENCE, REQUEST_BYTES_MAX, exchange},
    fail::Fail,
    remote::Remote,
    show::member,
};
use async_io::block_on;
use dubhook_core::{
    client::Server,
    http::Method,
    json::{self, Object, Writer},
    out::Out,
};
use dubhook_smol::tls::Trust;

/// A server to call.
#[derive(Debug)]
pub(super) struct Api<'r> {
    remote: &'r Remote,
    server: Server<'r>,
    trust: Trust,
}

impl<'r> Api<'r> {
    /// The server that the arguments name.
    pub(super) fn new(remote: &'r Remote) -> Result<Self, Fail> {
        let server = &remote.server;
        let server = Server::parse(server)
            .map_err(|error| Fail::Usage(format!("--server {server}: {}", error.as_str())))?;
        let server = match &remote.api_key {
            None => server,
            Some(key) => server
                .with_key(key)
                .map_err(|error| Fail::Usage(format!("--api-key: {}", error.as_str())))?,
        };
        let trust = remote.trust()?;
        Ok(Self {
            remote,
            server,
            trust,
        })
    }

    /// Calls without a body.
    pub(super) fn get(&self, path: &str) -> Result<Vec<u8>, Fail> {
        self.call(Method::Get, path, "")
    }

    /// Makes a call. The answer's body where it succeeds; what the server says is wrong where it does not.
    pub(super) fn call(&self, method: Method, path: &str, body: &str) -> Result<Vec<u8>, Fail> {
        let ask = Ask {
            method,
            target: path,
            body: body.as_bytes(),
            fields: &[],
            api_key: self.server.key(),
            patience: PATIENCE,
        };
        let (status, answer) =
            block_on(exchange(self.server.url(), &self.trust, ask)).map_err(|error| {
                Fail::Unreachable {
                    server: self.remote.server.clone(),
                    error,
                }
            })?;
        match status {
            200..=299 => Ok(answer),
            400 | 415 | 422 => Err(Fail::Usage(problem(status, &answer))),
            _ => Err(Fail::NotDone(problem(status, &answer))),
        }
    }
}

/// What a problem document says.
pub(super) fn problem(status: u16, body: &[u8]) -> String {
    let Ok(problem) = json::object(body) else {
        return format!("the server answered {status}");
    };
    let detail = member(&problem, "detail");
    match member(&problem, "field").as_str() {
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
