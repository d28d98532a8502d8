//! What a service writes down.

use super::{JobSlot, Output, PollError, REQUEST, Service};
use crate::{
    id::Id,
    job::Status,
    out::Out,
    record::{Key, Stored, Table, Value, Write},
    slab::Ix,
    time::{Now, Ran},
};

impl Service<'_> {
    /// The next part of the batch that is being gathered, or its end. A call of its own, for the stack it takes.
    #[inline(never)]
    pub(super) fn gather<'m, Conn>(
        &mut self,
        now: Now,
        memory: &'m mut [u8],
    ) -> Result<Option<Output<'m, Conn>>, PollError> {
        if self.dispatch.course.is_committing() {
            return Ok(None);
        }
        // They have no deadline: what is too old goes when something is written in any case.
        #[cfg(feature = "idempotency")]
        self.forget_expired_keys(now);
        if !self.has_unsaved() {
            return Ok(None);
        }
        if memory.len() < self.record_bytes_max() {
            return Err(PollError::ShortMemory);
        }
        self.dispatch.course.gather();
        if let Some((job, len)) = self.next_archived(memory) {
            let json = Value::new(memory.get(..len).unwrap_or_default());
            return Ok(Some(Output::Archive { job, json }));
        }
        if let Some((key, len)) = self.next_record(now, memory) {
            let value = len.and_then(|len| memory.get(..len)).map(Value::new);
            return Ok(Some(Output::Save { key, value }));
        }
        Ok(Some(Output::Commit(self.dispatch.close_batch())))
    }

    /// The next record of the open batch: its key, and how many bytes at the front of `memory` are its value; none where
    /// it is to be deleted. `memory` has room for any.
    fn next_record(&mut self, now: Now, memory: &mut [u8]) -> Option<(Key, Option<usize>)> {
        let mut write = Write::new(memory);
        let written = if let Some(meta) = self.dispatch.write_meta(now, &mut write) {
            Some(meta)
        } else if let Some((ix, mark)) = self.jobs.pop_marked() {
            Some(if mark == REQUEST {
                (Table::Job, ix.get(), self.write_request(ix, &mut write))
            } else {
                (
                    Table::State,
                    ix.get(),
                    self.write_state(now, ix, &mut write),
                )
            })
        } else {
            self.dispatch.write_record(now, &mut write)
        };
        #[cfg(feature = "idempotency")]
        let written = written.or_else(|| {
            let (ix, some) = self.write_next_key(&mut write)?;
            Some((Table::Key, ix.get(), some))
        });
        let (table, slot, some) = written?;
        let len = write.finish();
        debug_assert!(
            len.is_ok(),
            "all that a record can hold was checked when it came in"
        );
        Some((Key { table, slot }, len.ok().filter(|_| some)))
    }

    /// The next job that has ended in the open batch: its id, and how many bytes of `memory` its JSON takes.
    fn next_archived(&mut self, memory: &mut [u8]) -> Option<(Id, usize)> {
        let ix = self.archiving.pop_front(&mut self.jobs)?;
        let job = self.jobs.get_mut(ix)?;
        job.archiving = false;
        let id = job.id;
        let mut out = Out::new(memory);
        self.write_job(ix, &mut out);
        out.finish().ok().map(|len| (id, len))
    }

    /// When a job ended, of which is known until when it stays.
    fn ended_at(&self, now: Now, job: &JobSlot) -> Ran {
        let until = job.timer.get().unwrap_or(now.instant);
        let ran = self.dispatch.ran(until).as_ms();
        Ran::from_ms(ran.saturating_sub(self.limits.retain_ms))
    }

    /// Whether a record of the open batch waits to be written.
    pub(super) const fn is_dirty(&self) -> bool {
        #[cfg(feature = "idempotency")]
        if self.keys.has_marked() {
            return true;
        }
        self.jobs.has_marked() || self.dispatch.is_dirty()
    }

    fn write_request(&self, ix: Ix, write: &mut Write<'_>) -> bool {
        let Some(job) = self.jobs.get(ix) else {
            return false;
        };
        write.u128(job.id.to_bits());
        write.timestamp(job.created_at);
        write.bool(job.has_callback);
        write.bool(job.has_reference);
        for field in 0..5 {
            let pieces = self.dispatch.text.field(&job.request, field);
            write.pieces(job.request.len(field), pieces);
        }
        true
    }

    fn write_state(&self, now: Now, ix: Ix, write: &mut Write<'_>) -> bool {
        let Some(job) = self.jobs.get(ix) else {
            return false;
        };
        job.last.write(write);
        write.u8(job.attempts);
        write.pieces(job.result.len(0), self.dispatch.text.all(&job.result));
        match job.status() {
            Status::Pending => {}
            #[cfg(feature = "hub")]
            Status::Processing => write.u32(job.lease),
            #[cfg(not(feature = "hub"))]
            Status::Processing => {}
            _ => write.ran(self.ended_at(now, job)),
        }
        true
    }
}
