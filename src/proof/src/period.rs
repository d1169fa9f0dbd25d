//! Calendar periods as policies write them, and the periods that data keys stand for.

use std::fmt;
use std::ops::Range;

use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime, Weekday};

use crate::ids::{Tag, hex};
use crate::time::UnixMillis;

/// An ISO 8601 period of whole calendar units: `P90D`, `P6Y`, `P6Y3M`, `P2W`. No time part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarPeriod {
    years: u32,
    months: u32,
    days: u32,
}

/// Not a period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a calendar period: write years, months, weeks and days such as P90D, P6M or P6Y3M"
)]
pub struct PeriodError(pub String);

/// No unit of a period may be larger than this: 9,999 years.
const UNITS_MAX: u32 = 3_652_000;

impl CalendarPeriod {
    /// Reads the ISO 8601 form.
    pub fn parse(text: &str) -> Result<Self, PeriodError> {
        let error = || PeriodError(text.to_owned());
        let mut rest = text
            .strip_prefix('P')
            .filter(|rest| !rest.is_empty())
            .ok_or_else(error)?;
        let mut period = Self {
            years: 0,
            months: 0,
            days: 0,
        };
        let mut units = "YMWD";
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
            let number: u32 = rest[..digits].parse().map_err(|_| error())?;
            let unit = rest[digits..].chars().next().ok_or_else(error)?;
            let position = units.find(unit).ok_or_else(error)?;
            units = &units[position + 1..];
            if number > UNITS_MAX {
                return Err(error());
            }
            match unit {
                'Y' => period.years = number,
                'M' => period.months = number,
                'W' => period.days = number.checked_mul(7).ok_or_else(error)?,
                _ => period.days = period.days.checked_add(number).ok_or_else(error)?,
            }
            rest = &rest[digits + 1..];
        }
        Ok(period)
    }

    /// The moment this period after another, in UTC: years and months first, where a day that the month
    /// does not have becomes its last (Regulation 1182/71 Art. 3(2)(c)), then days. `None` beyond the year 9999.
    pub fn after(self, moment: UnixMillis) -> Option<UnixMillis> {
        let months = self.years.checked_mul(12)?.checked_add(self.months)?;
        let later = moment
            .to_datetime()
            .checked_add_months(Months::new(months))?
            .checked_add_days(Days::new(u64::from(self.days)))?;
        let millis = UnixMillis::new(u64::try_from(later.timestamp_millis()).ok()?);
        (millis <= UnixMillis::MAX).then_some(millis)
    }

    /// The moment this period before another, in UTC: years and months first, by the same rule. `None` before 1970.
    pub fn before(self, moment: UnixMillis) -> Option<UnixMillis> {
        let months = self.years.checked_mul(12)?.checked_add(self.months)?;
        let earlier = moment
            .to_datetime()
            .checked_sub_months(Months::new(months))?
            .checked_sub_days(Days::new(u64::from(self.days)))?;
        u64::try_from(earlier.timestamp_millis())
            .ok()
            .map(UnixMillis::new)
    }

    /// A period that ends `other` before the end of this one, or somewhat earlier, counted from any day: whole months
    /// less, and the days that are left of one. None where nothing is left.
    pub fn less(self, other: Self) -> Option<Self> {
        /// No month has fewer days.
        const DAYS_OF_MONTH_MIN: u32 = 28;
        const DAYS_OF_MONTH_MAX: u32 = 31;
        let months =
            (self.years * 12 + self.months).checked_sub(other.years * 12 + other.months)?;
        if other.days <= self.days {
            let (years, months) = (months / 12, months % 12);
            let days = self.days - other.days;
            return Some(Self {
                years,
                months,
                days,
            });
        }
        let missing = other.days - self.days;
        let taken = missing.div_ceil(DAYS_OF_MONTH_MIN);
        let months = months.checked_sub(taken)?;
        // A month given back is at least 28 days; the last of the old ones may have had 31.
        let days = (taken * DAYS_OF_MONTH_MIN)
            .saturating_sub(missing + DAYS_OF_MONTH_MAX - DAYS_OF_MONTH_MIN);
        let (years, months) = (months / 12, months % 12);
        Some(Self {
            years,
            months,
            days,
        })
    }

    /// The end of this period from the day of a moment, in UTC: the day itself does not count, the last day
    /// counts whole, so it is 00:00 of the day after. `None` beyond the year 9999.
    pub fn end_from(self, moment: UnixMillis) -> Option<UnixMillis> {
        let last_day = self.after(moment.start_of_day())?;
        Self::DAY.after(last_day)
    }

    /// One day.
    pub const DAY: Self = Self {
        years: 0,
        months: 0,
        days: 1,
    };

    /// No time at all: `P0D`.
    pub const NONE: Self = Self {
        years: 0,
        months: 0,
        days: 0,
    };

    /// For people: `6 years 3 months`, `90 days`, and `none` for no time at all.
    pub fn in_words(self) -> String {
        let parts = [
            (self.years, "year"),
            (self.months, "month"),
            (self.days, "day"),
        ];
        let parts = parts.into_iter().filter(|(number, _)| *number > 0);
        let words: Vec<String> = parts
            .map(|(number, unit)| match number {
                1 => format!("1 {unit}"),
                _ => format!("{number} {unit}s"),
            })
            .collect();
        if words.is_empty() {
            "none".to_owned()
        } else {
            words.join(" ")
        }
    }

    /// Whether it is no time at all.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Whether it is shorter than a year, whatever the calendar: months count 31 days.
    pub const fn is_under_a_year(self) -> bool {
        self.years == 0 && self.months < 12 && self.months as u64 * 31 + (self.days as u64) < 365
    }
}

