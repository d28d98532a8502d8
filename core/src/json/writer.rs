//! Canonical output: one spelling for each value, no white space.

use super::plain::plain_len;
use crate::out::Out;

/// Writes `text` as a string with its quotes.
///
/// Escaped is only what RFC 8259 section 7 demands, the short way where there is one: the spelling
/// of RFC 8785 section 3.2.2.2.
pub fn write_str(out: &mut Out<'_>, text: &str) {
    out.put_byte(b'"');
    write_escaped(out, text.as_bytes());
    out.put_byte(b'"');
}

/// Writes the inside of a string, without quotes, for text that comes in pieces.
///
/// The pieces together must be UTF-8 for the output to be JSON; they may be cut anywhere.
pub fn write_escaped(out: &mut Out<'_>, mut piece: &[u8]) {
    loop {
        let plain_len = plain_len(piece);
        let Some((plain, rest)) = piece.split_at_checked(plain_len) else {
            return;
        };
        out.put(plain);
        let Some((special, rest)) = rest.split_first() else {
            return;
        };
        write_special(out, *special);
        piece = rest;
    }
}

fn write_special(out: &mut Out<'_>, byte: u8) {
    let short = match byte {
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        b'"' | b'\\' => byte,
        _ => {
            let hex = |digit: u8| {
                if digit < 10 {
                    b'0' + digit
                } else {
                    b'a' - 10 + digit
                }
            };
            out.put(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 0x0f)]);
            return;
        }
    };
    out.put(&[b'\\', short]);
}

/// Puts the marks of JSON between values: a comma where one belongs, a colon after a name.
///
/// It trusts its caller to open and close in pairs and to name each member once; one bit is all it
/// remembers, since whatever has just ended is followed by a comma or by the next end.
#[derive(Debug)]
pub struct Writer<'o, 'a> {
    out: &'o mut Out<'a>,
    comma: bool,
}

impl<'o, 'a> Writer<'o, 'a> {
    /// Writes one value, at the end of `out`.
    pub const fn new(out: &'o mut Out<'a>) -> Self {
        Self { out, comma: false }
    }

    /// Opens an object.
    pub fn object(&mut self) -> &mut Self {
        self.open(b'{')
    }

    /// Closes the innermost object.
    pub fn end_object(&mut self) -> &mut Self {
        self.close(b'}')
    }

    /// Opens an array.
    pub fn array(&mut self) -> &mut Self {
        self.open(b'[')
    }

    /// Closes the innermost array.
    pub fn end_array(&mut self) -> &mut Self {
        self.close(b']')
    }

    /// The name of the next member; the program's own names need no escapes, and this one must not.
    pub fn name(&mut self, name: &'static str) -> &mut Self {
        debug_assert_eq!(plain_len(name.as_bytes()), name.len(), "needs an escape");
        self.out.put(if self.comma { b",\"" } else { b"\"" });
        self.out.put(name.as_bytes());
        self.out.put(b"\":");
        self.comma = false;
        self
    }

    /// A string.
    pub fn string(&mut self, text: &str) -> &mut Self {
        self.between();
        write_str(self.out, text);
        self
    }

    /// A string, or `null`.
    pub fn string_or_null(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.string(text),
            None => self.null(),
        }
    }

    /// A string that `write` puts into the output itself; it must need no escapes.
    pub fn quoted(&mut self, write: impl FnOnce(&mut Out<'a>)) -> &mut Self {
        self.between();
        self.out.put_byte(b'"');
        write(self.out);
        self.out.put_byte(b'"');
        self
    }

    /// A number.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.between();
        self.out.put_u64(value);
        self
    }

    /// A number that may be negative.
    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.between();
        if value < 0 {
            self.out.put_byte(b'-');
        }
        self.out.put_u64(value.unsigned_abs());
        self
    }

    /// `true` or `false`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.raw(if value { b"true" } else { b"false" })
    }

    /// `null`.
    pub fn null(&mut self) -> &mut Self {
        self.raw(b"null")
    }

    /// A value that is JSON already.
    pub fn raw(&mut self, json: &[u8]) -> &mut Self {
        self.between();
        self.out.put(json);
        self
    }

    /// A comma, unless the value is the first.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn between(&mut self) {
        if self.comma {
            self.out.put_byte(b',');
        }
        self.comma = true;
    }

    fn open(&mut self, mark: u8) -> &mut Self {
        self.between();
        self.out.put_byte(mark);
        self.comma = false;
        self
    }

    fn close(&mut self, mark: u8) -> &mut Self {
        self.out.put_byte(mark);
        self.comma = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(write: impl Fn(&mut Out<'_>), expect: &str) {
        let mut memory = [0u8; 128];
        let mut out = Out::new(&mut memory);
        write(&mut out);
        assert_eq!(core::str::from_utf8(out.written()), Ok(expect));
    }

    #[test]
    fn only_what_must_be_escaped_is_escaped() {
        check(|o| write_str(o, ""), r#""""#);
        check(|o| write_str(o, "a/b é 😀 \u{7f}"), "\"a/b é 😀 \u{7f}\"");
        check(|o| write_str(o, "say \"x\\y\""), r#""say \"x\\y\"""#);
        check(
            |o| write_str(o, "\0\u{8}\t\n\u{b}\u{c}\r\u{1f} "),
            r#""\u0000\b\t\n\u000b\f\r\u001f ""#,
        );
    }

    #[test]
    fn pieces_cut_anywhere_make_the_same_text() {
        let text = "é\"😀\\\n\u{1}end of it".as_bytes();
        for at in 0..=text.len() {
            let (a, b) = text.split_at(at);
            check(
                |o| {
                    write_escaped(o, a);
                    write_escaped(o, b);
                },
                "é\\\"😀\\\\\\n\\u0001end of it",
            );
        }
    }

    #[test]
    fn commas_stand_between_values_and_nowhere_else() {
        check(
            |o| {
                Writer::new(o)
                    .object()
                    .name("data")
                    .array()
                    .object()
                    .end_object()
                    .array()
                    .end_array()
                    .u64(1)
                    .i64(-1)
                    .i64(i64::MIN)
                    .i64(i64::MAX)
                    .bool(true)
                    .end_array()
                    .name("b")
                    .null()
                    .name("at")
                    .quoted(|o| o.put_padded(7, 3))
                    .name("c")
                    .string_or_null(Some("x"))
                    .name("d")
                    .string_or_null(None)
                    .end_object();
            },
            r#"{"data":[{},[],1,-1,-9223372036854775808,9223372036854775807,true],"b":null,"at":"007","c":"x","d":null}"#,
        );
    }
}
