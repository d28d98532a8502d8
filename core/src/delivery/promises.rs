//! What has been promised: the sums that say whether there is room for what is to come.
//!
//! A subject under way is promised room for so many changes of state, and a stream for each of its targets: those that only it
//! has, and every lane that gets the events of all subjects.

/// The sums. The outbox keeps them in step with its tables; [`audit`](super::Outbox::audit) counts anew.
#[derive(Debug)]
pub(super) struct Promises {
    /// Lanes that get the events of all subjects.
    lanes_for_all: usize,
    /// Subjects under way.
    subjects: usize,
    /// Targets that only one subject under way has.
    targets_own: usize,
    /// Streams of subjects under way, which are in the sum of their targets already.
    streams: usize,
    /// Changes of state that are still to come.
    events: usize,
}

impl Promises {
    pub(super) const NONE: Self = Self {
        lanes_for_all: 0,
        subjects: 0,
        targets_own: 0,
        streams: 0,
        events: 0,
    };

    /// A subject with so many changes of state ahead, targets of its own and streams already is under way.
    pub(super) const fn begin(&mut self, events: u8, targets_own: u32, streams: usize) {
        self.subjects += 1;
        self.events += events as usize;
        self.targets_own += targets_own as usize;
        self.streams += streams;
    }

    /// One that had so much left is no longer.
    pub(super) const fn end(&mut self, events: u8, targets_own: u32, streams: usize) {
        self.subjects = self.subjects.saturating_sub(1);
        self.events = self.events.saturating_sub(events as usize);
        self.targets_own = self.targets_own.saturating_sub(targets_own as usize);
        self.streams = self.streams.saturating_sub(streams);
    }

    pub(super) const fn add_target(&mut self) {
        self.targets_own += 1;
    }

    pub(super) const fn remove_target(&mut self) {
        self.targets_own = self.targets_own.saturating_sub(1);
    }

    #[cfg(any(feature = "hub", feature = "records"))]
    pub(super) const fn add_events(&mut self, events: u8) {
        self.events += events as usize;
    }

    /// A change of state that was promised room has come.
    pub(super) const fn use_event(&mut self) {
        self.events = self.events.saturating_sub(1);
    }

    /// So many more streams of subjects under way are there, or fewer.
    pub(super) const fn count_streams(&mut self, by: i32) {
        self.streams = self.streams.saturating_add_signed(by as isize);
    }

    pub(super) const fn add_lane(&mut self) {
        self.lanes_for_all += 1;
    }

    pub(super) const fn remove_lane(&mut self) {
        self.lanes_for_all = self.lanes_for_all.saturating_sub(1);
    }

    /// How many targets a subject has beside its own.
    pub(super) const fn lanes_for_all(&self) -> usize {
        self.lanes_for_all
    }

    /// How many streams one more lane for all needs.
    pub(super) const fn subjects(&self) -> usize {
        self.subjects
    }

    /// How many events are set aside.
    pub(super) const fn events(&self) -> usize {
        self.events
    }

    /// How many streams of subjects under way there are.
    pub(super) const fn streams(&self) -> usize {
        self.streams
    }

    /// How many streams subjects under way may need, those that they have included.
    pub(super) const fn streams_promised(&self) -> usize {
        self.subjects
            .saturating_mul(self.lanes_for_all)
            .saturating_add(self.targets_own)
    }

    /// Whether these are the sums over all subjects under way.
    pub(super) const fn are(
        &self,
        subjects: usize,
        events: usize,
        own: usize,
        streams: usize,
    ) -> bool {
        self.subjects == subjects
            && self.events == events
            && self.targets_own == own
            && self.streams == streams
    }
}
