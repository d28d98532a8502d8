//! The server that a command is about.

use super::{fail::Fail, show};
use async_io::Timer;
use async_signal::Signals;
use clap::Args;
use dubhook_core::{client, url::Host};
use dubhook_smol::{client::Client, tls::Trust};
use futures_lite::{FutureExt, StreamExt};
use std::{path::PathBuf, time::Duration};

/// Which server, and how to show what it says.
#[derive(Debug, Clone, Args)]
pub(super) struct Remote {
    /// The server; where several have the same records it may be given more than once, and the next one is asked when one does
    /// not answer or stands by
    #[arg(
        long = "server",
        value_name = "URL",
        env = "DUBHOOK_SERVER",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:8000"
    )]
    pub(super) servers: Vec<String>,
    /// The API key, if the server wants one
    #[arg(
        long,
        value_name = "KEY",
        env = "DUBHOOK_API_KEY",
        hide_env_values = true
    )]
    pub(super) api_key: Option<String>,
    /// A file of certificates to believe, as PEM, besides the platform's; may be given more than once
    #[arg(long = "ca", value_name = "FILE", env = "DUBHOOK_CA")]
    pub(super) ca_files: Vec<PathBuf>,
    /// Print JSON, for machines: one document, a list with all its pages, or one a line where it goes on
    #[arg(long)]
    pub(super) json: bool,
}

impl Remote {
    /// A client of this server.
    pub(super) fn client(&self) -> Client {
        let mut servers = self.servers.iter();
        let mut client = Client::new(servers.next().map_or("", String::as_str));
        for server in servers {
            client = client.another_server(server);
        }
        for file in &self.ca_files {
            client = client.ca_file(file);
        }
        match &self.api_key {
            Some(key) => client.api_key(key),
            None => client,
        }
    }

    /// Whether the server is on this machine, and so can read the files that we can.
    pub(super) fn is_here(&self) -> bool {
        self.servers.iter().all(|server| is_loopback(server))
    }

    /// Whose `https` to believe.
    pub(super) fn trust(&self) -> Result<Trust, Fail> {
        trust(&self.ca_files)
    }

    /// Shows an answer that is one object.
    pub(super) fn show(&self, answer: &[u8]) -> Result<(), Fail> {
        if self.json {
            show::print_json(answer)?;
        } else {
            show::print_members(answer)?;
        }
        Ok(())
    }
}

fn is_loopback(server: &str) -> bool {
    let Ok(server) = client::Server::parse(server) else {
        return false;
    };
    match server.url().host() {
        Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
        Host::V4(address) => address.is_loopback(),
        Host::V6(address) => address.is_loopback(),
    }
}

/// The platform's certificates, and those in the files.
pub(super) fn trust(files: &[PathBuf]) -> Result<Trust, Fail> {
    let mut trust = Trust::platform();
    for file in files {
        let more = trust.with_file(file);
        trust = more.map_err(|error| Fail::Usage(format!("--ca {error}")))?;
    }
    Ok(trust)
}

/// How long a webhook's removal may take: whoever ends a command does not wait for a server that hangs.
const CLOSE_MAX: Duration = Duration::from_millis(900);

/// Has a client remove its webhook. Who asks twice will not wait for that.
pub(super) async fn close(client: &Client, signals: &mut Signals) -> Result<(), Fail> {
    let closed = async { Ok(client.close().await?) };
    let at_once = async {
        signals.next().await;
        Ok(())
    };
    let too_late = async {
        Timer::after(CLOSE_MAX).await;
        if let Some(url) = client.webhook_url() {
            let note = "warning: the server has not said that it has removed the webhook";
            show::say(&format!("{note} {url}; dubhook webhooks list shows it"));
        }
        Ok(())
    };
    closed.or(at_once).or(too_late).await
}
