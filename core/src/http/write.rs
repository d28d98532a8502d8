//! Writing heads: what those of responses and requests have in common.
//!
//! Nothing that comes from outside can add a line: a name that is no token and a value with a
//! control character are refused, and the whole head with them.

use super::fields::Known;
use super::grammar::{is_field_value, is_token};
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
        self.number("content-length", bytes as u64);
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
