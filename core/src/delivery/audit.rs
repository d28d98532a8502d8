//! Whether sums and lists say the same: what must hold between any two calls.
//!
//! The outbox never scans its tables; it keeps sums and lists in step instead. This is the scan that checks them, for
//! a tool that verifies what was stored and for tests. It is O(everything): not for a hot path.

use super::{
    IN_LANE, Message, OF_SUBJECT, Outbox, QUEUED,
    lane::{Lane, Pace, Ring},
    slots::{Chain, Phase, StreamSlot},
};
use crate::slab::{Ix, Link, List, Node, Slab};

/// What does not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Flaw {
    /// An event counts another number of streams before it than there are.
    Heads,
    /// A subject's events are out of order, or belong to another subject.
    Order,
    /// A stream would begin to send progress that something newer has overtaken.
    Overtaken,
    /// A subject's first event is needed by nobody.
    Unneeded,
    /// A subject's streams are not those that say they are its.
    StreamsOfSubject,
    /// A lane's streams are not those that say they are its.
    StreamsOfLane,
    /// A stream does not wait where its phase says.
    Phase,
    /// A sum over all subjects is not the sum.
    Sum,
    /// More was promised than there is.
    Promise,
    /// Attempts in flight are miscounted.
    InFlight,
    /// A subject's state is not what its lists say.
    Job,
    /// Blocks of text are miscounted: some leak.
    Text,
    /// An endpoint is not where its state says.
    Endpoint,
}

impl Flaw {
    /// The flaw as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Heads => "an event counts other streams than there are before it",
            Self::Order => "a subject's events are out of order, or another's",
            Self::Overtaken => "a stream would begin to send what was overtaken",
            Self::Unneeded => "a subject's first event is needed by nobody",
            Self::StreamsOfSubject => "a subject's streams are not those that say so",
            Self::StreamsOfLane => "a lane's streams are not those that say so",
            Self::Phase => "a stream does not wait where its phase says",
            Self::Sum => "a sum over all subjects is not the sum",
            Self::Promise => "more was promised than there is",
            Self::InFlight => "attempts in flight are miscounted",
            Self::Job => "a subject's state is not what its lists say",
            Self::Text => "blocks of text are miscounted",
            Self::Endpoint => "an endpoint is not where its state says",
        }
    }
}

impl core::fmt::Display for Flaw {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for Flaw {}

/// `Ok` where it holds.
pub(crate) const fn ensure(holds: bool, flaw: Flaw) -> Result<(), Flaw> {
    if holds { Ok(()) } else { Err(flaw) }
}

/// How long a list is.
pub(crate) fn len<const LIST: u8, T: Node<LIST>>(list: &List<LIST>, slab: &Slab<'_, T>) -> usize {
    core::iter::successors(list.head(), |ix| List::<LIST>::next(slab, *ix)).count()
}

/// The slots in use.
pub(crate) fn used<'s, T>(slab: &'s Slab<'_, T>) -> impl Iterator<Item = (Ix, &'s T)> {
    core::iter::successors(slab.next_used(None), |ix| slab.next_used(Some(*ix)))
        .filter_map(|ix| Some((ix, slab.get(ix)?)))
}

