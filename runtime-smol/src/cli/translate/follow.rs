//! Jobs on their way to their ends: one for each language, all at once.

use crate::cli::fail::Fail;
use dubhook_smol::client::{Client, Error, JobHandle, Request, Translation};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use smol::LocalExecutor;
use std::{cell::OnceCell, time::Duration};

/// A translation that is asked for, as far as is known.
#[derive(Debug)]
pub(super) struct Followed<'a> {
    pub(super) language: &'a str,
    /// What the server calls the job, once it has taken it.
    pub(super) name: OnceCell<String>,
    /// How it ended, once it has, or why nobody knows.
    pub(super) end: OnceCell<Result<Translation, Fail>>,
}

impl<'a> Followed<'a> {
    pub(super) const fn new(language: &'a str) -> Self {
        Self {
            language,
            name: OnceCell::new(),
            end: OnceCell::new(),
        }
    }
}

/// Asks for all of them, and follows them to their ends. What is known is in `all` at any time.
pub(super) async fn follow(client: &Client, request: &Request, all: &[Followed<'_>]) {
    let bars = MultiProgress::new();
    let executor = LocalExecutor::new();
    let tasks = all.iter().map(|followed| {
        let label = if all.len() > 1 { followed.language } else { "" };
        let bar = bars.add(bar(label));
        executor.spawn(async move {
            let request = request.clone().to(followed.language);
            let end = to_its_end(client, request, followed, &bar).await;
            bar.finish_and_clear();
            followed.end.get_or_init(|| end.map_err(Fail::from));
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let all_ended = async {
        for task in tasks {
            task.await;
        }
    };
    executor.run(all_ended).await;
}

async fn to_its_end(
    client: &Client,
    request: Request,
    followed: &Followed<'_>,
    bar: &ProgressBar,
) -> Result<Translation, Error> {
    let job = client.translate(request).await?;
    let name = followed.name.get_or_init(|| job.id());
    bar.println(name);
    watch(&job, bar).await
}

/// Shows how a job comes on, and returns how it ended.
async fn watch(job: &JobHandle, bar: &ProgressBar) -> Result<Translation, Error> {
    let mut latest = job.after(0).await?;
    loop {
        bar.set_message(latest.status.as_str());
        bar.set_position(latest.progress.into());
        if latest.has_ended() {
            return Ok(latest);
        }
        latest = job.after(latest.sequence).await?;
    }
}

fn bar(label: &str) -> ProgressBar {
    let template = match label {
        "" => "{msg:<11} {bar:40.cyan/dim} {pos:>3} %  {elapsed}",
        _ => "{prefix:<7} {msg:<11} {bar:32.cyan/dim} {pos:>3} %  {elapsed}",
    };
    // The templates are constants that indicatif accepts.
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(100).with_style(style.progress_chars("━━─"));
    bar.set_prefix(label.to_owned());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
