//! What a server that stands by does with connections: it passes them on to whoever has the records, one step and no further.

use super::{
    net::{LinkId, Party, Payload, Side},
    world::World,
};
use std::collections::BTreeMap;

/// Connections that are passed on.
#[derive(Debug)]
pub(super) struct Relay {
    at: usize,
    /// From a caller's to the owner's, and back.
    to_owner: BTreeMap<LinkId, LinkId>,
    to_caller: BTreeMap<LinkId, LinkId>,
}

impl Relay {
    pub(super) const fn new(at: usize) -> Self {
        Self {
            at,
            to_owner: BTreeMap::new(),
            to_caller: BTreeMap::new(),
        }
    }

    /// Something comes on a connection of a caller, or of the owner.
    pub(super) fn receive(
        &mut self,
        world: &mut World,
        link: LinkId,
        to: Side,
        payload: Payload,
        owner: Option<usize>,
    ) {
        let other = match (to, owner) {
            (Side::Opener, _) => self.to_caller.get(&link).copied(),
            (Side::Listener, Some(owner)) if payload == Payload::Open => {
                let was_passed =
                    matches!(world.net.party(link, Side::Opener), Some(Party::Server(_)));
                if was_passed {
                    world.net.reset(&mut world.env, link, to);
                    return;
                }
                let parties = [Party::Server(self.at), Party::Server(owner)];
                let other = world.net.connect(&mut world.env, parties);
                self.to_owner.insert(link, other);
                self.to_caller.insert(other, link);
                return;
            }
            (Side::Listener, _) => self.to_owner.get(&link).copied(),
        };
        let end = match to {
            Side::Opener => Side::Listener,
            Side::Listener => Side::Opener,
        };
        match (other, payload) {
            (Some(other), Payload::Bytes(bytes)) => {
                world.net.send(&mut world.env, other, end, &bytes);
            }
            (Some(other), Payload::Fin) => world.net.finish(&mut world.env, other, end),
            (Some(other), Payload::Reset) => {
                world.net.reset(&mut world.env, other, end);
                self.forget(link, other);
            }
            (None, Payload::Open | Payload::Bytes(_)) => {
                world.net.reset(&mut world.env, link, to);
            }
            _ => {}
        }
    }

    fn forget(&mut self, one: LinkId, other: LinkId) {
        for link in [one, other] {
            self.to_owner.remove(&link);
            self.to_caller.remove(&link);
        }
    }

    /// The records are this server's own: whoever waits for the old owner is told that it is gone.
    pub(super) fn end(&mut self, world: &mut World) {
        for (caller, owner) in std::mem::take(&mut self.to_owner) {
            world.net.reset(&mut world.env, caller, Side::Listener);
            world.net.reset(&mut world.env, owner, Side::Opener);
        }
        self.to_caller.clear();
    }
}
