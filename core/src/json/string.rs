//! Strings as they stand in a document, decoded while they are read.

use core::{fmt, iter::FusedIterator};

/// A string of a document, still escaped.
///
/// It compares as what it means, and is written as that: `"\u0061"` equals `"a"`. Whoever keeps it copies it, where there is
/// no heap [into memory](Self::decode_into) or [a text of so many bytes](Self::to_text), else with `to_string`.
///
/// ```
/// use dubhook_core::json::{self, Str};
///
/// let name: Str<'_> = json::from_slice(br#""the \"north\" door""#).unwrap();
/// assert_eq!(name.to_string(), r#"the "north" door"#);
/// assert_eq!(name.to_text::<32>().unwrap(), r#"the "north" door"#);
/// assert!(name.to_text::<8>().is_none(), "it has 16 bytes");
/// ```
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Str<'a> {
    /// What stands between the quotes.
    text: &'a str,
    spelling: Spelling,
}

/// Whether a string has escapes. As large as a pointer: a string then has no padding, and is copied word by word in
/// whatever it lies.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(usize)]
enum Spelling {
    Plain,
    Escaped,
}

impl<'a> Str<'a> {
    /// `text` stands between quotes in a document that has been checked, and has backslashes or not.
    pub(super) const fn new(text: &'a str, escaped: bool) -> Self {
        let spelling = if escaped {
            Spelling::Escaped
        } else {
            Spelling::Plain
        };
        Self { text, spelling }
    }

    /// The string itself, if it holds no escapes, so that it need not be copied.
    #[must_use]
    pub const fn plain(&self) -> Option<&'a str> {
        match self.spelling {
            Spelling::Plain => Some(self.text),
            Spelling::Escaped => None,
        }
    }

    /// What stands between the quotes in the document, escapes and all.
    #[must_use]
    pub const fn escaped_text(&self) -> &'a str {
        self.text
    }

    /// The decoded string, byte by byte: UTF-8 without gaps.
    #[must_use]
    pub fn bytes(&self) -> impl FusedIterator<Item = u8> + Clone + use<'a> {
        Decoded::of(self)
    }

    /// The length of the decoded string in bytes.
    #[must_use]
    pub fn decoded_len(&self) -> usize {
        match self.plain() {
            Some(text) => text.len(),
            None => self.bytes().count(),
        }
    }

    /// The decoded string in `memory`, or `None` if it is too long for it; a part of it may have
    /// been written then.
    #[must_use]
    pub fn decode_into<'m>(&self, memory: &'m mut [u8]) -> Option<&'m str> {
        let mut len = 0usize;
        match self.plain() {
            Some(text) => {
                len = text.len();
                memory.get_mut(..len)?.copy_from_slice(text.as_bytes());
            }
            None => {
                for byte in self.bytes() {
                    *memory.get_mut(len)? = byte;
                    len = len.wrapping_add(1);
                }
            }
        }
        core::str::from_utf8(memory.get(..len)?).ok()
    }

    /// The decoded string as a text of its own, or `None` if it has more than `N` bytes.
    #[must_use]
    pub fn to_text<const N: usize>(&self) -> Option<heapless::String<N>> {
        let mut text = heapless::String::new();
        fmt::write(&mut text, format_args!("{self}")).ok()?;
        Some(text)
    }
}

impl fmt::Display for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = self.plain() {
            return f.write_str(text);
        }
        let (mut char, mut len) = ([0; 4], 0usize);
        for byte in self.bytes() {
            if let Some(at) = char.get_mut(len) {
                *at = byte;
            }
            len = len.wrapping_add(1);
            // No part of a character is one.
            let whole = char.get(..len).map(core::str::from_utf8);
            if let Some(Ok(whole)) = whole {
                f.write_str(whole)?;
                len = 0;
            }
        }
        Ok(())
    }
}

impl PartialEq for Str<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.plain(), other.plain()) {
            (Some(a), Some(b)) => a == b,
            _ => self.bytes().eq(other.bytes()),
        }
    }
}

impl Eq for Str<'_> {}

impl PartialEq<str> for Str<'_> {
    fn eq(&self, other: &str) -> bool {
        match self.plain() {
            Some(text) => text == other,
            None => self.bytes().eq(other.bytes()),
        }
    }
}

impl PartialEq<&str> for Str<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

/// The bytes of a decoded string; see [`Str::bytes`].
#[derive(Debug, Clone)]
pub(crate) struct Decoded<'a> {
    rest: &'a [u8],
    /// What is left of the last escape's character, the next byte lowest.
    pending: u32,
    pending_len: u8,
}

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if self.pending_len > 0 {
            self.pending_len -= 1;
            let byte = self.pending as u8;
            self.pending >>= 8;
            return Some(byte);
        }
        let byte = self.take()?;
        if byte != b'\\' {
            return Some(byte);
        }
        Some(match self.take()? {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => self.unicode()?,
            itself => itself,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Six bytes of `\uXXXX` may stand for one; nothing stands for more than itself.
        let pending = usize::from(self.pending_len);
        (
            pending.saturating_add(self.rest.len().div_ceil(6)),
            Some(pending.saturating_add(self.rest.len())),
        )
    }
}

impl FusedIterator for Decoded<'_> {}

impl<'a> Decoded<'a> {
    pub(crate) const fn of(text: &Str<'a>) -> Self {
        Self {
            rest: text.text.as_bytes(),
            pending: 0,
            pending_len: 0,
        }
    }

    fn take(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn hex4(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit << 4 | char::from(self.take()?).to_digit(16)?;
        }
        Some(unit)
    }

    /// The character after `\u`: its first byte, and the others put aside.
    fn unicode(&mut self) -> Option<u8> {
        let first = self.hex4()?;
        let code = match first {
            0xd800..=0xdbff => {
                // The check of the document saw the second half: `\u` and four digits.
                self.take()?;
                self.take()?;
                let second = self.hex4()?;
                0x1_0000 + ((first & 0x3ff) << 10 | second & 0x3ff)
            }
            _ => first,
        };
        let continuation = |shift: u32| 0x80 | code >> shift & 0x3f;
        let (lead, pending, pending_len) = match code {
            0..0x80 => (code, 0, 0),
            0x80..0x800 => (0xc0 | code >> 6, continuation(0), 1),
            0x800..0x1_0000 => (0xe0 | code >> 12, continuation(6) | continuation(0) << 8, 2),
            _ => (
                0xf0 | code >> 18,
                continuation(12) | continuation(6) << 8 | continuation(0) << 16,
                3,
            ),
        };
        self.pending = pending;
        self.pending_len = pending_len;
        Some(lead as u8)
    }
}
