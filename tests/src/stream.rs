//! The client's end of a stream of events, and the rules that every stream keeps.

use serde_json::Value;
use std::collections::BTreeMap;

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its `webhook-id`; empty for `stream.gap`.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// The body of the webhook.
    pub data: Value,
}

impl Message {
    /// The id of its job.
    ///
    /// # Panics
    ///
    /// If it is of none.
    #[must_use]
    pub fn job(&self) -> &str {
        self.data["data"]["id"].as_str().expect("a job")
    }

    /// Its number inside its job.
    ///
    /// # Panics
    ///
    /// If it has none.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.data["data"]["sequence"].as_u64().expect("a sequence")
    }
}

/// What comes on one stream, in the order in which it comes.
#[derive(Debug, Default)]
pub struct Stream {
    bytes: Vec<u8>,
    has_head: bool,
    has_pause: bool,
    /// The job that it is narrowed to.
    job: Option<String>,
    /// Whether nobody knows what it is of.
    is_of_anything: bool,
    /// The sequence of each job that came last.
    sequences: BTreeMap<String, u64>,
    /// Whether the server had no room for it.
    pub is_refused: bool,
    /// How often it showed that it is alive.
    pub signs_of_life: usize,
}

impl Stream {
    /// A stream of all jobs, or of one.
    #[must_use]
    pub fn new(job: Option<&str>) -> Self {
        Self {
            job: job.map(str::to_owned),
            ..Self::default()
        }
    }

    /// A stream of which nobody knows what was asked for.
    #[must_use]
    pub fn of_anything() -> Self {
        Self {
            is_of_anything: true,
            ..Self::default()
        }
    }

    /// A new connection for the same stream: what came before it still counts.
    pub fn begin_again(&mut self) {
        self.bytes.clear();
        self.has_head = false;
        self.has_pause = false;
        self.is_refused = false;
    }

    /// The sequence of each job that came last.
    pub fn sequences(&self) -> impl Iterator<Item = (&str, u64)> {
        let sequences = self.sequences.iter();
        sequences.map(|(job, sequence)| (job.as_str(), *sequence))
    }

    /// Takes bytes in; returns the events that are whole with them.
    ///
    /// # Panics
    ///
    /// If a rule is broken.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<Message> {
        let read = self.try_read(bytes);
        read.unwrap_or_else(|broken| panic!("{broken}"))
    }

    /// As [`read`](Self::read).
    ///
    /// # Errors
    ///
    /// The rule that is broken: the head is not that of a stream, a line is no field of the HTML standard's section
    /// 9.2.6, or an event is missing, twice or too early.
    pub fn try_read(&mut self, bytes: &[u8]) -> Result<Vec<Message>, String> {
        self.bytes.extend_from_slice(bytes);
        let mut messages = Vec::new();
        loop {
            let end: &[u8] = if self.has_head { b"\n\n" } else { b"\r\n\r\n" };
            let Some(at) = self.bytes.windows(end.len()).position(|is| is == end) else {
                return Ok(messages);
            };
            let block: Vec<_> = self.bytes.drain(..at + end.len()).take(at).collect();
            let block = String::from_utf8(block).map_err(|error| error.to_string())?;
            if !self.has_head {
                self.is_refused = block.starts_with("HTTP/1.1 503 ");
                if self.is_refused {
                    return Ok(messages);
                }
                check_head(&block)?;
                self.has_head = true;
            } else if !self.has_pause {
                ensure(block == "retry: 1000", &block)?;
                self.has_pause = true;
            } else if block == ":" {
                self.signs_of_life += 1;
            } else {
                let message = parse(&block).ok_or(block)?;
                self.check(&message)?;
                messages.push(message);
            }
        }
    }

    /// Whether all that came is whole events.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Nothing comes twice or too early, and nothing is missing without a word.
    fn check(&mut self, message: &Message) -> Result<(), String> {
        if message.kind == "stream.gap" {
            // One job's sequences say what is missing.
            ensure(self.job.is_none(), "a gap in one job's stream")?;
            self.sequences.clear();
            return Ok(());
        }
        let (job, sequence) = (message.job(), message.sequence());
        ensure(self.job.as_deref().is_none_or(|mine| mine == job), job)?;
        let before = self.sequences.insert(job.to_owned(), sequence);
        let is_next = |before: u64| {
            let may_leave_out = self.job.is_some() || self.is_of_anything;
            sequence == before + 1 || (may_leave_out && sequence > before)
        };
        ensure(
            before.is_none_or(is_next),
            &format!("{before:?} and then {message:?}"),
        )
    }
}

fn ensure(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

fn check_head(head: &str) -> Result<(), String> {
    let lines: Vec<_> = head.split("\r\n").collect();
    for line in [
        "HTTP/1.1 200 OK",
        "content-type: text/event-stream",
        "cache-control: no-store",
        "connection: close",
    ] {
        ensure(lines.contains(&line), head)?;
    }
    let is_endless = !head.contains("content-length") && !head.contains("transfer-encoding");
    ensure(is_endless, head)
}

fn parse(block: &str) -> Option<Message> {
    let mut message = Message {
        id: String::new(),
        kind: String::new(),
        data: Value::Null,
    };
    for line in block.split('\n') {
        match line.split_once(": ")? {
            ("id", id) => message.id = id.to_owned(),
            ("event", kind) => message.kind = kind.to_owned(),
            ("data", data) => message.data = serde_json::from_str(data).ok()?,
            _ => return None,
        }
    }
    (message.data["type"] == *message.kind).then_some(message)
}
