//! The client's end of a connection to a [`MachineIn`]: bytes go in as they would from a socket, whole answers come
//! out, and each of them is held to the rules for answers.

use crate::machine::{MachineIn, START_UNIX_MS, config};
use dubhook_core::{
    http::{RecvBuf, parse_date},
    out::Out,
    server::{ConnId, Drive, MediaAnswer, MediaRefusal},
    time::Timestamp,
};
use std::ops::Range;

/// A connection that is driven as the contract of [`Server`](dubhook_core::server::Server) says.
#[derive(Debug)]
pub struct Caller {
    /// Which connection it is.
    pub id: ConnId,
    /// What it waits for.
    pub wants: Drive,
    memory: Vec<u8>,
    filled: Range<usize>,
    output_bytes: usize,
    answered: Vec<u8>,
}

impl Caller {
    /// Connects. The output that is lent holds one answer at its longest.
    ///
    /// # Panics
    ///
    /// If no connection is free.
    #[must_use]
    pub fn open(machine: &mut MachineIn<'_>) -> Self {
        Self::with_output(machine, machine.server.config().answer_bytes_max())
    }

    /// As [`open`](Self::open), with an output of this size.
    ///
    /// # Panics
    ///
    /// If no connection is free.
    #[must_use]
    pub fn with_output(machine: &mut MachineIn<'_>, output_bytes: usize) -> Self {
        let input_bytes = machine.server.config().http.message_bytes_max();
        Self {
            id: machine
                .server
                .accept(machine.now)
                .expect("a free connection"),
            wants: Drive::Input { bytes_min: 1 },
            memory: vec![0; input_bytes],
            filled: 0..0,
            output_bytes,
            answered: Vec::new(),
        }
    }

    /// Sends bytes, as many at a time as are taken. Returns how many of them never were, because the connection
    /// closed or waits.
    pub fn send(&mut self, machine: &mut MachineIn<'_>, mut bytes: &[u8]) -> usize {
        while !bytes.is_empty() && matches!(self.wants, Drive::Input { .. }) {
            let mut input = RecvBuf::resume(&mut self.memory, self.filled.clone());
            let room = input.room();
            assert!(!room.is_empty(), "more is wanted, and there is no room");
            let len = room.len().min(bytes.len());
            room[..len].copy_from_slice(&bytes[..len]);
            input.commit(len);
            self.filled = input.filled_range();
            bytes = &bytes[len..];
            self.turn(machine);
        }
        bytes.len()
    }

    /// Drives the connection until it waits for something other than room, though nothing has come.
    pub fn turn(&mut self, machine: &mut MachineIn<'_>) {
        loop {
            self.step(machine);
            if self.wants != Drive::Flush {
                break;
            }
        }
    }

    /// Drives the connection once.
    ///
    /// # Panics
    ///
    /// If the machine breaks its word: an output that overflows, a wish for no bytes or for room where all is free.
    pub fn step(&mut self, machine: &mut MachineIn<'_>) {
        let mut memory = vec![0; self.output_bytes];
        let mut out = Out::new(&mut memory);
        let mut input = RecvBuf::resume(&mut self.memory, self.filled.clone());
        let mut drive = machine
            .server
            .drive(machine.now, self.id, &mut input, &mut out);
        while let Ok(Drive::Lookup(id)) = drive {
            let found = machine.archive.get(&id).map(Vec::as_slice);
            drive = machine
                .server
                .answer_lookup(machine.now, self.id, found, &mut out);
        }
        if let Ok(Drive::Media) = drive {
            // Nothing is kept here, so none of it is there.
            let none = MediaAnswer::Refused(MediaRefusal::NotFound);
            drive = machine
                .server
                .answer_media(machine.now, self.id, &mut input, none, &mut out);
        }
        self.wants = drive.expect("room for the longest answer");
        assert!(!out.is_full(), "half an answer");
        match self.wants {
            Drive::Input { bytes_min } => assert!(bytes_min > 0 && !input.is_full()),
            Drive::Flush => assert!(!out.is_empty(), "nothing to make room of"),
            _ => {}
        }
        self.filled = input.filled_range();
        self.answered.extend_from_slice(out.written());
    }

