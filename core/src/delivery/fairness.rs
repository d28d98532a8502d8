//! Nobody waits for another's sake: endpoints of all kinds beside a good one, in virtual time.

extern crate std;

use super::{
    AttemptId, Failure, Outbox, OutboxLimits, Outcome,
    fixture::{Room, publish_job},
};
use crate::{
    event::{Event, Filter},
    random::Random,
    slab::Ix,
    time::Instant,
};
use std::{collections::BTreeMap, vec, vec::Vec};

/// How long an attempt may take.
const ATTEMPT_MS: u64 = 15_000;
/// How far time goes at once.
const STEP_MS: u64 = 5;
/// How long the good endpoint takes.
const GOOD_MS: u64 = 20;

/// How an attempt goes: after how long it ends, and how.
type Way = (u64, Outcome);

const OK: Outcome = Outcome::Delivered;
const HANGS: Way = (ATTEMPT_MS, failed(Failure::Unreachable));

const fn failed(failure: Failure) -> Outcome {
    Outcome::Failed {
        failure,
        retry_after_ms: None,
    }
}

/// How a lane's endpoint takes its n-th attempt, which begins at some time.
type Manner = fn(u64, u32) -> Way;

const fn good(_: u64, _: u32) -> Way {
    (GOOD_MS, OK)
}

/// A world with an endpoint in each lane, the good one last. A job every `every_ms` tells all of them that it began
/// and, at once, that it ended.
struct World {
    attempts: usize,
    jobs: u32,
    every_ms: u64,
    others: Vec<Manner>,
    good: Manner,
    /// Which job is the first that the good one hears of.
    opens_at: u32,
}

/// Attempts in flight, by when they end: the lane, and how.
type Flying = BTreeMap<(u64, u32), (AttemptId, Outcome)>;

impl World {
    fn beside(others: &[(usize, Manner)]) -> Self {
        let others = others.iter();
        Self {
            attempts: 256,
            jobs: 400,
            every_ms: 200,
            others: others.flat_map(|(n, way)| vec![*way; *n]).collect(),
            good,
            opens_at: 0,
        }
    }

    /// Lives through it.
    fn seen(&self) -> Seen {
        let room = Room {
            jobs: self.jobs as usize,
            lanes: self.others.len() + 1,
            attempts: self.attempts,
        };
        room.with(OutboxLimits::STANDARD, |outbox| self.live(outbox))
    }

    /// How long each event took to be sent to the good endpoint, in milliseconds, shortest first.
    fn latencies_ms(&self) -> Vec<u64> {
        self.seen().latencies_ms
    }

    fn live(&self, mut outbox: Outbox<'_, Event>) -> Seen {
        let mut random = Random::new([5; 32]);
        let lanes = self.others.len() as u32 + 1;
        let mut flying = Flying::new();
        let mut made = vec![0u32; lanes as usize];
        let mut latencies = Vec::new();
        let mut job = 0;
        let end_ms = u64::from(self.jobs) * self.every_ms + 60_000;
        let mut now_ms = 0;
        while now_ms < end_ms {
            let now = Instant::from_ms(now_ms);
            while let Some(first) = flying.first_entry().filter(|e| e.key().0 <= now_ms) {
                let (id, outcome) = first.remove();
                assert!(outbox.settle(now, id, outcome, &mut random).is_some());
            }
            outbox.handle_timeout(now);
            if job < self.jobs && now_ms >= u64::from(job) * self.every_ms {
                job += 1;
                for lane in 1..=lanes {
                    let opens = if lane == lanes { self.opens_at + 1 } else { 1 };
                    if job == opens {
                        let every = Filter::ALL;
                        assert!(outbox.open_lane(Ix::new(lane).unwrap(), every, true));
                    }
                }
                publish_job(&mut outbox, Ix::new(job).unwrap(), now_ms);
            }
            while let Some(attempt) = outbox.poll_attempt(now) {
                let lane = attempt.lane.get();
                let other = self.others.get(lane as usize - 1);
                let count = &mut made[lane as usize - 1];
                *count += 1;
                let (took_ms, outcome) = other.unwrap_or(&self.good)(now_ms, *count);
                if other.is_none() && attempt.number == 1 {
                    latencies.push(now_ms - attempt.event.at.as_unix_ms());
                }
                let key = (now_ms + took_ms, attempt.id.serial);
                flying.insert(key, (attempt.id, outcome));
            }
            now_ms += STEP_MS;
        }
        assert_eq!(outbox.audit_in_flight(), Ok(()));
        // A few may be behind one that failed twice, and waits for long.
        let heard = 2 * (self.jobs - self.opens_at) as usize;
        let told = latencies.len();
        assert!(told >= heard * 98 / 100, "{told} of {heard}");
        latencies.sort_unstable();
        Seen {
            latencies_ms: latencies,
            made,
        }
    }
}

