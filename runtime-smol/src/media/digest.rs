//! SHA-256 of what lies on the disk.

use sha2::{Digest, Sha256};
use std::{
    fmt::Write,
    io::{self, Read, Seek},
};

/// The SHA-256 of a whole file, as hexadecimal digits.
///
/// # Errors
///
/// Where it cannot be read.
pub fn of(file: &mut (impl Read + Seek)) -> io::Result<String> {
    file.rewind()?;
    let mut digest = Sha256::new();
    let mut piece = vec![0; 256 * 1_024];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            len => digest.update(&piece[..len]),
        }
    }
    Ok(hex(&digest.finalize()))
}

/// The SHA-256 of bytes, as hexadecimal digits.
pub(super) fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(digest: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest {
        write!(text, "{byte:02x}").expect("a string grows");
    }
    text
}
