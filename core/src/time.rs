//! Two kinds of time, never mixed up.
//!
//! [`Instant`] only ever goes forward and measures pauses; it means nothing outside this run.
//! [`Timestamp`] is what a calendar says: it goes into payloads, signatures and records, and may jump
//! when somebody sets the clock. Whoever drives a machine passes both in one [`Now`].
//!
//! ```
//! use dubhook_core::{out::Out, time::Timestamp};
//!
//! let mut memory = [0u8; 24];
//! let mut out = Out::new(&mut memory);
//! Timestamp::from_unix_ms(1_795_510_800_123).write_rfc3339(&mut out);
//! assert_eq!(out.written(), b"2026-11-24T09:00:00.123Z");
//! ```

use crate::{digits::decimal, out::Out};
use zerocopy::FromZeros;

/// A point on a clock that never goes backwards, in milliseconds since a start of the caller's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, FromZeros)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Instant(u64);

impl Instant {
    /// The start of the clock.
    pub const ZERO: Self = Self(0);

    /// The point `ms` milliseconds after the clock's start.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the clock's start.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// The point `ms` milliseconds later; it stays at the end of time rather than wrap.
    #[must_use]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub const fn after_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to here, 0 if `earlier` is later.
    #[must_use]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// What a machine was told last of the clock for pauses, in debug builds.
#[derive(Debug)]
pub(crate) struct Clock {
    #[cfg(debug_assertions)]
    latest: Instant,
}

impl Clock {
    pub(crate) const NEW: Self = Self {
        #[cfg(debug_assertions)]
        latest: Instant::ZERO,
    };

    /// Sees that it never goes back.
    pub(crate) const fn check(&mut self, now: Now) {
        #[cfg(debug_assertions)]
        {
            let latest = self.latest.as_ms();
            debug_assert!(
                now.instant.as_ms() >= latest,
                "the monotonic clock went back"
            );
            self.latest = now.instant;
        }
        #[cfg(not(debug_assertions))]
        let _ = now;
    }
}

/// For how long a machine had run in all, over its restarts, in milliseconds.
///
/// What must not depend on a calendar is measured in it: ages, and how long something has failed. While a machine is off
/// it stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, FromZeros)]
pub(crate) struct Ran(u64);

impl Ran {
    /// When the machine began for the first time.
    pub(crate) const ZERO: Self = Self(0);

    /// So many milliseconds of running.
    pub(crate) const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds of running.
    #[cfg(feature = "records")]
    pub(crate) const fn as_ms(self) -> u64 {
        self.0
    }

