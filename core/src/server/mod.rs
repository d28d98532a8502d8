//! The server: the HTTP API over the translation service, as a machine without sockets.
//!
//! # Theory of operation
//!
//! A [`Server`] is a [`Service`] and a table of connections. The driver accepts a connection, lends it a
//! receive buffer and an output, and calls [`drive`](Server::drive) whenever bytes have come or the
//! machine has named the connection in [`poll`](Server::poll). `drive` reads requests out of the
//! buffer and renders answers straight into the output, one after the other, until it needs something; its
//! return value says what. Pipelined requests are answered in one output. A connection has one request in
//! work at most, so what it can hold up is bounded.
//!
//! Whatever else has happened goes in with [`handle`](Server::handle), and what is to be done comes out of `poll`, one thing
//! at a time: work, attempts at deliveries, records, connections, and how long to sleep.
//!
//! An answer that speaks of a change waits until the change is durable, and reading waits with it: whoever
//! has an answer can rely on it, and reads nothing that a crash could take back.
//!
//! With the feature `hub` an answer can also be held until something happens: a read until its job has changed
//! (`Prefer: wait`), and a stream of events for as long as somebody reads it.
//!
//! ```text
//!            bytes ──► RequestParser ──► route ──► Service ──► Reply ──► wait for commit ──► bytes
//! ```
//!
//! Every wait for a client has an end: an idle connection, a head, a body's pace. Where slots are scarce the end of
//! an idle connection and of a late head comes early, so that whoever holds slots and asks for nothing makes room for
//! others. An answer that nobody takes is for the driver to end, who alone knows what was sent. Full is an answer too:
//! with no slot free, the driver sends [`REFUSED`] and closes.
//!
//! ```
//! # use dubhook_core::{http::RecvBuf, out::Out, time::{Instant, Now, Timestamp}};
//! use dubhook_core::{record::Keep, server::{Config, Drive, Server, ServerStorage}};
//!
//! let mut memory = ServerStorage::<8, 4, 2, 4>::new();
//! let mut server = Server::new(memory.lend(Keep::Nothing), Config::DEVICE, [1; 32]).unwrap();
//! let now = Now { instant: Instant::ZERO, timestamp: Timestamp::from_unix_ms(1_795_510_800_000) };
//!
//! let conn = server.accept(now).unwrap();
//! let mut received = *b"GET /healthz HTTP/1.1\r\nhost: here\r\n\r\n";
//! let len = received.len();
//! let mut input = RecvBuf::new(&mut received, len);
//! let mut answer = [0; Config::DEVICE.answer_bytes_max()];
//! let mut out = Out::new(&mut answer);
//! assert!(matches!(server.drive(now, conn, &mut input, &mut out), Ok(Drive::Input { .. })));
//! assert!(out.written().starts_with(b"HTTP/1.1 200 OK\r\n"));
//! ```

mod answer;
mod auth;
mod commands;
mod conn;
mod door;
mod drive;
#[cfg(feature = "hub")]
mod hub;
#[cfg(feature = "lists")]
mod list;
#[cfg(feature = "media")]
mod media;
mod memory;
mod pressure;
mod render;
#[cfg(feature = "idempotency")]
mod repeat;
mod reply;
mod storage;
#[cfg(feature = "webhook-api")]
mod webhooks;

pub use crate::service::{HandleError, PollError, Ready};
pub use auth::ApiKey;
use conn::Conn;
pub use conn::{ConnId, Drive};
pub use door::{AcceptError, Input, Output};
#[cfg(feature = "hub")]
use hub::Watch;
#[cfg(feature = "hub")]
pub use hub::{Page, StoreFigures};
#[cfg(feature = "media")]
pub use media::{
    Links, MediaAnswer, MediaCall, MediaRefusal, NewUpload, Output as MediaOutput,
    Part as MediaPart, Put, Subtitles, Upload as MediaUpload,
};
pub use memory::{ServerMemory, Sizes};
pub use storage::ServerStorage;

#[cfg(feature = "guard")]
use crate::address::Guard;
use crate::{
    api::{self, Rules},
    endpoint::REPLACED_MAX,
    http::{self, Date},
    note::note,
    service::{self, Service},
    setup::{self, Lent, SetupError},
    slab::{Ix, List, Slab, Slot},
    time::{Clock, Now},
    timer::Timers,
};
use core::mem::MaybeUninit;

