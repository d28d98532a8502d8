//! How a server is set up.

use super::{pace::Pace, run::Server, stop};
use crate::{
    entropy,
    hidden::Hidden,
    media::Media,
    memory::Capacity,
    resolve::{Resolve, System},
    store::Store,
    tls::{Identity, Trust},
    translate::{Command, Translator},
};
use dubhook_core::{
    address::Cidr,
    client::{self, ServerError},
    server::{ApiKey, Config, Page},
    service::Limits,
    simulate::Settings,
};
use rustix::process::{Resource, getrlimit};
use std::{
    fmt, io,
    net::{TcpListener, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

/// Sets a server up; [`bind`](Self::bind) ends it.
#[derive(Debug)]
pub struct Builder {
    listen: String,
    jobs: usize,
    keys: Vec<ApiKey>,
    allow: Vec<Cidr>,
    translator: Translator,
    seed: Option<Hidden<[u8; 32]>>,
    store: Option<Arc<dyn Store>>,
    media: Option<Arc<dyn Media>>,
    public_url: Option<String>,
    retain: Duration,
    limits: Limits,
    identity: Option<Identity>,
    idle: Duration,
    simulated_max: usize,
    trust: Trust,
    resolver: Arc<dyn Resolve>,
    pace: Pace,
    pages: &'static [Page<'static>],
    advertise: Option<String>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8000".to_owned(),
            jobs: 100_000,
            keys: Vec::new(),
            allow: Vec::new(),
            translator: Translator::default(),
            seed: None,
            store: None,
            media: None,
            public_url: None,
            retain: Duration::from_secs(30 * 24 * 60 * 60),
            limits: Limits::SERVER,
            identity: None,
            idle: Duration::from_millis(Config::SERVER.idle_ms),
            simulated_max: usize::MAX,
            trust: Trust::platform(),
            resolver: Arc::new(System),
            pace: Pace::STANDARD,
            pages: &[],
            advertise: None,
        }
    }
}

