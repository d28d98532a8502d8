//! How what a service has written down comes back.

use super::{Job, Service, Stage, Words, jobs::LOST};
use crate::{
    delivery::{SavedStream, Target},
    endpoint::{self, Disabled, Endpoint, StoredSecret},
    event::{Event, Filter, Kind},
    id::Id,
    job::{Happening, Status, changes_left},
    language::looks_like_tag,
    record::{FORMAT_VERSION, Key, Read, Table},
    signature::Secret,
    slab::{Ix, List},
    text::blocks_for,
    time::{Instant, Now},
    url::{Url, is_absolute_uri},
};

/// Why records could not be restored. But for [`Started`](Self::Started) the service is of no use then: it says the same
/// again to whatever is restored, and does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RestoreError {
    /// It was written by a newer version of this program.
    Version,
    /// It names a slot that the service's memory does not have.
    Capacity,
    /// It does not say what such a record must, or contradicts another one.
    Corrupt,
    /// It came after one that belongs behind it.
    Order,
    /// Work has begun already. Nothing has changed.
    Started,
}

impl RestoreError {
    /// The error as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Version => "the data was written by a newer version",
            Self::Capacity => "the data needs a larger capacity",
            Self::Corrupt => "the data is damaged or contradicts itself",
            Self::Order => "the records came out of order",
            Self::Started => "work has begun already",
        }
    }
}

impl core::fmt::Display for RestoreError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for RestoreError {}

/// What a released job can go through more than one that was not: it is pending again, and started again.
const RELEASE_EVENTS: u8 = 2;

