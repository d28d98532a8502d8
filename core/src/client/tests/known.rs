//! What the client knows of jobs, without the client.

use super::*;
use crate::{job::Status, slab::Slot};
use std::boxed::Box;

fn with_jobs(slots: usize, test: impl FnOnce(Jobs<'_>)) {
    let mut memory: Box<[Slot<Known>]> = (0..slots).map(|_| Slot::new(Known::EMPTY)).collect();
    test(Jobs::new(&mut memory, 9));
}

const fn told(sequence: u32, status: Status) -> JobState {
    JobState {
        status,
        progress: 0,
        sequence,
    }
}

#[test]
fn nothing_moves_a_job_back() {
    with_jobs(1, |mut jobs| {
        let ix = jobs.follow(id(1)).unwrap();
        assert_eq!(jobs.get(ix).unwrap().state(), None);
        for (told, is_news) in [
            (told(2, Status::Processing), true),
            (told(2, Status::Processing), false),
            (told(1, Status::Pending), false),
            (told(4, Status::Pending), true),
            (told(9, Status::Error), true),
            (told(10, Status::Completed), false),
        ] {
            let before = jobs.get(ix).unwrap().state();
            assert_eq!(jobs.learn(ix, told), is_news, "{told:?}");
            let expect = if is_news { Some(told) } else { before };
            assert_eq!(jobs.get(ix).unwrap().state(), expect);
        }
    });
}

#[test]
fn watched_jobs_make_room_and_followed_ones_do_not() {
    with_jobs(3, |mut jobs| {
        assert!(jobs.follow(id(1)).is_some());
        assert!(jobs.watch(id(2)).is_some());
        assert!(jobs.watch(id(3)).is_some());
        // Heard of again, so the other one goes.
        assert!(jobs.watch(id(2)).is_some());
        assert!(jobs.watch(id(4)).is_some());
        assert_eq!(jobs.find(id(3)), None);
        assert!(jobs.find(id(2)).is_some());

        assert_eq!(jobs.room(), 2);
        assert!(jobs.follow(id(2)).is_some());
        assert!(jobs.follow(id(5)).is_some());
        assert_eq!(jobs.room(), 0);
        assert_eq!(jobs.find(id(4)), None);
        assert_eq!(jobs.follow(id(6)), None);
        assert_eq!(jobs.watch(id(6)), None);
        assert!(jobs.follow(id(1)).is_some(), "followed already");

        let ix = jobs.find(id(1)).unwrap();
        jobs.unfollow(ix);
        jobs.unfollow(ix);
        assert_eq!(jobs.room(), 1);
        assert!(jobs.follow(id(6)).is_some());
        assert_eq!(jobs.find(id(1)), None);
    });
}

#[test]
fn open_jobs_are_asked_about_in_turn() {
    with_jobs(3, |mut jobs| {
        let [a, b, c] = [1, 2, 3].map(|n| jobs.follow(id(n)).unwrap());
        jobs.ask_at(a, Instant::from_ms(20));
        jobs.ask_at(b, Instant::from_ms(10));
        assert_eq!(jobs.poll_timeout(), Some(Instant::from_ms(10)));
        jobs.handle_timeout(Instant::from_ms(9), 9);
        assert_eq!(jobs.next_due(), None);
        jobs.handle_timeout(Instant::from_ms(20), 9);
        assert_eq!(jobs.next_due(), Some(id(2)));
        // One that is due already is not put off.
        jobs.ask_at(b, Instant::from_ms(99));
        assert_eq!(jobs.poll_timeout(), None);
        jobs.ask_all();
        jobs.learn(a, told(1, Status::Completed));
        jobs.pop_due();
        assert_eq!(jobs.next_due(), Some(id(3)));
        jobs.unfollow(c);
        assert_eq!(jobs.next_due(), None);
        // The answer is on its way; the one that has ended is never asked about again.
        jobs.ask_now(a);
        jobs.ask_all();
        assert_eq!(jobs.next_due(), Some(id(2)));
        jobs.forget(b);
        assert_eq!(jobs.next_due(), None);
    });
}
