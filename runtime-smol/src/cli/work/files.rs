//! The files of a job whose video is an upload: it is got from the server before the program runs, and the output is brought there
//! after it. Both go on after pauses for as long as the job is this worker's.

use super::{
    calls::{Claim, Uploads, WorkApi},
    pause::Pause,
};
use crate::cli::{api, exchange::ANSWER_BYTES_MAX};
use dubhook_core::http::Method;
use dubhook_smol::translate::{name_input, output_file, subtitles_beside, upload_of};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// How many bytes are got, or sent, at once.
const PART_BYTES: u64 = ANSWER_BYTES_MAX as u64 / 2;

/// A file that is there for one run.
#[derive(Debug)]
pub(super) struct Input(PathBuf);

impl Drop for Input {
    fn drop(&mut self) {
        // It may not be there yet; and there is nothing to be done where it stays.
        let _ = fs::remove_file(&self.0);
    }
}

/// What came of a part.
enum Moved<T> {
    Done(T),
    /// It should be tried again.
    Unheard,
}

/// An upload as the server says it.
#[derive(Debug, Deserialize)]
struct Kept {
    id: String,
    received: u64,
}

impl WorkApi {
    /// The job as its program gets it, and the file that it names, if its video is an upload.
    pub(super) async fn input(
        &self,
        job: &Claim,
        folder: &Path,
    ) -> Result<(Vec<u8>, Option<Input>), String> {
        let mut json = job.json.clone().into_bytes();
        let Some(upload) = upload_of(&job.video_url) else {
            return Ok((json, None));
        };
        let upload = api::id(upload, "med_").map_err(|fail| fail.to_string())?;
        let place = |error: io::Error| format!("The upload cannot be put down: {error}");
        fs::create_dir_all(folder).map_err(place)?;
        let folder = std::path::absolute(folder).map_err(place)?;
        let input = Input(folder.join(format!(".{}.{}.input", job.id, job.lease)));
        let mut file = File::create(&input.0).map_err(place)?;
        let path = format!("/v1/uploads/{upload}/content");
        let (mut at, mut pause) = (0, Pause::default());
        loop {
            match self.part(&path, at).await? {
                Moved::Unheard => pause.wait().await,
                Moved::Done((bytes, total)) => {
                    file.write_all(&bytes).map_err(place)?;
                    at += bytes.len() as u64;
                    pause.reset();
                    if at >= total || bytes.is_empty() {
                        break;
                    }
                }
            }
        }
        name_input(&mut json, upload, &input.0);
        Ok((json, Some(input)))
    }

    async fn part(&self, path: &str, at: u64) -> Result<Moved<(Vec<u8>, u64)>, String> {
        let range = format!("bytes={at}-{}", at + PART_BYTES - 1);
        let fields = [("range", range.as_str())];
        let got = self.transfer(Method::Get, path, &fields, b"", |answer| {
            let total = answer.fields.get("content-range");
            let total = total.and_then(|range| {
                std::str::from_utf8(range)
                    .ok()?
                    .rsplit('/')
                    .next()?
                    .parse()
                    .ok()
            });
            (answer.status, answer.body.to_vec(), total)
        });
        match got.await {
            Ok((206, bytes, Some(total))) => Ok(Moved::Done((bytes, total))),
            Ok((404, ..)) => Err("The upload is not there, or not all of it.".to_owned()),
            Ok((status @ 400..500, body, _)) => Err(api::problem(status, &body)),
            _ => Ok(Moved::Unheard),
        }
    }

    /// Brings the output of a job to the server whose video came from there, if it is a file below `folder`, and its subtitles: the URL
    /// that callers get it at, and the uploads that they are. None where the output is elsewhere, and is told as it is.
    pub(super) async fn output(
        &self,
        job: &Claim,
        output_url: &str,
        folder: &Path,
    ) -> Result<Option<(String, Uploads)>, String> {
        if upload_of(&job.video_url).is_none() {
            return Ok(None);
        }
        let Some(path) = output_file(output_url, folder) else {
            return Ok(None);
        };
        let output = self.send(&path).await?;
        let subtitles = match subtitles_beside(&path, folder).first() {
            Some(subtitles) => Some(self.send(subtitles).await?),
            None => None,
        };
        let url = format!("{}/v1/translations/{}/output", self.server(), job.id);
        Ok(Some((url, Uploads { output, subtitles })))
    }

    /// Sends a file. Returns what the upload is called.
    async fn send(&self, path: &Path) -> Result<String, String> {
        #[derive(Serialize)]
        struct New<'a> {
            bytes: u64,
            filename: Option<&'a str>,
        }

        let place = |error: io::Error| format!("The output cannot be read: {error}");
        let mut file = File::open(path).map_err(place)?;
        let bytes = file.metadata().map_err(place)?.len();
        let name = path.file_name().map(|name| name.to_string_lossy());
        let filename = name
            .as_deref()
            .map(|name| &name[..name.floor_char_boundary(255)]);
        let new = api::body(&New { bytes, filename });
        let mut pause = Pause::default();
        let id = loop {
            match self
                .upload(Method::Post, "/v1/uploads", &[], new.as_bytes())
                .await?
            {
                Moved::Done(Some(kept)) => break kept.id,
                _ => pause.wait().await,
            }
        };
        let path = format!("/v1/uploads/{id}");
        let mut piece = vec![0; PART_BYTES as usize];
        loop {
            let Moved::Done(Some(kept)) = self.upload(Method::Get, &path, &[], b"").await? else {
                pause.wait().await;
                continue;
            };
            let at = kept.received;
            if at >= bytes {
                return Ok(id);
            }
            let len = PART_BYTES.min(bytes - at) as usize;
            file.seek(SeekFrom::Start(at)).map_err(place)?;
            file.read_exact(&mut piece[..len]).map_err(place)?;
            let fields = [("upload-offset", at.to_string())];
            let fields = fields
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            match self
                .upload(Method::Patch, &path, &fields, &piece[..len])
                .await?
            {
                Moved::Done(_) => pause.reset(),
                Moved::Unheard => pause.wait().await,
            }
        }
    }

    async fn upload(
        &self,
        method: Method,
        path: &str,
        fields: &[(&'static str, &str)],
        body: &[u8],
    ) -> Result<Moved<Option<Kept>>, String> {
        let said = self.transfer(method, path, fields, body, |answer| {
            (answer.status, answer.body.to_vec())
        });
        match said.await {
            Ok((204, _)) => Ok(Moved::Done(None)),
            Ok((200..=299, body)) => match api::read(&body) {
                Ok(kept) => Ok(Moved::Done(Some(kept))),
                Err(fail) => Err(fail.to_string()),
            },
            // The one before it is still being taken.
            Ok((409, _)) => Ok(Moved::Unheard),
            Ok((status @ 400..500, body)) => Err(api::problem(status, &body)),
            _ => Ok(Moved::Unheard),
        }
    }
}
