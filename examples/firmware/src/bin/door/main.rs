//! A door that tells two receivers on the host when it is opened and closed and how warm it is: the event library without
//! translations.
//!
//! Nobody is here to open it, so it does that by itself. It keeps nothing: a door that was without power has seen nothing.
//!
//! Settings: `seed=TEXT loss=PERCENT`, `one=PORT` and `two=PORT` of the receivers on the host's loopback, and
//! `secret=whsec_…` with which all is signed.
#![no_std]
#![no_main]

mod outbound;

use cortex_m_rt::entry;
use dubhook_core::{
    dispatch::{Dispatcher, Kinds, Limits, NewEndpoint, Schedule, Signal, Storage, Subjects},
    id::{Id, Ix},
    json::Writer,
    out::Out,
    record::Keep,
    signature::Secret,
    text::Pool,
    time::{Instant, Now},
};
use dubhook_firmware::{
    board::{self, Board, StackWatch},
    host::{self, Settings},
    net::{Memory, Net},
    stellaris::Ethernet,
};
use outbound::{ANSWER_BYTES, OUTBOUND, Outbound};
use static_cell::{ConstStaticCell, StaticCell};

/// Bytes that wait on one connection, in each direction: room for a whole request.
const BUFFER_BYTES: usize = 768;
/// Bytes of the longest body; the URL of a receiver with its description is as long at least.
const BODY_BYTES: usize = 192;
/// Bytes of a URL here.
const URL_BYTES: usize = 32;
/// How often something is seen of the door, in milliseconds.
const EVERY_MS: u64 = 500;
/// How often it is opened, which is as often as it is closed.
const MOVES: u32 = 6;
/// What fails is made again after a second.
const SCHEDULE: Schedule = Schedule::new(&[1_000; 15]);

/// The kinds of event, in the order in which they happen over and over.
const KINDS: [&str; 4] = ["door.opened", "door.reading", "door.reading", "door.closed"];
const READINGS: [u8; 2] = [1, 2];

/// The only subject, by its id.
pub(crate) struct Door(Id);

type Events = Dispatcher<'static, Signal>;

static STORAGE: ConstStaticCell<Storage<Signal, 1, 2, OUTBOUND, BODY_BYTES>> =
    ConstStaticCell::new(Storage::new());
static NET_MEMORY: ConstStaticCell<Memory<OUTBOUND, BUFFER_BYTES, BUFFER_BYTES>> =
    ConstStaticCell::new(Memory::new());
static ANSWERS: ConstStaticCell<[[u8; ANSWER_BYTES]; OUTBOUND]> =
    ConstStaticCell::new([[0; ANSWER_BYTES]; OUTBOUND]);

static DISPATCHER: StaticCell<Events> = StaticCell::new();
static NET: StaticCell<Net<Ethernet>> = StaticCell::new();

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
            .name("sequence")
            .u64(signal.sequence.into())
            .name("tenths")
            .i64(signal.value.into());
        json.end_object().end_object();
    }
}

/// All that the loop works on.
struct House {
    board: Board,
    net: &'static mut Net<Ethernet>,
    dispatcher: &'static mut Events,
    door: Door,
    outbound: [Outbound; OUTBOUND],
    seen: u32,
    next: Instant,
    stack: StackWatch,
}

#[entry]
fn main() -> ! {
    let Some((board, ethernet)) = Board::take() else {
        host::exit(false);
    };
    let mut house = start(board, ethernet);
    host::line(|out| out.put(b"door: ready"));
    loop {
        house.turn();
        house.board.sleep();
    }
}

// The parts are made in functions of their own, which give their stack back: what is large on its way
// into a static must not stay in the frame of `main`.

#[inline(never)]
fn start(board: Board, mut ethernet: Ethernet) -> House {
    let settings = Settings::read();
    let mut random = board::chance(&settings, &mut ethernet);
    let now = board.now();
    let dispatcher = start_dispatcher(random.bytes());
    let door = Door(dispatcher.new_id(now, Ix::MIN));
    for name in ["one", "two"] {
        register(dispatcher, now, &settings, name);
    }
    House {
        board,
        net: Net::start(&NET, ethernet, NET_MEMORY.take(), &mut random, now.instant),
        dispatcher,
        door,
        outbound: ANSWERS.take().each_mut().map(Outbound::new),
        seen: 0,
        next: now.instant,
        stack: StackWatch::new("door"),
    }
}

#[inline(never)]
fn start_dispatcher(seed: [u8; 32]) -> &'static mut Events {
    let mut limits = Limits::DEVICE;
    limits.outbox.schedule = SCHEDULE;
    let tables = STORAGE.take().lend(Keep::Nothing);
    let Ok(dispatcher) = Dispatcher::new_in(DISPATCHER.uninit(), tables, limits, seed) else {
        fail(b"door: the tables are too short");
    };
    if dispatcher.admit(Ix::MIN, 0, false).is_err() {
        fail(b"door: there is no room for a door");
    }
    dispatcher
}

/// Registers the receiver that a setting names.
#[inline(never)]
fn register(dispatcher: &mut Events, now: Now, settings: &Settings, name: &str) {
    let mut memory = [0; URL_BYTES];
    let mut out = Out::new(&mut memory);
    out.put(b"http://10.0.2.2:");
    out.put(settings.get(name).unwrap_or_default().as_bytes());
    let url = core::str::from_utf8(out.written()).unwrap_or_default();
    let Ok(mut new) = NewEndpoint::new(url, Kinds::ALL) else {
        fail(b"door: the settings one=PORT and two=PORT are missing");
    };
    let secret = settings.get("secret");
    new.secret = secret.and_then(|text| Secret::parse(text).ok());
    if dispatcher.create_endpoint(now, new).is_err() {
        fail(b"door: there is no room for two receivers");
    }
}

fn fail(why: &[u8]) -> ! {
    host::line(|out| out.put(why));
    host::exit(false);
}

impl House {
    /// Whatever there is to do now.
    fn turn(&mut self) {
        let now = self.board.now();
        self.net.poll(now.instant);
        if now.instant >= self.next && self.seen < 4 * MOVES {
            self.see(now);
        }
        for (outbound, conn) in self.outbound.iter_mut().zip(self.net.conns()) {
            outbound.turn(now, conn, self.net, self.dispatcher, &self.door);
        }
        self.stack.look();
    }

    /// The door is opened, looked at twice, and closed.
    fn see(&mut self, now: Now) {
        let kind = (self.seen % 4) as u8;
        self.next = now.instant.after_ms(EVERY_MS);
        let seen = self.seen + 1;
        let made = if READINGS.contains(&kind) {
            Signal::reading
        } else {
            Signal::change
        };
        let signal = made(now.timestamp, seen, kind, 195 - seen as i32);
        let told = self.dispatcher.publish(Ix::MIN, signal, false, &self.door);
        // Where the network is slow the door waits: it tells all of its moves.
        match told {
            Ok(()) => self.seen = seen,
            Err(_) => host::line(|out| out.put(b"door: no room yet")),
        }
    }
}
