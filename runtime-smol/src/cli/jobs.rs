//! `status`, `jobs`, `cancel`: looking at jobs and calling them off.

use super::{
    api::{self, Api},
    fail::Fail,
    pages,
    remote::Remote,
    show::{self, Paint},
};
use clap::Args;
use dubhook_core::{
    http::Method,
    job,
    model::{Newest, Translation},
};

#[derive(Debug, Args)]
pub(super) struct Status {
    /// The job; the newest one in one word where none is named
    job: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Status {
    pub(super) fn run(&self) -> Result<(), Fail> {
        let api = Api::new(&self.remote)?;
        let Some(job) = &self.job else {
            let answer = api.get("/status")?;
            if self.remote.json {
                return Ok(show::print_json(&answer)?);
            }
            let newest: Newest = api::read(&answer)?;
            let status = newest.status.as_str();
            return Ok(show::print_line(&Paint::stdout().status(status))?);
        };
        let path = format!("/v1/translations/{}", api::id(job, "job_")?);
        self.remote.show(&api.get(&path)?)
    }
}

#[derive(Debug, Args)]
pub(super) struct Jobs {
    /// Only those with this status
    #[arg(long, value_parser = parse_status)]
    status: Option<job::Status>,
    /// At most so many
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    remote: Remote,
}

impl Jobs {
    pub(super) fn run(&self) -> Result<(), Fail> {
        let mut path = "/v1/translations?".to_owned();
        if let Some(status) = self.status {
            path = format!("{path}status={}&", status.as_str());
        }
        let headings = ["JOB", "STATUS", "%", "TO", "CREATED", "VIDEO"];
        pages::show(
            &self.remote,
            &path,
            self.limit,
            &headings,
            |job: &Translation<String>| {
                vec![
                    job.name().as_str().to_owned(),
                    job.status.as_str().to_owned(),
                    job.progress.to_string(),
                    show::plain(&job.target_language),
                    job.created_at.text().as_str().to_owned(),
                    show::plain(&job.video_url),
                ]
            },
        )
    }
}

fn parse_status(text: &str) -> Result<job::Status, String> {
    job::Status::parse(text)
        .ok_or_else(|| "it is one of pending, processing, completed, error, canceled".to_owned())
}

#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// The job
    job: String,
    #[command(flatten)]
    remote: Remote,
}

impl Cancel {
    pub(super) fn run(&self) -> Result<(), Fail> {
        let path = format!("/v1/translations/{}/cancel", api::id(&self.job, "job_")?);
        let job = Api::new(&self.remote)?.call(Method::Post, &path, "")?;
        self.remote.show(&job)
    }
}
