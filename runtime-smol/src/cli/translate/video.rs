//! What a job names its video by, out of what was typed.

use crate::cli::{fail::Fail, remote::Remote, upload};
use std::{fmt::Write, path::Path};

/// The video as a URL. A file is sent to the server first where that is asked for, or where the server is on another machine and
/// would not find it; to one of this machine its path is told.
pub(super) fn url(video: &str, is_sent: bool, remote: &Remote) -> Result<String, Fail> {
    if is_url(video) {
        return Ok(video.to_owned());
    }
    if is_sent || !remote.is_here() {
        return upload::video_url(remote, Path::new(video));
    }
    file_url(video)
}

/// Whether this is a URL, or names an upload. A file that is called so can be given as `./dubhook:x`.
fn is_url(video: &str) -> bool {
    video.contains("://") || video.starts_with("dubhook:")
}

fn file_url(video: &str) -> Result<String, Fail> {
    let path = Path::new(video).canonicalize();
    let path = path.map_err(|error| Fail::Usage(format!("{video}: {error}")))?;
    let mut url = "file://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => url.push(char::from(*byte)),
            // Writing to a string cannot fail.
            byte => _ = write!(url, "%{byte:02X}"),
        }
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn videos_are_urls_or_files_that_are_there() {
        assert!(is_url("https://v.test/a b") && is_url("dubhook:med_01k"));
        assert!(!is_url("a:b.mp4") && !is_url("./dubhook:x"));
        let here = Path::new(env!("CARGO_MANIFEST_DIR"))
            .canonicalize()
            .unwrap();
        let expect = format!("file://{}/Cargo.toml", here.display());
        let given = format!("{}/src/../Cargo.toml", here.display());
        assert_eq!(file_url(&given).unwrap(), expect.replace(' ', "%20"));
        assert!(matches!(file_url("no such file.mp4"), Err(Fail::Usage(_))));
    }
}
