//! `download`: gets what came of a job: its video, and its subtitles where there are any.
//!
//! The first part of a video says how long it is and what it is called; the rest comes in one answer. Where that breaks off, the next
//! part is asked for, and again the rest.

use super::{
    api::{self, Api, PAUSES},
    bar,
    exchange::ANSWER_BYTES_MAX,
    fail::Fail,
    remote::Remote,
    show,
};
use clap::Args;
use dubhook_core::{
    http::{Method, Response},
    json::Writer,
    model::Translation,
    out::Out,
};
use dubhook_smol::media;
use indicatif::ProgressBar;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
};

/// How many bytes the first part has, and the next one after a break.
const PART_BYTES: u64 = ANSWER_BYTES_MAX as u64 / 2;

/// The longest name of a file: 255 bytes are what disks take, and a job's id may stand before it, and `.part` after it. And the longest
/// ending that a name keeps.
const NAME_BYTES_MAX: usize = 200;
const ENDING_BYTES_MAX: usize = 16;

#[derive(Debug, Args)]
pub(super) struct Download {
    /// The job
    job: String,
    /// Where to put it
    #[arg(long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
    #[command(flatten)]
    remote: Remote,
}

/// What came of a job: the video first, and the subtitles that the server has.
pub(super) type Files = Vec<PathBuf>;

impl Download {
    pub(super) fn run(&self) -> Result<(), Fail> {
        let files = fetch(&self.remote, &self.job, &self.output, &[])?;
        if !self.remote.json {
            return show_files(&files);
        }
        Ok(show::print_json(&with_files(b"{}", &files))?)
    }
}

/// Says where files are, a line each.
pub(super) fn show_files(files: &Files) -> Result<(), Fail> {
    for file in files {
        show::print_line(&show::plain(&file.to_string_lossy()))?;
    }
    Ok(())
}

/// A JSON object with two more members: `file`, the video, and `subtitles`.
pub(super) fn with_files(object: &[u8], files: &Files) -> Vec<u8> {
    let shown: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
    let bytes: usize = shown.iter().map(|file| 6 * file.len() + 3).sum();
    let mut memory = vec![0; bytes + 64];
    let mut out = Out::new(&mut memory);
    let mut json = Writer::new(&mut out);
    json.object().name("file");
    json.string_or_null(shown.first().map(|file| &**file));
    json.name("subtitles").array();
    for file in shown.iter().skip(1) {
        json.string(file);
    }
    json.end_array().end_object();
    let inside = object.trim_ascii().strip_suffix(b"}").unwrap_or_default();
    let comma: &[u8] = if inside.len() > 1 { b"," } else { b"" };
    let members = out.written().strip_prefix(b"{").unwrap_or_default();
    [inside, comma, members].concat()
}

/// A part of an output, and what was said of the whole.
#[derive(Debug)]
struct Part {
    bytes: Vec<u8>,
    total: u64,
    tag: String,
    name: Option<String>,
}

/// What is answered to who asks for one.
enum Got {
    Part(Part),
    /// It is there.
    At(String),
}

/// Puts what came of a job into a folder, under the name that the server gives it; under one with the job's in it where that
/// would be one of the files that are `taken`.
pub(super) fn fetch(
    remote: &Remote,
    job: &str,
    folder: &Path,
    taken: &[PathBuf],
) -> Result<Files, Fail> {
    let api = Api::new(remote)?;
    let job = api::id(job, "job_")?;
    let path = format!("/v1/translations/{job}/output");
    let first = part(&api, &path, 0, None).map_err(|fail| elsewhere(&api, job, fail))?;
    let name = first.name.as_deref().and_then(file_name);
    let name = name.unwrap_or_else(|| job.to_owned());
    let mut to = folder.join(&name);
    if taken.contains(&to) {
        to = folder.join(format!("{job}.{name}"));
    }
    let blame = |error: io::Error| Fail::NotDone(format!("{}: {error}", to.display()));
    fs::create_dir_all(folder).map_err(blame)?;
    let new = part_of(&to);
    let bar = bar::bytes("downloading", first.total);
    let fetched = fill(&api, &path, first, &new, &bar);
    if fetched.is_err() {
        bar.abandon();
        // It is of no use, and there is nothing to be done where it stays.
        let _ = fs::remove_file(&new);
    }
    fetched?;
    fs::rename(&new, &to).map_err(blame)?;
    bar.finish_and_clear();
    let mut files = vec![to];
    for kind in ["vtt", "srt"] {
        files.extend(subtitles(&api, &path, kind, &files[0])?);
    }
    Ok(files)
}

