//! What a service writes down.

use super::{REQUEST, Service};
use crate::{
    delivery::SavedStream,
    endpoint::field,
    event::Event,
    id::Id,
    out::Out,
    record::{FORMAT_VERSION, Key, Table, Write},
    slab::Ix,
    time::{Now, Timestamp},
};

impl Service<'_> {
    /// How many bytes of memory are enough for whatever is to be saved.
    #[must_use]
    pub const fn record_bytes_max(&self) -> usize {
        if self.keep.archive() {
            self.limits.archive_bytes_max()
        } else {
            self.limits.record_bytes_max()
        }
    }

    /// The next record of the open batch: its key, and how many bytes at the front of `memory` are its value; none where
    /// it is to be deleted. `memory` has room for any.
    pub(super) fn next_record(
        &mut self,
        now: Now,
        memory: &mut [u8],
    ) -> Option<(Key, Option<usize>)> {
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
                return None;
            }
            #[cfg(not(feature = "idempotency"))]
            return None;
        };
        let len = write.finish().ok();
        Some((Key { table, slot }, len.filter(|_| some)))
    }

    /// The next job that has ended in the open batch: its id, and how many bytes of `memory` its JSON takes.
    pub(super) fn next_archived(&mut self, memory: &mut [u8]) -> Option<(Id, usize)> {
        let ix = self.archiving.pop_front(&mut self.jobs)?;
        let job = self.jobs.get_mut(ix)?;
        job.archiving = false;
        let id = job.id;
        let mut out = Out::new(memory);
        self.write_job(ix, &mut out);
        out.finish().ok().map(|len| (id, len))
    }

    /// Whether a record of the open batch waits to be written.
    pub(super) const fn is_dirty(&self) -> bool {
        #[cfg(feature = "idempotency")]
        if self.keys.has_marked() {
            return true;
        }
        self.master_dirty
            || self.jobs.has_marked()
            || self.endpoints.has_marked()
            || self.outbox.is_dirty()
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
