//! `upload`: sends a video to the server, in pieces that are each on its disk when they are answered.

use super::{
    api::{self, Api},
    bar,
    fail::Fail,
    remote::Remote,
    show,
};
use clap::Args;
use dubhook_core::http::Method;
use dubhook_smol::media;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// How many bytes are sent at once.
const PIECE_BYTES: u64 = 8 << 20;
/// The pauses after which a piece that was lost is sent again.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
];

#[derive(Debug, Args)]
pub(super) struct Upload {
    /// The video
    file: PathBuf,
    /// Go on with this upload of the same file, which broke off
    #[arg(long, value_name = "UPLOAD")]
    resume: Option<String>,
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

/// What the server says of an upload.
#[derive(Debug, Deserialize)]
struct Kept {
    id: String,
    video_url: String,
    bytes: u64,
    received: u64,
    sha256: Option<String>,
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

/// Uploads a file, and returns what a job names it by.
pub(super) fn video_url(remote: &Remote, file: &Path) -> Result<String, Fail> {
    Ok(send(&Api::new(remote)?, file, None)?.video_url)
}

fn send(api: &Api<'_>, path: &Path, resume: Option<&str>) -> Result<Kept, Fail> {
    let blame = |error: io::Error| Fail::Usage(format!("{}: {error}", path.display()));
    let mut file = File::open(path).map_err(blame)?;
    let bytes = file.metadata().map_err(blame)?.len();
    let sha256 = media::sha256(&mut file).map_err(blame)?;
    let mut kept = match resume {
        None => {
            let name = path.file_name().map(|name| name.to_string_lossy());
            let name = name
                .as_deref()
                .map(|name| &name[..name.floor_char_boundary(255)]);
            let new = New {
                bytes,
                filename: name,
                sha256: &sha256,
            };
            let made = api.call(Method::Post, "/v1/uploads", &api::body(&new))?;
            api::read::<Kept>(&made)?
        }
        Some(id) => read(api, api::id(id, "med_")?)?,
    };
    if kept.bytes != bytes || kept.sha256.as_ref().is_some_and(|told| *told != sha256) {
        return Err(Fail::Usage(format!(
            "{} is an upload of another file",
            kept.id
        )));
    }
    let bar = bar::bytes("uploading", bytes);
    let mut pauses = PAUSES.iter();
    while kept.received < bytes {
        bar.set_position(kept.received);
        match piece(api, &mut file, &kept) {
            Ok(()) => {
                kept = read(api, &kept.id)?;
                pauses = PAUSES.iter();
            }
            Err(Fail::Unreachable { server, error }) => {
                let Some(pause) = pauses.next() else {
                    bar.abandon();
                    show::say(&format!("--resume {} goes on where it was", kept.id));
                    return Err(Fail::Unreachable { server, error });
                };
                thread::sleep(*pause);
                // Where it goes on is for the server to say, once it is there.
                if let Ok(now) = read(api, &kept.id) {
                    kept = now;
                }
            }
            Err(fail) => return Err(fail),
        }
    }
    bar.finish_and_clear();
    Ok(kept)
}

/// How far an upload is.
fn read(api: &Api<'_>, id: &str) -> Result<Kept, Fail> {
    api::read(&api.get(&format!("/v1/uploads/{id}"))?)
}

/// Sends the next piece.
fn piece(api: &Api<'_>, file: &mut File, kept: &Kept) -> Result<(), Fail> {
    let at = kept.received;
    let len = PIECE_BYTES.min(kept.bytes - at);
    let mut piece = vec![0; len as usize];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut piece)?;
    let fields = [
        ("tus-resumable", "1.0.0"),
        ("content-type", "application/offset+octet-stream"),
        ("upload-offset", &at.to_string()),
    ];
    let path = format!("/v1/uploads/{}", kept.id);
    api.transfer(
        Method::Patch,
        &path,
        &fields,
        &piece,
        |answer| match answer.status {
            200..=299 => Ok(()),
            status => Err(api::refusal(status, answer.body)),
        },
    )?
}
