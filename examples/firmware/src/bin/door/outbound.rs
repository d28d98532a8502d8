//! Deliveries: a connection for each attempt, a request out, an answer in.

use core::ops::Range;

use super::{Door, Events};
use dubhook_core::{
    dispatch::{Answer, AttemptId, AttemptResult, Input, Output, Ready},
    http::RecvBuf,
    log::AttemptError,
    time::{Instant, Now},
    url::Host,
};
use dubhook_firmware::{
    host,
    net::{Conn, Net, Phase},
    stellaris::Ethernet,
};

/// How many there are.
pub(crate) const OUTBOUND: usize = 2;
/// Room for the head of an answer; its body is dropped as it comes.
pub(crate) const ANSWER_BYTES: usize = 512;
/// The longest URL of a receiver.
const URL_BYTES: usize = 120;

/// One connection.
pub(crate) struct Outbound {
    attempt: Option<AttemptId>,
    sent: bool,
    deadline: Instant,
    answer: Answer,
    received: &'static mut [u8; ANSWER_BYTES],
    filled: Range<usize>,
}

impl Outbound {
    /// Nothing to deliver yet.
    pub(crate) const fn new(received: &'static mut [u8; ANSWER_BYTES]) -> Self {
        Self {
            attempt: None,
            sent: false,
            deadline: Instant::ZERO,
            answer: Answer::new(),
            received,
            filled: 0..0,
        }
    }

    /// Whatever there is to do now.
    pub(crate) fn turn(
        &mut self,
        now: Now,
        conn: Conn,
        net: &mut Net<Ethernet>,
        events: &mut Events,
        door: &Door,
    ) {
        let phase = net.phase(conn);
        let ended = match self.attempt {
            None if phase == Phase::Free => self.begin(now, conn, net, events, door),
            None => None,
            Some(_) if now.instant >= self.deadline => failed(AttemptError::Timeout),
            Some(id) => match phase {
                Phase::Listening | Phase::Opening => None,
                Phase::Open if !self.sent => self.send(now, id, conn, net, events, door),
                Phase::Open | Phase::PeerDone => self.receive(now, conn, net, phase),
                Phase::Free | Phase::Closing if self.sent => failed(AttemptError::Closed),
                Phase::Free | Phase::Closing => failed(AttemptError::Connect),
            },
        };
        let Some(result) = ended else {
            return;
        };
        if let Some(id) = self.attempt.take() {
            // It is in flight until it is told of.
            let _ = events.handle(now, Input::Attempt { id, result }, door);
        }
        match result {
            AttemptResult::Answer { .. } => net.close(conn),
            AttemptResult::Failed(error) => {
                let why = error.as_str().unwrap_or_default();
                host::line(|out| {
                    out.put(b"door: ");
                    out.put(why.as_bytes());
                });
                net.abort(conn);
            }
        }
    }

    /// Takes the next attempt on, if there is one.
    fn begin(
        &mut self,
        now: Now,
        conn: Conn,
        net: &mut Net<Ethernet>,
        events: &mut Events,
        door: &Door,
    ) -> Option<AttemptResult<'static>> {
        let Ok(Output::Attempt(attempt)) = events.poll(now, Ready::ATTEMPTS, &mut []) else {
            return None;
        };
        self.attempt = Some(attempt.id);
        self.sent = false;
        self.deadline = events.attempt_deadline(now);
        self.answer = Answer::new();
        self.filled = 0..0;
        let mut memory = [0; URL_BYTES];
        // There is no resolver on this board: a receiver is known by its address.
        let connected = match events.attempt_url(attempt.id, door, &mut memory) {
            Ok(url) => match url.host() {
                Host::V4(address) => net.connect(conn, address, url.port()).is_ok(),
                Host::Name(_) | Host::V6(_) => false,
            },
            Err(_) => false,
        };
        if connected {
            None
        } else {
            failed(AttemptError::Connect)
        }
    }

    fn send(
        &mut self,
        now: Now,
        id: AttemptId,
        conn: Conn,
        net: &mut Net<Ethernet>,
        events: &mut Events,
        door: &Door,
    ) -> Option<AttemptResult<'static>> {
        let mut memory = [0; URL_BYTES];
        let Ok(url) = events.attempt_url(id, door, &mut memory) else {
            return failed(AttemptError::Closed);
        };
        // The connection is new, so there is room for the longest request.
        self.sent = net.transmit(conn, |room| {
            events.write_attempt(now, id, &url, door, room).unwrap_or(0)
        }) > 0;
        // Where nothing was written nobody is owed it any more.
        if self.sent {
            None
        } else {
            failed(AttemptError::Closed)
        }
    }

    fn receive(
        &mut self,
        now: Now,
        conn: Conn,
        net: &mut Net<Ethernet>,
        phase: Phase,
    ) -> Option<AttemptResult<'static>> {
        let mut input = RecvBuf::resume(self.received, self.filled.clone());
        let taken = net.receive_into(conn, &mut input);
        let result = match phase {
            Phase::PeerDone if taken == 0 => Some(self.answer.end(now, &mut input)),
            _ if taken == 0 => None,
            _ => self.answer.read(now, &mut input),
        };
        self.filled = input.filled_range();
        result
    }
}

fn failed(error: AttemptError) -> Option<AttemptResult<'static>> {
    Some(AttemptResult::Failed(error))
}
