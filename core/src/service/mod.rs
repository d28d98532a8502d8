//! The translation service: jobs, endpoints and what is owed, without a wire.
//!
//! # Theory of operation
//!
//! A [`Service`] is the whole of Dubhook but for HTTP. A [`Server`](crate::server::Server) holds one, [shows it to whoever
//! reads](crate::server::Server::service) and passes on to it what changes it: commands
//! ([`submit`](crate::server::Server::submit), [`cancel`](crate::server::Server::cancel),
//! [`create_endpoint`](crate::server::Server::create_endpoint)…) and what has happened in the world
//! ([`handle`](crate::server::Server::handle)). What must then happen there comes out of
//! [`poll`](crate::server::Server::poll): work to start and to stop, webhook attempts to make, records to write. An engineer who
//! has another front end, a button or a screen, uses these and leaves the connections alone: what nobody calls is not linked.
//!
//! **Nothing leaves before it is durable.** Every change belongs to the batch of records that is open. Its records come
//! out one by one, and then the [batch](crate::record::Batch) itself: the driver writes all of them in one transaction and
//! gives it back. Attempts and work that speak of a change come out only then; whoever answers a caller asks for the
//! [`barrier`](Service::barrier) of what it says and waits until that [`is_durable`](Service::is_durable). One batch is
//! written at a time, while the next one fills. Where [`Keep::Nothing`] says so there are no records and everything is
//! durable at once.
//!
//! **Records are last-value-wins.** A record is a slot of a table: its key is (table, slot), so there are
//! never more records than slots, and recovery is [`restore`](crate::server::Server::restore) for each in the order of their
//! keys, then [`start`](crate::server::Server::start). Jobs that were running are pending again.
//!
//! **Ended jobs leave memory**, after a time or when room is wanted. For a driver that keeps them for longer and says
//! [`Keep::Archive`], the JSON that an ended job has for ever comes out with its batch
//! ([`Output::Archive`](crate::server::Output::Archive)).
//!
//! **Full is an answer.** A job is admitted only with room for everything that can still happen to it:
//! its text, its ending, its deliveries. Otherwise [`SubmitError::Full`] says so before anything was promised.
//!
//! # A button that wants a translation
//!
//! ```
//! use dubhook_core::{
//!     job::Status,
//!     record::Keep,
//!     server::{Config, Input, Output, Ready, Server, ServerStorage},
//!     service::{NewJob, Report},
//!     text::Source,
//!     time::{Instant, Now, Timestamp},
//! };
//!
//! let now = Now { instant: Instant::ZERO, timestamp: Timestamp::from_unix_ms(1_795_510_800_000) };
//! let mut storage = ServerStorage::<4, 2, 1, 2>::new(); // 4 jobs, 2 endpoints, 1 connection, 2 attempts
//! let mut server = Server::new(storage.lend(Keep::Records), Config::DEVICE, [7; 32]).unwrap();
//!
//! let pressed = NewJob {
//!     video_url: Source::Plain("https://v.test/1.mp4"),
//!     source_language: None,
//!     target_language: Source::Plain("es"),
//!     reference: None,
//!     callback_url: None,
//! };
//! let slot = server.submit(now, &pressed).unwrap().job;
//!
//! // Two numbers stand in for a store: the records that were put there, and those of them that are written.
//! let (mut put, mut written) = (0, 0);
//! let mut memory = [0; Config::DEVICE.record_bytes_max()];
//! loop {
//!     match server.poll(now, Ready::ALL, &mut memory).unwrap() {
//!         Output::Save { .. } => put += 1,
//!         Output::Commit(batch) => {
//!             written = put;
//!             server.handle(now, Input::Durable(batch)).unwrap();
//!         }
//!         Output::Start { job, .. } => {
//!             assert!(written > 0, "nobody works on what a crash could take back");
//!             let report = Report::Completed("https://v.test/1.es.mp4");
//!             server.handle(now, Input::Report { job, report }).unwrap();
//!         }
//!         Output::Sleep(_) => break,
//!         other => unreachable!("there is nobody to tell: {other:?}"),
//!     }
//! }
//! assert_eq!(server.service().job(slot).unwrap().status(), Status::Completed);
//! assert_eq!(put, written);
//! ```

