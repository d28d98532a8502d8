//! What a request says of waiting: `Prefer: wait`, and past what to wait.

use super::{Field, Problem, query::parameter};
use crate::{
    digits::{canonical, decimal},
    http::Fields,
    split::split_once,
};

/// The longest that an answer is held, in seconds; who prefers to wait longer waits so long.
pub(super) const WAIT_S_MAX: u32 = 60;

/// For how many seconds the client prefers to wait for what it asks for, 60 at most (RFC 7240, section 4.3). The
/// first `wait` counts; one that is no number of seconds is passed over, as a preference may be.
#[must_use]
pub(crate) fn prefer_wait(fields: &Fields<'_>) -> Option<u32> {
    let preferences = fields
        .all("prefer")
        .flat_map(|field| field.split(|byte| *byte == b','));
    for preference in preferences {
        // Parameters follow behind a semicolon, and `wait` has none.
        let bare = preference.split(|byte| *byte == b';').next();
        let bare = core::str::from_utf8(bare.unwrap_or_default());
        let Some((name, value)) = bare.ok().and_then(|text| split_once(text, b'=')) else {
            continue;
        };
        if name.trim_ascii().eq_ignore_ascii_case("wait") {
            let value = value.trim_ascii();
            // A value may stand in quotes (RFC 7240, section 2).
            let quoted = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'));
            return seconds(quoted.unwrap_or(value).as_bytes());
        }
    }
    None
}

/// A number of seconds; of those too large for a number the longest there is.
fn seconds(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(decimal(digits).unwrap_or(WAIT_S_MAX).min(WAIT_S_MAX))
}

/// The sequence past which a job is waited for; its end, where the query names none.
///
/// # Errors
///
/// [`Problem::AfterSequence`], or [`Problem::QueryTwice`].
pub(crate) fn after_sequence(query: Option<&str>) -> Result<u32, Problem> {
    match parameter(query, Field::AfterSequence)? {
        None => Ok(u32::MAX),
        Some(value) => canonical(value.as_bytes()).ok_or(Problem::AfterSequence),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::http::{Limits, RecvBuf, RequestParser};
    use std::format;

    #[track_caller]
    fn check(fields: &str, expect: Option<u32>) {
        let mut head = format!("GET / HTTP/1.1\r\nhost: h\r\n{fields}\r\n").into_bytes();
        let len = head.len();
        let mut input = RecvBuf::new(&mut head, len);
        let mut parser = RequestParser::new();
        let _ = parser.advance(&Limits::SMALL, &mut input).unwrap();
        let request = parser.request(input.filled()).unwrap();
        assert_eq!(prefer_wait(&request.fields), expect, "{fields:?}");
    }

    #[test]
    fn a_preference_to_wait_is_found_among_others() {
        check("", None);
        check("prefer: wait=10\r\n", Some(10));
        check("prefer: wait=0\r\n", Some(0));
        check("prefer: wait=\"1\"\r\n", Some(1));
        check("Prefer: WAIT = 7 ; foo\r\n", Some(7));
        check("prefer: respond-async, wait=5\r\n", Some(5));
        check("prefer: respond-async\r\nprefer: wait=5\r\n", Some(5));
        check("prefer: wait=1, wait=2\r\n", Some(1));
        check("prefer: wait=61\r\n", Some(60));
        check("prefer: wait=99999999999999999999\r\n", Some(60));
        for nothing in [
            "wait", "wait=", "wait=x", "wait=-1", "wait=1.5", "waits=3", "a=wait=3", "wait=\"",
            "wait=\"1",
        ] {
            check(&format!("prefer: {nothing}\r\n"), None);
        }
    }

    #[test]
    fn a_sequence_is_a_number_and_stands_there_once() {
        assert_eq!(after_sequence(None), Ok(u32::MAX));
        assert_eq!(after_sequence(Some("a=b")), Ok(u32::MAX));
        assert_eq!(after_sequence(Some("x&after_sequence=3&y=1")), Ok(3));
        assert_eq!(after_sequence(Some("after_sequence=0")), Ok(0));
        let twice = Err(Problem::QueryTwice(Field::AfterSequence));
        assert_eq!(
            after_sequence(Some("after_sequence=1&after_sequence=1")),
            twice
        );
        for bad in ["", "-1", "01", "x", "4294967296", "1%30"] {
            let query = format!("after_sequence={bad}");
            assert_eq!(
                after_sequence(Some(&query)),
                Err(Problem::AfterSequence),
                "{bad}"
            );
        }
    }
}
