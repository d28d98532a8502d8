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
    server::{ConnId, Server},
    service::{Attempt, Work},
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
        if server.poll_timeout().is_some_and(|due| due <= now.instant) {
            server.handle_timeout(now);
        }
        self.deliver.expire(now.instant);
        self.workers.report(now, server.service_mut());
        let stopping = self.stopping.get();
        if !stopping {
            self.start_work(now, &mut server, spawner);
        }
        self.committer.commit(now, &mut server, self, spawner);
        while let Some(attempt) = self.begin_attempt(now, &mut server) {
            spawner.spawn(deliver::attempts(self, attempt));
        }
        while let Some(conn) = server.poll_conn() {
            self.named(conn).raise();
        }
        if stopping && self.is_drained(&server) {
            self.drained.raise();
        }
        [
            server.poll_timeout(),
            self.workers.poll_timeout(),
            self.deliver.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The next attempt to make, whose time has begun.
    pub(crate) fn next_attempt(&self, now: Now) -> Option<Attempt> {
        self.begin_attempt(now, &mut self.server.borrow_mut())
    }

    fn begin_attempt(&self, now: Now, server: &mut Server<'m>) -> Option<Attempt> {
        if self.stopping.get() {
            return None;
        }
        let attempt = server.service_mut().poll_attempt(now)?;
        let deadline = server.service().attempt_deadline(now);
        self.deliver.begin(attempt.id, deadline);
        Some(attempt)
    }

    fn start_work<'e>(&'e self, now: Now, server: &mut Server<'m>, spawner: &Spawner<'e>) {
        for _ in 0..STARTS_MAX {
            let may_start = self.workers.may_start();
            match server.service_mut().poll_work(now, may_start) {
                Some(Work::Start(job, id)) => {
                    self.workers
                        .start(self, now, server.service(), job, id, spawner);
                }
                Some(Work::Stop(job, id)) => self.workers.stop(job, id),
                None => return,
            }
        }
        self.turn.raise();
    }

    fn is_drained(&self, server: &Server<'_>) -> bool {
        server.conns_len() == 0
            && server.service().outbox().attempts_in_flight() == 0
            && !self.committer.is_busy(server)
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
