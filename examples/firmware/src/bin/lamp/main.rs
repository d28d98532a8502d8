//! A lamp that shows how the newest translation of a server is: dark while it is under way, lit once it
//! is completed, blinking if it failed.
//!
//! It registers a webhook with the server on the host, asks for the state at once, and is told from then
//! on. It keeps nothing, and needs nothing kept: whatever was missed is asked for.
//!
//! Settings: `seed=TEXT loss=PERCENT`, `server=PORT` of the server on the host's loopback, `told=PORT` on
//! the host's loopback that leads to port 80 here, and `secret=whsec_…` to have deliveries signed with it.
#![no_std]
#![no_main]

mod asking;
mod webhooks;

use asking::{Asking, Room};
use cortex_m_rt::entry;
use dubhook_core::{
    client::{Client, ClientStorage, Config, Server, Source, Update, Webhook},
    id::{Id, Prefix},
    model::NewestStatus,
    out::Out,
    signature::Secret,
    time::{Instant, Now},
};
use dubhook_firmware::{
    board::{self, Board, StackWatch},
    host::{self, Settings},
    net::{Conn, Memory, Net},
    stellaris::Ethernet,
};
use static_cell::{ConstStaticCell, StaticCell};
use webhooks::{LIMITS, WEBHOOK_BYTES, WEBHOOK_CONNS, WebhookConn};

/// Jobs that are remembered, to know repeats.
const JOBS: usize = 8;
/// The connection on which the client asks; on the others it is told.
const ASKING: Conn = Conn(0);
const CONNS: usize = 1 + WEBHOOK_CONNS;
/// Bytes that wait on one connection, in each direction: room for the longest request of a client.
const BUFFER_BYTES: usize = 768;
/// Bytes of a URL here.
const URL_BYTES: usize = 32;
/// How often to make sure that the server still knows the lamp, in milliseconds: so long it may be wrong
/// after a server was started anew and remembers nothing.
const CHECK_MS: u32 = 5_000;
/// How long a blinking lamp is lit, and how long dark, in milliseconds.
const BLINK_MS: u64 = 250;

static CLIENT_MEMORY: ConstStaticCell<ClientStorage<JOBS>> =
    ConstStaticCell::new(ClientStorage::new());
static NET_MEMORY: ConstStaticCell<Memory<CONNS, BUFFER_BYTES, BUFFER_BYTES>> =
    ConstStaticCell::new(Memory::new());
static ROOM: ConstStaticCell<Room> = ConstStaticCell::new(Room::new());
static WEBHOOKS: ConstStaticCell<[[u8; WEBHOOK_BYTES]; WEBHOOK_CONNS]> =
    ConstStaticCell::new([[0; WEBHOOK_BYTES]; WEBHOOK_CONNS]);

static CLIENT: StaticCell<Client<'static>> = StaticCell::new();
static NET: StaticCell<Net<Ethernet>> = StaticCell::new();
/// Whom to ask, and where to be told.
static URLS: ConstStaticCell<[[u8; URL_BYTES]; 2]> = ConstStaticCell::new([[0; URL_BYTES]; 2]);

/// All that the loop works on.
struct Lamp {
    board: Board,
    net: &'static mut Net<Ethernet>,
    client: &'static mut Client<'static>,
    asking: Asking,
    webhooks: [WebhookConn; WEBHOOK_CONNS],
    light: Light,
    stack: StackWatch,
}

#[entry]
fn main() -> ! {
    let Some((board, ethernet)) = Board::take() else {
        host::exit(false);
    };
    let mut lamp = start(board, ethernet);
    host::line(|out| out.put(b"lamp: ready"));
    loop {
        lamp.turn();
        lamp.board.sleep();
    }
}

// The parts are made in functions of their own, which give their stack back: what is large on its way
// into a static must not stay in the frame of `main`.

#[inline(never)]
fn start(board: Board, mut ethernet: Ethernet) -> Lamp {
    let settings = Settings::read();
    let mut random = board::chance(&settings, &mut ethernet);
    let now = board.now();
    let client = start_client(&settings, random.bytes());
    client.start(now);
    Lamp {
        board,
        net: Net::start(&NET, ethernet, NET_MEMORY.take(), &mut random, now.instant),
        client,
        asking: Asking::new(ROOM.take()),
        webhooks: WEBHOOKS.take().each_mut().map(WebhookConn::new),
        light: Light::Dark,
        stack: StackWatch::new("lamp"),
    }
}

