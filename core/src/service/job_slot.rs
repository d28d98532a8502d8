//! A job as its table holds it.

use crate::{
    event::Event,
    id::Id,
    job::{State, Status},
    slab::{Links, Node},
    text::Text,
    time::Timestamp,
    timer::{Timed, Timer},
};
use zerocopy::FromZeros;

/// The strings of a job's request, by their place in its [`Text`].
pub(crate) mod request_field {
    /// The video.
    pub(crate) const VIDEO_URL: usize = 0;
    /// The language it is in; empty where not said.
    pub(crate) const SOURCE_LANGUAGE: usize = 1;
    /// The language it shall be in.
    pub(crate) const TARGET_LANGUAGE: usize = 2;
    /// What the asker calls it; empty where not said.
    pub(crate) const REFERENCE: usize = 3;
    /// Where the asker wants to be told; empty where not said.
    pub(crate) const CALLBACK_URL: usize = 4;
}

/// One translation.
///
/// What showing it takes comes first, then what changes with each step, then what few need: with its slot's own eight bytes
/// each of the first two parts is as long as a line of a processor's cache.
#[derive(Debug, Clone, Copy, FromZeros)]
#[repr(C)]
pub struct JobSlot {
    pub(crate) id: Id,
    pub(crate) created_at: Timestamp,
    /// What happened to it last: its status, progress and sequence.
    pub(crate) last: Event,
    pub(crate) request: Text<5>,

    /// Output or error, once ended.
    pub(crate) result: Text<1>,
    /// The batch of records that makes it durable as it is.
    pub(crate) changed: u64,
    /// The end of its lease, or of its stay once it has ended.
    pub(super) timer: Timer,
    pub(super) of_all: Links,
    pub(super) queued: Links,
    pub(crate) attempts: u8,
    /// Whether its `callback_url`, if it has one, wants to be told.
    pub(crate) has_callback: bool,
    /// Whether the asker gave a `reference`, which may be empty.
    pub(crate) has_reference: bool,
    /// Whether its worker must still hear that it was called off.
    pub(crate) stopping: bool,
    /// Whether it hangs among those that must be put into the archive.
    pub(super) archiving: bool,

    /// What had happened to it when it was durable last, while `last` is not.
    pub(super) settled: Event,
    /// The first batch with something that happened after `settled`.
    pub(super) unsettled_since: u64,
    to_archive: Links,
    /// The sequence of the event with which its worker began; 0 where that is not known, or was taken back. Durable while
    /// it is with a worker.
    #[cfg(feature = "hub")]
    pub(super) lease: u32,
    /// Whether the worker that has it was not heard of in this run: it may have ended with the run before.
    #[cfg(feature = "hub")]
    pub(super) unheard: bool,
    /// How many follow it who must be told of its end before it is forgotten.
    #[cfg(feature = "hub")]
    pub(super) followers: u32,
}

/// The list of all jobs, newest first.
pub(super) const ALL: u8 = 0;
/// The list of jobs that wait for a worker, or for a worker to stop, or to be forgotten.
pub(super) const QUEUED: u8 = 1;
/// The list of jobs that have ended and must be put into the archive.
pub(super) const ARCHIVING: u8 = 2;

/// The mark of jobs whose record of what was asked for has changed.
pub(super) const REQUEST: u8 = 1;
/// The mark of jobs whose record of what became of them has changed.
pub(super) const STATE: u8 = 2;

impl JobSlot {
    /// A filler for empty slots: all zero.
    pub const EMPTY: Self = Self {
        id: Id::NONE,
        created_at: Timestamp::EPOCH,
        last: Event::NOTHING_YET,
        settled: Event::NOTHING_YET,
        attempts: 0,
        has_callback: false,
        has_reference: false,
        stopping: false,
        archiving: false,
        request: Text::EMPTY,
        result: Text::EMPTY,
        changed: 0,
        unsettled_since: 0,
        of_all: Links::NONE,
        queued: Links::NONE,
        to_archive: Links::NONE,
        timer: Timer::NONE,
        #[cfg(feature = "hub")]
        lease: 0,
        #[cfg(feature = "hub")]
        unheard: false,
        #[cfg(feature = "hub")]
        followers: 0,
    };

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> Id {
        self.id
    }

    /// Where it is in its life.
    #[must_use]
    pub(crate) const fn state(&self) -> State {
        State {
            status: self.last.kind.status(),
            progress: self.last.progress,
            attempts: self.attempts,
        }
    }

    /// Its status.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.last.kind.status()
    }

    /// How often a worker has started on it.
    #[must_use]
    pub const fn attempts(&self) -> u8 {
        self.attempts
    }

    /// What happened to it last.
    #[must_use]
    pub const fn last_event(&self) -> Event {
        self.last
    }
}

impl Node<ALL> for JobSlot {
    fn links(&self) -> &Links {
        &self.of_all
    }
    fn links_mut(&mut self) -> &mut Links {
        &mut self.of_all
    }
}

impl Node<QUEUED> for JobSlot {
    fn links(&self) -> &Links {
        &self.queued
    }
    fn links_mut(&mut self) -> &mut Links {
        &mut self.queued
    }
}

impl Node<ARCHIVING> for JobSlot {
    fn links(&self) -> &Links {
        &self.to_archive
    }
    fn links_mut(&mut self) -> &mut Links {
        &mut self.to_archive
    }
}

impl Timed for JobSlot {
    fn timer_mut(&mut self) -> &mut Timer {
        &mut self.timer
    }
}
