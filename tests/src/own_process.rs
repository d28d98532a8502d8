//! A server of a test's in a process of its own: it can be stopped, as no thread can, and has limits for which the program has no
//! flags. It is the test's own executable, run again for that one test.

use crate::{
    hooks::submit,
    program::signal,
    wire::{Asker, PATIENCE},
};
use dubhook_core::service::Limits;
use dubhook_smol::server::{Builder, Server};
use std::{
    env,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Set where the process is such a server: where it keeps its records.
const STORE: &str = "DUBHOOK_TEST_STORE";
/// What it says before its address.
const LISTENS: &str = "listens at ";
/// How long a worker may be silent: longer than a busy machine stalls.
const LEASE: Duration = Duration::from_secs(10);
/// Longer than that.
const PAUSE: Duration = Duration::from_millis(11_500);

/// Where this process is to keep records, if it is a server of a test's.
#[must_use]
pub fn store() -> Option<String> {
    env::var(STORE).ok()
}

/// Is such a server until it is killed. `with` gives it its store.
///
/// # Panics
///
/// If it cannot be.
pub fn serve(with: impl FnOnce(Builder) -> Builder) -> ! {
    let mut limits = Limits::SERVER;
    limits.lease_ms = LEASE.as_millis() as u64;
    // Whoever loses a job has lost it for good.
    limits.attempts_max = 1;
    let server = Server::builder().listen("127.0.0.1:0").capacity(10);
    let server = with(server.remote().limits(limits)).bind().expect("a port");
    let server = server.start().expect("a thread");
    println!("{LISTENS}{}", server.address());
    loop {
        thread::park();
    }
}

/// The process of a server.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Runs this test of the executable again, as a server that keeps its records there.
    ///
    /// # Panics
    ///
    /// If it ends instead.
    #[must_use]
    pub fn start(test: &str, store: &str) -> Self {
        let mut child = Command::new(env::current_exe().expect("an executable"))
            .args([test, "--exact", "--nocapture"])
            .env(STORE, store)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it can be run again");
        let said = BufReader::new(child.stdout.take().expect("its output"));
        let address = said.lines().map_while(Result::ok).find_map(|line| {
            let (_, address) = line.split_once(LISTENS)?;
            address.parse().ok()
        });
        Self {
            child,
            address: address.expect("it has ended"),
        }
    }

    fn signal(&self, name: &str) {
        assert!(signal(self.child.id(), name), "it has ended");
    }

    /// Waits until it answers so whether it is ready.
    fn until(&self, status: u16) {
        let since = Instant::now();
        let ready = || Asker::new(self.address).try_call("GET", "/readyz", "", "");
        while ready().is_ok_and(|answer| answer.status != status) {
            assert!(since.elapsed() < PATIENCE, "never {status}");
            thread::yield_now();
        }
    }

    /// A worker has a job, and the server may not speak for longer than the worker's lease lasts, since its store is away: what the
    /// worker says then is not taken, and what it says afterwards is.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn assert_whoever_was_not_heard_is_spared(&self, away: impl Fn(bool)) {
        self.until(200);
        let mut asker = Asker::new(self.address);
        let job = submit(&mut asker);
        let claim = asker.call("POST", "/v1/work/claim", "").json();
        let report = |what: &str, said: &str| {
            let body = format!(r#"{{{said},"lease":{}}}"#, claim["lease"]);
            let path = format!("/v1/work/{job}/{what}");
            Asker::new(self.address).call("POST", &path, &body).status
        };
        away(true);
        self.until(503);
        let since = Instant::now();
        while since.elapsed() < PAUSE {
            assert_eq!(report("progress", r#""progress":10"#), 503);
            thread::sleep(PAUSE / 8);
        }
        away(false);
        self.until(200);
        // It comes again later than it would have had to without that.
        thread::sleep(LEASE / 4);
        assert_eq!(report("progress", r#""progress":50"#), 200);
        assert_eq!(
            report("complete", r#""output_url":"https://o.test/1.mp4""#),
            200
        );
    }

    /// Two workers have jobs. The server is stopped for longer than their leases last, and meanwhile one says that it goes on, and
    /// the other one what has come of its job: both count.
    ///
    /// # Panics
    ///
    /// If they do not.
    pub fn assert_what_was_reported_counts(&self) {
        let mut asker = Asker::new(self.address);
        let since = Instant::now();
        while asker.call("GET", "/readyz", "").status != 200 {
            assert!(since.elapsed() < PATIENCE, "it is never ready");
            asker = Asker::new(self.address);
        }
        let jobs = [(), ()].map(|()| submit(&mut asker));
        let mut workers = jobs.map(|_| {
            let mut worker = Asker::new(self.address);
            let claim = worker.call("POST", "/v1/work/claim", "");
            assert_eq!(claim.status, 200, "{:?}", claim.json());
            let claim = claim.json();
            let job = claim["job"]["id"].as_str().expect("an id").to_owned();
            (worker, job, claim["lease"].as_u64().expect("a lease"))
        });
        self.signal("STOP");
        let said = [
            ("progress", r#""progress":50"#.to_owned()),
            (
                "complete",
                r#""output_url":"https://o.test/1.mp4""#.to_owned(),
            ),
        ];
        for ((worker, job, lease), (what, said)) in workers.iter_mut().zip(&said) {
            let body = format!(r#"{{{said},"lease":{lease}}}"#);
            let head = format!(
                "POST /v1/work/{job}/{what} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n"
            );
            worker.send(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes());
        }
        thread::sleep(PAUSE);
        self.signal("CONT");
        for (worker, job, _) in &mut workers {
            let answer = worker.answer("POST");
            assert_eq!(answer.status, 200, "{job}: {:?}", answer.json());
        }
        let [going, done] = workers.map(|(_, job, _)| {
            asker
                .call("GET", &format!("/v1/translations/{job}"), "")
                .json()
        });
        assert_eq!(going["status"], "processing", "{going}");
        assert_eq!(done["status"], "completed", "{done}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
