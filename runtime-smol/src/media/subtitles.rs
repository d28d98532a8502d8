//! Subtitles in both forms that players read, made of the one that there is: WebVTT (W3C, 2019) and SubRip, which has no standard.
//!
//! The one that there is stays as it is. The other one has its times and texts, with italics, bold and underlining; positions,
//! colours, voices and notes are not carried over.

use std::{
    fmt::Write,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// The longest that are kept, in bytes: a day of speech has less.
pub(super) const BYTES_MAX: u64 = 4 << 20;

/// Subtitles in both forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Both {
    pub(super) vtt: String,
    pub(super) srt: String,
}

/// A text and when it is shown, in milliseconds.
#[derive(Debug, PartialEq, Eq)]
struct Cue<'t> {
    from_ms: u64,
    to_ms: u64,
    lines: Vec<&'t str>,
}

impl Both {
    /// Reads one form, whichever it is, and makes the other. None for what is neither: WebVTT says so in its first line, and in SubRip
    /// there is at least one text with its times.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.contains('\0') {
            return None;
        }
        let is_vtt = text
            .strip_prefix("WEBVTT")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r']));
        let cues = cues(text);
        if is_vtt {
            let srt = srt(&cues);
            let vtt = text.to_owned();
            return Some(Self { vtt, srt });
        }
        let (vtt, srt) = (vtt(&cues), text.to_owned());
        (!cues.is_empty()).then_some(Self { vtt, srt })
    }
}

/// The subtitles in a file, if it has some.
pub(super) fn read(path: &Path) -> Option<Both> {
    let mut text = Vec::new();
    let file = File::open(path).ok()?;
    file.take(BYTES_MAX + 1).read_to_end(&mut text).ok()?;
    let is_short = text.len() as u64 <= BYTES_MAX;
    is_short.then(|| Both::of(&text)).flatten()
}

/// The subtitles that a translator has put beside its video: of each form its own, where it made both.
pub(super) fn beside(files: &[PathBuf]) -> Option<Both> {
    let mut found: Option<Both> = None;
    for path in files {
        let Some(both) = read(path) else {
            tracing::warn!(path = %path.display(), "these are no subtitles");
            continue;
        };
        let is_srt = path.extension().is_some_and(|ending| ending == "srt");
        found = Some(match found {
            Some(other) if is_srt => Both {
                srt: both.srt,
                ..other
            },
            Some(other) => Both {
                vtt: both.vtt,
                ..other
            },
            None => both,
        });
    }
    found
}

/// What is shown when. What stands before a line with times, in a block of its own or as a cue's name, is passed over.
fn cues(text: &str) -> Vec<Cue<'_>> {
    let mut cues = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if is_note(line) {
            // A note may show times, too.
            lines.by_ref().find(|line| line.trim().is_empty());
            continue;
        }
        let Some((from_ms, to_ms)) = times(line) else {
            continue;
        };
        let text = lines.by_ref().take_while(|line| !line.trim().is_empty());
        let lines = text.collect();
        cues.push(Cue {
            from_ms,
            to_ms,
            lines,
        });
    }
    cues
}

fn is_note(line: &str) -> bool {
    ["NOTE", "STYLE", "REGION"].iter().any(|name| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
    })
}

/// `00:01:02.500 --> 00:01:04.000`, with whatever behind it.
fn times(line: &str) -> Option<(u64, u64)> {
    let (from, rest) = line.split_once("-->")?;
    let to = rest.split_whitespace().next()?;
    Some((time(from.trim())?, time(to)?))
}

/// `01:02:03.004`, `02:03.004`, or with a comma.
fn time(text: &str) -> Option<u64> {
    let number = |digits: &str| {
        let is_short = (1..=9).contains(&digits.len());
        let is_number = is_short && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().unwrap_or(0))
    };
    let (clock, thousandths) = text.split_once(['.', ','])?;
    let mut ms: u64 = 0;
    for part in clock.split(':') {
        ms = ms.checked_mul(60)?.checked_add(number(part)?)?;
    }
    (thousandths.len() == 3 && (2..=3).contains(&clock.split(':').count()))
        .then(|| Some(ms.checked_mul(1_000)? + number(thousandths)?))?
}