#[cfg(feature = "lists")]
mod attempt_lines;
mod audit;
mod check;
mod deliveries;
mod door;
mod durable;
mod endpoints;
mod forget;
mod job_slot;
mod jobs;
#[cfg(feature = "idempotency")]
mod keys;
mod limits;
mod message;
#[cfg(feature = "records")]
mod records;
#[cfg(any(feature = "records", feature = "hub"))]
mod release;
#[cfg(feature = "records")]
mod restore;
mod view;
#[cfg(feature = "hub")]
mod workers;

pub use crate::delivery::{Flaw, Owed};
pub(crate) use crate::dispatch::NOT_STARTED;
#[cfg(feature = "records")]
pub use crate::dispatch::RestoreError;
pub use crate::dispatch::{AttemptResult, Attempted, EndpointError, PollError, RequestError};
pub use deliveries::Attempt;
pub use door::{HandleError, Output, Ready};
pub(crate) use durable::Durable;
pub(crate) use endpoints::{Endpoint, EndpointChange, NewEndpoint};
pub use job_slot::JobSlot;
pub(crate) use job_slot::request_field;
pub use jobs::{NewJob, Report, ReportError, SubmitError, Submitted};
#[cfg(feature = "idempotency")]
pub(crate) use keys::IdempotencyKey;
pub use limits::Limits;
pub(crate) use view::{EVENT_BYTES_OVERHEAD, JOB_BYTES_OVERHEAD};
#[cfg(feature = "hub")]
pub(crate) use workers::{Claim, LeaseError};

use job_slot::{ALL, ARCHIVING, QUEUED, REQUEST, STATE};

#[cfg(feature = "idempotency")]
use crate::idempotency::{KeySlot, Keys};
use crate::{
    dispatch::{self, Dispatcher},
    event::Event,
    id::{Id, Prefix},
    random::Random,
    record::Keep,
    setup::{self, Lent, SetupError},
    slab::{Ix, Link, List, Slab, Slot},
    text::blocks_for,
    timer::Timers,
};

/// The tables of a service, lent by the caller. All zero bytes is an empty table.
#[derive(Debug)]
pub(crate) struct Tables<'a> {
    /// One for each job.
    pub(crate) jobs: &'a mut [Slot<JobSlot>],
    /// One for each idempotency key. With the feature `idempotency`.
    #[cfg(feature = "idempotency")]
    pub(crate) keys: &'a mut [KeySlot],
    /// Endpoints and deliveries; text of jobs is among that of endpoints. It says what is kept for longer.
    pub(crate) dispatch: dispatch::Tables<'a, Event>,
    /// Room for the newest events of all jobs.
    #[cfg(feature = "hub")]
    pub(crate) feed: &'a mut [crate::feed::Entry],
}

impl Tables<'_> {
    /// Whether the tables are long enough for each other and for the limits.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), SetupError> {
        let (jobs, outbox) = (self.jobs.len(), &self.dispatch.outbox);
        let job_blocks = blocks_for(limits.result_bytes_max()).saturating_add(1);
        setup::at_least(&[
            (Lent::Jobs, jobs, 1),
            (Lent::Chains, outbox.chains.len(), jobs),
            (
                Lent::Events,
                outbox.events.len(),
                limits.state_events_max().into(),
            ),
            // At least one is for callbacks.
            (
                Lent::Lanes,
                outbox.lanes.len(),
                self.dispatch.endpoints.len().saturating_add(1),
            ),
            (Lent::Text, self.dispatch.blocks.len(), job_blocks),
            #[cfg(feature = "idempotency")]
            (Lent::Keys, self.keys.len(), 1),
            (
                Lent::Scratch,
                self.dispatch.scratch.len(),
                limits.scratch_bytes_max(),
            ),
        ])?;
        self.dispatch.check(&limits.dispatch())
    }
}

