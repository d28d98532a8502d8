//! The servers that a command may ask: the one that answered last first, and the others in their turn.

use super::{
    exchange::{Ask, exchange, exchange_for},
    fail::Fail,
};
use dubhook_core::{
    client,
    http::{Method, Response},
    json,
    model::Problem,
    url::Url,
};
use dubhook_smol::{exchange::LinkError, tls::Trust};
use std::{cell::Cell, io};

/// No server's URL is longer.
const URL_BYTES_MAX: usize = 2_048;

/// Nor is one that a server gives out; it may carry a proof and a token.
const GIVEN_URL_BYTES_MAX: usize = 16 * 1_024;

/// Servers with the same records; one at least.
#[derive(Debug)]
pub(super) struct Servers {
    urls: Vec<String>,
    trust: Trust,
    /// Which one is asked first.
    at: Cell<usize>,
}

impl Servers {
    /// Those that the arguments name.
    pub(super) fn new(urls: &[String], trust: Trust) -> Result<Self, Fail> {
        for url in urls {
            client::Server::parse(url)
                .map_err(|error| Fail::Usage(format!("--server {url}: {}", error.as_str())))?;
        }
        if urls.is_empty() {
            return Err(Fail::Usage("--server names no server".to_owned()));
        }
        Ok(Self {
            urls: urls.to_vec(),
            trust,
            at: Cell::new(0),
        })
    }

    /// The URL of the one that is asked first, without a slash at its end.
    pub(super) fn first(&self) -> &str {
        let url = self.urls.get(self.at.get()).map_or("", String::as_str);
        url.trim_end_matches('/')
    }

    /// Moves a part of a file to the server that answered last, or from it: what `read` makes of its answer.
    pub(super) async fn transfer<T>(
        &self,
        ask: Ask<'_>,
        read: impl FnOnce(&Response<'_>) -> T,
    ) -> Result<T, Fail> {
        let moved = match Url::parse(self.first(), URL_BYTES_MAX) {
            Ok(url) => exchange_for(&url, &self.trust, ask, read).await,
            Err(error) => {
                let error = io::Error::new(io::ErrorKind::InvalidInput, error.as_str());
                Err(LinkError::Connect(error))
            }
        };
        moved.map_err(|error| Fail::Unreachable {
            server: self.first().to_owned(),
            error: error.into(),
        })
    }

    /// Moves a part of a file to somebody whom the server has named, or from him, at a URL that says all: no key is sent. What it
    /// says is nobody's business, so a failure names its host alone.
    pub(super) async fn transfer_at<T>(
        &self,
        url: &str,
        ask: Ask<'_>,
        read: impl FnOnce(&Response<'_>) -> T,
    ) -> Result<T, Fail> {
        let url = Url::parse(url, GIVEN_URL_BYTES_MAX).map_err(|error| {
            let why = error.as_str();
            Fail::NotDone(format!("the server names a URL that is none: {why}"))
        })?;
        let ask = Ask {
            target: url.path_and_query(),
            api_key: None,
            ..ask
        };
        let moved = exchange_for(&url, &self.trust, ask, read).await;
        moved.map_err(|error| Fail::Unreachable {
            server: url.host_text().to_owned(),
            error: error.into(),
        })
    }

    /// Asks one after the other until one has an answer of its own. Where none has, what the last one said.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<(u16, Vec<u8>), Fail> {
        let mut last = None;
        for count in 0..self.urls.len() {
            let at = (self.at.get() + count) % self.urls.len();
            let url = self.urls.get(at).map_or("", String::as_str);
            let answered = match Url::parse(url.trim_end_matches('/'), URL_BYTES_MAX) {
                Ok(url) => exchange(&url, &self.trust, ask).await,
                Err(error) => {
                    let error = io::Error::new(io::ErrorKind::InvalidInput, error.as_str());
                    Err(LinkError::Connect(error))
                }
            };
            let goes_on = match &answered {
                Ok((status, body)) => stands_by(*status, body),
                Err(LinkError::Connect(_)) => true,
                // It may have done what was asked.
                Err(_) => is_repeatable(&ask),
            };
            if !goes_on {
                self.at.set(at);
            }
            let answered = answered.map_err(|error| Fail::Unreachable {
                server: url.to_owned(),
                error: error.into(),
            });
            if !goes_on {
                return answered;
            }
            // A server that said something knows more than one that is not there.
            if last.is_none() || answered.is_ok() {
                last = Some(answered);
            }
        }
        last.unwrap_or_else(|| Err(Fail::Usage("--server names no server".to_owned())))
    }
}

/// Whether another server has the records.
fn stands_by(status: u16, body: &[u8]) -> bool {
    let mut memory = vec![0; body.len()];
    status == 503
        && json::from_slice_in::<Problem<String>>(body, &mut memory)
            .is_ok_and(|problem| problem.code.as_deref() == Some("stands_by"))
}

/// Whether a call may be made again though nobody knows what became of it. What a worker says, it may say twice, and a job
/// that it was given without hearing of it comes back.
fn is_repeatable(ask: &Ask<'_>) -> bool {
    ask.method != Method::Post || ask.target.starts_with("/v1/work/")
}
