//! Deliveries: a connection for each attempt, a request out, an answer in.

use core::ops::Range;

use dubhook_core::{
    address::Guard,
    http::{BodyUse, Limits, Method, RecvBuf, ResponseParser, ResponseProgress, retry_after},
    log::AttemptError,
    server::{Input, Output, Ready, Server},
    service::{Attempt, AttemptResult},
    time::{Instant, Now},
    url::{Host, Scheme},
};
use dubhook_firmware::{
    net::{Conn, Net, Phase},
    stellaris::Ethernet,
};

/// How many there are.
pub(crate) const OUTBOUND: usize = 2;
/// Room for the head of an answer; its body is dropped as it comes.
pub(crate) const ANSWER_BYTES: usize = Limits::SMALL.head_bytes_max;
/// The longest URL of a receiver.
const URL_BYTES: usize = 120;

/// One connection.
pub(crate) struct Outbound {
    attempt: Option<Attempt>,
    step: Step,
    deadline: Instant,
    parser: ResponseParser,
    received: &'static mut [u8; ANSWER_BYTES],
    filled: Range<usize>,
}

/// What a connection works with.
pub(crate) struct Link<'l, 's> {
    pub(crate) now: Now,
    pub(crate) conn: Conn,
    pub(crate) net: &'l mut Net<Ethernet>,
    pub(crate) server: &'l mut Server<'s>,
    pub(crate) guard: Guard<'s>,
}

/// How far an attempt has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Connect,
    Send,
    Receive,
}

impl Outbound {
    /// Nothing to deliver yet.
    pub(crate) const fn new(received: &'static mut [u8; ANSWER_BYTES]) -> Self {
        Self {
            attempt: None,
            step: Step::Connect,
            deadline: Instant::ZERO,
            parser: ResponseParser::new(Method::Get, BodyUse::Keep),
            received,
            filled: 0..0,
        }
    }

    /// Whatever there is to do now.
    pub(crate) fn turn(&mut self, at: &mut Link<'_, '_>) {
        let phase = at.net.phase(at.conn);
        if self.attempt.is_none() {
            if phase == Phase::Free {
                self.begin(at);
            }
            return;
        }
        if at.now.instant >= self.deadline {
            return self.end(at, AttemptError::Timeout);
        }
        match (self.step, phase) {
            (Step::Connect, Phase::Open) => self.step = Step::Send,
            (Step::Connect, Phase::Free) => {
                self.end(at, AttemptError::Connect);
            }
            (Step::Send, Phase::Open) => self.send(at),
            (Step::Receive, Phase::Open) => self.receive(at),
            (Step::Receive, Phase::PeerDone) if self.parser.eof().is_ok() => {
                self.answered(at);
            }
            (_, Phase::Listening | Phase::Opening) => {}
            (_, Phase::Free | Phase::Closing | Phase::PeerDone) => {
                self.end(at, AttemptError::Closed);
            }
        }
    }

    /// Takes the next attempt on, if there is one.
    fn begin(&mut self, at: &mut Link<'_, '_>) {
        let polled = at.server.poll(at.now, Ready::ATTEMPTS, &mut []);
        let Ok(Output::Attempt(attempt)) = polled else {
            return;
        };
        self.attempt = Some(attempt);
        self.step = Step::Connect;
        self.deadline = at.server.attempt_deadline(at.now);
        self.parser = ResponseParser::new(Method::Post, BodyUse::Discard);
        self.filled = 0..0;
        let mut memory = [0; URL_BYTES];
        let connected = match at.server.attempt_url(attempt.id, &mut memory) {
            Err(_) => Err(AttemptError::Closed),
            Ok(url) if url.scheme() == Scheme::Https => Err(AttemptError::Tls),
            // There is no resolver on this board: a receiver is known by its address.
            Ok(url) => match url.host() {
                Host::V4(address) if at.guard.permits(address.into(), url.port()) => at
                    .net
                    .connect(at.conn, address, url.port())
                    .map_err(|_| AttemptError::Connect),
                Host::V4(_) => Err(AttemptError::Blocked),
                Host::Name(_) | Host::V6(_) => Err(AttemptError::Resolve),
            },
        };
        if let Err(error) = connected {
            self.end(at, error);
        }
    }

    fn send(&mut self, at: &mut Link<'_, '_>) {
        let Some(attempt) = self.attempt else {
            return;
        };
        let mut memory = [0; URL_BYTES];
        let Ok(url) = at.server.attempt_url(attempt.id, &mut memory) else {
            return self.end(at, AttemptError::Closed);
        };
        // The connection is new, so there is room for the longest request.
        let (now, server) = (at.now, &mut *at.server);
        let sent = at.net.transmit(at.conn, |room| {
            let written = server.write_attempt(now, attempt.id, &url, room);
            written.unwrap_or(0)
        });
        if sent == 0 {
            // Nobody is owed it any more.
            return self.end(at, AttemptError::Closed);
        }
        self.step = Step::Receive;
    }

    fn receive(&mut self, at: &mut Link<'_, '_>) {
        let mut input = RecvBuf::resume(self.received, self.filled.clone());
        let taken = at.net.receive_into(at.conn, &mut input);
        if taken == 0 {
            return;
        }
        let progress = self.parser.advance(&Limits::SMALL, &mut input);
        self.filled = input.filled_range();
        match progress {
            Ok(ResponseProgress::Complete) => self.answered(at),
            Ok(ResponseProgress::NeedMore { .. }) => {}
            Err(_) => self.end(at, AttemptError::Malformed),
        }
    }

    fn answered(&mut self, at: &mut Link<'_, '_>) {
        let filled = self.received.get(self.filled.clone()).unwrap_or_default();
        let Some(response) = self.parser.response(filled) else {
            return self.end(at, AttemptError::Malformed);
        };
        let hint = response.fields.get("retry-after");
        let result = AttemptResult::Answer {
            status: response.status,
            retry_after_ms: hint.and_then(|value| retry_after(value, at.now.timestamp)),
            body: &[],
        };
        self.tell(at, result);
        at.net.close(at.conn);
    }

    /// There is no answer.
    fn end(&mut self, at: &mut Link<'_, '_>, error: AttemptError) {
        self.tell(at, AttemptResult::Failed(error));
        at.net.abort(at.conn);
    }

    /// Tells how the attempt went.
    fn tell(&mut self, at: &mut Link<'_, '_>, result: AttemptResult<'_>) {
        if let Some(Attempt { id, .. }) = self.attempt.take() {
            // It is in flight until it is told of.
            let _ = at.server.handle(at.now, Input::Attempt { id, result });
        }
    }
}
