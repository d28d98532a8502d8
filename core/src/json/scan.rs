//! The grammar of RFC 8259 as one loop: a cursor, what may come next, and a bit for each open
//! container.

use super::plain::plain_len;
use super::{DEPTH_MAX, Error, ErrorKind};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What may come next.
#[derive(Clone, Copy)]
enum Expect {
    Value,
    /// A value, or the end of an array that has just begun.
    ValueOrEnd,
    /// A member's name.
    Name,
    /// A member's name, or the end of an object that has just begun.
    NameOrEnd,
    /// After a value inside a container.
    CommaOrEnd,
}

/// Checks that `bytes`, which are UTF-8, are one JSON text and nothing more.
pub(super) fn check(bytes: &[u8]) -> Result<(), Error> {
    if bytes.starts_with(BYTE_ORDER_MARK) {
        return Err(Error {
            offset: 0,
            kind: ErrorKind::ByteOrderMark,
        });
    }
    let mut cursor = Cursor { bytes, at: 0 };
    let mut open = Open::default();
    let mut expect = Expect::Value;
    loop {
        let byte = cursor.next_visible()?;
        let whole = match (expect, byte) {
            (Expect::Value | Expect::ValueOrEnd, b'{' | b'[') => {
                let is_object = byte == b'{';
                if !open.push(is_object) {
                    return cursor.fail(ErrorKind::TooDeep);
                }
                cursor.advance();
                expect = if is_object {
                    Expect::NameOrEnd
                } else {
                    Expect::ValueOrEnd
                };
                false
            }
            (Expect::ValueOrEnd, b']') | (Expect::NameOrEnd, b'}') => {
                cursor.advance();
                open.pop();
                true
            }
            (Expect::Value | Expect::ValueOrEnd, _) => {
                cursor.scalar(byte)?;
                true
            }
            (Expect::Name | Expect::NameOrEnd, b'"') => {
                cursor.string()?;
                if cursor.next_visible()? != b':' {
                    return cursor.fail(ErrorKind::UnexpectedByte);
                }
                cursor.advance();
                expect = Expect::Value;
                false
            }
            (Expect::CommaOrEnd, b',') => {
                cursor.advance();
                expect = if open.in_object() {
                    Expect::Name
                } else {
                    Expect::Value
                };
                false
            }
            (Expect::CommaOrEnd, b'}') if open.in_object() => {
                cursor.advance();
                open.pop();
                true
            }
            (Expect::CommaOrEnd, b']') if !open.in_object() => {
                cursor.advance();
                open.pop();
                true
            }
            _ => return cursor.fail(ErrorKind::UnexpectedByte),
        };
        if whole {
            if open.is_empty() {
                return cursor.end();
            }
            expect = Expect::CommaOrEnd;
        }
    }
}

/// The open containers, outermost in the highest bit used: 1 for an object, 0 for an array.
#[derive(Default)]
struct Open {
    is_object: u32,
    depth: u32,
}

const _: () = assert!(DEPTH_MAX <= u32::BITS, "a bit for each open container");

impl Open {
    /// Opens a container; `false` if there are too many.
    fn push(&mut self, is_object: bool) -> bool {
        if self.depth >= DEPTH_MAX {
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

    const fn is_empty(&self) -> bool {
        self.depth == 0
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn advance(&mut self) {
        self.at = self.at.wrapping_add(1);
    }

    /// The next byte, which must be there.
    fn need(&self) -> Result<u8, Error> {
        self.peek().ok_or(Error {
            offset: self.bytes.len(),
            kind: ErrorKind::UnexpectedEnd,
        })
    }

    fn fail<T>(&self, kind: ErrorKind) -> Result<T, Error> {
        Err(Error {
            offset: self.at,
            kind,
        })
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.advance();
        }
    }

    /// Steps over white space to the next byte, which must be there.
    fn next_visible(&mut self) -> Result<u8, Error> {
        self.skip_space();
        self.need()
    }

    /// Nothing but white space may follow.
    fn end(&mut self) -> Result<(), Error> {
        self.skip_space();
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fail(ErrorKind::TrailingBytes),
        }
    }

    /// A string, number or literal that starts with `first`.
    fn scalar(&mut self, first: u8) -> Result<(), Error> {
        match first {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.fail(ErrorKind::UnexpectedByte),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Error> {
        for letter in word {
            if self.need()? != *letter {
                return self.fail(ErrorKind::UnexpectedByte);
            }
            self.advance();
        }
        Ok(())
    }

    /// `[ minus ] int [ frac ] [ exp ]`
    fn number(&mut self) -> Result<(), Error> {
        if self.peek() == Some(b'-') {
            self.advance();
        }
        if self.peek() == Some(b'0') {
            self.advance();
            if let Some(b'0'..=b'9') = self.peek() {
                return self.fail(ErrorKind::BadNumber);
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
    fn digits(&mut self) -> Result<(), Error> {
        if !self.need()?.is_ascii_digit() {
            return self.fail(ErrorKind::BadNumber);
        }
        while let Some(b'0'..=b'9') = self.peek() {
            self.advance();
        }
        Ok(())
    }

    /// A string, from its opening quote to its closing one.
    fn string(&mut self) -> Result<(), Error> {
        self.advance();
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or(&[]);
            self.at = self.at.wrapping_add(plain_len(rest));
            match self.need()? {
                b'"' => {
                    self.advance();
                    return Ok(());
                }
                b'\\' => self.escape()?,
                _ => return self.fail(ErrorKind::ControlCharacter),
            }
        }
    }

    /// An escape, or the two that make up one character outside the Basic Multilingual Plane.
    fn escape(&mut self) -> Result<(), Error> {
        let start = self.at;
        self.advance();
        match self.need()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.advance();
                return Ok(());
            }
            b'u' => self.advance(),
            _ => return self.fail(ErrorKind::BadEscape),
        }
        let lone = Err(Error {
            offset: start,
            kind: ErrorKind::LoneSurrogate,
        });
        match self.hex4()? {
            0xdc00..=0xdfff => return lone,
            0xd800..=0xdbff => {}
            _ => return Ok(()),
        }
        for expected in *b"\\u" {
            if self.need()? != expected {
                return lone;
            }
            self.advance();
        }
        match self.hex4()? {
            0xdc00..=0xdfff => Ok(()),
            _ => lone,
        }
    }

    fn hex4(&mut self) -> Result<u32, Error> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = char::from(self.need()?).to_digit(16) else {
                return self.fail(ErrorKind::BadEscape);
            };
            unit = unit << 4 | digit;
            self.advance();
        }
        Ok(unit)
    }
}
