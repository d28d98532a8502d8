//! The client's requests: one at a time, each over a connection of its own.

use core::ops::Range;

use dubhook_core::{
    client::{Client, Exchange, Failure, Input, Output},
    http::{BodyUse, Limits, Method, RecvBuf, ResponseParser, ResponseProgress},
    out::Out,
    time::Now,
};
use dubhook_firmware::{
    net::{Conn, Net, Phase},
    stellaris::Ethernet,
};

use crate::{BUFFER_BYTES, say};

/// Room for the largest answer.
const ANSWER_BYTES: usize = LIMITS.head_bytes_max + LIMITS.body_bytes_max;
/// The answer to a registration is the longest: it repeats what was asked for.
const LIMITS: Limits = Limits {
    body_bytes_max: 1_024,
    ..Limits::SMALL
};

/// Room for a request, and for its answer.
pub(crate) struct Room {
    request: [u8; BUFFER_BYTES],
    received: [u8; ANSWER_BYTES],
}

impl Room {
    /// Empty.
    pub(crate) const fn new() -> Self {
        Self {
            request: [0; BUFFER_BYTES],
            received: [0; ANSWER_BYTES],
        }
    }
}

/// The exchange under way.
pub(crate) struct Asking {
    exchange: Option<Exchange>,
    room: &'static mut Room,
    request_len: usize,
    sent: bool,
    parser: ResponseParser,
    filled: Range<usize>,
}

impl Asking {
    /// None.
    pub(crate) const fn new(room: &'static mut Room) -> Self {
        Self {
            exchange: None,
            room,
            request_len: 0,
            sent: false,
            parser: ResponseParser::new(Method::Get, BodyUse::Keep),
            filled: 0..0,
        }
    }

    /// Whatever there is to do now.
    pub(crate) fn turn(
        &mut self,
        now: Now,
        conn: Conn,
        net: &mut Net<Ethernet>,
        client: &mut Client<'_>,
    ) {
        let phase = net.phase(conn);
        let Some(exchange) = self.exchange else {
            if phase == Phase::Free {
                self.begin(now, conn, net, client);
            }
            return;
        };
        if exchange.deadline <= now.instant {
            if let Ok(Output::Abandon { update, .. }) = client.poll(now, &mut Out::new(&mut [])) {
                say(&update);
            }
            self.exchange = None;
            return net.abort(conn);
        }
        let failure = match phase {
            Phase::Open if !self.sent => {
                let request = self
                    .room
                    .request
                    .get(..self.request_len)
                    .unwrap_or_default();
                // The connection is new, so there is room for all of it.
                net.transmit(conn, |room| {
                    let mut out = Out::new(room);
                    out.put(request);
                    out.finish().unwrap_or(0)
                });
                self.sent = true;
                return;
            }
            Phase::Open => match self.receive(conn, net) {
                Ok(true) => return self.answered(now, conn, &exchange, net, client),
                Ok(false) => return,
                Err(failure) => failure,
            },
            Phase::PeerDone if self.parser.eof().is_ok() => {
                return self.answered(now, conn, &exchange, net, client);
            }
            Phase::Opening | Phase::Listening => return,
            _ if self.sent => Failure::Broken,
            _ => Failure::Unreachable,
        };
        self.exchange = None;
        net.abort(conn);
        let input = Input::Failure {
            id: exchange.id,
            failure,
        };
        if let Ok(Some(update)) = client.handle(now, input) {
            say(&update);
        }
    }

    fn begin(&mut self, now: Now, conn: Conn, net: &mut Net<Ethernet>, client: &mut Client<'_>) {
        let mut out = Out::new(&mut self.room.request);
        // Every request fits: the lamp has no API key and submits nothing.
        let exchange = match client.poll(now, &mut out) {
            Ok(Output::Send(exchange)) => exchange,
            Ok(Output::Sleep(_) | Output::Closed | Output::Abandon { .. }) | Err(_) => return,
        };
        self.request_len = out.len();
        self.exchange = Some(exchange);
        self.sent = false;
        self.parser = ResponseParser::new(exchange.call.method(), BodyUse::Keep);
        self.filled = 0..0;
        // A connection that cannot be begun is free still, and found so in the next turn.
        let _ = net.connect(
            conn,
            dubhook_firmware::net::Address::QEMU_USER.gateway,
            client.config().server.url().port(),
        );
    }

    /// Takes what has come; whether that is a whole answer.
    fn receive(&mut self, conn: Conn, net: &mut Net<Ethernet>) -> Result<bool, Failure> {
        let mut input = RecvBuf::resume(&mut self.room.received, self.filled.clone());
        if net.receive_into(conn, &mut input) == 0 {
            return Ok(false);
        }
        let progress = self.parser.advance(&LIMITS, &mut input);
        self.filled = input.filled_range();
        match progress {
            Ok(progress) => Ok(progress == ResponseProgress::Complete),
            Err(_) => Err(Failure::Unreadable),
        }
    }

    fn answered(
        &mut self,
        now: Now,
        conn: Conn,
        exchange: &Exchange,
        net: &mut Net<Ethernet>,
        client: &mut Client<'_>,
    ) {
        self.exchange = None;
        net.close(conn);
        let filled = self
            .room
            .received
            .get(self.filled.clone())
            .unwrap_or_default();
        let (id, failure) = (exchange.id, Failure::Unreadable);
        let update = match &self.parser.response(filled) {
            Some(response) => client.handle(now, Input::Answer { id, response }),
            None => client.handle(now, Input::Failure { id, failure }),
        };
        if let Ok(Some(update)) = update {
            say(&update);
        }
    }
}
