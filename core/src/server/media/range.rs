//! Which part of an output is asked for, and whether it is known already (RFC 9110, sections 13 and 14).

use crate::{digits::number, http::Fields};

/// What is sent of so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of them.
    Whole,
    /// So many from there: one at least.
    Some { at: u64, bytes: u64 },
    /// None: the part that is asked for lies beyond them.
    Beyond,
}

/// The part of `total` bytes that a request asks for whose output has this tag. What is no range, or several, is the whole
/// (section 14.2 allows it), and so is one of what has changed meanwhile.
pub(super) fn part(fields: &Fields<'_>, total: u64, tag: &str) -> Part {
    let Ok(Some(range)) = fields.get_unique("range") else {
        return Part::Whole;
    };
    match fields.get_unique("if-range") {
        Ok(None) => range_of(range, total),
        // The comparison is a strong one, and a date is never ours: no `Last-Modified` is sent.
        Ok(Some(known)) if known == tag.as_bytes() && known.first() == Some(&b'"') => {
            range_of(range, total)
        }
        _ => Part::Whole,
    }
}

/// Whether a client wants nothing but what has another tag (section 13.1.1). The comparison is a strong one.
pub(super) fn is_other(fields: &Fields<'_>, tag: &str) -> bool {
    let mut wanted = fields
        .all("if-match")
        .flat_map(|field| field.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|wanted| !wanted.is_empty())
        .peekable();
    wanted.peek().is_some() && !wanted.any(|wanted| wanted == b"*" || wanted == tag.as_bytes())
}

/// Whether a client says that it has what this is the tag of (section 13.1.2). The comparison is a weak one.
pub(super) fn is_known(fields: &Fields<'_>, tag: &str) -> bool {
    let mut known = fields
        .all("if-none-match")
        .flat_map(|field| field.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .map(|known| known.strip_prefix(b"W/").unwrap_or(known));
    known.any(|known| known == b"*" || known == tag.as_bytes())
}

fn range_of(value: &[u8], total: u64) -> Part {
    let Some((unit, ranges)) = value.split_at_checked(6) else {
        return Part::Whole;
    };
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return Part::Whole;
    }
    let mut ends = ranges.trim_ascii().split(|byte| *byte == b'-');
    let (Some(first), Some(last), None) = (ends.next(), ends.next(), ends.next()) else {
        return Part::Whole;
    };
    let is_number = |digits: &[u8]| digits.iter().all(u8::is_ascii_digit);
    if !is_number(first) || !is_number(last) {
        return Part::Whole;
    }
    // A number that is larger than any is beyond every end.
    let value = |digits| number(digits).unwrap_or(u64::MAX);
    match (first, last) {
        ([], []) => Part::Whole,
        ([], suffix) => match value(suffix).min(total) {
            0 => Part::Beyond,
            bytes => Part::Some {
                at: total.saturating_sub(bytes),
                bytes,
            },
        },
        (first, last) => {
            let at = value(first);
            let last = if last.is_empty() {
                u64::MAX
            } else {
                value(last)
            };
            match total.checked_sub(at) {
                _ if last < at => Part::Whole,
                None | Some(0) => Part::Beyond,
                Some(rest) => Part::Some {
                    at,
                    bytes: rest.min(last.saturating_sub(at).saturating_add(1)),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_by_the_book() {
        let some = |at, bytes| Part::Some { at, bytes };
        for (range, expect) in [
            ("bytes=0-0", some(0, 1)),
            ("bytes=0-499", some(0, 10)),
            ("bytes=3-5", some(3, 3)),
            ("BYTES= 3-5 ", some(3, 3)),
            ("bytes=9-", some(9, 1)),
            ("bytes=0-", some(0, 10)),
            ("bytes=-3", some(7, 3)),
            ("bytes=-99999999999999999999999", some(0, 10)),
            ("bytes=4-99999999999999999999999", some(4, 6)),
            ("bytes=10-", Part::Beyond),
            ("bytes=10-12", Part::Beyond),
            ("bytes=99999999999999999999999-", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=5-3", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=0-1-2", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("byte", Part::Whole),
        ] {
            assert_eq!(range_of(range.as_bytes(), 10), expect, "{range}");
        }
        assert_eq!(range_of(b"bytes=0-", 0), Part::Beyond);
        assert_eq!(range_of(b"bytes=-1", 0), Part::Beyond);
    }
}
