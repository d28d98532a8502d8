//! `download`: gets the output of a job, a part at a time.

use super::{
    api::{self, Api},
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
    out::Out,
};
use indicatif::ProgressBar;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// How many bytes are asked for at once.
const PART_BYTES: u64 = ANSWER_BYTES_MAX as u64 / 2;

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

impl Download {
    pub(super) fn run(&self) -> Result<(), Fail> {
        let file = fetch(&self.remote, &self.job, &self.output)?;
        show_file(&self.remote, &file)
    }
}

/// Says where a file is.
pub(super) fn show_file(remote: &Remote, file: &Path) -> Result<(), Fail> {
    let shown = file.to_string_lossy();
    if !remote.json {
        return Ok(show::print_line(&show::plain(&shown))?);
    }
    let mut memory = vec![0; 6 * shown.len() + 16];
    let mut out = Out::new(&mut memory);
    Writer::new(&mut out)
        .object()
        .name("file")
        .string(&shown)
        .end_object();
    Ok(show::print_json(out.written())?)
}

/// A part of an output, and what was said of the whole.
#[derive(Debug)]
struct Part {
    bytes: Vec<u8>,
    total: u64,
    tag: String,
    name: Option<String>,
}

/// Puts a job's output into a folder. Returns where it is: all of it, under the name that the server gives it.
pub(super) fn fetch(remote: &Remote, job: &str, folder: &Path) -> Result<PathBuf, Fail> {
    let api = Api::new(remote)?;
    let job = api::id(job, "job_")?;
    let path = format!("/v1/translations/{job}/output");
    let first = part(&api, &path, 0, None)?;
    let name = first.name.as_deref().and_then(file_name);
    let to = folder.join(name.unwrap_or_else(|| job.to_owned()));
    let blame = |error: io::Error| Fail::NotDone(format!("{}: {error}", to.display()));
    fs::create_dir_all(folder).map_err(blame)?;
    let mut new = to.clone().into_os_string();
    new.push(".part");
    let bar = bar::bytes("downloading", first.total);
    let fetched = fill(&api, &path, first, Path::new(&new), &bar);
    if fetched.is_err() {
        // It is of no use, and there is nothing to be done where it stays.
        let _ = fs::remove_file(&new);
    }
    fetched?;
    fs::rename(&new, &to).map_err(blame)?;
    bar.finish_and_clear();
    Ok(to)
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
        if at >= total {
            return file.sync_all().map_err(blame);
        }
        let next = part(api, path, at, Some(&tag))?;
        if next.tag != tag || next.bytes.is_empty() {
            return Err(Fail::NotDone("the output has changed meanwhile".to_owned()));
        }
        bytes = next.bytes;
    }
}

/// Asks for the part that begins `at`, of the output that has this tag.
fn part(api: &Api<'_>, path: &str, at: u64, tag: Option<&str>) -> Result<Part, Fail> {
    let range = format!("bytes={at}-{}", at + PART_BYTES - 1);
    let mut fields = vec![("range", range.as_str())];
    fields.extend(tag.map(|tag| ("if-range", tag)));
    api.transfer(Method::Get, path, &fields, b"", |answer| {
        match answer.status {
            206 => read(answer)
                .ok_or_else(|| Fail::NotDone("the server's answer makes no sense".to_owned())),
            // There is nothing in it.
            416 if at == 0 => Ok(Part {
                bytes: Vec::new(),
                total: 0,
                tag: String::new(),
                name: None,
            }),
            200 => Err(Fail::NotDone("the output has changed meanwhile".to_owned())),
            status => Err(api::refusal(status, answer.body)),
        }
    })?
}

fn read(answer: &Response<'_>) -> Option<Part> {
    let text = |name| {
        let value = answer.fields.get(name)?;
        String::from_utf8(value.to_vec()).ok()
    };
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
    let name: String = name
        .chars()
        .map(|letter| match letter {
            '/' | '\\' => '_',
            letter if letter.is_control() => '_',
            letter => letter,
        })
        .collect();
    let name = name.trim_start_matches('.');
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("%ff", None),
            ("%4", None),
        ] {
            assert_eq!(file_name(coded).as_deref(), expect, "{coded}");
        }
    }
}
