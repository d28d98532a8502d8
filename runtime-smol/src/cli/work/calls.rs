//! What a worker asks of the server and says to it, one call each.

use crate::cli::{
    api::{self, Api},
    exchange::{Ask, PATIENCE, TRANSFER_PATIENCE},
    fail::Fail,
    remote::Remote,
    rest::rest,
    servers::Servers,
    show,
};
use dubhook_core::{
    http::{Method, Response},
    json::{self, Value},
    model,
};
use serde::Serialize;
use std::{io, time::Duration};

/// A job that this worker has claimed, and the lease under which it has it.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) id: String,
    /// The job as the server gave it.
    pub(super) json: String,
    pub(super) video_url: String,
    pub(super) target_language: String,
    /// What workers before this one have come to.
    pub(super) progress: u8,
    pub(super) lease: u64,
    pub(super) lease_time: Duration,
}

/// What a worker says of its job.
#[derive(Debug, Clone, Copy)]
pub(super) enum Report<'r> {
    /// It is at work, and so much more is done, if it is more.
    Alive(Option<u8>),
    /// Its output is there, and is this upload if it is one, with these subtitles.
    Completed(&'r str, Option<&'r Uploads>),
    Failed(&'r str),
}

/// What was brought to the server: uploads.
#[derive(Debug)]
pub(super) struct Uploads {
    pub(super) output: String,
    pub(super) subtitles: Option<String>,
}

/// That a job is completed, and its output was brought.
#[derive(Debug, Serialize)]
struct Brought<'a> {
    lease: u64,
    output_url: &'a str,
    upload: &'a str,
    subtitles: Option<&'a str>,
}

/// What becomes of a report.
#[derive(Debug)]
pub(super) enum Answer {
    /// It is taken.
    Taken,
    /// The job is not this worker's any more.
    Lost(String),
    /// It says what cannot be.
    Wrong(String),
    /// Nobody knows: it should be made again.
    Unheard(String),
}

/// The server, as a worker sees it.
#[derive(Debug)]
pub(super) struct WorkApi {
    servers: Servers,
    api_key: Option<String>,
}

impl WorkApi {
    /// The server that the arguments name.
    pub(super) fn new(remote: &Remote) -> Result<Self, Fail> {
        // Whether they name one.
        Api::new(remote)?;
        Ok(Self {
            servers: Servers::new(&remote.servers, remote.trust()?)?,
            api_key: remote.api_key.clone(),
        })
    }

    /// Claims a job; waits for one for so many seconds.
    pub(super) async fn claim(&self, wait_s: u64) -> Result<Option<Claim>, Fail> {
        let answered = self.post("/v1/work/claim", "", wait_s);
        let (status, answer) = answered.await?;
        match status {
            200 => job(&answer).map(Some),
            204 => Ok(None),
            _ => Err(Fail::NotDone(api::problem(status, &answer))),
        }
    }

    /// Reports on a job.
    pub(super) async fn report(&self, job: &Claim, report: Report<'_>) -> Answer {
        let said = model::Report {
            lease: Some(job.lease),
            ..model::Report::default()
        };
        let (what, said) = match report {
            Report::Alive(progress) => ("progress", model::Report { progress, ..said }),
            Report::Completed(url, Some(uploads)) => {
                let said = Brought {
                    lease: job.lease,
                    output_url: url,
                    upload: &uploads.output,
                    subtitles: uploads.subtitles.as_deref(),
                };
                return self.say(job, "complete", &api::body(&said)).await;
            }
            Report::Completed(url, None) => (
                "complete",
                model::Report {
                    output_url: Some(url),
                    ..said
                },
            ),
            Report::Failed(why) => (
                "fail",
                model::Report {
                    error: Some(why),
                    ..said
                },
            ),
        };
        self.say(job, what, &api::body(&said)).await
    }

    async fn say(&self, job: &Claim, what: &str, body: &str) -> Answer {
        let path = format!("/v1/work/{}/{what}", job.id);
        match self.post(&path, body, 0).await {
            Err(fail) => Answer::Unheard(reason(fail)),
            Ok((200..=299, _)) => Answer::Taken,
            Ok((status, answer)) => {
                let why = api::problem(status, &answer);
                match status {
                    404 | 409 => Answer::Lost(why),
                    400 | 413 | 415 | 422 => Answer::Wrong(why),
                    _ => Answer::Unheard(why),
                }
            }
        }
    }

    /// The server's URL, without a slash at its end.
    pub(super) fn server(&self) -> &str {
        self.servers.first()
    }

    /// Moves a part of a file: what `read` makes of the answer. A `path` that is a whole URL leads to somebody else, such as an object
    /// store.
    pub(super) async fn transfer<T>(
        &self,
        method: Method,
        path: &str,
        fields: &[(&'static str, &str)],
        body: &[u8],
        read: impl FnOnce(&Response<'_>) -> T,
    ) -> Result<T, Fail> {
        let ask = Ask {
            method,
            target: path,
            body,
            fields,
            api_key: self.api_key.as_deref(),
            patience: TRANSFER_PATIENCE,
        };
        self.servers.transfer(ask, read).await
    }

    /// Gets the rest of a file: see [`rest`].
    pub(super) async fn rest(
        &self,
        path: &str,
        at: u64,
        take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<u64> {
        let api_key = self.api_key.as_deref();
        rest(&self.servers, api_key, path, at, None, take).await
    }

    async fn post(&self, path: &str, body: &str, wait_s: u64) -> Result<(u16, Vec<u8>), Fail> {
        let prefer = format!("wait={wait_s}");
        let fields = [("prefer", prefer.as_str())];
        let ask = Ask {
            method: Method::Post,
            target: path,
            body: body.as_bytes(),
            fields: if wait_s > 0 { &fields } else { &[] },
            api_key: self.api_key.as_deref(),
            patience: PATIENCE + Duration::from_secs(wait_s),
        };
        self.servers.ask(ask).await
    }
}

/// The job that a claim was answered with.
fn job(answer: &[u8]) -> Result<Claim, Fail> {
    let no_job = || Fail::NotDone("the server's answer to a claim names no job".to_owned());
    let claim: model::Claim<String> = api::read(answer).map_err(|_| no_job())?;
    // Handed on as it came, whatever else it says.
    let given = json::object(answer).ok();
    let Some(Ok(Some(Value::Object(given)))) = given.map(|claim| claim.get("job")) else {
        return Err(no_job());
    };
    Ok(Claim {
        id: claim.job.name().as_str().to_owned(),
        json: format!("{{{}}}", given.inside()),
        video_url: show::plain(&claim.job.video_url),
        target_language: show::plain(&claim.job.target_language),
        progress: claim.job.progress,
        lease: claim.lease,
        lease_time: Duration::from_millis(claim.lease_ms),
    })
}

/// Why there was no answer, for somebody who knows which server was asked.
pub(super) fn reason(fail: Fail) -> String {
    match fail {
        Fail::Unreachable { error, .. } => format!("the server does not answer: {error}"),
        fail => fail.to_string(),
    }
}
