//! What bad receivers cost a good one: how long an event takes from its submission to its arrival at a good receiver, alone
//! and beside a hundred bad ones of five kinds.
//!
//! ```text
//! cargo run --release --package dubhook-tests --example neighbours
//! ```
//!
//! Alone and beside take turns, round by round, so that both meet the same machine; what is printed last is the median
//! of the rounds' 99th percentiles, and of their ratios.

use dubhook_core::service::Limits;
use dubhook_smol::{server::Server, tls::Trust};
use dubhook_tests::{
    certificates::Authority,
    hooks::{NO_TIME, register},
    neighbours::{self, KINDS},
    wire::{Asker, Hearer},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, mpsc::channel},
    thread,
    time::{Duration, Instant},
};

const ROUNDS: usize = 5;
/// Bad receivers of each kind.
const OF_A_KIND: usize = 20;
/// Jobs in a round, of which each is an event for each receiver.
const JOBS: usize = 1_000;
/// From one submission to the next, whatever becomes of it.
const PACE: Duration = Duration::from_millis(20);

fn main() {
    println!("from submission to arrival, in microseconds, at one event every {PACE:?}");
    let (mut alone, mut beside, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let both = if round % 2 == 0 {
            [measure(0), measure(OF_A_KIND)]
        } else {
            let beside = measure(OF_A_KIND);
            [measure(0), beside]
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
        "p99 alone {alone} us, beside {} bad receivers {beside} us: {}.{:03} times",
        OF_A_KIND * KINDS.len(),
        ratio / 1_000,
        ratio % 1_000,
    );
}

fn percentile(taken: &mut [u64], percent: usize) -> u64 {
    taken.sort_unstable();
    taken[(taken.len() * percent / 100).min(taken.len() - 1)]
}

/// How long each event took to the good receiver, in microseconds, beside so many bad ones of each kind.
fn measure(bad: usize) -> Vec<u64> {
    let authority = Authority::new();
    let trust = Trust::platform().with_file(authority.file());
    let server = Server::builder()
        .listen("127.0.0.1:0")
        .capacity(50_000)
        .simulate(NO_TIME)
        .limits(Limits::SERVER)
        .trust(trust.expect("the authority's file"));
    let server = server.bind().expect("a port").start().expect("a thread");
    let mut asker = Asker::new(server.address());
    for kind in KINDS {
        for _ in 0..bad {
            register(&mut asker, &neighbours::listen(kind));
        }
    }
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
