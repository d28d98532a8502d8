//! Where a reader of typed values is in a document, and how it goes on.

use super::error::{ReadError, ReadErrorKind};
use crate::json::{Array, DEPTH_MAX, ErrorKind, Number, Str, scan::Cursor};

/// A document that is read once from its start to its end, and checked on the way.
///
/// Its reader may leave out what it likes, and make what it likes of errors: what it leaves out is checked too, and what is
/// no JSON is noted, so that nothing comes of the document in the end.
pub(super) struct Document<'de> {
    text: &'de str,
    cursor: Cursor<'de>,
    /// What is left for decoded strings.
    memory: &'de mut [u8],
    /// How many objects and arrays were begun and not read to their end.
    depth: u32,
    /// It is no JSON.
    is_broken: bool,
}

/// What stands for itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Literal {
    True,
    False,
    Null,
}

/// A place in a document: how much of it is before that, and how deep it is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    at: usize,
    depth: u32,
}

impl<'de> Document<'de> {
    /// The document that these bytes are, from its value on.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn new(bytes: &'de [u8], memory: &'de mut [u8]) -> Self {
        let text = core::str::from_utf8(bytes);
        let mut document = Self {
            text: text.unwrap_or_default(),
            cursor: Cursor { bytes, at: 0 },
            memory,
            depth: 0,
            is_broken: false,
        };
        if text.is_err() {
            document.broken();
        }
        document.cursor.skip_space();
        document
    }

    /// How much of it is read, in bytes.
    pub(super) const fn offset(&self) -> usize {
        self.cursor.at
    }

    pub(super) const fn place(&self) -> Place {
        Place {
            at: self.cursor.at,
            depth: self.depth,
        }
    }

    /// Goes back to read on from an earlier place.
    pub(super) const fn go_back(&mut self, place: Place) {
        self.cursor.at = place.at;
        self.depth = place.depth;
    }

    /// The document from a place on.
    pub(super) fn from(&self, at: usize) -> &'de str {
        self.text.get(at..).unwrap_or_default()
    }

    /// The first byte of what comes next.
    pub(super) fn peek(&self) -> Option<u8> {
        self.cursor.peek()
    }

    /// What comes next is no JSON, and nothing comes any more.
    #[cold]
    #[inline(never)]
    fn broken(&mut self) {
        self.is_broken = true;
        self.cursor.at = self.cursor.bytes.len();
    }

    fn stepped(&mut self, step: Result<(), ErrorKind>) {
        if step.is_err() {
            self.broken();
        }
    }

    /// Takes the colon behind a name.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn colon(&mut self) {
        match self.cursor.next_visible() {
            Ok(b':') => self.cursor.advance(),
            _ => self.broken(),
        }
        self.cursor.skip_space();
    }

    /// Takes a string, if one comes next.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn string(&mut self) -> Option<Str<'de>> {
        let start = self.cursor.at.wrapping_add(1);
        if self.peek() != Some(b'"') {
            return None;
        }
        match self.cursor.string() {
            Ok(escaped) => {
                let end = self.cursor.at.wrapping_sub(1);
                Some(Str::new(self.text.get(start..end)?, escaped))
            }
            Err(_) => {
                self.broken();
                None
            }
        }
    }

    /// Takes a number, if one comes next.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn number(&mut self) -> Option<Number<'de>> {
        let start = self.cursor.at;
        let (b'-' | b'0'..=b'9') = self.peek()? else {
            return None;
        };
        let step = self.cursor.number();
        let end = self.cursor.at;
        self.stepped(step);
        Some(Number::new(self.text.get(start..end)?))
    }

    /// Takes `true`, `false` or `null`, if one comes next.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn literal(&mut self) -> Option<Literal> {
        let (word, literal) = match self.peek()? {
            b't' => ("true", Literal::True),
            b'f' => ("false", Literal::False),
            b'n' => ("null", Literal::Null),
            _ => return None,
        };
        let step = self.cursor.literal(word.as_bytes());
        self.stepped(step);
        Some(literal)
    }

    /// Takes an array unread, if one comes next.
    pub(super) fn array(&mut self) -> Option<Array<'de>> {
        let start = self.cursor.at.wrapping_add(1);
        if self.peek() != Some(b'[') {
            return None;
        }
        self.skip();
        let end = self.cursor.at.wrapping_sub(1);
        self.text.get(start..end).map(Array::new)
    }

    /// Goes over the value that comes next, unread.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn skip(&mut self) {
        let step = self.cursor.value(self.depth);
        self.stepped(step);
    }

    /// Begins what has parts, if it begins with `mark`; the cursor stands before the first part or the end then.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn open(&mut self, mark: u8) -> Option<Place> {
        let place = self.place();
        if self.peek() != Some(mark) {
            return None;
        }
        if self.depth >= DEPTH_MAX {
            self.broken();
            return None;
        }
        self.depth = self.depth.wrapping_add(1);
        self.cursor.advance();
        self.cursor.skip_space();
        Some(place)
    }

    /// Goes to the next part, or behind the end: `false` then.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn next_part(&mut self, is_first: bool, end: u8) -> bool {
        let mut next = self.cursor.next_visible();
        if next == Ok(end) {
            self.cursor.advance();
            self.depth = self.depth.wrapping_sub(1);
            return false;
        }
        if !is_first && next == Ok(b',') {
            self.cursor.advance();
            next = self.cursor.next_visible();
        } else if !is_first {
            next = Err(ErrorKind::UnexpectedByte);
        }
        // A part of an object begins with its name.
        match next {
            Ok(b'"') => true,
            Ok(_) if end == b']' => true,
            _ => {
                self.broken();
                false
            }
        }
    }

    /// Goes behind what began at `start`, if its reader has not gone to its end.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn leave(&mut self, start: Place) {
        if self.depth != start.depth && !self.is_broken {
            self.go_back(start);
            self.skip();
        }
    }

    /// Whether all of it was read, and was JSON.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn is_whole(&mut self) -> bool {
        self.cursor.end().is_ok() && !self.is_broken
    }

    /// Decodes a string into the memory.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
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