impl<E: Message> Outbox<'_, E> {
    /// Checks that all sums and lists agree.
    ///
    /// # Errors
    ///
    /// [`Flaw`] names the first that does not.
    pub(crate) fn audit(&self) -> Result<(), Flaw> {
        for (ix, event) in used(&self.events) {
            let heads = self.count_streams(|stream| stream.event == Some(ix));
            ensure(heads == event.heads as usize, Flaw::Heads)?;
        }
        for (place, chain) in self.chains.0.iter().enumerate() {
            self.audit_chain(Ix::new(place as u32 + 1), chain)?;
        }
        for (ix, lane) in used(&self.lanes) {
            self.audit_lane(ix, lane)?;
        }
        self.audit_phases()?;
        self.audit_sums()
    }

    fn count_streams(&self, which: impl Fn(&StreamSlot) -> bool) -> usize {
        used(&self.streams).filter(|(_, s)| which(s)).count()
    }

    fn audit_chain(&self, subject: Link, chain: &Chain) -> Result<(), Flaw> {
        let first = chain.events.head().and_then(|ix| self.events.get(ix));
        ensure(first.is_none_or(|event| event.heads > 0), Flaw::Unneeded)?;
        let mut before = 0;
        let mut at = chain.events.head();
        while let Some(ix) = at {
            let event = self.events.get(ix).ok_or(Flaw::Order)?;
            let in_order = event.subject == subject && event.event.sequence() > before;
            ensure(in_order, Flaw::Order)?;
            before = event.event.sequence();
            at = List::<OF_SUBJECT>::next(&self.events, ix);
        }
        let of_subject = self.count_streams(|stream| stream.subject == subject);
        ensure(
            len(&chain.streams, &self.streams) == of_subject,
            Flaw::StreamsOfSubject,
        )?;
        let live =
            self.count_streams(|s| s.subject == subject && !s.solo && s.phase != Phase::Dead);
        ensure(live == chain.streams_live as usize, Flaw::StreamsOfSubject)
    }

    fn audit_lane(&self, ix: Ix, lane: &Lane<E::Filter>) -> Result<(), Flaw> {
        let mine = |dead: bool| {
            self.count_streams(move |s| s.lane == Some(ix) && (s.phase == Phase::Dead) == dead)
        };
        let lists: [(&List<IN_LANE>, bool); 2] = [(&lane.live, false), (&lane.dead, true)];
        for (list, dead) in lists {
            ensure(len(list, &self.streams) == mine(dead), Flaw::StreamsOfLane)?;
        }
        let ready = self.count_streams(|s| s.lane == Some(ix) && s.phase == Phase::Ready);
        let queues: [&List<QUEUED>; 2] = [&lane.fresh, &lane.retries];
        let queued: usize = queues.iter().map(|list| len(list, &self.streams)).sum();
        ensure(ready == queued, Flaw::Phase)?;
        let in_flight = used(&self.attempts).filter(|(_, a)| a.lane == Some(ix));
        ensure(
            in_flight.count() == usize::from(lane.in_flight),
            Flaw::InFlight,
        )?;
        let waits = lane.ring != Ring::Nowhere;
        ensure(waits || !lane.is_ready(), Flaw::Phase)
    }

    fn audit_phases(&self) -> Result<(), Flaw> {
        let in_phase = |phase| self.count_streams(move |stream| stream.phase == phase);
        let dead = len(self.letters.list(), &self.streams);
        ensure(dead == in_phase(Phase::Dead), Flaw::Phase)?;
        ensure(dead == self.letters.len(), Flaw::Sum)?;
        let unsaved = len(self.batches.unsaved(), &self.streams);
        ensure(unsaved == in_phase(Phase::Unsaved), Flaw::Phase)?;
        for (_, stream) in used(&self.streams) {
            let waiting = stream.phase == Phase::Waiting;
            let fits = stream.timer.get().is_some() == waiting
                && stream.attempt.is_some() == (stream.phase == Phase::InFlight)
                && stream
                    .event
                    .is_some_and(|event| self.events.get(event).is_some());
            ensure(fits, Flaw::Phase)?;
            let begins = !stream.solo && !stream.has_begun();
            let overtaken = stream
                .event
                .is_some_and(|event| self.may_be_passed_over(event));
            ensure(!(begins && overtaken), Flaw::Overtaken)?;
        }
        self.audit_in_flight()
    }

    /// Checks how many attempts in flight are of lanes that were new or slow.
    pub(super) fn audit_in_flight(&self) -> Result<(), Flaw> {
        let of = |pace| used(&self.attempts).filter(move |(_, attempt)| attempt.pace == pace);
        let (new, slow) = (of(Pace::New).count(), of(Pace::Slow).count());
        ensure(self.rings.has_in_flight(new, slow), Flaw::InFlight)
    }

    fn audit_sums(&self) -> Result<(), Flaw> {
        let active = || self.chains.0.iter().filter(|chain| chain.active);
        let kept: usize = active().map(|chain| usize::from(chain.events_kept)).sum();
        let own: usize = active().map(|chain| chain.targets_own as usize).sum();
        let live: usize = active().map(|chain| chain.streams_live as usize).sum();
        let subjects = active().count();
        ensure(self.promises.are(subjects, kept, own, live), Flaw::Sum)?;
        ensure(kept <= self.events.room(), Flaw::Promise)?;
        ensure(
            self.streams_needed() <= self.streams.capacity(),
            Flaw::Promise,
        )
    }
}