    /// How many bytes were sent and are not read yet.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.filled.len()
    }

    /// What was answered since the last time it was asked.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.answered)
    }

    /// The answers since the last time, to requests none of which was HEAD.
    pub fn answers(&mut self) -> Vec<Answer> {
        answers(&self.take(), std::iter::repeat(false))
    }
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Names in small letters, and values.
    pub fields: Vec<(String, String)>,
    /// Its content.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a field, if it is there.
    ///
    /// # Panics
    ///
    /// If it is there twice: no field of ours is a list that is split.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|field| field.0 == name);
        let value = values.next().map(|field| field.1.as_str());
        assert!(values.next().is_none(), "{name} twice");
        value
    }

    /// The content as JSON; null where there is none.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        if self.body.is_empty() {
            return serde_json::Value::Null;
        }
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Whether the connection ends with it.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.field("connection") == Some("close")
    }

    /// Everything but the date, to compare answers of different times.
    #[must_use]
    pub fn without_date(mut self) -> Self {
        self.fields.retain(|field| field.0 != "date");
        self
    }

    /// The rules that every answer keeps, whatever it says.
    fn check(&self) {
        let has = |name| self.field(name).is_some();
        if self.status < 200 {
            assert!(self.fields.is_empty() && self.body.is_empty());
            return;
        }
        // RFC 9110, section 6.6.1: a server with a clock sends Date.
        let date = self.field("date").expect("a date");
        assert!(
            parse_date(date.as_bytes(), Timestamp::from_unix_ms(START_UNIX_MS)).is_some(),
            "{date}"
        );
        // RFC 9110, section 8.6: no Content-Length in a 204, and here one in all others that have content.
        let has_content = ![204, 304].contains(&self.status);
        assert_eq!(has("content-length"), has_content);
        assert_eq!(has("content-type"), has_content);
        // What has a tag is a page, and no secret.
        let kept = if has("etag") { "no-cache" } else { "no-store" };
        assert_eq!(self.field("cache-control"), Some(kept));
        // RFC 9110, sections 15.5.6 and 11.6.1.
        assert!(has("allow") || self.status != 405);
        assert_eq!(has("www-authenticate"), self.status == 401);
        if self.status == 503 {
            let pause = self.field("retry-after").expect("retry-after").parse();
            assert!((1..=30).contains(&pause.expect("seconds")));
        }
        if self.status >= 400 {
            assert_eq!(self.field("content-type"), Some("application/problem+json"));
        }
        if self.status >= 400 && !self.body.is_empty() {
            // RFC 9457, section 3.1: the status is repeated, and about:blank has the status's title.
            let problem = self.json();
            assert_eq!(problem["type"], "about:blank");
            assert_eq!(problem["status"], self.status);
            let detail = problem["detail"].as_str().expect("a sentence");
            assert!(detail.ends_with('.') && !problem["title"].as_str().unwrap_or("").is_empty());
            assert!(detail.starts_with(char::is_uppercase), "{detail}");
        }
        for (name, value) in &self.fields {
            assert_eq!(*name, name.to_ascii_lowercase());
            assert!(value.bytes().all(|byte| (b' '..0x7f).contains(&byte)));
        }
    }
}

/// The answers that `bytes` are, each to a request that was HEAD or not. Interim answers come too, and count for none.
///
/// # Panics
///
/// If there is anything but whole answers that keep the rules.
#[must_use]
pub fn answers(mut bytes: &[u8], head_only: impl IntoIterator<Item = bool>) -> Vec<Answer> {
    let mut head_only = head_only.into_iter();
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let (answer, rest) = answer(bytes, |answer, _| {
            answer.status >= 200 && !head_only.next().expect("no answer unasked")
        });
        answers.push(answer);
        bytes = rest;
    }
    answers
}

