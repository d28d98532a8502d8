//! IP addresses from text, each in the spellings that have one reading.
//!
//! Taken are the very texts that the standard library takes: four decimal numbers without leading
//! zeros (RFC 6943 section 3.1.1, "strict"), and RFC 4291 section 2.2. Its reader of IPv6 addresses
//! leaves panic paths in a small build, this one none.

use crate::digits::canonical;
#[cfg(any(feature = "guard", test))]
use core::net::IpAddr;
use core::net::{Ipv4Addr, Ipv6Addr};

/// An address of either family.
#[cfg(any(feature = "guard", test))]
pub(crate) fn parse(text: &str) -> Option<IpAddr> {
    match v4(text.as_bytes()) {
        Some(address) => Some(IpAddr::V4(address)),
        None => v6(text.as_bytes()).map(IpAddr::V6),
    }
}

/// `192.0.2.1`, and no other spelling of it.
pub(crate) fn v4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut parts = text.split(|byte| *byte == b'.').map(number);
    let [a, b, c, d] = [
        parts.next()??,
        parts.next()??,
        parts.next()??,
        parts.next()??,
    ];
    match parts.next() {
        None => Some(Ipv4Addr::new(a, b, c, d)),
        Some(_) => None,
    }
}

/// `2001:db8::1`, without brackets and zone.
pub(crate) fn v6(text: &[u8]) -> Option<Ipv6Addr> {
    let gap = text.windows(2).position(|pair| pair == b"::");
    let mut all = [[0u8; 2]; 8];
    match gap {
        None => {
            if groups(text, true, &mut all)? != all.len() {
                return None;
            }
        }
        Some(gap) => {
            let mut after = [[0u8; 2]; 8];
            let before_len = groups(text.get(..gap)?, false, &mut all)?;
            let after_len = groups(text.get(gap.wrapping_add(2)..)?, true, &mut after)?;
            // `::` stands for one group of zeros at least.
            if before_len.wrapping_add(after_len) >= all.len() {
                return None;
            }
            let last = after.iter().take(after_len).rev();
            for (to, from) in all.iter_mut().rev().zip(last) {
                *to = *from;
            }
        }
    }
    let octets: [u8; 16] = all.as_flattened().try_into().ok()?;
    Some(Ipv6Addr::from(octets))
}

/// Reads the groups on one side of `::` into the start of `into`, and counts them.
///
/// The last two may be written as an IPv4 address where the whole text ends.
fn groups(side: &[u8], may_end_in_v4: bool, into: &mut [[u8; 2]; 8]) -> Option<usize> {
    if side.is_empty() {
        return Some(0);
    }
    let mut len = 0usize;
    let mut room = into.iter_mut();
    let mut parts = side.split(|byte| *byte == b':').peekable();
    while let Some(part) = parts.next() {
        if let Some(group) = hex(part) {
            *room.next()? = group.to_be_bytes();
            len += 1;
        } else if may_end_in_v4 && parts.peek().is_none() {
            let [a, b, c, d] = v4(part)?.octets();
            *room.next()? = [a, b];
            *room.next()? = [c, d];
            len += 2;
        } else {
            return None;
        }
    }
    Some(len)
}

/// One to four hexadecimal digits.
fn hex(text: &[u8]) -> Option<u16> {
    if !(1..=4).contains(&text.len()) {
        return None;
    }
    text.iter().try_fold(0u16, |value, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some(value << 4 | digit as u16)
    })
}

/// 0 to 255 in decimal without leading zeros.
fn number(text: &[u8]) -> Option<u8> {
    canonical(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str) {
        assert_eq!(parse(text), text.parse().ok(), "{text}");
    }

    #[test]
    fn reads_what_the_standard_library_reads() {
        // Every text of up to seven of these bytes, which holds all short ways to go wrong.
        const ALPHABET: &[u8; 6] = b"01f:.g";
        for len in 0..=7u32 {
            for mut n in 0..6usize.pow(len) {
                let mut text = [0u8; 7];
                for byte in &mut text[..len as usize] {
                    *byte = ALPHABET[n % 6];
                    n /= 6;
                }
                check(core::str::from_utf8(&text[..len as usize]).unwrap());
            }
        }
    }

    #[test]
    fn reads_long_texts_as_the_standard_library_does() {
        "1.2.3.4 255.255.255.255 256.1.1.1 1.2.3 1.2.3.4.5 01.2.3.4 1.2.3.4. .1.2.3.4 1..2.3 +1.2.3.4 \
         0.0.0.0 00.0.0.0 1.2.3.0x4 1.2.3.1234 1:2:3:4:5:6:7:8 1:2:3:4:5:6:7 1:2:3:4:5:6:7:8:9 \
         1:2:3:4:5:6:7:: ::2:3:4:5:6:7:8 1:2:3:4::5:6:7:8 ::1:2:3:4:5:6:7:8 1::2::3 ::: :::: 1:::2 \
         :1::2 1::2: 12345::1 ffff:FFFF:abcd::AbCd ::ffff:1.2.3.4 ::1.2.3.4 1.2.3.4:: 1:1.2.3.4::1 \
         1:2:3:4:5:6:1.2.3.4 1:2:3:4:5:6:7:1.2.3.4 1:2:3:4:5:1.2.3.4 ::1:2:3:4:5:1.2.3.4 \
         ::1:2:3:4:5:6:1.2.3.4 ::1.2.3.4:5 ::1.2.3 ::01.2.3.4 fe80::1%1 [::1] ::1/128 :: ::g 0:0:0:0:0:0:0:0"
            .split_ascii_whitespace()
            .for_each(check);
    }
}
