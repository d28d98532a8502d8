//! The translation service: jobs, endpoints and what is owed, without a wire.
//!
//! # Theory of operation
//!
//! A [`Service`] is the whole of Dubhook but for HTTP: an engineer who has another front end puts it on
//! top of this. Commands change it ([`submit`](Service::submit), [`cancel`](Service::cancel),
//! [`create_endpoint`](Service::create_endpoint)…), and so does what has happened in the world
//! ([`handle`](Service::handle)). What must then happen there comes out of [`poll`](Service::poll): work to start and to
//! stop, webhook attempts to make, records to write.
//!
//! **Nothing leaves before it is durable.** Every change belongs to the batch of records that is open. Its records come
//! out one by one, and then the [batch](crate::record::Batch) itself: the driver writes all of them in one transaction and
//! gives it back. Attempts and work that speak of a change come out only then; whoever answers a caller asks for the
//! [`barrier`](Service::barrier) of what it says and waits until that [`is_durable`](Service::is_durable). One batch is
//! written at a time, while the next one fills. Where [`Keep::Nothing`] says so there are no records and everything is
//! durable at once.
//!
//! **Records are last-value-wins.** A record is a slot of a table: its key is (table, slot), so there are
//! never more records than slots, and recovery is [`restore`](Service::restore) for each in the order of their keys,
//! then [`start`](Service::start). Jobs that were running are pending again.
//!
//! **Ended jobs leave memory**, after a time or when room is wanted. For a driver that keeps them for longer and says
//! [`Keep::Archive`], the JSON that an ended job has for ever comes out with its batch ([`Output::Archive`]).
//!
//! **Full is an answer.** A job is admitted only with room for everything that can still happen to it:
//! its text, its ending, its deliveries. Otherwise [`SubmitError::Full`] says so before anything was promised.
//!
//! The contract of the driver: after any command or [`handle`](Service::handle), ask [`poll`](Service::poll) for the next
//! thing to do until that is [`Output::Sleep`], and again when that says.

mod audit;
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
mod records;
mod restore;
mod targets;
mod view;
mod words;
#[cfg(feature = "hub")]
mod workers;

pub use crate::delivery::Flaw;
pub use deliveries::{Attempt, AttemptResult, Attempted, RequestError};
pub(crate) use door::NOT_STARTED;
pub use door::{HandleError, Handled, Input, Output, PollError, Ready};
pub use durable::Durable;
pub use endpoints::{EndpointChange, EndpointError, NewEndpoint};
pub use job_slot::{Job, request_field};
pub use jobs::{NewJob, Report, ReportError, SubmitError, Submitted};
#[cfg(feature = "idempotency")]
pub use keys::IdempotencyKey;
pub use limits::Limits;
pub use restore::RestoreError;
pub use view::{EVENT_BYTES_OVERHEAD, JOB_BYTES_OVERHEAD};
pub use words::{Words, WordsBytes};
#[cfg(feature = "hub")]
pub use workers::{Claim, LeaseError};

use job_slot::{ALL, ARCHIVING, QUEUED, REQUEST, STATE};

#[cfg(feature = "idempotency")]
use crate::idempotency::{KeySlot, Keys};
use crate::{
    delivery::Outbox,
    endpoint::{self, Endpoint},
    event::Event,
    id::{Id, Prefix},
    log::{Line, Log},
    random::Random,
    record::{Keep, Key},
    setup::{self, Lent, SetupError},
    sha256::Sha256,
    signature::{Secret, SigningKey},
    slab::{Ix, Link, List, Slab, Slot},
    text::{Block, Pool, blocks_for},
    timer::Timers,
};

/// The tables of a service, lent by the caller. All zero bytes is an empty table.
#[derive(Debug)]
pub struct Tables<'a> {
    /// What of it is kept for longer.
    pub keep: Keep,
    /// One for each job.
    pub jobs: &'a mut [Slot<Job>],
    /// Text of jobs and endpoints: 64 bytes each.
    pub blocks: &'a mut [Block],
    /// One for each endpoint.
    pub endpoints: &'a mut [Slot<Endpoint>],
    /// One for each idempotency key. With the feature `idempotency`.
    #[cfg(feature = "idempotency")]
    pub keys: &'a mut [KeySlot],
    /// Lines of the attempt log, divided among the endpoints.
    pub log: &'a mut [Line],
    /// Room for what receivers answered, divided among the lines.
    pub log_answers: &'a mut [u8],
    /// Room for the body of one event, and for one URL behind it.
    pub scratch: &'a mut [u8],
    /// Deliveries.
    pub outbox: crate::delivery::Tables<'a, Event>,
    /// Room for the newest events of all jobs.
    #[cfg(feature = "hub")]
    pub feed: &'a mut [crate::feed::Told],
}