/// What to send to a connection for which there is no slot, before closing it.
#[cfg(feature = "problem-details")]
pub const REFUSED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
content-type: application/problem+json\r\ncache-control: no-store\r\ncontent-length: 134\r\n\
connection: close\r\n\r\n\
{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\"code\":\"full\",\
\"detail\":\"All connections are taken. Try again later.\"}";
/// What to send to a connection for which there is no slot, before closing it.
#[cfg(not(feature = "problem-details"))]
pub const REFUSED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
content-type: application/problem+json\r\ncache-control: no-store\r\ncontent-length: 49\r\n\
connection: close\r\n\r\n\
{\"type\":\"about:blank\",\"status\":503,\"code\":\"full\"}";

/// How a server is set up.
#[derive(Debug, Clone, Copy)]
pub struct Config<'a> {
    /// What jobs and endpoints may be like.
    pub service: service::Limits,
    /// What requests may be like.
    pub http: http::Limits,
    /// Who may use the API; everybody where there is none.
    pub keys: &'a [ApiKey],
    /// Where deliveries may go. **Without the feature `guard` that is for the driver to say, at each attempt**: whoever may
    /// name a callback could else make it knock at its own network.
    #[cfg(feature = "guard")]
    pub guard: Guard<'a>,
    /// How long a connection may be silent between requests, in milliseconds.
    pub idle_ms: u64,
    /// How long a head may take, in milliseconds.
    pub head_ms: u64,
    /// How long a body may take to get going, in milliseconds; after that it must keep its pace.
    pub body_grace_ms: u64,
    /// The pace of a body, in bytes a second.
    pub body_bytes_per_second_min: u64,
    /// What else is shown, each at its path and to everybody.
    #[cfg(feature = "hub")]
    pub pages: &'a [Page<'a>],
    /// Whether the driver keeps media: videos that are uploaded, and outputs. With the feature `media`.
    #[cfg(feature = "media")]
    pub media: bool,
    /// What links to media are made of, by which they are open without a key; none where callers are given none. With the feature
    /// `media`.
    #[cfg(feature = "media")]
    pub links: Option<Links<'a>>,
    /// How large an upload may be, as clients are told that ask before they begin; not told where there is no such number. With the
    /// feature `media`.
    #[cfg(feature = "media")]
    pub upload_bytes_max: Option<u64>,
}

impl Config<'_> {
    /// What the bodies of requests are held against.
    pub(crate) const fn rules(&self) -> Rules<'_> {
        Rules {
            limits: &self.service,
            #[cfg(feature = "guard")]
            guard: &self.guard,
        }
    }

    /// A server on the open network that nobody needs a key for.
    pub const SERVER: Self = Self {
        service: service::Limits::SERVER,
        http: http::Limits::SERVER,
        keys: &[],
        #[cfg(feature = "guard")]
        guard: Guard {
            allow: &[],
            allow_loopback: false,
            own: &[],
        },
        // Longer than proxies keep an idle connection, for a minute: who closes it is the one who sends on it next.
        idle_ms: 75_000,
        head_ms: 10_000,
        body_grace_ms: 5_000,
        body_bytes_per_second_min: 500,
        #[cfg(feature = "hub")]
        pages: &[],
        #[cfg(feature = "media")]
        media: false,
        #[cfg(feature = "media")]
        links: None,
        #[cfg(feature = "media")]
        upload_bytes_max: None,
    };

    /// A device of which everybody on its network may ask.
    pub const DEVICE: Self = Self {
        service: service::Limits::DEVICE,
        http: http::Limits::SMALL,
        ..Self::SERVER
    };

    /// The most bytes that one answer has: what an output must have room for when it is empty. A page may have more: it
    /// is written in parts.
    #[must_use]
    pub const fn answer_bytes_max(&self) -> usize {
        let limits = &self.service;
        let job = limits.job_bytes_max();
        let endpoint = limits.callback_bytes_max + 6 * limits.description_bytes_max + 900;
        let body = if job > endpoint { job } else { endpoint };
        #[cfg(feature = "hub")]
        let body = if body > hub::METRICS_BYTES_MAX {
            body
        } else {
            hub::METRICS_BYTES_MAX
        };
        body + HEAD_BYTES_MAX + 100
    }

    /// The most bytes of an event's body and one URL: what a service's scratch memory must have room for.
    #[must_use]
    pub const fn scratch_bytes_max(&self) -> usize {
        self.service.scratch_bytes_max()
    }

    /// The most bytes of a string that is decoded before it is looked at: what the memory for that must have room for.
    #[must_use]
    pub const fn decode_bytes_max(&self) -> usize {
        let limits = &self.service;
        let mut most = api::STRING_BYTES_MAX;
        if limits.callback_bytes_max > most {
            most = limits.callback_bytes_max;
        }
        if limits.url_bytes_max > most {
            most = limits.url_bytes_max;
        }
        if limits.error_bytes_max > most {
            most = limits.error_bytes_max;
        }
        most
    }

    /// The most bytes of what comes out to be saved, where there is no archive: a record's value.
    #[must_use]
    pub const fn record_bytes_max(&self) -> usize {
        self.service.record_bytes_max()
    }

    /// The most bytes of what comes out to be saved, where there is an archive: a record's value, or an ended job.
    #[must_use]
    pub const fn archive_bytes_max(&self) -> usize {
        self.service.archive_bytes_max()
    }

    /// The most bytes of a delivery's whole request.
    #[must_use]
    pub const fn attempt_bytes_max(&self) -> usize {
        let signatures = REPLACED_MAX * SIGNATURE_BYTES;
        self.scratch_bytes_max() + 2 * self.service.callback_bytes_max + signatures + 464
    }
}

