//! The server: the core's machine on sockets.
//!
//! One thread runs it. A task for each connection moves bytes between its socket and the machine; the pump gives the
//! machine time and does what it wants done (`engine`); attempts, programs and commits are tasks too. Nothing here
//! takes a lock or decides anything.
//!
//! ```
//! use dubhook_smol::server::Server;
//! use std::{io::{Read, Write}, net::TcpStream};
//!
//! let server = Server::builder().listen("127.0.0.1:0").capacity(100).bind()?.start()?;
//! let mut client = TcpStream::connect(server.address())?;
//! client.write_all(b"GET /healthz HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
//! server.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod buffers;
mod builder;
mod clerk;
mod commit;
pub(crate) mod conn;
pub(crate) mod engine;
mod handle;
mod listen;
mod pace;

pub use builder::{Builder, StartError};
pub use handle::{Handle, Stopper};

use crate::{
    clock::Clock,
    deliver::{Deliver, Lookups},
    hidden::Hidden,
    memory::{Capacity, Memory},
    net::Net,
    resolve::Resolve,
    signal::Signal,
    store::{Store, StoreError},
    tls::{Identity, Trust},
    translate::{Translator, Workers, command::Commands},
};
use buffers::Buffers;
use commit::Committer;
use dubhook_core::{
    address::{Cidr, Guard},
    record::Keep,
    server::{self as machine, ApiKey, Config, Input, Page},
    service::{Limits, RestoreError},
    simulate::{SimSlot, Simulator},
    time::Now,
};
use engine::{Engine, Spawner};
use handle::{Stop, StopSignal};
use pace::Pace;
use smol::{Async, LocalExecutor, Timer, future::FutureExt};
use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

/// How long what is in flight may take after the server was told to stop.
const FINISH_MAX: Duration = Duration::from_secs(10);

/// A server that listens and is not running yet: connections wait until it [runs](Self::run).
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    capacity: Capacity,
    keys: Vec<ApiKey>,
    allow: Vec<Cidr>,
    translator: Translator,
    seed: Hidden<[u8; 32]>,
    store: Option<Arc<dyn Store>>,
    retain: Duration,
    limits: Limits,
    identity: Option<Identity>,
    trust: Trust,
    resolver: Arc<dyn Resolve>,
    pace: Pace,
    pages: &'static [Page<'static>],
    stop: StopSignal,
    stopper: Stopper,
}

impl Server {
    /// What a server is made with: loopback, a capacity of 100,000 jobs, a simulated translator, no key, no store.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

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

    /// Runs it on a thread of its own. Returns once it answers.
    ///
    /// # Errors
    ///
    /// [`RunError`], where it does not come that far.
    pub fn start(self) -> Result<Handle, RunError> {
        Handle::start(self)
    }

    /// Runs it until it is told to stop and has finished what was in flight.
    ///
    /// # Errors
    ///
    /// [`RunError`], where it cannot go on.
    pub async fn run(self) -> Result<(), RunError> {
        let nothing = smol::future::pending();
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
        let own = [self.address];
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
            restore(clock.now(), &mut server, store.as_ref(), self.capacity)?;
        }
        let workers = workers(self.translator, simulated, &mut server);
        let engine = Engine {
            clock,
            net,
            lookups: Lookups::new(self.resolver),
            identity: self.identity,
            trust: self.trust,
            pace: self.pace,
            buffers: RefCell::new(Buffers::new(&config)),
            deliver: Deliver::new(self.capacity.attempts),
            workers,
            committer: Committer::new(self.store, &config)?,
            turn: Signal::default(),
            named: (0..self.capacity.connections)
                .map(|_| Signal::default())
                .collect(),
            stopping: Cell::new(false),
            drained: Signal::default(),
            server: RefCell::new(server),
        };
        let listener = Async::new(self.listener)?;
        if self.keys.is_empty() && !self.address.ip().is_loopback() {
            tracing::warn!(address = %self.address, "open to whoever reaches it: no key is asked for");
        }
        ready();
        serve(&engine, listener, self.retain, self.stop, beside).await
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
        executor.spawn(async move { listen::accept(engine, &listener, spawner).await })
    };
    executor.spawn(engine.pump(spawner)).detach();
    executor.spawn(beside).detach();
    executor
        .spawn(engine.committer.prune(engine.clock, retain))
        .detach();
    let broken = async {
        let error = watch.await.err();
        Err(RunError::Io(
            error.unwrap_or_else(|| io::ErrorKind::Other.into()),
        ))
    };
    let failed = async { Err(RunError::Store(engine.committer.failure().await)) };
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

fn workers<'m>(
    translator: Translator,
    simulated: &'m mut [SimSlot],
    server: &mut machine::Server<'_>,
) -> Workers<'m> {
    match translator {
        Translator::Simulated(settings) => {
            let seed = server.random_bytes();
            Workers::Simulated(RefCell::new(Simulator::new(simulated, settings, seed)))
        }
        Translator::Command(command) => Workers::Commands(Commands::new(command)),
        Translator::Remote => Workers::Remote,
    }
}

/// Puts back what the store holds.
fn restore(
    now: Now,
    server: &mut machine::Server<'_>,
    store: &dyn Store,
    capacity: Capacity,
) -> Result<(), StoreError> {
    let started = std::time::Instant::now();
    let mut records = 0_u64;
    let restored = store.load(&mut |key, value| {
        records += 1;
        server.restore(now, key, value)
    });
    let begin = |()| {
        let begun = server.start(now);
        begun.map_err(|error| StoreError::Restore { key: None, error })
    };
    match restored.and_then(begin) {
        Err(StoreError::Restore {
            error: RestoreError::Capacity,
            ..
        }) => Err(too_small(store, capacity)?),
        Err(error) => Err(error),
        Ok(()) => {
            let jobs = server.service().jobs_len();
            tracing::info!(records, jobs, took = ?started.elapsed(), "restored");
            Ok(())
        }
    }
}

/// How many jobs the capacity must be for.
fn too_small(store: &dyn Store, capacity: Capacity) -> Result<StoreError, StoreError> {
    // Where every slot is there, it is the room for text or for what may still happen that is short.
    let mut jobs_min = capacity.jobs + 1;
    store.load(&mut |key, _| {
        jobs_min = jobs_min.max(Capacity::jobs_for(key));
        Ok(())
    })?;
    Ok(StoreError::Capacity { jobs_min })
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