/// Jobs, endpoints and what is owed. See the [module](self) for how it works.
pub struct Service<'a> {
    jobs: Slab<'a, JobSlot>,
    job_timers: Timers,
    keep: Keep,
    #[cfg(feature = "idempotency")]
    keys: Keys<'a>,
    dispatch: Dispatcher<'a, Event>,
    limits: Limits,

    /// All jobs, newest first.
    newest_jobs: List<ALL>,
    /// Jobs that wait for a worker.
    waiting: List<QUEUED>,
    /// Jobs whose worker must stop.
    stopping: List<QUEUED>,
    /// Jobs that have ended, in that order.
    ended: List<QUEUED>,
    /// Jobs that have ended and are not in the archive yet.
    archiving: List<ARCHIVING>,
    processing: usize,
    counters: Counters,
    #[cfg(feature = "hub")]
    feed: crate::feed::Feed<'a>,
    /// Until when no worker is given up, since it could not be heard.
    #[cfg(feature = "hub")]
    spared_until: crate::time::Instant,
}

impl core::fmt::Debug for Service<'_> {
    /// How much it holds, and nothing of what that is: secrets are among it.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Service")
            .field("jobs", &self.jobs.len())
            .field("endpoints", &self.dispatch.endpoints_len())
            .finish_non_exhaustive()
    }
}

/// What a service has done since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Jobs accepted.
    pub submitted: u64,
    /// Jobs that ended as completed.
    pub completed: u64,
    /// Jobs that ended as errors.
    pub errors: u64,
    /// Jobs called off.
    pub canceled: u64,
    /// Delivery attempts that have ended.
    pub attempts: u64,
    /// Deliveries that arrived.
    pub delivered: u64,
    /// Deliveries given up.
    pub dead: u64,
    /// Jobs and endpoints refused for want of room.
    pub refused: u64,
    /// Endpoints disabled for what their receivers did: 410, or nothing but failures for too long.
    #[cfg(feature = "hub")]
    pub disabled: u64,
}

impl<'a> Service<'a> {
    /// A service of tables that were looked at, which is still to be prepared.
    pub(crate) fn of(tables: Tables<'a>, limits: Limits, seed: [u8; 32]) -> Self {
        let keep = tables.dispatch.keep;
        let records = keep.records();
        Self {
            jobs: Slab::new(tables.jobs).with_marks(records),
            job_timers: Timers::NONE,
            keep,
            #[cfg(feature = "idempotency")]
            keys: Keys::new(tables.keys).with_marks(records),
            dispatch: Dispatcher::of(tables.dispatch, limits.dispatch(), seed),
            limits,
            newest_jobs: List::EMPTY,
            waiting: List::EMPTY,
            stopping: List::EMPTY,
            ended: List::EMPTY,
            archiving: List::EMPTY,
            processing: 0,
            counters: Counters::default(),
            #[cfg(feature = "hub")]
            feed: crate::feed::Feed::new(tables.feed),
            #[cfg(feature = "hub")]
            spared_until: crate::time::Instant::ZERO,
        }
    }

    /// Does what is to be done once before anything else.
    pub(crate) fn prepare(&mut self) {
        self.dispatch.prepare();
    }

    /// From where its handles are counted: those of another machine are told from them.
    pub(crate) const fn serial(&self) -> u32 {
        self.dispatch.outbox.serial()
    }

    /// Begins work, unless it has begun. `false` where records were put back and not all is well with them yet.
    pub(crate) const fn begin(&mut self) -> bool {
        self.dispatch.begin()
    }

    /// What it allows.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Random bytes, for whoever works on top of the service or beside it.
    #[must_use]
    pub(crate) fn random_bytes(&mut self) -> [u8; 32] {
        self.dispatch.random_bytes()
    }

    pub(crate) const fn random(&mut self) -> &mut Random {
        &mut self.dispatch.random
    }

