//! `upload`: sends a video to the server, in pieces that are each on its disk when they are answered; and `uploads`.
//!
//! An upload that broke off is found again by the SHA-256 that was announced, whoever began it and wherever: so nothing is
//! remembered here, and a file that has changed since is another one.

mod filling;
mod kept;

use super::{
    api::{self, Api},
    bar,
    fail::Fail,
    pages,
    remote::Remote,
    show,
};
use clap::Args;
use dubhook_core::{http::Method, model::Page};
use dubhook_smol::media;
use filling::fill;
use kept::{Kept, read};
use serde::Serialize;
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// An upload that goes sooner is not gone on with, in milliseconds: a job should find it.
const LEFT_MS_MIN: u64 = 60 * 60 * 1_000;

#[derive(Debug, Args)]
pub(super) struct Upload {
    /// The video
    file: PathBuf,
    /// Go on with this upload of the same file; found without it where its SHA-256 was announced
    #[arg(long, value_name = "UPLOAD")]
    resume: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
pub(super) struct Uploads {
    /// At most so many
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    remote: Remote,
}

/// What is announced.
#[derive(Debug, Serialize)]
struct New<'a> {
    bytes: u64,
    filename: Option<&'a str>,
    sha256: &'a str,
}

impl Upload {
    pub(super) fn run(&self) -> Result<(), Fail> {
        let api = Api::new(&self.remote)?;
        let kept = send(&api, &self.file, self.resume.as_deref())?;
        if self.remote.json {
            let path = format!("/v1/uploads/{}", kept.id);
            return Ok(show::print_json(&api.get(&path)?)?);
        }
        Ok(show::print_line(&show::plain(&kept.video_url))?)
    }
}

impl Uploads {
    pub(super) fn run(&self) -> Result<(), Fail> {
        let headings = ["UPLOAD", "RECEIVED", "BYTES", "GOES", "FILE"];
        pages::show(
            &self.remote,
            "/v1/uploads?",
            self.limit,
            &headings,
            |upload: &Kept| {
                vec![
                    show::plain(&upload.id),
                    match upload.received < upload.bytes {
                        true => format!("{} %", upload.received * 100 / upload.bytes.max(1)),
                        false => "all".to_owned(),
                    },
                    upload.bytes.to_string(),
                    upload.expires_at.text().as_str().to_owned(),
                    show::plain(upload.filename.as_deref().unwrap_or_default()),
                ]
            },
        )
    }
}

/// Uploads a file, and returns what a job names it by.
pub(super) fn video_url(remote: &Remote, file: &Path) -> Result<String, Fail> {
    Ok(send(&Api::new(remote)?, file, None)?.video_url)
}

fn send(api: &Api<'_>, path: &Path, resume: Option<&str>) -> Result<Kept, Fail> {
    let blame = |error: io::Error| Fail::Usage(format!("{}: {error}", path.display()));
    let mut file = File::open(path).map_err(blame)?;
    let about = file.metadata().map_err(blame)?;
    if !about.is_file() {
        return Err(Fail::Usage(format!("{} is no file", path.display())));
    }
    let bytes = about.len();
    let bar = bar::bytes("reading", bytes);
    let sha256 = media::sha256(&mut bar.wrap_read(&mut file)).map_err(blame)?;
    bar.finish_and_clear();
    let mut kept = match resume {
        Some(id) => read(api, api::id(id, "med_")?)?,
        None => match begun(api, bytes, &sha256)? {
            Some(kept) => kept,
            None => announce(api, path, bytes, &sha256)?,
        },
    };
    if kept.bytes != bytes || kept.sha256.as_ref().is_some_and(|told| *told != sha256) {
        return Err(Fail::Usage(format!(
            "{} is an upload of another file",
            kept.id
        )));
    }
    let bar = bar::bytes("uploading", bytes);
    bar.set_position(kept.received);
    bar.reset_eta();
    let filled = fill(api, &mut file, &mut kept, &bar);
    if filled.is_err() {
        bar.abandon();
        if kept.received > 0 {
            let percent = kept.received * 100 / bytes.max(1);
            show::say(&format!(
                "{percent} % of it is there: the same command goes on with {}",
                kept.id
            ));
        }
    }
    filled?;
    bar.finish_and_clear();
    Ok(kept)
}

/// Announces an upload.
fn announce(api: &Api<'_>, path: &Path, bytes: u64, sha256: &str) -> Result<Kept, Fail> {
    let name = path.file_name().map(|name| name.to_string_lossy());
    let filename = name
        .as_deref()
        .map(|name| &name[..name.floor_char_boundary(255)]);
    let new = api::body(&New {
        bytes,
        filename,
        sha256,
    });
    match api.answer(Method::Post, "/v1/uploads", &new)? {
        (200..=299, made) => api::read(&made),
        // Nothing else is not there.
        (404, _) => Err(Fail::NotDone(
            "this server keeps no videos; start it with --media DIR, or name a URL that it can read"
                .to_owned(),
        )),
        (status, answer) => Err(api::refusal(status, &answer)),
    }
}

/// The upload of the same bytes of which most is there, if there is one.
fn begun(api: &Api<'_>, bytes: u64, sha256: &str) -> Result<Option<Kept>, Fail> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now_ms = now.map_or(0, |now| now.as_millis() as u64);
    let stays = |kept: &Kept| kept.expires_at.as_unix_ms() >= now_ms.saturating_add(LEFT_MS_MIN);
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/uploads?limit=100&sha256={sha256}{cursor}");
        let (200..=299, page) = api.answer(Method::Get, &path, "")? else {
            // What is wrong, whoever announces one is told.
            return Ok(None);
        };
        let page: Page<Vec<Kept>, String> = api::read(&page)?;
        let same = page.data.into_iter();
        let same = same.filter(|kept| kept.bytes == bytes && stays(kept));
        if let Some(kept) = same.max_by_key(|kept| kept.received) {
            return Ok(Some(kept));
        }
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(None),
        }
    }
}
