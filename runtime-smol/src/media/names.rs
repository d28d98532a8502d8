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
    name[..name.floor_char_boundary(255)].to_owned()
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
