//! How a client is set up.

use super::error::Error;
use crate::{hidden::Hidden, tls::Trust};
use dubhook_core::{
    client::{Server, Timings},
    event::Filter,
    signature::Secret,
    url::Url,
};
use std::{net::Ipv6Addr, path::PathBuf, sync::Arc, time::Duration};

/// Where webhooks come in, below the client's host and port.
pub(super) const WEBHOOK_PATH: &str = "/webhook";

/// Everything that can be set.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) server: String,
    /// Others with the same records.
    pub(super) more_servers: Vec<String>,
    pub(super) api_key: Option<Hidden<String>>,
    /// Certificates that are believed besides the platform's.
    pub(super) ca_files: Vec<PathBuf>,
    /// Host and port that the server calls.
    pub(super) webhook: Option<(String, u16)>,
    /// Where to listen, if that is another address.
    pub(super) listen: Option<(String, u16)>,
    pub(super) events: Filter,
    /// What the server shall sign with, if the caller has a secret.
    pub(super) secret: Option<Secret>,
    pub(super) description: String,
    pub(super) capacity: usize,
    pub(super) patience: Duration,
    pub(super) timings: Timings,
}

/// A host as a URL has it: an IPv6 address stands in brackets (RFC 3986, section 3.2.2).
pub(super) fn in_url(host: String) -> String {
    match host.parse::<Ipv6Addr>() {
        Ok(_) => format!("[{host}]"),
        Err(_) => host,
    }
}

impl Options {
    pub(super) fn new(server: String) -> Self {
        Self {
            server,
            more_servers: Vec::new(),
            api_key: None,
            ca_files: Vec::new(),
            webhook: None,
            listen: None,
            events: Filter::TRANSLATION,
            secret: None,
            description: "dubhook client".to_owned(),
            capacity: 4_096,
            patience: Duration::from_secs(10),
            timings: Timings::STANDARD,
        }
    }

    /// All servers, the first one first, if their URLs are good.
    pub(super) fn servers(&self) -> Result<Vec<Url<'_>>, Error> {
        let all = std::iter::once(&self.server).chain(&self.more_servers);
        all.map(|url| {
            let server = Server::parse(url).map_err(|error| Error::Server {
                url: url.clone(),
                error,
            })?;
            Ok(*server.url())
        })
        .collect()
    }

    /// The server, if its URL and key are good.
    pub(super) fn server(&self) -> Result<Server<'_>, Error> {
        let blame = |error| Error::Server {
            url: self.server.clone(),
            error,
        };
        let server = Server::parse(&self.server).map_err(blame)?;
        match &self.api_key {
            None => Ok(server),
            Some(Hidden(key)) => server.with_key(key).map_err(blame),
        }
    }

    /// Whom to believe that it is the server.
    pub(super) fn trust(&self) -> Result<Trust, Error> {
        let mut trust = Trust::platform();
        for file in &self.ca_files {
            let more = trust.with_file(file);
            trust = more.map_err(|error| Error::Tls(Arc::new(error)))?;
        }
        Ok(trust)
    }

    pub(super) fn patience_ms(&self) -> u64 {
        self.patience.as_millis().try_into().unwrap_or(u64::MAX)
    }
}
