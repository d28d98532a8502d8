//! What the parts of a client's task share: the session, its clock, and how to wake whoever asks the server.

use super::{command::Command, lock::lock, session::Session};
use crate::clock::Clock;
use async_io::Timer;
use dubhook_core::{
    client::ExchangeId,
    time::{Instant, Now},
};
use event_listener::{Event as Signal, EventListener};
use futures_lite::future::{self, FutureExt};
use smol::channel::Receiver;
use std::sync::Mutex;

/// What the parts of the task share: the machine, its clock, and how to wake whoever asks the server.
#[derive(Debug)]
pub(super) struct Driver<'m> {
    pub(super) session: Mutex<Session<'m>>,
    clock: Clock,
    changed: Signal,
}

impl<'m> Driver<'m> {
    pub(super) fn new(session: Session<'m>) -> Self {
        Self {
            session: Mutex::new(session),
            clock: Clock::start(),
            changed: Signal::new(),
        }
    }

    /// Hears of the next [`wake`](Self::wake).
    pub(super) fn listen(&self) -> EventListener {
        self.changed.listen()
    }

    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    pub(super) fn at(&self, instant: Instant) -> std::time::Instant {
        self.clock.at(instant)
    }

    /// The machine may have something to do.
    pub(super) fn wake(&self) {
        self.changed.notify(usize::MAX);
    }

    /// The machine may begin.
    pub(super) fn start(&self) {
        lock(&self.session).client_mut().start(self.now());
    }

    /// Does what the handles want, for ever.
    pub(super) async fn obey(&self, commands: &Receiver<Command>) {
        while let Ok(command) = commands.recv().await {
            lock(&self.session).command(self.now(), command);
            self.wake();
        }
        // The session has a sender of its own, so this is never so.
        future::pending().await
    }

    /// Waits for a change, or for `deadline`.
    pub(super) async fn wait(&self, changed: EventListener, deadline: Option<Instant>) {
        match deadline {
            None => changed.await,
            Some(deadline) => {
                let late = async {
                    Timer::at(self.at(deadline)).await;
                };
                changed.or(late).await;
            }
        }
    }

    /// Waits until an exchange has ended without an answer: because it took too long, or nobody wants it
    /// any more.
    pub(super) async fn abandoned(&self, id: ExchangeId) {
        loop {
            let changed = self.changed.listen();
            let deadline = {
                let mut session = lock(&self.session);
                session.patience(self.now(), id)
            };
            if deadline.is_none() {
                return;
            }
            self.wait(changed, deadline).await;
        }
    }
}
