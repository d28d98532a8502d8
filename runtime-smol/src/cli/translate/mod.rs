//! `translate`: asks for a translation into each language, and with `--wait` waits for their ends.

mod follow;
mod video;

use super::{
    api::{self, Api},
    download, duration,
    fail::Fail,
    remote::{Remote, close},
    show::{self, Paint},
    signals::endings,
};
use async_io::{Timer, block_on};
use async_signal::Signals;
use clap::Args;
use dubhook_core::{http::Method, job::Status, language, model::NewTranslation};
use dubhook_smol::client::{Client, Error, Request, Translation};
use follow::{Followed, follow};
use futures_lite::{FutureExt, StreamExt};
use smol::unblock;
use std::{path::PathBuf, time::Duration};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes with --wait: 0 all completed, 1 one failed, was called off or interrupted, 3 the server does not answer, 4 out of time."
)]
pub(super) struct Translate {
    /// The video: a URL, or a file of this machine; the file is sent to a server that is on another one
    video: String,
    /// Into which languages, such as es or pt-BR; one job for each
    #[arg(long, value_name = "LANGUAGE,…", required = true, value_delimiter = ',', value_parser = parse_language)]
    to: Vec<String>,
    /// From which language; found out where not said
    #[arg(long, value_name = "LANGUAGE", value_parser = parse_language)]
    from: Option<String>,
    /// Wait for its end
    #[arg(long)]
    wait: bool,
    /// Send the file to the server first, also to one on this machine
    #[arg(long)]
    upload: bool,
    /// Put the translated videos here, and their subtitles; the file is sent to the server first
    #[arg(long, value_name = "DIR", requires = "wait")]
    output: Option<PathBuf>,
    /// How long to wait at most
    #[arg(long, value_name = "TIME", requires = "wait", default_value = "30m", value_parser = duration::parse)]
    timeout: Duration,
    /// Where else to tell what happens to it
    #[arg(long, value_name = "URL")]
    callback: Option<String>,
    /// What you call it
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
    /// The name by which the server reaches this machine, to be told of the end
    #[arg(
        long,
        value_name = "NAME",
        requires = "wait",
        default_value = "localhost"
    )]
    host: String,
    #[command(flatten)]
    remote: Remote,
}

/// Why jobs are followed no longer.
#[derive(Debug, Clone, Copy)]
enum Cut {
    TooLate,
    Interrupted,
}

impl Translate {
    pub(super) fn run(&self) -> Result<(), Fail> {
        let is_sent = self.upload || self.output.is_some();
        let video = video::url(&self.video, is_sent, &self.remote)?;
        let mut languages: Vec<&str> = Vec::new();
        for language in &self.to {
            if !languages.contains(&language.as_str()) {
                languages.push(language);
            }
        }
        if self.wait {
            return block_on(self.wait_for(&video, &languages));
        }
        let api = Api::new(&self.remote)?;
        for (count, language) in languages.iter().enumerate() {
            let body = api::body(&NewTranslation {
                source_language: self.from.as_ref(),
                reference: self.reference.as_ref(),
                callback_url: self.callback.as_ref(),
                ..NewTranslation::new(&video, &(*language).to_owned())
            });
            let job = api.call(Method::Post, "/v1/translations", &body)?;
            if count > 0 && !self.remote.json {
                show::print_line("")?;
            }
            self.remote.show(&job)?;
        }
        Ok(())
    }

    async fn wait_for(&self, video: &str, languages: &[&str]) -> Result<(), Fail> {
        // Signals are heard before there is a webhook to remove.
        let mut signals = endings()?;
        let told = self.remote.client();
        let told = told
            .webhook(&self.host, 0)
            .description("dubhook translate --wait");
        let all: Vec<_> = languages.iter().map(|to| Followed::new(to)).collect();
        let ended = async {
            let client = self.client(&told).await?;
            follow(&client, &self.request(video), &all).await;
            Ok(None)
        };
        let too_late = async {
            Timer::after(self.timeout).await;
            Ok(Some(Cut::TooLate))
        };
        let interrupted = async {
            signals.next().await;
            Ok(Some(Cut::Interrupted))
        };
        let cut: Result<_, Fail> = ended.or(too_late).or(interrupted).await;
        close(&told, &mut signals).await?;
        self.tell(all, cut?, &mut signals).await
    }

    fn request(&self, video: &str) -> Request {
        let mut request = Request::new(video);
        if let Some(from) = &self.from {
            request = request.from(from);
        }
        if let Some(callback) = &self.callback {
            request = request.callback(callback);
        }
        if let Some(reference) = &self.reference {
            request = request.reference(reference);
        }
        request
    }

