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
    text: String,
    has_head: bool,
    has_pause: bool,
    /// The job that it is narrowed to.
    job: Option<String>,
    /// Whether nobody knows what it is of.
    is_of_anything: bool,
    /// The sequence of each job that came last.
    sequences: BTreeMap<String, u64>,
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

    /// Takes bytes in; returns the events that are whole with them.
    ///
    /// # Panics
    ///
    /// If a rule is broken: the head is not that of a stream, a line is no field of the HTML standard's section 9.2.6,
    /// or an event is missing, twice or too early.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.text += str::from_utf8(bytes).expect("whole characters");
        if !self.has_head {
            let Some((head, rest)) = self.text.split_once("\r\n\r\n") else {
                return Vec::new();
            };
            check_head(head);
            self.text = rest.to_owned();
            self.has_head = true;
        }
        let mut messages = Vec::new();
        while let Some((block, rest)) = self.text.split_once("\n\n") {
            let (block, rest) = (block.to_owned(), rest.to_owned());
            self.text = rest;
            if !self.has_pause {
                assert_eq!(block, "retry: 1000");
                self.has_pause = true;
            } else if block == ":" {
                self.signs_of_life += 1;
            } else {
                let message = parse(&block);
                self.check(&message);
                messages.push(message);
            }
        }
        messages
    }

    /// Whether all that came is whole events.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.text.is_empty()
    }

    /// Nothing comes twice or too early, and nothing is missing without a word.
    fn check(&mut self, message: &Message) {
        if message.kind == "stream.gap" {
            assert!(
                self.job.is_none(),
                "one job's sequences say what is missing"
            );
            self.sequences.clear();
            return;
        }
        let (job, sequence) = (message.job(), message.sequence());
        let before = self.sequences.insert(job.to_owned(), sequence);
        match (&self.job, before) {
            (Some(mine), before) => {
                assert_eq!(mine, job);
                assert!(before.is_none_or(|before| sequence > before), "{message:?}");
            }
            (None, Some(before)) if self.is_of_anything => assert!(sequence > before),
            (None, Some(before)) => assert_eq!(sequence, before + 1, "{message:?}"),
            (None, None) => {}
        }
    }
}

fn check_head(head: &str) {
    let mut lines = head.split("\r\n");
    assert_eq!(lines.next(), Some("HTTP/1.1 200 OK"), "{head}");
    let lines: Vec<_> = lines.collect();
    for line in [
        "content-type: text/event-stream",
        "cache-control: no-store",
        "connection: close",
    ] {
        assert!(lines.contains(&line), "{line} in {head}");
    }
    assert!(!head.contains("content-length") && !head.contains("transfer-encoding"));
}

fn parse(block: &str) -> Message {
    let mut message = Message {
        id: String::new(),
        kind: String::new(),
        data: Value::Null,
    };
    for line in block.split('\n') {
        match line.split_once(": ").expect("a field") {
            ("id", id) => message.id = id.to_owned(),
            ("event", kind) => message.kind = kind.to_owned(),
            ("data", data) => message.data = serde_json::from_str(data).expect("JSON"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(message.data["type"], *message.kind);
    message
}
