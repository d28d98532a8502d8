//! Connections to the server: bytes in, answers out.

use core::ops::Range;

use dubhook_core::{
    http::{Limits, RecvBuf},
    out::Out,
    server::{ConnId, Drive, REFUSED, Server},
    time::Now,
};
use dubhook_firmware::{
    net::{Conn, Net, Phase},
    stellaris::Ethernet,
};

/// How many there are.
pub(crate) const INBOUND: usize = 2;
const HTTP_PORT: u16 = 80;
/// Room for the largest request.
const REQUEST_BYTES: usize = Limits::SMALL.head_bytes_max + Limits::SMALL.body_bytes_max;

/// One connection.
pub(crate) struct Inbound {
    id: Option<ConnId>,
    received: [u8; REQUEST_BYTES],
    filled: Range<usize>,
    /// The server has something to do here.
    awake: bool,
    /// The server has an answer to make before it takes more.
    answering: bool,
}

impl Inbound {
    /// None yet.
    pub(crate) const fn new() -> Self {
        Self {
            id: None,
            received: [0; REQUEST_BYTES],
            filled: 0..0,
            awake: false,
            answering: false,
        }
    }

    /// Has the connection driven, if it is the one that the server names.
    pub(crate) fn wake(&mut self, id: ConnId) {
        self.awake |= self.id == Some(id);
    }

    /// Whatever there is to do now.
    pub(crate) fn turn(
        &mut self,
        now: Now,
        conn: Conn,
        net: &mut Net<Ethernet>,
        server: &mut Server<'_>,
    ) {
        match net.phase(conn) {
            Phase::Free => {
                self.let_go(server);
                let _ = net.listen(conn, HTTP_PORT);
            }
            Phase::Listening | Phase::Opening => {}
            Phase::Closing => self.let_go(server),
            phase @ (Phase::Open | Phase::PeerDone) => {
                let Some(id) = self.id.or_else(|| self.accept(now, server)) else {
                    net.transmit(conn, refuse);
                    return net.close(conn);
                };
                self.receive(conn, net);
                if self.awake {
                    self.drive(now, conn, id, net, server);
                } else if phase == Phase::PeerDone && !self.answering {
                    net.close(conn);
                }
            }
        }
    }

    fn accept(&mut self, now: Now, server: &mut Server<'_>) -> Option<ConnId> {
        self.id = server.accept(now).ok();
        self.filled = 0..0;
        self.awake = true;
        self.answering = false;
        self.id
    }

    fn let_go(&mut self, server: &mut Server<'_>) {
        if let Some(id) = self.id.take() {
            server.close(id);
        }
    }

    /// Takes as many bytes as there is room for, unless an answer is owed first.
    fn receive(&mut self, conn: Conn, net: &mut Net<Ethernet>) {
        if self.answering {
            return;
        }
        let mut input = RecvBuf::resume(&mut self.received, self.filled.clone());
        let taken = net.receive_into(conn, &mut input);
        self.filled = input.filled_range();
        self.awake |= taken > 0;
    }

    /// Lets the server read and answer, if there is room for any answer.
    fn drive(
        &mut self,
        now: Now,
        conn: Conn,
        id: ConnId,
        net: &mut Net<Ethernet>,
        server: &mut Server<'_>,
    ) {
        let mut input = RecvBuf::resume(&mut self.received, self.filled.clone());
        let mut next = Drive::Flush;
        net.transmit(conn, |room| {
            let mut out = Out::new(room);
            // Short where the ring wraps, until all is acknowledged: then nothing is taken.
            if let Ok(driven) = server.drive(now, id, &mut input, &mut out) {
                next = driven;
            }
            out.len()
        });
        self.filled = input.filled_range();
        self.awake = next == Drive::Flush;
        self.answering = matches!(next, Drive::Wait | Drive::Flush);
        // There is no archive to look anything up in.
        if matches!(next, Drive::Close | Drive::Lookup(_)) {
            net.close(conn);
        }
    }
}

fn refuse(room: &mut [u8]) -> usize {
    let mut out = Out::new(room);
    out.put(REFUSED);
    out.finish().unwrap_or(0)
}