/// The same failure, and where the output is by what the job says: it may be kept by somebody else, or a simulated one by nobody.
fn elsewhere(api: &Api<'_>, job: &str, fail: Fail) -> Fail {
    let Fail::NotDone(why) = fail else {
        return fail;
    };
    let said = api.get(&format!("/v1/translations/{job}"));
    let said = said.and_then(|job| api::read::<Translation<String>>(&job));
    let url = said.ok().and_then(|job| job.output_url);
    Fail::NotDone(match url {
        Some(url) => format!("{why} The job says that it is at {}", show::plain(&url)),
        None => why,
    })
}

/// Puts the subtitles of this kind beside the video, if the server has them.
fn subtitles(api: &Api<'_>, path: &str, kind: &str, video: &Path) -> Result<Option<PathBuf>, Fail> {
    let path = format!("{path}/subtitles.{kind}");
    let get = |path: &str| {
        api.transfer(Method::Get, path, &[], b"", |answer| {
            (
                answer.status,
                text(answer, "location"),
                answer.body.to_vec(),
            )
        })
    };
    let got = match get(&path)? {
        (302 | 307, Some(url), _) => get(&url)?,
        got => got,
    };
    let text = match got {
        (200..=299, _, text) => text,
        (404, ..) => return Ok(None),
        (status, _, answer) => return Err(api::refusal(status, &answer)),
    };
    let to = video.with_extension(kind);
    let new = part_of(&to);
    let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &to));
    written.map_err(|error| Fail::NotDone(format!("{}: {error}", to.display())))?;
    Ok(Some(to))
}

/// What a file is called that is not whole yet.
fn part_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn fill(api: &Api<'_>, path: &str, first: Part, new: &Path, bar: &ProgressBar) -> Result<(), Fail> {
    let blame = |error: io::Error| Fail::NotDone(format!("{}: {error}", new.display()));
    let mut file = File::create(new).map_err(blame)?;
    let (total, tag) = (first.total, first.tag);
    let (mut at, mut bytes) = (0, first.bytes);
    loop {
        file.write_all(&bytes).map_err(blame)?;
        at += bytes.len() as u64;
        bar.set_position(at);
        if at < total {
            let come = api.rest(path, at, Some(&tag), |piece| {
                bar.inc(piece.len() as u64);
                file.write_all(piece)
            });
            at += come.map_err(blame)?;
        }
        if at >= total {
            return file.sync_all().map_err(blame);
        }
        let mut pauses = PAUSES.iter();
        let next = loop {
            match (part(api, path, at, Some(&tag)), pauses.next()) {
                (Err(Fail::Unreachable { .. }), Some(pause)) => thread::sleep(*pause),
                (next, _) => break next?,
            }
        };
        if next.tag != tag || next.bytes.is_empty() {
            return Err(Fail::NotDone("the output has changed meanwhile".to_owned()));
        }
        bytes = next.bytes;
    }
}

/// A part of an output, from wherever the server says that it is: that may be another place each time, for a link is over at some
/// time.
fn part(api: &Api<'_>, path: &str, at: u64, tag: Option<&str>) -> Result<Part, Fail> {
    let mut got = ask(api, path, at, tag)?;
    if let Got::At(url) = got {
        got = ask(api, &url, at, tag)?;
    }
    match got {
        Got::Part(part) => Ok(part),
        Got::At(_) => Err(Fail::NotDone(
            "the output leads from one place to another".to_owned(),
        )),
    }
}

