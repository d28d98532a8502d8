//! A server machine in virtual time: requests as text in, answers as text out.

use dubhook_core::{
    http::RecvBuf,
    id::Id,
    out::Out,
    record::{Batch, Keep, Key},
    server::{Config, ConnId, Drive, HandleError, Input, Output, Ready, Server, ServerStorage},
    service::{Attempt, AttemptResult, Attempted, Report},
    time::{Instant, Now, Timestamp},
};
use std::collections::{BTreeMap, VecDeque};

/// When virtual time begins: 2026-11-24T09:00:00Z.
pub const START_UNIX_MS: u64 = 1_795_510_800_000;

/// Records as a store holds them.
pub type Records = BTreeMap<Key, Vec<u8>>;

/// A server of 16 jobs, 8 endpoints, 8 connections and 16 attempts in flight where not said otherwise, with a clock
/// of its own. Its memory lasts as long as the process.
pub type Machine = MachineIn<'static>;

/// A server in memory that is lent, with a clock of its own.
#[derive(Debug)]
pub struct MachineIn<'m> {
    /// The machine itself.
    pub server: Server<'m>,
    /// The present moment.
    pub now: Now,
    /// What was written down.
    pub records: Records,
    /// The JSON of jobs that have ended.
    pub archive: BTreeMap<Id, Vec<u8>>,
    /// Jobs whose workers it has told to stop.
    stopped: VecDeque<Id>,
    /// A batch that is complete.
    batch: Option<Batch>,
}

impl MachineIn<'static> {
    /// A new machine that keeps nothing.
    #[must_use]
    pub fn volatile(seed: u8) -> Self {
        let memory: &'static mut _ = Box::leak(Box::new(ServerStorage::<16, 8, 8, 16>::new()));
        Self::over(
            Server::new(memory.lend(Keep::Nothing), config(), [seed; 32]).unwrap(),
            at(0),
        )
    }

    /// A new machine that writes records and keeps ended jobs in an archive.
    #[must_use]
    pub fn archiving(seed: u8) -> Self {
        let memory: &'static mut _ = Box::leak(Box::new(ServerStorage::<16, 8, 8, 16>::new()));
        let tables = memory.lend(Keep::Archive);
        Self::over(Server::new(tables, config(), [seed; 32]).unwrap(), at(0))
    }

    /// A new machine of this size and setup that keeps nothing.
    #[must_use]
    pub fn sized<const JOBS: usize, const ENDPOINTS: usize, const CONNS: usize>(
        config: Config<'static>,
    ) -> Self {
        let memory: &'static mut _ =
            Box::leak(Box::new(ServerStorage::<JOBS, ENDPOINTS, CONNS, 16>::new()));
        Self::over(
            Server::new(memory.lend(Keep::Nothing), config, [7; 32]).unwrap(),
            at(0),
        )
    }

    /// A new machine that writes records, with these as its first ones.
    ///
    /// # Panics
    ///
    /// If the records cannot be restored.
    #[must_use]
    pub fn durable(seed: u8, records: Records, now: Now) -> Self {
        Self::durable_as(config(), seed, records, now)
    }

    /// As [`durable`](Self::durable), set up so.
    ///
    /// # Panics
    ///
    /// If the records cannot be restored.
    #[must_use]
    pub fn durable_as(config: Config<'static>, seed: u8, records: Records, now: Now) -> Self {
        let memory: &'static mut _ = Box::leak(Box::new(ServerStorage::<16, 8, 8, 16>::new()));
        let mut machine = Self::over(
            Server::new(memory.lend(Keep::Records), config, [seed; 32]).unwrap(),
            now,
        );
        for (key, value) in &records {
            machine
                .server
                .restore(now, *key, value)
                .unwrap_or_else(|error| panic!("{key:?}: {error:?}"));
        }
        machine.server.start(now).expect("start");
        machine.records = records;
        machine.commit();
        machine
    }
}

impl<'m> MachineIn<'m> {
    /// A machine around this server.
    #[must_use]
    pub fn over(server: Server<'m>, now: Now) -> Self {
        Self {
            server,
            now,
            records: Records::new(),
            archive: BTreeMap::new(),
            stopped: VecDeque::new(),
            batch: None,
        }
    }

    /// Lets time pass, doing what is due on the way.
    pub fn advance_ms(&mut self, ms: u64) {
        let end = self.now.instant.after_ms(ms);
        while let Some(due) = self.server.deadline().filter(|due| *due <= end) {
            let due = due.max(self.now.instant);
            self.now = at(due.as_ms());
            self.settle_down();
        }
        self.now = at(end.as_ms());
        self.settle_down();
    }

