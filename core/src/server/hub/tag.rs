//! The tag of a page, by which a client that has it need not be sent it again (RFC 9110, section 8.8.3).

use crate::http::Fields;

/// A strong entity tag: bytes that differ in any way have another one, but for one case in 2^64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag(u64);

impl Tag {
    /// The tag of these bytes. In a constant it costs nothing when the server runs.
    pub(super) const fn of(bytes: &[u8]) -> Self {
        Self(digest(bytes))
    }

    /// The tag of these bytes where these come with them.
    pub(super) const fn and(self, bytes: &[u8]) -> Self {
        Self(mix(self.0 ^ digest(bytes), ODD))
    }

    /// As `ETag` has it: sixteen digits and the quotes around them.
    pub(super) fn text(self) -> [u8; 18] {
        let mut text = [b'"'; 18];
        let digits = text.iter_mut().skip(1).take(16);
        for (place, shift) in digits.zip((0..u64::BITS).step_by(4).rev()) {
            let digit = (self.0 >> shift) as u8 & 0x0f;
            *place = if digit < 10 {
                b'0' + digit
            } else {
                b'a' - 10 + digit
            };
        }
        text
    }

    /// Whether a client says that it has what this is the tag of (RFC 9110, section 13.1.2).
    pub(super) fn is_known(self, fields: &Fields<'_>) -> bool {
        let text = self.text();
        fields
            .all("if-none-match")
            .flat_map(|field| field.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            // The comparison is a weak one.
            .map(|known| known.strip_prefix(b"W/").unwrap_or(known))
            .any(|known| known == b"*" || known == text)
    }
}

/// What a word is multiplied by.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// What differs in one word differs in each step after it, for each of them can be undone.
const fn digest(mut bytes: &[u8]) -> u64 {
    let mut digest = bytes.len() as u64;
    while let Some((word, rest)) = bytes.split_first_chunk::<8>() {
        digest = mix(digest ^ u64::from_le_bytes(*word), ODD);
        bytes = rest;
    }
    while let Some((byte, rest)) = bytes.split_first() {
        digest = mix(digest ^ *byte as u64, ODD);
        bytes = rest;
    }
    digest
}

const fn mix(digest: u64, odd: u64) -> u64 {
    let product = digest.wrapping_mul(odd);
    product ^ (product >> 32)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{collections::BTreeSet, string::String, vec, vec::Vec};

    #[test]
    fn bytes_that_differ_have_another_tag() {
        let page = vec![b'a'; 100];
        let mut tags = BTreeSet::from([Tag::of(&page).0]);
        for at in 0..page.len() {
            let mut changed = page.clone();
            changed[at] ^= 1;
            assert!(tags.insert(Tag::of(&changed).0), "{at}");
            assert!(tags.insert(Tag::of(&page[..at]).0), "{at}");
        }
    }

    #[test]
    fn a_tag_is_a_quoted_string_of_its_own() {
        for bytes in [&b""[..], b"x", b"12345678", b"123456789"] {
            let tag = Tag::of(bytes);
            let text = String::from_utf8(tag.text().to_vec()).unwrap();
            let digits: Vec<_> = text.chars().skip(1).take(16).collect();
            assert!(text.starts_with('"') && text.ends_with('"'), "{text}");
            assert!(digits.iter().all(char::is_ascii_hexdigit), "{text}");
        }
    }
}
