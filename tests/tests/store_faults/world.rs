//! One life of a server machine over a disk that may fail: it is driven as a runtime does, batch after batch.

use crate::disk::{Changes, Crash, Disk};
use dubhook_core::{
    http::RecvBuf,
    id::{Id, Prefix},
    out::Out,
    record::{Batch, Keep, Key, Read, Table},
    server::{ConnId, Drive, Input, Output, Ready, Server, ServerStorage},
    service::{AttemptResult, Report},
    time::Now,
};
use dubhook_tests::{
    ledger::Ask,
    machine::{at, config},
    wire::{Answer, Arrival},
};
use std::collections::{BTreeMap, VecDeque};

/// One delivery of so many is refused.
const REFUSED: usize = 9;
/// After so many turns an answer must have come.
const TURNS_MAX: usize = 50;

/// Memory for a world.
pub(crate) type Memory = ServerStorage<64, 8, 8, 16>;

/// A batch on its way to the disk.
#[derive(Debug)]
struct Flight {
    batch: Batch,
    changes: Changes,
    turns_left: usize,
}

/// A server machine over a disk.
#[derive(Debug)]
pub(crate) struct World<'m> {
    pub(crate) server: Server<'m>,
    pub(crate) now: Now,
    pub(crate) disk: &'m mut Disk,
    /// How many turns a write takes; meanwhile the server goes on.
    pub(crate) latency: usize,
    flight: Option<Flight>,
    waiting: Vec<(ConnId, usize)>,
    tags: usize,
    /// Answers that came, by the tag of their request.
    pub(crate) answered: VecDeque<(usize, Answer)>,
    /// Webhooks that arrived.
    pub(crate) told: Vec<Arrival>,
    running: VecDeque<Id>,
    attempts: usize,
}

impl<'m> World<'m> {
    /// Starts on what the disk holds.
    pub(crate) fn start(memory: &'m mut Memory, disk: &'m mut Disk, seed: u8, now: Now) -> Self {
        let mut server = Server::new(memory.lend(Keep::Records), config(), [seed; 32]).unwrap();
        for (key, value) in disk.recover() {
            let restored = server.restore(now, key, &value);
            restored.unwrap_or_else(|error| panic!("{key:?}: {error:?}"));
        }
        server.start(now).expect("no contradiction");
        assert_eq!(server.service().audit(), Ok(()));
        Self {
            server,
            now,
            disk,
            latency: 0,
            flight: None,
            waiting: Vec::new(),
            tags: 0,
            answered: VecDeque::new(),
            told: Vec::new(),
            running: VecDeque::new(),
            attempts: 0,
        }
    }

    /// One turn of the loop: records go out, the disk goes on, what is ready leaves.
    pub(crate) fn turn(&mut self) -> Result<(), Crash> {
        self.write_records()?;
        while let Some(conn) = self.next_conn() {
            let place = self.waiting.iter().position(|(waits, _)| *waits == conn);
            let (_, tag) = self.waiting.swap_remove(place.expect("a request of ours"));
            self.drive(conn, tag, &[]);
        }
        while self.attempt() {}
        Ok(())
    }

    fn next_conn(&mut self) -> Option<ConnId> {
        match self.server.poll(self.now, Ready::CONNS, &mut []) {
            Ok(Output::Drive(conn)) => Some(conn),
            _ => None,
        }
    }

    fn write_records(&mut self) -> Result<(), Crash> {
        if let Some(flight) = &mut self.flight {
            if flight.turns_left > 0 {
                flight.turns_left -= 1;
                return Ok(());
            }
            self.disk.write(&flight.changes)?;
            if let Some(flight) = self.flight.take() {
                let taken = self.server.handle(self.now, Input::Durable(flight.batch));
                taken.expect("the machine's own batch");
            }
        }
        let mut memory = [0; 2_048];
        let mut changes = Changes::new();
        let batch = loop {
            let output = self.server.poll(self.now, Ready::RECORDS, &mut memory);
            match output.expect("room for a record") {
                Output::Save { key, value } => {
                    changes.push((key, value.map(|value| value.to_vec())));
                }
                Output::Stop { job, .. } => self.running.retain(|running| *running != job),
                Output::Commit(batch) => break batch,
                _ => return Ok(()),
            }
        };
        self.flight = Some(Flight {
            batch,
            changes,
            turns_left: self.latency,
        });
        if self.latency == 0 {
            return self.write_records();
        }
        Ok(())
    }

    /// Lets time pass, and does what is due on the way.
    pub(crate) fn pass(&mut self, ms: u64) -> Result<(), Crash> {
        let end = self.now.instant.after_ms(ms);
        while let Some(due) = self.server.deadline().filter(|due| *due <= end) {
            self.now = at(due.max(self.now.instant).as_ms());
            self.turn()?;
        }
        self.now = at(end.as_ms());
        self.turn()
    }

    /// Begins a request; its answer comes with the tag that is returned.
    pub(crate) fn begin(&mut self, method: &str, path: &str, fields: &str, body: &str) -> usize {
        let conn = self.server.accept(self.now).expect("a free connection");
        let length = body.len();
        let kind = match length {
            0 => "",
            _ => "content-type: application/json\r\n",
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\n{kind}{fields}content-length: {length}\r\n\r\n{body}"
        );
        self.tags += 1;
        self.drive(conn, self.tags, request.as_bytes());
        self.tags
    }

