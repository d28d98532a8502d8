//! `listen`: registers a webhook and hands on what it is told, as it came.

use super::{
    api,
    exchange::{Ask, PATIENCE, exchange},
    fail::Fail,
    remote::{Remote, close},
    show::{self, Paint},
    signals::endings,
};
use async_io::block_on;
use clap::Args;
use dubhook_core::{
    event::Filter,
    http::Method,
    model::{self, Data},
    out::Out,
    signature::Secret,
    time::Timestamp,
    url::Url,
};
use dubhook_smol::{
    client::{Arrival, Delivery, Error, Event, HandOn},
    orphans,
    tls::Trust,
};
use futures_lite::{
    StreamExt,
    future::{self, FutureExt},
    io::AsyncWriteExt,
};
use smol::process::{Command, Stdio};
use std::io;

/// The longest URL that events are sent on to, in bytes.
const URL_BYTES_MAX: usize = 2_048;

#[derive(Debug, Args)]
pub(super) struct Listen {
    /// The port to be told at; 0 picks a free one
    #[arg(long, default_value_t = 3120)]
    port: u16,
    /// The name by which the server reaches this machine
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    host: String,
    /// The address to listen on, where the name leads to another machine that passes connections on
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<String>,
    /// Which events: names with a comma between, or `translation.*`
    #[arg(long, default_value = "translation.*", value_parser = parse_events)]
    events: Filter,
    /// Send each webhook on to this URL as it came, with its signature
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    forward_to: Option<String>,
    /// Run this by `sh -c` for each webhook: its body on the standard input as it came; WEBHOOK_ID, WEBHOOK_TIMESTAMP,
    /// WEBHOOK_SIGNATURE and WEBHOOK_CONTENT_TYPE in the environment
    #[arg(long, value_name = "CMD")]
    exec: Option<String>,
    /// Have the server sign with this secret, so that whoever is handed a webhook can verify it
    #[arg(
        long,
        value_name = "whsec_…",
        env = "DUBHOOK_SECRET",
        hide_env_values = true,
        value_parser = parse_secret
    )]
    secret: Option<Secret>,
    #[command(flatten)]
    remote: Remote,
}

impl Listen {
    pub(super) fn run(&self) -> Result<(), Fail> {
        // Signals are heard before there is a webhook to remove.
        let mut signals = endings()?;
        block_on(async {
            let client = self.remote.client();
            let mut client = client
                .webhook(&self.host, self.port)
                .webhook_events(self.events)
                .description("dubhook listen");
            if let Some(secret) = &self.secret {
                client = client.webhook_secret(secret.clone());
            }
            if let Some(address) = &self.bind {
                client = client.webhook_listen(address, self.port);
            }
            // Before the server knows of the webhook: from then on it may be told of something.
            let arrivals = client.hand_on();
            let registered = async {
                client.register_webhook().await.map_err(Self::blame)?;
                let url = client.webhook_url().unwrap_or_default();
                let told_at = format!("told at {url}; Ctrl-C ends it");
                show::say(&Paint::stderr().dim(&told_at));
                future::pending().await
            };
            // Something may come before the server has said that it knows.
            let heard = registered.or(self.hand_on(arrivals));
            let interrupted = async {
                signals.next().await;
                Ok(())
            };
            let heard = heard.or(interrupted).await;
            close(&client, &mut signals).await?;
            heard
        })
    }

    /// What went wrong, with a flag that helps where it is the address.
    fn blame(error: Error) -> Fail {
        match error {
            Error::Listen { address, error } if error.kind() == io::ErrorKind::AddrNotAvailable => {
                Fail::NotDone(format!(
                    "cannot listen on {address}: it is no address of this machine; \
                     say where to listen with --bind ADDRESS"
                ))
            }
            error => error.into(),
        }
    }

    async fn hand_on(&self, mut arrivals: HandOn) -> Result<(), Fail> {
        let trust = self.remote.trust()?;
        let mut differs = false;
        while let Some(taken) = arrivals.next().await {
            let handed = match &taken.arrival {
                Arrival::Event(event) => {
                    self.print(event)?;
                    Handed::from(&**event)
                }
                Arrival::Test(delivery) => {
                    self.print_test(delivery)?;
                    Handed::from(&**delivery)
                }
                Arrival::Clocks { ours, theirs } => {
                    // Once, until one is good again.
                    if !std::mem::replace(&mut differs, true) {
                        warn("the clocks", Err(clocks(*ours, *theirs)));
                    }
                    continue;
                }
            };
            differs = false;
            if let Some(command) = &self.exec {
                warn("--exec", exec(command, &handed).await);
            }
            if let Some(url) = &self.forward_to {
                let forwarded = forward(url, &trust, &handed).await;
                if forwarded.is_err() {
                    warn("--forward-to", forwarded);
                    // It is not handed on: not answered, it comes again.
                    continue;
                }
            }
            taken.done();
        }
        Ok(())
    }

    fn print(&self, event: &Event) -> Result<(), Fail> {
        if self.remote.json {
            show::print_json(event_json(event).as_bytes())?;
        } else {
            show::print_line(&line(Paint::stdout(), event))?;
        }
        Ok(())
    }

