//! Who does the translating, and what they have come to.

use super::{program::Command, programs::Programs, simulated::Simulated};
use dubhook_core::{
    id::{Id, Ix, Prefix},
    out::Out,
    server::{Input, Server},
    service::Report,
    simulate::{self, Settings, Step},
    time::{Instant, Now},
};

/// Who does the translating.
#[derive(Debug, Clone)]
pub enum Translator {
    /// Nobody really: jobs take a random time and sometimes fail.
    Simulated(Settings),
    /// A program for each job.
    Command(Command),
    /// Workers elsewhere, that claim jobs over the API.
    Remote,
}

impl Default for Translator {
    fn default() -> Self {
        Self::Simulated(Settings::STANDARD)
    }
}

/// Those who work on jobs.
#[derive(Debug)]
pub(crate) enum Workers<'m> {
    Simulated(Simulated<'m>),
    Programs(Programs),
    /// They are elsewhere, and the machine deals with them itself.
    Remote,
}

impl Workers<'_> {
    /// Whether one more job may be started.
    pub(crate) fn may_start(&self) -> bool {
        match self {
            Self::Simulated(simulated) => simulated.may_start(),
            Self::Programs(programs) => programs.may_start(),
            Self::Remote => false,
        }
    }

    /// Stops working on a job.
    pub(crate) fn stop(&self, job: Ix, id: Id) {
        match self {
            Self::Simulated(simulated) => simulated.stop(job, id),
            Self::Programs(programs) => programs.stop(id),
            Self::Remote => {}
        }
    }

    /// Tells what simulated jobs have come to.
    pub(crate) fn report(&self, now: Now, server: &mut Server<'_>) {
        let Self::Simulated(simulated) = self else {
            return;
        };
        while let Some((id, step)) = simulated.poll_step(now.instant) {
            let mut memory = [0; 64];
            let report = match step {
                Step::Alive => Report::Alive,
                Step::Progress(percent) => Report::Progress(percent),
                Step::Failed => Report::Failed(simulate::FAILURE),
                Step::Completed => {
                    let mut out = Out::new(&mut memory);
                    simulate::write_output_url(id, &mut out);
                    let len = out.len();
                    Report::Completed(str::from_utf8(&memory[..len]).unwrap_or_default())
                }
            };
            report_or_log(now, server, id, report);
        }
    }

    /// When [`report`](Self::report) has something to tell.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Simulated(simulated) => simulated.poll_timeout(),
            Self::Programs(_) | Self::Remote => None,
        }
    }
}

/// Reports on a job. One that was called off in the same moment refuses; that is no fault.
pub(crate) fn report_or_log(now: Now, server: &mut Server<'_>, id: Id, report: Report<'_>) {
    let job = id.text(Prefix::Job);
    let job = job.as_str();
    let handled = server.handle(now, Input::Report { job: id, report });
    // Whoever has a link can open it: no log shows what it is signed with.
    let shown = match report {
        Report::Completed(url) => Report::Completed(url.split('?').next().unwrap_or_default()),
        report => report,
    };
    match handled {
        Ok(_) => tracing::debug!(job, report = ?shown, "reported"),
        Err(error) => tracing::debug!(job, report = ?shown, ?error, "report refused"),
    }
}
