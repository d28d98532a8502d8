//! A receiver of webhooks and nothing else: each is verified, taken once, read and answered, and no memory is asked for.
//!
//! `cargo run --example receiver -- whsec_… 3120`, and `dubhook webhooks add http://127.0.0.1:3120/ --secret whsec_…`

use dubhook_core::client::{WebhookError, read_webhook};
use dubhook_core::http::{Limits, Progress, RecvBuf, Request};
use dubhook_core::http::{RequestParser, ResponseHead, Version};
use dubhook_core::{out::Out, signature::Secret, signature::SigningKey, time::Timestamp};
use heapless::{HistoryBuf, Vec};
use std::{env, io, io::Read, io::Write, net::TcpListener, net::TcpStream, time::*};

/// The ids of the newest webhooks that were taken: 128 bytes at most each.
pub(crate) type Taken = HistoryBuf<Vec<u8, 128>, 256>;

fn main() -> io::Result<()> {
    let [secret, port] = [1, 2].map(|at| env::args().nth(at).unwrap_or_default());
    let key = Secret::parse(&secret).expect("a secret").signing_key();
    let mut taken = Taken::new();
    for socket in TcpListener::bind(("127.0.0.1", port.parse().expect("a port")))?.incoming() {
        serve(socket?, &key, &mut taken).unwrap_or_else(|error| eprintln!("{error}"));
    }
    Ok(())
}

/// Answers the first request of a connection, unless that is silent for so long: meanwhile others wait.
pub(crate) fn serve(mut socket: TcpStream, key: &SigningKey, taken: &mut Taken) -> io::Result<()> {
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let (mut memory, mut answer) = ([0; 8_192], [0; 256]);
    let (mut input, mut parser) = (RecvBuf::new(&mut memory, 0), RequestParser::new());
    let status = loop {
        match parser.advance(&Limits::SMALL, &mut input) {
            Ok(Progress::Complete) => {
                let request = parser.request(input.filled()).expect("it is complete");
                break take(&request, key, taken).map_or_else(WebhookError::status, |()| 204);
            }
            Ok(_) => match socket.read(input.room())? {
                0 => return Ok(()),
                len => input.commit(len),
            },
            Err(refusal) => break refusal.status(),
        }
    };
    let mut out = Out::new(&mut answer);
    let head = ResponseHead::new(&mut out, status).connection(false, Version::V11);
    head.finish_with_length(0).expect("room for a head");
    socket.write_all(out.written())
}

/// Takes a webhook, if it is the server's and was not taken before.
fn take(it: &Request<'_>, key: &SigningKey, taken: &mut Taken) -> Result<(), WebhookError> {
    let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_millis() as u64;
    let delivery = read_webhook(it, [key], Timestamp::from_unix_ms(now))?;
    let id = Vec::from_slice(delivery.id.as_bytes()).unwrap_or_default();
    if !taken.contains(&id) {
        println!("{:?}", delivery.event);
        taken.write(id);
    }
    Ok(())
}
