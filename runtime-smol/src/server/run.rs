//! A server and its run: the machine, what is shared, and all tasks, until the end.

use super::{
    accept,
    buffers::Buffers,
    engine::{Engine, MEDIA_TURNS, Spawner},
    held::HeldClock,
    pace::Pace,
    pump,
    restore::restore,
    standby::Standby,
    stop::{FINISH_MAX, Stop, StopSignal, Stopper},
    storage::Storage,
    sweep,
};
use crate::{
    clock::Clock,
    deliver::{ConnectLimiter, Flights, Lookups, Pool},
    hidden::Hidden,
    media::Media,
    memory::{Capacity, Memory},
    net::Net,
    own,
    race::Spare,
    resolve::Resolve,
    signal::Signal,
    store::{Store, StoreError},
    tls::{Identity, Trust},
    translate::{Programs, Simulated, Translator, Workers},
};
use async_io::{Async, Timer};
use dubhook_core::{
    address::{Cidr, Guard},
    record::Keep,
    server::{self as machine, ApiKey, Config, Input, Links, Page},
    service::Limits,
    signature::LinkKey,
    simulate::{SimSlot, Simulator},
};
use futures_lite::future::{self, FutureExt};
use smol::{LocalExecutor, lock::Semaphore, unblock};
use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener},
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

/// Connections that may be under way besides the first of each attempt: some of the descriptors that are kept for other
/// things.
const SPARE_MAX: usize = 64;

/// How much longer than its output is kept a job's link is good, in milliseconds: the time counts from when the job was made, which
/// may wait, be translated, and stay in memory before it is only kept.
const WAITS_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// A server that listens and is not running yet: connections wait until it [runs](Self::run).
#[derive(Debug)]
pub struct Server {
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) capacity: Capacity,
    pub(super) keys: Vec<ApiKey>,
    pub(super) allow: Vec<Cidr>,
    pub(super) translator: Translator,
    pub(super) seed: Hidden<[u8; 32]>,
    pub(super) idle: Duration,
    pub(super) simulated_max: usize,
    pub(super) store: Option<Arc<dyn Store>>,
    pub(super) media: Option<Arc<dyn Media>>,
    pub(super) public_url: Option<String>,
    pub(super) retain: Duration,
    pub(super) limits: Limits,
    pub(super) identity: Option<Identity>,
    pub(super) trust: Trust,
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) pace: Pace,
    pub(super) pages: &'static [Page<'static>],
    /// Where other servers with the same store reach this one.
    pub(super) advertised: Option<String>,
    pub(super) stop: StopSignal,
    pub(super) stopper: Stopper,
}

impl Server {
    /// Where it listens; with the port that was free, if it was told port 0.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = match self.identity {
            None => "http",
            Some(_) => "https",
        };
        format!("{scheme}://{}", self.address)
    }

    /// What stops it, from any thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Runs it until it is told to stop and has finished what was in flight.
    ///
    /// # Errors
    ///
    /// [`RunError`], where it cannot go on.
    pub async fn run(self) -> Result<(), RunError> {
        let nothing = future::pending();
        self.run_on(Net::new()?, || {}, nothing).await
    }

    /// Runs it on this thread as [`run`](Self::run) does, and `beside` with it. Faster than under an executor of one's
    /// own, since the thread then waits for the connections themselves. Calls `ready` once everything is put back and it
    /// answers.
    ///
    /// # Errors
    ///
    /// [`RunError`], where it cannot go on.
    pub fn run_here(
        self,
        ready: impl FnOnce(),
        beside: impl Future<Output = Infallible>,
    ) -> Result<(), RunError> {
        let net = Net::new()?;
        net.block_on(self.run_on(Rc::clone(&net), ready, beside))?
    }

    async fn run_on(
        self,
        net: Rc<Net>,
        ready: impl FnOnce(),
        beside: impl Future<Output = Infallible>,
    ) -> Result<(), RunError> {
        let mut beside = pin!(beside);
        let mut ready = Some(ready);
        let listener = Async::new(self.listener)?;
        if let Some(store) = &self.store {
            let listens = || ready.take().into_iter().for_each(|ready| ready());
            if let Some(url) = &self.advertised {
                store.advertise(url);
            }
            let standby = Standby {
                net: &net,
                store,
                listener: &listener,
                identity: self.identity.as_ref(),
                trust: &self.trust,
                idle: self.idle,
                connections_max: self.capacity.connections,
            };
            let taken = standby.run(&self.stop, listens);
            let beside = async { match beside.as_mut().await {} };
            if !taken.or(beside).await.map_err(RunError::Store)? {
                return Ok(());
            }
        }
        let own = own::listened_at(self.address);
        let link_key = match self.media.clone() {
            Some(media) => Some(LinkKey::new(unblock(move || media.link_key()).await?)),
            None => None,
        };
        let reached = self.public_url.as_deref().or(self.advertised.as_deref());
        let reached = reached.map(|url| url.trim_end_matches('/'));
        if link_key.is_some() && reached.is_none() {
            tracing::warn!("callers are given no links to outputs: say how they reach this server");
        }
        let retain_ms = u64::try_from(self.retain.as_millis()).unwrap_or(u64::MAX);
        let config = Config {
            service: Limits {
                // What the store forgets must not be found in memory.
                retain_ms: self.limits.retain_ms.min(retain_ms),
                remote_workers: matches!(self.translator, Translator::Remote),
                ..self.limits
            },
            keys: &self.keys,
            guard: Guard {
                allow: &self.allow,
                // With everything on one machine, that is where receivers are.
                allow_loopback: self.address.ip().is_loopback(),
                own: &own,
            },
            pages: self.pages,
            media: self.media.is_some(),
            upload_bytes_max: self.media.as_ref().map(|media| media.upload_bytes_max()),
            links: link_key.as_ref().zip(reached).map(|(key, base)| Links {
                base,
                key,
                output_ms: retain_ms.saturating_add(WAITS_MS),
            }),
            idle_ms: self.idle.as_millis().try_into().unwrap_or(u64::MAX),
            ..Config::SERVER
        };
        let keep = match &self.store {
            Some(_) => Keep::Archive,
            None => Keep::Nothing,
        };
        let mut memory = Memory::new(self.capacity, &config, keep);
        let (tables, simulated) = memory.lend();
        let clock = Clock::start();
        let mut server = machine::Server::new(tables, config, self.seed.0)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        if let Some(store) = &self.store {
            let restored = restore(clock.now(), &mut server, store.as_ref(), self.capacity);
            if let Err(error) = restored {
                store.release();
                return Err(error.into());
            }
        }
        let workers = workers(self.translator, simulated, self.simulated_max, &mut server);
        let engine = Engine {
            clock: HeldClock::new(clock),
            net,
            lookups: Lookups::new(self.resolver),
            identity: self.identity,
            trust: self.trust,
            pace: self.pace,
            buffers: RefCell::new(Buffers::new(&config)),
            pool: RefCell::new(Pool::new(self.capacity.attempts)),
            limiter: ConnectLimiter::default(),
            spare: Spare::new(SPARE_MAX),
            address: self.address,
            flights: Flights::new(self.capacity.attempts),
            workers,
            storage: Storage::new(self.store.clone(), &config)?,
            media: self.media.clone(),
            media_turns: Semaphore::new(MEDIA_TURNS),
            turn: Signal::default(),
            named: (0..self.capacity.connections)
                .map(|_| Signal::default())
                .collect(),
            stopping: Cell::new(false),
            drained: Signal::default(),
            server: RefCell::new(server),
        };
        if self.keys.is_empty() && !self.address.ip().is_loopback() {
            tracing::warn!(address = %self.address, "open to whoever reaches it: no key is asked for");
        }
        ready.take().into_iter().for_each(|ready| ready());
        let served = serve(&engine, listener, self.retain, self.stop, beside).await;
        if let Some(store) = self.store {
            // Nothing of this server speaks any more.
            unblock(move || store.release()).await;
        }
        served
    }
}

