//! The client's end of a stream of events, and the rules that every stream keeps.

use serde_json::Value;
use std::collections::BTreeMap;

/// What a stream begins with: how soon to come back.
const RETRY: &[u8] = b"retry: 1000\n";

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
    /// What has come and is no whole head or chunk yet.
    raw: Vec<u8>,
    /// What is out of its chunks and no whole event yet.
    bytes: Vec<u8>,
    /// Whether the last chunk has come.
    pub has_ended: bool,
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
        self.raw.clear();
        self.bytes.clear();
        self.has_ended = false;
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
        self.raw.extend_from_slice(bytes);
        let mut messages = Vec::new();
        if !self.has_head {
            let Some(at) = self.raw.windows(4).position(|is| is == b"\r\n\r\n") else {
                return Ok(messages);
            };
            let head: Vec<_> = self.raw.drain(..at + 4).take(at).collect();
            let head = String::from_utf8(head).map_err(|error| error.to_string())?;
            self.is_refused = head.starts_with("HTTP/1.1 503 ");
            if self.is_refused {
                return Ok(messages);
            }
            check_head(&head)?;
            self.has_head = true;
        }
        while let Some(chunk) = self.chunk()? {
            self.bytes.extend(chunk);
        }
        if !self.has_pause && self.bytes.contains(&b'\n') {
            let pause: Vec<_> = self.bytes.drain(..RETRY.len()).collect();
            ensure(pause == RETRY, &String::from_utf8_lossy(&pause))?;
            self.has_pause = true;
        }
        loop {
            // A comment is a line, and no event.
            while self.bytes.starts_with(b":\n") {
                self.bytes.drain(..2);
                self.signs_of_life += 1;
            }
            let Some(at) = self.bytes.windows(2).position(|is| is == b"\n\n") else {
                return Ok(messages);
            };
            let block: Vec<_> = self.bytes.drain(..at + 2).take(at).collect();
            let block = String::from_utf8(block).map_err(|error| error.to_string())?;
            let message = parse(&block).ok_or(block)?;
            self.check(&message)?;
            messages.push(message);
        }
    }

    /// Takes the next whole chunk out of what has come.
    fn chunk(&mut self) -> Result<Option<Vec<u8>>, String> {
        if self.has_ended {
            ensure(self.raw.is_empty(), "something behind the last chunk")?;
        }
        let Some(line) = self.raw.windows(2).position(|is| is == b"\r\n") else {
            return Ok(None);
        };
        let size = String::from_utf8_lossy(&self.raw[..line]).into_owned();
        let size = usize::from_str_radix(&size, 16).map_err(|_| size)?;
        let end = line + 2 + size;
        let Some(after) = self.raw.get(end..end + 2) else {
            return Ok(None);
        };
        ensure(after == b"\r\n", "a chunk that goes on")?;
        let chunk = self.raw[line + 2..end].to_vec();
        self.raw.drain(..end + 2);
        self.has_ended = size == 0;
        Ok(Some(chunk))
    }

    /// Whether all that came is whole events.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.raw.is_empty() && self.bytes.is_empty()
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
        "transfer-encoding: chunked",
    ] {
        ensure(lines.contains(&line), head)?;
    }
    ensure(!head.contains("content-length"), head)
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
