//! What happens to a translation, as the outbox sees it.

use crate::{
    delivery::Message,
    event::{Event, Filter, Kind},
    record::{Read, Stored, Write},
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
    fn write(&self, record: &mut Write<'_>) {
        record.u8(self.to_bits());
    }

    fn read(record: &mut Read<'_>) -> Option<Self> {
        Some(Self::from_bits(record.u8()))
    }
}
