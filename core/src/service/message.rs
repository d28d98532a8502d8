//! What happens to a translation, and translations themselves, as their dispatcher sees them.

use super::{JobSlot, request_field, view};
use crate::{
    delivery::Message,
    dispatch::Subjects,
    event::{Event, Filter, Kind},
    id::Id,
    out::Out,
    record::{Read, Stored, Write},
    slab::{Ix, Slab},
    text::Pool,
    time::Timestamp,
};

impl Message for Event {
    type Filter = Filter;

    const EMPTY: Self = Self::NOTHING_YET;
    const NO_FILTER: Filter = Filter::NONE;

    fn sequence(&self) -> u32 {
        self.sequence
    }

    fn at(&self) -> Timestamp {
        self.at
    }

    fn kind(&self) -> u8 {
        self.kind as u8
    }

    fn may_be_overtaken(&self) -> bool {
        self.kind == Kind::Progress
    }

    fn is_last(&self) -> bool {
        self.kind.is_terminal()
    }

    fn passes(&self, filter: Filter) -> bool {
        filter.matches(self.kind)
    }
}

impl Stored for Event {
    const BYTES_MAX: usize = 8 + 4 + 1 + 1;

    fn write(&self, record: &mut Write<'_>) {
        record.timestamp(self.at);
        record.u32(self.sequence);
        record.u8(self.kind as u8);
        record.u8(self.progress);
    }

    fn read(record: &mut Read<'_>) -> Option<Self> {
        let event = Self {
            at: record.timestamp(),
            sequence: record.u32(),
            kind: Kind::from_u8(record.u8())?,
            progress: record.u8(),
        };
        (event.progress <= 100).then_some(event)
    }
}

impl Stored for Filter {
    const BYTES_MAX: usize = 1;

    fn write(&self, record: &mut Write<'_>) {
        record.u8(self.to_bits());
    }

    fn read(record: &mut Read<'_>) -> Option<Self> {
        Some(Self::from_bits(record.u8()))
    }
}

impl Subjects<Event> for Slab<'_, JobSlot> {
    fn id(&self, job: Ix) -> Option<Id> {
        self.get(job).map(JobSlot::id)
    }

    fn write_body(&self, job: Ix, event: &Event, text: &Pool<'_>, out: &mut Out<'_>) {
        if let Some(job) = self.get(job) {
            view::write_event(text, job, event, out);
        }
    }

    fn write_test(&self, endpoint: Id, event: &Event, out: &mut Out<'_>) {
        view::write_test(endpoint, event, out);
    }

    fn callback_url<'t>(
        &'t self,
        job: Ix,
        text: &'t Pool<'_>,
    ) -> Option<impl Iterator<Item = &'t [u8]>> {
        let job = self.get(job)?;
        Some(text.field(&job.request, request_field::CALLBACK_URL))
    }
}
