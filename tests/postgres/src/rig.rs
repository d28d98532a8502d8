//! Servers over one database, and what tests ask of them.

use dubhook_tests::{
    arrivals::Arrivals,
    ledger::{Ledger, Sent},
    program::Program,
    wire::{Answer, Asker, Hearer, PATIENCE},
};
use std::{
    net::SocketAddr,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A lease that ends within a test, and that a busy machine does not outlast: whoever has the records loses them by what the
/// test does alone.
pub const LEASE: &str = "8s";
/// One that ends within no test: nobody takes over.
pub const LONG: &str = "10m";

/// Servers, and where they log.
#[derive(Debug)]
pub struct Rig {
    folder: TempDir,
}

impl Default for Rig {
    fn default() -> Self {
        Self::new()
    }
}

impl Rig {
    /// Servers of a test.
    ///
    /// # Panics
    ///
    /// Where there can be no folder.
    #[must_use]
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// Where the server of this name logs.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a server on the database there; where it listens.
    ///
    /// # Panics
    ///
    /// If it ends instead.
    #[must_use]
    pub fn serve(
        &self,
        name: &str,
        url: &str,
        lease: &str,
        more: &[&str],
    ) -> (Program, SocketAddr) {
        let own = ["--store", url, "--lease", lease];
        let arguments = [&own[..], more].concat();
        let mut program = Program::serve(&arguments, &self.log(name));
        let address = program.address();
        (program, address)
    }

    /// What the server of this name has logged.
    ///
    /// # Panics
    ///
    /// If it was never started.
    #[must_use]
    pub fn logged(&self, name: &str) -> String {
        std::fs::read_to_string(self.log(name)).expect("a log")
    }
}

/// An answer to a question of its own connection; nothing where the server is gone.
///
/// # Panics
///
/// If nobody listens.
#[must_use]
pub fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> Option<Answer> {
    Asker::new(address).try_call(method, path, "", body).ok()
}

/// The answer to a question of its own connection.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, "GET", path, "").expect("an answer")
}

/// Waits until something is so. How long that took.
///
/// # Panics
///
/// If it never is.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "never: {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
    since.elapsed()
}

/// Whether a server says that it has the records.
fn is_ready(address: SocketAddr) -> bool {
    ask(address, "GET", "/readyz", "").is_some_and(|answer| answer.status == 200)
}

/// Waits until a server has the records. How long that took.
///
/// # Panics
///
/// If it never has.
pub fn ready(address: SocketAddr) -> Duration {
    wait_until("it is ready", || is_ready(address))
}

/// Waits until a server may not speak.
///
/// # Panics
///
/// If it goes on.
pub fn unready(address: SocketAddr) {
    wait_until("it stops answering", || !is_ready(address));
}

/// Tells a server to stop, which it does.
///
/// # Panics
///
/// If it does not.
pub fn assert_stops(program: Program) {
    program.terminate();
    let (status, log) = program.wait();
    assert_eq!(status.code(), Some(0), "{log}");
}

/// Submits jobs, each with a key of its own.
///
/// # Panics
///
/// If one is never accepted.
pub fn submit(address: SocketAddr, ledger: &mut Ledger, name: &str, jobs: usize) {
    let mut asker = Asker::new(address);
    for count in 0..jobs {
        let place = ledger.add(Sent::new(format!("{name}-{count}"), count % 3 == 0));
        let since = Instant::now();
        // As callers do: what was not answered, or with 502 or 503, is sent again.
        let answer = loop {
            match ledger.request(place).send(&mut asker) {
                Some(answer) if ![502, 503].contains(&answer.status) => break answer,
                _ => {
                    thread::park_timeout(Duration::from_millis(5));
                    asker = Asker::new(address);
                }
            }
            assert!(since.elapsed() < PATIENCE, "it is never accepted");
        };
        ledger.accepted(place, &answer);
    }
}

/// Holds a server to everything that was said, until nothing more is owed.
///
/// # Panics
///
/// If it breaks its word.
pub fn settle(address: SocketAddr, ledger: &mut Ledger, arrivals: &mut Arrivals, hearer: &Hearer) {
    let mut asker = Asker::new(address);
    arrivals.take(hearer);
    ledger.check(&mut asker, arrivals, 1);
    while ledger.owed(arrivals).is_some() {
        arrivals.add(hearer.next());
        arrivals.take(hearer);
    }
    ledger.check(&mut asker, arrivals, usize::MAX);
    ledger.check_nothing_else(&mut asker, arrivals);
    println!("{}, {}", ledger.summary(), arrivals.summary());
}
