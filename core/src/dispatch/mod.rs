//! Signed webhooks for any events: endpoints, what they are owed, and what is sent to them.
//!
//! # Theory of operation
//!
//! A [`Dispatcher`] tells the events of *subjects* (jobs, doors, orders: a slot and an id each) to *endpoints*. What an event
//! is, its user says: a small type that is a [`Message`] and has a durable form
//! ([`Stored`]), and for its body [`Subjects`]. All else is here: whom it concerns (an endpoint's
//! filter, endpoints that are narrowed to one subject, a subject's own callback), in which order and how often it is tried
//! (the outbox), what an answer means, when an endpoint is given up, secrets and their rotation, the
//! request's bytes signed after Standard Webhooks, a log of attempts, and the records of all that. It knows nothing of
//! translations, of servers, or of an API.
//!
//! Its user makes a subject known with [`admit`](Dispatcher::admit) and tells of it with [`publish`](Dispatcher::publish).
//! What has happened in the world goes in with [`handle`](Dispatcher::handle); what is to be done there comes out of
//! [`poll`](Dispatcher::poll): an attempt to make, a record to save, a batch to commit, or how long to sleep.
//!
//! **Nothing leaves before it is durable.** Every change belongs to the batch of records that is open. Its records come out
//! one by one, and then the [batch](crate::record::Batch) itself; what speaks of the change comes out once that has come back.
//! With [`Keep::Nothing`] there are no records and everything is durable at once. What its user keeps of a subject (its id, and
//! the number of its latest event) belongs into the transaction of the batch that is committed: after a restart the subjects are
//! there first, then comes [`restore`](Dispatcher::restore) for each record, [`admit`](Dispatcher::admit), and
//! [`start`](Dispatcher::start). The page for [embedders](crate::embedding) shows it.
//!
//! **Full is an answer.** A subject is admitted only with room for the events that it was admitted for, and for all that
//! they cause; one that may be overtaken takes what room is left.
//!
//! # A door tells who asks
//!
//! ```
//! use dubhook_core::{
//!     dispatch::{
//!         AttemptResult, Dispatcher, Input, Limits, Message, NewEndpoint, Output, Ready, Storage, Subjects,
//!         zerocopy::FromZeros,
//!     },
//!     id::{Id, Ix},
//!     out::Out,
//!     record::{Keep, Read, Stored, Write},
//!     text::Pool,
//!     time::{Instant, Now, Timestamp},
//! };
//!
//! /// A door was opened or closed, for the so manieth time. All zero bytes are one: `FromZeros` sees to that. It is of the
//! /// crate `zerocopy`, and whoever depends on that in the same version needs no second attribute.
//! #[derive(Debug, Clone, Copy, PartialEq, FromZeros)]
//! #[zerocopy(crate = "dubhook_core::dispatch::zerocopy")]
//! struct Moved { at: Timestamp, count: u32, open: bool }
//!
//! impl Message for Moved {
//!     type Filter = bool; // every move, or with `true` openings alone
//!     const EMPTY: Self = Self { at: Timestamp::EPOCH, count: 0, open: false };
//!     const NO_FILTER: bool = false;
//!     fn sequence(&self) -> u32 { self.count }
//!     fn at(&self) -> Timestamp { self.at }
//!     fn kind(&self) -> u8 { self.open.into() }
//!     fn may_be_overtaken(&self) -> bool { false }
//!     fn is_last(&self) -> bool { false }
//!     fn passes(&self, openings: bool) -> bool { self.open || !openings }
//! }
//!
//! impl Stored for Moved {
//!     const BYTES_MAX: usize = 13;
//!     fn write(&self, record: &mut Write<'_>) {
//!         record.timestamp(self.at);
//!         record.u32(self.count);
//!         record.bool(self.open);
//!     }
//!     fn read(record: &mut Read<'_>) -> Option<Self> {
//!         Some(Self { at: record.timestamp(), count: record.u32(), open: record.bool() })
//!     }
//! }
//!
//! struct Door(Id);
//!
//! impl Subjects<Moved> for Door {
//!     fn id(&self, _: Ix) -> Option<Id> { Some(self.0) }
//!     fn write_body(&self, _: Ix, moved: &Moved, _: &Pool<'_>, out: &mut Out<'_>) {
//!         out.put(if moved.open { b"{\"type\":\"door.opened\"}" } else { b"{\"type\":\"door.closed\"}" });
//!     }
//! }
//!
//! let now = Now { instant: Instant::ZERO, timestamp: Timestamp::from_unix_ms(1_795_510_800_000) };
//! let mut storage = Storage::<Moved, 1, 2, 2, 256>::new(); // a door, two endpoints, two attempts, bodies of 256 bytes
//! let mut dispatcher = Dispatcher::new(storage.lend(Keep::Nothing), Limits::DEVICE, [7; 32]).unwrap();
//! let slot = Ix::MIN;
//! let door = Door(dispatcher.new_id(now, slot));
//! dispatcher.create_endpoint(now, NewEndpoint::new("http://ward.test/doors", true).unwrap()).unwrap();
//! dispatcher.admit(slot, 0, false).unwrap();
//!
//! for (count, open) in [(1, true), (2, false), (3, true)] {
//!     let moved = Moved { at: now.timestamp, count, open };
//!     dispatcher.publish(slot, moved, false, &door).unwrap();
//! }
//! let mut told = 0;
//! while let Output::Attempt(attempt) = dispatcher.poll(now, Ready::ALL, &mut []).unwrap() {
//!     let (mut text, mut request) = ([0; 120], [0; 512]);
//!     let url = dispatcher.attempt_url(attempt.id, &door, &mut text).unwrap();
//!     let len = dispatcher.write_attempt(now, attempt.id, &url, &door, &mut request).unwrap();
//!     assert!(request[..len].starts_with(b"POST /doors HTTP/1.1\r\nhost: ward.test\r\n"));
//!     assert!(request[..len].ends_with(b"{\"type\":\"door.opened\"}"));
//!     let result = AttemptResult::Answer { status: 204, retry_after_ms: None, body: b"" };
//!     dispatcher.handle(now, Input::Attempt { id: attempt.id, result }, &door).unwrap();
//!     told += 1;
//! }
//! assert_eq!(told, 2, "it was opened twice");
//! ```
//!
//! Where a kind and a number will do, [`Signal`] is ready made.

