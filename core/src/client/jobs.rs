//! What is known of jobs: how far each has come, and when to ask about it.
//!
//! A job is either *followed*, because somebody asked for it, or *watched*, because it was heard of. A
//! followed job keeps its slot until it is let go. Watched ones are remembered so that a repeat is
//! known as one, and the one not heard of for longest makes room where room is wanted.

use super::index::Index;
use crate::{
    id::Id,
    job::Status,
    slab::{Ix, Link, Links, List, Node, Slab, Slot},
    time::Instant,
    timer::{Timed, Timer, Timers},
};
use zerocopy::FromZeros;

/// What is known of one job: what the memory of a [`Client`](super::Client) consists of.
#[derive(Debug, Clone, Copy, FromZeros)]
pub(crate) struct Known {
    id: Id,
    /// Of the latest event; 0 while nothing is known.
    sequence: u32,
    status: Status,
    progress: u8,
    is_followed: bool,
    is_due: bool,
    /// Whoever follows it wants to hear how it is, even if that is known already.
    is_wanted: bool,
    /// How many questions in a row were answered with nothing new.
    silent: u8,
    heard: Links,
    due: Links,
    /// The job after this one in the same bucket of the index.
    pub(super) next: Link,
    /// When to ask about it.
    timer: Timer,
}

impl Known {
    /// A filler for empty slots: all zero.
    pub(super) const EMPTY: Self = Self {
        id: Id::NONE,
        sequence: 0,
        status: Status::Pending,
        progress: 0,
        is_followed: false,
        is_due: false,
        is_wanted: false,
        silent: 0,
        heard: Links::NONE,
        due: Links::NONE,
        next: None,
        timer: Timer::NONE,
    };

    pub(super) const fn new(id: Id) -> Self {
        Self { id, ..Self::EMPTY }
    }

    pub(super) const fn id(&self) -> Id {
        self.id
    }

    pub(super) const fn is_followed(&self) -> bool {
        self.is_followed
    }

    /// Whether something more can be learned of it, and somebody cares.
    const fn is_open(&self) -> bool {
        self.is_followed && (self.is_wanted || !self.status.is_terminal())
    }

    /// What is known, if anything is.
    pub(super) const fn state(&self) -> Option<JobState> {
        if self.sequence == 0 {
            return None;
        }
        Some(JobState {
            status: self.status,
            progress: self.progress,
            sequence: self.sequence,
        })
    }
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobState {
    /// Where it is in its life.
    pub status: Status,
    /// How much is done, 0 to 100.
    pub progress: u8,
    /// The number of its latest event.
    pub sequence: u32,
}

/// The list of watched jobs, the one heard of last at its end.
const HEARD: u8 = 0;
/// The list of jobs to ask about.
const DUE: u8 = 1;

impl Node<HEARD> for Known {
    fn links(&self) -> &Links {
        &self.heard
    }
    fn links_mut(&mut self) -> &mut Links {
        &mut self.heard
    }
}

impl Node<DUE> for Known {
    fn links(&self) -> &Links {
        &self.due
    }
    fn links_mut(&mut self) -> &mut Links {
        &mut self.due
    }
}

impl Timed for Known {
    fn timer_mut(&mut self) -> &mut Timer {
        &mut self.timer
    }
}

/// Everything that is known of jobs.
#[derive(Debug)]
pub(super) struct Jobs<'a> {
    slab: Slab<'a, Known>,
    index: Index,
    timers: Timers,
    watched: List<HEARD>,
    due: List<DUE>,
    followed: usize,
}

impl<'a> Jobs<'a> {
    pub(super) fn new(slots: &'a mut [Slot<Known>], seed: u64) -> Self {
        Self {
            slab: Slab::new(slots),
            index: Index::new(seed),
            timers: Timers::NONE,
            watched: List::EMPTY,
            due: List::EMPTY,
            followed: 0,
        }
    }

    /// How many more jobs can be followed.
    pub(super) const fn room(&self) -> usize {
        self.slab.capacity().saturating_sub(self.followed)
    }

    pub(super) fn find(&self, id: Id) -> Link {
        self.index.find(&self.slab, id)
    }

    pub(super) fn get(&self, ix: Ix) -> Option<&Known> {
        self.slab.get(ix)
    }

    /// Follows a job. `None` where every slot holds a followed one.
    pub(super) fn follow(&mut self, id: Id) -> Link {
        let ix = self.watch(id)?;
        let job = self.slab.get_mut(ix)?;
        if !job.is_followed {
            job.is_followed = true;
            self.followed = self.followed.saturating_add(1);
            self.watched.remove(&mut self.slab, ix);
        }
        Some(ix)
    }

    /// Remembers a job, in the place of the watched one not heard of for longest if need be.
    pub(super) fn watch(&mut self, id: Id) -> Link {
        if let Some(ix) = self.find(id) {
            self.hear(ix);
            return Some(ix);
        }
        if self.slab.room() == 0 {
            let oldest = self.watched.head()?;
            self.forget(oldest);
        }
        let ix = self.slab.insert(Known::new(id))?;
        self.index.insert(&mut self.slab, id, ix);
        self.watched.push_back(&mut self.slab, ix);
        Some(ix)
    }

