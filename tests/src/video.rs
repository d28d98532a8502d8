//! What stands for a video where only its bytes count.

use std::{path::Path, process::Command};

/// Bytes that do not repeat soon.
#[must_use]
pub fn video(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut video = Vec::with_capacity(bytes + 8);
    while video.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        video.extend(state.to_le_bytes());
    }
    video.truncate(bytes);
    video
}

/// The SHA-256 of a file, by another program.
///
/// # Panics
///
/// If that is not there, or the file.
#[must_use]
pub fn sha256(path: &Path) -> String {
    let said = Command::new("sha256sum")
        .arg(path)
        .output()
        .expect("sha256sum");
    String::from_utf8(said.stdout).expect("digits")[..64].to_owned()
}
