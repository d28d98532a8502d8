//! Sizes as people write them: `5GiB`, `300M`, `1000`.

/// The units, each with how many bytes it is.
const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("K", 1 << 10),
    ("M", 1 << 20),
    ("G", 1 << 30),
    ("T", 1 << 40),
    ("", 1),
];

/// A number of bytes, 1 at least.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let unit = UNITS
        .iter()
        .find(|(unit, _)| *unit == &text[digits.len()..]);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let bytes = match (digits.parse::<u64>(), unit) {
        (Ok(number), Some((_, bytes))) if is_number => number.checked_mul(*bytes),
        _ => None,
    };
    bytes
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "write it like 5GiB, 300MiB or 1000000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for (text, bytes) in [
            ("1", Some(1)),
            ("5GiB", Some(5 << 30)),
            ("300M", Some(300 << 20)),
            ("0", None),
            ("-1", None),
            ("+1", None),
            ("", None),
            ("GiB", None),
            ("5GB", None),
            ("5 GiB", None),
            ("99999999TiB", None),
        ] {
            assert_eq!(parse(text).ok(), bytes, "{text}");
        }
    }
}
