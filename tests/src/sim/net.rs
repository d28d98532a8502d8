//! The network: connections whose bytes are late, cut up, repeated, or lost with the connection.
//!
//! Inside a connection bytes keep their order, as TCP's do; between connections nothing does.

use super::{env::Env, queue::Event};
use std::collections::BTreeMap;

/// Names a connection. None is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinkId(u64);

/// An end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Opener,
    Listener,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Opener => Self::Listener,
            Self::Listener => Self::Opener,
        }
    }
}

/// Who is at an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Party {
    /// A server, by its place.
    Server(usize),
    Caller(usize),
    Receiver(usize),
    Client(usize),
    /// Who reads the stream of events.
    Watcher(usize),
    Worker(usize),
    /// The network itself, which repeats what somebody sent.
    Ghost,
}

/// What arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Payload {
    Open,
    Bytes(Vec<u8>),
    /// The other end sends nothing more.
    Fin,
    /// The connection is gone.
    Reset,
}

#[derive(Debug)]
struct Link {
    parties: [Party; 2],
    /// When the last packet in each direction arrives: the next one is not earlier.
    last_at: [u64; 2],
    closed: [bool; 2],
    swallows_from: Option<u64>,
    /// What the opener has sent, if it is to be repeated.
    repeat: Option<Vec<u8>>,
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Net {
    links: BTreeMap<LinkId, Link>,
    opened: u64,
}

impl Net {
    /// Opens a connection. The other party hears of it after a while.
    pub(super) fn connect(&mut self, env: &mut Env, parties: [Party; 2]) -> LinkId {
        self.opened += 1;
        let id = LinkId(self.opened);
        let now = env.queue.now();
        let soon = |env: &mut Env| now + env.rng.below(8_000);
        // A stream that nobody reads any more would go on: what ends it then is the operating system.
        let ends = !matches!(parties[0], Party::Watcher(_));
        let swallows_from = (ends && env.chance(|o| o.black_hole)).then(|| soon(env));
        if env.chance(|o| o.reset) {
            let at = soon(env);
            env.queue.push(at, Event::Break(id));
        }
        let real = parties[0] != Party::Ghost;
        let link = Link {
            parties,
            last_at: [0; 2],
            closed: [false; 2],
            swallows_from,
            repeat: (real && env.chance(|o| o.replay)).then(Vec::new),
        };
        self.links.insert(id, link);
        self.put(env, id, Side::Opener, Payload::Open);
        id
    }

    /// Who is at an end of a connection.
    pub(super) fn party(&self, id: LinkId, side: Side) -> Option<Party> {
        self.links.get(&id).map(|link| link.parties[side as usize])
    }

    /// Sends bytes, in one piece or in several.
    pub(super) fn send(&mut self, env: &mut Env, id: LinkId, from: Side, bytes: &[u8]) {
        if let Some(link) = self.links.get_mut(&id)
            && from == Side::Opener
            && let Some(repeat) = &mut link.repeat
        {
            repeat.extend_from_slice(bytes);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let cut = if env.chance(|o| o.split) {
                1 + env.rng.below(rest.len() as u64) as usize
            } else {
                rest.len()
            };
            let (piece, more) = rest.split_at(cut);
            let payload = Payload::Bytes(piece.to_vec());
            self.put(env, id, from, payload);
            rest = more;
        }
    }

    /// Sends nothing more from an end. When neither does, the connection is over.
    pub(super) fn finish(&mut self, env: &mut Env, id: LinkId, from: Side) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if core::mem::replace(&mut link.closed[from as usize], true) {
            return;
        }
        self.put(env, id, from, Payload::Fin);
        if from == Side::Opener {
            self.repeat(env, id);
        }
    }

    /// Drops a connection from one end. The other end may never hear of it.
    pub(super) fn reset(&mut self, env: &mut Env, id: LinkId, from: Side) {
        self.put(env, id, from, Payload::Reset);
        self.repeat(env, id);
    }

    /// Has what was sent on a connection come again, if that is its lot.
    fn repeat(&mut self, env: &mut Env, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id)
            && let Some(bytes) = link.repeat.take()
            && !bytes.is_empty()
        {
            let at = env.queue.now() + env.rng.below(20_000);
            env.queue.push(at, Event::Repeat(link.parties[1], bytes));
        }
    }

    /// Breaks a connection in the middle: both ends hear of it.
    pub(super) fn break_link(&mut self, env: &mut Env, id: LinkId) {
        self.reset(env, id, Side::Opener);
        self.reset(env, id, Side::Listener);
    }

    /// Forgets a connection that has ended.
    pub(super) fn forget(&mut self, id: LinkId) {
        self.links.remove(&id);
    }

    /// The ends of connections that are a server's.
    pub(super) fn of_server(&self, at: usize) -> Vec<(LinkId, Side)> {
        let sides = [Side::Opener, Side::Listener];
        let ends = self.links.iter().flat_map(|(id, link)| {
            let own = sides.into_iter().zip(link.parties);
            own.filter(|(_, party)| *party == Party::Server(at))
                .map(|(side, _)| (*id, side))
        });
        ends.collect()
    }

    /// When what was sent last from an end arrives, if it does.
    pub(super) fn arrives_ms(&self, id: LinkId, from: Side) -> Option<u64> {
        let link = self.links.get(&id)?;
        let at = link.last_at[from as usize];
        link.swallows_from.is_none().then_some(at)
    }

    fn put(&mut self, env: &mut Env, id: LinkId, from: Side, payload: Payload) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let now = env.queue.now();
        if link.swallows_from.is_some_and(|from| from <= now) {
            return;
        }
        let at = now + env.rng.within(env.options.latency_ms);
        let at = at.max(link.last_at[from as usize]);
        link.last_at[from as usize] = at;
        let to = from.other();
        env.queue.push(at, Event::Packet { id, to, payload });
    }
}
