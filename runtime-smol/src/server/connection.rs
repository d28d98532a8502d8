//! A client's connection: read, drive, write, wait.

#[cfg(target_os = "linux")]
use super::media::{PIECE_BYTES, send_file};
use super::{
    buffers::Partial,
    engine::Engine,
    media::{Asked, Moving, Told},
    pace::Taking,
    patience::within,
    unheld,
};
#[cfg(target_os = "linux")]
use crate::media::Body;
use crate::net::{Interest, Stream};
use dubhook_core::{
    id::Id,
    out::Out,
    server::{ConnId, Drive},
};
#[cfg(target_os = "linux")]
use smol::unblock;
use std::{future::poll_fn, io, mem, time::Duration};
#[cfg(target_os = "linux")]
use std::{net::TcpStream, sync::Arc};

/// How long a client that still sends is listened to after the last answer, so that it can read that answer.
const LINGER: Duration = Duration::from_secs(1);

/// Before these are answered, the store is asked for its figures.
const METRICS: &[u8] = b"GET /metrics";
const READY: [&[u8]; 2] = [b"GET /readyz", b"HEAD /readyz"];

/// What the machine wants before it goes on with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    Bytes,
    Room,
    Answer,
    /// What the store has under this id.
    Archive(Id),
    /// What it asked for of the media.
    Media,
    /// Nothing more: it is to be closed. `unread` says that the client has sent what nobody will read.
    End {
        unread: bool,
    },
}

/// A connection and what of its messages is under way.
#[derive(Debug)]
struct Connection<'e, 'm> {
    engine: &'e Engine<'m>,
    id: ConnId,
    stream: Stream,
    wants: Wants,
    /// Whether the client sends no more.
    has_ended: bool,
    received: Option<Partial>,
    unsent: Vec<u8>,
    /// How the client takes what is unsent.
    taking: Taking,
    /// What the store has of a job that was asked for.
    archived: Option<Option<Vec<u8>>>,
    /// What the machine asked for of the media, and what came of it.
    asked: Option<Asked>,
    told: Option<Told>,
    moving: Moving,
    /// Where what has come waits for the lease to be renewed: whether something was under way before it.
    waits: Option<bool>,
    /// Whether it has waited in vain.
    gave_up: bool,
    /// Whether what was asked last wants no body.
    is_head: bool,
}

/// Serves a connection to its end.
pub(super) async fn serve(engine: &Engine<'_>, id: ConnId, stream: Stream) {
    let mut connection = Connection {
        engine,
        id,
        stream,
        wants: Wants::Bytes,
        has_ended: false,
        received: None,
        unsent: Vec::new(),
        taking: Taking::default(),
        archived: None,
        asked: None,
        told: None,
        moving: Moving::default(),
        waits: None,
        gave_up: false,
        is_head: false,
    };
    // A connection that breaks ends like any other; there is nobody left to tell.
    let _ = connection.run().await;
    engine.server.borrow_mut().close(id);
    engine.turn.raise();
}

impl Connection<'_, '_> {
    async fn run(&mut self) -> io::Result<()> {
        let named = self.engine.named(self.id);
        loop {
            self.turn()?;
            match self.wants {
                _ if self.waits.is_some() => {
                    self.gave_up = !self.engine.storage.held_again().await;
                }
                _ if !self.unsent.is_empty() => self.room(self.unsent.len()).await?,
                Wants::Bytes => {
                    poll_fn(|cx| {
                        let read = self.stream.poll_ready(cx, Interest::Read);
                        let called = named.poll_raised(cx);
                        if read.is_ready() { read } else { called }
                    })
                    .await;
                }
                Wants::Answer => named.raised().await,
                Wants::Archive(id) => match self.engine.storage.find(id).await {
                    Ok(found) => self.archived = Some(found),
                    Err(_) => {
                        let answer = unheld::unanswered(self.is_head);
                        self.stream.send_or_keep(answer, &mut self.unsent)?;
                        self.wants = Wants::End { unread: true };
                    }
                },
                Wants::Media => self.move_media().await?,
                Wants::Room => {}
                Wants::End { unread: false } => return Ok(()),
                Wants::End { unread: true } => return within(LINGER, self.stream.linger()).await?,
            }
        }
    }

