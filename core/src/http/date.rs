//! Dates as HTTP writes them, and `Retry-After`.

use super::grammar::decimal;
use crate::time::{Calendar, Timestamp, set_two};

/// How long an `IMF-fixdate` is.
const DATE_BYTES: usize = 29;

const WEEKDAYS: [&[u8; 3]; 7] = [b"Sun", b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat"];

const LONG_WEEKDAYS: [&[u8]; 7] = [
    b"Sunday",
    b"Monday",
    b"Tuesday",
    b"Wednesday",
    b"Thursday",
    b"Friday",
    b"Saturday",
];

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// An `IMF-fixdate` (RFC 9110, section 5.6.7): `Tue, 24 Nov 2026 09:00:00 GMT`.
pub fn render_date(date: Timestamp) -> [u8; DATE_BYTES] {
    let c = date.calendar();
    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    let weekday = WEEKDAYS.get(usize::from(c.weekday));
    let month = MONTHS.get(usize::from(c.month).wrapping_sub(1));
    let [w0, w1, w2, _, _, _, _, _, m0, m1, m2, ..] = &mut text;
    [*w0, *w1, *w2] = **weekday.unwrap_or(&b"Thu");
    [*m0, *m1, *m2] = **month.unwrap_or(&b"Jan");
    set_two(&mut text, 5, c.day);
    set_two(&mut text, 12, (c.year / 100) as u8);
    set_two(&mut text, 14, (c.year % 100) as u8);
    set_two(&mut text, 17, c.hour);
    set_two(&mut text, 20, c.minute);
    set_two(&mut text, 23, c.second);
    text
}

/// A date as HTTP writes it, kept: rendered anew only once the second has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Date {
    /// The second that it shows, since 1970; past all others before the first.
    second: u64,
    text: [u8; DATE_BYTES],
}

impl Date {
    /// Shows nothing yet.
    pub(crate) const NONE: Self = Self {
        second: u64::MAX,
        text: [b' '; DATE_BYTES],
    };

    /// Shows `now` from here on.
    #[inline]
    pub(crate) fn set(&mut self, now: Timestamp) {
        let second = now.as_unix_seconds();
        if self.second != second {
            self.second = second;
            self.text = render_date(now);
        }
    }

    /// The text: an `IMF-fixdate`.
    #[must_use]
    pub(crate) const fn as_bytes(&self) -> &[u8] {
        &self.text
    }
}

/// Reads any of the three forms that RFC 9110, section 5.6.7, has recipients accept.
///
/// The weekday must be one, but need not be the right one. `now` tells the century of a two-digit
/// year: never more than 50 years ahead. `None` if it is no date, or one before 1970.
#[must_use]
pub fn parse_date(text: &[u8], now: Timestamp) -> Option<Timestamp> {
    let mut parts = Parts(text);
    let (c, is_leap_second) = if let Some(c) = imf_fixdate(&mut parts, now) {
        c
    } else {
        parts = Parts(text);
        asctime(&mut parts)?
    };
    if !parts.0.is_empty() {
        return None;
    }
    let date = Timestamp::from_calendar(&c)?;
    Some(date.after_ms(if is_leap_second { 1_000 } else { 0 }))
}

/// The pause that a `Retry-After` asks for (RFC 9110, section 10.2.3), in milliseconds: seconds, or
/// the time until a date.
///
/// Seconds beyond all bounds give the longest pause there is. `None` for what is neither, and for a
/// date that is not in the future.
#[must_use]
pub fn retry_after(value: &[u8], now: Timestamp) -> Option<u64> {
    if let Some(seconds) = decimal(value) {
        return Some(seconds.saturating_mul(1_000));
    }
    match parse_date(value, now)?.ms_since(now) {
        0 => None,
        ms => Some(ms),
    }
}

/// What is left to read of a date.
struct Parts<'t>(&'t [u8]);

