//! What will happen, in the order of time: the heart of the simulation.

use super::{
    engine::{Happening, Reply},
    net::{LinkId, Party, Payload, Side},
};
use std::collections::BTreeMap;

/// Something that happens to the world.
#[derive(Debug)]
pub(super) enum Event {
    /// A packet arrives.
    Packet {
        id: LinkId,
        to: Side,
        payload: Payload,
    },
    /// A connection breaks.
    Break(LinkId),
    /// Bytes that were sent to somebody come once more, on a connection of their own.
    Repeat(Party, Vec<u8>),
    /// A caller looks at what it is doing.
    Caller(usize),
    /// A client's application looks at what it is doing.
    Act(usize),
    /// A moment that a client has planned.
    Client(usize),
    /// A watcher looks at its stream.
    Watch(usize),
    /// A remote worker looks at what it is doing.
    Worker(usize),
    /// A receiver answers, and perhaps closes.
    Answer(LinkId, Vec<u8>, bool),
    /// The oldest batch on its way is durable, in the process with this number.
    Synced(u32),
    /// A worker in the process with this number goes on with its job.
    Work(u32, usize),
    /// A late attempt is sent after all.
    Late(Party, Vec<u8>),
    /// The process at this place dies.
    Crash(usize),
    /// It starts again.
    Boot(usize),
    /// It is stopped, as by SIGSTOP, and goes on.
    Pause(usize),
    Resume(usize),
    /// It is told to end.
    Leave(usize),
    /// Something happens to the database that servers share.
    Engine(Happening),
    /// A server hears from it.
    Reply(Box<Reply>),
    /// Somebody sets the wall clock.
    SetClock,
    /// All faults stop.
    Heal,
}

/// Events to come. Those of one moment come in the order in which they were put in.
#[derive(Debug, Default)]
pub(super) struct Queue {
    events: BTreeMap<(u64, u64), Event>,
    pushed: u64,
    now_ms: u64,
}

impl Queue {
    pub(super) const fn now(&self) -> u64 {
        self.now_ms
    }

    pub(super) fn push(&mut self, at_ms: u64, event: Event) {
        self.pushed += 1;
        self.events
            .insert((at_ms.max(self.now_ms), self.pushed), event);
    }

    /// Takes the next event if it comes by `until_ms`, and moves time there.
    pub(super) fn pop(&mut self, until_ms: u64) -> Option<Event> {
        let first = self.events.first_entry()?;
        if first.key().0 > until_ms {
            return None;
        }
        self.now_ms = first.key().0;
        Some(first.remove())
    }

    /// Moves time on, past no event.
    pub(super) fn advance(&mut self, to_ms: u64) {
        self.now_ms = self.now_ms.max(to_ms);
    }
}