    /// A client that is told, or if the server cannot or may not call this machine, one that asks.
    async fn client(&self, told: &Client) -> Result<Client, Fail> {
        match told.register_webhook().await {
            Ok(()) => Ok(told.clone()),
            // Whoever has no key may not ask, either.
            Err(Error::Refused(refusal)) if refusal.status == 401 => {
                Err(Error::Refused(refusal).into())
            }
            Err(Error::Refused(_) | Error::Listen { .. } | Error::WebhookUrl { .. }) => {
                let note = format!(
                    "the server cannot tell {}, so it is asked now and then",
                    self.host
                );
                show::say(&Paint::stderr().dim(&note));
                Ok(self.remote.client())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Shows what came of all of them, and brings it where that is wanted. The gravest failure is the command's.
    async fn tell(
        &self,
        all: Vec<Followed<'_>>,
        cut: Option<Cut>,
        signals: &mut Signals,
    ) -> Result<(), Fail> {
        let (is_alone, mut files, mut fails) = (all.len() == 1, Vec::new(), Vec::new());
        for followed in all {
            let language = followed.language;
            let told = match followed.end.into_inner() {
                Some(Ok(job)) => self.tell_end(&job, is_alone, &mut files, signals).await,
                Some(Err(fail)) => Err(fail),
                None => Err(self.cut_off(followed.name.get(), cut)),
            };
            fails.extend(told.err().map(|fail| match is_alone {
                true => fail,
                false => fail.about(language),
            }));
        }
        fails.sort_by_key(Fail::exit_code);
        let Some(gravest) = fails.pop() else {
            return Ok(());
        };
        for fail in fails {
            fail.tell();
        }
        Err(gravest)
    }

    fn cut_off(&self, job: Option<&String>, cut: Option<Cut>) -> Fail {
        let seconds = self.timeout.as_secs_f32();
        match (cut, job) {
            (Some(Cut::TooLate), Some(job)) => Fail::OutOfTime(format!(
                "{job} has not ended within {seconds} s; it goes on without us"
            )),
            (Some(Cut::TooLate), None) => {
                Fail::OutOfTime(format!("the server has not taken it within {seconds} s"))
            }
            (_, Some(job)) => Fail::NotDone(format!("interrupted; {job} goes on without us")),
            (_, None) => Fail::NotDone("interrupted before the server has taken it".to_owned()),
        }
    }

    async fn tell_end(
        &self,
        job: &Translation,
        is_alone: bool,
        files: &mut Vec<PathBuf>,
        signals: &mut Signals,
    ) -> Result<(), Fail> {
        let name = job.name();
        let mut brought = None;
        if let (Status::Completed, Some(folder)) = (job.status, &self.output) {
            let (remote, folder, taken) = (self.remote.clone(), folder.clone(), files.clone());
            let fetch = unblock(move || download::fetch(&remote, &name, &folder, &taken));
            let interrupted = async {
                signals.next().await;
                let why = format!("interrupted; dubhook download {} gets it", job.name());
                Err(Fail::NotDone(why))
            };
            let here = fetch.or(interrupted).await?;
            files.extend_from_slice(&here);
            brought = Some(here);
        }
        if self.remote.json {
            let path = format!("/v1/translations/{}", job.name());
            let said = Api::new(&self.remote)?.get(&path)?;
            match &brought {
                Some(files) => show::print_json(&download::with_files(&said, files))?,
                None => show::print_json(&said)?,
            }
        }
        match job.status {
            Status::Completed if self.remote.json => Ok(()),
            Status::Completed => match brought {
                Some(files) => download::show_files(&files),
                None => {
                    let output = show::plain(job.output_url.as_deref().unwrap_or_default());
                    let done = Paint::stdout().green("completed");
                    let language = match is_alone {
                        true => String::new(),
                        false => format!("  {}", show::plain(&job.target_language)),
                    };
                    Ok(show::print_line(&format!("{done}{language}  {output}"))?)
                }
            },
            Status::Canceled => Err(Fail::NotDone(format!("{} was called off", job.name()))),
            _ => {
                let why = show::plain(job.error.as_deref().unwrap_or("no reason was given"));
                Err(Fail::NotDone(why))
            }
        }
    }
}

fn parse_language(text: &str) -> Result<String, String> {
    if language::is_well_formed(text) {
        return Ok(text.to_owned());
    }
    Err(
        "it is no BCP 47 language tag; write es for Spanish, pt-BR for Portuguese as in Brazil"
            .to_owned(),
    )
}
