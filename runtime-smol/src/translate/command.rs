//! A program for each job.
//!
//! Each runs in a process group of its own, so that it ends with all its children when its job is called off, takes too
//! long, or the server ends. While it runs its job's lease is kept alive, whether it reports or not. A lease can be lost
//! all the same, when the server itself was stopped for a while; then the job may be with another run, so a run whose
//! attempt is over reports nothing more and is ended.

use super::{Command, report_or_log};
use crate::{
    server::engine::{Engine, Spawner},
    signal::Signal,
};
use dubhook_core::{
    id::{Id, Prefix},
    job::Status,
    json::{self, Value},
    out::Out,
    service::{Report, Service},
    url::is_absolute_uri,
};
use rustix::process::{Pid, Signal as Kill, kill_process_group};
use smol::{
    Timer,
    future::{self, FutureExt},
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Stdio},
};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io,
    os::unix::process::CommandExt,
    rc::Rc,
    time::Duration,
};

/// How often a running job's lease is renewed: well within the lease.
const ALIVE: Duration = Duration::from_secs(15);
/// How long a program that is told to end may take to clean up.
const GRACE: Duration = Duration::from_secs(3);
/// How long the output of a program is read on after its end, for children that hold it open.
const TAIL: Duration = Duration::from_millis(500);
/// The longest line of output that is looked at, in bytes.
const LINE_BYTES_MAX: u64 = 64 * 1024;

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

/// How a run ended.
enum End {
    /// The job is done, and its output is there.
    Completed(String),
    /// It failed, for this reason.
    Failed(String),
    /// The job was called off; there is nothing to report.
    Stopped,
}

impl Run<'_, '_> {
    async fn to_end(&self, job: Vec<u8>) {
        let end = match self.spawn() {
            Ok(group) => self.supervise(group, job).await,
            Err(error) => End::Failed(format!("The translator could not be started: {error}")),
        };
        match &end {
            End::Completed(url) if url.len() > self.url_bytes_max() || !is_absolute_uri(url) => {
                self.report(Report::Failed(
                    "The translator named an output that is no URL, or one that is too long.",
                ));
            }
            End::Completed(url) => self.report(Report::Completed(url)),
            End::Failed(why) => self.report(Report::Failed(why)),
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
            report_or_log(engine.clock.now(), server.service_mut(), self.id, report);
            engine.turn.raise();
        } else {
            self.stop.raise();
        }
    }

    fn spawn(&self) -> io::Result<Group> {
        std::fs::create_dir_all(&self.command.output)?;
        let mut command = std::process::Command::new("sh");
        command
            .arg("-c")
            .arg(&self.command.line)
            .env(
                "DUBHOOK_OUTPUT_DIR",
                std::path::absolute(&self.command.output)?,
            )
            .env("DUBHOOK_JOB_ID", self.id.text(Prefix::Job).as_str())
            // What `serve` asks of its callers is none of the program's business, nor of whatever it calls.
            .env_remove("DUBHOOK_API_KEYS")
            .process_group(0);
        let child = smol::process::Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Group { child })
    }

    /// Feeds the program, listens to it and waits for its end, or brings that about.
    async fn supervise(&self, mut group: Group, job: Vec<u8>) -> End {
        let child = &mut group.child;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut output_url = None;
        let mut last_words = String::new();
        let ended = {
            let status = child.status();
            let talk = future::zip(
                feed(stdin, &job),
                future::zip(
                    lines(stdout, |line| self.hear(line, &mut output_url)),
                    lines(stderr, |line| last_words = line.to_owned()),
                ),
            );
            let status = async {
                let mut talk = std::pin::pin!(talk);
                let mut silent = false;
                let listen = async {
                    talk.as_mut().await;
                    silent = true;
                    future::pending().await
                };
                let status = status.or(listen).await;
                // A child of its own may hold its output open; it is not waited for.
                if !silent {
                    let tail = async { _ = Timer::after(TAIL).await };
                    async { _ = talk.await }.or(tail).await;
                }
                Some(status)
            };
            let stopped = async {
                self.stop.raised().await;
                None
            };
            let timed_out = async {
                Timer::after(self.command.timeout).await;
                Some(Err(io::ErrorKind::TimedOut.into()))
            };
            status.or(stopped).or(timed_out).or(self.keep_alive()).await
        };
        match ended {
            Some(Ok(status)) => {
                group.kill(Kill::KILL);
                conclude(status, output_url, &last_words)
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::TimedOut => {
                group.end().await;
                let seconds = self.command.timeout.as_secs_f32();
                End::Failed(format!(
                    "The translator took longer than {seconds} s and was stopped."
                ))
            }
            Some(Err(error)) => End::Failed(format!("The translator was lost: {error}")),
            None => {
                group.end().await;
                End::Stopped
            }
        }
    }

    /// Takes a line of the program's standard output.
    fn hear(&self, line: &str, output_url: &mut Option<String>) {
        let Ok(said) = json::object(line.as_bytes()) else {
            return;
        };
        let Ok([progress, url]) = said.fields(["progress", "output_url"]) else {
            return;
        };
        if let Some(Value::Number(progress)) = progress
            && let Ok(progress) = progress.as_u64()
        {
            self.report(Report::Progress(progress.min(100) as u8));
        }
        if let Some(Value::String(url)) = url {
            *output_url = String::from_utf8(url.bytes().collect()).ok();
        }
    }

    async fn keep_alive<T>(&self) -> T {
        loop {
            Timer::after(ALIVE).await;
            self.report(Report::Alive);
        }
    }
}

/// A program and all its children.
#[derive(Debug)]
struct Group {
    child: Child,
}

impl Group {
    /// Asks the program to end, and makes it end when it takes too long.
    async fn end(&mut self) {
        self.kill(Kill::TERM);
        let ended = async {
            // How it ends does not matter any more.
            let _ = self.child.status().await;
        };
        ended.or(async { _ = Timer::after(GRACE).await }).await;
        self.kill(Kill::KILL);
    }

    fn kill(&self, signal: Kill) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // Fails where all are gone already.
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill(Kill::KILL);
    }
}

/// Gives the program its job.
async fn feed(stdin: Option<ChildStdin>, job: &[u8]) {
    if let Some(mut stdin) = stdin {
        // A program that does not read its job is its own master.
        let _ = stdin.write_all(job).await;
    }
}

/// Reads lines until the end, and hands over those that are not empty.
async fn lines(output: Option<impl AsyncRead + Unpin>, mut each: impl FnMut(&str)) {
    let Some(output) = output else {
        return;
    };
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut output)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .await;
        if !matches!(read, Ok(1..)) {
            return;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if !text.is_empty() {
            each(text);
        }
    }
}

fn conclude(status: std::process::ExitStatus, output_url: Option<String>, last_words: &str) -> End {
    match (status.success(), output_url) {
        (true, Some(url)) => End::Completed(url),
        (true, None) => {
            End::Failed("The translator ended well but named no output_url.".to_owned())
        }
        (false, _) if last_words.is_empty() => {
            End::Failed(format!("The translator failed without a word ({status})."))
        }
        (false, _) => End::Failed(last_words.to_owned()),
    }
}
