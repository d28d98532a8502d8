//! The client alone: it registers, asks, submits, is told.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use dubhook_core::{
    client::{
        ANSWER_BYTES_MAX, Client, ClientStorage, Config, Drive, Failure, Receiver, Server, Webhook,
    },
    http::{BodyUse, Limits, ResponseParser},
    id::Id,
    model::NewTranslation,
    out::Out,
    url::Url,
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
    let (Ok(server), Ok(url)) = (
        Server::parse(black_box("http://10.0.2.2:8000")),
        Url::parse(black_box("http://127.0.0.1:8080/hook"), 64),
    ) else {
        end(false);
    };
    let config = Config::new(server, Some(Webhook::new(url)));
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
        let Ok(Some(exchange)) = client.poll_request(now, &mut out) else {
            break;
        };
        black_box(out.written());
        let mut input = received(answer, input);
        let mut parser = ResponseParser::new(exchange.call.method(), BodyUse::Keep);
        let whole = parser.advance(&Limits::SMALL, &mut input).is_ok();
        match parser.response(input.filled()) {
            Some(response) if whole => {
                black_box(
                    client
                        .handle_response(now, exchange.id, &response)
                        .is_some(),
                );
            }
            _ => {
                black_box(
                    client
                        .handle_failure(now, exchange.id, Failure::Broken)
                        .is_some(),
                );
            }
        }
        asked += 1;
    }
    let mut receiver = Receiver::new(now.instant);
    let mut input = received(WEBHOOK, input);
    let mut out = Out::new(output.get_mut(..ANSWER_BYTES_MAX).unwrap_or_default());
    let drive = receiver.drive(now, client, &Limits::SMALL, &mut input, &mut out);
    let refused = matches!(drive, Drive::Answered { answer, .. } if answer.status() == 400);
    black_box(client.handle_timeout(at(60_000)).is_some());
    black_box(client.poll_timeout());
    end(submitted && followed && asked == ANSWERS.len() && refused && client.is_registered())
}