/// What was seen of a world.
struct Seen {
    /// How long each event took to be sent to the good endpoint, in milliseconds, shortest first.
    latencies_ms: Vec<u64>,
    /// The attempts made in each lane.
    made: Vec<u32>,
}

/// An event for the good endpoint takes at most twice as long beside the others as alone.
#[track_caller]
fn check(world: &World) -> Seen {
    let alone = World {
        others: Vec::new(),
        ..*world
    };
    // What an event needs to arrive, once it was sent, is the same in both.
    let p99 = |seen: &Seen| seen.latencies_ms[seen.latencies_ms.len() * 99 / 100] + GOOD_MS;
    let (alone, seen) = (p99(&alone.seen()), world.seen());
    let beside = p99(&seen);
    assert!(beside <= 2 * alone, "{beside} ms, and alone {alone} ms");
    seen
}

#[test]
fn a_hundred_that_never_answer_cost_a_good_one_nothing() {
    check(&World::beside(&[(100, |_, _| HANGS)]));
}

#[test]
fn a_hundred_that_hang_do_not_hold_up_one_that_refuses_now_and_then() {
    check(&World {
        attempts: 64,
        opens_at: 250,
        good: |_, n| match n % 10 {
            0 => (GOOD_MS, failed(Failure::Refused)),
            _ => (GOOD_MS, OK),
        },
        ..World::beside(&[(100, |_, _| HANGS)])
    });
}

#[test]
fn a_hundred_that_hang_do_not_hold_up_a_new_one() {
    // All of them are known to hang by then.
    let world = World {
        attempts: 64,
        opens_at: 350,
        ..World::beside(&[(100, |_, _| HANGS)])
    };
    let slowest = world.latencies_ms().pop();
    assert!(slowest < Some(2 * GOOD_MS), "{slowest:?}");
}

#[test]
fn a_hundred_that_begin_to_hang_at_once_do_not_hold_up_a_good_one() {
    const HEALTHY: Manner = |now_ms, _| if now_ms < 20_000 { (5, OK) } else { HANGS };
    check(&World {
        attempts: 512,
        ..World::beside(&[(100, HEALTHY)])
    });
}

#[test]
fn a_hundred_that_take_their_time_do_not_hold_up_a_good_one() {
    check(&World::beside(&[(100, |_, _| (14_000, OK))]));
}

#[test]
fn a_few_attempts_are_enough_for_a_good_one_beside_one_that_hangs() {
    for attempts in 3..6 {
        check(&World {
            attempts,
            ..World::beside(&[(1, |_, _| HANGS)])
        });
    }
}

#[test]
fn a_hundred_that_fail_at_once_are_probed_and_cost_a_good_one_nothing() {
    const RESETS: Way = (1, failed(Failure::Unreachable));
    const REFUSES: Way = (5, failed(Failure::Refused));
    let world = World {
        every_ms: 50,
        ..World::beside(&[
            (40, |_, _| HANGS),
            (30, |_, _| RESETS),
            (30, |_, _| REFUSES),
        ])
    };
    let seen = check(&world);
    // Three at once, six while the pauses grow, and then one every 2.5 s at most, for 80 s in all.
    let most = 3 + 6 + 80_000 / 2_500;
    for (lane, made) in seen.made[..100].iter().enumerate() {
        assert!((5..=most).contains(made), "{made} in lane {lane}");
    }
}

#[test]
fn a_good_one_does_not_stand_in_line_with_those_that_fail() {
    let room = Room {
        jobs: 2,
        lanes: 50,
        attempts: 256,
    };
    room.with(OutboxLimits::STANDARD, |mut outbox| {
        let mut random = Random::new([5; 32]);
        let [first, second] = [1, 2].map(|job| Ix::new(job).unwrap());
        for lane in (1..=50).filter_map(Ix::new) {
            assert!(outbox.open_lane(lane, Filter::ALL, true));
        }
        publish_job(&mut outbox, first, 0);
        while let Some(attempt) = outbox.poll_attempt(Instant::ZERO) {
            let good = attempt.lane.get() == 50;
            let outcome = if good { OK } else { failed(Failure::Refused) };
            outbox.settle(Instant::ZERO, attempt.id, outcome, &mut random);
        }
        publish_job(&mut outbox, second, 0);
        let next = [(); 2].map(|()| outbox.poll_attempt(Instant::ZERO).unwrap().lane.get());
        assert!(next.contains(&50), "{next:?}");
    });
}
