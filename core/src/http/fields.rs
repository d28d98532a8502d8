//! Field lines, and the fields of a message as a view of its bytes.

use super::grammar::{LineEnd, TOKEN, find_line_end, run_len, trim, trim_start};
use super::refusal::Refusal;

/// A field that must stand at most once stands more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeated;

/// The fields of one message, in the order they were sent; trailers are not among them.
///
/// No field is stored: each look-up walks the field lines, of which there are at most `fields_max`. A look-up of what is
/// not there seldom has to.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'b> {
    /// Whole field lines, each with its CRLF, found good before.
    lines: &'b [u8],
    names: Names,
}

impl<'b> Fields<'b> {
    /// `names` are those of all of them.
    pub(super) const fn new(lines: &'b [u8], names: Names) -> Self {
        Self { lines, names }
    }

    /// The value of the first field called `name`, in any case, without the whitespace around it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'b [u8]> {
        self.all(name).next()
    }

    /// The value of the only field called `name`.
    ///
    /// For fields that are no lists: a second one means that two readers could see two messages.
    ///
    /// # Errors
    ///
    /// [`Repeated`] if there is more than one, equal ones included.
    pub fn get_unique(&self, name: &str) -> Result<Option<&'b [u8]>, Repeated> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(Repeated),
        }
    }

    /// The values of all fields called `name`, in any case.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'b [u8]> {
        let rest = if self.names.may_have(name.as_bytes()) {
            self.lines
        } else {
            &[]
        };
        Lines { rest }.filter_map(move |line| {
            let (found, rest) = line.split_at_checked(name.len())?;
            let value = rest.strip_prefix(b":")?;
            found
                .eq_ignore_ascii_case(name.as_bytes())
                .then(|| trim(value))
        })
    }

    /// Names, as they were sent, and values without the whitespace around them.
    pub fn iter(&self) -> impl Iterator<Item = (&'b [u8], &'b [u8])> + Clone + use<'b> {
        Lines { rest: self.lines }.map_while(|line| split(line).ok())
    }
}

/// What fields may be called: a Bloom filter of one word and one hash, which is a name's length and its last letter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names(u32);

impl Names {
    /// There is no field.
    pub(super) const NONE: Self = Self(0);

    pub(super) fn add(&mut self, name: &[u8]) {
        self.0 |= Self::bit(name);
    }

    /// Whether a field of that name, in any case, may be there. If not, it is not.
    fn may_have(self, name: &[u8]) -> bool {
        self.0 & Self::bit(name) != 0
    }

    /// The bit of a name, 0 for one that is empty. Letters of both cases end in the same five bits.
    fn bit(name: &[u8]) -> u32 {
        name.last()
            .map_or(0, |last| 1 << ((name.len() as u32 ^ u32::from(*last)) & 31))
    }
}

/// Walks over field lines without their CRLFs.
#[derive(Debug, Clone)]
struct Lines<'b> {
    rest: &'b [u8],
}

impl<'b> Iterator for Lines<'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        let Ok(LineEnd::At(end)) = find_line_end(self.rest, 0) else {
            return None;
        };
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(2..)?;
        Some(line)
    }
}

/// Splits `field-name ":" OWS field-value OWS` (RFC 9112, section 5), the CRLF already cut.
///
/// The caller has made sure that there is no control character but HTAB in the line.
pub(super) fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let (name, rest) = line
        .split_at_checked(run_len(line, TOKEN))
        .ok_or(Refusal::BadFieldName)?;
    match rest {
        [b':', value @ ..] if !name.is_empty() => Ok((name, trim(value))),
        [b' ' | b'\t', ..] if name.is_empty() => Err(Refusal::LineFold),
        [b' ' | b'\t', ..] => Err(Refusal::SpaceBeforeColon),
        _ => Err(Refusal::BadFieldName),
    }
}

/// Where in `line` the value starts, `name` being what [`split`] found there.
pub(super) fn value_at(line: &[u8], name: &[u8]) -> usize {
    let after_colon = line.get(name.len().saturating_add(1)..).unwrap_or_default();
    line.len().saturating_sub(trim_start(after_colon).len())
}

/// A field that the parsers act upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Connection,
    ContentLength,
    ContentType,
    Expect,
    Host,
    TransferEncoding,
}

impl Known {
    /// Recognises `name`, a token, its length first, so that most other names cost one comparison.
    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        let (known, text) = match name.len() {
            4 => (Self::Host, "host"),
            6 => (Self::Expect, "expect"),
            10 => (Self::Connection, "connection"),
            12 => (Self::ContentType, "content-type"),
            14 => (Self::ContentLength, "content-length"),
            17 => (Self::TransferEncoding, "transfer-encoding"),
            _ => return None,
        };
        // The bit that makes a letter small turns no other `tchar` into a byte of these names. All of them are
        // compared, whichever differs, so that the compiler can take several at once.
        let differences = name
            .iter()
            .zip(text.as_bytes())
            .fold(0, |found, (byte, known)| found | ((byte | 0x20) ^ known));
        (differences == 0).then_some(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_ups_ignore_case_and_count() {
        let mut names = Names::NONE;
        for name in ["A", "b", "a", "Empty"] {
            names.add(name.as_bytes());
        }
        let fields = Fields::new(b"A: 1\r\nb:\t2 \r\na:3\r\nEmpty:\r\n", names);
        assert_eq!(fields.get("a"), Some(b"1".as_slice()));
        assert_eq!(fields.get("B"), Some(b"2".as_slice()));
        assert_eq!(fields.get("empty"), Some(b"".as_slice()));
        assert_eq!(fields.get("c"), None);
        assert_eq!(fields.get(""), None);
        assert_eq!(fields.get("empt"), None);
        assert_eq!(fields.get("a: "), None);
        assert_eq!(fields.get("EMPTY"), Some(b"".as_slice()));
        assert_eq!(fields.get_unique("b"), Ok(Some(b"2".as_slice())));
        assert_eq!(fields.get_unique("c"), Ok(None));
        assert_eq!(fields.get_unique("a"), Err(Repeated));
        assert!(fields.all("A").eq([b"1".as_slice(), b"3"]));
        assert_eq!(fields.iter().count(), 4);
    }

    #[test]
    fn field_lines_are_split_at_the_colon() {
        #[track_caller]
        fn check(line: &str, expect: Result<(&str, &str), Refusal>) {
            let expect = expect.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            assert_eq!(split(line.as_bytes()), expect);
        }
        check("Host: a:b \t", Ok(("Host", "a:b")));
        check("X:", Ok(("X", "")));
        check("X : a", Err(Refusal::SpaceBeforeColon));
        check(" X: a", Err(Refusal::LineFold));
        check(": a", Err(Refusal::BadFieldName));
        check("X", Err(Refusal::BadFieldName));
        check("X@: a", Err(Refusal::BadFieldName));
    }
}
