//! What a burden costs everybody else: how long an event takes from its submission to its arrival at a good receiver, alone and
//! beside it.
//!
//! Alone and beside take turns, round by round, so that both meet the same machine; what is printed last is the median
//! of the rounds' 99th percentiles, and of their ratios.

use crate::{
    hooks::register,
    wire::{Asker, Hearer},
};
use dubhook_smol::server::Handle;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, mpsc::channel},
    thread,
    time::{Duration, Instant},
};

const ROUNDS: usize = 5;
/// Jobs in a round, of which each is an event for each receiver.
const JOBS: usize = 1_000;
/// From one submission to the next, whatever becomes of it.
const PACE: Duration = Duration::from_millis(20);

/// Measures, and prints. `start` starts a server whose jobs take no time, with the burden on it or without; what else it returns
/// stays until the round is over.
///
/// # Panics
///
/// If an event never arrives.
pub fn compare<K>(burden: &str, start: impl Fn(bool) -> (Handle, K)) {
    println!("from submission to arrival, in microseconds, at one event every {PACE:?}");
    let (mut alone, mut beside, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let both = if round % 2 == 0 {
            [measure(start(false)), measure(start(true))]
        } else {
            let beside = measure(start(true));
            [measure(start(false)), beside]
        };
        let [one, other] = both.map(|mut taken| {
            let [half, most] = [50, 99].map(|percent| percentile(&mut taken, percent));
            println!("  {:>5} {half:>7} {most:>7}", taken.len());
            most
        });
        alone.push(one);
        beside.push(other);
        ratios.push(other * 1_000 / one);
    }
    let [alone, beside, ratio] = [alone, beside, ratios].map(|mut all| percentile(&mut all, 50));
    println!(
        "p99 alone {alone} us, beside {burden} {beside} us: {}.{:03} times",
        ratio / 1_000,
        ratio % 1_000,
    );
}

fn percentile(taken: &mut [u64], percent: usize) -> u64 {
    taken.sort_unstable();
    taken[(taken.len() * percent / 100).min(taken.len() - 1)]
}

/// How long each event took to a good receiver, in microseconds.
fn measure<K>((server, _kept): (Handle, K)) -> Vec<u64> {
    let mut asker = Asker::new(server.address());
    let submitted = Arc::new(Mutex::new(HashMap::new()));
    let (taken, times) = channel();
    let hearer = {
        let submitted = Arc::clone(&submitted);
        Hearer::answering(move |arrival| {
            let now = Instant::now();
            let event = arrival.json();
            let number = event["data"]["reference"].as_str().expect("a number");
            // One that comes again was counted when it came first.
            let at: Option<Instant> = submitted.lock().expect("no panic").remove(number);
            if let Some(at) = at {
                taken.send((now - at).as_micros() as u64).expect("it waits");
            }
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
        })
    };
    register(&mut asker, &hearer.url());
    let start = Instant::now();
    for number in 0..JOBS {
        let due = start + PACE * number as u32;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let body = format!(
            r#"{{"video_url":"https://v.test/1.mp4","target_language":"es","reference":"{number}"}}"#
        );
        // From when it was due: a server that answers late is not asked later for it.
        submitted
            .lock()
            .expect("no panic")
            .insert(number.to_string(), due);
        assert_eq!(asker.call("POST", "/v1/translations", &body).status, 202);
    }
    let times = (0..JOBS).map(|_| {
        let time = times.recv_timeout(Duration::from_secs(60));
        time.expect("an arrival")
    });
    let times = times.collect();
    server.stopper().now();
    times
}
