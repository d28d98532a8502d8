//! The process's end of the connections from callers and clients.

use super::{
    mutation::Mutation,
    net::{LinkId, Payload, Side},
    process::Process,
    reader::pour,
    world::World,
};
use dubhook_core::{
    http::RecvBuf,
    out::Out,
    server::{ConnId, Drive, REFUSED},
};
use std::ops::Range;

/// A connection's buffers.
#[derive(Debug)]
pub(super) struct Io {
    conn: ConnId,
    memory: Vec<u8>,
    filled: Range<usize>,
    /// What has arrived and was not taken yet: a socket's buffer.
    arrived: Vec<u8>,
    /// Whether the client sends nothing more.
    ended: bool,
    /// Whether it takes bytes.
    reads: bool,
}

impl Process<'_> {
    /// Something arrives at the server's end of a connection.
    pub(super) fn receive(&mut self, world: &mut World, link: LinkId, to: Side, payload: Payload) {
        if to == Side::Opener {
            return self.receive_answer(world, link, payload);
        }
        match payload {
            Payload::Open => self.accept(world, link),
            Payload::Reset => self.close(world, link, false),
            Payload::Fin | Payload::Bytes(_) => {
                let Some(io) = self.conns.get_mut(&link) else {
                    return;
                };
                match payload {
                    Payload::Bytes(bytes) => io.arrived.extend_from_slice(&bytes),
                    _ => io.ended = true,
                }
                if io.reads {
                    self.drive(world, link);
                }
            }
        }
    }

    fn accept(&mut self, world: &mut World, link: LinkId) {
        let now = self.now(world);
        let Ok(conn) = self.server.accept(now) else {
            world
                .net
                .send(&mut world.env, link, Side::Listener, REFUSED);
            world.net.finish(&mut world.env, link, Side::Listener);
            return;
        };
        let bytes = self.config.http.message_bytes_max();
        self.links.insert(conn, link);
        self.conns.insert(
            link,
            Io {
                conn,
                memory: vec![0; bytes],
                filled: 0..0,
                arrived: Vec::new(),
                ended: false,
                reads: true,
            },
        );
    }

    /// Gives a connection its turn.
    pub(super) fn drive(&mut self, world: &mut World, link: LinkId) {
        let now = self.now(world);
        let mut memory = vec![0; self.config.answer_bytes_max() + 300];
        loop {
            let Some(io) = self.conns.get_mut(&link) else {
                return;
            };
            let mut input = RecvBuf::resume(&mut io.memory, io.filled.clone());
            if io.reads {
                let left = pour(&mut input, &io.arrived).len();
                io.arrived.drain(..io.arrived.len() - left);
            }
            let mut out = Out::new(&mut memory);
            let mut drive = self.server.drive(now, io.conn, &mut input, &mut out);
            if let Ok(Drive::Lookup(_)) = drive {
                drive = self.server.answer_lookup(now, io.conn, None, &mut out);
            }
            let drive = drive.expect("room for the longest answer");
            io.filled = input.filled_range();
            io.reads = matches!(drive, Drive::Input { .. });
            let more = !io.arrived.is_empty() || io.ended;
            let ended = io.ended && io.arrived.is_empty();
            world.oracle.answered(out.written(), &world.durable);
            let mut answer = out.written().to_vec();
            if let Some(mutation) = world.env.options.mutation {
                mutation.spoil_answer(&mut answer);
            }
            world
                .net
                .send(&mut world.env, link, Side::Listener, &answer);
            self.observe(world);
            match drive {
                Drive::Flush => {}
                Drive::Input { .. } if ended => return self.close(world, link, true),
                Drive::Input { bytes_min } if more && bytes_min > 0 => {}
                Drive::Input { bytes_min: 0 } => {}
                Drive::Close => return self.close(world, link, true),
                _ => return,
            }
        }
    }

    /// Ends a connection without a word.
    pub(super) fn refuse(&mut self, world: &mut World, link: LinkId) {
        world.net.reset(&mut world.env, link, Side::Listener);
        self.close(world, link, false);
    }

    fn close(&mut self, world: &mut World, link: LinkId, tell: bool) {
        if let Some(io) = self.conns.remove(&link) {
            self.links.remove(&io.conn);
            if world.env.options.mutation != Some(Mutation::LeakConns) {
                self.server.close(io.conn);
            }
        }
        if tell {
            world.net.finish(&mut world.env, link, Side::Listener);
        } else {
            world.net.forget(link);
        }
    }
}
