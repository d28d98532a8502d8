//! Connections on which the server tells.

use core::ops::Range;

use dubhook_core::{
    client::{Answer, Client, Drive, Outcome, Receiver},
    http::{Limits, RecvBuf},
    out::{Out, Overflow},
    time::Now,
};
use dubhook_firmware::{
    host,
    net::{Conn, Net, Phase},
    stellaris::Ethernet,
};

use crate::say;

/// How many there are.
pub(crate) const WEBHOOK_CONNS: usize = 2;
const HTTP_PORT: u16 = 80;
/// How large a webhook may be.
pub(crate) const LIMITS: Limits = Limits {
    body_bytes_max: 1_536,
    ..Limits::SMALL
};
/// Room for the largest webhook.
pub(crate) const WEBHOOK_BYTES: usize = LIMITS.head_bytes_max + LIMITS.body_bytes_max;

/// One connection.
pub(crate) struct WebhookConn {
    receiver: Option<Receiver>,
    received: &'static mut [u8; WEBHOOK_BYTES],
    filled: Range<usize>,
}

impl WebhookConn {
    /// None yet.
    pub(crate) const fn new(received: &'static mut [u8; WEBHOOK_BYTES]) -> Self {
        Self {
            receiver: None,
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
        client: &mut Client<'_>,
    ) {
        match net.phase(conn) {
            Phase::Free => {
                self.receiver = None;
                let _ = net.listen(conn, HTTP_PORT);
            }
            Phase::Listening | Phase::Opening | Phase::Closing => {}
            Phase::Open => {
                if self.receiver.is_none() {
                    self.receiver = Some(client.accept(now));
                    self.filled = 0..0;
                }
                let mut input = RecvBuf::resume(self.received, self.filled.clone());
                net.receive_into(conn, &mut input);
                self.filled = input.filled_range();
                self.drive(now, conn, net, client);
                let deadline = self.receiver.as_ref().map(Receiver::deadline);
                if deadline.is_some_and(|deadline| now.instant >= deadline) {
                    net.close(conn);
                }
            }
            Phase::PeerDone => net.close(conn),
        }
    }

    /// Takes at most one webhook, if there is room for its answer; the rest waits for the next turn.
    fn drive(&mut self, now: Now, conn: Conn, net: &mut Net<Ethernet>, client: &mut Client<'_>) {
        let mut input = RecvBuf::resume(self.received, self.filled.clone());
        let Some(receiver) = &mut self.receiver else {
            return;
        };
        let mut done = false;
        net.transmit(conn, |room| {
            let mut out = Out::new(room);
            match client.drive(now, receiver, &mut input, &mut out) {
                Ok(Drive::Answered { answer, update }) => {
                    match answer {
                        Answer::Webhook(Outcome::Repeat) => refuse(b"a repeat, dropped"),
                        answer if answer.status() >= 400 => refuse(b"no webhook of the server's"),
                        _ => {}
                    }
                    if let Some(update) = update {
                        say(&update);
                    }
                }
                Ok(Drive::Close) => done = true,
                // Where the answers before are not sent yet there is too little room for another.
                Ok(Drive::Input { .. } | Drive::Flush) | Err(Overflow) => {}
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