/// Asks for the part that begins `at`, of the output that has this tag.
fn ask(api: &Api<'_>, path: &str, at: u64, tag: Option<&str>) -> Result<Got, Fail> {
    let range = format!("bytes={at}-{}", at + PART_BYTES - 1);
    let mut fields = vec![("range", range.as_str())];
    fields.extend(tag.map(|tag| ("if-range", tag)));
    api.transfer(Method::Get, path, &fields, b"", |answer| {
        match answer.status {
            206 => read(answer)
                .map(Got::Part)
                .ok_or_else(|| Fail::NotDone("the server's answer makes no sense".to_owned())),
            // There is nothing in it.
            416 if at == 0 => Ok(Got::Part(Part {
                bytes: Vec::new(),
                total: 0,
                tag: String::new(),
                name: None,
            })),
            302 | 307 if path.starts_with('/') => text(answer, "location")
                .map(Got::At)
                .ok_or_else(|| Fail::NotDone("the server's answer makes no sense".to_owned())),
            200 => Err(Fail::NotDone("the output has changed meanwhile".to_owned())),
            status => Err(api::refusal(status, answer.body)),
        }
    })?
}

fn text(answer: &Response<'_>, name: &str) -> Option<String> {
    let value = answer.fields.get(name)?;
    String::from_utf8(value.to_vec()).ok()
}

fn read(answer: &Response<'_>) -> Option<Part> {
    let text = |name| text(answer, name);
    let name = text("content-disposition").and_then(|value| {
        let name = value.rsplit_once("filename*=UTF-8''")?.1;
        Some(name.to_owned())
    });
    Some(Part {
        bytes: answer.body.to_vec(),
        total: text("content-range")?.rsplit_once('/')?.1.parse().ok()?,
        tag: text("etag")?,
        name,
    })
}

/// The name of a file in one folder, out of what a server calls it (RFC 8187): nothing that leads elsewhere, that is hidden, or
/// that a terminal obeys.
fn file_name(coded: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = coded.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            byte => byte,
        });
    }
    let name = String::from_utf8(bytes).ok()?;
    let name = media::plain_name(&name).replace(['/', '\\'], "_");
    let name = name.trim_start_matches('.');
    (!name.is_empty()).then(|| shortened(name))
}

/// A name for which a disk has room, with what is put before it and after it. It ends as it did.
fn shortened(name: &str) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let stem = Path::new(name).file_stem().unwrap_or_default();
    let end = name
        .get(stem.len()..)
        .filter(|end| end.len() <= ENDING_BYTES_MAX);
    let end = end.unwrap_or_default();
    let cut = name.floor_char_boundary(NAME_BYTES_MAX - end.len());
    format!("{}{end}", &name[..cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_members_of_what_is_said_of_a_job() {
        let files = vec!["a/v.mp4".into(), "a/v.vtt".into()];
        let members = r#""file":"a/v.mp4","subtitles":["a/v.vtt"]}"#;
        for (object, expect) in [
            ("{}", format!("{{{members}")),
            ("{\"id\":1}", format!("{{\"id\":1,{members}")),
        ] {
            let said = with_files(object.as_bytes(), &files);
            assert_eq!(String::from_utf8(said).unwrap(), expect);
        }
    }

    #[test]
    fn a_long_name_is_one_that_a_disk_takes() {
        let long = "\u{e4}".repeat(125);
        for (name, expect) in [
            (
                format!("{long}.mp4"),
                format!("{}.mp4", "\u{e4}".repeat(98)),
            ),
            (format!("a.{long}"), format!("a.{}", "\u{e4}".repeat(99))),
            (long, "\u{e4}".repeat(100)),
        ] {
            assert_eq!(file_name(&name), Some(expect));
        }
    }

    #[test]
    fn a_name_is_one_file_in_one_folder() {
        for (coded, expect) in [
            ("v.es.mp4", Some("v.es.mp4")),
            ("%C3%84%20x.mp4", Some("\u{c4} x.mp4")),
            ("..%2F..%2Fetc%2Fpasswd", Some("_.._etc_passwd")),
            ("%2Fetc", Some("_etc")),
            ("..", None),
            ("", None),
            (".ssh", Some("ssh")),
            ("a%00b%0A", Some("a_b_")),
            ("v%E2%80%AE4pm.exe", Some("v_4pm.exe")),
            ("%ff", None),
            ("%4", None),
        ] {
            assert_eq!(file_name(coded).as_deref(), expect, "{coded}");
        }
    }
}