    fn drive(&mut self, conn: ConnId, tag: usize, bytes: &[u8]) {
        let mut received = bytes.to_vec();
        received.resize(bytes.len() + 2_048, 0);
        let mut input = RecvBuf::new(&mut received, bytes.len());
        let mut memory = vec![0; config().answer_bytes_max() + 8_192];
        let mut out = Out::new(&mut memory);
        match self.server.drive(self.now, conn, &mut input, &mut out) {
            Ok(Drive::Wait) => self.waiting.push((conn, tag)),
            _ => {
                let text = String::from_utf8(out.written().to_vec()).expect("text");
                self.server.close(conn);
                self.answered.push_back((tag, answer(&text)));
            }
        }
    }

    /// Starts the next job that waits, if there is one.
    pub(crate) fn start_job(&mut self) -> bool {
        loop {
            match self.server.poll(self.now, Ready::WORK, &mut []) {
                Ok(Output::Start { job, slot }) => {
                    let record = self.record(Table::Job, slot.get());
                    let begun = record.map(|record| Read::new(record).u128());
                    assert_eq!(begun, Some(job.to_bits()), "work on what is not durable");
                    self.running.push_back(job);
                    return true;
                }
                Ok(Output::Stop { job, .. }) => self.running.retain(|running| *running != job),
                _ => return false,
            }
        }
    }

    /// Reports on the job that was started first; an ending takes it off.
    pub(crate) fn report(&mut self, report: Report<'_>) {
        let Some(id) = self.running.front().copied() else {
            return;
        };
        // One that was called off meanwhile is not reported on any more.
        let _ = self
            .server
            .handle(self.now, Input::Report { job: id, report });
        if !matches!(report, Report::Progress(_)) {
            self.running.pop_front();
        }
    }

    /// Makes the next attempt, if one is to be made: nothing is told before it is durable.
    fn attempt(&mut self) -> bool {
        let now = self.now;
        let polled = self.server.poll(now, Ready::ATTEMPTS, &mut []);
        let Ok(Output::Attempt(attempt)) = polled else {
            return false;
        };
        let mut url = [0; 256];
        let url = self.server.attempt_url(attempt.id, &mut url);
        let url = url.expect("a URL");
        let mut memory = vec![0; config().attempt_bytes_max()];
        let len = self
            .server
            .write_attempt(now, attempt.id, &url, &mut memory);
        memory.truncate(len.expect("room for an attempt"));
        let arrival = arrival(&String::from_utf8(memory).expect("text"));
        let told = arrival.json();
        let job = told["data"]["id"].as_str().expect("an id");
        let sequence = told["data"]["sequence"].as_u64().expect("a number");
        assert!(
            self.durable_sequence(job) >= Some(sequence),
            "told before it was durable: {told}"
        );
        self.told.push(arrival);
        self.attempts += 1;
        let status = match self.attempts % REFUSED {
            0 => 503,
            _ => 204,
        };
        let result = AttemptResult::Answer {
            status,
            retry_after_ms: None,
            body: b"",
        };
        let id = attempt.id;
        self.server
            .handle(now, Input::Attempt { id, result })
            .expect("in flight");
        true
    }

    /// Up to which event the job's state is durable.
    pub(crate) fn durable_sequence(&self, job: &str) -> Option<u64> {
        let id = Id::parse(Prefix::Job, job)?;
        let slot = id.slot()?.get();
        let found = Read::new(self.record(Table::Job, slot)?).u128();
        if found != id.to_bits() {
            return None;
        }
        let mut state = Read::new(self.record(Table::State, slot)?);
        let _at = state.timestamp();
        Some(state.u32().into())
    }

    /// Whether the endpoint is durable.
    pub(crate) fn durable_endpoint(&self, endpoint: &str) -> bool {
        Id::parse(Prefix::Endpoint, endpoint).is_some_and(|id| {
            let slot = id.slot().expect("a slot").get();
            let record = self.record(Table::Endpoint, slot);
            record.map(|record| Read::new(record).u128()) == Some(id.to_bits())
        })
    }

    fn record(&self, table: Table, slot: u32) -> Option<&[u8]> {
        let record = self.disk.records.get(&Key { table, slot });
        record.map(Vec::as_slice)
    }
}

impl Ask for World<'_> {
    fn ask(&mut self, method: &str, path: &str, fields: &str, body: &str) -> Option<Answer> {
        let tag = self.begin(method, path, fields, body);
        for _ in 0..TURNS_MAX {
            let place = self.answered.iter().position(|(of, _)| *of == tag);
            if let Some((_, answer)) = place.and_then(|place| self.answered.remove(place)) {
                return Some(answer);
            }
            self.turn().ok()?;
        }
        panic!("no answer to {method} {path}");
    }
}

fn answer(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    Answer {
        status: head["HTTP/1.1 ".len()..][..3].parse().expect("a status"),
        fields: fields(head),
        body: body.into(),
    }
}

fn arrival(text: &str) -> Arrival {
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    Arrival {
        peer: "127.0.0.1:1".parse().expect("an address"),
        path: head.split(' ').nth(1).expect("a path").to_owned(),
        fields: fields(head),
        body: body.into(),
    }
}

fn fields(head: &str) -> BTreeMap<String, String> {
    let lines = head.lines().skip(1);
    let fields = lines.map(|line| line.split_once(": ").expect("a field"));
    fields
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect()
}
