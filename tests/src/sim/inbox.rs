//! The connections on which a client is told.

use super::{
    client::{learned, with_client},
    net::{LinkId, Payload, Side},
    reader::{Reader, pour},
    world::World,
};
use dubhook_core::{
    client::{ANSWER_BYTES_MAX, Drive, Receiver},
    http::RecvBuf,
    out::Out,
};
use std::ops::Range;

/// A connection on which the client is told.
#[derive(Debug)]
pub(super) struct Io {
    receiver: Receiver,
    memory: Vec<u8>,
    filled: Range<usize>,
    /// What the oracle sees of it.
    reader: Reader,
}

/// Something arrives on a connection on which a client is told.
pub(super) fn receive(world: &mut World, at: usize, link: LinkId, payload: &Payload) {
    match payload {
        Payload::Open => {
            let now = world.clients[at].clocks(world);
            let Some(client) = &world.clients[at].client else {
                return;
            };
            let io = Io {
                receiver: client.accept(now),
                memory: vec![0; 4_096],
                filled: 0..0,
                reader: Reader::new(),
            };
            world.clients[at].links.insert(link, io);
        }
        Payload::Fin | Payload::Reset => {
            world.clients[at].links.remove(&link);
            if *payload == Payload::Fin {
                world.net.finish(&mut world.env, link, Side::Listener);
            }
        }
        Payload::Bytes(bytes) => {
            let Some(mut io) = world.clients[at].links.remove(&link) else {
                return;
            };
            for message in io.reader.read(bytes) {
                world.note(at as u64, &message.fields[0]);
                let fields = message.fields();
                world.oracle.arrived(&message.path, fields, &message.body);
            }
            if io.take(world, at, link, bytes) {
                world.clients[at].links.insert(link, io);
            } else {
                world.net.finish(&mut world.env, link, Side::Listener);
            }
        }
    }
}

impl Io {
    /// Gives the client what has arrived, and sends its answers. Says whether the connection stays.
    fn take(&mut self, world: &mut World, at: usize, link: LinkId, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        loop {
            let mut answer = [0; ANSWER_BYTES_MAX];
            let mut out = Out::new(&mut answer);
            let mut stays = None;
            with_client(world, at, |device, now| {
                let client = device.client.as_mut()?;
                let mut input = RecvBuf::resume(&mut self.memory, self.filled.clone());
                rest = pour(&mut input, rest);
                let drive = client.drive(now, &mut self.receiver, &mut input, &mut out);
                let mut news = None;
                match drive.expect("room for an answer") {
                    Drive::Answered { update, .. } => news = update.and_then(learned),
                    Drive::Input { .. } if !rest.is_empty() => {}
                    Drive::Input { .. } => stays = Some(true),
                    Drive::Flush => {}
                    Drive::Close => stays = Some(false),
                }
                self.filled = input.filled_range();
                news
            });
            world
                .net
                .send(&mut world.env, link, Side::Listener, out.written());
            if let Some(stays) = stays {
                return stays;
            }
        }
    }
}
