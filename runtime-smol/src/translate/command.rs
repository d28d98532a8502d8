//! A program for each job.
//!
//! While it runs its job's lease is kept alive, whether it reports or not. A lease can be lost all the same, when the
//! server itself was stopped for a while; then the job may be with another run, so a run whose attempt is over reports
//! nothing more and is ended.

use super::{
    Command,
    program::{End, Task},
    report_or_log,
};
use crate::{
    server::engine::{Engine, Spawner},
    signal::Signal,
};
use dubhook_core::{
    id::{Id, Prefix},
    job::Status,
    out::Out,
    service::{Report, Service},
};
use smol::{Timer, future::FutureExt};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

/// How often a running job's lease is renewed: well within the lease.
const ALIVE: Duration = Duration::from_secs(15);

/// The programs that run.
#[derive(Debug)]
pub(crate) struct Commands {
    command: Command,
    /// How many run, those that are being ended among them.
    count: Cell<usize>,
    /// What is raised to end the run that has each job.
    running: RefCell<HashMap<Id, Rc<Signal>>>,
}

impl Commands {
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

    pub(super) fn start<'e>(
        &'e self,
        engine: &'e Engine<'_>,
        service: &Service<'_>,
        id: Id,
        spawner: &Spawner<'e>,
    ) {
        let mut job = vec![0; engine.buffers.borrow().output.len()];
        let mut out = Out::new(&mut job);
        service.write_work(id, &mut out);
        let len = out.len();
        job.truncate(len);
        let stop = Rc::new(Signal::default());
        if let Some(lost) = self.running.borrow_mut().insert(id, Rc::clone(&stop)) {
            lost.raise();
        }
        self.count.set(self.count.get() + 1);
        let attempt = attempt(service, id);
        spawner.spawn(async move {
            let run = Run {
                engine,
                id,
                attempt,
                command: &self.command,
                stop: &stop,
            };
            run.to_end(job).await;
            self.ended(id, &stop);
            engine.turn.raise();
        });
    }

    fn ended(&self, id: Id, stop: &Rc<Signal>) {
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

/// Which attempt at a job is under way; none where it is with nobody.
fn attempt(service: &Service<'_>, id: Id) -> Option<u8> {
    let job = service.find_job(id).and_then(|job| service.job(job))?;
    let state = job.state();
    (state.status == Status::Processing).then_some(state.attempts)
}

/// One run of the program.
struct Run<'e, 'm> {
    engine: &'e Engine<'m>,
    id: Id,
    /// Which attempt at the job this is.
    attempt: Option<u8>,
    command: &'e Command,
    /// What ends it.
    stop: &'e Signal,
}

impl Run<'_, '_> {
    async fn to_end(&self, job: Vec<u8>) {
        let id = self.id.text(Prefix::Job);
        let task = Task {
            id: id.as_str(),
            job: &job,
            // What `serve` asks of its callers.
            hidden: &["DUBHOOK_API_KEYS"],
        };
        let progress = |share| self.report(Report::Progress(share));
        let run = self.command.run(task, progress, self.stop.raised());
        match run
            .or(self.keep_alive())
            .await
            .checked(self.url_bytes_max())
        {
            End::Completed(url) => self.report(Report::Completed(&url)),
            End::Failed(why) => self.report(Report::Failed(&why)),
            // It was called off; there is nothing to report.
            End::Stopped => {}
        }
    }

    fn url_bytes_max(&self) -> usize {
        self.engine.server.borrow().config().service.url_bytes_max
    }

    /// Reports, unless the job is no longer this run's: then it ends.
    fn report(&self, report: Report<'_>) {
        let engine = self.engine;
        let mut server = engine.server.borrow_mut();
        if attempt(server.service(), self.id) == self.attempt {
            report_or_log(engine.clock.now(), &mut server, self.id, report);
            engine.turn.raise();
        } else {
            self.stop.raise();
        }
    }

    async fn keep_alive<T>(&self) -> T {
        loop {
            Timer::after(ALIVE).await;
            self.report(Report::Alive);
        }
    }
}