impl fmt::Display for CalendarPeriod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("P")?;
        for (number, unit) in [(self.years, 'Y'), (self.months, 'M')] {
            if number > 0 {
                write!(formatter, "{number}{unit}")?;
            }
        }
        if self.days > 0 || (self.years == 0 && self.months == 0) {
            write!(formatter, "{}D", self.days)?;
        }
        Ok(())
    }
}

/// The stretch of time that one data key serves: the ISO week for classes that go within a year, the
/// calendar month for the others, both in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyPeriod {
    /// ISO 8601 week.
    Week {
        /// The week's year, which near New Year is not the day's.
        year: i32,
        /// 1 to 53.
        week: u32,
    },
    /// Calendar month.
    Month {
        /// The year.
        year: i32,
        /// 1 to 12.
        month: u32,
    },
    /// The life of a record, by its keyed tag, where something that happens to the record starts the clock.
    Record(Tag),
}

impl KeyPeriod {
    /// The period of a moment, for a class that goes after `delete_after` (none: kept without end).
    pub fn of(moment: UnixMillis, delete_after: Option<CalendarPeriod>) -> Self {
        let day = moment.to_datetime();
        if delete_after.is_some_and(CalendarPeriod::is_under_a_year) {
            let week = day.iso_week();
            Self::Week {
                year: week.year(),
                week: week.week(),
            }
        } else {
            Self::Month {
                year: day.year(),
                month: day.month(),
            }
        }
    }
}

impl KeyPeriod {
    /// From when, inclusive, until when, exclusive, events under its keys are recorded.
    pub fn bounds(self) -> Range<UnixMillis> {
        let first = match self {
            Self::Week { year, week } => NaiveDate::from_isoywd_opt(year, week, Weekday::Mon),
            Self::Month { year, month } => NaiveDate::from_ymd_opt(year, month, 1),
            Self::Record(_) => None,
        };
        let end = first.and_then(|first| match self {
            Self::Month { .. } => first.checked_add_months(Months::new(1)),
            Self::Week { .. } | Self::Record(_) => first.checked_add_days(Days::new(7)),
        });
        let moment = |day: NaiveDate| {
            let millis = day.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
            u64::try_from(millis).ok().map(UnixMillis::new)
        };
        let start = first.and_then(moment).unwrap_or(UnixMillis::new(0));
        start..end.and_then(moment).unwrap_or(UnixMillis::new(u64::MAX))
    }
}

impl KeyPeriod {
    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        let period = if let Some(digits) = text.strip_prefix("record-") {
            Self::Record(Tag::new(crate::ids::bytes_from_hex(digits)?))
        } else {
            let (year, rest) = text.split_once('-')?;
            let year = year.parse().ok()?;
            match rest.strip_prefix('W') {
                Some(week) => Self::Week {
                    year,
                    week: week.parse().ok()?,
                },
                None => Self::Month {
                    year,
                    month: rest.parse().ok()?,
                },
            }
        };
        (period.to_string() == text).then_some(period)
    }
}

