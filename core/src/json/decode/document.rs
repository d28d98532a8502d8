//! Where a reader of typed values is in a document, and how it goes on.

use super::error::{ReadError, ReadErrorKind};
use crate::json::{
    Str, Value,
    value::{skip_space_and, take_string, take_value},
};

/// A document that has been checked, read once from its start to its end.
pub(super) struct Document<'de> {
    /// All of it, for telling where something lies.
    text: &'de str,
    /// What is not read yet; between values it begins with the next one.
    pub(super) rest: &'de str,
    /// What is left for decoded strings.
    memory: &'de mut [u8],
    /// How many objects and arrays were begun and not read to their end.
    pub(super) depth: u32,
}

impl<'de> Document<'de> {
    /// `rest` is the end of `text`, and begins with a value.
    pub(super) const fn new(text: &'de str, rest: &'de str, memory: &'de mut [u8]) -> Self {
        Self {
            text,
            rest,
            memory,
            depth: 0,
        }
    }

    /// How much of it is read, in bytes.
    pub(super) const fn offset(&self) -> usize {
        self.text.len().wrapping_sub(self.rest.len())
    }

    /// The first byte of what comes next.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    /// Takes one byte.
    pub(super) fn advance(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    /// Takes a string.
    pub(super) fn string(&mut self) -> Result<Str<'de>, ReadError> {
        take_string(&mut self.rest).ok_or_else(|| ReadErrorKind::Type.into())
    }

    /// Takes what is neither an object nor an array.
    #[inline(never)]
    pub(super) fn scalar(&mut self) -> Option<Value<'de>> {
        match self.peek() {
            Some(b'{' | b'[') => None,
            _ => take_value(&mut self.rest),
        }
    }

    /// Takes the value that comes next, unread.
    #[inline(never)]
    pub(super) fn skip(&mut self) -> Option<Value<'de>> {
        take_value(&mut self.rest)
    }

    /// Takes what stands between two values, and the `mark` in it.
    pub(super) fn skip_mark(&mut self, mark: u8) {
        skip_space_and(&mut self.rest, mark);
    }

    /// Begins what has parts, where it begins with `mark`; the cursor stands before the first part then.
    #[inline(never)]
    pub(super) fn open(&mut self, mark: u8) -> Result<(), ReadError> {
        if self.peek() != Some(mark) {
            return Err(ReadErrorKind::Type.into());
        }
        self.depth = self.depth.wrapping_add(1);
        self.advance();
        Ok(())
    }

    /// Before the next part: takes the comma before it, or the end of what was opened. `false` at the end.
    #[inline(never)]
    pub(super) fn next_part(&mut self) -> bool {
        self.skip_mark(b',');
        let is_part = !matches!(self.peek(), Some(b'}' | b']') | None);
        if !is_part {
            self.depth = self.depth.wrapping_sub(1);
            self.advance();
        }
        is_part
    }

    /// Goes behind what began at `start`, whose reader may have gone before its end.
    #[inline(never)]
    pub(super) fn leave(&mut self, start: &'de str, depth: u32) {
        if self.depth != depth {
            self.depth = depth;
            self.rest = start;
            self.skip();
        }
    }

    /// Decodes a string into the memory.
    #[inline(never)]
    pub(super) fn decode(&mut self, string: Str<'de>) -> Result<&'de str, ReadError> {
        let memory = core::mem::take(&mut self.memory);
        match memory.split_at_mut_checked(string.decoded_len()) {
            Some((room, rest)) => {
                self.memory = rest;
                string.decode_into(room).ok_or(ReadErrorKind::Escaped)
            }
            None => Err(ReadErrorKind::Escaped),
        }
        .map_err(ReadError::from)
    }
}
