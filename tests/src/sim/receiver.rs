//! Receivers of webhooks: they check and note what arrives, and then do as receivers do.

use super::{
    env::Env,
    net::{LinkId, Payload, Side},
    queue::Event,
    world::World,
};
use dubhook_core::http::{Limits, Progress, RecvBuf, RequestParser};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// A connection to a receiver.
#[derive(Debug)]
struct Io {
    parser: RequestParser,
    memory: Vec<u8>,
    filled: Range<usize>,
}

/// One receiver.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    links: BTreeMap<LinkId, Io>,
    /// The ids that it has seen: a second arrival changes nothing.
    known: BTreeSet<String>,
    /// How often it did something.
    pub(super) effects: u64,
}

/// A message that arrived whole.
struct Message {
    path: String,
    fields: [Vec<u8>; 3],
    body: Vec<u8>,
}

impl Receiver {
    fn read(&mut self, link: LinkId, bytes: &[u8]) -> Vec<Message> {
        let Some(io) = self.links.get_mut(&link) else {
            return Vec::new();
        };
        let mut messages = Vec::new();
        let mut rest = bytes;
        loop {
            let mut input = RecvBuf::resume(&mut io.memory, io.filled.clone());
            let room = input.room();
            let len = room.len().min(rest.len());
            room[..len].copy_from_slice(&rest[..len]);
            input.commit(len);
            rest = &rest[len..];
            let progress = io.parser.advance(&Limits::SERVER, &mut input);
            if let Ok(Progress::Complete) = progress {
                let request = io.parser.request(input.filled()).expect("a whole request");
                let field = |name| request.fields.get(name).unwrap_or_default().to_vec();
                messages.push(Message {
                    path: request.path.to_owned(),
                    fields: ["webhook-id", "webhook-timestamp", "webhook-signature"].map(field),
                    body: request.body.to_vec(),
                });
                io.parser.finish(&mut input);
            }
            io.filled = input.filled_range();
            if rest.is_empty() || progress.is_err() {
                return messages;
            }
        }
    }
}

/// Something arrives at a receiver.
pub(super) fn receive(world: &mut World, at: usize, link: LinkId, payload: Payload) {
    let receiver = &mut world.receivers[at];
    match payload {
        Payload::Open => {
            let io = Io {
                parser: RequestParser::new(),
                memory: vec![0; 4_096],
                filled: 0..0,
            };
            receiver.links.insert(link, io);
        }
        Payload::Fin => {
            receiver.links.remove(&link);
            world.net.finish(&mut world.env, link, Side::Listener);
        }
        Payload::Reset => {
            receiver.links.remove(&link);
        }
        Payload::Bytes(bytes) => {
            for message in receiver.read(link, &bytes) {
                take(world, at, link, &message);
            }
        }
    }
}

fn take(world: &mut World, at: usize, link: LinkId, message: &Message) {
    let fields = message.fields.each_ref().map(Vec::as_slice);
    world.note(at as u64, &message.fields[0]);
    let new = world.oracle.arrived(&message.path, fields, &message.body);
    let receiver = &mut world.receivers[at];
    let id = String::from_utf8_lossy(&message.fields[0]).into_owned();
    let first = receiver.known.insert(id);
    receiver.effects += u64::from(first);
    if new {
        world.measure(at, &message.body);
    }
    let (delay_ms, bytes, close) = answer(&mut world.env, at);
    if let Some(bytes) = bytes {
        let when = world.env.now_ms() + delay_ms;
        world
            .env
            .queue
            .push(when, Event::Answer(link, bytes, close));
    }
}

/// What a receiver does: after how long it answers, what, and whether it closes then.
fn answer(env: &mut Env, at: usize) -> (u64, Option<Vec<u8>>, bool) {
    let case = env.rng.weighted(&env.options.receiver_weights);
    let delay_ms = env.rng.below(50);
    let hint_s = env.rng.below(60);
    let keep = env.rng.chance(700);
    let case = if env.healed { 0 } else { case };
    let dead = env.options.dead_receiver == Some(at) && !env.healed;
    let close = if keep { "" } else { "connection: close\r\n" };
    let say = |status: &str| {
        Some(format!("HTTP/1.1 {status}\r\n{close}content-length: 0\r\n\r\n").into_bytes())
    };
    match case {
        _ if dead => (0, None, false),
        0 => (delay_ms, Some(no_content(close)), !keep),
        1 => (delay_ms * 600, say("200 OK"), !keep),
        2 => (delay_ms, say("500 Internal Server Error"), !keep),
        3 => (
            delay_ms,
            say(&format!("429 Too Many Requests\r\nretry-after: {hint_s}")),
            !keep,
        ),
        4 => (delay_ms, say("410 Gone"), !keep),
        5 => (
            delay_ms,
            say("302 Found\r\nlocation: http://127.0.0.1:1/"),
            !keep,
        ),
        6 => (
            delay_ms,
            Some(b"\x00\x01 what is this?\r\n\r\n".to_vec()),
            true,
        ),
        7 => (
            delay_ms,
            Some(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ncut".to_vec()),
            true,
        ),
        // It has taken it, and says that it has not.
        8 => (delay_ms, say("503 Service Unavailable"), !keep),
        _ => (0, None, false),
    }
}

fn no_content(close: &str) -> Vec<u8> {
    format!("HTTP/1.1 204 No Content\r\n{close}\r\n").into_bytes()
}
