//! The server in a world that misbehaves, from many seeds; and whether anybody would notice if it misbehaved itself.

use dubhook_tests::{
    sim::{Mutation, Options, Shared, Summary, run},
    tables::Sizes,
};
use std::{collections::BTreeSet, ops::Range};

/// How many seeds to run: `SIM_SEEDS`, or so many.
const SEEDS: u64 = 100;

/// How many seeds may pass before a broken rule is noticed.
const UNNOTICED_MAX: u64 = 60;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn live(options: &Options) -> Summary {
    run(options).unwrap_or_else(|violation| {
        panic!(
            "{}: {}\n{options:#?}\nRun it alone with SIM_SEED={}.",
            violation.name, violation.text, options.seed
        )
    })
}

fn seeds() -> Range<u64> {
    match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_SEEDS").unwrap_or(SEEDS),
    }
}

#[test]
fn nothing_breaks_whatever_goes_wrong() {
    for seed in seeds() {
        live(&Options::from_seed(seed));
    }
}

/// The same where servers share a database; by the same seeds.
#[test]
fn nothing_breaks_whatever_goes_wrong_between_servers() {
    for seed in seeds() {
        live(&Options::shared_from_seed(seed));
    }
}

#[test]
fn a_seed_is_a_run() {
    for seed in 0..5 {
        for options in [Options::from_seed(seed), Options::shared_from_seed(seed)] {
            assert_eq!(live(&options), live(&options));
        }
    }
}

#[test]
fn runs_do_what_they_are_for() {
    let runs: Vec<_> = (0..40)
        .map(|seed| live(&Options::from_seed(seed)))
        .collect();
    let sum = |of: fn(&Summary) -> u64| runs.iter().map(of).sum::<u64>();
    assert!(sum(|run| run.arrivals) > 1_000);
    assert!(sum(|run| run.answers) > 1_000);
    assert!(sum(|run| run.claims.1) > 40);
    let lost = sum(|run| run.claims.0 - run.claims.1);
    assert!(lost > 10, "{lost} jobs were lost by their workers");
    assert!(runs.iter().filter(|run| run.lives > 1).count() > 10);
    let runs: Vec<_> = (0..40)
        .map(|seed| live(&Options::shared_from_seed(seed)))
        .collect();
    let sum = |of: fn(&Summary) -> u64| runs.iter().map(of).sum::<u64>();
    assert!(sum(|run| run.arrivals) > 1_000);
    assert!(sum(|run| run.answers) > 500);
    assert!(sum(|run| run.claims.1) > 10);
    let taken = runs.iter().filter(|run| run.epochs > 2).count();
    assert!(taken > 10, "in {taken} runs servers took over");
}

/// What can be seen to break, each by some mutation.
const INVARIANTS: [&str; 27] = [
    "S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13", "S14", "S15",
    "S16", "S17", "K1", "C1", "C2", "L1", "L2", "L3", "W1", "W2", "R1", "R2",
];

/// Each rule is broken once, by the environment; an invariant that is named beforehand must fire, and each invariant
/// must fire for some rule.
#[test]
fn every_broken_rule_is_noticed() {
    let mut fired = BTreeSet::new();
    for (mutation, names) in Mutation::ALL {
        let mut noticed = false;
        for seed in 0..UNNOTICED_MAX {
            let drawn = match mutation {
                Mutation::OneAtATime => beside_a_dead_one(seed),
                Mutation::HurryProbes => all_refused(seed),
                Mutation::NoLease => Options {
                    remote: true,
                    ..Options::from_seed(seed)
                },
                Mutation::JudgeFirst => Options {
                    pause_every_ms: 8_000,
                    ..remote_alone(seed)
                },
                Mutation::NoEpoch => late(seed),
                Mutation::SpeakOn => frozen(seed),
                Mutation::DoubtByRead => Options::shared_from_seed(seed),
                _ => Options::from_seed(seed),
            };
            let options = Options {
                mutation: Some(mutation),
                // Who was stopped for long and dies has nothing to judge.
                crash_every_ms: match mutation {
                    Mutation::JudgeFirst | Mutation::SpeakOn => 0,
                    _ => 8_000,
                },
                clients: 2,
                // Who reads a stream would notice first that answers are no HTTP.
                watchers: usize::from(mutation != Mutation::MangleAnswers),
                ..drawn
            };
            let Err(violation) = run(&options) else {
                continue;
            };
            assert!(
                names.contains(&violation.name),
                "{mutation:?} should break one of {names:?}, not {}: {}",
                violation.name,
                violation.text
            );
            fired.insert(violation.name);
            noticed = true;
            break;
        }
        assert!(noticed, "nobody noticed {mutation:?}");
    }
    let silent: Vec<_> = INVARIANTS
        .into_iter()
        .filter(|name| !fired.contains(name))
        .collect();
    assert_eq!(silent, [""; 0], "these never fired");
}

