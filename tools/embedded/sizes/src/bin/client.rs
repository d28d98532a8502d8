//! The client alone: it registers, asks, submits, is told.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use dubhook_core::{
    client::{
        ANSWER_BYTES_MAX, Client, ClientStorage, Config, Drive, Failure, Input, Output, Server,
        Webhook,
    },
    http::{BodyUse, Limits, ResponseParser},
    id::Id,
    model::NewTranslation,
    out::Out,
};
use dubhook_sizes::{at, end, received};
use static_cell::{ConstStaticCell, StaticCell};

const ANSWERS: [&str; 3] = [
    "HTTP/1.1 201 Created\r\ncontent-length: 53\r\n\r\n{\"id\":\"ep_00000000000000000000000001\",\"enabled\":true}",
    "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}",
    "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"status\":\"pending\"}",
];
const WEBHOOK: &str = "POST /hook HTTP/1.1\r\nhost: here\r\ncontent-length: 2\r\n\r\n{}";

static MEMORY: ConstStaticCell<ClientStorage<8>> = ConstStaticCell::new(ClientStorage::new());
static BUFFERS: ConstStaticCell<[[u8; 1_536]; 2]> = ConstStaticCell::new([[0; 1_536]; 2]);
static CLIENT: StaticCell<Client<'static>> = StaticCell::new();

#[inline(never)]
fn start() -> &'static mut Client<'static> {
    let (Ok(server), Ok(webhook)) = (
        Server::parse(black_box("http://10.0.2.2:8000")),
        Webhook::new(black_box("http://127.0.0.1:8080/hook")),
    ) else {
        end(false);
    };
    let config = Config::new(server, Some(webhook));
    CLIENT.init_with(|| Client::new(MEMORY.take().lend(), config, black_box([7; 32])))
}

#[entry]
fn main() -> ! {
    let now = at(0);
    let client = start();
    let [input, output] = BUFFERS.take();
    client.start(now);
    let new = NewTranslation {
        video_url: black_box("https://video.test/1.mp4"),
        target_language: "es",
        source_language: None,
        reference: None,
        callback_url: None,
    };
    let submitted = client.submit(now, &new).is_ok();
    let followed = client.follow(now, Id::from_bits(black_box(7))).is_ok();
    let mut asked = 0;
    for (at_ms, answer) in ANSWERS.into_iter().enumerate() {
        let mut out = Out::new(output);
        let now = at(at_ms as u64);
        let Ok(Output::Send(exchange)) = client.poll(now, &mut out) else {
            break;
        };
        black_box(out.written());
        let mut input = received(answer, input);
        let mut parser = ResponseParser::new(exchange.call.method(), BodyUse::Keep);
        let whole = parser.advance(&Limits::SMALL, &mut input).is_ok();
        let (id, failure) = (exchange.id, Failure::Broken);
        let told = match &parser.response(input.filled()) {
            Some(response) if whole => client.handle(now, Input::Answer { id, response }),
            _ => client.handle(now, Input::Failure { id, failure }),
        };
        black_box(told.is_ok());
        asked += 1;
    }
    let mut receiver = client.accept(now);
    let mut input = received(WEBHOOK, input);
    let mut out = Out::new(output.get_mut(..ANSWER_BYTES_MAX).unwrap_or_default());
    let drive = client.drive(now, &mut receiver, &mut input, &mut out);
    let refused = matches!(drive, Ok(Drive::Answered { answer, .. }) if answer.status() == 400);
    black_box(client.poll(at(60_000), &mut out).is_ok());
    end(submitted && followed && asked == ANSWERS.len() && refused && client.is_registered())
}
