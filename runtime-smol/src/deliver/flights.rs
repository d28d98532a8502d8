//! The attempts in flight, each with its deadline.

use crate::signal::Signal;
use dubhook_core::{dispatch::AttemptId, time::Instant};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

/// Deadlines of attempts that have ended, kept for each that may be in flight.
const FLIGHTS_FORGOTTEN_MAX: usize = 4;

/// The attempts in flight, and until when each may take.
#[derive(Debug)]
pub(crate) struct Flights {
    flights: Box<[Flight]>,
    /// Every attempt has the same time, so their deadlines come in the order of their starts.
    deadlines: RefCell<VecDeque<(Instant, AttemptId)>>,
}

/// An attempt in flight, by its slot.
#[derive(Debug, Default)]
struct Flight {
    id: Cell<Option<AttemptId>>,
    expired: Signal,
}

impl Flights {
    /// For so many attempts in flight at most.
    pub(crate) fn new(attempts_max: usize) -> Self {
        Self {
            flights: (0..attempts_max).map(|_| Flight::default()).collect(),
            deadlines: RefCell::default(),
        }
    }

    /// An attempt begins.
    pub(crate) fn begin(&self, id: AttemptId, deadline: Instant) {
        let flight = self.flight(id);
        flight.id.set(Some(id));
        flight.expired.take();
        let mut deadlines = self.deadlines.borrow_mut();
        // Attempts that have ended are forgotten when they come to the front, or here when a slow one stands before them.
        if deadlines.len() >= FLIGHTS_FORGOTTEN_MAX * self.flights.len() {
            deadlines.retain(|(_, id)| self.flight(*id).id.get() == Some(*id));
        }
        deadlines.push_back((deadline, id));
    }

    /// Ends the attempts whose time is over.
    pub(crate) fn expire(&self, now: Instant) {
        let mut deadlines = self.deadlines.borrow_mut();
        while let Some((deadline, id)) = deadlines.front().copied() {
            let flight = self.flight(id);
            let flies = flight.id.get() == Some(id);
            if flies && deadline > now {
                break;
            }
            if flies {
                flight.expired.raise();
            }
            deadlines.pop_front();
        }
    }

    /// When [`expire`](Self::expire) has something to do next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.borrow().front().map(|(at, _)| *at)
    }

    /// Waits until the time of an attempt is over.
    pub(crate) async fn expired(&self, id: AttemptId) {
        self.flight(id).expired.raised().await;
    }

    /// An attempt has ended.
    pub(crate) fn end(&self, id: AttemptId) {
        self.flight(id).id.set(None);
    }

    fn flight(&self, id: AttemptId) -> &Flight {
        &self.flights[id.slot().get() as usize - 1]
    }
}