mod answer;
mod attempt;
mod audit;
mod course;
mod door;
mod endpoints;
mod event;
mod limits;
#[cfg(feature = "lists")]
mod logged;
mod memory;
mod new_endpoint;
mod publish;
#[cfg(feature = "records")]
mod records;
mod request;
#[cfg(feature = "records")]
mod restore;
mod signal;
mod storage;
#[cfg(test)]
mod tests;

pub use crate::delivery::{Attempt, AttemptId, Message, OutboxLimits, Owed, Schedule, Verdict};
pub use answer::Answer;
pub use attempt::{AttemptResult, Attempted};
pub use door::{HandleError, Input, Output, PollError, Ready};
pub use event::{Event, Subjects};
pub use limits::Limits;
pub use memory::{Memory, Sizes};
pub use new_endpoint::{EndpointChange, EndpointError, NewEndpoint};
pub use publish::SubjectError;
pub use request::RequestError;
#[cfg(feature = "records")]
pub use restore::RestoreError;
pub use signal::{Kinds, Signal};
pub use storage::Storage;
/// The crate whose `FromZeros` a [`Message`] has, in the version in which it is used here.
pub use zerocopy;

use course::Course;

#[cfg(feature = "lists")]
use crate::log::{Line, Log};
use crate::{
    delivery::{self, Outbox},
    endpoint::{self, Endpoint},
    id::{Id, Prefix},
    random::Random,
    record::{Keep, Stored},
    setup::{self, Lent, SetupError},
    sha256::Sha256,
    signature::{Secret, SigningKey},
    slab::{Ix, Link, List, Slab, Slot},
    text::{Block, Pool},
    time::{Clock, Instant, Now, Ran},
};
use core::mem::MaybeUninit;

/// The mark of endpoints whose record has changed.
const CHANGED: u8 = 1;

/// What every error says that means it.
pub(crate) const NOT_STARTED: &str = "records were put back, and work was not begun";

