//! The four forms of a request target (RFC 9112, section 3.2).

use super::authority::{is_authority, is_encoded};
use super::grammar::{HEX, PATH, is};
use super::refusal::Refusal;

/// Where the parts of a target are, as positions in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// The host and port of the absolute form; empty in the others.
    pub(super) authority: (usize, usize),
    /// Where the path starts; it may be empty in the absolute form.
    pub(super) path: usize,
    /// Where the `?` is, or the end.
    pub(super) query: usize,
}

/// Takes apart `target`; `is_options` says whether the method is OPTIONS.
///
/// The authority form belongs to CONNECT alone and is not taken.
pub(super) fn parse(target: &[u8], is_options: bool) -> Result<Target, Refusal> {
    match target {
        [b'/', ..] => origin(target, 0).ok_or(Refusal::BadTarget),
        [b'*'] if is_options => Ok(Target {
            authority: (0, 0),
            path: 0,
            query: 1,
        }),
        _ => absolute(target).ok_or(Refusal::BadTarget),
    }
}

/// `absolute-path [ "?" query ]` from `path` on.
fn origin(target: &[u8], path: usize) -> Option<Target> {
    let mut at = path;
    let mut query = None;
    let mut bytes = target.get(path..)?.iter();
    while let Some(byte) = bytes.next() {
        if is(*byte, PATH) {
            at = at.saturating_add(1);
        } else if *byte == b'?' {
            query = query.or(Some(at));
            at = at.saturating_add(1);
        } else if *byte == b'%' && is(*bytes.next()?, HEX) && is(*bytes.next()?, HEX) {
            at = at.saturating_add(3);
        } else {
            return None;
        }
    }
    Some(Target {
        authority: (0, 0),
        path,
        query: query.unwrap_or(at),
    })
}

/// `http://host[:port]` and the same with `https`, then a path that may be empty, then perhaps a
/// query.
///
/// RFC 9112, section 3.2.2, has servers accept it; RFC 9110, section 4.2.4, has them refuse
/// userinfo in it.
fn absolute(target: &[u8]) -> Option<Target> {
    let colon = target.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = target.split_at_checked(colon)?;
    if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
        return None;
    }
    let after = rest.strip_prefix(b"://")?;
    let start = colon.saturating_add(3);
    let len = after
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(after.len());
    let path = start.saturating_add(len);
    if !is_authority(after.get(..len)?) {
        return None;
    }
    Some(Target {
        authority: (start, path),
        ..origin(target, path)?
    })
}

/// Whether `target` can stand in a request line that we write: origin form, no fragment.
pub(super) fn is_origin_form(target: &[u8]) -> bool {
    let mut parts = target.splitn(2, |byte| *byte == b'?');
    let path = parts.next().unwrap_or_default();
    let query = parts.next().unwrap_or_default();
    path.first() == Some(&b'/')
        && is_encoded(path, PATH)
        && query
            .split(|byte| *byte == b'?')
            .all(|part| is_encoded(part, PATH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_taken_apart() {
        #[track_caller]
        fn check(target: &str, authority: &str, path: &str, query: &str) {
            let bytes = target.as_bytes();
            let found = parse(bytes, true).unwrap();
            assert_eq!(&target[found.authority.0..found.authority.1], authority);
            assert_eq!(&target[found.path..found.query], path);
            assert_eq!(&target[found.query..], query);
            assert_eq!(is_origin_form(bytes), target.starts_with('/'), "{target}");
        }
        check("/", "", "/", "");
        check("//a/../b;c=1,2:@", "", "//a/../b;c=1,2:@", "");
        check("/?", "", "/", "?");
        check("/a%20b?c=/d?e", "", "/a%20b", "?c=/d?e");
        check("*", "", "*", "");
        check("http://a.test", "a.test", "", "");
        check("HTTPS://a.test:1/b?c", "a.test:1", "/b", "?c");
        check("http://[::1]?c", "[::1]", "", "?c");
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for bad in [
            "",
            "a",
            "**",
            "*/",
            "example.test:80",
            "?a",
            "/a#b",
            "/a b",
            "/a\tb",
            "/a\\b",
            "/a<b",
            "/a[b]",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a\u{7f}",
            "/\u{e9}",
            "ftp://a.test/",
            "http:/a",
            "http:///a",
            "http://",
            "http://u:p@a.test/",
            "http://a.test/#b",
            "://a",
            "http://a:b/",
        ] {
            assert_eq!(
                parse(bad.as_bytes(), true),
                Err(Refusal::BadTarget),
                "{bad}"
            );
            assert!(!is_origin_form(bad.as_bytes()), "{bad}");
        }
        assert_eq!(parse(b"*", false), Err(Refusal::BadTarget));
    }
}