impl Builder {
    /// Where to listen: `HOST:PORT`; port 0 takes one that is free. While it is loopback, webhooks may go to loopback.
    #[must_use]
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = address.into();
        self
    }

    /// How many jobs there may be, under way and ended; more are refused until there is room.
    #[must_use]
    pub const fn capacity(mut self, jobs: usize) -> Self {
        self.jobs = jobs;
        self
    }

    /// Who may use the API; everybody where no key is set.
    #[must_use]
    pub fn api_key(mut self, key: &str) -> Self {
        self.keys.push(ApiKey::new(key));
        self
    }

    /// A network that webhooks may go to though it is not public.
    #[must_use]
    pub fn allow_callback(mut self, network: Cidr) -> Self {
        self.allow.push(network);
        self
    }

    /// Translates by pretending to.
    #[must_use]
    pub fn simulate(mut self, settings: Settings) -> Self {
        self.translator = Translator::Simulated(settings);
        self
    }

    /// How many simulated jobs run at once; all where not said.
    #[must_use]
    pub const fn simulate_at_once(mut self, jobs: usize) -> Self {
        self.simulated_max = jobs;
        self
    }

    /// Translates by running a program for each job.
    #[must_use]
    pub fn command(mut self, command: Command) -> Self {
        self.translator = Translator::Command(command);
        self
    }

    /// Leaves the translating to workers elsewhere, that claim jobs over the API: `dubhook work`.
    #[must_use]
    pub fn remote(mut self) -> Self {
        self.translator = Translator::Remote;
        self
    }

    /// All randomness from one seed, for runs that shall be repeated. Whoever knows it knows every secret.
    #[must_use]
    pub const fn seed(mut self, seed: [u8; 32]) -> Self {
        self.seed = Some(Hidden(seed));
        self
    }

    /// Keeps jobs, webhooks and what is owed, so that nothing is lost when the server ends, however it ends.
    #[must_use]
    pub fn store(mut self, store: impl Store + 'static) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Keeps videos: those that are uploaded, and those that come of them. Without it there are no uploads.
    #[must_use]
    pub fn media(mut self, media: impl Media + 'static) -> Self {
        self.media = Some(Arc::new(media));
        self
    }

    /// How callers reach this server, such as `https://dubhook.example.com`: outputs that are kept among the media are told as links
    /// below it, which need no key. Where not said it is where other servers [reach](Self::advertise) this one; and where that is
    /// not known either, outputs are told as the translator said them.
    #[must_use]
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// How long a job is found in the store after it has left memory; 30 days where not said.
    #[must_use]
    pub const fn retain(mut self, retain: Duration) -> Self {
        self.retain = retain;
        self
    }

    /// What jobs and webhooks may be like, how long an attempt may take and when it is made again.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Speaks TLS, and shows this certificate.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Which receivers of `https` webhooks are believed to be who they say; those whom the platform believes where not
    /// said.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// How the names of receivers are looked up; the operating system does it where not said.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolve + 'static) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// How slowly a client may take an answer that its socket does not hold: nothing for as long as `grace`, and then so
    /// many bytes a second on the average; 30 s and 500 where not said. A slower one is disconnected.
    #[must_use]
    pub fn reading_pace(mut self, grace: Duration, bytes_per_second_min: u64) -> Self {
        self.pace = Pace::new(grace, bytes_per_second_min);
        self
    }

    /// How long a client's connection may be idle between requests; 75 s where not said: longer than the minute that proxies
    /// and balancers keep theirs, so that none of them sends on one that is being closed.
    #[must_use]
    pub const fn idle_timeout(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// What else is shown, each at its path and to everybody: [`pages::ALL`](crate::pages::ALL), or others.
    #[must_use]
    pub const fn pages(mut self, pages: &'static [Page<'static>]) -> Self {
        self.pages = pages;
        self
    }

    /// Where other servers with the same store reach this one, to pass calls on to it while it has the records: a URL like
    /// `https://dub1.example.com:8443`. Where not said it is where the server [listens](Self::listen), unless that is every
    /// address of the machine: then nothing is passed on to it.
    #[must_use]
    pub fn advertise(mut self, url: impl Into<String>) -> Self {
        self.advertise = Some(url.into());
        self
    }

    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// [`StartError`] says what is in the way.
    pub fn bind(self) -> Result<Server, StartError> {
        let blame = |error| StartError::Listen {
            address: self.listen.clone(),
            error,
        };
        let addresses = self.listen.to_socket_addrs().map_err(blame)?;
        let listener = TcpListener::bind(&*addresses.collect::<Vec<_>>()).map_err(blame)?;
        let address = listener.local_addr().map_err(blame)?;
        let seed = match self.seed {
            Some(seed) => seed,
            None => Hidden(entropy::seed().map_err(StartError::Entropy)?),
        };
        let scheme = self.identity.as_ref().map_or("http", |_| "https");
        let advertised = match self.advertise {
            Some(url) => Some(url),
            None => {
                let host = self.listen.rsplit_once(':').map(|(host, _)| host);
                let host = host.filter(|_| !address.ip().is_unspecified());
                host.map(|host| format!("{scheme}://{host}:{}", address.port()))
            }
        };
        if let Some(url) = &advertised
            && let Err(error) = client::Server::parse(url)
        {
            return Err(StartError::Advertise {
                url: url.clone(),
                error,
            });
        }
        let (stopper, stop) = stop::stop();
        Ok(Server {
            listener,
            address,
            capacity: capacity(self.jobs),
            keys: self.keys,
            allow: self.allow,
            translator: self.translator,
            seed,
            store: self.store,
            media: self.media,
            public_url: self.public_url,
            retain: self.retain,
            limits: self.limits,
            idle: self.idle,
            simulated_max: self.simulated_max,
            identity: self.identity,
            trust: self.trust,
            resolver: self.resolver,
            pace: self.pace,
            pages: self.pages,
            advertised,
            stop,
            stopper,
        })
    }
}

impl Server {
    /// What a server is made with: loopback, a capacity of 100,000 jobs, a simulated translator, no key, no store.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// How much there may be at once with so many jobs in this process.
fn capacity(jobs: usize) -> Capacity {
    let all = Capacity::for_jobs(jobs);
    let limit = getrlimit(Resource::Nofile).current;
    let Some(descriptors) = limit.and_then(|limit| usize::try_from(limit).ok()) else {
        return all;
    };
    let capacity = all.within(descriptors);
    if capacity != all {
        let (connections, attempts) = (capacity.connections, capacity.attempts);
        tracing::warn!(descriptors, connections, attempts, "few descriptors");
    }
    capacity
}

/// Why a server could not start.
#[derive(Debug)]
pub enum StartError {
    /// It cannot listen there.
    Listen {
        /// The address that it was given.
        address: String,
        /// Why not.
        error: io::Error,
    },
    /// Other servers could not reach it there.
    Advertise {
        /// The URL that was to be advertised.
        url: String,
        /// What is wrong with it.
        error: ServerError,
    },
    /// The operating system has no randomness to give.
    Entropy(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, error } if error.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "{address} is in use: another program listens there. Choose another port, or 0 for any free one."
                )
            }
            Self::Listen { address, error } => write!(f, "cannot listen on {address}: {error}"),
            Self::Advertise { url, error } => {
                write!(
                    f,
                    "{url} cannot be where others reach this server: {}",
                    error.as_str()
                )
            }
            Self::Entropy(error) => write!(f, "no randomness to be had: {error}"),
        }
    }
}

impl std::error::Error for StartError {}
