//! A stream of what happens.

use super::{model::Event, subscriptions::Subscriber, task::Running};
use futures_lite::Stream;
use smol::channel::{Receiver, bounded};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

/// Events that wait for a reader, at most. Whoever is so far behind has stopped reading.
const EVENTS_MAX: usize = 4_096;

/// What happens to translations, from the moment it was made on. It ends when the client is closed.
///
/// It need not be read while something else is waited for: events wait. Should 4,096 of them wait, webhooks are answered
/// 503, so that the server comes again; what the client has asked for is dropped, and counted in
/// [`missed`](Self::missed).
#[derive(Debug)]
pub struct Events {
    events: Pin<Box<Receiver<Event>>>,
    missed: Arc<AtomicU64>,
    /// Keeps the client running while somebody listens.
    _running: Option<Arc<Running>>,
}

impl Events {
    pub(super) fn new(running: Option<Arc<Running>>) -> (Self, Subscriber) {
        let (sender, receiver) = bounded(EVENTS_MAX);
        let missed = Arc::new(AtomicU64::new(0));
        let subscriber = Subscriber {
            events: sender,
            missed: Arc::clone(&missed),
        };
        let events = Self {
            events: Box::pin(receiver),
            missed,
            _running: running,
        };
        (events, subscriber)
    }

    /// How many events were dropped because too many waited.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.events.as_mut().poll_next(cx)
    }
}
