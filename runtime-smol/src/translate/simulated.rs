//! The simulated translator, and how many jobs it pretends to work on at once.

use dubhook_core::{
    id::{Id, Ix},
    simulate::{Simulator, Step},
    time::Instant,
};
use std::{cell::RefCell, collections::HashSet};

/// A simulator with so many workers.
#[derive(Debug)]
pub(crate) struct Simulated<'m> {
    simulator: RefCell<Simulator<'m>>,
    workers: usize,
    /// The jobs that are worked on; where there is no bound nobody counts them.
    running: RefCell<HashSet<Id>>,
}

impl<'m> Simulated<'m> {
    pub(crate) fn new(simulator: Simulator<'m>, workers: usize) -> Self {
        Self {
            simulator: RefCell::new(simulator),
            workers,
            running: RefCell::default(),
        }
    }

    pub(super) fn may_start(&self) -> bool {
        self.running.borrow().len() < self.workers
    }

    pub(crate) fn start(&self, now: Instant, job: Ix, id: Id) {
        if self.workers < usize::MAX {
            self.running.borrow_mut().insert(id);
        }
        self.simulator.borrow_mut().start(now, job, id);
    }

    pub(super) fn stop(&self, job: Ix, id: Id) {
        self.running.borrow_mut().remove(&id);
        self.simulator.borrow_mut().stop(job, id);
    }

    pub(super) fn poll_step(&self, now: Instant) -> Option<(Id, Step)> {
        let (id, step) = self.simulator.borrow_mut().poll_step(now)?;
        if matches!(step, Step::Failed | Step::Completed) {
            self.running.borrow_mut().remove(&id);
        }
        Some((id, step))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.simulator.borrow().poll_timeout()
    }
}
