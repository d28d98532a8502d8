//! `serve`: the server.

use super::{
    database::{self, StoreUrl},
    duration,
    fail::Fail,
    log, object_store,
    remote::trust,
    signals::endings,
    size,
};
use async_signal::Signals;
use clap::{Args, ValueEnum};
use dubhook_core::{
    address::Cidr,
    client::{self, check_api_key},
    dispatch::Schedule,
    service::Limits,
    simulate::Settings,
    url::Url,
};
use dubhook_smol::{
    entropy,
    media::{self, Folder, ObjectStore},
    memory::Capacity,
    pages,
    server::{Builder, Server, Stopper},
    store::Disk,
    tls::Identity,
    translate::Command,
};
use futures_lite::StreamExt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    convert::Infallible,
    io::{self, Write},
    net::IpAddr,
    path::PathBuf,
    time::Duration,
};

/// How long a server speaks after it was last heard in its database.
const LEASE: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8000", value_parser = parse_listen)]
    listen: String,
    /// Where jobs, webhooks and what is owed are kept; one server uses it at a time
    #[arg(
        long,
        value_name = "DIR",
        default_value = "dubhook-data",
        conflicts_with = "in_memory"
    )]
    data: PathBuf,
    /// A PostgreSQL database where all of it is kept instead; several servers may use it: one at a time serves, and the
    /// others stand by. postgres://USER@HOST:PORT,HOST:PORT/DATABASE?sslmode=disable|require|verify-full; the password is
    /// that of PGPASSWORD, PGPASSFILE, or the URL in DUBHOOK_STORE
    #[arg(
        long,
        value_name = "URL",
        env = "DUBHOOK_STORE",
        hide_env_values = true,
        conflicts_with_all = ["data", "in_memory"]
    )]
    store: Option<StoreUrl>,
    /// How long a server speaks after it was last heard in the database, 3s where not said; a little later another one
    /// takes over
    #[arg(long, value_name = "TIME", value_parser = parse_lease)]
    lease: Option<Duration>,
    /// In which schema of the database the tables are, `dubhook` where not said; it is made where it is not there
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// With --store: where the other servers reach this one, to pass on to it what they are asked while it serves. Where
    /// --listen says, if not said, which must then be no address like 0.0.0.0 that stands for all
    #[arg(long, value_name = "URL")]
    advertise: Option<String>,
    /// Keep nothing: all is gone when the server ends
    #[arg(long)]
    in_memory: bool,
    /// How long jobs that have ended are kept on disk
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = duration::parse)]
    retain: Duration,
    /// Where videos are kept: those that are uploaded, and those that come of them; where not said, in `media` below --data. Or an
    /// object store that speaks S3, as `s3://BUCKET/PREFIX`: its keys are in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
    /// AWS_SESSION_TOKEN, where it is in AWS_REGION and, unless it is Amazon's, AWS_ENDPOINT_URL
    #[arg(long, value_name = "DIR|URL")]
    media: Option<PathBuf>,
    /// How callers reach this server, such as `https://dubhook.example.com`: outputs that it keeps are told as links below it. Where
    /// not said it is as --advertise or --listen say
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    public_url: Option<String>,
    /// How large an upload may be
    #[arg(long, value_name = "SIZE", default_value = "5GiB", value_parser = size::parse)]
    upload_bytes_max: u64,
    /// How much all videos may have together; more is refused until there is room
    #[arg(long, value_name = "SIZE", default_value = "50GiB", value_parser = size::parse)]
    media_bytes_max: u64,
    /// How many jobs there may be, under way and ended
    #[arg(long, value_name = "JOBS", default_value_t = 100_000, value_parser = parse_capacity)]
    capacity: usize,
    /// Who translates
    #[arg(long, value_enum, default_value = "simulated")]
    translator: Kind,
    /// How long simulated jobs take
    #[arg(long, value_name = "FROM..TO", default_value = "5s..15s", value_parser = duration::parse_range_ms)]
    simulate: (u64, u64),
    /// Which share of simulated jobs fails, 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = parse_share)]
    simulate_errors: u32,
    /// The program that translates a job, run by `sh -c`: the job's JSON on its standard input
    #[arg(long, value_name = "CMD", required_if_eq("translator", "command"))]
    command: Option<String>,
    /// How many jobs are worked on at once; where not said as many programs as there are processors, and of simulated jobs
    /// all
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// How long such a program may take
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration::parse)]
    command_timeout: Duration,
    /// Where such programs put their output
    #[arg(long, value_name = "DIR", default_value = "dubhook-output")]
    output: PathBuf,
    /// A key that callers must have; may be given more than once
    #[arg(
        long = "api-key",
        value_name = "KEY",
        env = "DUBHOOK_API_KEYS",
        value_delimiter = ',',
        hide_env_values = true
    )]
    api_keys: Vec<String>,
    /// A network that webhooks may go to though it is not public; may be given more than once
    #[arg(long = "allow-callback", value_name = "CIDR", value_parser = parse_network)]
    allow_callbacks: Vec<Cidr>,
    /// Serve https with this certificate, and those that lead from it to a root, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A file of certificates to believe receivers by, as PEM, besides the platform's; may be given more than once
    #[arg(long = "ca", value_name = "FILE", env = "DUBHOOK_CA")]
    ca_files: Vec<PathBuf>,
    /// How long a client's connection may be idle between requests; longer than a proxy in front keeps one
    #[arg(long, value_name = "TIME", default_value = "75s", value_parser = duration::parse)]
    idle_timeout: Duration,
    /// How long a webhook's receiver may take to answer
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration::parse)]
    attempt_timeout: Duration,
    /// How long to wait before each further attempt of a delivery; after the last one it is given up
    #[arg(long, value_name = "TIMES", value_delimiter = ',', value_parser = parse_pause,
          default_value = "5s,5m,30m,2h,5h,10h,10h")]
    retries: Vec<u32>,
    /// Take all randomness from this number, to repeat a run. Anybody who knows it knows every secret
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Log each delivery and each report too
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Nobody: jobs take a random time, and some fail
    Simulated,
    /// A program for each job
    Command,
    /// Workers elsewhere: `dubhook work`
    Remote,
}

