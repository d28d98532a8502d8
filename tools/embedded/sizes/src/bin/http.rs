//! HTTP alone, with what a webhook needs: a request is read and its signature verified, an answer is
//! written, and a message is signed.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use dubhook_core::{
    http::{Limits, Progress, RequestParser, ResponseHead},
    out::Out,
    signature::{self, Headers, MessageId, Secret},
};
use dubhook_sizes::{at, end, received};
use static_cell::ConstStaticCell;

const REQUEST: &str = "POST /hook HTTP/1.1\r\nhost: here\r\nwebhook-id: evt_1\r\n\
webhook-timestamp: 1795510800\r\nwebhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=\r\n\
content-length: 2\r\n\r\n{}";

static MEMORY: ConstStaticCell<([u8; 1_536], [u8; 512])> =
    ConstStaticCell::new(([0; 1_536], [0; 512]));

#[entry]
fn main() -> ! {
    let now = at(0);
    let (input, output) = MEMORY.take();
    let mut input = received(REQUEST, input);
    let mut out = Out::new(output);
    let key = Secret::from_random(black_box([7; 32])).signing_key();
    let mut parser = RequestParser::new();
    let progress = parser.advance(&Limits::SMALL, &mut input);
    let Some(request) = parser.request(input.filled()) else {
        end(false);
    };
    let verified = Headers::from_fields(request.fields.iter()).and_then(|headers| {
        signature::verify(&headers, request.body, [&key], now.timestamp, 300).map(|_| ())
    });
    let status = match verified {
        Ok(()) => 204,
        Err(_) => 401,
    };
    let head = ResponseHead::new(&mut out, status)
        .date(now.timestamp)
        .connection(request.keep_alive, request.version);
    let written = head.finish_with_length(0);
    if let Some(id) = MessageId::new(request.path.as_bytes()) {
        let signed = key.sign(id, now.timestamp.as_unix_seconds(), request.body);
        signature::write_header(&mut out, [signed]);
    }
    black_box(out.written());
    end(progress == Ok(Progress::Complete) && written.is_ok() && status == 401)
}
