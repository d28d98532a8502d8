//! The translation service: jobs, endpoints and what is owed, without a wire.
//!
//! # Theory of operation
//!
//! A [`Service`] is the whole of Dubhook but for HTTP: an engineer who has another front end puts it on
//! top of this. Commands change it ([`submit`](Service::submit), [`report`](Service::report),
//! [`create_endpoint`](Service::create_endpoint)…); what must then happen in the world comes out of its
//! `poll_…` functions: work to start and to stop, webhook attempts to make, records to write.
//!
//! **Nothing leaves before it is durable.** Every change belongs to the batch of records that is open
//! ([`Service::batch`]). The driver drains [`poll_record`](Service::poll_record), closes the batch with
//! [`seal`](Service::seal), writes it in one transaction and calls [`committed`](Service::committed).
//! Attempts and work that speak of a change come out only then; whoever answers a caller asks
//! [`is_durable`](Service::is_durable). Batches are written one after the other, while the next one
//! fills. With no memory lent for marking changes there are no records and everything is durable at
//! once.
//!
//! **Records are last-value-wins.** A record is a slot of a table: its key is (table, slot), so there are
//! never more records than slots, and recovery is [`restore`](Service::restore) for each in any order,
//! then [`start`](Service::start). Jobs that were running are pending again.
//!
//! **Full is an answer.** A job is admitted only with room for everything that can still happen to it:
//! its text, its ending, its deliveries. Otherwise [`Full`] says so before anything was promised.
//!
//! The contract of the driver: after any command or `handle_…`, drain every `poll_…` until it returns
//! `None`, and call [`handle_timeout`](Service::handle_timeout) when
//! [`poll_timeout`](Service::poll_timeout) says.

mod deliveries;
mod endpoints;
mod jobs;
mod records;
mod view;

pub use deliveries::{AttemptResult, Attempted};
pub use endpoints::{EndpointChange, NewEndpoint};
pub use jobs::{IdempotencyKey, NewJob, Report, ReportError, SubmitError, Submitted, Words, Work};
pub use records::{Record, RestoreError};
pub use view::{EVENT_BYTES_OVERHEAD, JOB_BYTES_OVERHEAD};

use crate::{
    delivery::{Outbox, OutboxLimits},
    dirty::Dirty,
    endpoint::{self, Endpoint},
    event::Event,
    id::{Id, Prefix},
    idempotency::{KeySlot, Keys},
    job::State,
    log::{Line, Log},
    random::Random,
    slab::{Ix, Link, Links, List, Node, Slab, Slot},
    text::{Block, Pool, Text},
    time::{Instant, Timestamp},
    timer::{TimerSlot, Timers},
};
use zerocopy::FromZeros;

/// What a service allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a video's URL, and of an output's.
    pub url_bytes_max: usize,
    /// Bytes of an endpoint's URL and of a callback's. A header must hold them.
    pub callback_bytes_max: usize,
    /// Bytes of a job's reference.
    pub reference_bytes_max: usize,
    /// Bytes of an error's sentence; longer ones are cut.
    pub error_bytes_max: usize,
    /// Bytes of an endpoint's description.
    pub description_bytes_max: usize,
    /// How often a worker may start on a job before it is given up.
    pub attempts_max: u8,
    /// How long a worker may be silent before its job goes to another, in milliseconds.
    pub lease_ms: u64,
    /// How long an ended job stays in memory, in milliseconds; less where room is wanted.
    pub retain_ms: u64,
    /// How long an idempotency key is remembered, in milliseconds.
    pub key_ms: u64,
    /// How long the previous secret stays alive after a rotation, in milliseconds.
    pub secret_overlap_ms: u64,
    /// After how long without one success an endpoint is disabled, in milliseconds.
    pub disable_after_ms: u64,
    /// How long one delivery attempt may take, its whole answer included, in milliseconds.
    pub attempt_ms: u64,
    /// Deliveries: schedule and windows.
    pub outbox: OutboxLimits,
}

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

impl Limits {
    /// What a server allows.
    pub const SERVER: Self = Self {
        url_bytes_max: 2_048,
        callback_bytes_max: 2_048,
        reference_bytes_max: 256,
        error_bytes_max: 512,
        description_bytes_max: 256,
        attempts_max: 3,
        lease_ms: MINUTE_MS,
        retain_ms: DAY_MS,
        key_ms: DAY_MS,
        secret_overlap_ms: DAY_MS,
        disable_after_ms: 5 * DAY_MS,
        attempt_ms: 15_000,
        outbox: OutboxLimits::STANDARD,
    };

    /// What a device with 64 KiB of memory allows.
    pub const DEVICE: Self = Self {
        url_bytes_max: 120,
        callback_bytes_max: 120,
        reference_bytes_max: 32,
        error_bytes_max: 96,
        description_bytes_max: 32,
        attempts_max: 2,
        ..Self::SERVER
    };