    /// Follows a job no longer, but remembers it for a while.
    pub(super) fn unfollow(&mut self, ix: Ix) {
        self.settle(ix);
        if let Some(job) = self.slab.get_mut(ix)
            && job.is_followed
        {
            job.is_followed = false;
            job.is_wanted = false;
            self.followed = self.followed.saturating_sub(1);
            self.watched.push_back(&mut self.slab, ix);
        }
    }

    /// Forgets a job altogether.
    pub(super) fn forget(&mut self, ix: Ix) {
        self.unfollow(ix);
        self.watched.remove(&mut self.slab, ix);
        if let Some(job) = self.slab.get(ix) {
            let id = job.id;
            self.index.remove(&mut self.slab, id, ix);
        }
        self.slab.remove(ix);
    }

    /// Takes what was told of a job. `false`, and nothing changes, if it is known already, or older
    /// than what is known, or if the job has ended.
    pub(super) fn learn(&mut self, ix: Ix, told: JobState) -> bool {
        let Some(job) = self.slab.get_mut(ix) else {
            return false;
        };
        let is_news = told.sequence > job.sequence && !job.status.is_terminal();
        if is_news {
            job.sequence = told.sequence;
            job.status = told.status;
            job.progress = told.progress;
            job.is_wanted = false;
        }
        if !job.is_open() {
            self.settle(ix);
        }
        is_news
    }

    /// Asks about a job as soon as may be, and wants its state even if it is known already.
    pub(super) fn want(&mut self, ix: Ix) {
        if let Some(job) = self.slab.get_mut(ix) {
            job.is_wanted = true;
        }
        self.ask_now(ix);
    }

    /// Asks about a job as soon as may be, if there is anything left to ask.
    pub(super) fn ask_now(&mut self, ix: Ix) {
        let Some(job) = self.slab.get_mut(ix).filter(|job| job.is_open()) else {
            return;
        };
        if !job.is_due {
            job.is_due = true;
            self.due.push_back(&mut self.slab, ix);
        }
        self.timers.clear(&mut self.slab, ix);
    }

    /// Asks about every job that is followed and has not ended, as soon as may be.
    pub(super) fn ask_all(&mut self) {
        let mut at = self.slab.next_used(None);
        while let Some(ix) = at {
            self.ask_now(ix);
            at = self.slab.next_used(Some(ix));
        }
    }

    /// Asks about a job at `at` unless it is heard of before. Does nothing if it is to be asked about
    /// already.
    pub(super) fn ask_at(&mut self, ix: Ix, at: Instant) {
        let is_waiting = |job: &&Known| job.is_open() && !job.is_due;
        if self.slab.get(ix).filter(is_waiting).is_some() {
            self.timers.set(&mut self.slab, ix, at);
        }
    }

    /// How many questions about a job in a row were answered with nothing new.
    pub(super) fn silent(&self, ix: Ix) -> u8 {
        self.slab.get(ix).map_or(0, |job| job.silent)
    }

    /// Keeps count of questions that were answered with nothing new.
    pub(super) fn answered(&mut self, ix: Ix, with_news: bool) {
        if let Some(job) = self.slab.get_mut(ix) {
            job.silent = if with_news {
                0
            } else {
                job.silent.saturating_add(1)
            };
        }
    }

    /// Whether the state of event number `sequence` is the one that somebody wants: not if newer is
    /// known. It is wanted no more then.
    pub(super) fn satisfies(&mut self, ix: Ix, sequence: u32) -> bool {
        match self.slab.get_mut(ix) {
            Some(job) if sequence >= job.sequence => core::mem::take(&mut job.is_wanted),
            _ => false,
        }
    }

    /// The next job to ask about.
    pub(super) fn next_due(&self) -> Option<Id> {
        Some(self.slab.get(self.due.head()?)?.id)
    }

    /// Takes the next job to ask about off the list.
    pub(super) fn pop_due(&mut self) {
        if let Some(ix) = self.due.pop_front(&mut self.slab)
            && let Some(job) = self.slab.get_mut(ix)
        {
            job.is_due = false;
        }
    }

    /// When the next job becomes one to ask about.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Lists the jobs whose time to be asked about has come; `steps` at most.
    pub(super) fn handle_timeout(&mut self, now: Instant, steps: usize) {
        for _ in 0..steps {
            let Some(ix) = self.timers.pop_due(&mut self.slab, now) else {
                return;
            };
            self.ask_now(ix);
        }
    }

    /// There is nothing left to ask about a job.
    fn settle(&mut self, ix: Ix) {
        self.timers.clear(&mut self.slab, ix);
        if let Some(job) = self.slab.get_mut(ix)
            && core::mem::take(&mut job.is_due)
        {
            self.due.remove(&mut self.slab, ix);
        }
    }

    /// A watched job was heard of: others make room before it.
    fn hear(&mut self, ix: Ix) {
        if self.slab.get(ix).is_some_and(|job| !job.is_followed) {
            self.watched.remove(&mut self.slab, ix);
            self.watched.push_back(&mut self.slab, ix);
        }
    }
}
