//! A day of the calendar, which is what periods for answers are counted in.

use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::UnixMillis;

/// A day of the Gregorian calendar, from 1970 to 9999; written `2027-01-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(NaiveDate);

impl Day {
    /// The day of a moment, in UTC.
    pub fn of(moment: UnixMillis) -> Self {
        Self(moment.to_datetime().date_naive())
    }

    /// Reads `2027-01-31`.
    pub fn parse(text: &str) -> Option<Self> {
        let day = Self::between(text.parse().ok()?)?;
        (day.to_string() == text).then_some(day)
    }

    /// Reads a day, or the day of an RFC 3339 time on the clock of its own offset: what counts is the day on
    /// which it came in where it came in.
    pub fn parse_day_or_time(text: &str) -> Option<Self> {
        let of_time = || Self::between(UnixMillis::local_day(text)?);
        Self::parse(text).or_else(of_time)
    }

    fn between(day: NaiveDate) -> Option<Self> {
        (1970..=9999).contains(&day.year()).then_some(Self(day))
    }

    /// So many months later; a day that the month does not have becomes its last (Regulation 1182/71
    /// Art. 3(2)(c)).
    #[must_use]
    pub fn plus_months(self, months: u32) -> Self {
        Self(
            self.0
                .checked_add_months(Months::new(months))
                .unwrap_or(NaiveDate::MAX),
        )
    }

    /// So many calendar days later.
    #[must_use]
    pub fn plus_days(self, days: u64) -> Self {
        Self(
            self.0
                .checked_add_days(Days::new(days))
                .unwrap_or(NaiveDate::MAX),
        )
    }

    /// So many calendar days earlier; none before 1970.
    pub fn minus_days(self, days: u64) -> Option<Self> {
        Self::between(self.0.checked_sub_days(Days::new(days))?)
    }

    /// So many days from Monday to Friday later. Public holidays count, so it is never too late.
    #[must_use]
    pub fn plus_business_days(self, days: u32) -> Self {
        (0..days).fold(self, |day, _| day.plus_days(1).or_next_working_day())
    }

    /// The day, or the Monday after it where it is a Saturday or Sunday (Regulation 1182/71 Art. 3(4)).
    /// Public holidays, which would move it further, are not known here.
    #[must_use]
    pub fn or_next_working_day(self) -> Self {
        match self.0.weekday() {
            Weekday::Sat => self.plus_days(2),
            Weekday::Sun => self.plus_days(1),
            _ => self,
        }
    }

    /// Its first moment, by UTC.
    pub fn start(self) -> UnixMillis {
        let text = format!("{self}T00:00:00Z");
        UnixMillis::parse_rfc3339(&text).unwrap_or(UnixMillis::MAX)
    }

    /// Calendar days from another day to it; 0 where it is not later.
    pub fn days_after(self, other: Self) -> u64 {
        u64::try_from((self.0 - other.0).num_days()).unwrap_or(0)
    }

    /// Whether it is over at a moment, by UTC.
    pub fn is_over(self, now: UnixMillis) -> bool {
        Self::of(now) > self
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(reader)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not a day such as 2027-01-31"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_that_of_the_place_where_it_came_in() {
        for (text, day) in [
            ("2027-01-31", "2027-01-31"),
            ("2027-01-31T23:30:00-05:00", "2027-01-31"),
            ("2027-02-01T00:30:00+02:00", "2027-02-01"),
            ("2027-01-31T22:30:00Z", "2027-01-31"),
        ] {
            assert_eq!(Day::parse_day_or_time(text).unwrap().to_string(), day);
        }
        for bad in [
            "",
            "2027-1-31",
            "2027-02-30",
            "31.1.2027",
            "1969-12-31",
            "+12027-01-01",
        ] {
            assert_eq!(Day::parse_day_or_time(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_day_is_over_when_the_next_begins() {
        let day = Day::parse("2027-02-28").unwrap();
        let at = |text| UnixMillis::parse_rfc3339(text).unwrap();
        assert!(!day.is_over(at("2027-02-28T23:59:59.999Z")));
        assert!(day.is_over(at("2027-03-01T00:00:00Z")));
    }
}