/// The mark of endpoints whose record has changed.
const CHANGED: u8 = 1;

impl Tables<'_> {
    /// Whether the tables are long enough for each other and for the limits.
    fn check(&self, limits: &Limits) -> Result<(), SetupError> {
        let (jobs, outbox) = (self.jobs.len(), &self.outbox);
        let job_blocks = blocks_for(limits.result_bytes_max()).saturating_add(1);
        setup::at_least([
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
                self.endpoints.len().saturating_add(1),
            ),
            (Lent::Text, self.blocks.len(), job_blocks),
            #[cfg(feature = "idempotency")]
            (Lent::Keys, self.keys.len(), 1),
            (
                Lent::Scratch,
                self.scratch.len(),
                limits.scratch_bytes_max(),
            ),
        ])
    }
}

/// Jobs, endpoints and what is owed. See the [module](self) for how it works.
pub struct Service<'a> {
    jobs: Slab<'a, Job>,
    job_timers: Timers,
    keep: Keep,
    pool: Pool<'a>,
    endpoints: Slab<'a, Endpoint>,
    #[cfg(feature = "idempotency")]
    keys: Keys<'a>,
    log: Log<'a>,
    scratch: &'a mut [u8],
    outbox: Outbox<'a, Event>,
    limits: Limits,
    random: Random,
    /// From which callback secrets and key hashes are made; durable.
    master: [u8; 32],
    master_key: SigningKey,
    master_dirty: bool,

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
    /// All endpoints, newest first.
    newest_endpoints: List<{ endpoint::ALL }>,
    /// Endpoints that get every job's events.
    for_all: List<{ endpoint::WANTING }>,
    /// Removed endpoints that their deliveries have not let go of yet.
    leaving: List<{ endpoint::ALL }>,
    /// The event whose body is in the scratch memory, and how long it is.
    rendered: (Id, usize),
    processing: usize,
    counters: Counters,
    stage: Stage,
    /// What tells its batches from those of others.
    machine: u32,
    /// Whether records of the open batch have come out.
    gathering: bool,
    /// Whether a batch is on its way to the store.
    committing: bool,
    #[cfg(feature = "hub")]
    feed: crate::feed::Feed<'a>,
}

/// How far a service has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing has come in yet.
    New,
    /// Records are being put back; this one was the last.
    Restoring(Key),
    /// A record could not be put back, and all that comes is refused.
    Failed(RestoreError),
    /// It works.
    Started,
}

