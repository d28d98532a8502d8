//! `work`: claims jobs of a server and runs a program for each.
//!
//! The program is run as `serve --command` runs it. While it runs, the job's lease is renewed; where the lease is lost, the
//! program is ended and the next job claimed. A server that does not answer is asked again with growing pauses, and a
//! finished result is kept until it is taken or refused.

mod calls;
mod files;
mod pause;

use super::{
    api, duration,
    fail::Fail,
    log,
    remote::Remote,
    serve::processors,
    show::{self, Paint},
    signals::endings,
};
use async_io::{Timer, block_on};
use calls::{Answer, Claim, Report, Uploads, WorkApi, reason};
use clap::Args;
use dubhook_core::service::Limits;
use dubhook_smol::translate::{Command, End, Task};
use futures_lite::{
    StreamExt,
    future::{self, FutureExt},
};
use pause::Pause;
use serde::Serialize;
use smol::{
    LocalExecutor,
    channel::{self, Receiver, Sender},
};
use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    io::{self, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 ended by a signal, or with --once the job is completed; 1 refused, or with --once not completed; 3 the server does not answer at the start."
)]
pub(super) struct Work {
    /// The program that translates a job, run by `sh -c`: the job's JSON on its standard input, where outputs go in
    /// DUBHOOK_OUTPUT_DIR; lines {"progress":42} and {"output_url":"…"} on its standard output report
    #[arg(long, value_name = "CMD")]
    exec: String,
    /// How many such programs run at once; as many as there are processors where not said
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Where such programs put their output
    #[arg(long, value_name = "DIR", default_value = "dubhook-output")]
    output: PathBuf,
    /// How long such a program may take
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration::parse)]
    timeout: Duration,
    /// Translate one job and end
    #[arg(long, conflicts_with = "workers")]
    once: bool,
    #[command(flatten)]
    remote: Remote,
}

/// How long the server is asked to wait for a job, in seconds.
const WAIT_S: u64 = 60;
/// How long a report may still take once this program is told to end.
const HUNG: Duration = Duration::from_millis(900);
/// How soon progress is reported after a report before it.
const GAP: Duration = Duration::from_millis(100);
/// What the programs need not know.
const HIDDEN: &[&str] = &["DUBHOOK_API_KEY", "DUBHOOK_API_KEYS"];

impl Work {
    pub(super) fn run(&self) -> Result<(), Fail> {
        log::show(tracing::Level::WARN);
        // Signals are heard before there is a program to end.
        let mut signals = endings()?;
        let (stop, stopped) = channel::bounded(1);
        let pool = WorkerPool {
            api: WorkApi::new(&self.remote)?,
            command: Command {
                line: self.exec.clone(),
                workers: 1,
                output: self.output.clone(),
                timeout: self.timeout,
            },
            once: self.once,
            json: self.remote.json,
            stopped,
        };
        let workers = match self.workers {
            _ if self.once => 1,
            Some(workers) => workers.max(1),
            None => processors(),
        };
        block_on(async {
            let interrupted = async {
                signals.next().await;
                stop.close();
                // Who asks twice will not wait for programs that clean up.
                signals.next().await;
                Ok(())
            };
            pool.run(workers).or(interrupted).await
        })
    }
}

/// What all workers share.
#[derive(Debug)]
struct WorkerPool {
    api: WorkApi,
    command: Command,
    once: bool,
    json: bool,
    /// Closed when all shall end.
    stopped: Receiver<Infallible>,
}

/// How work on a job ended.
#[derive(Debug)]
enum Ended {
    Completed(String),
    Failed(String),
    /// It went to somebody else, or was called off.
    Lost(String),
    /// This program was told to end.
    Stopped,
}

impl WorkerPool {
    async fn run(&self, workers: usize) -> Result<(), Fail> {
        // Whether this worker is let in at all shows at once; later faults are waited out.
        let Some(first) = self.unless_stopped(self.api.claim(0)).await else {
            return Ok(());
        };
        let mut first = first?;
        if !self.json {
            let waits = format!("{workers} at a time; Ctrl-C ends it");
            show::say(&Paint::stderr().dim(&waits));
        }
        let executor = LocalExecutor::new();
        let work = |_| executor.spawn(self.serve(first.take()));
        let tasks: Vec<_> = (0..workers).map(work).collect();
        let all = async {
            for task in tasks {
                task.await?;
            }
            Ok(())
        };
        executor.run(all).await
    }

