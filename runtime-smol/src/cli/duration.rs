//! Durations as people write them: `500ms`, `5s`, `30m`, `1h30m`.

use std::time::Duration;

/// Reads a duration.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration; write it like 500ms, 5s, 30m or 1h30m");
    let mut rest = text;
    let mut ms = 0u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let part = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(unit_ms));
        ms = part
            .and_then(|part| ms.checked_add(part))
            .ok_or_else(wrong)?;
        rest = tail;
    }
    if text.is_empty() {
        return Err(wrong());
    }
    Ok(Duration::from_millis(ms))
}

/// Reads a range of durations in milliseconds: `5s..15s`, or one duration for both ends.
pub(super) fn parse_range_ms(text: &str) -> Result<(u64, u64), String> {
    let (shortest, longest) = text.split_once("..").unwrap_or((text, text));
    let ms = |text| parse(text).map(|duration| duration.as_millis() as u64);
    match (ms(shortest)?, ms(longest)?) {
        (shortest, longest) if shortest <= longest => Ok((shortest, longest)),
        _ => Err(format!("{text:?} ends before it begins")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, ms: Option<u64>) {
        assert_eq!(parse(text).ok(), ms.map(Duration::from_millis), "{text}");
    }

    #[test]
    fn durations_have_numbers_with_units() {
        check("0s", Some(0));
        check("250ms", Some(250));
        check("1h30m", Some(5_400_000));
        check("2d", Some(172_800_000));
        for wrong in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "5s5",
            "1.5s",
            "5min",
            "99999999999999999999s",
        ] {
            check(wrong, None);
        }
        assert_eq!(parse_range_ms("5s..15s"), Ok((5_000, 15_000)));
        assert_eq!(parse_range_ms("40ms"), Ok((40, 40)));
        assert!(parse_range_ms("15s..5s").is_err());
    }
}