/// As [`answers`], to requests that nobody knows, so that what comes next tells whether there is content; as far as they
/// come before a stream of events. Returns the stream too, which has no end.
///
/// # Panics
///
/// If there is anything but whole answers that keep the rules before the stream.
#[must_use]
pub fn answers_before_stream(bytes: &[u8]) -> (Vec<Answer>, &[u8]) {
    const STREAM: &[u8] = b"content-type: text/event-stream\r\n";
    let mut rest = bytes;
    let mut answers = Vec::new();
    while !rest.is_empty() {
        let head = rest.windows(4).position(|end| end == b"\r\n\r\n");
        let head = &rest[..head.expect("a whole head") + 2];
        if head.windows(STREAM.len()).any(|line| line == STREAM) {
            break;
        }
        // What is no JSON are the figures.
        let has_content =
            |_: &Answer, rest: &[u8]| rest.starts_with(b"{") || rest.starts_with(b"#");
        let (answer, after) = answer(rest, has_content);
        answers.push(answer);
        rest = after;
    }
    (answers, rest)
}

/// The answer that `bytes` begin with, and what follows it.
fn answer(bytes: &[u8], has_content: impl FnOnce(&Answer, &[u8]) -> bool) -> (Answer, &[u8]) {
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head_len) = head.parse(bytes).expect("a head") else {
        panic!("half a head: {:?}", String::from_utf8_lossy(bytes));
    };
    let fields = head.headers.iter().map(|field| {
        let value = std::str::from_utf8(field.value).expect("text");
        (field.name.to_owned(), value.to_owned())
    });
    let mut answer = Answer {
        status: head.code.expect("a status"),
        fields: fields.collect(),
        body: Vec::new(),
    };
    let rest = &bytes[head_len..];
    let has_content = has_content(&answer, rest);
    let length = answer.field("content-length").filter(|_| has_content);
    let length = length.map_or(0, |length| length.parse().expect("a length"));
    assert!(rest.len() >= length, "half an answer's content");
    let (body, rest) = rest.split_at(length);
    answer.body = body.to_vec();
    answer.check();
    (answer, rest)
}

/// One request as bytes. `fields` are whole lines; a body brings its length and type.
#[must_use]
pub fn request(method: &str, path: &str, fields: &str, body: &str) -> Vec<u8> {
    let framing = if body.is_empty() {
        String::new()
    } else {
        let kind = if fields.to_ascii_lowercase().contains("content-type:") {
            ""
        } else {
            "content-type: application/json\r\n"
        };
        format!("{kind}content-length: {}\r\n", body.len())
    };
    format!("{method} {path} HTTP/1.1\r\nhost: test\r\n{fields}{framing}\r\n{body}").into_bytes()
}

/// Makes one request on a connection of its own, committing what it changed.
///
/// # Panics
///
/// If there is not one whole answer.
pub fn ask(
    machine: &mut MachineIn<'_>,
    method: &str,
    path: &str,
    fields: &str,
    body: &str,
) -> Answer {
    let mut caller = Caller::open(machine);
    let unsent = caller.send(machine, &request(method, path, fields, body));
    assert_eq!(unsent, 0, "{method} {path}: a request that is not taken");
    while caller.wants == Drive::Wait {
        assert!(
            machine.commit() > 0,
            "{method} {path}: it waits for nothing"
        );
        assert_eq!(machine.next_conn(), Some(caller.id));
        caller.turn(machine);
    }
    let mut answers = answers(&caller.take(), [method == "HEAD"]);
    machine.server.close(caller.id);
    assert_eq!(answers.len(), 1, "{method} {path}: {answers:?}");
    let answer = answers.remove(0);
    assert_eq!(answer.closes(), caller.wants == Drive::Close);
    answer
}

/// The configuration of [`config`] with these API keys.
#[must_use]
pub fn config_with_keys(
    keys: &'static [dubhook_core::server::ApiKey],
) -> dubhook_core::server::Config<'static> {
    dubhook_core::server::Config { keys, ..config() }
}
