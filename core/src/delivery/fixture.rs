//! Memory for the outboxes of tests.

extern crate std;

use super::{
    AttemptSlot, Chain, EventSlot, Lane, Outbox, OutboxLimits, Outcome, StreamSlot, Tables, Target,
};
use crate::{
    event::{Event, Filter, Kind},
    random::Random,
    record::Keep,
    slab::{Ix, Slot},
    time::{Instant, Timestamp},
};
use std::{vec, vec::Vec};

/// How much there is room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Jobs, of two changes of state each.
    pub(super) jobs: usize,
    /// Endpoints, each with a lane of its own.
    pub(super) lanes: usize,
    /// Attempts in flight.
    pub(super) attempts: usize,
}

impl Room {
    /// Lends the memory to an empty outbox and that to `run`.
    pub(super) fn with<T>(
        self,
        limits: OutboxLimits,
        run: impl FnOnce(Outbox<'_, Event>) -> T,
    ) -> T {
        let Self {
            jobs,
            lanes,
            attempts,
        } = self;
        let streams = jobs * lanes;
        let slots = |count: usize| 0..count;
        let mut memory = (
            vec![Chain::EMPTY; jobs],
            Vec::from_iter(slots(2 * jobs).map(|_| Slot::new(EventSlot::EMPTY))),
            Vec::from_iter(slots(streams).map(|_| Slot::new(StreamSlot::EMPTY))),
            Vec::from_iter(slots(lanes).map(|_| Slot::new(Lane::closed(Filter::NONE)))),
            Vec::from_iter(slots(attempts).map(|_| Slot::new(AttemptSlot::EMPTY))),
        );
        let tables = Tables {
            chains: &mut memory.0,
            events: &mut memory.1,
            streams: &mut memory.2,
            lanes: &mut memory.3,
            attempts: &mut memory.4,
        };
        let mut outbox = Outbox::of(tables, limits, Keep::Nothing);
        outbox.make_lanes(lanes);
        run(outbox)
    }
}

/// A job that begins and, at once, ends: every lane is owed both.
pub(super) fn publish_job(outbox: &mut Outbox<'_, Event>, job: Ix, now_ms: u64) {
    assert!(outbox.admit(job, 2, 0));
    for (sequence, kind) in [(1, Kind::Pending), (2, Kind::Completed)] {
        let event = Event {
            at: Timestamp::from_unix_ms(now_ms),
            sequence,
            kind,
            progress: 0,
        };
        let lanes = (1..=outbox.lanes.capacity() as u32).filter_map(Ix::new);
        let targets = lanes.map(|lane| Target {
            lane,
            callback: false,
        });
        outbox.publish(job, event, targets);
    }
    let batch = outbox.seal();
    outbox.committed(batch);
}

#[test]
fn the_second_event_of_a_job_waits_for_the_first() {
    let room = Room {
        jobs: 1,
        lanes: 1,
        attempts: 2,
    };
    room.with(OutboxLimits::STANDARD, |mut outbox| {
        let now = Instant::ZERO;
        assert!(outbox.open_lane(Ix::MIN, Filter::ALL, true));
        publish_job(&mut outbox, Ix::MIN, 0);
        let first = outbox.poll_attempt(now).unwrap();
        assert_eq!(first.event.sequence, 1);
        assert_eq!(outbox.poll_attempt(now), None);
        let mut random = Random::new([3; 32]);
        outbox.settle(now, first.id, Outcome::Delivered, &mut random);
        assert_eq!(outbox.poll_attempt(now).unwrap().event.sequence, 2);
    });
}
