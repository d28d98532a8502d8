//! What a service writes down.

use super::{REQUEST, Service};
use crate::{
    delivery::SavedStream,
    endpoint::field,
    event::Event,
    id::Id,
    out::{Full, Out},
    record::{FORMAT_VERSION, Key, Table, Write},
    slab::Ix,
    time::{Now, Timestamp},
};

/// A record to write, or with no value to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Which one.
    pub key: Key,
    /// How many bytes of the lent memory are its value; `None` deletes the record.
    pub len: Option<usize>,
}

impl Service<'_> {
    /// The next record of the open batch, its value written to the front of `memory`. When there is
    /// none left, [`seal`](Self::seal) the batch.
    ///
    /// # Errors
    ///
    /// [`Full`] where `memory` is too short for a record. The record is lost then, so lend as much as
    /// the longest strings that [`Limits`](super::Limits) allows and 512 bytes.
    pub fn poll_record(&mut self, now: Now, memory: &mut [u8]) -> Result<Option<Record>, Full> {
        let mut write = Write::new(memory);
        let (table, slot, some) = if core::mem::take(&mut self.master_dirty) {
            write.u8(FORMAT_VERSION);
            write.raw(&self.master);
            (Table::Meta, 0, true)
        } else if let Some((ix, mark)) = self.jobs.pop_marked() {
            if mark == REQUEST {
                (Table::Job, ix.get(), self.write_request(ix, &mut write))
            } else {
                (Table::State, ix.get(), self.write_state(ix, &mut write))
            }
        } else if let Some((ix, _)) = self.endpoints.pop_marked() {
            let some = self.write_endpoint_record(ix, &mut write);
            (Table::Endpoint, ix.get(), some)
        } else if let Some((ix, event)) = self.outbox.poll_dirty_event() {
            if let Some((job, event)) = event {
                write.link(job);
                write_event(&event, &mut write);
            }
            (Table::Event, ix.get(), event.is_some())
        } else if let Some((ix, stream)) = self.outbox.poll_dirty_stream() {
            if let Some(stream) = stream {
                write_stream(now, &stream, &mut write);
            }
            (Table::Stream, ix.get(), stream.is_some())
        } else {
            #[cfg(feature = "idempotency")]
            if let Some((ix, some)) = self.write_next_key(&mut write) {
                (Table::Key, ix.get(), some)
            } else {
                return Ok(None);
            }
            #[cfg(not(feature = "idempotency"))]
            return Ok(None);
        };
        let len = write.finish()?;
        Ok(Some(Record {
            key: Key { table, slot },
            len: some.then_some(len),
        }))
    }

    /// The next job that has ended in the open batch: its id, and how many bytes of `memory` its JSON takes. Drain it
    /// before the batch is sealed; what it gives belongs to the same transaction, under the id as its key.
    ///
    /// # Errors
    ///
    /// [`Full`] where `memory` is too short, as for [`poll_record`](Self::poll_record).
    pub fn poll_archive(&mut self, memory: &mut [u8]) -> Result<Option<(Id, usize)>, Full> {
        let Some(ix) = self.archiving.pop_front(&mut self.jobs) else {
            return Ok(None);
        };
        let Some(job) = self.jobs.get_mut(ix) else {
            return Ok(None);
        };
        job.archiving = false;
        let id = job.id;
        let mut out = Out::new(memory);
        self.write_job(ix, &mut out);
        Ok(Some((id, out.finish()?)))
    }

    /// Whether a record of the open batch waits to be written.
    #[must_use]
    pub const fn is_dirty(&self) -> bool {
        #[cfg(feature = "idempotency")]
        if self.keys.has_marked() {
            return true;
        }
        self.master_dirty
            || self.jobs.has_marked()
            || self.endpoints.has_marked()
            || self.outbox.is_dirty()
    }

    /// Closes the open batch, whose records were all taken, and opens the next one. Returns the number
    /// of the closed one, for [`committed`](Self::committed).
    pub const fn seal(&mut self) -> u64 {
        self.outbox.seal()
    }

    /// Says that everything up to and with `batch` is durable.
    pub fn committed(&mut self, batch: u64) {
        self.outbox.committed(batch);
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
            let pieces = self.pool.field(&job.request, field);
            write.pieces(job.request.len(field), pieces);
        }
        true
    }

    fn write_state(&self, ix: Ix, write: &mut Write<'_>) -> bool {
        let Some(job) = self.jobs.get(ix) else {
            return false;
        };
        write_event(&job.last, write);
        write.u8(job.attempts);
        write.pieces(job.result.len(0), self.pool.all(&job.result));
        true
    }

    fn write_endpoint_record(&self, ix: Ix, write: &mut Write<'_>) -> bool {
        let Some(endpoint) = self.endpoints.get(ix).filter(|e| !e.removed) else {
            return false;
        };
        write.u128(endpoint.id.to_bits());
        write.timestamp(endpoint.created_at);
        write.u8(endpoint.filter.to_bits());
        write.u8(endpoint.disabled as u8);
        write.bool(endpoint.for_all);
        write.link(endpoint.job);
        write.bytes(endpoint.secret.bytes());
        write.bytes(endpoint.previous.bytes());
        write.timestamp(endpoint.previous_until);
        write.timestamp(endpoint.failing_since);
        for field in [field::URL, field::DESCRIPTION] {
            let pieces = self.pool.field(&endpoint.text, field);
            write.pieces(endpoint.text.len(field), pieces);
        }
        true
    }
}

fn write_event(event: &Event, write: &mut Write<'_>) {
    write.timestamp(event.at);
    write.u32(event.sequence);
    write.u8(event.kind as u8);
    write.u8(event.progress);
}

fn write_stream(now: Now, stream: &SavedStream, write: &mut Write<'_>) {
    write.link(stream.job);
    write.link(Some(stream.target.lane));
    write.bool(stream.target.callback);
    write.link(Some(stream.event));
    write.u8(stream.attempts);
    write.bool(stream.dead);
    write.bool(stream.solo);
    // Pauses are measured on a clock that ends with this run; the calendar goes on.
    let left_ms = stream.due.ms_since(now.instant);
    let due = if left_ms == 0 {
        Timestamp::EPOCH
    } else {
        now.timestamp.after_ms(left_ms)
    };
    write.timestamp(due);
    write.u64(left_ms);
}
