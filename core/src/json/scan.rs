//! The grammar of RFC 8259 as one loop: a cursor, and a bit for each open container.

use super::plain::plain_len;
use super::{DEPTH_MAX, Error, ErrorKind};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Checks that `bytes`, which are UTF-8, are one JSON text and nothing more.
pub(super) fn check(bytes: &[u8]) -> Result<(), Error> {
    let mut cursor = Cursor { bytes, at: 0 };
    document(&mut cursor).map_err(|kind| Error {
        offset: cursor.at,
        kind,
    })
}

/// Steps over the whole document. On an error the cursor stands where it is.
fn document(cursor: &mut Cursor<'_>) -> Result<(), ErrorKind> {
    if cursor.bytes.starts_with(BYTE_ORDER_MARK) {
        return Err(ErrorKind::ByteOrderMark);
    }
    cursor.value(0)?;
    cursor.end()
}

/// The open containers, outermost in the highest bit used: 1 for an object, 0 for an array.
#[derive(Default)]
struct Open {
    is_object: u32,
    depth: u32,
}

const _: () = assert!(DEPTH_MAX <= u32::BITS, "a bit for each open container");

impl Open {
    /// Opens a container; `false` if there are too many beside the `outer` ones.
    fn push(&mut self, is_object: bool, outer: u32) -> bool {
        if self.depth.saturating_add(outer) >= DEPTH_MAX {
            return false;
        }
        self.depth += 1;
        self.is_object = self.is_object << 1 | u32::from(is_object);
        true
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.is_object >>= 1;
    }

    const fn in_object(&self) -> bool {
        self.is_object & 1 == 1
    }

    /// What ends the innermost one.
    const fn end(&self) -> u8 {
        if self.in_object() { b'}' } else { b']' }
    }

    const fn is_empty(&self) -> bool {
        self.depth == 0
    }
}

/// A place in a document. Each step checks what it steps over.
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl Cursor<'_> {
    /// Steps over a value inside `outer` containers.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn value(&mut self, outer: u32) -> Result<(), ErrorKind> {
        let mut open = Open::default();
        loop {
            let first = self.next_visible()?;
            if let b'{' | b'[' = first {
                if !open.push(first == b'{', outer) {
                    return Err(ErrorKind::TooDeep);
                }
                self.advance();
                if self.next_visible()? != open.end() {
                    self.name_in(&open)?;
                    continue;
                }
            } else {
                self.scalar(first)?;
            }
            // A value has ended, or a container has just begun that is empty.
            loop {
                if open.is_empty() {
                    return Ok(());
                }
                let next = self.next_visible()?;
                if next == open.end() {
                    self.advance();
                    open.pop();
                } else if next == b',' {
                    self.advance();
                    self.name_in(&open)?;
                    break;
                } else {
                    return Err(ErrorKind::UnexpectedByte);
                }
            }
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn advance(&mut self) {
        self.at = self.at.wrapping_add(1);
    }

    /// The next byte, which must be there.
    fn need(&self) -> Result<u8, ErrorKind> {
        self.peek().ok_or(ErrorKind::UnexpectedEnd)
    }

    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.advance();
        }
    }

    /// Steps over white space to the next byte, which must be there.
    pub(super) fn next_visible(&mut self) -> Result<u8, ErrorKind> {
        self.skip_space();
        self.need()
    }

    /// Nothing but white space may follow.
    pub(super) fn end(&mut self) -> Result<(), ErrorKind> {
        self.skip_space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(ErrorKind::TrailingBytes),
        }
    }

    /// Before the next value: the name of a member and its colon, if the innermost container is an object.
    fn name_in(&mut self, open: &Open) -> Result<(), ErrorKind> {
        if !open.in_object() {
            return Ok(());
        }
        if self.next_visible()? != b'"' {
            return Err(ErrorKind::UnexpectedByte);
        }
        self.string()?;
        if self.next_visible()? != b':' {
            return Err(ErrorKind::UnexpectedByte);
        }
        self.advance();
        Ok(())
    }

    /// A string, number or literal that starts with `first`.
    fn scalar(&mut self, first: u8) -> Result<(), ErrorKind> {
        match first {
            b'"' => self.string().map(|_| ()),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => Err(ErrorKind::UnexpectedByte),
        }
    }

    pub(super) fn literal(&mut self, word: &[u8]) -> Result<(), ErrorKind> {
        for letter in word {
            if self.need()? != *letter {
                return Err(ErrorKind::UnexpectedByte);
            }
            self.advance();
        }
        Ok(())
    }

    /// `[ minus ] int [ frac ] [ exp ]`
    pub(super) fn number(&mut self) -> Result<(), ErrorKind> {
        if self.peek() == Some(b'-') {
            self.advance();
        }
        if self.peek() == Some(b'0') {
            self.advance();
            if let Some(b'0'..=b'9') = self.peek() {
                return Err(ErrorKind::BadNumber);
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.advance();
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.advance();
            if let Some(b'+' | b'-') = self.peek() {
                self.advance();
            }
            self.digits()?;
        }
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), ErrorKind> {
        if !self.need()?.is_ascii_digit() {
            return Err(ErrorKind::BadNumber);
        }
        while let Some(b'0'..=b'9') = self.peek() {
            self.advance();
        }
        Ok(())
    }

    /// A string, from its opening quote to its closing one. Returns whether it has escapes.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn string(&mut self) -> Result<bool, ErrorKind> {
        self.advance();
        let mut escaped = false;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or(&[]);
            self.at = self.at.wrapping_add(plain_len(rest));
            match self.need()? {
                b'"' => {
                    self.advance();
                    return Ok(escaped);
                }
                b'\\' => {
                    self.escape()?;
                    escaped = true;
                }
                _ => return Err(ErrorKind::ControlCharacter),
            }
        }
    }

    /// An escape, or the two that make up one character outside the Basic Multilingual Plane.
    fn escape(&mut self) -> Result<(), ErrorKind> {
        let start = self.at;
        self.advance();
        match self.need()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.advance();
                return Ok(());
            }
            b'u' => self.advance(),
            _ => return Err(ErrorKind::BadEscape),
        }
        match self.hex4()? {
            0xdc00..=0xdfff => return self.lone_surrogate(start),
            0xd800..=0xdbff => {}
            _ => return Ok(()),
        }
        for expected in *b"\\u" {
            if self.need()? != expected {
                return self.lone_surrogate(start);
            }
            self.advance();
        }
        match self.hex4()? {
            0xdc00..=0xdfff => Ok(()),
            _ => self.lone_surrogate(start),
        }
    }

    /// The escape that began at `start` is half a character.
    const fn lone_surrogate(&mut self, start: usize) -> Result<(), ErrorKind> {
        self.at = start;
        Err(ErrorKind::LoneSurrogate)
    }

    fn hex4(&mut self) -> Result<u32, ErrorKind> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = char::from(self.need()?).to_digit(16) else {
                return Err(ErrorKind::BadEscape);
            };
            unit = unit << 4 | digit;
            self.advance();
        }
        Ok(unit)
    }
}