impl Serve {
    pub(super) fn run(&self) -> Result<(), Fail> {
        self.check()?;
        self.log();
        take_descriptors();
        let builder = self.secure(self.builder())?;
        let builder = self.store(builder)?;
        let server = self.media(builder)?.bind();
        let server = server.map_err(|error| Fail::NotDone(error.to_string()))?;
        let (stopper, url) = (server.stopper(), server.url());
        // Signals are heard before anybody can know that there is a process to send them to.
        let signals = endings()?;
        let ready = || {
            let mut stdout = io::stdout().lock();
            // Whoever does not read this line wants no other.
            let _ = writeln!(stdout, "listening on {url}");
            let _ = stdout.flush();
        };
        let served = server.run_here(ready, stop_on_signals(signals, stopper));
        served.map_err(|error| Fail::NotDone(error.to_string()))
    }

    fn check(&self) -> Result<(), Fail> {
        self.check_translator()?;
        self.check_store()?;
        self.check_keys()
    }

    /// Refuses keys that nobody could send, and a server that is open though it was meant to ask for one.
    fn check_keys(&self) -> Result<(), Fail> {
        if !self.api_keys.is_empty() && self.keys().next().is_none() {
            return Err(Fail::Usage(
                "there is no key in --api-key or DUBHOOK_API_KEYS; leave them out if anybody may do everything"
                    .to_owned(),
            ));
        }
        // It does not show the key: whoever reads this need not know it.
        self.keys().try_for_each(check_api_key).map_err(|error| {
            Fail::Usage(format!("--api-key or DUBHOOK_API_KEYS: {}", error.as_str()))
        })
    }

    /// Refuses what goes with another store.
    fn check_store(&self) -> Result<(), Fail> {
        if self.store.is_some() {
            return self.check_advertised();
        }
        let flag = match (&self.lease, &self.schema, &self.advertise) {
            (Some(_), _, _) => "--lease",
            (None, Some(_), _) => "--schema",
            (None, None, Some(_)) => "--advertise",
            (None, None, None) => return Ok(()),
        };
        Err(Fail::Usage(format!("{flag} goes with --store URL")))
    }

