//! The background task: it lends the machine memory, moves its bytes, and watches its clock.

use super::{
    command::{Command, Reply},
    driver::Driver,
    error::Error,
    lock::lock,
    options::{Options, WEBHOOK_PATH},
    receive,
    session::{Session, Turn},
    subscriptions::Subscriptions,
};
use crate::{
    entropy,
    exchange::{Link, LinkError, stands_by},
    memory::Zeroed,
    tls::Trust,
};
use async_io::Async;
use dubhook_core::{
    client::{Client, ClientMemory, Config, Exchange, Failure, Webhook},
    http::{Limits, ResponseError},
    out::Out,
    url::Url,
};
use futures_lite::future::FutureExt;
use smol::{
    Executor,
    channel::{Receiver, Sender, bounded, unbounded},
};
use std::{borrow::Cow, net::TcpListener, sync::Arc};

/// The longest request for a translation, in bytes.
const SUBMISSION_BYTES_MAX: usize = 16 * 1024;
/// The longest answer, in bytes, its head included.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A client that runs. It ends when the last handle is gone.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) commands: Sender<Command>,
    pub(super) webhook_url: Option<String>,
}

impl Running {
    /// Has something done, and waits for what comes of it.
    pub(super) async fn ask<T>(
        &self,
        command: impl FnOnce(Reply<T>) -> Command,
    ) -> Result<T, Error> {
        let (reply, answer) = bounded(1);
        let sent = self.commands.try_send(command(reply));
        sent.map_err(|_| Error::Closed)?;
        answer.recv().await.map_err(|_| Error::Closed)?
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nobody waits for it, so the answer goes nowhere.
        let (reply, _) = bounded(1);
        let _ = self.commands.try_send(Command::Close(reply));
    }
}

/// Listens, if there is a webhook, and starts the task.
pub(super) async fn start(
    options: Options,
    subscriptions: Arc<Subscriptions>,
) -> Result<Running, Error> {
    let seed = entropy::seed().map_err(|error| Error::Entropy(Arc::new(error)))?;
    options.server()?;
    options.servers()?;
    let trust = options.trust()?;
    let (listeners, url) = match &options.webhook {
        None => (Vec::new(), None),
        Some((host, port)) => {
            let (listeners, bound) = match &options.listen {
                Some((address, port)) => receive::listen(address, *port).await?,
                None => receive::listen(host, *port).await?,
            };
            // Behind a forwarder, the port that others see is the one that was named.
            let port = if *port == 0 { bound } else { *port };
            let url = format!("http://{host}:{port}{WEBHOOK_PATH}");
            (listeners, Some(url))
        }
    };
    if let Some(url) = &url {
        webhook(url)?;
    }
    let (commands, received) = unbounded();
    let orders = (commands.clone(), received);
    let webhook_url = url.clone();
    smol::spawn(run(
        options,
        trust,
        subscriptions,
        listeners,
        url,
        orders,
        seed,
    ))
    .detach();
    Ok(Running {
        commands,
        webhook_url,
    })
}

fn webhook(url: &str) -> Result<Webhook<'_>, Error> {
    Webhook::new(url).map_err(|error| Error::WebhookUrl {
        url: url.to_owned(),
        error,
    })
}

/// The client's life.
async fn run(
    options: Options,
    trust: Trust,
    subscriptions: Arc<Subscriptions>,
    listeners: Vec<Async<TcpListener>>,
    url: Option<String>,
    (orders, commands): (Sender<Command>, Receiver<Command>),
    seed: [u8; 32],
) {
    let mut tables = ClientMemory::<Zeroed>::new(options.capacity, SUBMISSION_BYTES_MAX);
    // Both were found good before the task was started.
    let (Ok(server), Ok(servers), Ok(mut webhook)) = (
        options.server(),
        options.servers(),
        url.as_deref().map(webhook).transpose(),
    ) else {
        return;
    };
    if let Some(webhook) = &mut webhook {
        webhook.events = options.events;
        webhook.description = &options.description;
        webhook.secret.clone_from(&options.secret);
    }
    let config = Config {
        everything: true,
        http: Limits::SERVER,
        timings: options.timings,
        ..Config::new(server, webhook)
    };
    let client = Client::new(tables.lend(), config, seed);
    let session = Session::new(client, subscriptions, orders, options.patience_ms());
    let driver = Driver::new(session);
    driver.start();

    let executor = Executor::new();
    let links = servers
        .into_iter()
        .map(|url| (host(&url), Link::new(url, trust.clone(), ANSWER_BYTES_MAX)))
        .collect();
    let life = exchanges(&driver, Links { links, at: 0 })
        .or(driver.obey(&commands))
        .or(receive::accept(&driver, &listeners, &executor));
    executor.run(life).await;
    // What was wanted too late is dropped, so that nobody waits for it.
    commands.close();
    while commands.try_recv().is_ok() {}
}

