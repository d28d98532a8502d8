//! A connection of the smallest server there can be.

use dubhook_core::http::{Limits, Method, Phase, Progress, RecvBuf, Request, RequestParser};

/// Room for the longest head that is allowed, and some body.
pub(crate) const CAPACITY: usize = 16_384;

/// What one connection came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Final responses in order.
    pub(crate) statuses: Vec<u16>,
    /// The bodies of the requests that were accepted.
    pub(crate) bodies: Vec<Vec<u8>>,
    /// The server ends the connection.
    pub(crate) closed: bool,
}

/// A connection of the smallest server there can be: it accepts everything that parses.
pub(crate) struct Connection {
    memory: Vec<u8>,
    filled: std::ops::Range<usize>,
    parser: RequestParser,
    /// Bytes received so far, and how many there must be before the request can be whole.
    received: usize,
    due: usize,
    limits: Limits,
    pub(crate) outcome: Outcome,
    /// How often a waiting client was told to go on.
    pub(crate) continues: usize,
}

impl Connection {
    pub(crate) fn new(limits: Limits, capacity: usize) -> Self {
        Self {
            memory: vec![0; capacity],
            filled: 0..0,
            parser: RequestParser::new(),
            received: 0,
            due: 0,
            limits,
            outcome: Outcome::default(),
            continues: 0,
        }
    }

    /// Receives `bytes`, as many at a time as there is room for.
    pub(crate) fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.outcome.closed {
            let mut buf = RecvBuf::resume(&mut self.memory, self.filled.clone());
            let room = buf.room();
            let taken = bytes.len().min(room.len());
            assert!(taken > 0, "a parser that needs more left no room for it");
            room[..taken].copy_from_slice(&bytes[..taken]);
            buf.commit(taken);
            self.filled = buf.filled_range();
            bytes = &bytes[taken..];
            self.received += taken;
            self.work();
        }
    }

    fn work(&mut self) {
        let mut buf = RecvBuf::resume(&mut self.memory, self.filled.clone());
        while !self.outcome.closed {
            match self.parser.advance(&self.limits, &mut buf) {
                Ok(Progress::NeedMore { bytes_min }) => {
                    assert!(bytes_min > 0 && !buf.is_full());
                    self.due = self.received + bytes_min;
                    break;
                }
                Ok(Progress::ExpectContinue) => {
                    assert!(self.parser.head(buf.filled()).unwrap().body.is_empty());
                    self.continues += 1;
                }
                Ok(Progress::Complete) => {
                    assert!(self.received >= self.due, "fewer bytes than were missing");
                    let request = self.parser.request(buf.filled()).unwrap();
                    self.outcome.statuses.push(status_for(&request));
                    self.outcome.bodies.push(request.body.to_vec());
                    self.outcome.closed = !request.keep_alive;
                    self.parser.finish(&mut buf);
                }
                Err(refusal) => {
                    // A refusal is final, whatever comes.
                    assert_eq!(self.parser.advance(&self.limits, &mut buf), Err(refusal));
                    assert_eq!(self.parser.phase(), Phase::Refused);
                    assert!(self.parser.request(buf.filled()).is_none());
                    assert!(refusal.as_str().ends_with('.'));
                    self.outcome.statuses.push(refusal.status());
                    self.outcome.closed = true;
                }
            }
        }
        self.filled = buf.filled_range();
    }

    /// Nothing more comes: the time runs out, or the client closes.
    pub(crate) fn end(mut self) -> Outcome {
        if !self.outcome.closed && !self.parser.is_idle() {
            self.outcome.statuses.push(408);
        }
        self.outcome.closed = true;
        self.outcome
    }
}

/// What the layer above the parser decides: which methods it implements, and that no route has a
/// dot segment.
fn status_for(request: &Request<'_>) -> u16 {
    let has_dot_segment = request
        .path
        .replace("%2e", ".")
        .split('/')
        .any(|segment| segment == "..");
    match request.method {
        Method::Other => 501,
        _ if has_dot_segment => 404,
        _ => 200,
    }
}

pub(crate) fn serve<'p>(
    limits: Limits,
    capacity: usize,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> Connection {
    let mut connection = Connection::new(limits, capacity);
    for piece in pieces {
        connection.receive(piece);
    }
    connection
}