impl Parts<'_> {
    fn literal(&mut self, text: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// Which of `names` stands here.
    fn name<N: AsRef<[u8]>>(&mut self, names: &[N]) -> Option<u8> {
        let index = names
            .iter()
            .position(|name| self.0.starts_with(name.as_ref()))?;
        self.0 = self.0.get(names.get(index)?.as_ref().len()..)?;
        u8::try_from(index).ok()
    }

    fn digits(&mut self, count: usize) -> Option<u16> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        u16::try_from(decimal(digits)?).ok()
    }

    fn two(&mut self) -> Option<u8> {
        u8::try_from(self.digits(2)?).ok()
    }

    /// `hour ":" minute ":" second`; the second may be 60.
    fn time(&mut self) -> Option<(u8, u8, u8)> {
        let hour = self.two()?;
        self.literal(b":")?;
        let minute = self.two()?;
        self.literal(b":")?;
        Some((hour, minute, self.two()?))
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, or the obsolete `Sunday, 06-Nov-94 08:49:37 GMT`.
fn imf_fixdate(parts: &mut Parts<'_>, now: Timestamp) -> Option<(Calendar, bool)> {
    // The long names first: the short ones are their beginnings.
    let is_obsolete = parts.name(&LONG_WEEKDAYS).is_some();
    let separator: &[u8] = if is_obsolete { b"-" } else { b" " };
    if !is_obsolete {
        parts.name(&WEEKDAYS)?;
    }
    parts.literal(b", ")?;
    let day = parts.two()?;
    parts.literal(separator)?;
    let month = parts.name(&MONTHS)?.saturating_add(1);
    parts.literal(separator)?;
    let year = if is_obsolete {
        full_year(parts.digits(2)?, now.calendar().year)
    } else {
        parts.digits(4)?
    };
    parts.literal(b" ")?;
    let time = parts.time()?;
    parts.literal(b" GMT")?;
    Some(calendar(year, month, day, time))
}

/// `Sun Nov  6 08:49:37 1994`.
fn asctime(parts: &mut Parts<'_>) -> Option<(Calendar, bool)> {
    parts.name(&WEEKDAYS)?;
    parts.literal(b" ")?;
    let month = parts.name(&MONTHS)?.saturating_add(1);
    parts.literal(b" ")?;
    let day = if parts.literal(b" ").is_some() {
        u8::try_from(parts.digits(1)?).ok()?
    } else {
        parts.two()?
    };
    parts.literal(b" ")?;
    let time = parts.time()?;
    parts.literal(b" ")?;
    Some(calendar(parts.digits(4)?, month, day, time))
}

/// The year with these last two digits that is at most 50 years after `this_year`, and else the
/// latest.
fn full_year(last_digits: u16, this_year: u16) -> u16 {
    let century = this_year.saturating_sub(this_year % 100);
    let year = century.saturating_add(last_digits);
    if year > this_year.saturating_add(50) {
        year.saturating_sub(100)
    } else if year.saturating_add(100) <= this_year.saturating_add(50) {
        year.saturating_add(100)
    } else {
        year
    }
}

/// A calendar knows no leap second: it is one second after the 59th.
fn calendar(year: u16, month: u8, day: u8, time: (u8, u8, u8)) -> (Calendar, bool) {
    let (hour, minute, second) = time;
    let is_leap_second = second == 60;
    let calendar = Calendar {
        year,
        month,
        day,
        weekday: 0,
        hour,
        minute,
        second: if is_leap_second { 59 } else { second },
        millisecond: 0,
    };
    (calendar, is_leap_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_795_510_800_123);

    #[track_caller]
    fn check(text: &str, unix_seconds: Option<u64>) {
        let found = parse_date(text.as_bytes(), NOW);
        assert_eq!(
            found.map(Timestamp::as_unix_seconds),
            unix_seconds,
            "{text}"
        );
    }

    #[test]
    fn dates_are_written_as_imf_fixdate_and_read_back() {
        for (ms, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (NOW.as_unix_ms(), "Tue, 24 Nov 2026 09:00:00 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            let date = Timestamp::from_unix_ms(ms);
            assert_eq!(core::str::from_utf8(&render_date(date)), Ok(text));
            check(text, Some(date.as_unix_seconds()));
        }
    }

    #[test]
    fn all_three_forms_are_read() {
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777));
        check("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777));
        check("Sun Nov  6 08:49:37 1994", Some(784_111_777));
        check("Sun Nov 16 08:49:37 1994", Some(784_975_777));
        check("Sat, 31 Dec 2016 23:59:60 GMT", Some(1_483_228_800));
        // 50 years ahead of 2026, and 51.
        check("Friday, 24-Nov-76 00:00:00 GMT", Some(3_373_401_600));
        check("Friday, 24-Nov-77 00:00:00 GMT", Some(249_177_600));
        for bad in [
            "",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "sun, 06 nov 1994 08:49:37 gmt",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sunday, 06 Nov 1994 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "06 Nov 1994 08:49:37 GMT",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn two_digit_years_are_near() {
        assert_eq!(full_year(94, 2026), 1994);
        assert_eq!(full_year(76, 2026), 2076);
        assert_eq!(full_year(77, 2026), 1977);
        assert_eq!(full_year(10, 2080), 2110);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_to_come() {
        #[track_caller]
        fn check(value: &str, expect: Option<u64>) {
            assert_eq!(retry_after(value.as_bytes(), NOW), expect, "{value}");
        }
        check("0", Some(0));
        check("120", Some(120_000));
        check("1000000000000000000000000000000", Some(u64::MAX));
        check("Tue, 24 Nov 2026 09:01:00 GMT", Some(59_877));
        check("Tue, 24 Nov 2026 09:00:00 GMT", None);
        check("Sun, 06 Nov 1994 08:49:37 GMT", None);
        for bad in ["", "-1", "+1", "1.5", "soon", "1 2"] {
            check(bad, None);
        }
    }
}