/// The bytes of one more signature, and of the space before it.
const SIGNATURE_BYTES: usize = 48;

/// The most bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 300;

/// The tables of a server, lent by a [`ServerStorage`] or a [`ServerMemory`].
#[derive(Debug)]
pub struct Tables<'a> {
    /// Jobs, endpoints, deliveries.
    service: service::Tables<'a>,
    /// One for each connection.
    conns: &'a mut [Slot<Conn>],
    /// Room for the longest string of a request.
    decode: &'a mut [u8],
    /// Lists of connections that wait for a job to change: as many as connections do well.
    #[cfg(feature = "hub")]
    watches: &'a mut [Watch],
}

impl Tables<'_> {
    /// Whether the tables are long enough for each other and for the configuration.
    fn check(&self, config: &Config<'_>) -> Result<(), SetupError> {
        setup::at_least(&[
            (Lent::Connections, self.conns.len(), 1),
            (Lent::Decode, self.decode.len(), config.decode_bytes_max()),
            #[cfg(feature = "hub")]
            (Lent::Watches, self.watches.len(), 1),
        ])?;
        self.service.check(&config.service)
    }
}

/// The HTTP API over a [`Service`]. See the [module](self) for how it works.
#[derive(Debug)]
pub struct Server<'a> {
    service: Service<'a>,
    config: Config<'a>,
    conns: Slab<'a, Conn>,
    timers: Timers,
    decode: &'a mut [u8],
    /// Connections that the driver must look at.
    ready: List<0>,
    /// Connections whose answer waits for a commit.
    blocked: List<0>,
    /// The slot that the next new connection looks at first, where slots are scarce.
    looked_at: Ix,
    serial: u32,
    stopping: bool,
    clock: Clock,
    /// The present second, as the heads of answers show it.
    date: Date,
    /// The moment at which answers are written.
    now: Now,
    #[cfg(feature = "hub")]
    held: hub::Held<'a>,
    #[cfg(feature = "hub")]
    traffic: hub::Traffic,
    #[cfg(feature = "hub")]
    store: Option<StoreFigures>,
}

impl<'a> Server<'a> {
    /// A server with nothing in it. `seed` is 32 bytes of entropy, fresh at every start.
    ///
    /// # Errors
    ///
    /// [`SetupError`] names what is lent too little of for what `config` allows.
    pub fn new(tables: Tables<'a>, config: Config<'a>, seed: [u8; 32]) -> Result<Self, SetupError> {
        tables.check(&config)?;
        let mut server = Self::of(tables, &config, seed);
        server.prepare();
        Ok(server)
    }