    /// Does what is due now.
    ///
    /// # Panics
    ///
    /// If the machine is called as it must not be.
    pub fn settle_down(&mut self) {
        let nothing: Option<()> = self.next(Ready::NONE, &mut [], |_, _| None);
        assert_eq!(nothing, None);
    }

    /// What the machine wants next of what `pick` looks for; ends of work are kept for who asks.
    fn next<T>(
        &mut self,
        ready: Ready,
        memory: &mut [u8],
        mut pick: impl FnMut(&mut Self, &Output<'_>) -> Option<T>,
    ) -> Option<T> {
        loop {
            let output = self.server.poll(self.now, ready, memory);
            match output.expect("a call as it should be") {
                Output::Stop { job, .. } => self.stopped.push_back(job),
                Output::Sleep(_) => return None,
                Output::Commit(batch) => {
                    self.batch = Some(batch);
                    return None;
                }
                output => {
                    if let Some(found) = pick(self, &output) {
                        return Some(found);
                    }
                }
            }
        }
    }

    /// The next connection that the machine names.
    pub fn next_conn(&mut self) -> Option<ConnId> {
        self.next(Ready::CONNS, &mut [], |_, output| match output {
            Output::Drive(conn) => Some(*conn),
            _ => None,
        })
    }

    /// The next job whose worker is to stop.
    pub fn stop_job(&mut self) -> Option<Id> {
        if self.stopped.is_empty() {
            self.settle_down();
        }
        self.stopped.pop_front()
    }

    /// Tells the machine that it is to stop.
    ///
    /// # Panics
    ///
    /// If it refuses.
    pub fn shutdown(&mut self) {
        let told = self.server.handle(self.now, Input::Shutdown);
        told.expect("it can be told at any time");
    }

    /// Writes the open batch down and says so. Returns how many records it had.
    ///
    /// # Panics
    ///
    /// If a record is larger than the limits allow.
    pub fn commit(&mut self) -> usize {
        let (count, batch) = self.write();
        if let Some(batch) = batch {
            self.durable_now(batch);
        }
        count
    }

    /// Writes the open batch down, and does not say so yet. Returns how many records it had.
    pub fn write(&mut self) -> (usize, Option<Batch>) {
        let mut memory = vec![0; self.server.config().archive_bytes_max()];
        let mut count = 0;
        let nothing: Option<()> = self.next(Ready::RECORDS, &mut memory, |machine, output| {
            match output {
                Output::Save { key, value } => {
                    count += 1;
                    match value {
                        Some(value) => machine.records.insert(*key, value.to_vec()),
                        None => machine.records.remove(key),
                    };
                }
                Output::Archive { job, json } => _ = machine.archive.insert(*job, json.to_vec()),
                other => panic!("{other:?} where only records are wanted"),
            }
            None
        });
        assert_eq!(nothing, None);
        (count, self.batch.take())
    }

    /// Says that a batch is durable.
    ///
    /// # Panics
    ///
    /// If it is another machine's.
    pub fn durable_now(&mut self, batch: Batch) {
        let taken = self.server.handle(self.now, Input::Durable(batch));
        taken.expect("the machine's own batch");
    }

    /// Sends bytes on a connection of their own and returns what comes back at once.
    ///
    /// # Panics
    ///
    /// If no connection is free.
    pub fn exchange(&mut self, bytes: &[u8]) -> String {
        let conn = self.server.accept(self.now).expect("a free connection");
        let (answer, _) = self.drive(conn, bytes);
        self.server.close(conn);
        answer
    }

    /// Sends bytes on a connection and returns what comes back at once, and what it waits for.
    ///
    /// # Panics
    ///
    /// If an answer is larger than the limits allow.
    pub fn drive(&mut self, conn: ConnId, bytes: &[u8]) -> (String, Drive) {
        let mut received = bytes.to_vec();
        received.resize(bytes.len() + 2_048, 0);
        let mut input = RecvBuf::new(&mut received, bytes.len());
        let mut answer = Vec::new();
        loop {
            let mut memory = vec![0; self.server.config().answer_bytes_max() + 8_192];
            let mut out = Out::new(&mut memory);
            let mut drive = self.server.drive(self.now, conn, &mut input, &mut out);
            if let Ok(Drive::Lookup(id)) = drive {
                let found = self.archive.get(&id).map(Vec::as_slice);
                drive = self.server.answer_lookup(self.now, conn, found, &mut out);
            }
            let drive = drive.expect("room for the longest answer");
            assert!(!out.is_full());
            answer.extend_from_slice(out.written());
            if drive != Drive::Flush {
                return (String::from_utf8_lossy(&answer).into_owned(), drive);
            }
        }
    }

    /// Makes a request with a JSON body, or none, and returns the status and the body of its answer, committing
    /// what it changed.
    ///
    /// # Panics
    ///
    /// If there is no whole answer.
    pub fn call(&mut self, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
        self.call_with(method, path, "", body)
    }

    /// As [`call`](Self::call), with more header lines, each ending in CRLF.
    ///
    /// # Panics
    ///
    /// If there is no whole answer.
    pub fn call_with(
        &mut self,
        method: &str,
        path: &str,
        fields: &str,
        body: &str,
    ) -> (u16, serde_json::Value) {
        let conn = self.server.accept(self.now).expect("a free connection");
        let length = body.len();
        let kind = if body.is_empty() {
            ""
        } else {
            "content-type: application/json\r\n"
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\n{kind}{fields}content-length: {length}\r\n\r\n{body}"
        );
        let (mut answer, drive) = self.drive(conn, request.as_bytes());
        if drive == Drive::Wait {
            self.commit();
            let (rest, _) = self.drive(conn, b"");
            answer.push_str(&rest);
        }
        self.server.close(conn);
        parse(&answer)
    }

    /// Starts the next job that waits for a worker.
    pub fn start_job(&mut self) -> Option<Id> {
        self.next(Ready::WORK, &mut [], |_, output| match output {
            Output::Start { job, .. } => Some(*job),
            _ => None,
        })
    }

    /// Reports on a job.
    ///
    /// # Panics
    ///
    /// If the report is refused.
    pub fn report(&mut self, id: Id, report: Report<'_>) {
        let taken = self.try_report(id, report);
        taken.expect("a report that is taken");
    }

    /// Reports on a job, which may refuse.
    ///
    /// # Errors
    ///
    /// [`HandleError`] where it does.
    pub fn try_report(&mut self, job: Id, report: Report<'_>) -> Result<(), HandleError> {
        let input = Input::Report { job, report };
        self.server.handle(self.now, input).map(drop)
    }

    /// The next webhook attempt.
    pub fn next_attempt(&mut self) -> Option<Attempt> {
        self.next(Ready::ATTEMPTS, &mut [], |_, output| match output {
            Output::Attempt(attempt) => Some(*attempt),
            _ => None,
        })
    }

    /// The next webhook attempt and its whole request.
    ///
    /// # Panics
    ///
    /// If the attempt cannot be written.
    pub fn attempt(&mut self) -> Option<(Attempt, String)> {
        let attempt = self.next_attempt()?;
        let mut url = [0; 2_048];
        let url = self.server.attempt_url(attempt.id, &mut url);
        let url = url.expect("an endpoint with a URL");
        let mut memory = vec![0; self.server.config().attempt_bytes_max()];
        let len = self
            .server
            .write_attempt(self.now, attempt.id, &url, &mut memory)
            .expect("room for an attempt");
        memory.truncate(len);
        Some((attempt, String::from_utf8(memory).expect("text")))
    }

    /// Settles an attempt with an answer of this status.
    pub fn settle(&mut self, attempt: &Attempt, status: u16) -> Option<Attempted> {
        let result = AttemptResult::Answer {
            status,
            retry_after_ms: None,
            body: b"",
        };
        self.settle_as(attempt, result)
    }

    /// Settles an attempt.
    pub fn settle_as(&mut self, attempt: &Attempt, result: AttemptResult<'_>) -> Option<Attempted> {
        let id = attempt.id;
        let input = Input::Attempt { id, result };
        self.server.handle(self.now, input).ok()?
    }
}

/// A moment, `ms` milliseconds after virtual time began.
#[must_use]
pub const fn at(ms: u64) -> Now {
    Now {
        instant: Instant::from_ms(ms),
        timestamp: Timestamp::from_unix_ms(START_UNIX_MS + ms),
    }
}

/// How the machines of tests are set up: a device's limits, and deliveries to loopback allowed.
#[must_use]
pub fn config() -> Config<'static> {
    let mut config = Config::DEVICE;
    config.guard.allow_loopback = true;
    config
}

/// Status and JSON body of an answer.
///
/// # Panics
///
/// If it is none.
#[must_use]
pub fn parse(answer: &str) -> (u16, serde_json::Value) {
    let status = answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    let body = if body.is_empty() {
        serde_json::Value::Null
    } else {
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
    };
    (status.parse().expect("a status"), body)
}

/// The JSON body of a webhook request.
///
/// # Panics
///
/// If it is none.
#[must_use]
pub fn body(request: &str) -> serde_json::Value {
    let (_, body) = request.split_once("\r\n\r\n").expect("a head");
    serde_json::from_str(body).expect("JSON")
}

/// The value of a field of a request.
///
/// # Panics
///
/// If it is not there.
#[must_use]
pub fn field<'r>(request: &'r str, name: &str) -> &'r str {
    request
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .unwrap_or_else(|| panic!("no {name} in {request}"))
}
