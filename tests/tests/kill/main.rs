//! Kills the real program at random moments under load, again and again on the same data, and holds it to what it said.
//!
//! Callers submit jobs with idempotency keys, call some off, and register and remove webhooks; a receiver takes the
//! deliveries and refuses a few. A ledger notes what was acknowledged and what arrived, and after each restart and at the
//! end all of it must still be true. `KILL_ROUNDS` and `KILL_SEED` say how often, and which run to repeat.

mod caller;

use caller::Caller;
use dubhook_core::random::Random;
use dubhook_tests::{
    arrivals::Arrivals,
    ledger::Ledger,
    program::Program,
    wire::{Arrival, Asker, Hearer},
};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

const ROUNDS: usize = 10;
/// Who submits at the same time.
const CALLERS: u64 = 2;
/// After how many acknowledgements a round ends, at most.
const ACKS_MAX: u64 = 60;
/// One delivery of so many is refused at first, and as many find the connection closed.
const REFUSED: usize = 40;
/// How long everything that is owed may take after the last restart: more than the first pause between attempts.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn random(seed: u64, stream: u64) -> Random {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&stream.to_le_bytes());
    Random::new(bytes)
}

fn start(folder: &Path) -> Program {
    let data = folder.join("data");
    let data = data.to_str().expect("a path in UTF-8");
    let arguments = ["--data", data, "--capacity", "20000"];
    let simulated = ["--simulate", "5ms..60ms", "--simulate-errors", "0.2"];
    Program::serve(&[arguments, simulated].concat(), &folder.join("log"))
}

/// A receiver that refuses some deliveries while `refusing` lasts: each of them once, for the pause after a second failure would
/// outlast the test.
fn receiver(refusing: Arc<AtomicUsize>) -> Hearer {
    let count = Arc::new(AtomicUsize::new(0));
    let refused = Arc::new(Mutex::new(BTreeSet::new()));
    Hearer::answering(move |arrival: &Arrival| {
        let delivery = (arrival.path.clone(), arrival.fields["webhook-id"].clone());
        let number = count.fetch_add(1, Ordering::Relaxed) % REFUSED;
        let is_picked = [1, 2].contains(&number) && refusing.load(Ordering::Relaxed) > 0;
        if !is_picked || !refused.lock().expect("no panic").insert(delivery) {
            return "HTTP/1.1 204 No Content\r\n\r\n".to_owned();
        }
        match number {
            1 => "HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n".to_owned(),
            _ => String::new(),
        }
    })
}

#[test]
fn killed_at_any_moment_it_keeps_its_word() {
    let rounds = variable("KILL_ROUNDS").map_or(ROUNDS, |rounds| rounds as usize);
    let seed = variable("KILL_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.expect("a clock").as_nanos() as u64
    });
    println!("KILL_ROUNDS={rounds} KILL_SEED={seed}");
    let folder = tempfile::tempdir().expect("a folder");
    let refusing = Arc::new(AtomicUsize::new(1));
    let hearer = receiver(Arc::clone(&refusing));
    let ledger = Mutex::new(Ledger::new(hearer.url()));
    let mut arrivals = Arrivals::default();
    let mut random = random(seed, 0);
    for round in 0..rounds {
        // The first pauses between attempts must end before the test does.
        refusing.store((rounds / 2).saturating_sub(round), Ordering::Relaxed);
        let mut program = start(folder.path());
        if random.below(8) == 0 {
            // Some are killed while they start, or even before.
            pause(Duration::from_micros(random.below(60_000)));
            program.kill();
            continue;
        }
        let mut asker = Asker::new(program.address());
        let mut book = ledger.lock().expect("a ledger");
        arrivals.take(&hearer);
        book.check(&mut asker, &arrivals, round);
        book.register_main(&mut asker);
        drop(book);
        load(seed, round, &ledger, asker, program, &mut random);
    }
    refusing.store(0, Ordering::Relaxed);
    let mut program = start(folder.path());
    let mut asker = Asker::new(program.address());
    let mut book = ledger.lock().expect("a ledger");
    book.check(&mut asker, &arrivals, usize::MAX);
    let since = Instant::now();
    while let Some(owed) = book.owed(&arrivals) {
        assert!(since.elapsed() < SETTLED_WITHIN, "never came: {owed}");
        arrivals.add(hearer.next());
        arrivals.take(&hearer);
    }
    book.check(&mut asker, &arrivals, usize::MAX);
    book.check_nothing_else(&mut asker, &arrivals);
    println!("{}, {}", book.summary(), arrivals.summary());
    program.kill();
}

/// Lets callers work until enough was acknowledged, and then kills the program.
fn load(
    seed: u64,
    round: usize,
    ledger: &Mutex<Ledger>,
    asker: Asker,
    program: Program,
    random: &mut Random,
) {
    let enough = random.below(ACKS_MAX) as usize;
    let acked = AtomicUsize::new(0);
    let address = asker.address();
    thread::scope(|scope| {
        let mut callers = Vec::new();
        for number in 0..CALLERS {
            let stream = 1 + number + CALLERS * round as u64;
            let caller = Caller::new(stream, self::random(seed, stream));
            let acked = &acked;
            // Connected before the kill, which may come at once.
            let asker = Asker::new(address);
            callers.push(scope.spawn(move || caller.work(asker, ledger, acked)));
        }
        // One that has ended before the kill has found that a word was broken, and says so.
        let are_at_work = || callers.iter().all(|caller| !caller.is_finished());
        while acked.load(Ordering::Relaxed) < enough && are_at_work() {
            thread::yield_now();
        }
        pause(Duration::from_micros(random.below(5_000)));
        program.kill();
    });
}

/// Waits: the moment of a kill is the one thing here that shall not follow from anything.
fn pause(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
}