impl core::fmt::Debug for Service<'_> {
    /// How much it holds, and nothing of what that is: secrets are among it.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Service")
            .field("jobs", &self.jobs.len())
            .field("endpoints", &self.endpoints.len())
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
    /// A service with nothing in it. `seed` is 32 bytes of entropy, fresh at every start.
    ///
    /// # Errors
    ///
    /// [`SetupError`] names what is lent too little of for what `limits` allow.
    pub fn new(tables: Tables<'a>, limits: Limits, seed: [u8; 32]) -> Result<Self, SetupError> {
        tables.check(&limits)?;
        let mut random = Random::new(seed);
        let keep = tables.keep;
        let records = keep.records();
        let endpoints = tables.endpoints.len();
        let master = random.bytes();
        Ok(Self {
            jobs: Slab::new(tables.jobs).with_marks(records),
            job_timers: Timers::NONE,
            keep,
            pool: Pool::new(tables.blocks),
            endpoints: Slab::new(tables.endpoints).with_marks(records),
            #[cfg(feature = "idempotency")]
            keys: Keys::new(tables.keys).with_marks(records),
            log: Log::new(tables.log, tables.log_answers, endpoints)?,
            scratch: tables.scratch,
            outbox: Outbox::new(tables.outbox, limits.outbox, keep, endpoints)?,
            limits,
            master,
            master_key: Secret::from_random(master).signing_key(),
            master_dirty: records,
            random,
            newest_jobs: List::EMPTY,
            waiting: List::EMPTY,
            stopping: List::EMPTY,
            ended: List::EMPTY,
            archiving: List::EMPTY,
            newest_endpoints: List::EMPTY,
            for_all: List::EMPTY,
            leaving: List::EMPTY,
            rendered: (Id::NONE, 0),
            processing: 0,
            counters: Counters::default(),
            stage: Stage::New,
            machine: machine_of(&master),
            gathering: false,
            committing: false,
            #[cfg(feature = "hub")]
            feed: crate::feed::Feed::new(tables.feed),
        })
    }

    /// Begins work, unless it has begun. `false` where records were put back and not all is well with them yet.
    pub(crate) const fn begin(&mut self) -> bool {
        if matches!(self.stage, Stage::New) {
            self.stage = Stage::Started;
        }
        matches!(self.stage, Stage::Started)
    }

    /// What it allows.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Random bytes, for whoever works on top of the service or beside it.
    #[must_use]
    pub fn random_bytes(&mut self) -> [u8; 32] {
        self.random.bytes()
    }

    pub(crate) const fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// What it has done since it started.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many jobs it holds.
    #[must_use]
    pub const fn jobs_len(&self) -> usize {
        self.jobs.len()
    }

    /// How many jobs it has room for.
    #[must_use]
    pub const fn jobs_capacity(&self) -> usize {
        self.jobs.capacity()
    }

    /// How many endpoints it holds.
    #[must_use]
    pub const fn endpoints_len(&self) -> usize {
        self.endpoints.len()
    }

    /// How many endpoints it has room for.
    #[must_use]
    pub const fn endpoints_capacity(&self) -> usize {
        self.endpoints.capacity()
    }

    /// How many jobs are with a worker.
    #[must_use]
    pub const fn jobs_processing(&self) -> usize {
        self.processing
    }

    /// The newest events of all jobs, whether they are durable or not.
    #[cfg(feature = "hub")]
    #[must_use]
    pub const fn feed(&self) -> &crate::feed::Feed<'a> {
        &self.feed
    }

    /// The deliveries.
    #[must_use]
    pub const fn outbox(&self) -> &Outbox<'a, Event> {
        &self.outbox
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
    pub fn job(&self, ix: Ix) -> Option<&Job> {
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
        self.find_endpoint(Id::parse(Prefix::Endpoint, id)?)
    }

    /// The slot of the endpoint with this id.
    #[must_use]
    pub fn find_endpoint(&self, id: Id) -> Link {
        let ix = id.slot()?;
        let endpoint = self.endpoints.get(ix)?;
        (endpoint.id == id && !endpoint.removed).then_some(ix)
    }

    /// The endpoint in a slot.
    #[must_use]
    pub fn endpoint(&self, ix: Ix) -> Option<&Endpoint> {
        self.endpoints.get(ix)
    }

    /// The endpoint that was registered last.
    #[must_use]
    pub const fn newest_endpoint(&self) -> Link {
        self.newest_endpoints.head()
    }

    /// The endpoint registered before the one in `ix`.
    #[must_use]
    pub fn older_endpoint(&self, ix: Ix) -> Link {
        List::<{ endpoint::ALL }>::next(&self.endpoints, ix)
    }

    /// Whether ended jobs are kept for longer than memory does: see [`Output::Archive`].
    #[must_use]
    pub const fn has_archive(&self) -> bool {
        self.keep.archive()
    }

    /// The batch of records that the next change belongs to.
    const fn batch(&self) -> u64 {
        self.outbox.batch()
    }

    /// Whether everything up to and with `batch` is durable.
    #[must_use]
    pub const fn is_durable(&self, batch: u64) -> bool {
        self.outbox.is_durable(batch)
    }
}

/// What tells the batches of a machine from those of others, made from its first secret, which tells nothing of that.
fn machine_of(master: &[u8; 32]) -> u32 {
    let [a, b, c, d, ..] = Sha256::digest(master);
    u32::from_be_bytes([a, b, c, d])
}
