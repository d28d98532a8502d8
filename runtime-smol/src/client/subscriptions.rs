//! What concerns no single job: how the newest one is, and who wants to hear of all events.

use super::{
    lock::lock,
    model::Event,
    turns::{Arrival, Turn, Turns},
};
use dubhook_core::model::NewestStatus;
use smol::channel::{Sender, TrySendError};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

/// How the newest job is and who listens, where every handle finds it.
#[derive(Debug)]
pub(super) struct Subscriptions {
    newest: Mutex<Option<NewestStatus>>,
    /// `None` once nothing will come any more.
    subscribers: Mutex<Option<Vec<Subscriber>>>,
    /// Whoever hands on what comes.
    pub(super) turns: Turns,
}

impl Default for Subscriptions {
    fn default() -> Self {
        Self {
            newest: Mutex::new(None),
            subscribers: Mutex::new(Some(Vec::new())),
            turns: Turns::default(),
        }
    }
}

/// Where one stream's events go.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) events: Sender<Event>,
    /// How many did not fit.
    pub(super) missed: Arc<AtomicU64>,
}

impl Subscriptions {
    pub(super) fn newest(&self) -> Option<NewestStatus> {
        *lock(&self.newest)
    }

    pub(super) fn set_newest(&self, status: Option<NewestStatus>) {
        *lock(&self.newest) = status;
    }

    pub(super) fn subscribe(&self, subscriber: Subscriber) {
        if let Some(subscribers) = &mut *lock(&self.subscribers) {
            subscribers.push(subscriber);
        }
    }

    /// Whether everybody who listens has room for one more event.
    pub(super) fn has_room(&self) -> bool {
        let subscribers = lock(&self.subscribers);
        let mut all = subscribers.iter().flatten();
        all.all(|subscriber| !subscriber.events.is_full() || subscriber.events.is_closed())
    }

    /// Hands an event to everybody who still listens, and on; in a turn, if it came so.
    pub(super) fn publish(&self, event: &Event, turn: Option<Turn>) {
        self.turns
            .publish(Arrival::Event(Box::new(event.clone())), turn);
        let mut subscribers = lock(&self.subscribers);
        let all = subscribers.iter_mut().flatten();
        for subscriber in all {
            if let Err(TrySendError::Full(_)) = subscriber.events.try_send(event.clone()) {
                subscriber.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
        if let Some(subscribers) = &mut *subscribers {
            subscribers.retain(|subscriber| !subscriber.events.is_closed());
        }
    }

    /// Nothing will come any more.
    pub(super) fn close(&self) {
        *lock(&self.subscribers) = None;
        self.turns.close();
    }
}
