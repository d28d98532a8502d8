//! Links that say by themselves that whoever has one may open it.
//!
//! Signed is `dubhook-link-1`, a line each for what the link is of and until when it is good, with HMAC-SHA256 and a key that
//! signs nothing else. No webhook is signed over a text that begins so: its id holds no line break.

use super::hmac::{Hmac, Keyed};
use crate::{out::Out, sha256::BLOCK_BYTES};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What every signed text begins with, so that no signature of another kind passes for one of these.
const SCHEME: &[u8] = b"dubhook-link-1";

/// How many hexadecimal digits a link's signature has.
const DIGITS: usize = 64;

/// A key that links are signed with. It is overwritten when dropped, and `Debug` shows none of it.
#[derive(Clone)]
pub struct LinkKey(Keyed);

impl LinkKey {
    /// The key that these bytes are, which are random.
    #[must_use]
    pub fn new(mut bytes: [u8; 32]) -> Self {
        let mut block = [0; BLOCK_BYTES];
        if let Some((start, _)) = block.split_first_chunk_mut() {
            *start = bytes;
        }
        let key = Self(Keyed::new(&block));
        block.zeroize();
        bytes.zeroize();
        key
    }

    /// The signature of what `lines` say, none of which holds a line break.
    pub(crate) fn sign(&self, lines: &[&[u8]]) -> [u8; DIGITS] {
        let mut hmac = Hmac::new(&self.0);
        hmac.update(SCHEME);
        for line in lines {
            hmac.update(b"\n");
            hmac.update(line);
        }
        let mut text = [0; DIGITS];
        let mut out = Out::new(&mut text);
        for byte in hmac.finish() {
            out.put_byte(digit(byte >> 4));
            out.put_byte(digit(byte & 15));
        }
        text
    }

    /// Whether this is that signature. How much of it fits does not show in the time that this takes.
    pub(crate) fn fits(&self, lines: &[&[u8]], signature: &[u8]) -> bool {
        self.sign(lines).ct_eq(signature).into()
    }
}

impl Drop for LinkKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for LinkKey {}

impl core::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("LinkKey")
    }
}

const fn digit(value: u8) -> u8 {
    match value {
        0..10 => b'0' + value,
        _ => b'a' - 10 + value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::hmac::{Hmac as Theirs, KeyInit, Mac};
    use sha2::Sha256;
    extern crate std;
    use std::{format, string::String};

    #[test]
    fn a_signature_is_that_of_the_lines_and_of_nothing_else() {
        let key = LinkKey::new([7; 32]);
        let signature = key.sign(&[b"output", b"job_1", b"9"]);
        let mut theirs = Theirs::<Sha256>::new_from_slice(&[7; 32]).unwrap();
        theirs.update(b"dubhook-link-1\noutput\njob_1\n9");
        let bytes = theirs.finalize().into_bytes();
        let expect: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(core::str::from_utf8(&signature), Ok(expect.as_str()));
        assert!(key.fits(&[b"output", b"job_1", b"9"], &signature));
        for lines in [
            &[&b"output"[..], b"job_1", b"10"][..],
            &[b"output", b"job_2", b"9"],
            &[b"output", b"job_19"],
            &[],
        ] {
            assert!(!key.fits(lines, &signature));
        }
        for wrong in [&signature[..63], b"", expect.to_uppercase().as_bytes()] {
            assert!(!key.fits(&[b"output", b"job_1", b"9"], wrong));
        }
        assert!(!LinkKey::new([8; 32]).fits(&[b"output", b"job_1", b"9"], &signature));
    }
}
