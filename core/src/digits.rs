//! Numbers from their digits.

/// The number that decimal digits stand for: at least one, and no other character.
pub(crate) fn decimal(digits: &[u8]) -> Option<u32> {
    number(digits)?.try_into().ok()
}

/// Of numbers without leading zeros: then there is one spelling for each.
pub(crate) fn canonical(digits: &[u8]) -> Option<u32> {
    canonical_u64(digits)?.try_into().ok()
}

/// As [`canonical`], of larger numbers too.
pub(crate) fn canonical_u64(digits: &[u8]) -> Option<u64> {
    match digits {
        [b'0', _, ..] => None,
        digits => number(digits),
    }
}

/// As [`decimal`], of larger numbers too.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, byte| {
        let digit = byte.is_ascii_digit().then_some(byte & 0x0F)?;
        value.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_alone_are_numbers() {
        assert_eq!(decimal(b"0042"), Some(42));
        assert_eq!(canonical(b"0042"), None);
        assert_eq!(canonical(b"0"), Some(0));
        assert_eq!(decimal(b"4294967295"), Some(u32::MAX));
        for bad in [
            "",
            "4294967296",
            "42949672950",
            "+1",
            "-1",
            " 1",
            "1_0",
            "0x1",
        ] {
            assert_eq!(decimal(bad.as_bytes()), None, "{bad}");
        }
    }
}
