//! A job that a program translates, and its lease.
//!
//! While it runs its job's lease is kept alive, whether it reports or not. A lease can be lost all the same, when the
//! server itself was stopped for a while; then the job may be with another run, so a run whose attempt is over reports
//! nothing more and is ended.

use super::engine::{Engine, Spawner};
use crate::{
    signal::Signal,
    translate::{Command, End, Programs, Task, report_or_log},
};
use async_io::Timer;
use dubhook_core::{
    id::{Id, Prefix},
    job::Status,
    out::Out,
    server::Server,
    service::{Report, Service},
};
use futures_lite::future::FutureExt;
use std::time::Duration;

/// How often a running job's lease is renewed: well within the lease.
const ALIVE: Duration = Duration::from_secs(15);

/// Starts a program for a job.
pub(super) fn start<'e>(
    engine: &'e Engine<'_>,
    programs: &'e Programs,
    server: &Server<'_>,
    id: Id,
    spawner: &Spawner<'e>,
) {
    let service = server.service();
    let mut job = vec![0; engine.buffers.borrow().output.len()];
    let mut out = Out::new(&mut job);
    service.write_work(id, &mut out);
    let len = out.len();
    job.truncate(len);
    let stop = programs.begin(id);
    let attempt = attempt(service, id);
    spawner.spawn(async move {
        let run = Run {
            engine,
            id,
            attempt,
            command: &programs.command,
            stop: &stop,
        };
        run.to_end(job).await;
        programs.end(id, &stop);
        engine.turn.raise();
    });
}

/// Which attempt at a job is under way; none where it is with nobody.
fn attempt(service: &Service<'_>, id: Id) -> Option<u8> {
    let job = service.find_job(id).and_then(|job| service.job(job))?;
    (job.status() == Status::Processing).then_some(job.attempts())
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
            hidden: &[
                "DUBHOOK_API_KEYS",
                "DUBHOOK_STORE",
                "PGPASSWORD",
                "PGPASSFILE",
            ],
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
