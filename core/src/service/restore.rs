//! How what a service has written down comes back.

use super::{JobSlot, STATE, Service};
use crate::{
    dispatch::RestoreError,
    event::{Event, Kind},
    id::Id,
    job::{Status, changes_left},
    record::{Key, Read, Stored, Table},
    slab::{Ix, List},
    text::blocks_for,
    time::Now,
    url::is_absolute_uri,
};

impl Service<'_> {
    /// Puts a record back, before anything else is done with a new service. Records must come in the
    /// order of their keys.
    ///
    /// # Errors
    ///
    /// [`RestoreError`] says what is wrong with it.
    pub(crate) fn restore(&mut self, now: Now, key: Key, value: &[u8]) -> Result<(), RestoreError> {
        self.dispatch.course.may_restore(key)?;
        let restored = self.put_back(now, key, value);
        self.dispatch.course.restored(key, restored);
        restored
    }

    fn put_back(&mut self, now: Now, key: Key, value: &[u8]) -> Result<(), RestoreError> {
        // One that had idempotency keys kept it, and nobody asks for it here.
        #[cfg(not(feature = "idempotency"))]
        if key.table == Table::Key {
            return Ok(());
        }
        let capacity = match key.table {
            Table::Job | Table::State => self.jobs.capacity(),
            #[cfg(feature = "idempotency")]
            Table::Key => self.keys.capacity(),
            #[cfg(not(feature = "idempotency"))]
            Table::Key => 0,
            Table::Meta | Table::Endpoint | Table::Event | Table::Stream => {
                return self.dispatch.put_back(now, key, value, &self.jobs);
            }
        };
        let ix = Ix::new(key.slot).ok_or(RestoreError::Corrupt)?;
        if key.slot as usize > capacity {
            return Err(RestoreError::Capacity);
        }
        let roomy = self.dispatch.has_text_room(value);
        let mut read = Read::new(value);
        let restored = match key.table {
            Table::Job => self.restore_request(ix, &mut read),
            Table::State => self.restore_state(now, ix, &mut read),
            #[cfg(feature = "idempotency")]
            Table::Key => self.restore_key(now, ix, &mut read),
            #[cfg(not(feature = "idempotency"))]
            Table::Key => Some(()),
            Table::Meta | Table::Endpoint | Table::Event | Table::Stream => None,
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
    pub(crate) fn start(&mut self, now: Now) -> Result<(), RestoreError> {
        self.dispatch.course.may_start()?;
        let started = self.rebuild(now);
        self.dispatch.course.started(started);
        started
    }

    fn rebuild(&mut self, now: Now) -> Result<(), RestoreError> {
        #[cfg(feature = "idempotency")]
        if !self.keys.restore_done() {
            return Err(RestoreError::Corrupt);
        }
        // By id, which counts up whatever the clock does: the order in which they were made.
        self.newest_jobs.sort(&mut self.jobs, |a, b| a.id > b.id);
        self.dispatch.rebuild();
        let mut at = self.newest_jobs.tail();
        while let Some(ix) = at {
            at = List::<{ super::ALL }>::prev(&self.jobs, ix);
            self.start_job(ix)?;
        }
        if !self.dispatch.outbox.fits() {
            return Err(RestoreError::Capacity);
        }
        let mut at = self.newest_jobs.tail();
        while let Some(ix) = at {
            at = List::<{ super::ALL }>::prev(&self.jobs, ix);
            if !self.is_leased(ix) && !self.release_job(now, ix) {
                return Err(RestoreError::Corrupt);
            }
        }
        Ok(())
    }

    /// Whether a job is with a remote worker that may report on it still.
    fn is_leased(&self, ix: Ix) -> bool {
        #[cfg(feature = "hub")]
        return self.jobs.get(ix).is_some_and(|job| job.unheard);
        #[cfg(not(feature = "hub"))]
        {
            let _ = ix;
            false
        }
    }

    fn start_job(&mut self, ix: Ix) -> Result<(), RestoreError> {
        let job = self.jobs.get(ix).ok_or(RestoreError::Corrupt)?;
        if job.last.sequence == 0 {
            return Err(RestoreError::Corrupt);
        }
        let status = job.state().status;
        if status.is_terminal() {
            self.ended.push_back(&mut self.jobs, ix);
            return Ok(());
        }
        let has_callback = job.has_callback;
        let budget = changes_left(job.state(), self.limits.attempts_max);
        let blocks = blocks_for(self.limits.result_bytes_max());
        if !self.dispatch.readmit(ix, budget, has_callback) || !self.dispatch.text.reserve(blocks) {
            return Err(RestoreError::Capacity);
        }
        if status == Status::Processing {
            self.processing += 1;
        } else {
            self.waiting.push_back(&mut self.jobs, ix);
        }
        Ok(())
    }

    fn restore_request(&mut self, ix: Ix, read: &mut Read<'_>) -> Option<()> {
        let mut job = JobSlot::EMPTY;
        job.id = Id::from_bits(read.u128());
        job.created_at = read.timestamp();
        job.has_callback = read.bool();
        job.has_reference = read.bool();
        let mut fields = [""; 5];
        for field in &mut fields {
            *field = read.text();
        }
        let mut numbered = fields.iter().enumerate();
        let allowed = numbered.all(|(field, text)| self.limits.allow(field, text));
        let [.., callback] = fields;
        if job.id.slot() != Some(ix) || !allowed || (job.has_callback && callback.is_empty()) {
            return None;
        }
        job.request = self.dispatch.text.store(fields.map(str::bytes))?;
        self.jobs.insert_at(ix, job)?;
        self.newest_jobs.push_front(&mut self.jobs, ix);
        Some(())
    }

    fn restore_state(&mut self, now: Now, ix: Ix, read: &mut Read<'_>) -> Option<()> {
        let last = Event::read(read)?;
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
        let result = self.dispatch.text.store([result.bytes()])?;
        let job = self.jobs.get_mut(ix)?;
        job.last = last;
        job.attempts = attempts;
        job.result = result;
        // A machine without remote workers has no use for it.
        let lease = if last.kind.status() == Status::Processing && !read.is_done() {
            read.u32()
        } else {
            0
        };
        #[cfg(feature = "hub")]
        self.keep_lease(now, ix, lease);
        #[cfg(not(feature = "hub"))]
        let _ = lease;
        if last.kind.is_terminal() {
            let ran = self.dispatch.ran(now.instant);
            // Format 1 did not tell: it stays as long as one that has just ended.
            let ended = if read.is_done() {
                self.jobs.mark(ix, STATE);
                ran
            } else {
                read.ran()
            };
            let left_ms = self.limits.retain_ms.saturating_sub(ran.ms_since(ended));
            let until = now.instant.after_ms(left_ms);
            self.job_timers.set(&mut self.jobs, ix, until);
        }
        Some(())
    }
}