/// The tables of a dispatcher, lent by a [`Storage`].
#[derive(Debug)]
pub struct Tables<'a, E: Event> {
    /// What of it is kept for longer.
    pub(crate) keep: Keep,
    /// Text of endpoints, and what strings its user keeps: 64 bytes each.
    pub(crate) blocks: &'a mut [Block],
    /// One for each endpoint.
    pub(crate) endpoints: &'a mut [Slot<Endpoint<E::Filter>>],
    /// Lines of the attempt log, divided among the endpoints. With the feature `lists`.
    #[cfg(feature = "lists")]
    pub(crate) log: &'a mut [Line],
    /// Room for what receivers answered, divided among the lines.
    #[cfg(feature = "lists")]
    pub(crate) log_answers: &'a mut [u8],
    /// Room for the body of one event, and at least for a URL and a description.
    pub(crate) scratch: &'a mut [u8],
    /// Deliveries.
    pub(crate) outbox: delivery::Tables<'a, E>,
}

impl<E: Event> Tables<'_, E> {
    /// Whether they are long enough for each other and for the limits.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), SetupError> {
        let endpoints = self.endpoints.len();
        let texts_bytes = limits
            .url_bytes_max
            .saturating_add(limits.description_bytes_max);
        setup::at_least(&[
            (Lent::Scratch, self.scratch.len(), texts_bytes),
            (Lent::Text, self.blocks.len(), endpoints.min(1)),
        ])?;
        #[cfg(feature = "lists")]
        Log::check(self.log, self.log_answers, endpoints)?;
        self.outbox.check(endpoints)
    }
}

/// Endpoints, what they are owed, and how they fare. See the [module](self) for how it works.
pub struct Dispatcher<'a, E: Event> {
    pub(crate) text: Pool<'a>,
    pub(crate) endpoints: Slab<'a, Endpoint<E::Filter>>,
    #[cfg(feature = "lists")]
    pub(crate) log: Log<'a>,
    pub(crate) outbox: Outbox<'a, E>,
    pub(crate) course: Course,
    clock: Clock,
    pub(crate) random: Random,
    pub(crate) counters: Counters,
    scratch: &'a mut [u8],
    /// The event whose body is in the scratch memory, and how long it is.
    rendered: (Id, usize),
    limits: Limits,
    /// From which callback secrets are made; durable.
    pub(crate) master: [u8; 32],
    master_key: SigningKey,
    #[cfg(feature = "records")]
    master_dirty: bool,
    /// For how long it ran before this run, less what the clock showed when that began; wrapping.
    ran_before_ms: u64,
    /// How long it had run when that was written down last.
    #[cfg(feature = "records")]
    ran_noted: Ran,
    /// All endpoints, newest first.
    newest_endpoints: List<{ endpoint::ALL }>,
    /// Endpoints that get every subject's events.
    for_all: List<{ endpoint::WANTING }>,
    /// Removed endpoints that their deliveries have not let go of yet.
    leaving: List<{ endpoint::ALL }>,
}

impl<E: Event> core::fmt::Debug for Dispatcher<'_, E> {
    /// How much it holds, and nothing of what that is: secrets are among it.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Dispatcher")
            .field("endpoints", &self.endpoints.len())
            .finish_non_exhaustive()
    }
}

/// What a dispatcher has done since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Attempts that have ended.
    pub attempts: u64,
    /// Deliveries that arrived.
    pub delivered: u64,
    /// Deliveries given up.
    pub dead: u64,
    /// Endpoints refused for want of room.
    pub refused: u64,
    /// Endpoints disabled for what their receivers did: 410, or nothing but failures for too long.
    pub disabled: u64,
}

impl<'a, E: Event> Dispatcher<'a, E> {
    /// A dispatcher with nothing in it. `seed` is 32 bytes of entropy, fresh at every start.
    ///
    /// # Errors
    ///
    /// [`SetupError`] names what is lent too little of for what `limits` allow.
    pub fn new(tables: Tables<'a, E>, limits: Limits, seed: [u8; 32]) -> Result<Self, SetupError> {
        tables.check(&limits)?;
        let mut dispatcher = Self::of(tables, limits, seed);
        dispatcher.prepare();
        Ok(dispatcher)
    }