    /// Moves bytes until there is something to wait for.
    fn turn(&mut self) -> io::Result<()> {
        let engine = self.engine;
        let named = engine.named(self.id);
        let now = engine.clock.now();
        // Whether something was under way before.
        let begun = self.wants != Wants::Bytes || self.received.is_some();
        let waited = self.waits.take();
        let begun = waited.unwrap_or(begun);
        let mut goes_on = waited.is_some();
        let mut buffers = engine.buffers.borrow_mut();
        let (mut input, output) = buffers.lend(&mut self.received);
        loop {
            self.stream.send_kept(&mut self.unsent)?;
            if self.unsent.is_empty() {
                self.taking.end();
            }
            match self.wants {
                _ if !self.unsent.is_empty() => break,
                Wants::End { .. } => break,
                // It was about to be driven.
                _ if mem::take(&mut goes_on) => {}
                Wants::Answer if named.take() => {}
                Wants::Answer => break,
                Wants::Archive(_) if self.archived.is_none() => break,
                Wants::Media if self.told.is_none() => break,
                // What has come by the time that it is named counts: a request is answered, not cut off.
                // Who has ended one direction alone may still read.
                Wants::Bytes if self.has_ended => {
                    self.wants = if engine.server.borrow_mut().end_input(self.id) {
                        Wants::Answer
                    } else {
                        Wants::End { unread: false }
                    };
                    continue;
                }
                Wants::Bytes => match self.stream.try_read(input.room())? {
                    // One that was named must be driven though nothing has come.
                    None if named.take() => {}
                    None => break,
                    Some(0) => {
                        self.has_ended = true;
                        continue;
                    }
                    Some(len) => input.commit(len),
                },
                Wants::Room | Wants::Archive(_) | Wants::Media => {}
            }
            let gave_up = mem::take(&mut self.gave_up);
            if !engine.storage.holds() {
                if !gave_up {
                    self.waits = Some(begun);
                    break;
                }
                self.wants = Wants::End { unread: true };
                // What is under way ends here: what it would say may be old. A request that has just come is told so.
                if input.is_empty() || begun {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                let answer = unheld::answer(input.filled());
                self.stream.send_or_keep(answer, &mut self.unsent)?;
                break;
            }
            let mut out = Out::new(output);
            let mut server = engine.server.borrow_mut();
            let filled = input.filled();
            if !filled.is_empty() {
                self.is_head = filled.starts_with(b"HEAD ");
            }
            if (filled.starts_with(METRICS) || READY.iter().any(|line| filled.starts_with(line)))
                && let Some(figures) = engine.storage.figures()
            {
                server.note_store(figures);
            }
            let drive = match (self.archived.take(), self.told.take()) {
                (Some(found), _) => server.answer_lookup(now, self.id, found.as_deref(), &mut out),
                (None, Some(told)) => {
                    let mut page = Vec::new();
                    let answer = told.as_answer(&mut page);
                    server.answer_media(now, self.id, &mut input, answer, &mut out)
                }
                (None, None) => server.drive(now, self.id, &mut input, &mut out),
            };
            let drive = drive.expect("the output holds the longest answer");
            self.asked = match drive {
                Drive::Media => server
                    .media_call(self.id, &input)
                    .map(|call| Asked::of(&call, server.service(), now.timestamp)),
                Drive::Store { bytes } => Some(Asked::Store(input.filled()[..bytes].to_vec())),
                Drive::Send { at, bytes } => Some(Asked::Send(at, bytes)),
                _ => None,
            };
            drop(server);
            engine.turn.raise();
            self.stream.send_or_keep(out.written(), &mut self.unsent)?;
            self.wants = match drive {
                Drive::Input { .. } => Wants::Bytes,
                Drive::Flush => Wants::Room,
                Drive::Wait => Wants::Answer,
                Drive::Lookup(id) => Wants::Archive(id),
                Drive::Media | Drive::Store { .. } | Drive::Send { .. } => Wants::Media,
                Drive::Close => Wants::End {
                    unread: !input.is_empty(),
                },
            };
        }
        let filled = input.filled_range();
        buffers.keep(&mut self.received, filled);
        Ok(())
    }

    /// Waits until it is worth trying again to send something to a client that has `left` bytes to take.
    async fn room(&mut self, left: usize) -> io::Result<()> {
        let (now, pace) = (self.engine.clock.now().instant, self.engine.pace);
        let left_ms = self.taking.left_ms(now, left, pace);
        let left_ms = left_ms.ok_or(io::ErrorKind::TimedOut)?;
        let time = Duration::from_millis(left_ms.min(pace.look_ms()));
        if within(time, self.stream.ready(Interest::Write))
            .await
            .is_err()
        {
            self.stream.expect_room();
        }
        Ok(())
    }

    /// Does what the machine asked for of the media.
    async fn move_media(&mut self) -> io::Result<()> {
        let (Some(media), Some(asked)) = (&self.engine.media, self.asked.take()) else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        #[cfg(target_os = "linux")]
        if let Asked::Send(at, bytes) = asked
            && let Some(body) = self.moving.sent_file()
            && let Some(sent) = self.send_file(&body, at, bytes).await?
        {
            self.told = Some(Told::Sent(sent));
            return Ok(());
        }
        let turn = self.engine.media_turns.acquire().await;
        let moved = self.moving.carry_out(media, asked, &mut self.unsent);
        self.told = moved.await;
        drop(turn);
        match self.told {
            Some(_) => Ok(()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Has the kernel send bytes of a file, where nothing stands between it and the socket: how many. None where something does.
    #[cfg(target_os = "linux")]
    async fn send_file(
        &mut self,
        body: &Arc<Body>,
        at: u64,
        bytes: u64,
    ) -> io::Result<Option<u64>> {
        // The time that a client has for a piece is counted, and not for each byte anew that it takes.
        let (piece, mut sent) = (bytes.min(PIECE_BYTES), 0);
        loop {
            // The thread that waits for the disk has a descriptor of its own, whatever becomes of the connection meanwhile.
            let Some(socket) = self.stream.lend_to_kernel().map(TcpStream::try_clone) else {
                return Ok(None);
            };
            let Ok(socket) = socket else {
                self.stream.expect_room();
                return Ok((sent > 0).then_some(sent));
            };
            let body = Arc::clone(body);
            let turn = self.engine.media_turns.acquire().await;
            let more = unblock(move || send_file(&socket, &body, at + sent, bytes - sent)).await;
            drop(turn);
            let more = match more {
                // Not every file system does; nor has anything gone before it said so.
                Err(error) if error.kind() == io::ErrorKind::Unsupported && sent == 0 => {
                    self.stream.expect_room();
                    return Ok(None);
                }
                more => more?,
            };
            sent += more.unwrap_or(0);
            if sent >= piece {
                self.stream.expect_room();
                return Ok(Some(sent));
            }
            if more.is_none() {
                self.room((piece - sent) as usize).await?;
            }
        }
    }
}
