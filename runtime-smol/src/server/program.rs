//! A job that a program translates, and its lease.
//!
//! While it runs its job's lease is kept alive, whether it reports or not. A lease can be lost all the same, when the
//! server itself was stopped for a while; then the job may be with another run, so a run whose attempt is over reports
//! nothing more and is ended.

use super::{
    engine::{Engine, Spawner},
    media::language,
    sweep::upload_of,
};
use crate::{
    media::Input,
    signal::Signal,
    translate::{
        Command, End, Programs, Task, name_input, name_url, output_file, report_or_log,
        subtitles_beside,
    },
};
use async_io::Timer;
use dubhook_core::{
    id::{Id, Prefix},
    job::Status,
    out::Out,
    server::{MediaRefusal, Server},
    service::{Report, Service},
    url::is_absolute_uri,
};
use futures_lite::future::FutureExt;
use smol::unblock;
use std::{sync::Arc, time::Duration};

/// What is said of a job whose video is an upload that is not there.
const NO_INPUT: &str = "The upload is not there, or not all of it.";

/// And where its output is lost, because it could not be kept.
const NO_ROOM: &str = "There is no room for the translated video.";
const NOT_KEPT: &str = "The translated video could not be kept.";

/// What `serve` asks of its callers, and what opens its store.
const HIDDEN: &[&str] = &[
    "DUBHOOK_API_KEYS",
    "DUBHOOK_STORE",
    "PGPASSWORD",
    "PGPASSFILE",
];

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
    let upload = upload(service, id);
    let stop = programs.begin(id);
    let attempt = attempt(service, id);
    spawner.spawn(async move {
        let run = Run {
            engine,
            id,
            upload,
            attempt,
            command: &programs.command,
            stop: &stop,
        };
        run.to_end(job).await;
        programs.end(id, &stop);
        engine.turn.raise();
    });
}

/// The upload that a job is about, if it is one.
fn upload(service: &Service<'_>, id: Id) -> Option<Id> {
    let mut memory = [0; 64];
    let mut out = Out::new(&mut memory);
    service.write_video_url(service.find_job(id)?, &mut out);
    upload_of(out.written())
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
    /// The upload that it is about, if it is one.
    upload: Option<Id>,
    /// Which attempt at the job this is.
    attempt: Option<u8>,
    command: &'e Command,
    /// What ends it.
    stop: &'e Signal,
}

impl Run<'_, '_> {
    async fn to_end(&self, mut job: Vec<u8>) {
        if let Some(upload) = self.upload {
            match self.input(upload).or(self.keep_alive()).await {
                Some(Input::File(file)) => {
                    name_input(&mut job, &upload.text(Prefix::Media), &file);
                }
                Some(Input::Url(url)) => name_url(&mut job, &upload.text(Prefix::Media), &url),
                None => return self.report(Report::Failed(NO_INPUT)),
            }
        }
        let id = self.id.text(Prefix::Job);
        let mut hidden = HIDDEN.to_vec();
        hidden.extend(self.engine.media.iter().flat_map(|media| media.hidden()));
        let task = Task {
            id: id.as_str(),
            job: &job,
            hidden: &hidden,
        };
        let progress = |share| self.report(Report::Progress(share));
        let run = self.command.run(task, progress, self.stop.raised());
        match run
            .or(self.keep_alive())
            .await
            .checked(self.url_bytes_max())
        {
            End::Completed(url) => {
                let is_ours = self.is_ours(self.engine.server.borrow().service());
                let kept = match is_ours {
                    true => self.keep(&url).or(self.keep_alive()).await,
                    false => Ok(None),
                };
                self.report(match &kept {
                    Ok(kept) => Report::Completed(kept.as_deref().unwrap_or(&url)),
                    Err(why) => Report::Failed(why),
                });
            }
            End::Failed(why) => self.report(Report::Failed(&why)),
            // It was called off; there is nothing to report.
            End::Stopped => {}
        }
    }

    /// Where the upload can be read.
    async fn input(&self, upload: Id) -> Option<Input> {
        let media = Arc::clone(self.engine.media.as_ref()?);
        unblock(move || media.input(upload)).await.ok()
    }

    /// Keeps the output among the media, where it is a file that the program put where outputs go: callers get it there. Returns
    /// the URL for that, where the server knows how it is reached; and why there is none for a caller who has no other way to it,
    /// since he has uploaded his video.
    async fn keep(&self, output: &str) -> Result<Option<String>, &'static str> {
        let Some(media) = self.engine.media.clone() else {
            return Ok(None);
        };
        let (output, folder, job) = (output.to_owned(), self.command.output.clone(), self.id);
        let language = language(self.engine.server.borrow().service(), job);
        let kept = unblock(move || match output_file(&output, &folder) {
            Some(file) => {
                let subtitles = subtitles_beside(&file, &folder);
                media
                    .adopt(job, &language, &file, &subtitles)
                    .map(|()| true)
            }
            None => Ok(false),
        });
        let job = job.text(Prefix::Job);
        match kept.await {
            Ok(true) => Ok(self.output_link()),
            Ok(false) => Ok(None),
            Err(why) => {
                tracing::warn!(%job, ?why, "the output is not kept among the media");
                match (self.upload, why) {
                    (None, _) => Ok(None),
                    (Some(_), MediaRefusal::Full) => Err(NO_ROOM),
                    (Some(_), _) => Err(NOT_KEPT),
                }
            }
        }
    }

    /// The link to the output; none where it is not known how callers reach the server.
    fn output_link(&self) -> Option<String> {
        let mut memory = vec![0; self.url_bytes_max()];
        let mut out = Out::new(&mut memory);
        let server = self.engine.server.borrow();
        server.write_output_link(self.id, &mut out);
        let len = out.finish().unwrap_or(0);
        memory.truncate(len);
        String::from_utf8(memory)
            .ok()
            .filter(|link| len > 0 && is_absolute_uri(link))
    }

    fn url_bytes_max(&self) -> usize {
        self.engine.server.borrow().config().service.url_bytes_max
    }

    /// Whether the job is still this run's.
    fn is_ours(&self, service: &Service<'_>) -> bool {
        attempt(service, self.id) == self.attempt
    }

    /// Reports, unless the job is no longer this run's: then it ends.
    fn report(&self, report: Report<'_>) {
        let engine = self.engine;
        let mut server = engine.server.borrow_mut();
        if self.is_ours(server.service()) {
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
