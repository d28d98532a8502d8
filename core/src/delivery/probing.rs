//! How an endpoint that fails again and again is treated, and one that recovers, in virtual time.

extern crate std;

use super::{
    Attempt, Failure, Outbox, OutboxLimits, Outcome, Schedule, Settled, Target, Verdict,
    fixture::{Room, publish_job},
};
use crate::{
    event::{Event, Filter, Kind},
    random::Random,
    slab::Ix,
    time::{Instant, Timestamp},
};
use std::{vec, vec::Vec};

const OK: Outcome = Outcome::Delivered;
const REFUSED: Outcome = failed(Failure::Refused, None);
const LANE: Ix = Ix::new(1).unwrap();
const LIMITS: OutboxLimits = OutboxLimits::STANDARD;

const fn failed(failure: Failure, retry_after_ms: Option<u64>) -> Outcome {
    Outcome::Failed {
        failure,
        retry_after_ms,
    }
}

/// One endpoint, and the time.
struct Bench<'a> {
    outbox: Outbox<'a, Event>,
    now: Instant,
    random: Random,
    jobs: u32,
}

fn bench(limits: OutboxLimits, run: impl FnOnce(Bench<'_>)) {
    let room = Room {
        jobs: 300,
        lanes: 1,
        attempts: 64,
    };
    room.with(limits, |mut outbox| {
        assert!(outbox.open_lane(LANE, Filter::ALL, true));
        run(Bench {
            outbox,
            now: Instant::ZERO,
            random: Random::new([7; 32]),
            jobs: 0,
        });
    });
}

impl Bench<'_> {
    /// A job begins and ends.
    fn publish(&mut self) {
        self.jobs += 1;
        let now_ms = self.now.as_ms();
        publish_job(&mut self.outbox, Ix::new(self.jobs).unwrap(), now_ms);
    }

    fn poll(&mut self) -> Option<Attempt<Event>> {
        self.outbox.poll_attempt(self.now)
    }

    fn settle(&mut self, attempt: &Attempt<Event>, outcome: Outcome) -> Settled<Event> {
        let settled = self
            .outbox
            .settle(self.now, attempt.id, outcome, &mut self.random);
        assert_eq!(self.outbox.audit(), Ok(()));
        settled.unwrap()
    }

    /// Makes so many attempts one after the other, all of which end like this.
    fn settle_next(&mut self, count: u32, outcome: Outcome) -> u64 {
        let mut held_ms = 0;
        for _ in 0..count {
            let attempt = self.poll().expect("an attempt");
            held_ms = self.settle(&attempt, outcome).held_ms;
        }
        held_ms
    }

    /// Lets time pass until there is an attempt to make, and says how long that took, in milliseconds.
    fn wait(&mut self) -> (u64, Attempt<Event>) {
        let since = self.now;
        loop {
            if let Some(attempt) = self.poll() {
                return (self.now.ms_since(since), attempt);
            }
            self.now = self.outbox.poll_timeout().expect("something to wait for");
            self.outbox.handle_timeout(self.now);
        }
    }

    fn send_test(&mut self) {
        let event = Event {
            at: Timestamp::from_unix_ms(self.now.as_ms()),
            sequence: 9,
            kind: Kind::Test,
            progress: 0,
        };
        let target = Target {
            lane: LANE,
            callback: false,
        };
        assert!(self.outbox.send(None, event, target));
        let batch = self.outbox.seal();
        self.outbox.committed(batch);
    }
}

#[test]
fn a_delivery_alone_sees_its_schedule_and_nothing_else() {
    // The second one is as tight as can be: each of its pauses is as long as the endpoint's longest.
    for schedule in [Schedule::STANDARD, Schedule::new(&[5_000; 7])] {
        let limits = OutboxLimits { schedule, ..LIMITS };
        bench(limits, |mut bench| {
            bench.publish();
            for number in 1..=8 {
                let (waited, attempt) = bench.wait();
                assert_eq!((attempt.number, attempt.event.sequence), (number, 1));
                let step = limits.schedule.step_ms(number - 1).unwrap_or(0);
                let most = step + step / 10;
                assert!((step - step / 10..=most).contains(&waited), "{waited}");
                let settled = bench.settle(&attempt, REFUSED);
                assert_eq!(settled.verdict == Verdict::Dead, number == 8);
            }
        });
    }
}

#[test]
fn one_that_fails_again_and_again_is_probed_with_growing_pauses() {
    bench(LIMITS, |mut bench| {
        for _ in 0..100 {
            bench.publish();
        }
        bench.settle_next(3, REFUSED);
        let mut mark = 100;
        for probe in 0..20 {
            let (waited, attempt) = bench.wait();
            assert_eq!(bench.poll(), None, "one at a time");
            let range = mark / 2..=mark;
            assert!(range.contains(&waited), "{waited} ms before probe {probe}");
            mark = (2 * mark).min(5_000);
            let settled = bench.settle(&attempt, REFUSED);
            let held_ms = settled.held_ms;
            assert!((mark / 2..=mark).contains(&held_ms), "{held_ms}");
        }
    });
}

#[test]
fn retries_are_probed_too_now_and_then() {
    bench(LIMITS, |mut bench| {
        for _ in 0..100 {
            bench.publish();
        }
        let mut retries = 0;
        for _ in 0..60 {
            let (_, attempt) = bench.wait();
            retries += u32::from(attempt.number > 1);
            bench.settle(&attempt, REFUSED);
        }
        assert!((4..=8).contains(&retries), "{retries} of 60");
    });
}