fn srt(cues: &[Cue<'_>]) -> String {
    let mut out = String::new();
    for (number, cue) in (1..).zip(cues) {
        let _ = writeln!(out, "{number}");
        write_times(cue, ',', &mut out);
        for line in &cue.lines {
            for part in parts(line) {
                match part {
                    Part::Tag(tag) if is_style(tag) => out.push_str(tag),
                    Part::Tag(_) => {}
                    Part::Text(text) => out.push_str(&unescaped(text)),
                }
            }
            out.push('\n');
        }
        out.push('\n');
    }
    out
}

fn vtt(cues: &[Cue<'_>]) -> String {
    let mut out = String::from("WEBVTT\n\n");
    for cue in cues {
        write_times(cue, '.', &mut out);
        for line in &cue.lines {
            for part in parts(line) {
                match part {
                    Part::Tag(tag) if is_style(tag) => out.push_str(tag),
                    Part::Tag(tag) if is_font(tag) => {}
                    Part::Tag(text) | Part::Text(text) => escape(text, &mut out),
                }
            }
            out.push('\n');
        }
        out.push('\n');
    }
    out
}

fn write_times(cue: &Cue<'_>, point: char, out: &mut String) {
    let stamp = |ms: u64| {
        let (s, ms) = (ms / 1_000, ms % 1_000);
        let (m, h) = (s / 60 % 60, s / 3_600);
        format!("{h:02}:{m:02}:{:02}{point}{ms:03}", s % 60)
    };
    let _ = writeln!(out, "{} --> {}", stamp(cue.from_ms), stamp(cue.to_ms));
}

/// A piece of a line.
#[derive(Debug, Clone, Copy)]
enum Part<'t> {
    /// From `<` to `>`.
    Tag(&'t str),
    Text(&'t str),
}

fn parts(line: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = line;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let tag = rest.strip_prefix('<').and_then(|inside| inside.find('>'));
        let part = match tag {
            Some(end) => Part::Tag(&rest[..end + 2]),
            None => {
                // One that never closes is text.
                let next = rest[1.min(rest.len())..].find('<').map(|at| at + 1);
                let is_text = !rest.starts_with('<');
                let end = if is_text { rest.find('<') } else { next };
                Part::Text(&rest[..end.unwrap_or(rest.len())])
            }
        };
        let (Part::Tag(text) | Part::Text(text)) = part;
        rest = &rest[text.len()..];
        Some(part)
    })
}

/// Whether both forms have the tag.
fn is_style(tag: &str) -> bool {
    ["<i>", "</i>", "<b>", "</b>", "<u>", "</u>"].contains(&tag)
}

fn is_font(tag: &str) -> bool {
    tag == "</font>" || tag.starts_with("<font ")
}

/// Text as WebVTT has it (section 4.2.2).
fn escape(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            letter => out.push(letter),
        }
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&nbsp;", "\u{a0}")
        .replace("&lrm;", "\u{200e}")
        .replace("&rlm;", "\u{200f}")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &str, vtt: &str, srt: &str) {
        let both = Both::of(given.as_bytes()).expect("subtitles");
        assert_eq!((both.vtt.as_str(), both.srt.as_str()), (vtt, srt));
        // What was made is read like what was given.
        let made = if both.vtt == given {
            &both.srt
        } else {
            &both.vtt
        };
        let times = |text| {
            cues(text)
                .iter()
                .map(|cue| (cue.from_ms, cue.to_ms))
                .collect::<Vec<_>>()
        };
        assert_eq!(times(made), times(given));
    }

    #[test]
    fn one_form_makes_the_other() {
        let srt = "1\n00:00:01,500 --> 00:00:02,000\nUno & <i>dos</i>\n<font color=red>a</font> <b\n\n\
                   2\n01:00:00,000 --> 100:00:00,000\nx --> y\n";
        let vtt = "WEBVTT\n\n00:00:01.500 --> 00:00:02.000\nUno &amp; <i>dos</i>\na &lt;b\n\n\
                   01:00:00.000 --> 100:00:00.000\nx --&gt; y\n\n";
        check(srt, vtt, srt);
        let vtt = "WEBVTT - a title\nKind: captions\n\nNOTE\n00:01.000 --> 00:02.000\n\nSTYLE\n::cue {}\n\n\
                   intro\n00:01.000 --> 00:02.000 align:start\n<v Ada>1 &lt; 2 &amp;lt;</v>\n<c.red>red</c>\n\n\
                   00:03.000 --> 00:04.000\n\n";
        let srt = "1\n00:00:01,000 --> 00:00:02,000\n1 < 2 &lt;\nred\n\n2\n00:00:03,000 --> 00:00:04,000\n\n";
        check(vtt, vtt, srt);
        // As Windows writes it, and with its mark before it.
        let both =
            Both::of("\u{feff}1\r\n00:00:01,000 --> 00:00:02,000\r\na\r\n\r\n".as_bytes()).unwrap();
        assert_eq!(both.vtt, "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\na\n\n");
    }

    #[test]
    fn what_is_neither_form_is_refused() {
        for text in [
            &b""[..],
            b"a film",
            b"WEBVTTX\n\n",
            b"<!doctype html><script>00:00:01,000</script>",
            b"1\n00:00:01,00 --> 00:00:02,000\na\n",
            b"1\n1 --> 2\na\n",
            b"1\n00:00:01,000 --> 00:00:02,000\n\xff\n",
            b"1\n00:00:01,000 --> 00:00:02,000\n\0\n",
            b"1\n9999999999:00:01,000 --> 00:00:02,000\na\n",
        ] {
            assert_eq!(Both::of(text), None, "{}", String::from_utf8_lossy(text));
        }
        let empty = Both::of(b"WEBVTT").unwrap();
        assert_eq!((empty.vtt.as_str(), empty.srt.as_str()), ("WEBVTT", ""));
    }
}