    /// One worker, to its end.
    async fn serve(&self, mut first: Option<Claim>) -> Result<(), Fail> {
        let mut pause = Pause::default();
        loop {
            let job = match first.take() {
                Some(job) => job,
                None => match self.next(&mut pause).await {
                    Some(job) => job,
                    None => return Ok(()),
                },
            };
            self.say("claimed", &job, "", &job.video_url);
            let ended = self.work(&job).await;
            match &ended {
                Ended::Completed(url) => self.say("completed", &job, "output_url", url),
                Ended::Failed(why) => self.say("error", &job, "error", why),
                Ended::Lost(why) => self.say("lost", &job, "error", why),
                Ended::Stopped => return Ok(()),
            }
            if self.once {
                return match ended {
                    Ended::Failed(why) | Ended::Lost(why) => Err(Fail::NotDone(show::plain(&why))),
                    Ended::Completed(_) | Ended::Stopped => Ok(()),
                };
            }
        }
    }

    /// The next job; none where this program was told to end.
    async fn next(&self, pause: &mut Pause) -> Option<Claim> {
        loop {
            let asked = Instant::now();
            match self.unless_stopped(self.api.claim(WAIT_S)).await? {
                Ok(Some(job)) => {
                    pause.reset();
                    return Some(job);
                }
                // It has waited as it was asked to.
                Ok(None) if asked.elapsed() >= Duration::from_secs(1) => pause.reset(),
                Ok(None) => {}
                Err(fail) => warn(pause, &reason(fail)),
            }
            if asked.elapsed() < Duration::from_secs(1) {
                self.unless_stopped(pause.wait()).await?;
            }
        }
    }

    /// Runs the program for a job and tells what comes of it.
    async fn work(&self, job: &Claim) -> Ended {
        let (lose, lost) = channel::bounded::<Infallible>(1);
        let (tell, news) = channel::bounded(1);
        let shared = Shared {
            progress: Cell::new(job.progress),
            why: RefCell::default(),
            uploads: RefCell::default(),
        };
        let progress = |share| {
            if share > shared.progress.get() {
                shared.progress.set(share);
                // It is known already that there are news.
                let _ = tell.try_send(());
            }
        };
        let stop = || closed(&self.stopped).or(closed(&lost));
        let run = self.translate(job, &shared, progress, stop);
        let renew = self.renew(job, &shared, &news, &lose);
        let end = run.or(renew).await;
        match end.checked(Limits::SERVER.url_bytes_max) {
            End::Stopped => match shared.why.take() {
                Some(why) => Ended::Lost(why),
                None => Ended::Stopped,
            },
            end => {
                let uploads = shared.uploads.take();
                self.conclude(job, end, uploads.as_ref()).await
            }
        }
    }

    /// Runs the program, between getting its input and bringing its output where these are uploads.
    async fn translate<S: Future<Output = ()>>(
        &self,
        job: &Claim,
        shared: &Shared,
        progress: impl FnMut(u8),
        stop: impl Fn() -> S,
    ) -> End {
        let folder = &self.command.output;
        let (json, _input) = match unless(stop(), self.api.input(job, folder)).await {
            Some(Ok(input)) => input,
            Some(Err(why)) => return End::Failed(why),
            None => return End::Stopped,
        };
        let task = Task {
            id: &job.id,
            job: &json,
            hidden: HIDDEN,
        };
        let end = self.command.run(task, progress, stop()).await;
        let End::Completed(url) = end else {
            return end;
        };
        match unless(stop(), self.api.output(job, &url, folder)).await {
            Some(Ok(None)) => End::Completed(url),
            Some(Ok(Some((url, uploads)))) => {
                shared.uploads.replace(Some(uploads));
                End::Completed(url)
            }
            Some(Err(why)) => End::Failed(why),
            None => End::Stopped,
        }
    }

    /// Keeps a job's lease while its program runs, and tells how far that is. Closes `lose` when the job is lost.
    async fn renew<T>(
        &self,
        job: &Claim,
        shared: &Shared,
        news: &Receiver<()>,
        lose: &Sender<Infallible>,
    ) -> T {
        let third = job.lease_time / 3;
        let mut told = job.progress;
        let mut pause = Pause::default();
        loop {
            let idle = async {
                Timer::after(third).await;
            };
            let called = async {
                // The other end lives as long as the program.
                let _ = news.recv().await;
            };
            idle.or(called).await;
            loop {
                let share = shared.progress.get();
                let more = (share > told).then_some(share);
                match self.api.report(job, Report::Alive(more)).await {
                    Answer::Taken => {
                        told = share;
                        pause.reset();
                        break;
                    }
                    Answer::Lost(why) => {
                        shared.why.replace(Some(why));
                        lose.close();
                        return future::pending().await;
                    }
                    // It is alive all the same.
                    Answer::Wrong(_) if more.is_some() => told = share,
                    Answer::Wrong(why) | Answer::Unheard(why) => {
                        warn(&pause, &why);
                        let soon = async {
                            Timer::after(third).await;
                        };
                        pause.wait().or(soon).await;
                    }
                }
            }
            Timer::after(GAP).await;
        }
    }