#[test]
fn a_recovered_one_gets_all_of_it_gradually_and_in_order() {
    const ANSWER_MS: u64 = 20;
    bench(LIMITS, |mut bench| {
        for _ in 0..200 {
            bench.publish();
        }
        for _ in 0..12 {
            let (_, attempt) = bench.wait();
            bench.settle(&attempt, REFUSED);
        }
        let since = bench.now;
        let mut newest = vec![0; 201];
        let (mut firsts, mut most) = (Vec::new(), 1);
        while newest.iter().filter(|newest| **newest == 2).count() < 200 {
            let mut flying = vec![bench.wait().1];
            flying.extend(core::iter::from_fn(|| bench.poll()));
            assert!(flying.len() <= most, "{} at once", flying.len());
            most += flying.len();
            bench.now = bench.now.after_ms(ANSWER_MS);
            for attempt in flying {
                let job = attempt.subject.unwrap().get();
                assert_eq!(attempt.event.sequence, newest[job as usize] + 1);
                newest[job as usize] += 1;
                if attempt.number == 1 && attempt.event.sequence == 1 {
                    firsts.push(job);
                }
                bench.settle(&attempt, OK);
            }
        }
        // The last pause, and 400 events through a window that opens soon. What had failed waits for its retries.
        let took = bench.now.ms_since(since);
        assert!(firsts.is_sorted() && firsts.len() >= 185, "{firsts:?}");
        assert!(took <= 360_000, "{took}");
    });
}

#[test]
fn what_a_person_asks_for_goes_past_a_pause_once() {
    bench(LIMITS, |mut bench| {
        for _ in 0..20 {
            bench.publish();
        }
        bench.settle_next(3, REFUSED);
        assert_eq!(bench.poll(), None);
        bench.send_test();
        let test = bench.poll().unwrap();
        assert_eq!(test.event.kind, Kind::Test);
        assert_eq!(bench.poll(), None);
        // Whoever asks while a probe is on its way is not made to wait by what becomes of it.
        bench.send_test();
        bench.settle(&test, REFUSED);
        let test = bench.poll().unwrap();
        assert_eq!(test.event.kind, Kind::Test);
        bench.settle(&test, OK);
        assert!(
            bench.poll().is_some(),
            "it works again, so all the others go too"
        );
    });
    let once = OutboxLimits {
        schedule: Schedule::new(&[]),
        ..LIMITS
    };
    bench(once, |mut bench| {
        for _ in 0..20 {
            bench.publish();
        }
        bench.settle_next(3, REFUSED);
        assert_eq!(bench.poll(), None);
        assert_eq!(bench.outbox.redeliver(LANE, 100, |_, _| true), 3);
        bench.settle_next(1, REFUSED);
        assert_eq!(bench.poll(), None, "one for the asking, not three");
        bench.outbox.forgive(LANE);
        assert!(bench.poll().is_some(), "somebody has seen to it");
    });
}

#[test]
fn retries_that_fail_do_not_hold_up_first_attempts() {
    bench(LIMITS, |mut bench| {
        // Eight that will never be taken, between others that are.
        for _ in 0..8 {
            bench.publish();
            bench.settle_next(1, REFUSED);
            bench.publish();
            bench.settle_next(2, OK);
        }
        for _ in 0..4 {
            let (_, attempt) = bench.wait();
            assert_eq!(attempt.number, 2);
            bench.settle(&attempt, REFUSED);
        }
        assert_eq!(bench.poll(), None, "its retries are held back");
        bench.publish();
        assert!(bench.settle_next(1, REFUSED) > 0);
        bench.publish();
        assert_eq!(bench.poll(), None, "and now everything is");
    });
}

#[test]
fn failures_of_one_moment_are_one_failure_of_the_endpoint() {
    bench(LIMITS, |mut bench| {
        for _ in 0..100 {
            bench.publish();
        }
        bench.settle_next(20, OK);
        let flying: Vec<_> = core::iter::from_fn(|| bench.poll()).collect();
        assert!(flying.len() > 16);
        let held = flying.iter().map(|a| bench.settle(a, REFUSED).held_ms);
        let held: Vec<_> = held.filter(|ms| *ms > 0).collect();
        assert!(matches!(held[..], [50..=100]), "{held:?}");
    });
}

#[test]
fn a_receiver_that_asks_for_time_gets_it_whatever_else_ends_meanwhile() {
    for other in [OK, REFUSED, failed(Failure::Throttled, Some(1_000))] {
        bench(LIMITS, |mut bench| {
            for _ in 0..20 {
                bench.publish();
            }
            bench.settle_next(1, REFUSED);
            bench.settle_next(10, OK);
            bench.now = bench.now.after_ms(6_000);
            bench.outbox.handle_timeout(bench.now);
            let flying: Vec<_> = core::iter::from_fn(|| bench.poll()).take(4).collect();
            let (retry, first) = (&flying[0], &flying[1]);
            assert_eq!((retry.number, first.number), (2, 1));
            bench.settle(first, failed(Failure::Throttled, Some(60_000)));
            for attempt in [&flying[2], &flying[3], retry] {
                bench.settle(attempt, other);
            }
            bench.publish();
            let (waited, _) = bench.wait();
            assert_eq!(waited, 60_000, "{other:?}");
        });
    }
}