/// `2026-W48`, `2026-11` or `record-` and 32 hex digits.
impl fmt::Display for KeyPeriod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Week { year, week } => write!(formatter, "{year:04}-W{week:02}"),
            Self::Month { year, month } => write!(formatter, "{year:04}-{month:02}"),
            Self::Record(tag) => write!(formatter, "record-{}", hex(tag.as_bytes())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_read_back() {
        for period in [
            KeyPeriod::Week {
                year: 2026,
                week: 5,
            },
            KeyPeriod::Month {
                year: 2026,
                month: 11,
            },
            KeyPeriod::Record(Tag::new([7; 16])),
        ] {
            assert_eq!(KeyPeriod::parse(&period.to_string()), Some(period));
        }
        for wrong in ["", "2026", "2026-1", "2026-W5", "record-07", "2026-11~"] {
            assert_eq!(KeyPeriod::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_period_has_words() {
        for (period, words) in [
            ("P90D", "90 days"),
            ("P6Y", "6 years"),
            ("P1Y1M1D", "1 year 1 month 1 day"),
            ("P0D", "none"),
        ] {
            assert_eq!(CalendarPeriod::parse(period).unwrap().in_words(), words);
        }
    }

    #[test]
    fn a_month_without_the_day_ends_with_its_last() {
        for (from, period, to) in [
            ("2025-01-31T10:00:00Z", "P1M", "2025-02-28T10:00:00.000Z"),
            ("2024-01-31T10:00:00Z", "P1M", "2024-02-29T10:00:00.000Z"),
            ("2024-02-29T00:00:00Z", "P1Y", "2025-02-28T00:00:00.000Z"),
            ("2025-08-31T00:00:00Z", "P6M", "2026-02-28T00:00:00.000Z"),
            ("2026-11-24T00:00:00Z", "P90D", "2027-02-22T00:00:00.000Z"),
            ("2025-01-31T00:00:00Z", "P1M1D", "2025-03-01T00:00:00.000Z"),
            (
                "2020-02-29T23:59:59.999Z",
                "P6Y",
                "2026-02-28T23:59:59.999Z",
            ),
        ] {
            let moment = UnixMillis::parse_rfc3339(from).unwrap();
            let later = CalendarPeriod::parse(period).unwrap().after(moment);
            assert_eq!(later.unwrap().to_string(), to, "{from} + {period}");
        }
        let long = CalendarPeriod::parse("P9000Y").unwrap();
        assert_eq!(long.after(UnixMillis::new(0)), None);
        assert_eq!(long.after(UnixMillis::new(u64::MAX)), None);
    }

    #[test]
    fn periods_are_whole_calendar_units_in_order() {
        for (text, written) in [
            ("P90D", "P90D"),
            ("P6Y3M", "P6Y3M"),
            ("P2W", "P14D"),
            ("P0D", "P0D"),
            ("P1Y2M3D", "P1Y2M3D"),
        ] {
            assert_eq!(CalendarPeriod::parse(text).unwrap().to_string(), written);
        }
        for bad in [
            "",
            "P",
            "90D",
            "P90",
            "PD",
            "P1D1Y",
            "P1Y1Y",
            "PT1H",
            "P1.5D",
            "P-1D",
            "P99999999999D",
            "P9999999D",
        ] {
            assert!(CalendarPeriod::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_period_holds_the_moments_that_it_is_of() {
        for text in [
            "2026-12-31T23:59:59.999Z",
            "2027-01-01T00:00:00Z",
            "2024-02-29T12:00:00Z",
        ] {
            let moment = UnixMillis::parse_rfc3339(text).unwrap();
            for after in ["P90D", "P6Y"] {
                let period = KeyPeriod::of(moment, Some(CalendarPeriod::parse(after).unwrap()));
                let bounds = period.bounds();
                assert!(bounds.contains(&moment), "{text} {after}");
                for other in [bounds.start, UnixMillis::new(bounds.end.get() - 1)] {
                    let after = CalendarPeriod::parse(after).unwrap();
                    assert_eq!(KeyPeriod::of(other, Some(after)), period);
                }
                let next = KeyPeriod::of(bounds.end, Some(CalendarPeriod::parse(after).unwrap()));
                assert_eq!(next.bounds().start, bounds.end);
            }
        }
    }

    #[test]
    fn keys_are_weekly_under_a_year() {
        let new_year = UnixMillis::parse_rfc3339("2027-01-01T00:00:00Z").unwrap();
        let period =
            |text| KeyPeriod::of(new_year, Some(CalendarPeriod::parse(text).unwrap())).to_string();
        assert_eq!(period("P90D"), "2026-W53");
        assert_eq!(period("P364D"), "2026-W53");
        assert_eq!(period("P365D"), "2027-01");
        assert_eq!(period("P6Y3M"), "2027-01");
        assert_eq!(KeyPeriod::of(new_year, None).to_string(), "2027-01");
    }
}