    /// How many changes of state a job can go through at most: accepted, then started and lost again
    /// for each attempt, then ended.
    #[must_use]
    pub const fn state_events_max(&self) -> u8 {
        self.attempts_max.saturating_mul(2).saturating_add(2)
    }

    /// The longest text that an ending brings, in bytes.
    const fn result_bytes_max(&self) -> usize {
        if self.url_bytes_max > self.error_bytes_max {
            self.url_bytes_max
        } else {
            self.error_bytes_max
        }
    }
}

/// The memory of a service, lent by the caller. All zero bytes is empty memory.
///
/// The slices for marking changes (`…_dirty` here and in `outbox`) are as long as their tables, or all
/// empty for a service that keeps nothing.
#[derive(Debug)]
pub struct Memory<'a> {
    /// One for each job.
    pub jobs: &'a mut [Slot<Job>],
    /// As many timers as jobs.
    pub job_timers: &'a mut [TimerSlot],
    /// As many as jobs.
    pub jobs_dirty: &'a mut [u32],
    /// As many as jobs.
    pub states_dirty: &'a mut [u32],
    /// Text of jobs and endpoints: 64 bytes each.
    pub blocks: &'a mut [Block],
    /// One for each endpoint.
    pub endpoints: &'a mut [Slot<Endpoint>],
    /// As many as endpoints.
    pub endpoints_dirty: &'a mut [u32],
    /// One for each idempotency key.
    pub keys: &'a mut [KeySlot],
    /// At least twice as many as keys.
    pub key_index: &'a mut [u32],
    /// As many as keys.
    pub keys_dirty: &'a mut [u32],
    /// Lines of the attempt log, divided among the endpoints.
    pub log: &'a mut [Line],
    /// Room for what receivers answered, divided among the lines.
    pub log_answers: &'a mut [u8],
    /// Room for the body of one event, and for one URL behind it.
    pub scratch: &'a mut [u8],
    /// Deliveries.
    pub outbox: crate::delivery::Memory<'a>,
}

/// There is no room. Try again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The strings of a job's request, by their place in its [`Text`].
pub mod request_field {
    /// The video.
    pub const VIDEO_URL: usize = 0;
    /// The language it is in; empty where not said.
    pub const SOURCE_LANGUAGE: usize = 1;
    /// The language it shall be in.
    pub const TARGET_LANGUAGE: usize = 2;
    /// What the asker calls it; empty where not said.
    pub const REFERENCE: usize = 3;
    /// Where the asker wants to be told; empty where not said.
    pub const CALLBACK_URL: usize = 4;
}

/// One translation.
#[derive(Debug, Clone, Copy, FromZeros)]
pub struct Job {
    pub(crate) id: Id,
    pub(crate) created_at: Timestamp,
    /// What happened to it last: its status, progress and sequence.
    pub(crate) last: Event,
    pub(crate) attempts: u8,
    /// Whether it has a `callback_url`.
    pub(crate) has_callback: bool,
    /// Whether the asker gave a `reference`, which may be empty.
    pub(crate) has_reference: bool,
    /// Whether its worker must still hear that it was called off.
    pub(crate) stopping: bool,
    pub(crate) request: Text<5>,
    /// Output or error, once ended.
    pub(crate) result: Text<1>,
    /// The batch of records that makes it durable as it is.
    pub(crate) changed: u64,
    /// Endpoints narrowed to it.
    pub(crate) wanting: List<{ endpoint::WANTING }>,
    of_all: Links,
    queued: Links,
}

/// The list of all jobs, newest first.
const ALL: u8 = 0;
/// The list of jobs that wait for a worker, or for a worker to stop, or to be forgotten.
const QUEUED: u8 = 1;

impl Job {
    /// A filler for empty slots: all zero.
    pub const EMPTY: Self = Self {
        id: Id::NONE,
        created_at: Timestamp::EPOCH,
        last: Event {
            at: Timestamp::EPOCH,
            sequence: 0,
            kind: crate::event::Kind::Pending,
            progress: 0,
        },
        attempts: 0,
        has_callback: false,
        has_reference: false,
        stopping: false,
        request: Text::EMPTY,
        result: Text::EMPTY,
        changed: 0,
        wanting: List::EMPTY,
        of_all: Links::NONE,
        queued: Links::NONE,
    };

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> Id {
        self.id
    }

    /// Where it is in its life.
    #[must_use]
    pub const fn state(&self) -> State {
        State {
            status: self.last.kind.status(),
            progress: self.last.progress,
            attempts: self.attempts,
        }
    }

    /// What happened to it last.
    #[must_use]
    pub const fn last_event(&self) -> Event {
        self.last
    }
}