    fn print_test(&self, delivery: &Delivery) -> Result<(), Fail> {
        if self.remote.json {
            show::print_json(&delivery.body)?;
        } else {
            let paint = Paint::stdout();
            let at = delivery.timestamp.parse().unwrap_or(0_u64);
            let at = Timestamp::from_unix_ms(at.saturating_mul(1_000)).text();
            let at = paint.dim(&at[11..23]);
            show::print_line(&format!("{at}  {:<22}  {}", "webhook.test", delivery.id))?;
        }
        Ok(())
    }
}

/// What is handed on: a webhook as it came, so that whoever gets it can verify it. What the client had to ask for nobody
/// has signed.
#[derive(Debug)]
struct Handed {
    body: Vec<u8>,
    /// The names of header fields, and their values.
    fields: Vec<(&'static str, String)>,
}

impl From<&Event> for Handed {
    fn from(event: &Event) -> Self {
        let Some(delivery) = &event.delivery else {
            return Self {
                body: event_json(event).into(),
                fields: vec![("content-type", "application/json".to_owned())],
            };
        };
        Self::from(&**delivery)
    }
}

impl From<&Delivery> for Handed {
    fn from(delivery: &Delivery) -> Self {
        let fields = [
            ("content-type", &delivery.content_type),
            ("webhook-id", &delivery.id),
            ("webhook-timestamp", &delivery.timestamp),
            ("webhook-signature", &delivery.signature),
        ];
        Self {
            body: delivery.body.clone(),
            fields: fields.map(|(name, value)| (name, value.clone())).into(),
        }
    }
}

/// What went wrong with one event does not end the listening.
fn warn(what: &str, done: io::Result<()>) {
    if let Err(error) = done {
        show::say(&format!(
            "{} {what}: {error}",
            Paint::stderr().yellow("warning:")
        ));
    }
}

/// What is wrong with the clocks, for somebody who can set one of them.
fn clocks(ours: Timestamp, theirs: Timestamp) -> io::Error {
    let minutes = ours.as_unix_ms().abs_diff(theirs.as_unix_ms()) / 60_000;
    let (ours, theirs) = (ours.text(), theirs.text());
    io::Error::other(format!(
        "this machine's says {}, the server's {}: they are {minutes} minutes apart, and more than 5 are too many. \
         Webhooks are refused until one of them is set right",
        &*ours, &*theirs
    ))
}

/// The environment variables that a command finds the fields of a webhook in.
const VARIABLES: [(&str, &str); 4] = [
    ("content-type", "WEBHOOK_CONTENT_TYPE"),
    ("webhook-id", "WEBHOOK_ID"),
    ("webhook-timestamp", "WEBHOOK_TIMESTAMP"),
    ("webhook-signature", "WEBHOOK_SIGNATURE"),
];

async fn exec(line: &str, handed: &Handed) -> io::Result<()> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(line).stdin(Stdio::piped());
    for (field, variable) in VARIABLES {
        match handed.fields.iter().find(|(name, _)| *name == field) {
            Some((_, value)) => command.env(variable, value),
            // One that is there already is of no event of ours.
            None => command.env_remove(variable),
        };
    }
    let (mut child, _known) = orphans::spawn(&mut command)?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(&handed.body).await {
            // It need not read what it does not care for.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
    }
    let status = child.status().await?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{line:?} ended with {status}")))
}

async fn forward(url: &str, trust: &Trust, handed: &Handed) -> io::Result<()> {
    let url = Url::parse(url, URL_BYTES_MAX)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.as_str()))?;
    let mut target = vec![0; 2_100];
    let mut target = Out::new(&mut target);
    url.write_target(&mut target);
    let fields = handed.fields.iter();
    let fields: Vec<_> = fields
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let ask = Ask {
        method: Method::Post,
        target: &String::from_utf8_lossy(target.written()),
        body: &handed.body,
        fields: &fields,
        api_key: None,
        patience: PATIENCE,
    };
    match exchange(&url, trust, ask).await? {
        (200..=299, _) => Ok(()),
        (status, _) => Err(io::Error::other(format!("the receiver answered {status}"))),
    }
}

/// An event on a line: time, kind, job, and what matters about it.
pub(super) fn line(paint: Paint, event: &Event) -> String {
    let job = &event.translation;
    let at = job.updated_at.text();
    let kind = format!("{:<22}", event.kind.as_str());
    let rest = match (&job.output_url, &job.error) {
        (Some(output), _) => show::plain(output),
        (None, Some(error)) => show::plain(error),
        (None, None) => format!("{} %", job.progress),
    };
    let kind = kind.replace(event.kind.as_str(), &paint.status(event.kind.as_str()));
    format!("{}  {kind}  {}  {rest}", paint.dim(&at[11..23]), job.name())
}

/// An event as the body of its webhook.
fn event_json(event: &Event) -> String {
    let translation = event.translation.clone();
    api::body(&model::Event {
        timestamp: translation.updated_at,
        data: Data::Translation(event.kind, translation),
    })
}

fn parse_url(text: &str) -> Result<String, String> {
    match Url::parse(text, URL_BYTES_MAX) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.as_str().to_owned()),
    }
}

fn parse_secret(text: &str) -> Result<Secret, String> {
    Secret::parse(text).map_err(|error| error.as_str().to_owned())
}

fn parse_events(text: &str) -> Result<Filter, String> {
    let mut filter = Filter::NONE;
    for name in text.split(',') {
        if !filter.add(name.trim()) {
            return Err(format!(
                "there is no event {name:?}; translation.completed is one, translation.* are all"
            ));
        }
    }
    Ok(filter)
}
