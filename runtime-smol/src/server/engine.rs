//! What all tasks of a server share.
//!
//! It is at the bottom: whoever is here knows of no task. Tasks take what they need of it, for as long as they do not wait,
//! and raise `turn` when the machine may want something.

use super::{buffers::Buffers, held::HeldClock, pace::Pace, storage::Storage};
use crate::{
    deliver::{ConnectLimiter, Flights, Lookups, Pool},
    media::Media,
    net::Net,
    race::Spare,
    signal::Signal,
    tls::{Identity, Trust},
    translate::Workers,
};
use dubhook_core::{
    server::{ConnId, Output, Ready, Server},
    service::Attempt,
    time::Now,
};
use smol::{LocalExecutor, lock::Semaphore};
use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::{Rc, Weak},
    sync::Arc,
};

/// Why the machine has something to say whenever it is asked.
pub(super) const BEGUN: &str = "work has begun, and no record is asked for";

/// How many connections may wait for the disk at once on behalf of media.
pub(super) const MEDIA_TURNS: usize = 32;

/// The shared state of a server.
#[derive(Debug)]
pub(super) struct Engine<'m> {
    pub(super) clock: HeldClock,
    pub(super) net: Rc<Net>,
    /// The names of receivers that are being looked up.
    pub(super) lookups: Lookups,
    /// What the server proves itself with, where it speaks TLS.
    pub(super) identity: Option<Identity>,
    /// Which receivers are believed to be who they say.
    pub(super) trust: Trust,
    /// How slowly clients may take their answers.
    pub(super) pace: Pace,
    pub(super) server: RefCell<Server<'m>>,
    pub(super) buffers: RefCell<Buffers>,
    /// Connections that wait for the next attempt.
    pub(super) pool: RefCell<Pool>,
    /// Where those wait for their turn who need a new connection.
    pub(super) limiter: ConnectLimiter,
    /// Connections that may be under way besides the first of each attempt.
    pub(super) spare: Spare,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// The attempts in flight.
    pub(super) flights: Flights,
    pub(super) workers: Workers<'m>,
    pub(super) storage: Storage,
    /// Where videos are kept, if they are.
    pub(super) media: Option<Arc<dyn Media>>,
    /// Who may do something with them that waits for the disk: the threads for that are not theirs alone.
    pub(super) media_turns: Semaphore,
    /// Raised when the machine may want something.
    pub(super) turn: Signal,
    /// Raised for the connection in each slot when the machine has named it.
    pub(super) named: Box<[Signal]>,
    /// Whether nothing new is started.
    pub(super) stopping: Cell<bool>,
    /// Raised when nothing is in flight any more after `stopping`.
    pub(super) drained: Signal,
}

/// Starts tasks. It does not keep the executor alive, so tasks can hold it.
#[derive(Debug, Clone)]
pub(super) struct Spawner<'e>(Weak<LocalExecutor<'e>>);

impl<'e> Spawner<'e> {
    pub(super) fn new(executor: &Rc<LocalExecutor<'e>>) -> Self {
        Self(Rc::downgrade(executor))
    }

    /// Starts a task. Nothing happens where the server has ended.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + 'e) {
        if let Some(executor) = self.0.upgrade() {
            executor.spawn(task).detach();
        }
    }
}

impl Engine<'_> {
    /// What is raised for a connection that the machine has named.
    pub(super) fn named(&self, id: ConnId) -> &Signal {
        &self.named[id.slot().get() as usize - 1]
    }

    /// The next attempt to make, whose time has begun.
    pub(super) fn next_attempt(&self, now: Now) -> Option<Attempt> {
        if self.stopping.get() || !self.storage.holds() {
            return None;
        }
        let mut server = self.server.borrow_mut();
        loop {
            match server.poll(now, Ready::ATTEMPTS, &mut []).expect(BEGUN) {
                Output::Attempt(attempt) => {
                    self.begin(now, &server, &attempt);
                    return Some(attempt);
                }
                Output::Stop { job, slot } => self.workers.stop(slot, job),
                _ => return None,
            }
        }
    }

    /// The time of an attempt begins.
    pub(super) fn begin(&self, now: Now, server: &Server<'_>, attempt: &Attempt) {
        let deadline = server.attempt_deadline(now);
        self.flights.begin(attempt.id, deadline);
    }
}
