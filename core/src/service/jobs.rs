//! What happens to jobs: they come in, are worked on, end, and are forgotten.

use super::{JobSlot, NOT_STARTED, REQUEST, STATE, Service};
use crate::{
    event::{Event, Kind},
    id::Id,
    job::{self, Refused, State, Status, Trigger},
    note::note,
    slab::{Ix, Link},
    text::{Source, blocks_for},
    time::Now,
    url::is_absolute_uri,
};

/// A translation that somebody asks for.
#[derive(Debug, Clone, Copy)]
pub struct NewJob<'a> {
    /// The video.
    pub video_url: Source<'a>,
    /// The language it is in, if said.
    pub source_language: Option<Source<'a>>,
    /// The language it shall be in.
    pub target_language: Source<'a>,
    /// What the asker calls it.
    pub reference: Option<Source<'a>>,
    /// Where the asker wants to be told.
    pub callback_url: Option<Source<'a>>,
}

/// A job that was accepted, now or when the same request came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    /// Where it is.
    pub job: Ix,
    /// Whether it was there already.
    pub repeated: bool,
}

/// Why no job was accepted. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SubmitError {
    /// The driver: records were put back, and work was not begun.
    NotStarted,
    /// There is no room. Try again later.
    Full,
    /// Whoever asks for it: a string is not what it must be, or longer than [`Limits`](super::Limits) allow.
    Invalid,
    /// The idempotency key came with another request before.
    #[cfg(feature = "idempotency")]
    KeyReused,
    /// The idempotency key's job, this one, has ended and is no longer kept.
    #[cfg(feature = "idempotency")]
    KeyForgotten(Id),
}

/// What a worker says of its job.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Report<'a> {
    /// Still at it; keeps the lease.
    Alive,
    /// So much is done, 0 to 100. Keeps the lease.
    Progress(u8),
    /// Done; the output is there.
    Completed(&'a str),
    /// Failed, with a sentence for whoever asked.
    Failed(&'a str),
}

/// Why a report was not taken. The job is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ReportError {
    /// The driver: records were put back, and work was not begun.
    NotStarted,
    /// There is no such job.
    Unknown,
    /// The job's state does not allow it.
    Refused(Refused),
    /// The output is no absolute URL, or a longer one than allowed.
    OutputUrl,
}

/// A job for a worker to start on, or to stop.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    /// Start on it.
    Start(Ix, Id),
    /// Stop: it was called off or taken away.
    Stop(Ix, Id),
}

impl SubmitError {
    /// The error as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => NOT_STARTED,
            Self::Full => "there is no room for another job",
            Self::Invalid => "a string of the request is not what it must be",
            #[cfg(feature = "idempotency")]
            Self::KeyReused => "the idempotency key came with another request before",
            #[cfg(feature = "idempotency")]
            Self::KeyForgotten(_) => "the idempotency key's job is no longer kept",
        }
    }
}

impl ReportError {
    /// The error as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => NOT_STARTED,
            Self::Unknown => "there is no such job",
            Self::Refused(_) => "the job's state does not allow it",
            Self::OutputUrl => "the output is no absolute URL, or a longer one than allowed",
        }
    }
}

impl core::fmt::Display for SubmitError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::fmt::Display for ReportError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for SubmitError {}
impl core::error::Error for ReportError {}

/// Ended jobs that make room for the text of a new one at most.
const EVICTIONS_MAX: usize = 16;
/// Timers taken in one call at most.
const STEP: usize = 64;
/// How long to leave an ended job that still owes somebody something, in milliseconds.
const UNSETTLED_MS: u64 = 60_000;

pub(super) const LOST: &str =
    "The worker stopped answering, and the job was given up after several attempts.";

