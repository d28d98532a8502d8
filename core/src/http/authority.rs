//! `uri-host [ ":" port ]`, the value of `Host` and the authority of an absolute target.

use super::grammar::{HEX, HOST, is, run_len};
use crate::{digits::decimal, ip};

/// Whether `bytes` names a host, and perhaps a port, that a request can be meant for.
///
/// RFC 9110, section 7.2, with RFC 3986, section 3.2.2, but: no empty host (RFC 9110, section
/// 4.2.1), no comma, no IPv6 zone, no `IPvFuture`, of which none exists, and no port above 65,535.
pub(super) fn is_authority(bytes: &[u8]) -> bool {
    let (host_is_good, port) = match bytes {
        [b'[', rest @ ..] => match split_at(rest, b']') {
            Some((address, port)) => (ip::v6(address).is_some(), port),
            None => return false,
        },
        _ => {
            let len = bytes
                .iter()
                .position(|byte| *byte == b':')
                .unwrap_or(bytes.len());
            let (host, port) = bytes.split_at_checked(len).unwrap_or_default();
            (!host.is_empty() && is_encoded(host, HOST), port)
        }
    };
    host_is_good
        && match port {
            [] | [b':'] => true,
            [b':', digits @ ..] => decimal(digits).is_some_and(|port| port <= 65_535),
            _ => false,
        }
}

/// Whether every byte belongs to one of `classes` or to a percent-encoded octet (RFC 3986, section
/// 2.1).
pub(super) fn is_encoded(mut bytes: &[u8], classes: u8) -> bool {
    loop {
        bytes = match bytes.get(run_len(bytes, classes)..) {
            Some([]) => return true,
            Some([b'%', high, low, rest @ ..]) if is(*high, HEX) && is(*low, HEX) => rest,
            _ => return false,
        };
    }
}

/// What stands before and after the first `separator`.
fn split_at(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == separator)?;
    let (before, rest) = bytes.split_at_checked(at)?;
    let (_, after) = rest.split_first()?;
    Some((before, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_those_of_the_grammar() {
        for good in [
            "example.test",
            "EXAMPLE.test.",
            "a_b~c!$&'()*+;=",
            "ex%61mple.test",
            "example.test:",
            "example.test:65535",
            "127.0.0.1:80",
            "[::1]:8080",
            "[::]",
            "[1:2:3:4:5:6:7:8]",
            "[1:2:3:4:5:6:1.2.3.4]",
            "[2001:DB8::ffff:192.0.2.1]",
            "[1::8]",
            "[1:2:3:4:5:6:7::]",
        ] {
            assert!(is_authority(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            ":80",
            "a b",
            "a,b",
            "a/b",
            "user@example.test",
            "http://example.test",
            "a:-1",
            "a:65536",
            "a:1:2",
            "a%2",
            "a\\b",
            "a?b",
            "caf\u{e9}.test",
            "[",
            "[]",
            "[::1",
            "[::1]8080",
            "[::1]:x",
            "[fe80::1%25eth0]",
            "[1:2:3:4:5:6:7]",
            "[1:2:3:4:5:6:7:8:9]",
            "[1:2:3:4::5:6:7:8]",
            "[1::2::3]",
            "[:::]",
            "[12345::]",
            "[1.2.3.4::]",
            "[::1.2.3]",
            "[::1.2.3.256]",
            "[::01.2.3.4]",
            "[v1.a]",
        ] {
            assert!(!is_authority(bad.as_bytes()), "{bad}");
        }
    }
}
