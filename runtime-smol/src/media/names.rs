//! What files are called, and what is in them.
//!
//! A file's name on the disk is made of an id, which is letters and digits. What a caller calls his file is a note beside it.

use dubhook_core::id::{Id, Prefix};
use std::path::{Path, PathBuf};

/// How the name of what has come in part ends, and that of a note, and that of what is being written.
pub(super) const PART: &str = ".part";
pub(super) const NOTE: &str = ".json";
pub(super) const NEW: &str = ".new";

/// How the names of subtitles end.
pub(super) const VTT: &str = ".vtt";
pub(super) const SRT: &str = ".srt";

/// The longest name that is shown, in bytes.
const BYTES_MAX: usize = 255;

/// What a file is whose content nobody knows.
const UNKNOWN: &str = "application/octet-stream";

/// What files are, by how their names end.
const TYPES: &[(&str, &str)] = &[
    ("mp4", "video/mp4"),
    ("m4v", "video/mp4"),
    ("mov", "video/quicktime"),
    ("mkv", "video/x-matroska"),
    ("webm", "video/webm"),
    ("avi", "video/x-msvideo"),
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("vtt", "text/vtt; charset=utf-8"),
    ("srt", "application/x-subrip; charset=utf-8"),
    ("txt", "text/plain"),
];

/// What a file of this name is.
pub(super) fn content_type(name: &str) -> &'static str {
    let ending = Path::new(name)
        .extension()
        .and_then(|ending| ending.to_str());
    let known = TYPES
        .iter()
        .find(|(known, _)| ending.is_some_and(|ending| ending.eq_ignore_ascii_case(known)));
    known.map_or(UNKNOWN, |(_, content_type)| content_type)
}

/// What a file is called where nobody has said it, or as much of it as is shown.
pub(super) fn shown(name: Option<String>) -> String {
    let name = name.unwrap_or_else(|| "video".to_owned());
    let mut name = plain(&name);
    name.truncate(name.floor_char_boundary(BYTES_MAX));
    name
}

/// What an output's file is called: as who made it calls it or what it is, and with the language in it.
pub(super) fn of_output(
    name: Option<String>,
    content_type: Option<&str>,
    language: &str,
) -> String {
    let name = name.unwrap_or_else(|| {
        let ending = TYPES.iter().find(|(_, known)| Some(*known) == content_type);
        format!("video.{}", ending.map_or("mp4", |(ending, _)| ending))
    });
    if language.is_empty() || says(&name, language) {
        return name;
    }
    let (stem, ending) = match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && ending.len() <= 4 => (stem, ending),
        _ => (&*name, ""),
    };
    let dot = if ending.is_empty() { "" } else { "." };
    let end = format!(".{language}{dot}{ending}");
    let stem = &stem[..stem.floor_char_boundary(BYTES_MAX.saturating_sub(end.len()))];
    format!("{stem}{end}")
}

/// Whether a name says a language: as a word of it.
fn says(name: &str, language: &str) -> bool {
    let (name, language) = (name.to_ascii_lowercase(), language.to_ascii_lowercase());
    let is_end = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric());
    name.match_indices(&language).any(|(at, word)| {
        is_end(name[..at].chars().next_back()) && is_end(name[at + word.len()..].chars().next())
    })
}

/// A file's name without what steers a terminal, what turns the direction in which it is read so that it seems to end otherwise, and
/// what nobody sees. The two that join letters stay: writings need them.
#[must_use]
pub fn plain(name: &str) -> String {
    let is_seen = |letter: char| {
        !letter.is_control()
            && !matches!(
                letter,
                '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
            )
            && !matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
    };
    let plain = |letter| if is_seen(letter) { letter } else { '_' };
    name.chars().map(plain).collect()
}

/// That a file is to be saved under this name (RFC 6266), as an object store shall say it.
pub(super) fn attachment(name: &str) -> String {
    let mut said = "attachment; filename*=UTF-8''".to_owned();
    for byte in name.bytes() {
        match byte {
            b'-' | b'.' | b'_' => said.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => said.push(char::from(byte)),
            byte => said.push_str(&format!("%{byte:02X}")),
        }
    }
    said
}

/// The name of a file beside this one, whose own ending is short and goes.
pub(super) fn with_ending(name: &str, ending: &str) -> String {
    let stem = match name.rsplit_once('.') {
        Some((stem, old)) if !stem.is_empty() && old.len() <= 4 => stem,
        _ => name,
    };
    format!("{stem}{ending}")
}

/// Where files about one thing lie.
pub(super) fn file(folder: &Path, prefix: Prefix, id: Id, ending: &str) -> PathBuf {
    folder.join(format!("{}{ending}", id.text(prefix)))
}

/// The id that a file's name is made of.
pub(super) fn id(path: &Path, prefix: Prefix, ending: &str) -> Option<Id> {
    let name = path.file_name()?.to_str()?.strip_suffix(ending)?;
    Id::parse(prefix, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_output_says_the_language() {
        let long = "x".repeat(251);
        for (name, kind, language, expect) in [
            (Some("v.mp4"), None, "es", "v.es.mp4"),
            (Some("v.es.mp4"), None, "es", "v.es.mp4"),
            (Some("v_ES.mp4"), None, "es", "v_ES.mp4"),
            (Some("yes.mp4"), None, "es", "yes.es.mp4"),
            (Some("v.pt-BR.mp4"), None, "pt-br", "v.pt-BR.mp4"),
            (Some("v.pt.mp4"), None, "pt-BR", "v.pt.pt-BR.mp4"),
            (Some("v"), None, "es", "v.es"),
            (Some(".mp4"), None, "es", ".mp4.es"),
            (None, None, "es", "video.es.mp4"),
            (None, Some("video/webm"), "es", "video.es.webm"),
            (None, Some("text/html"), "es", "video.es.mp4"),
        ] {
            let said = of_output(name.map(str::to_owned), kind, language);
            assert_eq!(said, expect);
        }
        let said = of_output(Some(format!("{long}.mp4")), None, "es");
        assert!(said.len() == 255 && said.ends_with("x.es.mp4"), "{said}");
    }

    #[test]
    fn a_name_ends_as_it_seems_to() {
        for (name, expect) in [
            ("v\u{202e}4pm.exe", "v_4pm.exe"),
            ("a\u{7}\u{9b}31m\u{2066}\u{200b}.mp4", "a__31m__.mp4"),
            (
                "\u{645}\u{6cc}\u{200c}\u{62e}.mp4",
                "\u{645}\u{6cc}\u{200c}\u{62e}.mp4",
            ),
        ] {
            assert_eq!(plain(name), expect);
            assert_eq!(shown(Some(name.to_owned())), expect);
        }
        let long = "\u{200b}".repeat(90);
        assert_eq!(shown(Some(long)), "_".repeat(90));
    }

    #[test]
    fn a_name_says_what_a_file_is_and_what_nobody_knows_is_bytes() {
        for (name, expect) in [
            ("a.mp4", "video/mp4"),
            ("a.es.WEBM", "video/webm"),
            ("a.html", UNKNOWN),
            ("a.svg", UNKNOWN),
            ("mp4", UNKNOWN),
            ("", UNKNOWN),
        ] {
            assert_eq!(content_type(name), expect, "{name}");
        }
    }
}