    /// The same, made where it is to stay: [`new`](Self::new) has it on the stack of whoever calls it.
    ///
    /// # Errors
    ///
    /// [`SetupError`] names what is lent too little of for what `limits` allow.
    pub fn new_in<'p>(
        place: &'p mut MaybeUninit<Self>,
        tables: Tables<'a, E>,
        limits: Limits,
        seed: [u8; 32],
    ) -> Result<&'p mut Self, SetupError> {
        tables.check(&limits)?;
        let dispatcher = place.write(Self::of(tables, limits, seed));
        dispatcher.prepare();
        Ok(dispatcher)
    }

    /// A dispatcher of tables that were looked at, which is still to be prepared: nothing is called here, so that it can
    /// be made where it is to stay.
    pub(crate) fn of(tables: Tables<'a, E>, limits: Limits, seed: [u8; 32]) -> Self {
        let records = tables.keep.records();
        #[cfg(feature = "lists")]
        let log = Log::of(tables.log, tables.log_answers, tables.endpoints.len());
        Self {
            text: Pool::new(tables.blocks),
            endpoints: Slab::new(tables.endpoints).with_marks(records),
            #[cfg(feature = "lists")]
            log,
            outbox: Outbox::of(tables.outbox, limits.outbox, tables.keep),
            course: Course::new(tables.keep),
            clock: Clock::NEW,
            random: Random::new(seed),
            counters: Counters::default(),
            scratch: tables.scratch,
            rendered: (Id::NONE, 0),
            limits,
            master: [0; 32],
            master_key: SigningKey::NONE,
            #[cfg(feature = "records")]
            master_dirty: records,
            ran_before_ms: 0,
            #[cfg(feature = "records")]
            ran_noted: Ran::ZERO,
            newest_endpoints: List::EMPTY,
            for_all: List::EMPTY,
            leaving: List::EMPTY,
        }
    }

    /// Does what is to be done once before anything else: it gets a secret of its own, and its lanes.
    pub(crate) fn prepare(&mut self) {
        let master = self.random.bytes();
        self.name(&master);
        self.set_master(master);
        self.outbox.make_lanes(self.endpoints.capacity());
    }

    /// Names the machine after its first secret, so that its batches and its handles are no other one's.
    fn name(&mut self, master: &[u8; 32]) {
        // The hash tells nothing of the secret.
        let [a, b, c, d, e, f, g, h, ..] = Sha256::digest(master);
        self.outbox.begin_serials(u32::from_be_bytes([a, b, c, d]));
        #[cfg(feature = "records")]
        self.course.name(u32::from_be_bytes([e, f, g, h]));
        #[cfg(not(feature = "records"))]
        let _ = [e, f, g, h];
    }

    fn set_master(&mut self, master: [u8; 32]) {
        self.master = master;
        self.master_key = Secret::from_random(master).signing_key();
    }

    /// Begins work, unless it has begun. `false` where records were put back and not all is well with them yet.
    pub(crate) const fn begin(&mut self) -> bool {
        self.course.begin()
    }

    /// For how long it has run at `now`, over its restarts.
    pub(crate) const fn ran(&self, now: Instant) -> Ran {
        Ran::from_ms(now.as_ms().wrapping_add(self.ran_before_ms))
    }

    /// What it allows.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What it has done since it started.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Random bytes, for its user.
    #[must_use]
    pub fn random_bytes(&mut self) -> [u8; 32] {
        self.random.bytes()
    }

    /// A new id for a subject that is made now and lives in `slot`.
    #[must_use]
    pub fn new_id(&mut self, now: Now, slot: Ix) -> Id {
        Id::new(now.timestamp, slot, &mut self.random)
    }

    /// Strings of endpoints, and of whoever keeps some there.
    #[must_use]
    pub const fn text(&self) -> &Pool<'a> {
        &self.text
    }

    /// How much is owed.
    #[must_use]
    pub const fn owed(&self) -> Owed {
        self.outbox.owed()
    }

    /// How many bytes of memory are enough for any record.
    #[must_use]
    pub const fn record_bytes_max(&self) -> usize {
        let endpoint = self
            .limits
            .record_bytes_max(<E::Filter as Stored>::BYTES_MAX);
        // Its subject is before it.
        let event = size_of::<u32>() + E::BYTES_MAX;
        if event > endpoint { event } else { endpoint }
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
    pub fn endpoint(&self, ix: Ix) -> Option<&Endpoint<E::Filter>> {
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

    /// Whether everything that has happened is durable.
    #[must_use]
    pub const fn is_all_durable(&self) -> bool {
        !self.has_unsaved() && self.outbox.is_durable(self.outbox.batch().wrapping_sub(1))
    }
}
