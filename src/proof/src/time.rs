//! Moments and the clock. Time is injected: only [`SystemClock`] asks the machine.

use std::fmt;

use chrono::{
    DateTime, Datelike, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, Timelike, Utc,
};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(u64);

impl UnixMillis {
    /// The last moment that RFC 3339 can write: 9999-12-31T23:59:59.999Z.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// The moment `value` milliseconds after 1970.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The plain number of milliseconds.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Reads an RFC 3339 time from 1970 to 9999, by the one rule of every door: `T` and `Z` in either case, any offset, a
    /// fraction of any length of which parts of a millisecond are dropped. A leap second, `23:59:60` in UTC, is the
    /// second after it, as clocks that count without leap seconds show it.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let (local, offset_minutes) = local_time(text)?;
        let mut moment = local.checked_sub_signed(TimeDelta::minutes(offset_minutes))?;
        if text.get(17..19) == Some("60") {
            // `local` has the second before.
            if (moment.hour(), moment.minute()) != (23, 59) {
                return None;
            }
            moment = moment.checked_add_signed(TimeDelta::seconds(1))?;
        }
        let moment = u64::try_from(moment.and_utc().timestamp_millis()).map(Self);
        moment.ok().filter(|moment| *moment <= Self::MAX)
    }

    /// Reads a time that is asked for: RFC 3339, or a day such as `2026-01-31`, which is its start in UTC. Events and formats
    /// have RFC 3339 alone.
    pub fn parse_asked(text: &str) -> Option<Self> {
        const DAY_CHARACTERS: usize = 10;
        if text.len() == DAY_CHARACTERS {
            return Self::parse_rfc3339(&format!("{text}T00:00:00Z"));
        }
        Self::parse_rfc3339(text)
    }

    /// The day of an RFC 3339 time on the clock of its own offset.
    pub fn local_day(text: &str) -> Option<NaiveDate> {
        Self::parse_rfc3339(text)?;
        Some(local_time(text)?.0.date())
    }

    /// 00:00 of its day, in UTC.
    #[must_use]
    pub const fn start_of_day(self) -> Self {
        Self(self.0 - self.0 % 86_400_000)
    }

    /// RFC 3339 in UTC, with a fraction only where there is one: `2030-11-26T00:00:00Z`.
    pub fn to_short_rfc3339(self) -> String {
        self.to_datetime()
            .to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }

    /// The calendar's view of this moment, in UTC. Moments after the year 9999 count as its end.
    pub fn to_datetime(self) -> DateTime<Utc> {
        let millis = i64::try_from(self.0.min(Self::MAX.0)).unwrap_or(i64::MAX);
        DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// The time that a clock of the text's own offset shows, and the minutes that it is ahead of UTC. Of a second 60 it is the
/// one before.
fn local_time(text: &str) -> Option<(NaiveDateTime, i64)> {
    const FORM: &[u8; 19] = b"0000-00-00T00:00:00";
    const MINUTES_MAX: u32 = 59;
    let (date_time, rest) = text.split_at_checked(FORM.len())?;
    let fits = |(byte, form): (u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        _ => byte.eq_ignore_ascii_case(form),
    };
    if !date_time.bytes().zip(FORM).all(fits) {
        return None;
    }
    let number = |from: usize, end: usize| date_time.get(from..end)?.parse::<u32>().ok();
    let day = NaiveDate::from_ymd_opt(
        i32::try_from(number(0, 4)?).ok()?,
        number(5, 7)?,
        number(8, 10)?,
    )?;
    let second = match number(17, 19)? {
        60 => 59,
        second => second,
    };
    let (fraction, offset) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
        None => ("000", rest),
    };
    if fraction.is_empty() {
        return None;
    }
    let millis: String = fraction.chars().chain("00".chars()).take(3).collect();
    let millis = millis.parse().ok()?;
    let local = day.and_hms_milli_opt(number(11, 13)?, number(14, 16)?, second, millis)?;
    if offset.eq_ignore_ascii_case("z") {
        return Some((local, 0));
    }
    let sign = match offset.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let two_digits = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u32>().ok()).flatten()
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    let fits = hours < 24 && minutes <= MINUTES_MAX;
    fits.then_some((local, sign * i64::from(hours * 60 + minutes)))
}