impl Service<'_> {
    /// Accepts a job whose strings are checked.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] says why nothing was accepted.
    pub(crate) fn submit(&mut self, now: Now, new: &NewJob<'_>) -> Result<Submitted, SubmitError> {
        if !self.begin() {
            return Err(SubmitError::NotStarted);
        }
        #[cfg(feature = "idempotency")]
        self.forget_expired_keys(now);
        self.make(now, new)
    }

    /// Makes a job and counts it.
    pub(super) fn make(&mut self, now: Now, new: &NewJob<'_>) -> Result<Submitted, SubmitError> {
        let Some(job) = self.accept(now, new) else {
            return Err(self.refuse());
        };
        self.counters.submitted += 1;
        Ok(Submitted {
            job,
            repeated: false,
        })
    }

    /// Takes what a worker says of a job.
    pub(super) fn report(
        &mut self,
        now: Now,
        id: Id,
        report: Report<'_>,
    ) -> Result<(), ReportError> {
        let ix = self.find_job(id).ok_or(ReportError::Unknown)?;
        let (trigger, result) = match report {
            Report::Alive => {
                let progress = self.jobs.get(ix).map_or(0, |job| job.last.progress);
                (Trigger::Progress(progress), "")
            }
            Report::Progress(progress) => (Trigger::Progress(progress), ""),
            // It is shown to others as it is: room for it is set aside, and none for escapes.
            Report::Completed(url)
                if url.len() > self.limits.url_bytes_max || !is_absolute_uri(url) =>
            {
                return Err(ReportError::OutputUrl);
            }
            Report::Completed(url) => (Trigger::Complete, url),
            Report::Failed(why) => (Trigger::Fail, why),
        };
        let taken = self.happen(now, ix, trigger, result);
        if matches!(report, Report::Alive | Report::Progress(_))
            && self.jobs.get(ix).map(|job| job.state().status) == Some(Status::Processing)
        {
            let lease = now.instant.after_ms(self.limits.lease_ms);
            self.job_timers.set(&mut self.jobs, ix, lease);
        }
        taken.map_err(ReportError::Refused)
    }

    /// Calls a job off.
    ///
    /// # Errors
    ///
    /// [`ReportError`] says why it goes on: it has ended, or there is none.
    pub(crate) fn cancel(&mut self, now: Now, id: Id) -> Result<Ix, ReportError> {
        if !self.begin() {
            return Err(ReportError::NotStarted);
        }
        let ix = self.find_job(id).ok_or(ReportError::Unknown)?;
        self.happen(now, ix, Trigger::Cancel, "")
            .map_err(ReportError::Refused)?;
        Ok(ix)
    }

    /// The next thing for workers to do: a job to stop, or while `start` allows it one to start on.
    pub(super) fn next_work(&mut self, now: Now, start: bool) -> Option<Work> {
        if let Some(ix) = self.stopping.pop_front(&mut self.jobs) {
            self.ended.push_back(&mut self.jobs, ix);
            let job = self.jobs.get_mut(ix)?;
            job.stopping = false;
            return Some(Work::Stop(ix, job.id));
        }
        #[cfg(feature = "hub")]
        if self.limits.remote_workers {
            return None;
        }
        let ix = self.waiting.head()?;
        let job = self.jobs.get(ix)?;
        if !start || !self.is_durable(job.changed) {
            return None;
        }
        let id = job.id;
        self.happen(now, ix, Trigger::Start, "").ok()?;
        Some(Work::Start(ix, id))
    }

    /// Does what is due: leases that have run out, jobs to forget, deliveries to make again.
    pub(crate) fn pass(&mut self, now: Now) {
        #[cfg(feature = "idempotency")]
        self.forget_expired_keys(now);
        for _ in 0..STEP {
            let Some(ix) = self.job_timers.pop_due(&mut self.jobs, now.instant) else {
                break;
            };
            #[cfg(feature = "hub")]
            if self.is_spared(now, ix) || self.take_back(now, ix) {
                continue;
            }
            match self.jobs.get(ix).map(|job| job.state().status) {
                Some(Status::Processing) => {
                    // The table of steps allows this from here; there is nothing else to do if not.
                    let _ = self.happen(now, ix, Trigger::Lose, LOST);
                }
                Some(status) if status.is_terminal() && !self.forget(ix) => {
                    self.job_timers
                        .set(&mut self.jobs, ix, now.instant.after_ms(UNSETTLED_MS));
                }
                _ => {}
            }
        }
        self.dispatch.outbox.handle_timeout(now.instant);
        self.dispatch.reap_endpoints();
    }

    /// Makes a job, if there is room for all that can happen to it. A call of its own, for the stack it takes.
    #[inline(never)]
    fn accept(&mut self, now: Now, new: &NewJob<'_>) -> Link {
        if self.jobs.room() == 0 && !self.make_room() {
            return None;
        }
        let strings = [
            new.video_url,
            new.source_language.unwrap_or(Source::EMPTY),
            new.target_language,
            new.reference.unwrap_or(Source::EMPTY),
            new.callback_url.unwrap_or(Source::EMPTY),
        ];
        let result_blocks = blocks_for(self.limits.result_bytes_max());
        let bytes = strings.iter().map(|words| words.bytes_len()).sum();
        for _ in 0..EVICTIONS_MAX {
            let room = self.dispatch.text.room() >= blocks_for(bytes).saturating_add(result_blocks);
            if room || !self.make_room() {
                break;
            }
        }
        let ix = self.jobs.vacant()?;
        let has_callback = new.callback_url.is_some();
        let request = self.dispatch.text.store(strings.map(Source::bytes))?;
        if !self.dispatch.text.reserve(result_blocks) {
            self.dispatch.text.free(request);
            return None;
        }
        let state_events = self.limits.state_events_max();
        if self.dispatch.admit(ix, state_events, has_callback).is_err() {
            self.dispatch.text.release(result_blocks);
            self.dispatch.text.free(request);
            return None;
        }
        let previous = self.newest_job().and_then(|ix| self.jobs.get(ix));
        let previous = previous.map(|job| job.id);
        let mut job = JobSlot::EMPTY;
        job.id = Id::after(previous, now.timestamp, ix, &mut self.dispatch.random);
        job.created_at = now.timestamp;
        job.has_callback = has_callback;
        job.has_reference = new.reference.is_some();
        job.request = request;
        self.jobs.insert(job)?;
        self.jobs.mark(ix, REQUEST);
        self.newest_jobs.push_front(&mut self.jobs, ix);
        self.waiting.push_back(&mut self.jobs, ix);
        self.tell(now, ix, Kind::Pending, State::NEW);
        note!(debug, "job in slot {}: accepted", ix.get());
        Some(ix)
    }

    /// Lets something happen to a job: its state, its place in the queues, its event.
    pub(super) fn happen(
        &mut self,
        now: Now,
        ix: Ix,
        trigger: Trigger,
        result: &str,
    ) -> Result<(), Refused> {
        let Some(job) = self.jobs.get(ix) else {
            return Err(Refused::Terminal);
        };
        let before = job.state();
        let step = job::step(before, trigger, self.limits.attempts_max)?;
        let Some(kind) = step.event else {
            return Ok(());
        };
        if before.status == Status::Pending && step.state.status != Status::Pending {
            self.waiting.remove(&mut self.jobs, ix);
        }
        match step.state.status {
            Status::Processing => {
                let lease = now.instant.after_ms(self.limits.lease_ms);
                self.job_timers.set(&mut self.jobs, ix, lease);
            }
            Status::Pending => {
                self.job_timers.clear(&mut self.jobs, ix);
                self.waiting.push_back(&mut self.jobs, ix);
            }
            status => {
                let lost = trigger == Trigger::Lose;
                let called_off = trigger == Trigger::Cancel;
                self.end(now, ix, before.status, called_off || lost, result, status);
            }
        }
        self.count(before.status, step.state.status);
        self.tell(now, ix, kind, step.state);
        note!(debug, "job in slot {}: {:?}", ix.get(), kind);
        Ok(())
    }

    /// Puts an ended job where it belongs and keeps its result.
    fn end(&mut self, now: Now, ix: Ix, from: Status, stop: bool, result: &str, to: Status) {
        let reserved = blocks_for(self.limits.result_bytes_max());
        let words = match to {
            Status::Canceled => "",
            Status::Error => cut(result, self.limits.error_bytes_max),
            _ => result,
        };
        // The room was set aside when the job was accepted.
        let text = self.dispatch.text.store_reserved([words.bytes()], reserved);
        let stopping = stop && from == Status::Processing;
        // A worker of the run before is there no longer.
        #[cfg(feature = "records")]
        let stopping = stopping && !self.dispatch.course.is_restoring();
        // One that claims its jobs has nobody here to tell: it learns of it when it reports next.
        #[cfg(feature = "hub")]
        let stopping = stopping && !self.limits.remote_workers;
        if let Some(job) = self.jobs.get_mut(ix) {
            job.result = text.unwrap_or(crate::text::Text::EMPTY);
            job.stopping = stopping;
            job.archiving = self.keep.archive();
        }
        if stopping {
            self.stopping.push_back(&mut self.jobs, ix);
        } else {
            self.ended.push_back(&mut self.jobs, ix);
        }
        if self.keep.archive() {
            self.archiving.push_back(&mut self.jobs, ix);
        }
        let forget_at = now.instant.after_ms(self.limits.retain_ms);
        self.job_timers.set(&mut self.jobs, ix, forget_at);
    }

    /// Writes down that something happened, and owes it to everyone who wants to know.
    fn tell(&mut self, now: Now, ix: Ix, kind: Kind, state: State) {
        let batch = self.batch();
        let Some(job) = self.jobs.get_mut(ix) else {
            return;
        };
        if self.dispatch.outbox.is_durable(job.changed) {
            job.settled = job.last;
            job.unsettled_since = batch;
        }
        // Time in payloads never runs backwards inside a job, whatever the clock does.
        let at = now.timestamp.max(job.last.at);
        job.last = Event {
            at,
            sequence: job.last.sequence.saturating_add(1),
            kind,
            progress: state.progress,
        };
        job.attempts = state.attempts;
        job.changed = batch;
        #[cfg(feature = "hub")]
        if kind == Kind::Processing {
            job.lease = job.last.sequence;
            job.unheard = false;
        }
        if job.last.sequence == 1 {
            job.created_at = at;
        }
        let (event, callback) = (job.last, job.has_callback);
        #[cfg(feature = "hub")]
        self.feed.push(crate::feed::Entry {
            job: job.id,
            event,
            batch,
        });
        self.jobs.mark(ix, STATE);
        let told = self.dispatch.tell(ix, event, callback, &self.jobs);
        // Progress for which there is no room is told to nobody: there will be more. For all else room is kept.
        debug_assert!(told || kind == Kind::Progress, "a change of state has room");
    }

    const fn count(&mut self, before: Status, after: Status) {
        if matches!(before, Status::Processing) {
            self.processing = self.processing.saturating_sub(1);
        }
        match after {
            Status::Pending => {}
            Status::Processing => self.processing += 1,
            Status::Completed => self.counters.completed += 1,
            Status::Error => self.counters.errors += 1,
            Status::Canceled => self.counters.canceled += 1,
        }
        // Progress leaves the status as it was: it was counted out and in again.
    }

    pub(super) fn refuse(&mut self) -> SubmitError {
        note!(warn, "job refused: no room");
        self.counters.refused += 1;
        SubmitError::Full
    }
}

/// `text` up to `bytes_max`, without cutting a character in two.
pub(super) fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max))
        .unwrap_or_default()
}
