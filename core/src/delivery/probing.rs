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
fn what_a_person_asks_for_ends_a_pause() {
    bench(LIMITS, |mut bench| {
        for _ in 0..20 {
            bench.publish();
        }
        bench.settle_next(3, REFUSED);
        assert_eq!(bench.poll(), None);
        bench.send_test();
        let test = bench.poll().unwrap();
        assert_eq!(test.event.kind, Kind::Test);
        bench.settle(&test, REFUSED);
        let next = bench.poll().expect("all the others go too");
        // Whoever asks while an attempt is on its way is not made to wait by what becomes of it.
        bench.send_test();
        bench.settle(&next, failed(Failure::Throttled, Some(60_000)));
        let test = bench.poll().unwrap();
        assert_eq!(test.event.kind, Kind::Test);
        assert_eq!(bench.poll(), None, "the receiver has asked for time");
    });
}

#[cfg(feature = "redelivery")]
#[test]
fn what_is_sent_again_on_request_ends_a_pause() {
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
        // Three dead letters, and what came after each was held back.
        assert_eq!(bench.outbox.redeliver(LANE, 100, |_, _| true), 23);
        assert!(bench.poll().is_some());
    });
}

#[cfg(feature = "redelivery")]
#[test]
fn what_waits_for_another_attempt_is_sent_at_once_when_it_is_asked_for() {
    bench(LIMITS, |mut bench| {
        bench.publish();
        bench.settle_next(1, REFUSED);
        assert_eq!(bench.poll(), None, "it waits for five seconds");
        assert_eq!(bench.outbox.redeliver(LANE, 100, |_, _| true), 1);
        let again = bench.poll().unwrap();
        assert_eq!((again.event.sequence, again.number), (1, 2));
        assert_eq!(
            bench.outbox.redeliver(LANE, 100, |_, _| true),
            0,
            "it is on its way"
        );
        bench.settle(&again, OK);
    });
}

/// A receiver that rejects one kind of event and takes all others is as well as one that takes all.
#[test]
fn what_is_the_events_fault_is_not_the_endpoints() {
    bench(LIMITS, |mut bench| {
        for _ in 0..30 {
            bench.publish();
        }
        let rejected = failed(Failure::Rejected, None);
        let (mut told, mut refused) = (0, 0);
        while told + refused < 30 {
            let attempt = bench.poll().expect("nothing pauses");
            let good = attempt.subject.map_or(0, Ix::get) % 3 == 0 || attempt.event.sequence == 2;
            let settled = bench.settle(&attempt, if good { OK } else { rejected });
            assert_eq!((settled.held_ms, settled.of_event), (0, !good));
            told += u32::from(good && attempt.event.sequence == 1);
            refused += u32::from(!good);
        }
        // Each is tried once more, and then its ending is told, after seconds and not after a day.
        let since = bench.now;
        let mut endings = 0;
        let mut overtaken = 0;
        while endings < 30 {
            let (_, attempt) = bench.wait();
            let good = attempt.event.sequence == 2;
            let settled = bench.settle(&attempt, if good { OK } else { rejected });
            overtaken += u32::from(settled.verdict == Verdict::Overtaken);
            endings += u32::from(good);
        }
        assert_eq!(overtaken, refused);
        assert!(bench.now.ms_since(since) < 6_000);
        assert_eq!(bench.outbox.dead_letters(), refused as usize);
    });
}

#[test]
fn one_that_rejects_everything_for_an_hour_is_probed() {
    bench(LIMITS, |mut bench| {
        let rejected = failed(Failure::Rejected, None);
        bench.now = Instant::from_ms(1_000);
        for _ in 0..3 {
            bench.publish();
            assert_eq!(bench.settle_next(1, rejected), 0);
        }
        bench.now = bench.now.after_ms(3_600_000);
        for _ in 0..3 {
            bench.publish();
        }
        bench.outbox.handle_timeout(bench.now);
        assert_eq!(bench.settle_next(2, rejected), 0);
        assert!(bench.settle_next(1, rejected) > 0);
        assert!(bench.outbox.pause(LANE).is_some());
    });
}

#[test]
fn an_event_that_was_rejected_twice_gives_way_when_its_subject_ends() {
    bench(LIMITS, |mut bench| {
        let job = Ix::MIN;
        assert!(bench.outbox.admit(job, 2, 0));
        let tell = |bench: &mut Bench<'_>, sequence, kind| {
            let at = Timestamp::from_unix_ms(bench.now.as_ms());
            let event = Event {
                at,
                sequence,
                kind,
                progress: 0,
            };
            let target = Target {
                lane: LANE,
                callback: false,
            };
            assert!(bench.outbox.publish(job, event, core::iter::once(target)));
        };
        tell(&mut bench, 1, Kind::Processing);
        let rejected = failed(Failure::Rejected, None);
        bench.settle_next(1, rejected);
        let (_, second) = bench.wait();
        assert!(matches!(
            bench.settle(&second, rejected).verdict,
            Verdict::Retry { .. }
        ));
        assert_eq!(bench.outbox.make_way(job), None, "it goes on");
        assert_eq!(bench.poll(), None);
        tell(&mut bench, 2, Kind::Completed);
        let settled = bench.outbox.make_way(job).unwrap();
        assert_eq!((settled.verdict, settled.number), (Verdict::Overtaken, 2));
        assert_eq!(bench.outbox.make_way(job), None);
        assert_eq!(bench.outbox.audit(), Ok(()));
        assert_eq!(bench.poll().unwrap().event.sequence, 2);
    });
}

/// Letters of a subject that are sent again arrive in their order, whatever order they died in.
#[cfg(feature = "redelivery")]
#[test]
fn what_is_sent_again_of_one_subject_goes_in_its_order() {
    let once = OutboxLimits {
        schedule: Schedule::new(&[5_000]),
        ..LIMITS
    };
    bench(once, |mut bench| {
        for _ in 0..40 {
            bench.publish();
        }
        bench.outbox.close_lane(LANE, false);
        bench.now = bench.now.after_ms(1);
        while bench.outbox.poll_timeout() == Some(Instant::ZERO) {
            bench.outbox.handle_timeout(bench.now);
        }
        assert_eq!(bench.outbox.dead_letters(), 80);
        assert!(bench.outbox.open_lane(LANE, Filter::ALL, true));
        // First the endings alone, and then all.
        let endings = |_, event: &Event| event.sequence == 2;
        assert_eq!(bench.outbox.redeliver(LANE, 10, endings), 5);
        assert_eq!(bench.outbox.redeliver(LANE, 1_000, |_, _| true), 75);
        assert_eq!(bench.outbox.audit(), Ok(()));
        let mut told = [0; 41];
        let mut failed_once = false;
        for _ in 0..80 {
            let (_, attempt) = bench.wait();
            let job = attempt.subject.unwrap().get() as usize;
            if !core::mem::replace(&mut failed_once, true) {
                bench.settle(&attempt, REFUSED);
                continue;
            }
            assert_eq!(attempt.event.sequence, told[job] + 1, "of {job}");
            told[job] += 1;
            bench.settle(&attempt, OK);
        }
        let (_, attempt) = bench.wait();
        assert_eq!(told.iter().sum::<u32>() + 1, 80);
        assert_eq!(attempt.event.sequence, 2);
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