    /// The point `ms` milliseconds later; it stays at the end of time rather than wrap.
    pub(crate) const fn after_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to here, 0 if `earlier` is later.
    pub(crate) const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The earlier of two moments, of which neither need be.
pub(crate) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// A point in calendar time: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, FromZeros)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Timestamp(u64);

/// A point in calendar time as text, 24 bytes.
type TimestampText = heapless::String<24>;

/// The last millisecond of the year 9999, the last one RFC 3339 can write.
const UNIX_MS_MAX: u64 = 253_402_300_799_999;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// The point `ms` milliseconds after 1970-01-01T00:00:00Z, at most the end of the year 9999.
    #[must_use]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub const fn from_unix_ms(ms: u64) -> Self {
        if ms > UNIX_MS_MAX {
            Self(UNIX_MS_MAX)
        } else {
            Self(ms)
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_unix_ms(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, as `webhook-timestamp` carries them.
    #[must_use]
    pub const fn as_unix_seconds(self) -> u64 {
        self.0 / 1_000
    }

    /// The point `ms` milliseconds later, at most the end of the year 9999.
    #[must_use]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub const fn after_ms(self, ms: u64) -> Self {
        Self::from_unix_ms(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to here, 0 if `earlier` is later.
    #[must_use]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The date and the time of day.
    #[must_use]
    pub(crate) const fn calendar(self) -> Calendar {
        // Days until the year 9999 and what is made of them fit 32 bits, which divide faster.
        let seconds = self.0 / 1_000;
        let days = (seconds / 86_400) as u32;
        let of_day = (seconds % 86_400) as u32;
        // Civil-from-days: years are counted from March, so that the leap day is the last one.
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 {
            march_month + 3
        } else {
            march_month - 9
        };
        let year = year_of_era + era * 400 + (month <= 2) as u32;
        Calendar {
            year: year as u16,
            month: month as u8,
            day: day as u8,
            // 1970-01-01 was a Thursday.
            weekday: ((days + 4) % 7) as u8,
            hour: (of_day / 3_600) as u8,
            minute: (of_day / 60 % 60) as u8,
            second: (of_day % 60) as u8,
            millisecond: (self.0 % 1_000) as u16,
        }
    }

    /// The point that a calendar date and time of day in UTC name, or `None` if there is no such date.
    ///
    /// Years before 1970 and after 9999 have none; neither has a leap second.
    #[must_use]
    pub(crate) fn from_calendar(c: &Calendar) -> Option<Self> {
        if !matches!(c.year, 1970..=9999) || c.month == 0 || c.day == 0 {
            return None;
        }
        let year = c.year as u32 - (c.month <= 2) as u32;
        let march_month = (c.month as u32 + 9) % 12;
        let day_of_year = (153 * march_month + 2) / 5 + c.day as u32 - 1;
        let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
        let of_day = (c.hour as u32 * 60 + c.minute as u32) * 60 + c.second as u32;
        let seconds = days as u64 * 86_400 + of_day as u64;
        let date = Self(seconds * 1_000 + c.millisecond as u64);
        // What does not exist is another date, which is written otherwise.
        let written = Calendar {
            weekday: c.weekday,
            ..date.calendar()
        };
        (written == *c).then_some(date)
    }

    /// Reads RFC 3339 in UTC, with a fraction of up to three digits or without:
    /// `2026-11-24T09:00:00Z`, `2026-11-24T09:00:00.123Z`. `None` for anything else.
    #[must_use]
    pub fn parse_rfc3339(text: &[u8]) -> Option<Self> {
        let (year, mut rest) = text.split_at_checked(4)?;
        let mut numbers = [0u8; 5];
        for (number, mark) in numbers.iter_mut().zip(*b"--T::") {
            let [first, tens, ones, after @ ..] = rest else {
                return None;
            };
            if *first != mark {
                return None;
            }
            *number = decimal(&[*tens, *ones])? as u8;
            rest = after;
        }
        let millisecond = match rest {
            b"Z" => 0,
            [b'.', fraction @ .., b'Z'] => {
                let unit = match fraction.len() {
                    1 => 100,
                    2 => 10,
                    3 => 1,
                    _ => return None,
                };
                decimal(fraction)? * unit
            }
            _ => return None,
        };
        let [month, day, hour, minute, second] = numbers;
        Self::from_calendar(&Calendar {
            year: decimal(year)? as u16,
            month,
            day,
            weekday: 0,
            hour,
            minute,
            second,
            millisecond: millisecond as u16,
        })
    }

    /// RFC 3339 in UTC with milliseconds, always 24 bytes: `2026-11-24T09:00:00.123Z`.
    #[must_use]
    pub fn text(self) -> heapless::String<24> {
        let mut memory = [0; 24];
        let mut out = Out::new(&mut memory);
        self.write_rfc3339(&mut out);
        let text = core::str::from_utf8(out.written()).unwrap_or_default();
        TimestampText::try_from(text).unwrap_or_default()
    }

    /// Writes RFC 3339 in UTC with milliseconds, always 24 bytes: `2026-11-24T09:00:00.123Z`.
    pub fn write_rfc3339(self, out: &mut Out<'_>) {
        let c = self.calendar();
        let mut text = *b"0000-00-00T00:00:00.000Z";
        set_two(&mut text, 0, (c.year / 100) as u8);
        set_two(&mut text, 2, (c.year % 100) as u8);
        set_two(&mut text, 5, c.month);
        set_two(&mut text, 8, c.day);
        set_two(&mut text, 11, c.hour);
        set_two(&mut text, 14, c.minute);
        set_two(&mut text, 17, c.second);
        set_two(&mut text, 20, (c.millisecond / 10) as u8);
        if let Some(last) = text.get_mut(22) {
            *last = b'0' + (c.millisecond % 10) as u8;
        }
        out.put(&text);
    }
}

/// Sets the two decimal digits at `at` in `text` to those of a number below 100.
#[cfg_attr(target_pointer_width = "32", inline(never))]
pub(crate) fn set_two(text: &mut [u8], at: usize, value: u8) {
    let place = text.get_mut(at..).and_then(<[u8]>::first_chunk_mut);
    if let Some(place) = place {
        *place = [b'0' + value / 10, b'0' + value % 10];
    }
}

/// A date and a time of day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Calendar {
    /// Year, 1970 to 9999.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
    /// Day of the week, 0 for Sunday. Ignored by [`Timestamp::from_calendar`].
    pub weekday: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
    /// Millisecond, 0 to 999.
    pub millisecond: u16,
}

/// The present moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For pauses and deadlines; must never be earlier than in the call before.
    pub instant: Instant,
    /// For payloads, signatures and records; may jump.
    pub timestamp: Timestamp,
}

impl Now {
    /// The start of both clocks.
    pub(crate) const ZERO: Self = Self {
        instant: Instant::ZERO,
        timestamp: Timestamp::EPOCH,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(unix_ms: u64, text: &str) {
        let mut memory = [0u8; 24];
        let mut out = Out::new(&mut memory);
        let point = Timestamp::from_unix_ms(unix_ms);
        point.write_rfc3339(&mut out);
        assert_eq!(core::str::from_utf8(out.written()), Ok(text));
        assert_eq!(Timestamp::parse_rfc3339(text.as_bytes()), Some(point));
        assert_eq!(Timestamp::from_calendar(&point.calendar()), Some(point));
    }

    #[test]
    fn rfc3339_has_milliseconds_and_utc() {
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(1_795_510_800_123, "2026-11-24T09:00:00.123Z");
        check(4_107_542_399_999, "2100-02-28T23:59:59.999Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
        check(UNIX_MS_MAX, "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn rfc3339_is_read_in_utc_only() {
        let read =
            |text: &str| Timestamp::parse_rfc3339(text.as_bytes()).map(Timestamp::as_unix_ms);
        assert_eq!(read("1970-01-01T00:00:01Z"), Some(1_000));
        assert_eq!(read("1970-01-01T00:00:01.5Z"), Some(1_500));
        assert_eq!(read("1970-01-01T00:00:01.25Z"), Some(1_250));
        for bad in [
            "",
            "1970-01-01",
            "1970-01-01T00:00:01",
            "1970-01-01 00:00:01Z",
            "1970-01-01T00:00:01+01:00",
            "1970-13-01T00:00:01Z",
            "1970-01-01T00:00:0xZ",
            "1970-01-01T00:00:01.Z",
            "1970-01-01T00:00:01.1234Z",
            "1970-01-01T00:00:01Zz",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_goes_there_and_back() {
        for day in 0..146_097 {
            let point = Timestamp::from_unix_ms(day * 86_400_000);
            assert_eq!(Timestamp::from_calendar(&point.calendar()), Some(point));
        }
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        let good = Timestamp::from_unix_ms(0).calendar();
        for bad in [
            Calendar { month: 0, ..good },
            Calendar { month: 13, ..good },
            Calendar { day: 0, ..good },
            Calendar { day: 32, ..good },
            Calendar {
                month: 2,
                day: 29,
                ..good
            },
            Calendar { hour: 24, ..good },
            Calendar { second: 60, ..good },
            Calendar { year: 1969, ..good },
        ] {
            assert_eq!(Timestamp::from_calendar(&bad), None, "{bad:?}");
        }
    }

    #[test]
    fn time_stops_at_its_end_instead_of_wrapping() {
        assert_eq!(Instant::from_ms(u64::MAX).after_ms(1).as_ms(), u64::MAX);
        assert_eq!(Instant::ZERO.ms_since(Instant::from_ms(5)), 0);
        check(u64::MAX, "9999-12-31T23:59:59.999Z");
    }
}
