//! A job whose video is an upload, as a translator program gets it: with a file of its machine in place of the upload's name.

use crate::url;
use std::path::{Path, PathBuf};

/// The id of the upload that a video's URL names, as it stands there.
#[must_use]
pub fn upload_of(video_url: &str) -> Option<&str> {
    video_url.strip_prefix("dubhook:")
}

/// Puts a file, whose path is absolute, in place of an upload's name in a job's JSON.
pub fn name_input(job: &mut Vec<u8>, upload: &str, file: &Path) {
    name_url(job, upload, &url::of(file));
}

/// Puts a URL in place of an upload's name in a job's JSON.
pub fn name_url(job: &mut Vec<u8>, upload: &str, url: &str) {
    let named = format!("\"video_url\":\"dubhook:{upload}\"");
    // A quote stands unescaped only where a string begins or ends, so no other string is taken for this.
    let place = job
        .windows(named.len())
        .position(|part| part == named.as_bytes());
    if let Some(place) = place {
        let given = format!("\"video_url\":\"{url}\"").into_bytes();
        job.splice(place..place + named.len(), given);
    }
}

/// The file that a program says is its output, if it is one below `folder`. Links are looked through: what lies elsewhere is not
/// for callers.
#[must_use]
pub fn output_file(output_url: &str, folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    let file = url::path(output_url)?.canonicalize().ok()?;
    (file.starts_with(folder) && file.is_file()).then_some(file)
}

/// The subtitles that a program has put beside its output, as players look for them: under the same name with another ending; or,
/// where it made a folder of its own below `folder`, as `subtitles.vtt` and `subtitles.srt`.
#[must_use]
pub fn subtitles_beside(output: &Path, folder: &Path) -> Vec<PathBuf> {
    let is_own = output.parent() != folder.canonicalize().ok().as_deref();
    let mut found = Vec::new();
    for ending in ["vtt", "srt"] {
        let named = output.with_extension(ending);
        let plain = output.with_file_name("subtitles").with_extension(ending);
        let places = [Some(named), is_own.then_some(plain)];
        // No link: what lies elsewhere is not for callers.
        let is_file = |path: &PathBuf| path.symlink_metadata().is_ok_and(|file| file.is_file());
        found.extend(places.into_iter().flatten().find(is_file));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_stands_in_place_of_an_uploads_name_and_nowhere_else() {
        let job = r#"{"reference":"\"video_url\":\"dubhook:med_1\"","video_url":"dubhook:med_1"}"#;
        let mut given = job.as_bytes().to_vec();
        name_input(&mut given, "med_1", Path::new("/a b"));
        let expect =
            r#"{"reference":"\"video_url\":\"dubhook:med_1\"","video_url":"file:///a%20b"}"#;
        assert_eq!(String::from_utf8(given).unwrap(), expect);
        let mut other = job.as_bytes().to_vec();
        name_input(&mut other, "med_2", Path::new("/a"));
        assert_eq!(other, job.as_bytes());
    }
}
