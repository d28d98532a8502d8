//! What bytes may stand where: character classes, lines, numbers and lists of RFC 9110 and RFC
//! 9112.

use super::refusal::Refusal;
use crate::digits::number;

/// `tchar` (RFC 9110, section 5.6.2).
pub(super) const TOKEN: u8 = 1;
/// `pchar` without `%`, and `/` (RFC 3986, section 3.3).
pub(super) const PATH: u8 = 1 << 1;
/// `unreserved` and `sub-delims` without the comma: what a `reg-name` is made of (RFC 3986, section
/// 3.2.2).
///
/// The grammar allows a comma, but a value with one cannot be told from two merged `Host` fields.
pub(super) const HOST: u8 = 1 << 2;
/// `HEXDIG`, in either case.
pub(super) const HEX: u8 = 1 << 3;

const CLASSES: [u8; 256] = {
    let mut classes = [0u8; 256];
    let mut rest: &mut [u8] = &mut classes;
    let mut byte = 0u8;
    while let [class, tail @ ..] = rest {
        *class = classes_of(byte);
        byte = byte.wrapping_add(1);
        rest = tail;
    }
    classes
};

pub(super) const fn classes_of(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' => TOKEN | PATH | HOST | HEX,
        b'g'..=b'z' | b'G'..=b'Z' | b'-' | b'.' | b'_' | b'~' => TOKEN | PATH | HOST,
        b'!' | b'$' | b'&' | b'\'' | b'*' | b'+' => TOKEN | PATH | HOST,
        b'(' | b')' | b';' | b'=' => PATH | HOST,
        b',' | b':' | b'@' | b'/' => PATH,
        b'#' | b'%' | b'^' | b'`' | b'|' => TOKEN,
        _ => 0,
    }
}

/// Whether `byte` belongs to one of `classes`.
pub(super) fn is(byte: u8, classes: u8) -> bool {
    CLASSES
        .get(usize::from(byte))
        .is_some_and(|found| found & classes != 0)
}

/// How many bytes at the front belong to one of `classes`.
pub(super) fn run_len(bytes: &[u8], classes: u8) -> usize {
    bytes
        .iter()
        .position(|byte| !is(*byte, classes))
        .unwrap_or(bytes.len())
}

/// Whether `bytes` is a `token`: one or more `tchar`.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && run_len(bytes, TOKEN) == bytes.len()
}

/// Whether `bytes` may stand in a field value: no control characters but HTAB (RFC 9110, section
/// 5.5).
pub(super) fn is_field_value(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = find_control(rest) {
        if rest.get(at) != Some(&b'\t') {
            return false;
        }
        rest = rest.get(at.saturating_add(1)..).unwrap_or_default();
    }
    true
}

/// Where a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// Its CR is here and its LF follows.
    At(usize),
    /// Not in these bytes; look again from here once there are more.
    Beyond(usize),
}

/// Looks for CRLF from `from` on and refuses every other control character but HTAB on the way.
///
/// RFC 9112, section 2.2, lets a recipient take a bare LF for a line's end; two parties that decide
/// differently see different messages, so here only CRLF ends a line.
pub(super) fn find_line_end(bytes: &[u8], from: usize) -> Result<LineEnd, Refusal> {
    let mut at = from;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(offset) = find_control(rest) else {
            return Ok(LineEnd::Beyond(bytes.len()));
        };
        at = at.saturating_add(offset);
        match rest.get(offset..).unwrap_or_default() {
            [b'\r', b'\n', ..] => return Ok(LineEnd::At(at)),
            [b'\r'] => return Ok(LineEnd::Beyond(at)),
            [b'\r', ..] => return Err(Refusal::BareCr),
            [b'\n', ..] => return Err(Refusal::BareLf),
            [b'\t', ..] => at = at.saturating_add(1),
            _ => return Err(Refusal::ControlCharacter),
        }
    }
}

/// The position of the first control character, HTAB included, looked for a word at a time.
fn find_control(bytes: &[u8]) -> Option<usize> {
    let (words, tail) = bytes.as_chunks();
    let mut at = 0usize;
    for word in words {
        let hits = controls_in(usize::from_le_bytes(*word));
        if hits != 0 {
            return Some(at.saturating_add((hits.trailing_zeros() / 8) as usize));
        }
        at = at.saturating_add(word.len());
    }
    let offset = tail.iter().position(u8::is_ascii_control)?;
    Some(at.saturating_add(offset))
}

