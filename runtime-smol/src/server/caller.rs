//! A caller's connection at a server that stands by: its requests are read one after the other, those that are not too large
//! as a whole, and what it is answered is written as fast as it takes it.

use super::patience::within;
use crate::net::{Interest, Stream};
use dubhook_core::{
    http::{CONTINUE, Limits, Progress, RecvBuf, Refusal, RequestParser},
    server::Config,
};
use std::{io, ops::Range, time::Duration};

/// What the owner takes too.
const LIMITS: Limits = Config::SERVER.http;
/// Room for the longest request that it takes, with the framing of a chunk.
const ROOM: usize = LIMITS.head_bytes_max + LIMITS.body_bytes_max + 2 * LIMITS.chunk_line_bytes_max;
/// How long a request may take to come in once it has begun.
const REQUEST_MAX: Duration = Duration::from_secs(60);
/// How long a caller may take nothing of what it is sent.
const TAKES_NOTHING_MAX: Duration = Duration::from_secs(30);
/// How long it is listened to after its last answer, so that it can read that.
const LINGER: Duration = Duration::from_secs(1);

/// A caller.
#[derive(Debug)]
pub(super) struct Caller {
    stream: Stream,
    /// Room for a request; none while nothing of one has come, so that whoever only listens costs none.
    memory: Box<[u8]>,
    filled: Range<usize>,
    pub(super) parser: RequestParser,
    /// Whether it sends no more.
    pub(super) has_ended: bool,
}

/// What came of waiting for a request.
#[derive(Debug)]
pub(super) enum Heard {
    /// A whole one, which lies in [`Caller::filled`].
    Request,
    /// The head of one with a body of so many bytes, which is too long to be kept.
    Large(u64),
    /// Something that no server should take.
    Refused(Refusal),
    /// The end.
    Nothing,
}

impl Caller {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            memory: Box::default(),
            filled: 0..0,
            parser: RequestParser::new(),
            has_ended: false,
        }
    }

    /// What has come and was not taken out yet.
    pub(super) fn filled(&self) -> &[u8] {
        self.memory.get(self.filled.clone()).unwrap_or_default()
    }

    /// Waits for the next request, at most so long for its first byte.
    pub(super) async fn hear(&mut self, idle: Duration) -> io::Result<Heard> {
        if self.filled.is_empty() && !self.has_ended {
            within(idle, self.more()).await??;
        }
        if self.filled.is_empty() {
            return Ok(Heard::Nothing);
        }
        within(REQUEST_MAX, self.whole()).await?
    }

    async fn whole(&mut self) -> io::Result<Heard> {
        loop {
            let mut input = RecvBuf::resume(&mut self.memory, self.filled.clone());
            let progress = match large(&mut self.parser, &input) {
                Ok(None) => self.parser.advance(&LIMITS, &mut input),
                Ok(Some(length)) => return Ok(Heard::Large(length)),
                Err(refusal) => Err(refusal),
            };
            self.filled = input.filled_range();
            match progress {
                Ok(Progress::Complete) => return Ok(Heard::Request),
                Ok(Progress::ExpectContinue) => self.say(CONTINUE).await?,
                Ok(Progress::NeedMore { .. }) if self.has_ended => return Ok(Heard::Nothing),
                Ok(Progress::NeedMore { .. }) => self.more().await?,
                Err(refusal) => return Ok(Heard::Refused(refusal)),
            }
        }
    }

    /// The request was taken: what was sent behind it comes next.
    pub(super) fn take_out(&mut self) {
        let mut input = RecvBuf::resume(&mut self.memory, self.filled.clone());
        self.parser.finish(&mut input);
        self.filled = input.filled_range();
        if self.filled.is_empty() {
            (self.memory, self.filled) = (Box::default(), 0..0);
        }
    }

    /// The head was taken: its body comes in pieces.
    pub(super) fn take_head(&mut self) {
        let mut input = RecvBuf::resume(&mut self.memory, self.filled.clone());
        self.parser.take_head(&mut input);
        self.filled = input.filled_range();
    }

    /// This much of what has come was passed on.
    pub(super) fn take_piece(&mut self, len: usize) {
        let mut input = RecvBuf::resume(&mut self.memory, self.filled.clone());
        input.discard_front(len);
        self.filled = input.filled_range();
    }

    /// Waits until more has come, or the end has. For ever, where there is no room or nothing to come.
    pub(super) async fn more(&mut self) -> io::Result<()> {
        if self.has_ended || self.filled.len() >= ROOM {
            return std::future::pending().await;
        }
        let mut first = [0; 512];
        loop {
            let mut input = RecvBuf::resume(&mut self.memory, self.filled.clone());
            let has_memory = input.capacity() > 0;
            // Whether or not anything comes, what lies there has moved.
            let _ = input.room();
            self.filled = input.filled_range();
            let room = match has_memory {
                true => input.room(),
                false => &mut first[..],
            };
            match self.stream.try_read(room)? {
                None => self.stream.ready(Interest::Read).await,
                Some(0) => {
                    self.has_ended = true;
                    return Ok(());
                }
                Some(len) if !has_memory => {
                    self.memory = vec![0; ROOM].into();
                    self.memory[..len].copy_from_slice(&first[..len]);
                    self.filled = 0..len;
                    return Ok(());
                }
                Some(len) => {
                    input.commit(len);
                    self.filled = input.filled_range();
                    return Ok(());
                }
            }
        }
    }

    /// Sends it all of this.
    pub(super) async fn say(&mut self, mut unsent: &[u8]) -> io::Result<()> {
        while !unsent.is_empty() {
            match self.stream.try_write(unsent)? {
                Some(len) => unsent = unsent.get(len..).unwrap_or_default(),
                None => {
                    within(TAKES_NOTHING_MAX, self.stream.ready(Interest::Write)).await?;
                }
            }
        }
        Ok(())
    }

    /// Says that no more comes, and lets it read its last answer.
    pub(super) async fn close(self) -> io::Result<()> {
        within(LINGER, self.stream.linger()).await?
    }
}

/// How long the body is of a request whose head has just come, where that is longer than what is kept.
fn large(parser: &mut RequestParser, input: &RecvBuf<'_>) -> Result<Option<u64>, Refusal> {
    if !parser.advance_head(&LIMITS, input)? {
        return Ok(None);
    }
    let length = parser.stream_length()?;
    Ok(length.filter(|length| *length > LIMITS.body_bytes_max as u64))
}
