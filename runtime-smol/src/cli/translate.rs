//! `translate`: asks for a translation, and with `--wait` waits for its end.

use super::{
    api::{self, Api},
    download, duration,
    fail::Fail,
    remote::{Remote, close},
    show::{self, Paint},
    signals::endings,
    upload,
};
use async_io::{Timer, block_on};
use clap::Args;
use dubhook_core::{http::Method, job::Status, language, model::NewTranslation};
use dubhook_smol::client::{Client, Error, JobHandle, Request, Translation};
use futures_lite::{FutureExt, StreamExt};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    cell::OnceCell,
    fmt::Write,
    path::{Path, PathBuf},
    time::Duration,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes with --wait: 0 completed, 1 failed, called off or interrupted, 3 the server does not answer, 4 out of time."
)]
pub(super) struct Translate {
    /// The video: a URL, or a file that the server can read; with --upload or --output a file of this machine
    video: String,
    /// Into which language, such as es or pt-BR
    #[arg(long, value_name = "LANGUAGE", value_parser = parse_language)]
    to: String,
    /// From which language; found out where not said
    #[arg(long, value_name = "LANGUAGE", value_parser = parse_language)]
    from: Option<String>,
    /// Wait for its end
    #[arg(long)]
    wait: bool,
    /// Send the file to the server first
    #[arg(long)]
    upload: bool,
    /// Put the translated video here; the file is sent to the server first
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

impl Translate {
    pub(super) fn run(&self) -> Result<(), Fail> {
        let is_sent = self.upload || self.output.is_some();
        let video = match is_sent && !self.video.contains("://") {
            true => upload::video_url(&self.remote, Path::new(&self.video))?,
            false => video_url(&self.video)?,
        };
        if self.wait {
            let ended = block_on(self.wait_for(video))?;
            return self.show(&ended);
        }
        let body = api::body(&NewTranslation {
            source_language: self.from.as_ref(),
            reference: self.reference.as_ref(),
            callback_url: self.callback.as_ref(),
            ..NewTranslation::new(&video, &self.to)
        });
        let job = Api::new(&self.remote)?.call(Method::Post, "/v1/translations", &body)?;
        self.remote.show(&job)
    }

    async fn wait_for(&self, video: String) -> Result<Translation, Fail> {
        // Signals are heard before there is a webhook to remove.
        let mut signals = endings()?;
        let told = self.remote.client();
        let told = told
            .webhook(&self.host, 0)
            .description("dubhook translate --wait");
        let name = OnceCell::new();
        let ended = self.follow(&told, video, &name);
        let too_late = async {
            Timer::after(self.timeout).await;
            let seconds = self.timeout.as_secs_f32();
            Err(Fail::OutOfTime(match name.get() {
                Some(job) => {
                    format!("{job} has not ended within {seconds} s; it goes on without us")
                }
                None => format!("the server has not taken it within {seconds} s"),
            }))
        };
        let interrupted = async {
            signals.next().await;
            Err(Fail::NotDone(match name.get() {
                Some(job) => format!("interrupted; {job} goes on without us"),
                None => "interrupted before the server has taken it".to_owned(),
            }))
        };
        let ended = ended.or(too_late).or(interrupted).await;
        close(&told, &mut signals).await?;
        ended
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

    /// Asks for the translation and follows it to its end. Its id is in `name` as soon as it has one.
    async fn follow(
        &self,
        told: &Client,
        video: String,
        name: &OnceCell<String>,
    ) -> Result<Translation, Fail> {
        let client = self.client(told).await?;
        let mut request = Request::new(video).to(&self.to);
        if let Some(from) = &self.from {
            request = request.from(from);
        }
        if let Some(callback) = &self.callback {
            request = request.callback(callback);
        }
        if let Some(reference) = &self.reference {
            request = request.reference(reference);
        }
        let job = client.translate(request).await?;
        name.get_or_init(|| job.id().to_owned());
        Ok(watch(&job).await?)
    }

    fn show(&self, job: &Translation) -> Result<(), Fail> {
        if self.remote.json {
            let path = format!("/v1/translations/{}", job.name());
            show::print_json(&Api::new(&self.remote)?.get(&path)?)?;
        }
        let paint = Paint::stdout();
        match job.status {
            Status::Completed => {
                if let Some(folder) = &self.output {
                    let file = download::fetch(&self.remote, &job.name(), folder)?;
                    return match self.remote.json {
                        true => Ok(()),
                        false => download::show_file(&self.remote, &file),
                    };
                }
                if !self.remote.json {
                    let output = show::plain(job.output_url.as_deref().unwrap_or_default());
                    show::print_line(&format!("{}  {output}", paint.green("completed")))?;
                }
                Ok(())
            }
            Status::Canceled => Err(Fail::NotDone(format!("{} was called off", job.name()))),
            _ => {
                let why = show::plain(job.error.as_deref().unwrap_or("no reason was given"));
                Err(Fail::NotDone(why))
            }
        }
    }
}

/// Shows how the job comes on, and returns how it ended.
async fn watch(job: &JobHandle) -> Result<Translation, Error> {
    let style = ProgressStyle::with_template("{msg:<11} {bar:40.cyan/dim} {pos:>3} %  {elapsed}");
    // The template is a constant that indicatif accepts.
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(100).with_style(style.progress_chars("━━─"));
    bar.enable_steady_tick(Duration::from_millis(250));
    bar.println(job.id());
    let mut latest = job.after(0).await?;
    loop {
        bar.set_message(latest.status.as_str());
        bar.set_position(latest.progress.into());
        if latest.has_ended() {
            bar.finish_and_clear();
            return Ok(latest);
        }
        latest = job.after(latest.sequence).await?;
    }
}

/// The video as a URL: a path becomes one of a file.
fn video_url(video: &str) -> Result<String, Fail> {
    if video.contains("://") {
        return Ok(video.to_owned());
    }
    let path = Path::new(video).canonicalize();
    let path = path.map_err(|error| Fail::Usage(format!("{video}: {error}")))?;
    let mut url = "file://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => url.push(char::from(*byte)),
            // Writing to a string cannot fail.
            byte => _ = write!(url, "%{byte:02X}"),
        }
    }
    Ok(url)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn videos_are_urls_or_files_that_are_there() {
        assert_eq!(
            video_url("https://v.test/a b").unwrap(),
            "https://v.test/a b"
        );
        let here = Path::new(env!("CARGO_MANIFEST_DIR"))
            .canonicalize()
            .unwrap();
        let expect = format!("file://{}/Cargo.toml", here.display());
        let given = format!("{}/src/../Cargo.toml", here.display());
        assert_eq!(video_url(&given).unwrap(), expect.replace(' ', "%20"));
        assert!(matches!(video_url("no such file.mp4"), Err(Fail::Usage(_))));
    }
}
