//! Files as URLs (RFC 8089), and back.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

/// The URL of a file, whose path is absolute.
pub(crate) fn of(path: &Path) -> String {
    let mut url = "file://".to_owned();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(byte) {
            url.push(char::from(*byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

/// The path of a file on this machine that a URL names.
pub(crate) fn path(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("file://")?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return None;
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push((high * 16 + low) as u8);
    }
    (!bytes.contains(&0)).then(|| OsString::from_vec(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_goes_there_and_back() {
        for name in ["/a/b.mp4", "/a b/%41/\u{e4}?#\"\\", "/"] {
            let url = of(Path::new(name));
            assert!(
                url.is_ascii() && !url.contains(['"', '\\', ' ', '?', '#']),
                "{url}"
            );
            assert_eq!(path(&url), Some(PathBuf::from(name)));
        }
        assert_eq!(path("file://localhost/x"), Some(PathBuf::from("/x")));
        for bad in [
            "https://a/b",
            "file://else/b",
            "file:///a%0",
            "file:///a%00",
            "file:///%zz",
            "file://",
        ] {
            assert_eq!(path(bad), None, "{bad}");
        }
    }
}
