//! The server in a world that misbehaves, from many seeds.

use dubhook_tests::sim::{Options, run};

/// How many seeds to run: `SIM_SEEDS`, or so many.
const SEEDS: u64 = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_breaks_whatever_goes_wrong() {
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let options = Options::from_seed(seed);
        if let Err(violation) = run(&options) {
            panic!(
                "{}: {}\n{options:#?}\nRun it alone with SIM_SEED={seed}.",
                violation.name, violation.text
            );
        }
    }
}
