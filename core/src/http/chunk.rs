//! The grammar of a chunk's line, and what no trailer may look like.

use super::grammar::{HEX, TOKEN, hexadecimal, run_len, trim_start};
use super::refusal::Refusal;

/// `chunk-size [ chunk-ext ]` (RFC 9112, section 7.1), the CRLF already cut: the size, or the
/// largest there is if it is larger, and the length of the extensions in bytes.
///
/// The caller has made sure that there is no control character but HTAB in the line.
pub(super) fn parse_line(line: &[u8]) -> Result<(u64, usize), Refusal> {
    let (digits, extensions) = line
        .split_at_checked(run_len(line, HEX))
        .ok_or(Refusal::BadChunk)?;
    let size = hexadecimal(digits).ok_or(Refusal::BadChunk)?;
    let mut rest = extensions;
    while !rest.is_empty() {
        rest = after_extension(rest).ok_or(Refusal::BadChunk)?;
    }
    Ok((size, extensions.len()))
}

/// What follows one `BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ]` (RFC 9112, section
/// 7.1.1).
///
/// Extensions have no meaning here, but one that is not well-formed may hide where its line ends
/// for others.
fn after_extension(bytes: &[u8]) -> Option<&[u8]> {
    let [b';', rest @ ..] = trim_start(bytes) else {
        return None;
    };
    let after_name = after_token(trim_start(rest))?;
    let [b'=', value @ ..] = trim_start(after_name) else {
        return Some(after_name);
    };
    match trim_start(value) {
        [b'"', quoted @ ..] => after_quoted(quoted),
        value => after_token(value),
    }
}

fn after_token(bytes: &[u8]) -> Option<&[u8]> {
    match run_len(bytes, TOKEN) {
        0 => None,
        len => bytes.get(len..),
    }
}

/// What follows a `quoted-string` (RFC 9110, section 5.6.4) whose first quote is already cut.
fn after_quoted(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        bytes = match bytes {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', _, rest @ ..] | [_, rest @ ..] => rest,
            [] => return None,
        };
    }
}

/// Whether `line` ends like a request line.
///
/// `X:GET / HTTP/1.1` is a good trailer by the grammar, but also a request to a parser that skips
/// two bytes after the last chunk without looking whether they are CRLF. Nobody sends such a
/// trailer without ill intent.
pub(super) fn is_like_request_line(line: &[u8]) -> bool {
    matches!(
        line,
        [.., b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_lines_are_those_of_the_grammar() {
        #[track_caller]
        fn check(line: &str, expect: Option<(u64, usize)>) {
            assert_eq!(parse_line(line.as_bytes()), expect.ok_or(Refusal::BadChunk));
        }
        check("0", Some((0, 0)));
        check("00aF", Some((175, 0)));
        check("10000000000000005", Some((u64::MAX, 0)));
        check("5;a", Some((5, 2)));
        check("5 ;\ta = b;c=\"d \\\" ;\"", Some((5, 19)));
        for bad in [
            "",
            ";a",
            " 5",
            "5 ",
            "5;",
            "5;a ",
            "5;=b",
            "5;a=",
            "5;a=\"b",
            "5;a=\"b\\\"",
            "5;a=\"b\"c",
            "5;;a",
            "-5",
            "0x5",
            "5z",
            "5.0",
            "\"5\"",
            "5\u{a0}",
            "5,5",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn only_what_ends_like_a_request_line_is_like_one() {
        assert!(is_like_request_line(b"X:POST / HTTP/1.1"));
        assert!(!is_like_request_line(b"Via: HTTP/1.1 proxy"));
        assert!(!is_like_request_line(b"X:HTTP/1.1"));
        assert!(!is_like_request_line(b""));
    }
}
