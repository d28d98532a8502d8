//! How many attempts may be in flight: to one receiver, and in all.

use crate::{HOOK, JOB, call, new_hook, new_job};
use dubhook_core::{
    server::Config,
    service::{Attempt, Report},
};
use dubhook_tests::machine::{Machine, config};

/// Attempts that a machine of a test can make at once.
const IN_ALL: usize = 16;

/// A machine that may have so many attempts to one receiver in flight.
fn machine(window_max: u16) -> Machine {
    let mut config: Config<'static> = config();
    config.service.outbox.window_max = window_max;
    Machine::sized::<32, 8, 2>(config)
}

/// Jobs that have ended.
fn end_jobs(machine: &mut Machine, count: usize) {
    for _ in 0..count {
        new_job(machine);
        let id = machine.start_job().expect("work");
        machine.report(id, Report::Completed("file:///o.mp4"));
    }
}

/// Registers a webhook for endings.
fn hook(machine: &mut Machine, number: usize) {
    let url = HOOK.replace("/hook", &format!("/{number}"));
    let wants = r#","events":["translation.completed"]}"#;
    new_hook(machine, &url.replace('}', wants));
}

/// Everything that may be sent now, none of it answered.
fn begin_all(machine: &mut Machine) -> Vec<Attempt> {
    std::iter::from_fn(|| machine.attempt().map(|(attempt, _)| attempt)).collect()
}

#[test]
fn a_receiver_has_no_more_in_flight_than_it_may() {
    const WINDOW: usize = 3;
    let mut machine = machine(WINDOW as u16);
    hook(&mut machine, 1);
    // A new one is called once at a time; each success opens its window, up to its limit.
    for expect in [1, 3, 3] {
        end_jobs(&mut machine, 4);
        let mut begun = begin_all(&mut machine);
        assert_eq!(begun.len(), expect);
        while let Some(attempt) = begun.pop() {
            machine.settle(&attempt, 200);
            begun.extend(begin_all(&mut machine));
            assert!(begun.len() <= WINDOW);
        }
    }
    assert_eq!(
        call(&mut machine, "POST", "/v1/translations", JOB).status,
        202
    );
}

#[test]
fn all_together_have_no_more_in_flight_than_there_is_room_for() {
    let mut machine = machine(u16::MAX);
    for number in 0..4 {
        hook(&mut machine, number);
    }
    for _ in 0..4 {
        end_jobs(&mut machine, 7);
        let mut begun = begin_all(&mut machine);
        let (mut most, mut settled) = (0, 0);
        while let Some(attempt) = begun.pop() {
            machine.settle(&attempt, 200);
            settled += 1;
            begun.extend(begin_all(&mut machine));
            most = most.max(begun.len());
        }
        assert_eq!(settled, 4 * 7, "each is told of each");
        assert!(most <= IN_ALL, "{most}");
    }
}