    /// Refuses a place that others cannot reach this server at.
    fn check_advertised(&self) -> Result<(), Fail> {
        let Some(url) = &self.advertise else {
            let host = self.listen.rsplit_once(':').map_or("", |(host, _)| host);
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let is_all = host.parse().is_ok_and(|host: IpAddr| host.is_unspecified());
            return match is_all {
                false => Ok(()),
                true => Err(Fail::Usage(format!(
                    "--listen {} does not say where the other servers reach this one: say it with --advertise URL, like \
                     http://dub1.example.com:8000",
                    self.listen
                ))),
            };
        };
        let checked = client::Server::parse(url);
        checked
            .map(drop)
            .map_err(|error| Fail::Usage(format!("--advertise {url}: {}", error.as_str())))
    }

    /// The keys; commas with nothing between them are none.
    fn keys(&self) -> impl Iterator<Item = &str> {
        let keys = self.api_keys.iter().map(String::as_str);
        keys.filter(|key| !key.is_empty())
    }

    /// Refuses what goes with another translator.
    fn check_translator(&self) -> Result<(), Fail> {
        if self.translator == Kind::Command {
            return Ok(());
        }
        let flag = match (&self.command, self.workers) {
            (Some(_), _) => "--command",
            (None, Some(_)) if self.translator == Kind::Remote => "--workers",
            (None, _) => return Ok(()),
        };
        let instead = match self.translator {
            Kind::Remote => {
                ". With --translator remote the workers run the programs: dubhook work --exec CMD [--workers N]"
            }
            _ => "",
        };
        Err(Fail::Usage(format!(
            "{flag} goes with --translator command{instead}"
        )))
    }

    fn store(&self, builder: Builder) -> Result<Builder, Fail> {
        if self.in_memory {
            return Ok(builder);
        }
        if let Some(url) = &self.store {
            let store = database::open(
                url,
                self.schema.as_deref().unwrap_or(database::SCHEMA),
                self.lease.unwrap_or(LEASE),
                trust(&self.ca_files)?,
            )?;
            return Ok(builder.store(store).retain(self.retain));
        }
        let data = self.data.display();
        let disk = Disk::open(&self.data)
            .map_err(|error| Fail::NotDone(format!("--data {data}: {error}")))?;
        Ok(builder.store(disk).retain(self.retain))
    }

    /// Where nothing is kept, videos are not either, unless it is said where.
    fn media(&self, builder: Builder) -> Result<Builder, Fail> {
        let folder = match &self.media {
            Some(folder) => folder.clone(),
            None if self.in_memory => return Ok(builder),
            None => self.data.join("media"),
        };
        if self.store.is_some() && self.media.is_none() {
            tracing::warn!(
                media = %folder.display(),
                "uploaded videos and outputs are kept on this machine alone, and are out of reach when another server takes over: \
                 say with --media where all servers reach them"
            );
        }
        let limits = media::Limits {
            upload_bytes_max: self.upload_bytes_max,
            media_bytes_max: self.media_bytes_max,
        };
        let builder = match folder.to_str().filter(|url| url.starts_with("s3://")) {
            Some(url) => {
                let place = object_store::place(url)?;
                let builder = match pages::beside(place.origin()) {
                    Some(pages) => builder.pages(pages),
                    None => {
                        tracing::warn!(
                            store = place.origin(),
                            "the page cannot name this store in its policy, and neither sends nor plays videos"
                        );
                        builder
                    }
                };
                builder.media(ObjectStore::new(place, trust(&self.ca_files)?, limits))
            }
            None => {
                let blame = |error| Fail::NotDone(format!("--media {}: {error}", folder.display()));
                builder.media(Folder::open(&folder, limits).map_err(blame)?)
            }
        };
        Ok(match &self.public_url {
            Some(url) => builder.public_url(url),
            None => builder,
        })
    }

