//! The event library alone: a door tells two endpoints, of which one fails at first.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use dubhook_core::{
    dispatch::{
        Answer, Dispatcher, Input, Kinds, Limits, NewEndpoint, Output, Ready, Signal, Storage,
        Subjects,
    },
    id::{Id, Ix},
    json::Writer,
    out::Out,
    record::Keep,
    text::Pool,
    time::Now,
};
use dubhook_sizes::{at, end, received};
use static_cell::{ConstStaticCell, StaticCell};

const KINDS: [&str; 3] = ["door.opened", "door.closed", "door.reading"];
const URLS: [&str; 2] = ["http://10.0.2.2:9001/", "http://10.0.2.2:9002/"];
/// The first attempt of the second endpoint fails, and what comes after goes well.
const ANSWERS: [&str; 2] = [
    "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n\r\n",
];
/// Deliveries: two moves and the last of three readings, to each endpoint; the one that failed is made again.
const SENT: u32 = 7;

type Events = Dispatcher<'static, Signal>;

static STORAGE: ConstStaticCell<Storage<Signal, 1, 2, 4, 192>> =
    ConstStaticCell::new(Storage::new());
static BUFFERS: ConstStaticCell<[[u8; 768]; 2]> = ConstStaticCell::new([[0; 768]; 2]);
static EVENTS: StaticCell<Events> = StaticCell::new();

struct Door(Id);

impl Subjects<Signal> for Door {
    fn id(&self, _: Ix) -> Option<Id> {
        Some(self.0)
    }

    fn write_body(&self, _: Ix, signal: &Signal, _: &Pool<'_>, out: &mut Out<'_>) {
        let kind = KINDS.get(usize::from(signal.kind));
        let mut json = Writer::new(out);
        json.object().name("type").string_or_null(kind.copied());
        json.name("timestamp")
            .quoted(|out| signal.at.write_rfc3339(out))
            .name("data")
            .object()
            .name("tenths")
            .i64(signal.value.into());
        json.end_object().end_object();
    }
}

#[inline(never)]
fn start(now: Now) -> (&'static mut Events, Door) {
    let tables = STORAGE.take().lend(Keep::Nothing);
    let seed = black_box([7; 32]);
    let Ok(events) = Dispatcher::new_in(EVENTS.uninit(), tables, Limits::DEVICE, seed) else {
        end(false)
    };
    let door = Door(events.new_id(now, Ix::MIN));
    let mut done = events.admit(Ix::MIN, 0, false).is_ok();
    for url in URLS {
        let new = NewEndpoint::new(black_box(url), Kinds::ALL);
        done &= new.is_ok_and(|new| events.create_endpoint(now, new).is_ok());
    }
    if done { (events, door) } else { end(false) }
}

#[entry]
fn main() -> ! {
    let (events, door) = start(at(0));
    for (sequence, kind) in [(1, 0), (2, 2), (3, 2), (4, 1), (5, 2)] {
        let made = if kind == 2 {
            Signal::reading
        } else {
            Signal::change
        };
        let signal = made(at(0).timestamp, sequence, kind, black_box(-5));
        black_box(events.publish(Ix::MIN, signal, false, &door).is_ok());
    }
    let [input, output] = BUFFERS.take();
    let (mut sent, mut failed, mut now) = (0, false, at(0));
    loop {
        match events.poll(now, Ready::ATTEMPTS, &mut []) {
            Ok(Output::Attempt(attempt)) => {
                let id = attempt.id;
                let mut memory = [0; 120];
                let Ok(url) = events.attempt_url(id, &door, &mut memory) else {
                    end(false);
                };
                let written = events.write_attempt(now, id, &url, &door, output);
                black_box(written.is_ok());
                let fails = url.port() == 9002 && !failed;
                failed |= fails;
                let mut input = received(if fails { ANSWERS[0] } else { ANSWERS[1] }, input);
                let mut answer = Answer::new();
                let result = match answer.read(now, &mut input) {
                    Some(result) => result,
                    None => answer.end(now, &mut input),
                };
                black_box(
                    events
                        .handle(now, Input::Attempt { id, result }, &door)
                        .is_ok(),
                );
                sent += 1;
            }
            Ok(Output::Sleep(Some(due))) => now = at(due.as_ms()),
            _ => break,
        }
    }
    end(sent == SENT)
}