impl Service<'_> {
    /// Puts a record back, before anything else is done with a new service. Records must come in the
    /// order of their keys.
    ///
    /// # Errors
    ///
    /// [`RestoreError`] says what is wrong with it.
    pub fn restore(&mut self, now: Now, key: Key, value: &[u8]) -> Result<(), RestoreError> {
        let restored = match self.stage {
            Stage::Started => return Err(RestoreError::Started),
            Stage::Failed(error) => return Err(error),
            Stage::Restoring(last) if key <= last => Err(RestoreError::Order),
            Stage::New | Stage::Restoring(_) => self.put_back(now, key, value),
        };
        self.stage = match restored {
            Ok(()) => Stage::Restoring(key),
            Err(error) => Stage::Failed(error),
        };
        restored
    }

    fn put_back(&mut self, now: Now, key: Key, value: &[u8]) -> Result<(), RestoreError> {
        let mut read = Read::new(value);
        if key.table == Table::Meta {
            let version = read.u8();
            if version > FORMAT_VERSION {
                return Err(RestoreError::Version);
            }
            self.master = read.array();
            if !read.is_done() {
                return Err(RestoreError::Corrupt);
            }
            self.master_key = Secret::from_random(self.master).signing_key();
            self.master_dirty = false;
            return Ok(());
        }
        // One that had idempotency keys kept it, and nobody asks for it here.
        #[cfg(not(feature = "idempotency"))]
        if key.table == Table::Key {
            return Ok(());
        }
        let ix = Ix::new(key.slot).ok_or(RestoreError::Corrupt)?;
        let capacity = match key.table {
            Table::Meta => 0,
            Table::Job | Table::State => self.jobs.capacity(),
            Table::Endpoint => self.endpoints.capacity(),
            Table::Event => self.outbox.events_capacity(),
            Table::Stream => self.outbox.streams_capacity(),
            #[cfg(feature = "idempotency")]
            Table::Key => self.keys.capacity(),
            #[cfg(not(feature = "idempotency"))]
            Table::Key => 0,
        };
        if key.slot as usize > capacity {
            return Err(RestoreError::Capacity);
        }
        // A record's text is shorter than the record.
        let roomy = self.pool.room() >= blocks_for(value.len());
        let restored = match key.table {
            Table::Meta => Some(()),
            Table::Job => self.restore_request(ix, &mut read),
            Table::State => self.restore_state(ix, &mut read),
            Table::Endpoint => self.restore_endpoint(ix, &mut read),
            Table::Event => self.restore_event(ix, &mut read),
            Table::Stream => self.restore_stream(now, ix, &mut read),
            #[cfg(feature = "idempotency")]
            Table::Key => self.restore_key(ix, &mut read),
            #[cfg(not(feature = "idempotency"))]
            Table::Key => Some(()),
        };
        match restored {
            Some(()) if read.is_done() => Ok(()),
            None if !roomy => Err(RestoreError::Capacity),
            _ => Err(RestoreError::Corrupt),
        }
    }

    /// Begins work after all records are back: lists, room kept and timers are rebuilt, and jobs that
    /// were with a worker are pending again. Where nothing was put back, work begins by itself.
    ///
    /// # Errors
    ///
    /// [`RestoreError`] where the records contradict each other, or work has begun already.
    pub fn start(&mut self, now: Now) -> Result<(), RestoreError> {
        match self.stage {
            Stage::Started => return Err(RestoreError::Started),
            Stage::Failed(error) => return Err(error),
            Stage::New | Stage::Restoring(_) => {}
        }
        let started = self.rebuild(now);
        self.stage = match started {
            Ok(()) => Stage::Started,
            Err(error) => Stage::Failed(error),
        };
        started
    }

    fn rebuild(&mut self, now: Now) -> Result<(), RestoreError> {
        #[cfg(feature = "idempotency")]
        if !self.keys.restore_done() {
            return Err(RestoreError::Corrupt);
        }
        // By id, which counts up whatever the clock does: the order in which they were made.
        self.newest_jobs.sort(&mut self.jobs, |a, b| a.id > b.id);
        self.newest_endpoints
            .sort(&mut self.endpoints, |a, b| a.id > b.id);
        let mut at = self.newest_endpoints.head();
        while let Some(ix) = at {
            at = self.older_endpoint(ix);
            self.start_endpoint(ix);
        }
        self.outbox.restore_done();
        let mut at = self.newest_jobs.tail();
        while let Some(ix) = at {
            at = List::<{ super::ALL }>::prev(&self.jobs, ix);
            self.start_job(now, ix)?;
        }
        if !self.outbox.fits() {
            return Err(RestoreError::Capacity);
        }
        let mut at = self.newest_jobs.tail();
        while let Some(ix) = at {
            at = List::<{ super::ALL }>::prev(&self.jobs, ix);
            self.release_job(now, ix)?;
        }
        Ok(())
    }

    fn start_job(&mut self, now: Now, ix: Ix) -> Result<(), RestoreError> {
        let job = self.jobs.get(ix).ok_or(RestoreError::Corrupt)?;
        if job.last.sequence == 0 {
            return Err(RestoreError::Corrupt);
        }
        let status = job.state().status;
        if status.is_terminal() {
            let age_ms = now.timestamp.ms_since(job.last.at);
            let left_ms = self.limits.retain_ms.saturating_sub(age_ms);
            self.ended.push_back(&mut self.jobs, ix);
            self.job_timers
                .set(&mut self.jobs, ix, now.instant.after_ms(left_ms));
            return Ok(());
        }
        let mut targets_own = u32::from(job.has_callback);
        let mut endpoint = job.wanting.head();
        while let Some(at) = endpoint {
            targets_own += 1;
            endpoint = List::<{ endpoint::WANTING }>::next(&self.endpoints, at);
        }
        let budget = changes_left(job.state(), self.limits.attempts_max);
        let blocks = blocks_for(self.limits.result_bytes_max());
        if !self.outbox.restore_active(ix, budget, targets_own) || !self.pool.reserve(blocks) {
            return Err(RestoreError::Capacity);
        }
        if status == Status::Processing {
            self.processing += 1;
        } else {
            self.waiting.push_back(&mut self.jobs, ix);
        }
        Ok(())
    }

    /// Takes a job from the worker that ended with the run before. That is no fault of the job, so the attempt does not
    /// count; unless there is no room for the changes of state of one attempt more.
    pub(super) fn release_job(&mut self, now: Now, ix: Ix) -> Result<(), RestoreError> {
        let job = self.jobs.get(ix).ok_or(RestoreError::Corrupt)?;
        if job.state().status != Status::Processing {
            return Ok(());
        }
        let taken = if self.outbox.admit_events(ix, RELEASE_EVENTS) {
            self.happen(now, ix, Happening::Release, "")
        } else {
            self.happen(now, ix, Happening::Lose, LOST)
        };
        taken.map_err(|_| RestoreError::Corrupt)
    }

    fn restore_request(&mut self, ix: Ix, read: &mut Read<'_>) -> Option<()> {
        let mut job = Job::EMPTY;
        job.id = Id::from_bits(read.u128());
        job.created_at = read.timestamp();
        job.has_callback = read.bool();
        job.has_reference = read.bool();
        let mut fields = [""; 5];
        for field in &mut fields {
            *field = read.text();
        }
        if job.id.slot() != Some(ix) || !self.is_request(fields, job.has_callback) {
            return None;
        }
        job.request = self.pool.store(fields.map(Words::Plain))?;
        self.jobs.insert_at(ix, job)?;
        self.newest_jobs.push_front(&mut self.jobs, ix);
        Some(())
    }

    /// Whether these can be the strings of a request. Answers and deliveries count on it: they are written as they
    /// are, into room that was measured by the limits. A tag need only look like one: whoever took it may have been built
    /// without the grammar.
    fn is_request(&self, fields: [&str; 5], has_callback: bool) -> bool {
        let limits = &self.limits;
        let [video_url, source, target, reference, callback] = fields;
        video_url.len() <= limits.url_bytes_max
            && is_absolute_uri(video_url)
            && (source.is_empty() || looks_like_tag(source))
            && looks_like_tag(target)
            && reference.len() <= limits.reference_bytes_max
            && !(has_callback && callback.is_empty())
            && (callback.is_empty() || Url::parse(callback, limits.callback_bytes_max).is_ok())
    }

    fn restore_state(&mut self, ix: Ix, read: &mut Read<'_>) -> Option<()> {
        let last = read_event(read)?;
        let attempts = read.u8();
        let result = read.text();
        let is_result = match last.kind {
            Kind::Completed => result.len() <= self.limits.url_bytes_max && is_absolute_uri(result),
            Kind::Error => result.len() <= self.limits.error_bytes_max,
            _ => result.is_empty(),
        };
        if !is_result {
            return None;
        }
        let result = self.pool.store([Words::Plain(result)])?;
        let job = self.jobs.get_mut(ix)?;
        job.last = last;
        job.attempts = attempts;
        job.result = result;
        Some(())
    }

    fn restore_endpoint(&mut self, ix: Ix, read: &mut Read<'_>) -> Option<()> {
        let mut endpoint = Endpoint::EMPTY;
        endpoint.id = Id::from_bits(read.u128());
        endpoint.created_at = read.timestamp();
        endpoint.filter = Filter::from_bits(read.u8());
        endpoint.disabled = *Disabled::ALL.get(usize::from(read.u8()))?;
        endpoint.for_all = read.bool();
        endpoint.job = read.link();
        // It hangs in one list of the two, by one and the same link.
        if endpoint.for_all != endpoint.job.is_none() {
            return None;
        }
        endpoint.secret = stored_secret(read.bytes())?;
        endpoint.previous = stored_secret(read.bytes())?;
        endpoint.previous_until = read.timestamp();
        endpoint.failing_since = read.timestamp();
        let strings = [read.text(), read.text()];
        let [url, description] = strings;
        Url::parse(url, self.limits.callback_bytes_max).ok()?;
        if description.len() > self.limits.description_bytes_max {
            return None;
        }
        endpoint.text = self.pool.store(strings.map(Words::Plain))?;
        let known_job = endpoint.job.is_none_or(|job| self.jobs.get(job).is_some());
        if endpoint.id.slot() != Some(ix) || !known_job {
            return None;
        }
        self.endpoints.insert_at(ix, endpoint)?;
        self.newest_endpoints.push_front(&mut self.endpoints, ix);
        // A lane that stays closed may still have to let go of something.
        self.outbox.set_filter(ix, endpoint.filter);
        let open =
            !endpoint.is_enabled() || self.outbox.open_lane(ix, endpoint.filter, endpoint.for_all);
        open.then_some(())
    }

    fn restore_event(&mut self, ix: Ix, read: &mut Read<'_>) -> Option<()> {
        let job = read.link();
        let event = read_event(read)?;
        let known = job.is_none_or(|job| self.jobs.get(job).is_some());
        (known && self.outbox.restore_event(ix, job, event)).then_some(())
    }

    fn restore_stream(&mut self, now: Now, ix: Ix, read: &mut Read<'_>) -> Option<()> {
        let mut saved = SavedStream {
            job: read.link(),
            target: Target {
                lane: read.link()?,
                callback: read.bool(),
            },
            event: read.link()?,
            attempts: read.u8(),
            dead: read.bool(),
            solo: read.bool(),
            due: Instant::ZERO,
        };
        let (due, pause_ms) = (read.timestamp(), read.u64());
        // A clock that was set back does not lengthen a pause.
        let left_ms = due.ms_since(now.timestamp).min(pause_ms);
        if left_ms > 0 {
            saved.due = now.instant.after_ms(left_ms);
        }
        if saved.target.callback {
            // The number of lanes may have changed; the URL has not.
            saved.target.lane = self.callback_lane(saved.job?)?;
        } else if self.endpoints.get(saved.target.lane).is_none() {
            // Its endpoint was removed in the same moment: nothing is owed.
            self.outbox.forget_stream(ix);
            return Some(());
        }
        self.outbox.restore_stream(ix, &saved).then_some(())
    }
}

fn stored_secret(bytes: &[u8]) -> Option<StoredSecret> {
    if bytes.is_empty() {
        return Some(StoredSecret::NONE);
    }
    Some(StoredSecret::new(&Secret::from_bytes(bytes).ok()?))
}

fn read_event(read: &mut Read<'_>) -> Option<Event> {
    let event = Event {
        at: read.timestamp(),
        sequence: read.u32(),
        kind: Kind::from_u8(read.u8())?,
        progress: read.u8(),
    };
    (event.progress <= 100).then_some(event)
}
