//! One connection: what it is reading, what it owes an answer, and until when.

use super::reply::Reply;
use crate::{
    api::Problem,
    http::{Method, RequestParser, Version},
    id::Id,
    note::note,
    slab::{Ix, Links, Node},
    time::Instant,
    timer::{Timed, Timer},
};

/// The lists of held connections, by what they wait for.
#[cfg(feature = "hub")]
pub(in crate::server) const HELD: u8 = 1;

/// Names a connection. A stale one names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ConnId {
    pub(super) ix: Ix,
    pub(super) serial: u32,
}

impl ConnId {
    /// The connection's slot, from 1 to the number of connections there can be: for a driver that
    /// keeps something beside each.
    #[must_use]
    pub const fn slot(self) -> Ix {
        self.ix
    }
}

/// What the connection's deadline stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// For the next request.
    Idle,
    /// For the rest of a head.
    Head,
    /// For the rest of a body.
    Body,
    /// For an answer to become ready; there is no deadline.
    Answer,
    /// For the first bytes of all.
    New,
    /// For something to happen, until the deadline.
    #[cfg(feature = "hub")]
    Held,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub enum Drive {
    /// More bytes. Send what is in the output first.
    Input {
        /// So many at least are missing, though fewer may come at once.
        bytes_min: usize,
    },
    /// An answer that is not ready. [`poll`](super::Server::poll) names the connection when it is. Send what is in
    /// the output, and receive nothing until then.
    Wait,
    /// What the archive has under this id. Look it up and tell with [`answer_lookup`](super::Server::answer_lookup).
    Lookup(Id),
    /// What is asked of the media that the driver keeps: [`media_call`](super::Server::media_call) says what. Send what is in the
    /// output, do it, and tell with [`answer_media`](super::Server::answer_media); leave the input as it is until then.
    #[cfg(feature = "media")]
    Media,
    /// So many bytes at the front of the input belong to the upload under way: store them, and tell with
    /// [`answer_media`](super::Server::answer_media), which takes them out of the input. Send what is in the output first.
    #[cfg(feature = "media")]
    Store {
        /// How many; none of them were there before.
        bytes: usize,
    },
    /// An answer's body, which the driver has: send what is in the output, then as much as fits of the output's bytes from
    /// `at`, and tell how much that was with [`answer_media`](super::Server::answer_media).
    #[cfg(feature = "media")]
    Send {
        /// Where in the output.
        at: u64,
        /// How many bytes are left.
        bytes: u64,
    },
    /// Room for the next answer. Send what is in the output and drive on.
    Flush,
    /// Its end. Send what is in the output, close the connection and say so with [`close`](super::Server::close).
    Close,
}

/// The state of one connection: what the caller lends a slice of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conn {
    pub(super) parser: RequestParser,
    pub(super) reply: Reply,
    /// The batch that must be durable before the answer leaves.
    pub(super) barrier: u64,
    pub(super) serial: u32,
    pub(super) waiting: Waiting,
    /// When it will have waited too long, unless for an answer; its timer may be earlier, and then looks again.
    pub(super) deadline: Instant,
    /// When the body began, for its pace.
    pub(super) body_since: Instant,
    pub(super) version: Version,
    pub(super) keep_alive: bool,
    pub(super) head_only: bool,
    /// Whether nothing more is read, and it closes when the answer is out.
    pub(super) closing: bool,
    /// Whether the driver must look at it.
    pub(super) ready: bool,
    /// Whether it hangs among those that wait for a commit.
    pub(super) blocked: bool,
    queued: Links,
    pub(super) timer: Timer,
    /// Whether it hangs among those that wait for what it owes an answer to.
    #[cfg(feature = "hub")]
    pub(super) held: bool,
    /// Whether its client sends no more, and is held all the same.
    #[cfg(feature = "hub")]
    pub(super) half_closed: bool,
    #[cfg(feature = "hub")]
    held_in: Links,
}

// "Per-connection state of at most 256 B", whatever the buffers are.
const _: () = assert!(size_of::<Conn>() <= 256);

impl Conn {
    /// A filler for empty slots: all zero.
    pub(super) const EMPTY: Self = Self {
        parser: RequestParser::new(),
        reply: Reply::None,
        barrier: 0,
        serial: 0,
        waiting: Waiting::Idle,
        deadline: Instant::ZERO,
        body_since: Instant::ZERO,
        version: Version::V10,
        keep_alive: false,
        head_only: false,
        closing: false,
        ready: false,
        blocked: false,
        queued: Links::NONE,
        timer: Timer::NONE,
        #[cfg(feature = "hub")]
        held: false,
        #[cfg(feature = "hub")]
        half_closed: false,
        #[cfg(feature = "hub")]
        held_in: Links::NONE,
    };

    pub(super) const fn new(serial: u32, deadline: Instant) -> Self {
        Self {
            serial,
            waiting: Waiting::New,
            deadline,
            keep_alive: true,
            ..Self::EMPTY
        }
    }
}

impl Conn {
    /// Answers with a problem and closes: what follows in the buffer may not be a request.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn refuse(&mut self, problem: Problem) {
        note!(debug, "connection refused: {:?}", problem);
        self.reply = Reply::Problem(problem);
        self.version = Version::V11;
        self.keep_alive = false;
        self.head_only = self.parser.method() == Some(Method::Head);
    }
}

#[cfg(feature = "hub")]
impl Node<{ HELD }> for Conn {
    fn links(&self) -> &Links {
        &self.held_in
    }
    fn links_mut(&mut self) -> &mut Links {
        &mut self.held_in
    }
}

impl Timed for Conn {
    fn timer_mut(&mut self) -> &mut Timer {
        &mut self.timer
    }
}

impl Node<0> for Conn {
    fn links(&self) -> &Links {
        &self.queued
    }
    fn links_mut(&mut self) -> &mut Links {
        &mut self.queued
    }
}
