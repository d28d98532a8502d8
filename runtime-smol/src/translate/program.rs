//! One run of a translator program: it is fed its job, listened to, and ended with all its children.
//!
//! Each runs in a process group of its own, so that it ends with all its children when its job is called off, takes too
//! long, or whoever runs it ends. Both the server's own translator and `dubhook work` run programs so.

use super::said::Said;
use crate::orphans::{self, Known};
use async_io::Timer;
use dubhook_core::url::is_absolute_uri;
use futures_lite::{
    future::{self, FutureExt},
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
};
use rustix::process::{Pid, Signal as Kill, kill_process_group};
use smol::process::{Child, ChildStdin, Stdio};
use std::{io, os::unix::process::CommandExt, path::PathBuf, time::Duration};

/// How long a program that is told to end may take to clean up.
const GRACE: Duration = Duration::from_secs(3);
/// How long the output of a program is read on after its end, for children that hold it open.
const TAIL: Duration = Duration::from_millis(500);
/// The longest line of output that is looked at, in bytes.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// After how many bytes of output a program waits for its reader, and how long: one that talks without end must not
/// have the thread for itself.
const TURN_BYTES: usize = 16 * 1024;
const REST: Duration = Duration::from_millis(5);

/// A program that is run for each job.
///
/// It gets the job's JSON on its standard input and `DUBHOOK_OUTPUT_DIR` in its environment. A line
/// `{"progress":42}` or `{"output_url":"…"}` on its standard output reports; other lines are passed over. If it exits
/// with 0 the job is completed, otherwise it is an error with the last line of its standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What is run, by `sh -c`.
    pub line: String,
    /// How many run at once at most.
    pub workers: usize,
    /// Where outputs go; made if it is not there.
    pub output: PathBuf,
    /// How long a job may take.
    pub timeout: Duration,
}

/// What a program is given.
#[derive(Debug, Clone, Copy)]
pub struct Task<'t> {
    /// The job's id.
    pub id: &'t str,
    /// The job as JSON.
    pub job: &'t [u8],
    /// Environment variables of whoever runs it that are none of its business, nor of whatever it calls.
    pub hidden: &'t [&'t str],
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The job is done, and its output is there.
    Completed(String),
    /// It failed, for this reason.
    Failed(String),
    /// It was told to stop.
    Stopped,
}

impl End {
    /// The same, unless the output that it names is none: then it has failed.
    #[must_use]
    pub fn checked(self, url_bytes_max: usize) -> Self {
        match self {
            Self::Completed(url) if url.len() > url_bytes_max || !is_absolute_uri(&url) => {
                Self::bad_output()
            }
            end => end,
        }
    }

    /// The end of a run whose output is refused.
    #[must_use]
    pub fn bad_output() -> Self {
        Self::Failed(
            "The translator named an output that is no URL, or one that is too long.".to_owned(),
        )
    }
}

impl Command {
    /// Runs the program for one job, until it ends or `stop` does. `progress` is called with each share that it reports,
    /// 0 to 100.
    pub async fn run(
        &self,
        task: Task<'_>,
        progress: impl FnMut(u8),
        stop: impl Future<Output = ()>,
    ) -> End {
        match self.spawn(&task) {
            Ok(group) => self.supervise(group, task.job, progress, stop).await,
            Err(error) => End::Failed(format!("The translator could not be started: {error}")),
        }
    }

    fn spawn(&self, task: &Task<'_>) -> io::Result<Group> {
        std::fs::create_dir_all(&self.output)?;
        let mut command = std::process::Command::new("sh");
        command
            .arg("-c")
            .arg(&self.line)
            .env("DUBHOOK_OUTPUT_DIR", std::path::absolute(&self.output)?)
            .env("DUBHOOK_JOB_ID", task.id)
            .process_group(0);
        for name in task.hidden {
            command.env_remove(name);
        }
        let mut command = smol::process::Command::from(command);
        let piped = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let (child, known) = orphans::spawn(piped)?;
        Ok(Group {
            child,
            _known: known,
        })
    }

    /// Feeds the program, listens to it and waits for its end, or brings that about.
    async fn supervise(
        &self,
        mut group: Group,
        job: &[u8],
        mut progress: impl FnMut(u8),
        stop: impl Future<Output = ()>,
    ) -> End {
        let child = &mut group.child;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut said = Said::default();
        let mut last_words = String::new();
        let ended = {
            let status = child.status();
            let talk = future::zip(
                feed(stdin, job),
                future::zip(
                    lines(stdout, |line| said.hear(line, &mut progress)),
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
                stop.await;
                None
            };
            let timed_out = async {
                Timer::after(self.timeout).await;
                Some(Err(io::ErrorKind::TimedOut.into()))
            };
            status.or(stopped).or(timed_out).await
        };
        match ended {
            Some(Ok(status)) => {
                group.kill(Kill::KILL);
                conclude(status, said.output_url, &last_words)
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::TimedOut => {
                group.end().await;
                let seconds = self.timeout.as_secs_f32();
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
}

/// A program and all its children.
#[derive(Debug)]
struct Group {
    child: Child,
    _known: Known,
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

/// Reads lines until the end, and hands over those that are not empty. Rests after each turn.
async fn lines(output: Option<impl AsyncRead + Unpin>, mut each: impl FnMut(&str)) {
    let Some(output) = output else {
        return;
    };
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    let mut turn = 0;
    loop {
        line.clear();
        let read = (&mut output)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .await;
        let Ok(len @ 1..) = read else {
            return;
        };
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if !text.is_empty() {
            each(text);
        }
        turn += len;
        if turn >= TURN_BYTES {
            turn = 0;
            Timer::after(REST).await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::io::repeat;

    #[test]
    fn who_talks_without_end_leaves_others_their_turn() {
        let output = repeat(b'\n').take(1024 * 1024);
        let talk = async {
            lines(Some(output), |_| ()).await;
            "nobody had a turn before its end"
        };
        let other = async {
            Timer::after(Duration::from_millis(1)).await;
            "another"
        };
        assert_eq!(async_io::block_on(talk.or(other)), "another");
    }
}
