//! The pump that keeps the machine's promises.
//!
//! # Theory of operation
//!
//! The machine decides; tasks move bytes. Whatever a task does to the machine, it raises `turn`, and once in each turn
//! of the executor the pump does what the machine wants done: it lets time pass, writes records down, starts and stops
//! translations and webhook attempts, and calls the connections whose answers are ready. So the work of all connections
//! that had news in a turn is gathered into one commit, and nothing is done twice.

use super::{
    attempt,
    commit::commit,
    engine::{BEGUN, Engine, Spawner},
    held::HeldClock,
    program,
};
use crate::{net::Net, translate::Workers};
use async_io::Timer;
use dubhook_core::{
    server::{Output, Ready, Server},
    time::{Instant, Now},
};
use futures_lite::future::yield_now;
use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

/// Jobs that are started in one turn at most, so that connections are not kept waiting.
const STARTS_MAX: usize = 256;
/// By how much a deadline may be late before it is asked whether the process was stopped meanwhile.
const LATE_MS: u64 = 100;
/// How often is looked then for what has come: an answer may take a few steps to be read, under TLS above all.
const LOOKS: usize = 16;

/// Does what the machine wants done, turn after turn.
pub(super) async fn run<'e>(engine: &'e Engine<'_>, spawner: Spawner<'e>) {
    let mut alarm = Alarm::new(&engine.net);
    loop {
        engine.turn.take();
        if engine.clock.late_ms() > LATE_MS {
            // What has come cannot be looked at before it is known whose the records are.
            engine.storage.held_again().await;
            read_all(engine).await;
        }
        engine.clock.let_go();
        let next = turn(engine, &spawner);
        engine.clock.hold_before(next);
        alarm.set(&engine.clock, next);
        poll_fn(|cx| {
            let rang = alarm.poll(cx);
            let turned = engine.turn.poll_raised(cx);
            if rang.is_ready() { rang } else { turned }
        })
        .await;
    }
}

/// Lets everybody read what has come, before what was due is judged.
async fn read_all(engine: &Engine<'_>) {
    for _ in 0..LOOKS {
        engine.net.look();
        yield_now().await;
    }
}

/// One turn of it. Returns when the next one is due, whatever happens.
fn turn<'e>(engine: &'e Engine<'_>, spawner: &Spawner<'e>) -> Option<Instant> {
    let now = engine.clock.now();
    let mut server = engine.server.borrow_mut();
    if engine.storage.was_silent() {
        // Whoever reported meanwhile was not heard.
        server.spare_workers(now);
    }
    engine.flights.expire(now.instant);
    engine.pool.borrow_mut().expire(now.instant);
    engine.workers.report(now, &mut server);
    let due = drain(engine, now, &mut server, spawner);
    commit(engine, &server, spawner);
    if engine.stopping.get() && is_drained(&server) {
        engine.drained.raise();
    }
    [
        due,
        engine.workers.poll_timeout(),
        engine.flights.poll_timeout(),
        engine.pool.borrow().poll_timeout(),
    ]
    .into_iter()
    .flatten()
    .min()
}

/// Does all that the machine wants done but for writing records. Returns when it wants something next.
fn drain<'e>(
    engine: &'e Engine<'_>,
    now: Now,
    server: &mut Server<'_>,
    spawner: &Spawner<'e>,
) -> Option<Instant> {
    let begins = !engine.stopping.get() && engine.storage.holds();
    let mut starts_left = STARTS_MAX;
    loop {
        let ready = Ready {
            work: begins && starts_left > 0 && engine.workers.may_start(),
            attempts: begins,
            records: false,
            conns: true,
        };
        match server.poll(now, ready, &mut []).expect(BEGUN) {
            Output::Start { job, slot } => {
                starts_left -= 1;
                if starts_left == 0 {
                    // There may be more, once others have had their turn.
                    engine.turn.raise();
                }
                match &engine.workers {
                    Workers::Simulated(simulator) => {
                        simulator.start(now.instant, slot, job);
                    }
                    Workers::Programs(programs) => {
                        program::start(engine, programs, server, job, spawner)
                    }
                    Workers::Remote => {}
                }
            }
            Output::Stop { job, slot } => engine.workers.stop(slot, job),
            Output::Attempt(attempt) => {
                engine.begin(now, server, &attempt);
                spawner.spawn(attempt::make(engine, attempt));
            }
            Output::Drive(conn) => engine.named(conn).raise(),
            Output::Sleep(due) => return due,
            // It takes none now.
            Output::Save { .. } | Output::Archive { .. } | Output::Commit(_) => {}
        }
    }
}

/// Whether nothing is in flight any more.
fn is_drained(server: &Server<'_>) -> bool {
    server.conns_len() == 0 && server.service().owed().attempts == 0 && server.is_all_durable()
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

    fn set(&mut self, clock: &HeldClock, next: Option<Instant>) {
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
