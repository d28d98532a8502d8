//! What happens to a translation, as the outbox sees it.

use crate::{
    delivery::Message,
    event::{Event, Filter, Kind},
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