/// Servers with the same records, and which one is asked first.
#[derive(Debug)]
struct Links<'u> {
    /// Each with what `Host` says to it.
    links: Vec<(Vec<u8>, Link<'u>)>,
    at: usize,
}

impl<'u> Links<'u> {
    fn first(&mut self) -> Option<(&[u8], &mut Link<'u>)> {
        let (host, link) = self.links.get_mut(self.at)?;
        Some((host, link))
    }

    /// Another one is asked first from here on.
    fn turn(&mut self) {
        self.at = (self.at + 1) % self.links.len().max(1);
    }
}

/// Asks the server what is to be asked, until the client has ended.
async fn exchanges(driver: &Driver<'_>, mut links: Links<'_>) {
    let mut memory = vec![0; lock(&driver.session).client().request_bytes_max()];
    loop {
        let changed = driver.listen();
        let turn = lock(&driver.session).poll(driver.now(), &mut memory);
        match turn {
            Turn::Send(exchange, len) => {
                let request = memory.get(..len).unwrap_or_default();
                exchange_once(driver, &mut links, exchange, request).await;
            }
            Turn::Wait(deadline) => driver.wait(changed, deadline).await,
            Turn::End => return,
        }
    }
}

async fn exchange_once(
    driver: &Driver<'_>,
    links: &mut Links<'_>,
    exchange: Exchange,
    request: &[u8],
) {
    let servers = links.links.len();
    for count in 1..=servers {
        let Some((host, link)) = links.first() else {
            return;
        };
        let request = addressed(request, host);
        let answered = async { Some(link.exchange(exchange.call.method(), &request).await) };
        let abandoned = async {
            driver.abandoned(exchange.id).await;
            None
        };
        let Some(result) = answered.or(abandoned).await else {
            // One that says nothing for so long may have died without a word.
            return links.turn();
        };
        // One that has not seen the request, or has not looked at it.
        let is_elsewhere = match &result {
            Ok(response) => stands_by(response.status, response.body),
            Err(error) => matches!(error, LinkError::Connect(_)),
        };
        if is_elsewhere && count < servers {
            links.turn();
            continue;
        }
        let is_gone = is_elsewhere || matches!(result, Err(LinkError::Broken(_)));
        let mut session = lock(&driver.session);
        match result {
            Ok(response) => session.respond(driver.now(), exchange.id, &response),
            Err(error) => {
                let (failure, why) = (failure(&error), error.to_string());
                session.fail(driver.now(), exchange.id, failure, why);
            }
        }
        drop(session);
        if is_gone {
            // The machine asks again, with the same key where it submits.
            links.turn();
        }
        return;
    }
}

/// What `Host` says to the server at this URL.
fn host(url: &Url<'_>) -> Vec<u8> {
    let mut memory = [0; 300];
    let mut out = Out::new(&mut memory);
    url.write_host(&mut out);
    out.written().to_vec()
}

/// A request to the server that `Host` names. The machine has written it to its own, the first one.
fn addressed<'r>(request: &'r [u8], host: &[u8]) -> Cow<'r, [u8]> {
    const NAME: &[u8] = b"\r\nhost: ";
    let at = request.windows(NAME.len()).position(|part| part == NAME);
    let parts = at.and_then(|at| {
        let (before, rest) = request.split_at_checked(at + NAME.len())?;
        let end = rest.iter().position(|byte| *byte == b'\r')?;
        let (named, after) = rest.split_at_checked(end)?;
        (named != host).then_some((before, after))
    });
    match parts {
        Some((before, after)) => [before, host, after].concat().into(),
        None => request.into(),
    }
}

/// What it means to the machine that there is no answer.
const fn failure(error: &LinkError) -> Failure {
    match error {
        LinkError::Connect(_) => Failure::Unreachable,
        LinkError::Broken(_) | LinkError::Answer(ResponseError::Truncated) => Failure::Broken,
        LinkError::Answer(_) => Failure::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_the_server_that_it_goes_to() {
        let to = |host: &str, body: &str| {
            format!(
                "POST /v1/translations HTTP/1.1\r\nhost: {host}\r\ncontent-length: 9\r\n\r\n{body}"
            )
        };
        // Not even a body can be taken for it.
        let body = "x\r\nhost: y";
        let written = to("one.test:8000", body);
        for host in ["one.test:8000", "two.test", "[::1]:8000"] {
            let addressed = addressed(written.as_bytes(), host.as_bytes());
            assert_eq!(*addressed, *to(host, body).as_bytes());
        }
        let url = Url::parse("https://two.test:443/", 100).unwrap();
        assert_eq!(host(&url), b"two.test");
    }
}