/// A quiet world of so many receivers and callers, to look at one thing.
fn quiet(seed: u64, receivers: usize, callers: usize) -> Options {
    let drawn = Options::from_seed(seed);
    Options {
        chaos_ms: 60_000,
        // A lane for each host: those that share one with a dead host wait with it.
        sizes: Sizes {
            jobs: 16,
            streams: 160,
            events: 160,
            blocks: 256,
            endpoints: 8,
            keys: 24,
            callback_lanes: 61,
            attempts: 64,
        },
        receivers,
        callers,
        workers: 3,
        latency_ms: (1, 10),
        split: 0,
        reset: 0,
        black_hole: 0,
        replay: 0,
        half_close: 0,
        rude: 0,
        commit_ms: (0, 5),
        write_failure: 0,
        crash_every_ms: 0,
        jump_every_ms: 0,
        receiver_weights: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        worker_weights: [1, 0, 0],
        watchers: 0,
        remote: false,
        pause_every_ms: 0,
        ..drawn
    }
}

/// A world in which servers are stopped again and again, and what they ask comes late: whoever takes over has written
/// nothing yet when it comes.
fn late(seed: u64) -> Options {
    let drawn = Options::shared_from_seed(seed);
    Options {
        pause_every_ms: 4_000,
        shared: drawn.shared.map(|shared| Shared {
            late: 200,
            ..shared
        }),
        ..drawn
    }
}

/// A world in which an owner is stopped until another one has taken over, and callers ask much.
fn frozen(seed: u64) -> Options {
    let drawn = Options::shared_from_seed(seed);
    let lease_ms = drawn.shared.map_or(0, |shared| shared.lease_ms);
    Options {
        conns: 16,
        callers: 8,
        rush: true,
        pause_every_ms: 8_000,
        pause_ms: (3 * lease_ms, 8 * lease_ms),
        shared: drawn.shared,
        ..quiet(seed, 2, 8)
    }
}

/// A quiet world whose jobs are done elsewhere.
fn remote_alone(seed: u64) -> Options {
    Options {
        remote: true,
        ..quiet(seed, 1, 2)
    }
}

/// A quiet world with three receivers, the first of which never answers.
fn beside_a_dead_one(seed: u64) -> Options {
    Options {
        dead_receiver: Some(0),
        arrival_ms_max: Some(1_000),
        ..quiet(seed, 3, 2)
    }
}

/// A quiet world whose receivers refuse everything, as long as things go wrong.
fn all_refused(seed: u64) -> Options {
    Options {
        receiver_weights: [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        rush: true,
        ..quiet(seed, 2, 3)
    }
}

/// What 99 of 100 events took to the receivers but the first, in milliseconds.
fn p99_of_others(worlds: impl Iterator<Item = Options>) -> u64 {
    let arrivals = worlds.flat_map(|options| live(&options).latencies_ms);
    let others = arrivals.filter(|(receiver, _)| *receiver > 0);
    let mut took: Vec<_> = others.map(|(_, ms)| ms).collect();
    assert!(took.len() > 500, "{}", took.len());
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

/// S12: a receiver that never answers costs the others next to nothing.
#[test]
fn a_dead_receiver_delays_nobody_else() {
    let with = p99_of_others((0..20).map(beside_a_dead_one));
    let without = p99_of_others((0..20).map(|seed| Options {
        dead_receiver: None,
        ..beside_a_dead_one(seed)
    }));
    assert!(with <= 2 * without, "{with} ms, without it {without} ms");
}

/// L2: whoever asks properly is served, though others hold connections with what is never a request.
#[test]
fn rude_callers_do_not_keep_a_good_one_waiting() {
    // Where they hold every other connection he is refused at most in passing; where they hold each of them, until some
    // have missed their deadlines of 10 s and he is the first to come again.
    for (rude_callers, answer_ms_max) in [(3, 3_000), (5, 40_000)] {
        for seed in 0..10 {
            let options = Options {
                rude_callers,
                rush: true,
                conns: 4,
                clients: 0,
                answer_ms_max: Some(answer_ms_max),
                ..quiet(seed, 1, rude_callers + 1)
            };
            let run = live(&options);
            assert!(run.answers > 20, "{seed}: {} answers", run.answers);
        }
    }
}
