//! The files of a job whose video is an upload: it is got from the server before the program runs, and the output is brought there
//! after it. Both go on after pauses for as long as the job is this worker's.

use super::{
    calls::{Claim, Uploads, WorkApi},
    pause::Pause,
};
use crate::cli::{api, exchange::ANSWER_BYTES_MAX};
use dubhook_core::http::{Method, Response};
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
    upload: Put,
}

/// How its bytes are to be sent.
#[derive(Debug, Deserialize)]
struct Put {
    /// Of the server's own it is a path.
    url: String,
    /// How many bytes each part has but for the last one, where they go in parts to an object store.
    part_bytes: Option<u64>,
}

/// What is to be sent next.
struct Next {
    at: u64,
    bytes: u64,
    /// Where to, if not to the server.
    url: Option<String>,
}

/// What a request for a part was answered.
struct Got {
    status: u16,
    body: Vec<u8>,
    /// How many bytes there are in all.
    total: Option<u64>,
    /// Where it is instead.
    at: Option<String>,
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
                    if at < total {
                        let take = |piece: &[u8]| file.write_all(piece);
                        at += self.rest(&path, at, take).await.map_err(place)?;
                    }
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
        let read = |answer: &Response<'_>| {
            let text = |name| str::from_utf8(answer.fields.get(name)?).ok();
            let total = text("content-range").and_then(|range| range.rsplit('/').next());
            Got {
                status: answer.status,
                body: answer.body.to_vec(),
                total: total.and_then(|total| total.parse().ok()),
                at: text("location").map(str::to_owned),
            }
        };
        let mut got = self.transfer(Method::Get, path, &fields, b"", read).await;
        // Where an object store has it, the server names another URL each time, for each is good for a time.
        if let Ok(Got {
            status: 302,
            at: Some(url),
            ..
        }) = &got
        {
            got = self.transfer(Method::Get, url, &fields, b"", read).await;
        }
        let Ok(got) = got else {
            return Ok(Moved::Unheard);
        };
        match (got.status, got.total) {
            (206, Some(total)) => Ok(Moved::Done((got.body, total))),
            (404, _) => Err("The upload is not there, or not all of it.".to_owned()),
            (status @ 400..500, _) => Err(api::problem(status, &got.body)),
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
        let mut piece = Vec::new();
        loop {
            let Moved::Done(Some(kept)) = self.upload(Method::Get, &path, &[], b"").await? else {
                pause.wait().await;
                continue;
            };
            let at = kept.received;
            if at >= bytes {
                return Ok(id);
            }
            let Some(next) = self.next(&path, &kept, bytes).await? else {
                pause.wait().await;
                continue;
            };
            piece.resize(next.bytes as usize, 0);
            file.seek(SeekFrom::Start(next.at)).map_err(place)?;
            file.read_exact(&mut piece).map_err(place)?;
            let sent = match next.url.as_deref() {
                Some(url) => self.put(url, &piece).await?,
                None => {
                    let at = at.to_string();
                    let fields = [("upload-offset", at.as_str())];
                    self.upload(Method::Patch, &path, &fields, &piece).await?
                }
            };
            match sent {
                Moved::Done(_) => pause.reset(),
                Moved::Unheard => pause.wait().await,
            }
        }
    }

    /// What of so many bytes is to be sent next, and where.
    async fn next(&self, path: &str, kept: &Kept, bytes: u64) -> Result<Option<Next>, String> {
        let at = kept.received;
        if let Some(each) = kept.upload.part_bytes.filter(|each| *each > 0) {
            // Parts come in turn, each as a whole.
            let number = at / each;
            let path = format!("{path}/parts/{}", number + 1);
            let said = self.transfer(Method::Get, &path, &[], b"", |answer| {
                (answer.status, answer.body.to_vec())
            });
            let url = match said.await {
                Ok((200, body)) => {
                    api::read::<Put>(&body)
                        .map_err(|fail| fail.to_string())?
                        .url
                }
                Ok((status @ 400..500, body)) => return Err(api::problem(status, &body)),
                _ => return Ok(None),
            };
            let at = number * each;
            return Ok(Some(Next {
                at,
                bytes: each.min(bytes - at),
                url: Some(url),
            }));
        }
        let is_here = kept.upload.url.starts_with('/');
        Ok(Some(match is_here {
            true => Next {
                at,
                bytes: PART_BYTES.min(bytes - at),
                url: None,
            },
            false => Next {
                at: 0,
                bytes,
                url: Some(kept.upload.url.clone()),
            },
        }))
    }

    /// Sends bytes to an object store.
    async fn put(&self, url: &str, piece: &[u8]) -> Result<Moved<Option<Kept>>, String> {
        let fields = [("content-type", "application/octet-stream")];
        let said = self.transfer(Method::Put, url, &fields, piece, |answer| answer.status);
        match said.await {
            Ok(200..=299) => Ok(Moved::Done(None)),
            // The URL's time may be over: another is asked for.
            _ => Ok(Moved::Unheard),
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
