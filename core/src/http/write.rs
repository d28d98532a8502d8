//! Writing heads: what those of responses and requests have in common.
//!
//! Nothing that comes from outside can add a line: a name that is no token and a value with a
//! control character are refused, and the whole head with them.

use super::fields::Known;
use super::grammar::{TOKEN, classes_of, is_field_value, is_token};
use crate::out::Out;

/// Why a head was not written; nothing of it is left in the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum HeadError {
    /// It does not fit.
    Full,
    /// The status is not in 100 to 599, or the method, target or host cannot stand in a request.
    BadStartLine,
    /// A field's name is no token or one that frames the message, which `finish…` writes; or its
    /// value has a control character.
    BadField,
}

impl HeadError {
    /// The error as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "the head does not fit into the lent memory",
            Self::BadStartLine => "the first line of the head is not well-formed",
            Self::BadField => "a field of the head is not well-formed, or frames the message",
        }
    }
}

impl core::fmt::Display for HeadError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for HeadError {}

/// A field line that stands in the program: it is checked when that is compiled, so that writing it is a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldLine(&'static str);

impl FieldLine {
    /// For constants. `line` is a name, `: `, a value and CRLF.
    ///
    /// # Panics
    ///
    /// Where `line` is no such line, or frames the message: in a constant, that is an error of the compiler.
    #[must_use]
    pub const fn new(line: &'static str) -> Self {
        assert!(is_field_line(line.as_bytes()), "this is no field line");
        Self(line)
    }

    pub(crate) const fn as_bytes(self) -> &'static [u8] {
        self.0.as_bytes()
    }

    /// How many bytes it has.
    #[cfg(feature = "hub")]
    pub(crate) const fn len(self) -> usize {
        self.0.len()
    }
}

/// Whether this is one whole field line, and none that frames the message.
const fn is_field_line(line: &[u8]) -> bool {
    let [text @ .., b'\r', b'\n'] = line else {
        return false;
    };
    let (mut rest, mut name) = (text, 0);
    while let [byte, after @ ..] = rest
        && classes_of(*byte) & TOKEN != 0
    {
        (rest, name) = (after, name + 1);
    }
    let [b':', b' ', value @ ..] = rest else {
        return false;
    };
    let mut rest = value;
    while let [byte, after @ ..] = rest {
        if byte.is_ascii_control() {
            return false;
        }
        rest = after;
    }
    // A name as long as `content-length` or `transfer-encoding` might be one of them.
    !matches!(name, 0 | 14 | 17) && !value.is_empty()
}

/// A head that is being written: what responses and requests have in common.
#[derive(Debug)]
pub(super) struct Head<'o, 'm> {
    pub(super) out: &'o mut Out<'m>,
    /// Where the head starts in the output.
    start: usize,
    /// The output had overflowed before, and must stay marked as such.
    was_full: bool,
    pub(super) error: Option<HeadError>,
}

impl<'o, 'm> Head<'o, 'm> {
    pub(super) fn new(out: &'o mut Out<'m>) -> Self {
        Self {
            start: out.len(),
            was_full: out.is_full(),
            out,
            error: None,
        }
    }

    pub(super) fn field(&mut self, name: &str, value: &[u8]) {
        let frames = matches!(
            Known::from_name(name.as_bytes()),
            Some(Known::ContentLength | Known::TransferEncoding)
        );
        if frames || !is_field_value(value) {
            self.error = self.error.or(Some(HeadError::BadField));
        }
        self.begin_field(name);
        self.out.put(value);
        self.out.put(b"\r\n");
    }

    pub(super) fn line(&mut self, line: FieldLine) {
        self.out.put(line.as_bytes());
    }

    pub(super) fn number(&mut self, name: &str, value: u64) {
        self.begin_field(name);
        self.out.put_u64(value);
        self.out.put(b"\r\n");
    }

    pub(super) fn begin_field(&mut self, name: &str) {
        if !is_token(name.as_bytes()) {
            self.error = self.error.or(Some(HeadError::BadField));
        }
        self.out.put(name.as_bytes());
        self.out.put(b": ");
    }

    pub(super) fn content_length(&mut self, bytes: usize) {
        self.out.put(b"content-length: ");
        self.out.put_u64(bytes as u64);
        self.out.put(b"\r\n");
    }

    pub(super) fn finish(self) -> Result<(), HeadError> {
        self.out.put(b"\r\n");
        let full = self.out.is_full().then_some(HeadError::Full);
        match self.error.or(full) {
            None => Ok(()),
            Some(error) => {
                if !self.was_full {
                    self.out.rewind(self.start);
                }
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_field_line;

    #[test]
    fn a_line_of_the_program_is_one_line_and_frames_nothing() {
        for good in [
            "x: y\r\n",
            "cache-control: no-store\r\n",
            "x-y: a, b: c\r\n",
        ] {
            assert!(is_field_line(good.as_bytes()), "{good:?}");
        }
        for bad in [
            "",
            "\r\n",
            "x: y",
            "x: y\n",
            "x:y\r\n",
            "x: \r\n",
            ": y\r\n",
            "x y: z\r\n",
            "x : y\r\n",
            "x: y\r\nz: a\r\n",
            "x: y\0\r\n",
            "content-length: 1\r\n",
            "Transfer-Encoding: chunked\r\n",
        ] {
            assert!(!is_field_line(bad.as_bytes()), "{bad:?}");
        }
    }
}

/// What the tests of both head writers share.
#[cfg(test)]
pub(super) mod checks {
    use super::HeadError;
    use crate::out::Out;

    /// What a head writer makes of so much room: all of it, or the error and nothing.
    #[track_caller]
    pub(in crate::http) fn check(
        room: usize,
        write: impl FnOnce(&mut Out<'_>) -> Result<(), HeadError>,
        expect: Result<&str, HeadError>,
    ) {
        let mut memory = [0u8; 256];
        let mut out = Out::new(&mut memory[..room]);
        out.put(b"before");
        let result = write(&mut out);
        let (expect, written) = match expect {
            Ok(text) => (Ok(()), text),
            Err(error) => (Err(error), ""),
        };
        assert_eq!(result, expect);
        assert!(!out.is_full());
        let found = out.written().strip_prefix(b"before");
        assert_eq!(found, Some(written.as_bytes()));
    }
}