/// Sets the top bit of every byte below 0x20 or equal to 0x7F.
///
/// A borrow can also set it in a byte above such a one, so only the lowest set bit may be believed.
const fn controls_in(word: usize) -> usize {
    const ONES: usize = usize::from_ne_bytes([0x01; size_of::<usize>()]);
    const TOPS: usize = ONES * 0x80;
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let delete = word ^ (ONES * 0x7F);
    let is_delete = delete.wrapping_sub(ONES) & !delete;
    (below_space | is_delete) & TOPS
}

/// Cuts the whitespace before the first other byte (`OWS` of RFC 9110, section 5.6.3).
pub(super) fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// Cuts the whitespace on both sides.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let mut bytes = trim_start(bytes);
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The members of a comma-separated list without the whitespace around them (RFC 9110, section
/// 5.6.1).
pub(super) fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim)
}

/// The value of `1*DIGIT`, or the largest there is if it is larger; `None` for anything else.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| number(digits).unwrap_or(u64::MAX))
}

/// The value of `1*HEXDIG`, or the largest there is if it is larger; `None` for anything else.
pub(super) fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some(value.saturating_mul(16).saturating_add(digit.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_the_grammar() {
        for byte in 0..=u8::MAX {
            let alnum = byte.is_ascii_alphanumeric();
            let check = |class, others: &[u8]| {
                assert_eq!(is(byte, class), alnum || others.contains(&byte), "{byte}");
            };
            check(TOKEN, b"!#$%&'*+-.^_`|~");
            check(PATH, b"-._~!$&'()*+,;=:@/");
            check(HOST, b"-._~!$&'()*+;=");
            assert_eq!(is(byte, HEX), byte.is_ascii_hexdigit());
        }
    }

    #[test]
    fn every_control_character_is_found_at_every_place() {
        for control in (0..=u8::MAX).filter(u8::is_ascii_control) {
            for at in 0..20 {
                let mut bytes = [b' '; 20];
                bytes[at] = control;
                bytes[(at + 1).min(19)] = control;
                assert_eq!(find_control(&bytes), Some(at), "{control} at {at}");
            }
        }
        assert_eq!(find_control(&[0x80; 20]), None);
        assert_eq!(find_control(b"~~~~~~~~~~~~~~~ !"), None);
    }

    #[test]
    fn only_crlf_ends_a_line() {
        assert_eq!(find_line_end(b"a\tb\r\nc", 0), Ok(LineEnd::At(3)));
        assert_eq!(find_line_end(b"ab\r", 0), Ok(LineEnd::Beyond(2)));
        assert_eq!(find_line_end(b"ab", 1), Ok(LineEnd::Beyond(2)));
        assert_eq!(find_line_end(b"ab\rc", 0), Err(Refusal::BareCr));
        assert_eq!(find_line_end(b"ab\n", 0), Err(Refusal::BareLf));
        assert_eq!(find_line_end(b"ab\0", 0), Err(Refusal::ControlCharacter));
    }

    #[test]
    fn numbers_stop_at_the_largest_instead_of_wrapping() {
        assert_eq!(decimal(b"0042"), Some(42));
        assert_eq!(decimal(b"18446744073709551616"), Some(u64::MAX));
        assert_eq!(hexadecimal(b"fF"), Some(255));
        assert_eq!(hexadecimal(b"00010000000000000005"), Some(u64::MAX));
        for bad in [b"".as_slice(), b"+1", b"-0", b"1 ", b"0x1", b"1_0"] {
            assert_eq!(decimal(bad), None);
            assert_eq!(hexadecimal(bad), None);
        }
    }

    #[test]
    fn list_members_stand_without_whitespace() {
        let mut found = members(b" a ,\tb,, c d ");
        for member in [b"a".as_slice(), b"b", b"", b"c d"] {
            assert_eq!(found.next(), Some(member));
        }
        assert_eq!(found.next(), None);
    }
}
