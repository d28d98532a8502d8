//! What a dispatcher writes down.

use super::{CHANGED, Dispatcher, Event, Output, PollError};
use crate::{
    delivery::SavedStream,
    endpoint::field,
    record::{Batch, FORMAT_VERSION, Key, Stored, Table, Value, Write},
    slab::Ix,
    time::{Now, Timestamp},
};

/// How much time passes until it is written down again how long a machine has run, in milliseconds.
const NOTED_MS: u64 = 60_000;

/// What of a record is known before its memory is: which one it is, and whether it is one to be written.
pub(crate) type Written = (Table, u32, bool);

impl<E: Event> Dispatcher<'_, E> {
    /// Writes the record that comes before all others, if it is due: with whatever else is written, once a minute.
    pub(crate) fn write_meta(&mut self, now: Now, write: &mut Write<'_>) -> Option<Written> {
        let ran = self.ran(now.instant);
        if !core::mem::take(&mut self.master_dirty) && ran.ms_since(self.ran_noted) < NOTED_MS {
            return None;
        }
        self.ran_noted = ran;
        write.u8(FORMAT_VERSION);
        write.raw(&self.master);
        write.ran(ran);
        Some((Table::Meta, 0, true))
    }

    /// Writes the next record of an endpoint, an event or a stream that is due.
    pub(crate) fn write_record(&mut self, now: Now, write: &mut Write<'_>) -> Option<Written> {
        Some(if let Some((ix, _)) = self.endpoints.pop_marked() {
            let some = self.write_endpoint_record(ix, write);
            (Table::Endpoint, ix.get(), some)
        } else if let Some((ix, event)) = self.outbox.poll_dirty_event() {
            if let Some((subject, event)) = event {
                write.link(subject);
                event.write(write);
            }
            (Table::Event, ix.get(), event.is_some())
        } else if let Some((ix, stream)) = self.outbox.poll_dirty_stream() {
            if let Some(stream) = stream {
                write_stream(now, &stream, write);
            }
            (Table::Stream, ix.get(), stream.is_some())
        } else {
            return None;
        })
    }

    /// The next part of the batch that is being gathered, or its end.
    pub(super) fn gather<'m>(
        &mut self,
        now: Now,
        memory: &'m mut [u8],
    ) -> Result<Option<Output<'m, E>>, PollError> {
        if self.course.is_committing() || !self.has_unsaved() {
            return Ok(None);
        }
        if memory.len() < self.record_bytes_max() {
            return Err(PollError::ShortMemory);
        }
        self.course.gather();
        let mut write = Write::new(memory);
        let written = self.write_meta(now, &mut write);
        let Some((table, slot, some)) = written.or_else(|| self.write_record(now, &mut write))
        else {
            return Ok(Some(Output::Commit(self.close_batch())));
        };
        let Ok(len) = write.finish() else {
            // An event of its user's is longer than it says.
            self.mark_again(table, slot);
            return Err(PollError::ShortMemory);
        };
        let value = memory.get(..len).filter(|_| some).map(Value::new);
        let key = Key { table, slot };
        Ok(Some(Output::Save { key, value }))
    }

    /// Notes once more that a record is to be written, which could not be.
    fn mark_again(&mut self, table: Table, slot: u32) {
        let Some(ix) = Ix::new(slot) else {
            self.master_dirty = true;
            return;
        };
        match table {
            Table::Endpoint => self.endpoints.mark(ix, CHANGED),
            Table::Event => self.outbox.mark_event(ix),
            _ => self.outbox.forget_stream(ix),
        }
    }

    /// Whether a record of the open batch waits to be written.
    pub(crate) const fn is_dirty(&self) -> bool {
        self.master_dirty || self.endpoints.has_marked() || self.outbox.is_dirty()
    }

    /// Closes the open batch, all of whose records have come out.
    pub(crate) fn close_batch(&mut self) -> Batch {
        let number = self.outbox.seal();
        self.course.close(number)
    }

    /// Lets go of what waited for a batch. `false` where it is not the one that is on its way.
    pub(crate) fn durable(&mut self, batch: &Batch) -> bool {
        let number = self.outbox.batch().wrapping_sub(1);
        let taken = self.course.durable(batch, number);
        if taken {
            self.outbox.committed(number);
        }
        taken
    }

    fn write_endpoint_record(&self, ix: Ix, write: &mut Write<'_>) -> bool {
        let Some(endpoint) = self.endpoints.get(ix).filter(|e| !e.removed) else {
            return false;
        };
        write.u128(endpoint.id.to_bits());
        write.timestamp(endpoint.created_at);
        endpoint.filter.write(write);
        write.u8(endpoint.disabled as u8);
        write.bool(endpoint.for_all);
        write.link(endpoint.subject);
        write.bytes(endpoint.secret.bytes());
        // Format 1 had one replaced secret here, until when it signs, and since when all failed.
        write.bytes(&[]);
        write.timestamp(Timestamp::EPOCH);
        write.timestamp(Timestamp::EPOCH);
        for field in [field::URL, field::DESCRIPTION] {
            let pieces = self.text.field(&endpoint.text, field);
            write.pieces(endpoint.text.len(field), pieces);
        }
        write.u32(endpoint.failing.attempts);
        write.u64(endpoint.failing.ms);
        write.ran(endpoint.failing.last);
        write.u8(endpoint.replaced.len() as u8);
        for replaced in &endpoint.replaced {
            write.bytes(replaced.bytes());
            write.ran(replaced.until);
        }
        true
    }
}

fn write_stream(now: Now, stream: &SavedStream, write: &mut Write<'_>) {
    write.link(stream.subject);
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
