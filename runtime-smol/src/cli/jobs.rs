//! `status`, `jobs`, `cancel`: looking at jobs and calling them off.

use super::{
    api::{self, Api},
    fail::Fail,
    pages::Pages,
    remote::Remote,
    show::{self, Paint},
};
use clap::Args;
use dubhook_core::{
    http::Method,
    job,
    model::{Newest, Page, Translation},
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

/// What one page of a list holds at most.
const PAGE_MAX: usize = 100;

impl Jobs {
    pub(super) fn run(&self) -> Result<(), Fail> {
        let api = Api::new(&self.remote)?;
        let mut rows = Vec::new();
        let mut pages = Pages::default();
        let mut cursor = String::new();
        while rows.len() < self.limit {
            let limit = (self.limit - rows.len()).min(PAGE_MAX);
            let mut path = format!("/v1/translations?limit={limit}");
            if let Some(status) = self.status {
                path = format!("{path}&status={}", status.as_str());
            }
            if !cursor.is_empty() {
                path = format!("{path}&cursor={cursor}");
            }
            let page = api.get(&path)?;
            if self.remote.json {
                pages.add(&page);
            }
            let page: Page<Vec<Translation<String>>, String> = api::read(&page)?;
            rows.extend(page.data.iter().map(|job| {
                vec![
                    job.name().as_str().to_owned(),
                    job.status.as_str().to_owned(),
                    job.progress.to_string(),
                    show::plain(&job.target_language),
                    job.created_at.text().as_str().to_owned(),
                    show::plain(&job.video_url),
                ]
            }));
            match page.next_cursor {
                Some(next) => cursor = next,
                None => {
                    cursor.clear();
                    break;
                }
            }
        }
        if self.remote.json {
            let next = Some(cursor.as_str()).filter(|next| !next.is_empty());
            return Ok(show::print_json(&pages.into_document(next))?);
        }
        let headings = ["JOB", "STATUS", "%", "TO", "CREATED", "VIDEO"];
        Ok(show::print_table(&headings, &rows)?)
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
