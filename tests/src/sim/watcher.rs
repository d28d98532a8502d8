//! Watchers: they read the stream of all events, and come back where they were when it breaks.

use super::{
    mutation::Mutation,
    net::{LinkId, Party, Payload, Side},
    queue::Event,
    world::World,
};
use crate::stream::{Message, Stream};

/// How long a watcher waits for a sign of life, in milliseconds: streams give one every 15 s.
const PATIENCE_MS: u64 = 40_000;

/// One watcher.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    link: Option<LinkId>,
    stream: Stream,
    /// The id of the event that came last.
    newest: Option<String>,
    /// The one behind which it goes on when it comes back.
    last: Option<String>,
    /// When it heard something last.
    heard_ms: u64,
}

impl Watcher {
    /// The sequence of each job that it was told last.
    pub(super) fn sequences(&self) -> impl Iterator<Item = (&str, u64)> {
        self.stream.sequences()
    }
}

/// A watcher looks at its stream, and opens one where there is none.
pub(super) fn wake(world: &mut World, at: usize) {
    let now_ms = world.env.now_ms();
    let watcher = &mut world.watchers[at];
    if let Some(link) = watcher.link
        && now_ms >= watcher.heard_ms + PATIENCE_MS
    {
        watcher.link = None;
        world.net.reset(&mut world.env, link, Side::Opener);
    }
    let watcher = &mut world.watchers[at];
    if watcher.link.is_none() {
        let parties = [Party::Watcher(at), world.env.any_server()];
        let link = world.net.connect(&mut world.env, parties);
        let watcher = &mut world.watchers[at];
        watcher.link = Some(link);
        watcher.heard_ms = now_ms;
        watcher.stream.begin_again();
        let last = watcher.last.as_deref();
        let last = last.map_or(String::new(), |id| format!("last-event-id: {id}\r\n"));
        let request = format!("GET /v1/events HTTP/1.1\r\nhost: s\r\n{last}\r\n");
        world
            .net
            .send(&mut world.env, link, Side::Opener, request.as_bytes());
    }
    let pause = 500 + world.env.rng.below(2_000);
    world.env.queue.push(now_ms + pause, Event::Watch(at));
}

/// Something arrives at a watcher.
pub(super) fn receive(world: &mut World, at: usize, link: LinkId, payload: Payload) {
    let now_ms = world.env.now_ms();
    let mutation = world.env.options.mutation;
    let watcher = &mut world.watchers[at];
    if watcher.link != Some(link) {
        return;
    }
    match payload {
        Payload::Open => {}
        Payload::Fin | Payload::Reset => {
            watcher.link = None;
            if payload == Payload::Fin {
                world.net.finish(&mut world.env, link, Side::Opener);
            }
        }
        Payload::Bytes(bytes) => {
            watcher.heard_ms = now_ms;
            if world.env.healed && mutation == Some(Mutation::DeafWatchers) {
                return;
            }
            let read = watcher.stream.try_read(&bytes);
            // Where there is no room for a stream at the moment, it is asked for again.
            if watcher.stream.is_refused || read.is_err() {
                watcher.link = None;
                world.net.finish(&mut world.env, link, Side::Opener);
            }
            match read {
                Ok(messages) => learn(world, at, &messages),
                Err(broken) => world.oracle.fail("W1", broken),
            }
        }
    }
}

fn learn(world: &mut World, at: usize, messages: &[Message]) {
    let lags = world.env.options.mutation == Some(Mutation::LosePlace);
    for message in messages {
        let watcher = &mut world.watchers[at];
        if !message.id.is_empty() {
            let before = watcher.newest.replace(message.id.clone());
            watcher.last = if lags { before } else { watcher.newest.clone() };
        }
        world.note(0x57, message.data.to_string().as_bytes());
    }
}