    /// The same, made where it is to stay: [`new`](Self::new) has it on the stack of whoever calls it, and on a small
    /// processor nothing else takes as much of that.
    ///
    /// # Errors
    ///
    /// [`SetupError`] names what is lent too little of for what `config` allows.
    pub fn new_in<'p>(
        place: &'p mut MaybeUninit<Self>,
        tables: Tables<'a>,
        config: &Config<'a>,
        seed: [u8; 32],
    ) -> Result<&'p mut Self, SetupError> {
        tables.check(config)?;
        let server = place.write(Self::of(tables, config, seed));
        server.prepare();
        Ok(server)
    }

    fn prepare(&mut self) {
        self.service.prepare();
        self.serial = self.service.serial();
    }

    /// A server of tables that were looked at, which is still to be prepared.
    fn of(tables: Tables<'a>, config: &Config<'a>, seed: [u8; 32]) -> Self {
        Self {
            service: Service::of(tables.service, config.service, seed),
            config: *config,
            conns: Slab::new(tables.conns),
            timers: Timers::NONE,
            decode: tables.decode,
            ready: List::EMPTY,
            blocked: List::EMPTY,
            looked_at: Ix::MIN,
            serial: 0,
            stopping: false,
            clock: Clock::NEW,
            date: Date::NONE,
            now: Now::ZERO,
            #[cfg(feature = "hub")]
            held: hub::Held::new(tables.watches),
            #[cfg(feature = "hub")]
            traffic: hub::Traffic::default(),
            #[cfg(feature = "hub")]
            store: None,
        }
    }

    /// The service beneath, to be read.
    #[must_use]
    pub const fn service(&self) -> &Service<'a> {
        &self.service
    }

    /// How it is set up.
    #[must_use]
    pub const fn config(&self) -> &Config<'a> {
        &self.config
    }

    /// How many connections there are.
    #[must_use]
    pub const fn conns_len(&self) -> usize {
        self.conns.len()
    }

    /// Takes on a connection.
    ///
    /// # Errors
    ///
    /// [`AcceptError`] says why not.
    pub fn accept(&mut self, now: Now) -> Result<ConnId, AcceptError> {
        self.check_clock(now);
        if !self.service.begin() {
            return Err(AcceptError::NotStarted);
        }
        if self.stopping {
            return Err(AcceptError::Stopping);
        }
        self.make_room(now.instant);
        self.serial = self.serial.wrapping_add(1);
        let deadline = now.instant.after_ms(self.config.head_ms);
        let ix = self.conns.insert(Conn::new(self.serial, deadline));
        #[cfg(feature = "hub")]
        self.traffic.count_connection(ix.is_some());
        let ix = ix.ok_or(AcceptError::Full)?;
        self.timers.set(&mut self.conns, ix, deadline);
        note!(trace, "connection in slot {}: accepted", ix.get());
        Ok(ConnId {
            ix,
            serial: self.serial,
        })
    }

    /// Lets go of a connection that was closed.
    pub fn close(&mut self, id: ConnId) {
        #[cfg(feature = "hub")]
        if self.conn(id).is_some() {
            self.let_go(id.ix);
            self.give_back(id.ix);
        }
        let Some(conn) = self.conn(id) else {
            return;
        };
        let (ready, blocked) = (conn.ready, conn.blocked);
        if ready {
            self.ready.remove(&mut self.conns, id.ix);
        }
        if blocked {
            self.blocked.remove(&mut self.conns, id.ix);
        }
        self.timers.clear(&mut self.conns, id.ix);
        self.conns.remove(id.ix);
        note!(trace, "connection in slot {}: closed", id.ix.get());
    }

    /// Names a connection in [`poll`](Self::poll).
    fn wake(&mut self, ix: Ix) {
        let Some(conn) = self.conns.get_mut(ix) else {
            return;
        };
        // One that waits for a commit hangs in the other list, and is woken by the commit.
        if conn.ready || conn.blocked {
            return;
        }
        conn.ready = true;
        self.ready.push_back(&mut self.conns, ix);
    }

    fn conn(&self, id: ConnId) -> Option<&Conn> {
        self.conns
            .get(id.ix)
            .filter(|conn| conn.serial == id.serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_one_connection_too_many_has_the_length_it_says() {
        let text = core::str::from_utf8(REFUSED).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let length = head.split("content-length: ").nth(1).unwrap();
        let length = length.split("\r\n").next().unwrap();
        assert_eq!(length.parse(), Ok(body.len()));
    }
}