    fn secure(&self, builder: Builder) -> Result<Builder, Fail> {
        let builder = builder.trust(trust(&self.ca_files)?);
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(builder);
        };
        let identity = Identity::from_files(certificate, key)
            .map_err(|error| Fail::Usage(format!("--tls-cert and --tls-key: {error}")))?;
        Ok(builder.identity(identity))
    }

    fn log(&self) {
        log::show(if self.verbose {
            tracing::Level::DEBUG
        } else {
            tracing::Level::INFO
        });
    }

    fn limits(&self) -> Limits {
        let mut limits = Limits::SERVER;
        limits.attempt_ms = self.attempt_timeout.as_millis() as u64;
        limits.outbox.schedule = Schedule::new(&self.retries);
        limits
    }

    fn builder(&self) -> Builder {
        let mut builder = Server::builder()
            .listen(self.listen.as_str())
            .capacity(self.capacity)
            .limits(self.limits())
            .idle_timeout(self.idle_timeout)
            .pages(pages::ALL);
        if let Some(url) = &self.advertise {
            builder = builder.advertise(url);
        }
        for key in self.keys() {
            builder = builder.api_key(key);
        }
        for network in &self.allow_callbacks {
            builder = builder.allow_callback(*network);
        }
        if let Some(seed) = self.seed {
            builder = builder.seed(entropy::seed_from(seed));
        }
        match (self.translator, &self.command) {
            (Kind::Command, Some(line)) => builder.command(Command {
                line: line.clone(),
                workers: self.workers.unwrap_or_else(processors).max(1),
                output: self.output.clone(),
                timeout: self.command_timeout,
            }),
            (Kind::Remote, _) => builder.remote(),
            _ => builder
                .simulate_at_once(self.workers.unwrap_or(usize::MAX).max(1))
                .simulate(Settings {
                    shortest_ms: self.simulate.0,
                    longest_ms: self.simulate.1,
                    errors_ppm: self.simulate_errors,
                    ..Settings::STANDARD
                }),
        }
    }
}

pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Takes all descriptors that the system allows: many start a process with fewer, and each connection and each attempt
/// needs one.
fn take_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        tracing::warn!(%error, "no more descriptors");
    }
}

/// Finishes at the first signal and ends at the second.
async fn stop_on_signals(mut signals: Signals, stopper: Stopper) -> Infallible {
    signals.next().await;
    stopper.finish();
    signals.next().await;
    stopper.now();
    futures_lite::future::pending().await
}

fn parse_listen(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
            Ok(text.to_owned())
        }
        _ => Err("write it like 127.0.0.1:8000, [::1]:8000 or 0.0.0.0:8000".to_owned()),
    }
}

/// A lease: much less than the time that a round trip may take now and then would be lost again and again.
fn parse_lease(text: &str) -> Result<Duration, String> {
    let lease = duration::parse(text)?;
    let bounds = Duration::from_millis(200)..=Duration::from_secs(3_600);
    match bounds.contains(&lease) {
        true => Ok(lease),
        false => Err("it is a time from 200ms to 1h".to_owned()),
    }
}

fn parse_url(text: &str) -> Result<String, String> {
    match Url::parse(text, 255) {
        Ok(_) if !text.contains(['?', '#']) => Ok(text.to_owned()),
        _ => Err("write it like https://dubhook.example.com".to_owned()),
    }
}

fn parse_capacity(text: &str) -> Result<usize, String> {
    let most = Capacity::JOBS_MAX;
    match text.parse() {
        Ok(jobs) if (1..=most).contains(&jobs) => Ok(jobs),
        _ => Err(format!("it is a number from 1 to {most}")),
    }
}

/// A pause in milliseconds.
fn parse_pause(text: &str) -> Result<u32, String> {
    let pause = duration::parse(text)?;
    u32::try_from(pause.as_millis()).map_err(|_| "it is longer than 49 days".to_owned())
}

/// A share from 0 to 1, in millionths.
fn parse_share(text: &str) -> Result<u32, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok((share * 1e6).round() as u32),
        _ => Err("it is a number from 0 to 1".to_owned()),
    }
}

fn parse_network(text: &str) -> Result<Cidr, String> {
    Cidr::parse(text).map_err(|error| error.as_str().to_owned())
}
