//! One webhook after the other, each answered when it is handed on.
//!
//! Whoever [hands on](super::Client::hand_on) what comes takes it in turns: a webhook waits for its turn before the machine
//! looks at it, so that one for which there is none is not known yet when it comes again. Its answer waits until it is
//! handed on.

use super::{
    lock::lock,
    model::{Delivery, Event},
};
use dubhook_core::time::Timestamp;
use futures_lite::{FutureExt, Stream};
use smol::{
    Timer,
    channel::{Receiver, Sender, bounded, unbounded},
    lock::{Semaphore, SemaphoreGuardArc},
};
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

/// How long a webhook waits for its turn. A server waits 15 s for its answer.
const TURN_MAX: Duration = Duration::from_secs(10);
/// How many webhooks that were not handed on are remembered, so that they are not taken for repeats.
const UNDONE_MAX: usize = 4_096;

/// Something to hand on.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// Something happened to a translation.
    Event(Box<Event>),
    /// Somebody tests the webhook.
    Test(Arc<Delivery>),
    /// A webhook was refused for its time: the server's clock and this machine's are more than five minutes apart. Whoever
    /// sent it may also be a stranger; nothing else of it was looked at.
    Clocks {
        /// What this machine's clock says.
        ours: Timestamp,
        /// What the webhook says.
        theirs: Timestamp,
    },
}

/// Something that came. The next one comes when this one is [done](Self::done), or dropped.
#[derive(Debug)]
pub struct Taken {
    /// What came.
    pub arrival: Arrival,
    turn: Option<Turn>,
}

impl Taken {
    /// It is handed on, and may be answered.
    pub fn done(self) {
        if let Some(turn) = self.turn {
            // Whoever waited for it may have answered meanwhile.
            let _ = turn.done.try_send(());
        }
    }
}

/// The turn of one webhook: nobody else has one. Dropped before it is done, it has not been handed on.
#[derive(Debug)]
pub(super) struct Turn {
    done: Sender<()>,
    _alone: SemaphoreGuardArc,
}

impl Turn {
    /// The turn, and where is heard that it is done.
    pub(super) fn new(alone: SemaphoreGuardArc) -> (Self, Receiver<()>) {
        let (done, heard) = bounded(1);
        let turn = Self {
            done,
            _alone: alone,
        };
        (turn, heard)
    }
}

/// Everything that comes, one after the other. It ends when the client is closed.
#[derive(Debug)]
pub struct HandOn(Pin<Box<Receiver<Taken>>>);

impl Stream for HandOn {
    type Item = Taken;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Taken>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// Where turns are given out.
#[derive(Debug)]
pub(super) struct Turns {
    turn: Arc<Semaphore>,
    /// None where nobody hands anything on.
    taker: Mutex<Option<Sender<Taken>>>,
    /// The ids of webhooks that the machine knows and that were not handed on, the newest last.
    undone: Mutex<VecDeque<String>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            taker: Mutex::default(),
            undone: Mutex::default(),
        }
    }
}

/// Whether a webhook may be looked at.
#[derive(Debug)]
pub(super) enum Entry {
    /// It may, and nobody hands it on.
    Free,
    /// It may.
    Alone(SemaphoreGuardArc),
    /// Others have had their turn for too long.
    Full,
}

impl Turns {
    /// Everything goes there from now on. Who did so before hears nothing more.
    pub(super) fn hand_on(&self) -> HandOn {
        // There is one webhook at a time, and besides them only what the client has asked for.
        let (sender, receiver) = unbounded();
        *lock(&self.taker) = Some(sender);
        HandOn(Box::pin(receiver))
    }

    /// Nothing will come any more.
    pub(super) fn close(&self) {
        *lock(&self.taker) = None;
    }

    /// Waits until nothing else is being handed on.
    pub(super) async fn enter(&self) -> Entry {
        if lock(&self.taker).is_none() {
            return Entry::Free;
        }
        let alone = async { Entry::Alone(self.turn.acquire_arc().await) };
        let late = async {
            Timer::after(TURN_MAX).await;
            Entry::Full
        };
        alone.or(late).await
    }

    /// Hands something on; in a turn, if it is a webhook that waits for its answer.
    pub(super) fn publish(&self, arrival: Arrival, turn: Option<Turn>) {
        if let Some(sender) = &*lock(&self.taker) {
            // Whoever has enough of it lets its turn go, too.
            let _ = sender.try_send(Taken { arrival, turn });
        }
    }

    /// The webhook with this id was not handed on; it will come again.
    pub(super) fn undo(&self, id: &str) {
        let mut undone = lock(&self.undone);
        if undone.len() == UNDONE_MAX {
            undone.pop_front();
        }
        undone.push_back(id.to_owned());
    }

    /// Whether the webhook with this id was not handed on when it came before. It is forgotten.
    pub(super) fn redo(&self, id: &str) -> bool {
        let mut undone = lock(&self.undone);
        let found = undone.iter().position(|undone| undone == id);
        found.is_some_and(|found| undone.remove(found).is_some())
    }
}
