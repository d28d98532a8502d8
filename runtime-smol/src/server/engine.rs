//! What all tasks of a server share, and the pump that keeps the machine's promises.
//!
//! # Theory of operation
//!
//! The machine decides; tasks move bytes. Whatever a task does to the machine, it raises `turn`, and once in each turn
//! of the executor the pump does what the machine wants done: it lets time pass, writes records down, starts and stops
//! translations and webhook attempts, and calls the connections whose answers are ready. So the work of all connections
//! that had news in a turn is gathered into one commit, and nothing is done twice.

use super::{buffers::Buffers, commit::Committer, pace::Pace};
use crate::{
    clock::Clock,
    deliver::{self, Deliver, Lookups},
    net::Net,
    signal::Signal,
    tls::{Identity, Trust},
    translate::Workers,
};
use dubhook_core::{
    server::{ConnId, Output, Ready, Server},
    service::Attempt,
    time::{Instant, Now},
};
use smol::{LocalExecutor, Timer};
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::Pin,
    rc::{Rc, Weak},
    task::{Context, Poll},
};

/// Jobs that are started in one turn at most, so that connections are not kept waiting.
const STARTS_MAX: usize = 256;
/// Why the machine has something to say whenever it is asked.
pub(super) const BEGUN: &str = "work has begun, and no record is asked for";

/// The shared state of a server.
#[derive(Debug)]
pub(crate) struct Engine<'m> {
    pub(crate) clock: Clock,
    pub(crate) net: Rc<Net>,
    /// The names of receivers that are being looked up.
    pub(crate) lookups: Lookups,
    /// What the server proves itself with, where it speaks TLS.
    pub(crate) identity: Option<Identity>,
    /// Which receivers are believed to be who they say.
    pub(crate) trust: Trust,
    /// How slowly clients may take their answers.
    pub(crate) pace: Pace,
    pub(crate) server: RefCell<Server<'m>>,
    pub(crate) buffers: RefCell<Buffers>,
    pub(crate) deliver: Deliver,
    pub(crate) workers: Workers<'m>,
    pub(crate) committer: Committer,
    /// Raised when the machine may want something.
    pub(crate) turn: Signal,
    /// Raised for the connection in each slot when the machine has named it.
    pub(crate) named: Box<[Signal]>,
    /// Whether nothing new is started.
    pub(crate) stopping: Cell<bool>,
    /// Raised when nothing is in flight any more after `stopping`.
    pub(crate) drained: Signal,
}

/// Starts tasks. It does not keep the executor alive, so tasks can hold it.
#[derive(Debug, Clone)]
pub(crate) struct Spawner<'e>(Weak<LocalExecutor<'e>>);

impl<'e> Spawner<'e> {
    pub(crate) fn new(executor: &Rc<LocalExecutor<'e>>) -> Self {
        Self(Rc::downgrade(executor))
    }

    /// Starts a task. Nothing happens where the server has ended.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'e) {
        if let Some(executor) = self.0.upgrade() {
            executor.spawn(task).detach();
        }
    }
}

impl<'m> Engine<'m> {
    /// What is raised for a connection that the machine has named.
    pub(crate) fn named(&self, id: ConnId) -> &Signal {
        &self.named[id.slot().get() as usize - 1]
    }

    /// Does what the machine wants done, turn after turn.
    pub(crate) async fn pump<'e>(&'e self, spawner: Spawner<'e>) {
        let mut alarm = Alarm::new(&self.net);
        loop {
            self.turn.take();
            let next = self.pump_once(&spawner);
            alarm.set(&self.clock, next);
            poll_fn(|cx| {
                let rang = alarm.poll(cx);
                let turned = self.turn.poll_raised(cx);
                if rang.is_ready() { rang } else { turned }
            })
            .await;
        }
    }

    /// One turn of it. Returns when the next one is due, whatever happens.
    fn pump_once<'e>(&'e self, spawner: &Spawner<'e>) -> Option<Instant> {
        let now = self.clock.now();
        let mut server = self.server.borrow_mut();
        self.deliver.expire(now.instant);
        self.workers.report(now, &mut server);
        let due = self.drain(now, &mut server, spawner);
        self.committer.commit(&server, self, spawner);
        if self.stopping.get() && self.is_drained(&server) {
            self.drained.raise();
        }
        [
            due,
            self.workers.poll_timeout(),
            self.deliver.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does all that the machine wants done but for writing records. Returns when it wants something next.
    fn drain<'e>(
        &'e self,
        now: Now,
        server: &mut Server<'m>,
        spawner: &Spawner<'e>,
    ) -> Option<Instant> {
        let begins = !self.stopping.get();
        let mut starts_left = STARTS_MAX;
        loop {
            let ready = Ready {
                work: begins && starts_left > 0 && self.workers.may_start(),
                attempts: begins,
                records: false,
                conns: true,
            };
            match server.poll(now, ready, &mut []).expect(BEGUN) {
                Output::Start { job, slot } => {
                    starts_left -= 1;
                    if starts_left == 0 {
                        // There may be more, once others have had their turn.
                        self.turn.raise();
                    }
                    self.workers
                        .start(self, now, server.service(), slot, job, spawner);
                }
                Output::Stop { job, slot } => self.workers.stop(slot, job),
                Output::Attempt(attempt) => {
                    self.begin(now, server, &attempt);
                    spawner.spawn(deliver::attempts(self, attempt));
                }
                Output::Drive(conn) => self.named(conn).raise(),
                Output::Sleep(due) => return due,
                // It takes none now.
                Output::Save { .. } | Output::Archive { .. } | Output::Commit(_) => {}
            }
        }
    }

    /// The next attempt to make, whose time has begun.
    pub(crate) fn next_attempt(&self, now: Now) -> Option<Attempt> {
        if self.stopping.get() {
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

    fn begin(&self, now: Now, server: &Server<'_>, attempt: &Attempt) {
        let deadline = server.attempt_deadline(now);
        self.deliver.begin(attempt.id, deadline);
    }

    fn is_drained(&self, server: &Server<'_>) -> bool {
        server.conns_len() == 0
            && server.service().outbox().attempts_in_flight() == 0
            && server.is_all_durable()
    }
}

/// One alarm for all deadlines of the machine: the serving thread's own, or a timer where there is no such thread.
///
/// Most deadlines move before they come, so it is set again only for an earlier one; when it rings too soon, it is set again
/// then.
#[derive(Debug)]
struct Alarm<'n> {
    net: &'n Net,
    timer: Timer,
    at: Option<Instant>,
}

impl<'n> Alarm<'n> {
    fn new(net: &'n Net) -> Self {
        Self {
            net,
            timer: Timer::never(),
            at: None,
        }
    }

    fn set(&mut self, clock: &Clock, next: Option<Instant>) {
        if let Some(next) = next
            && self.at.is_none_or(|at| next < at)
        {
            self.at = Some(next);
            let at = clock.at(next);
            if !self.net.ring_at(at) {
                self.timer.set_at(at);
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let rang = self.net.poll_alarm(cx);
        let timed = Pin::new(&mut self.timer).poll(cx).map(drop);
        if rang.is_pending() && timed.is_pending() {
            return Poll::Pending;
        }
        self.at = None;
        Poll::Ready(())
    }
}