    /// Reports how a program ended until that is taken or refused.
    async fn conclude(&self, job: &Claim, mut end: End, uploads: Option<&Uploads>) -> Ended {
        let mut pause = Pause::default();
        loop {
            let report = match &end {
                End::Completed(url) => Report::Completed(url, uploads),
                End::Failed(why) => Report::Failed(cut(why)),
                End::Stopped => return Ended::Stopped,
            };
            let Some(answer) = self.unless_hung(self.api.report(job, report)).await else {
                return Ended::Stopped;
            };
            match answer {
                Answer::Taken => {
                    return match end {
                        End::Completed(url) => Ended::Completed(url),
                        End::Failed(why) => Ended::Failed(why),
                        End::Stopped => Ended::Stopped,
                    };
                }
                Answer::Lost(why) => return Ended::Lost(why),
                Answer::Wrong(_) if matches!(end, End::Completed(_)) => end = End::bad_output(),
                Answer::Wrong(why) => return Ended::Lost(why),
                Answer::Unheard(why) => {
                    warn(&pause, &why);
                    if self.unless_stopped(pause.wait()).await.is_none() {
                        return Ended::Stopped;
                    }
                }
            }
        }
    }

    async fn unless_stopped<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let stopped = async {
            closed(&self.stopped).await;
            None
        };
        async { Some(future.await) }.or(stopped).await
    }

    /// What comes of this, or nothing once this program was told to end and it still takes its time.
    async fn unless_hung<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let hung = async {
            closed(&self.stopped).await;
            Timer::after(HUNG).await;
            None
        };
        async { Some(future.await) }.or(hung).await
    }

    /// Says what has become of a job, in a line. Whoever does not read it wants no other.
    fn say(&self, what: &str, job: &Claim, name: &'static str, text: &str) {
        let mut stdout = io::stdout().lock();
        let line = if self.json {
            json_line(what, job, name, text)
        } else {
            let paint = Paint::stdout();
            let what = format!("{what:<9}").replace(what, &paint.status(what));
            format!(
                "{what}  {}  {}  {}",
                job.id,
                job.target_language,
                show::plain(text)
            )
        };
        let _ = writeln!(stdout, "{line}");
        let _ = stdout.flush();
    }
}

/// What a run and the keeping of its lease tell each other.
#[derive(Debug)]
struct Shared {
    progress: Cell<u8>,
    /// Why the job was lost, once it is.
    why: RefCell<Option<String>>,
    /// The uploads that the output is, where it was brought to the server.
    uploads: RefCell<Option<Uploads>>,
}

/// What comes of this, or nothing where `stop` comes first.
async fn unless<T>(stop: impl Future<Output = ()>, future: impl Future<Output = T>) -> Option<T> {
    let stopped = async {
        stop.await;
        None
    };
    async { Some(future.await) }.or(stopped).await
}

/// Waits until a channel is closed that nothing comes through.
async fn closed(channel: &Receiver<Infallible>) {
    let _ = channel.recv().await;
}

/// Says what is wrong, once for all that goes wrong in a row.
fn warn(pause: &Pause, why: &str) {
    if pause.is_first() {
        let paint = Paint::stderr();
        let why = show::plain(why.trim_end_matches('.'));
        show::say(&format!("{} {why}; trying again", paint.yellow("warning:")));
    }
}

/// As much of an error's sentence as a server takes.
fn cut(why: &str) -> &str {
    &why[..why.floor_char_boundary(Limits::SERVER.error_bytes_max)]
}

/// A line for a program: what happened, and the text that it is about under its name.
fn json_line(what: &str, job: &Claim, name: &'static str, text: &str) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        r#type: &'a str,
        job: &'a str,
        lease: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        output_url: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    }

    let named = |known| (name == known).then_some(text);
    api::body(&Line {
        r#type: what,
        job: &job.id,
        lease: job.lease,
        output_url: named("output_url"),
        error: named("error"),
    })
}
