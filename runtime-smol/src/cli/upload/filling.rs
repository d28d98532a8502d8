//! An upload's bytes on their way: in pieces to the server, or to the object store that it names.

use super::kept::{Kept, Put, read};
use crate::cli::{
    api::{self, Api, PAUSES},
    fail::Fail,
};
use dubhook_core::http::Method;
use indicatif::ProgressBar;
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    thread,
    time::{Duration, Instant},
};

/// How many bytes are sent at once: at first, and at least and at most.
const PIECE_BYTES: u64 = 256 << 10;
const PIECE_BYTES_MAX: u64 = 8 << 20;
/// How long a piece should take, so that the bar moves and what is lost with one is little.
const PIECE_TIME: Duration = Duration::from_secs(1);
/// What came of a piece.
enum Sent {
    Kept,
    /// The upload does not go on there, or somebody else is filling it.
    Elsewhere,
}

/// Sends what is not there yet.
pub(super) fn fill(
    api: &Api<'_>,
    file: &mut File,
    kept: &mut Kept,
    bar: &ProgressBar,
) -> Result<(), Fail> {
    let mut pauses = PAUSES.iter();
    let mut len = PIECE_BYTES;
    while kept.received < kept.bytes {
        bar.set_position(kept.received);
        let begun = Instant::now();
        let before = kept.received;
        let why = match send(api, file, kept, len) {
            Ok(Sent::Kept) => {
                len = match begun.elapsed() {
                    took if took < PIECE_TIME => (2 * len).min(PIECE_BYTES_MAX),
                    took if took > 4 * PIECE_TIME => (len / 2).max(PIECE_BYTES),
                    _ => len,
                };
                *kept = read(api, &kept.id)?;
                Fail::NotDone(format!("{} does not grow", kept.id))
            }
            Ok(Sent::Elsewhere) => {
                *kept = read(api, &kept.id)?;
                Fail::NotDone(format!("somebody else is sending {}", kept.id))
            }
            Err(fail @ Fail::Unreachable { .. }) => {
                len = (len / 2).max(PIECE_BYTES);
                fail
            }
            Err(fail) => return Err(fail),
        };
        if kept.received > before {
            pauses = PAUSES.iter();
        } else {
            let Some(pause) = pauses.next() else {
                return Err(why);
            };
            thread::sleep(*pause);
            // Where it goes on is for the server to say, once it is there.
            if let Ok(now) = read(api, &kept.id) {
                *kept = now;
            }
        }
    }
    Ok(())
}

/// Sends what comes next: a piece to the server, or all of it or a part to where the server says.
fn send(api: &Api<'_>, file: &mut File, kept: &Kept, len: u64) -> Result<Sent, Fail> {
    if let Some(each) = kept.upload.part_bytes.filter(|each| *each > 0) {
        // Parts come in turn: so many are there, and the next one is sent as a whole.
        let number = kept.received / each;
        let path = format!("/v1/uploads/{}/parts/{}", kept.id, number + 1);
        let put: Put = api::read(&api.get(&path)?)?;
        let at = number * each;
        return put_whole(api, file, &put, at, each.min(kept.bytes - at));
    }
    match kept.upload.url.starts_with('/') {
        true => piece(api, file, kept, len),
        false => put_whole(api, file, &kept.upload, 0, kept.bytes),
    }
}

/// Sends bytes to where they go at once.
fn put_whole(api: &Api<'_>, file: &mut File, put: &Put, at: u64, bytes: u64) -> Result<Sent, Fail> {
    let body = bytes_of(file, at, bytes)?;
    let mut fields = vec![("content-type", "application/octet-stream")];
    let checksum = put.headers.checksum.as_deref();
    fields.extend(checksum.map(|checksum| ("x-amz-checksum-sha256", checksum)));
    let said = |status| match status {
        200..=299 => Ok(Sent::Kept),
        status => Err(Fail::NotDone(format!("the object store answered {status}"))),
    };
    api.transfer(Method::Put, &put.url, &fields, &body, |answer| {
        said(answer.status)
    })?
}

fn bytes_of(file: &mut File, at: u64, len: u64) -> Result<Vec<u8>, Fail> {
    let mut bytes = vec![0; len as usize];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Sends the next piece.
fn piece(api: &Api<'_>, file: &mut File, kept: &Kept, len: u64) -> Result<Sent, Fail> {
    let at = kept.received;
    let len = len.min(kept.bytes - at);
    let piece = bytes_of(file, at, len)?;
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
            200..=299 => Ok(Sent::Kept),
            409 => Ok(Sent::Elsewhere),
            status => Err(api::refusal(status, answer.body)),
        },
    )?
}