    /// What it has done since it started.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        let deliveries = self.dispatch.counters();
        Counters {
            attempts: deliveries.attempts,
            delivered: deliveries.delivered,
            dead: deliveries.dead,
            refused: self.counters.refused + deliveries.refused,
            #[cfg(feature = "hub")]
            disabled: deliveries.disabled,
            ..self.counters
        }
    }

    /// How many jobs it holds.
    #[must_use]
    pub const fn jobs_len(&self) -> usize {
        self.jobs.len()
    }

    /// How many jobs it has room for.
    #[cfg(feature = "hub")]
    #[must_use]
    pub(crate) const fn jobs_capacity(&self) -> usize {
        self.jobs.capacity()
    }

    /// How many endpoints it holds.
    #[must_use]
    pub const fn endpoints_len(&self) -> usize {
        self.dispatch.endpoints_len()
    }

    /// How many endpoints it has room for.
    #[cfg(feature = "hub")]
    #[must_use]
    pub(crate) const fn endpoints_capacity(&self) -> usize {
        self.dispatch.endpoints_capacity()
    }

    /// How many jobs are with a worker.
    #[must_use]
    pub const fn jobs_processing(&self) -> usize {
        self.processing
    }

    /// The newest events of all jobs, whether they are durable or not.
    #[cfg(feature = "hub")]
    #[must_use]
    pub(crate) const fn feed(&self) -> &crate::feed::Feed<'a> {
        &self.feed
    }

    /// How much is owed.
    #[must_use]
    pub const fn owed(&self) -> Owed {
        self.dispatch.owed()
    }

    /// The deliveries.
    #[cfg(feature = "hub")]
    #[must_use]
    pub(crate) const fn outbox(&self) -> &crate::delivery::Outbox<'a, Event> {
        &self.dispatch.outbox
    }

    /// The slot of the job with this id.
    #[must_use]
    pub fn find_job(&self, id: Id) -> Link {
        let ix = id.slot()?;
        (self.jobs.get(ix)?.id == id).then_some(ix)
    }

    /// The slot of the job whose id this text is.
    #[must_use]
    pub fn find_job_text(&self, id: &str) -> Link {
        self.find_job(Id::parse(Prefix::Job, id)?)
    }

    /// The job in a slot.
    #[must_use]
    pub fn job(&self, ix: Ix) -> Option<&JobSlot> {
        self.jobs.get(ix)
    }

    /// The job that was accepted last.
    #[must_use]
    pub const fn newest_job(&self) -> Link {
        self.newest_jobs.head()
    }

    /// The job accepted before the one in `ix`.
    #[must_use]
    pub fn older_job(&self, ix: Ix) -> Link {
        List::<ALL>::next(&self.jobs, ix)
    }

    /// The slot of the endpoint whose id this text is.
    #[must_use]
    pub fn find_endpoint_text(&self, id: &str) -> Link {
        self.dispatch.find_endpoint_text(id)
    }

    /// The slot of the endpoint with this id.
    #[must_use]
    pub fn find_endpoint(&self, id: Id) -> Link {
        self.dispatch.find_endpoint(id)
    }

    /// The endpoint in a slot.
    #[must_use]
    pub fn endpoint(&self, ix: Ix) -> Option<&Endpoint> {
        self.dispatch.endpoint(ix)
    }

    /// The endpoint that was registered last.
    #[must_use]
    pub const fn newest_endpoint(&self) -> Link {
        self.dispatch.newest_endpoint()
    }

    /// The endpoint registered before the one in `ix`.
    #[must_use]
    pub fn older_endpoint(&self, ix: Ix) -> Link {
        self.dispatch.older_endpoint(ix)
    }

    /// Whether ended jobs are kept for longer than memory does: see [`Keep::Archive`].
    #[must_use]
    pub(crate) const fn has_archive(&self) -> bool {
        self.keep.archive()
    }

    /// The batch of records that the next change belongs to.
    const fn batch(&self) -> u64 {
        self.dispatch.outbox.batch()
    }

    /// Whether everything up to and with `batch` is durable.
    #[must_use]
    pub const fn is_durable(&self, batch: u64) -> bool {
        self.dispatch.outbox.is_durable(batch)
    }
}