/// Runs all tasks until the end.
async fn serve(
    engine: &Engine<'_>,
    listener: Async<TcpListener>,
    retain: Duration,
    stop: StopSignal,
    beside: impl Future<Output = Infallible>,
) -> Result<(), RunError> {
    let executor = Rc::new(LocalExecutor::new());
    let spawner = Spawner::new(&executor);
    let watch = executor.spawn(engine.net.run());
    let accept = {
        let spawner = spawner.clone();
        executor.spawn(async move { accept::accept(engine, &listener, spawner).await })
    };
    executor.spawn(pump::run(engine, spawner)).detach();
    executor.spawn(beside).detach();
    executor.spawn(beat(engine)).detach();
    executor
        .spawn(engine.storage.prune(engine.clock.clock(), retain))
        .detach();
    executor.spawn(sweep::sweep(engine)).detach();
    let broken = async {
        let error = watch.await.err();
        Err(RunError::Io(
            error.unwrap_or_else(|| io::ErrorKind::Other.into()),
        ))
    };
    let failed = async { Err(RunError::Store(engine.storage.failure().await)) };
    let stopped = async {
        stop.wait_for(Stop::Finish).await;
        tracing::info!("stopping");
        accept.cancel().await;
        engine.stopping.set(true);
        let now = engine.clock.now();
        let told = engine.server.borrow_mut().handle(now, Input::Shutdown);
        told.expect("a server can be told to stop at any time");
        engine.turn.raise();
        let drained = async {
            engine.drained.raised().await;
            tracing::info!("stopped");
        };
        let impatient = async {
            stop.wait_for(Stop::Now).await;
            tracing::warn!("stopped at once");
        };
        let late = async {
            Timer::after(FINISH_MAX).await;
            tracing::warn!("stopped with work in flight");
        };
        drained.or(impatient).or(late).await;
        Ok(())
    };
    executor.run(broken.or(failed).or(stopped)).await
}

/// Keeps the records this server's for as long as it has nothing to write.
async fn beat(engine: &Engine<'_>) {
    while engine.storage.beat().await {
        // What waited for a lease that had ended goes on.
        engine.turn.raise();
    }
}

fn workers<'m>(
    translator: Translator,
    simulated: &'m mut [SimSlot],
    simulated_max: usize,
    server: &mut machine::Server<'_>,
) -> Workers<'m> {
    match translator {
        Translator::Simulated(settings) => {
            let seed = server.random_bytes();
            let simulator = Simulator::new(simulated, settings, seed);
            Workers::Simulated(Simulated::new(simulator, simulated_max))
        }
        Translator::Command(command) => Workers::Programs(Programs::new(command)),
        Translator::Remote => Workers::Remote,
    }
}

/// Why a server ended that was not told to.
#[derive(Debug)]
pub enum RunError {
    /// The operating system would not do what was asked.
    Io(io::Error),
    /// The store is no use, or failed: what was not acknowledged may be lost, what was is not.
    Store(StoreError),
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RunError {}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
