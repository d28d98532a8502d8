//! Messages out of the bytes of a connection: requests, as every receiver reads them, and answers, as all who ask do.

use dubhook_core::http::{
    BodyUse, Limits, Method, Progress, RecvBuf, RequestParser, Response, ResponseError,
    ResponseParser, ResponseProgress,
};
use std::ops::Range;

/// What has arrived on a connection and is no whole request yet.
#[derive(Debug)]
pub(super) struct Reader {
    parser: RequestParser,
    memory: Vec<u8>,
    filled: Range<usize>,
}

/// A message that arrived whole.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) path: String,
    /// The three fields of a webhook: id, timestamp, signature.
    pub(super) fields: [Vec<u8>; 3],
    pub(super) body: Vec<u8>,
}

/// Takes in as many bytes as there is room for. Returns the others.
pub(super) fn pour<'b>(input: &mut RecvBuf<'_>, bytes: &'b [u8]) -> &'b [u8] {
    let room = input.room();
    let (taken, left) = bytes.split_at(room.len().min(bytes.len()));
    room[..taken.len()].copy_from_slice(taken);
    input.commit(taken.len());
    left
}

/// What has arrived of an answer.
#[derive(Debug)]
pub(super) struct AnswerReader {
    parser: ResponseParser,
    memory: Vec<u8>,
    filled: Range<usize>,
}

impl AnswerReader {
    /// Nothing of the answer to a request with this method, for which there is so much room.
    pub(super) fn new(method: Method, room_bytes: usize) -> Self {
        Self {
            parser: ResponseParser::new(method, BodyUse::Keep),
            memory: vec![0; room_bytes],
            filled: 0..0,
        }
    }

    /// Reads on. Says whether the answer is whole.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<bool, ResponseError> {
        let mut input = RecvBuf::resume(&mut self.memory, self.filled.clone());
        pour(&mut input, bytes);
        let progress = self.parser.advance(&Limits::SERVER, &mut input);
        self.filled = input.filled_range();
        Ok(matches!(progress?, ResponseProgress::Complete))
    }

    /// The answer, once it is whole.
    pub(super) fn response(&self) -> Option<Response<'_>> {
        self.parser.response(&self.memory[self.filled.clone()])
    }
}

impl Reader {
    pub(super) fn new() -> Self {
        Self {
            parser: RequestParser::new(),
            memory: vec![0; 4_096],
            filled: 0..0,
        }
    }

    /// Takes bytes in; returns what is whole with them.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut rest = bytes;
        loop {
            let mut input = RecvBuf::resume(&mut self.memory, self.filled.clone());
            rest = pour(&mut input, rest);
            let progress = self.parser.advance(&Limits::SERVER, &mut input);
            if let Ok(Progress::Complete) = progress {
                let request = self
                    .parser
                    .request(input.filled())
                    .expect("a whole request");
                let field = |name| request.fields.get(name).unwrap_or_default().to_vec();
                messages.push(Message {
                    path: request.path.to_owned(),
                    fields: ["webhook-id", "webhook-timestamp", "webhook-signature"].map(field),
                    body: request.body.to_vec(),
                });
                self.parser.finish(&mut input);
            }
            self.filled = input.filled_range();
            if rest.is_empty() || progress.is_err() {
                return messages;
            }
        }
    }
}

impl Message {
    pub(super) fn fields(&self) -> [&[u8]; 3] {
        self.fields.each_ref().map(Vec::as_slice)
    }
}
