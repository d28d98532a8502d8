//! What is played under either executor: a server and a client on one host, a job from its submission to its end.

use std::{env, error::Error, io};

use dubhook_core::{
    client::{self, Client, ClientStorage, Update, Webhook},
    http::Limits,
    id::Prefix,
    model::NewTranslation,
    record::Keep,
    server::{Config, Server, ServerStorage},
};
use dubhook_examples::{
    async_host::Loopback,
    driver::{ClientDriver, ServerDriver},
    host::{self, Records, now},
};

/// Connections that the server serves at a time.
pub(crate) const CONNS: usize = 4;
/// Deliveries that it attempts at a time.
pub(crate) const ATTEMPTS: usize = 2;

pub(crate) type Storage = ServerStorage<8, 4, CONNS, ATTEMPTS>;
pub(crate) type Serving<'a> = ServerDriver<'a, CONNS, ATTEMPTS>;

/// What is to be translated.
pub(crate) const WANTED: NewTranslation<&str> = NewTranslation::new("https://v.test/1.mp4", "es");

/// The records of earlier runs: of the file that the program is called with.
pub(crate) fn records() -> io::Result<Records> {
    Records::open(env::args().nth(1).unwrap_or("records".into()))
}

/// A server that goes on where the records end.
pub(crate) fn server<'a>(
    storage: &'a mut Storage,
    records: &Records,
) -> Result<Serving<'a>, Box<dyn Error>> {
    let mut config = Config::DEVICE;
    config.guard.allow_loopback = true;
    let mut server = Server::new(storage.lend(Keep::Records), config, host::seed()?)?;
    for (key, value) in &records.all {
        server.restore(now(), *key, value)?;
    }
    server.start(now())?;
    let service = server.service();
    let newest = service.newest_job().and_then(|slot| service.job(slot));
    match newest {
        None => println!("knows no job"),
        Some(job) => println!(
            "knows {}: {}",
            job.id().text(Prefix::Job),
            job.status().as_str()
        ),
    }
    Ok(ServerDriver::new(server))
}

/// A client of the server at one URL that is told at the other.
pub(crate) fn client<'a>(
    storage: &'a mut ClientStorage<4>,
    server: &'a str,
    webhook: &'a str,
) -> Result<ClientDriver<'a>, Box<dyn Error>> {
    let server = client::Server::parse(server)?;
    let mut config = client::Config::new(server, Some(Webhook::new(webhook)?));
    config.http = Limits::SERVER;
    let client = Client::new(storage.lend(), config, host::seed()?);
    Ok(ClientDriver::new(client))
}

/// Prints what the client learns. Whether a job has ended.
pub(crate) fn print(update: &Update<'_>) -> bool {
    match update {
        Update::Submitted(job) => println!("submitted {}", job.id.text(Prefix::Job)),
        Update::Job(change) => {
            let (source, name) = (change.source, change.kind.as_str());
            println!("{source:?}: {name} {}", change.job.id.text(Prefix::Job));
            return change.job.has_ended();
        }
        Update::Registered(_) => println!("registered"),
        other => println!("{other:?}"),
    }
    false
}

/// Two places on the host, the server's and the client's, and their URLs.
pub(crate) fn places() -> io::Result<[(Loopback, String); 2]> {
    let (callers, webhooks) = (Loopback::bind()?, Loopback::bind()?);
    let (server, webhook) = (callers.url()?, webhooks.url()?);
    Ok([(callers, server), (webhooks, webhook)])
}