#[inline(never)]
fn start_client(settings: &Settings, seed: [u8; 32]) -> &'static mut Client<'static> {
    let [server, url] = URLS.take();
    let server = join(["http://10.0.2.2:", port(settings, "server")], server);
    let url = join(["http://127.0.0.1:", port(settings, "told")], url);
    let (Ok(server), Ok(mut webhook)) = (Server::parse(server), Webhook::new(url)) else {
        host::line(|out| out.put(b"lamp: the settings server=PORT and told=PORT are missing"));
        host::exit(false);
    };
    webhook.description = "lamp";
    webhook.secret = settings
        .get("secret")
        .and_then(|text| Secret::parse(text).ok());
    let mut config = Config::new(server, Some(webhook));
    config.everything = true;
    config.http = LIMITS;
    config.timings.check_ms = CHECK_MS;
    CLIENT.init_with(|| Client::new(CLIENT_MEMORY.take().lend(), config, seed))
}

impl Lamp {
    /// Whatever there is to do now.
    fn turn(&mut self) {
        let now = self.board.now();
        self.net.poll(now.instant);
        self.asking.turn(now, ASKING, self.net, self.client);
        let others = self.net.conns().filter(|conn| *conn != ASKING);
        for (webhooks, conn) in self.webhooks.iter_mut().zip(others) {
            webhooks.turn(now, conn, self.net, self.client);
        }
        self.show(now);
        self.stack.look();
    }

    /// Sets the lamp to what is known.
    fn show(&mut self, now: Now) {
        let light = match self.client.status() {
            None | Some(NewestStatus::Pending) => Light::Dark,
            Some(NewestStatus::Completed) => Light::Lit,
            Some(NewestStatus::Error) => Light::Blinking,
        };
        self.board.set_lamp(light.is_lit(now.instant));
        if light != self.light {
            self.light = light;
            let pin = self.board.lamp();
            host::line(|out| {
                out.put(b"lamp: ");
                out.put(light.as_str().as_bytes());
                out.put(b", pin ");
                out.put_u64(pin.into());
            });
        }
    }
}

/// What the lamp does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Light {
    Dark,
    Lit,
    Blinking,
}

impl Light {
    fn is_lit(self, now: Instant) -> bool {
        match self {
            Self::Dark => false,
            Self::Lit => true,
            Self::Blinking => (now.as_ms() / BLINK_MS).is_multiple_of(2),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Dark => "off",
            Self::Lit => "on",
            Self::Blinking => "blinks",
        }
    }
}

/// Says on the host's console what the client has learned.
fn say(update: &Update<'_>) {
    let named = |text: &str, id: Id, prefix| {
        host::line(|out| {
            out.put(b"lamp: ");
            out.put(text.as_bytes());
            id.write(prefix, out);
        });
    };
    let text = match update {
        Update::Job(news) => {
            return host::line(|out| {
                out.put(match news.source {
                    Source::Told => b"lamp: was told ",
                    Source::Asked => b"lamp: has asked ",
                });
                news.job.id.write(Prefix::Job, out);
                out.put_byte(b' ');
                out.put_u64(news.job.sequence.into());
                out.put_byte(b' ');
                out.put(news.kind.as_str().as_bytes());
            });
        }
        Update::Registered(id) => return named("registered as ", *id, Prefix::Endpoint),
        Update::Status(status) => {
            return host::line(|out| {
                out.put(b"lamp: the newest job is ");
                out.put(status.map_or("none", NewestStatus::as_str).as_bytes());
            });
        }
        Update::RegistrationLost => "the server has forgotten us",
        Update::SwitchedOff => "was switched off at the server",
        Update::Delayed { .. } => "no answer, will ask again",
        Update::Refused { .. } => "the server refuses",
        // It follows no single job, submits none, and never ends.
        _ => return,
    };
    host::line(|out| {
        out.put(b"lamp: ");
        out.put(text.as_bytes());
    });
}

fn port<'s>(settings: &'s Settings, name: &str) -> &'s str {
    settings.get(name).unwrap_or_default()
}

/// Puts a text together; empty if there is no room for it.
fn join<'m>(pieces: [&str; 2], memory: &'m mut [u8]) -> &'m str {
    let mut out = Out::new(memory);
    for piece in pieces {
        out.put(piece.as_bytes());
    }
    let len = out.finish().unwrap_or(0);
    core::str::from_utf8(memory.get(..len).unwrap_or_default()).unwrap_or_default()
}
