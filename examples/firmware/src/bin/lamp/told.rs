//! Connections on which the server tells.

use core::ops::Range;

use dubhook_core::{
    client::{ANSWER_BYTES_MAX, Answer, Client, Drive, Outcome, Receiver},
    http::{Limits, RecvBuf},
    out::Out,
    time::{Instant, Now},
};
use dubhook_firmware::{
    host,
    net::{Conn, Net, Phase},
    stellaris::Ethernet,
};

use crate::say;

/// How many there are.
pub(crate) const TOLD: usize = 2;
const HTTP_PORT: u16 = 80;
const LIMITS: Limits = Limits {
    body_bytes_max: 1_536,
    ..Limits::SMALL
};
/// Room for the largest webhook.
pub(crate) const WEBHOOK_BYTES: usize = LIMITS.head_bytes_max + LIMITS.body_bytes_max;

/// One connection.
pub(crate) struct Told {
    receiver: Receiver,
    received: &'static mut [u8; WEBHOOK_BYTES],
    filled: Range<usize>,
    open: bool,
}

impl Told {
    /// None yet.
    pub(crate) const fn new(received: &'static mut [u8; WEBHOOK_BYTES]) -> Self {
        Self {
            receiver: Receiver::new(Instant::ZERO),
            received,
            filled: 0..0,
            open: false,
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
        match net.phase(conn) {
            Phase::Free => {
                self.open = false;
                let _ = net.listen(conn, HTTP_PORT);
            }
            Phase::Listening | Phase::Opening | Phase::Closing => {}
            Phase::Open => {
                if !self.open {
                    self.open = true;
                    self.receiver = Receiver::new(now.instant);
                    self.filled = 0..0;
                }
                let mut input = RecvBuf::resume(self.received, self.filled.clone());
                net.receive_into(conn, &mut input);
                self.filled = input.filled_range();
                self.drive(now, conn, net, client);
                if now.instant >= self.receiver.poll_timeout() {
                    net.close(conn);
                }
            }
            Phase::PeerDone => net.close(conn),
        }
    }

    /// Takes at most one webhook, if there is room for its answer; the rest waits for the next turn.
    fn drive(&mut self, now: Now, conn: Conn, net: &mut Net<Ethernet>, client: &mut Client<'_>) {
        let mut input = RecvBuf::resume(self.received, self.filled.clone());
        let mut done = false;
        net.transmit(conn, |room| {
            if room.len() < ANSWER_BYTES_MAX {
                return 0;
            }
            let mut out = Out::new(room);
            match self
                .receiver
                .drive(now, client, &LIMITS, &mut input, &mut out)
            {
                Drive::Answered { answer, update } => {
                    match answer {
                        Answer::Webhook(Outcome::Repeat) => refuse(b"a repeat, dropped"),
                        answer if answer.status() >= 400 => refuse(b"no webhook of the server's"),
                        _ => {}
                    }
                    if let Some(update) = update {
                        say(&update);
                    }
                }
                Drive::Close => done = true,
                Drive::Input { .. } | Drive::Flush => {}
            }
            out.len()
        });
        self.filled = input.filled_range();
        if done {
            net.close(conn);
        }
    }
}

fn refuse(what: &[u8]) {
    host::line(|out| {
        out.put(b"lamp: ");
        out.put(what);
    });
}