/// RFC 3339 in UTC with milliseconds: `2026-11-24T09:30:00.000Z`.
impl fmt::Display for UnixMillis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY_MS: u64 = 86_400_000;
        let moment = (*self).min(Self::MAX);
        let (date, ms) = (moment.to_datetime().date_naive(), moment.get() % DAY_MS);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |end: usize, digits: usize, mut number: u64| {
            for place in text[end - digits..end].iter_mut().rev() {
                // The remainder is one digit.
                *place = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        put(4, 4, u64::try_from(date.year()).unwrap_or_default());
        put(7, 2, u64::from(date.month()));
        put(10, 2, u64::from(date.day()));
        put(13, 2, ms / 3_600_000);
        put(16, 2, ms / 60_000 % 60);
        put(19, 2, ms / 1_000 % 60);
        put(23, 3, ms % 1_000);
        formatter.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The wall clock. It may jump, forwards and backwards.
    fn wall(&self) -> UnixMillis;

    /// Milliseconds since the machine was started, suspended time included. It never jumps.
    fn since_boot_ms(&self) -> u64;

    /// Which boot of which machine this is, where that can be known: times since one boot can be compared.
    fn boot(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_round_trip() {
        let moment = UnixMillis::parse_rfc3339("2026-11-24T10:30:00.5+01:00").unwrap();
        assert_eq!(moment.to_string(), "2026-11-24T09:30:00.500Z");
        assert_eq!(UnixMillis::parse_rfc3339(&moment.to_string()), Some(moment));
        assert_eq!(UnixMillis::parse_rfc3339("2026-11-24"), None);
        assert_eq!(UnixMillis::parse_rfc3339("1969-12-31T23:59:59Z"), None);
        assert_eq!(
            UnixMillis::new(u64::MAX).to_string(),
            "9999-12-31T23:59:59.999Z"
        );
    }

    proptest::proptest! {
        #[test]
        fn a_moment_is_written_as_the_calendar_writes_it(ms in 0..=2 * UnixMillis::MAX.get()) {
            let moment = UnixMillis::new(ms);
            let calendar = moment.to_datetime().to_rfc3339_opts(SecondsFormat::Millis, true);
            proptest::prop_assert_eq!(moment.to_string(), calendar);
        }
    }

    #[test]
    fn a_day_that_is_asked_for_is_its_start_in_utc() {
        for (text, moment) in [
            ("2026-01-31", Some("2026-01-31T00:00:00.000Z")),
            (
                "2026-01-31T10:00:00+01:00",
                Some("2026-01-31T09:00:00.000Z"),
            ),
            ("2026-02-29", None),
            ("31.01.2026", None),
            ("2026-1-31", None),
            ("2026-01-31Z", None),
            ("1969-12-31", None),
        ] {
            let read = UnixMillis::parse_asked(text);
            assert_eq!(
                read.map(|read| read.to_string()).as_deref(),
                moment,
                "{text}"
            );
        }
    }

    #[test]
    fn every_form_of_a_moment_is_that_moment() {
        for (text, moment) in [
            ("2026-11-01t10:00:00z", "2026-11-01T10:00:00.000Z"),
            ("2026-11-01t10:00:00.5+00:00", "2026-11-01T10:00:00.500Z"),
            (
                "2026-11-01T10:00:00.1239999999999999999999Z",
                "2026-11-01T10:00:00.123Z",
            ),
            ("2026-11-01T10:00:00.7Z", "2026-11-01T10:00:00.700Z"),
            ("2026-11-01T00:30:00+14:00", "2026-10-31T10:30:00.000Z"),
            ("2026-11-01T00:30:00-23:59", "2026-11-02T00:29:00.000Z"),
            ("2028-02-29T23:59:59-00:00", "2028-02-29T23:59:59.000Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
            ("1969-12-31T23:00:00-01:00", "1970-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59.9999Z", "9999-12-31T23:59:59.999Z"),
            // Leap seconds, on the clocks of several offsets.
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
            ("2016-12-31t23:59:60.25z", "2017-01-01T00:00:00.250Z"),
            ("2017-01-01T08:59:60+09:00", "2017-01-01T00:00:00.000Z"),
            ("2016-12-31T15:59:60.999-08:00", "2017-01-01T00:00:00.999Z"),
            ("2017-01-01T05:29:60+05:30", "2017-01-01T00:00:00.000Z"),
        ] {
            let read = UnixMillis::parse_rfc3339(text);
            assert_eq!(read.unwrap().to_string(), moment, "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "2026-11-24",
            "2026-11-24T10:00:00",
            "2026-11-24T10:00Z",
            "2026-11-24 10:00:00Z",
            "2026-11-24T10:00:00 Z",
            " 2026-11-24T10:00:00Z",
            "2026-11-24T10:00:00Z ",
            "2026-11-24T10:00:00.Z",
            "2026-11-24T10:00:00,5Z",
            "2026-11-24T10:00:00.5",
            "2026-11-24T10:00:00+0100",
            "2026-11-24T10:00:00+01",
            "2026-11-24T10:00:00+24:00",
            "2026-11-24T10:00:00+01:60",
            "2026-11-24T10:00:00\u{2212}01:00",
            "2026-02-29T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "2026-00-10T10:00:00Z",
            "2026-11-31T10:00:00Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T10:60:00Z",
            "2026-11-24T10:00:61Z",
            "2026-11-24T10:00:60Z",
            "2016-12-31T23:58:60Z",
            "2016-12-31T23:59:60+01:00",
            "9999-12-31T23:59:60Z",
            "9999-12-31T23:59:59-01:00",
            "1969-12-31T23:59:59Z",
            "+2026-11-24T10:00:00Z",
            "\u{0662}026-11-24T10:00:00Z",
            "2026-11-24\u{0442}10:00:00Z",
        ] {
            assert_eq!(UnixMillis::parse_rfc3339(text), None, "{text}");
        }
    }
}
