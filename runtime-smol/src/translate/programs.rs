//! The programs that run, one for each job.

use super::program::Command;
use crate::signal::Signal;
use dubhook_core::id::Id;
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

/// The programs that run.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) command: Command,
    /// How many run, those that are being ended among them.
    count: Cell<usize>,
    /// What is raised to end the run that has each job.
    running: RefCell<HashMap<Id, Rc<Signal>>>,
}

impl Programs {
    pub(crate) fn new(command: Command) -> Self {
        Self {
            command,
            count: Cell::new(0),
            running: RefCell::default(),
        }
    }

    pub(super) fn may_start(&self) -> bool {
        self.count.get() < self.command.workers
    }

    /// One begins to run for a job. What is raised to end it.
    pub(crate) fn begin(&self, id: Id) -> Rc<Signal> {
        let stop = Rc::new(Signal::default());
        if let Some(lost) = self.running.borrow_mut().insert(id, Rc::clone(&stop)) {
            lost.raise();
        }
        self.count.set(self.count.get() + 1);
        stop
    }

    /// The one that is ended by `stop` has ended.
    pub(crate) fn end(&self, id: Id, stop: &Rc<Signal>) {
        self.count.set(self.count.get() - 1);
        let mut running = self.running.borrow_mut();
        // Another run may have the job by now.
        if running
            .get(&id)
            .is_some_and(|known| Rc::ptr_eq(known, stop))
        {
            running.remove(&id);
        }
    }

    pub(super) fn stop(&self, id: Id) {
        if let Some(stop) = self.running.borrow().get(&id) {
            stop.raise();
        }
    }
}