impl Node<ALL> for Job {
    fn links(&self) -> &Links {
        &self.of_all
    }
    fn links_mut(&mut self) -> &mut Links {
        &mut self.of_all
    }
}

impl Node<QUEUED> for Job {
    fn links(&self) -> &Links {
        &self.queued
    }
    fn links_mut(&mut self) -> &mut Links {
        &mut self.queued
    }
}

/// Jobs, endpoints and what is owed. See the [module](self) for how it works.
#[derive(Debug)]
pub struct Service<'a> {
    jobs: Slab<'a, Job>,
    job_timers: Timers<'a>,
    jobs_dirty: Dirty<'a>,
    states_dirty: Dirty<'a>,
    pool: Pool<'a>,
    endpoints: Slab<'a, Endpoint>,
    endpoints_dirty: Dirty<'a>,
    keys: Keys<'a>,
    keys_dirty: Dirty<'a>,
    log: Log<'a>,
    scratch: &'a mut [u8],
    outbox: Outbox<'a>,
    limits: Limits,
    random: Random,
    /// From which callback secrets and key hashes are made; durable.
    master: [u8; 32],
    master_dirty: bool,

    /// All jobs, newest first.
    newest_jobs: List<ALL>,
    /// Jobs that wait for a worker.
    waiting: List<QUEUED>,
    /// Jobs whose worker must stop.
    stopping: List<QUEUED>,
    /// Jobs that have ended, in that order.
    ended: List<QUEUED>,
    /// All endpoints, newest first.
    newest_endpoints: List<{ endpoint::ALL }>,
    /// Endpoints that get every job's events.
    for_all: List<{ endpoint::WANTING }>,
    /// Removed endpoints that their deliveries have not let go of yet.
    leaving: List<{ endpoint::ALL }>,
    /// The event whose body is in the scratch memory, and how long it is.
    rendered: (Id, usize),
    open_batch: u64,
    committed: u64,
    processing: usize,
    counters: Counters,
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
}

impl<'a> Service<'a> {
    /// A service with nothing in it. `seed` is 32 bytes of entropy, fresh at every start.
    #[must_use]
    pub fn new(memory: Memory<'a>, limits: Limits, seed: [u8; 32]) -> Self {
        let mut random = Random::new(seed);
        let durable = !memory.jobs_dirty.is_empty();
        let endpoints = memory.endpoints.len();
        Self {
            jobs: Slab::new(memory.jobs),
            job_timers: Timers::new(memory.job_timers),
            jobs_dirty: Dirty::new(memory.jobs_dirty),
            states_dirty: Dirty::new(memory.states_dirty),
            pool: Pool::new(memory.blocks),
            endpoints: Slab::new(memory.endpoints),
            endpoints_dirty: Dirty::new(memory.endpoints_dirty),
            keys: Keys::new(memory.keys, memory.key_index),
            keys_dirty: Dirty::new(memory.keys_dirty),
            log: Log::new(memory.log, memory.log_answers, endpoints),
            scratch: memory.scratch,
            outbox: Outbox::new(memory.outbox, limits.outbox),
            limits,
            master: random.bytes(),
            master_dirty: durable,
            random,
            newest_jobs: List::EMPTY,
            waiting: List::EMPTY,
            stopping: List::EMPTY,
            ended: List::EMPTY,
            newest_endpoints: List::EMPTY,
            for_all: List::EMPTY,
            leaving: List::EMPTY,
            rendered: (Id::NONE, 0),
            open_batch: 1,
            committed: if durable { 0 } else { u64::MAX },
            processing: 0,
            counters: Counters::default(),
        }
        .with_outbox_committed()
    }

    fn with_outbox_committed(mut self) -> Self {
        self.outbox.committed(self.committed);
        self
    }

    /// What it allows.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The source of random bytes, for whoever works on top of the service.
    pub const fn random(&mut self) -> &mut Random {
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

    /// How many endpoints it holds.
    #[must_use]
    pub const fn endpoints_len(&self) -> usize {
        self.endpoints.len()
    }

    /// How many jobs are with a worker.
    #[must_use]
    pub const fn jobs_processing(&self) -> usize {
        self.processing
    }

    /// The deliveries.
    #[must_use]
    pub const fn outbox(&self) -> &Outbox<'a> {
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

    /// The batch of records that the next change belongs to.
    #[must_use]
    pub const fn batch(&self) -> u64 {
        self.open_batch
    }

    /// Whether everything up to and with `batch` is durable.
    #[must_use]
    pub const fn is_durable(&self, batch: u64) -> bool {
        batch <= self.committed
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let jobs = self.job_timers.next().map(|(at, _)| at);
        [jobs, self.outbox.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }
}
