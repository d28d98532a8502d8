//! Receivers of webhooks: they check and note what arrives, and then do as receivers do.

use super::{
    env::Env,
    net::{LinkId, Payload, Side},
    queue::Event,
    reader::{Message, Reader},
    world::World,
};
use std::collections::{BTreeMap, BTreeSet};

/// One receiver.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    links: BTreeMap<LinkId, Reader>,
    /// The ids that it has seen: a second arrival changes nothing.
    known: BTreeSet<String>,
    /// How often it did something.
    pub(super) effects: u64,
}

/// Something arrives at a receiver.
pub(super) fn receive(world: &mut World, at: usize, link: LinkId, payload: Payload) {
    let receiver = &mut world.receivers[at];
    match payload {
        Payload::Open => {
            receiver.links.insert(link, Reader::new());
        }
        Payload::Fin => {
            receiver.links.remove(&link);
            world.net.finish(&mut world.env, link, Side::Listener);
        }
        Payload::Reset => {
            receiver.links.remove(&link);
        }
        Payload::Bytes(bytes) => {
            let Some(reader) = receiver.links.get_mut(&link) else {
                return;
            };
            for message in reader.read(&bytes) {
                take(world, at, link, &message);
            }
        }
    }
}

fn take(world: &mut World, at: usize, link: LinkId, message: &Message) {
    let fields = message.fields();
    world.note(at as u64, &message.fields[0]);
    let new = world.oracle.arrived(&message.path, fields, &message.body);
    let receiver = &mut world.receivers[at];
    let id = String::from_utf8_lossy(&message.fields[0]).into_owned();
    let first = receiver.known.insert(id);
    receiver.effects += u64::from(first);
    if new {
        world.measure(at, &message.path, &message.body);
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
        9 => (delay_ms, say("422 Unprocessable Content"), !keep),
        _ => (0, None, false),
    }
}

fn no_content(close: &str) -> Vec<u8> {
    format!("HTTP/1.1 204 No Content\r\n{close}\r\n").into_bytes()
}
