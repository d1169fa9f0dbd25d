//! How long the register says whom an answered or ended request was about.

use serde::{Deserialize, Serialize};

use trailkeep_proof::period::{CalendarPeriod, PeriodError};
use trailkeep_proof::time::UnixMillis;

/// What holds where nothing is set.
const DEFAULT: &str = "P30D";
const LONGEST: &str = "P6Y";
/// 2025-02-01: no month is shorter than the one that begins here, so a period that is long enough from here always is.
const SHORTEST_MONTH: UnixMillis = UnixMillis::new(1_738_368_000_000);

/// How long after its answer or end a request keeps whom it was about and its certificate: 30 days to 6 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeepRequests(CalendarPeriod);

/// Not such a period.
#[derive(Debug, thiserror::Error)]
pub enum KeepRequestsError {
    /// The text is not a period.
    #[error(transparent)]
    Period(#[from] PeriodError),
    /// It is too short, in some months at least.
    #[error(
        "`{0}` is or can be shorter than 30 days: requests are kept for P30D (the default) to P6Y, such as P24M"
    )]
    Short(CalendarPeriod),
    /// It is too long.
    #[error(
        "`{0}` is longer than 6 years: requests are kept for P30D (the default) to P6Y, such as P24M"
    )]
    Long(CalendarPeriod),
}

impl KeepRequests {
    /// Reads the ISO 8601 form.
    pub fn parse(text: &str) -> Result<Self, KeepRequestsError> {
        let period = CalendarPeriod::parse(text)?;
        let end = |period: CalendarPeriod| period.after(SHORTEST_MONTH).unwrap_or(UnixMillis::MAX);
        if end(period) < end(fixed(DEFAULT)) {
            return Err(KeepRequestsError::Short(period));
        }
        if end(period) > end(fixed(LONGEST)) {
            return Err(KeepRequestsError::Long(period));
        }
        Ok(Self(period))
    }

    /// Whether it is what holds where nothing is set.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// From when on a run forgets what was answered or ended at a moment. The default is a promise to forget by then, so it is
    /// due a day earlier, for the daily run. A longer period is a duty to keep: nothing is forgotten before its end.
    pub(crate) fn due_after(self, over: UnixMillis) -> Option<UnixMillis> {
        let early = self.is_default().then(|| self.0.less(CalendarPeriod::DAY));
        early.flatten().unwrap_or(self.0).after(over)
    }
}

fn fixed(text: &str) -> CalendarPeriod {
    CalendarPeriod::parse(text).expect("it is a period")
}

impl Default for KeepRequests {
    fn default() -> Self {
        Self(fixed(DEFAULT))
    }
}

impl std::fmt::Display for KeepRequests {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

impl TryFrom<String> for KeepRequests {
    type Error = KeepRequestsError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<KeepRequests> for String {
    fn from(keep: KeepRequests) -> Self {
        keep.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_kept_for_30_days_to_6_years() {
        for (text, written) in [
            ("P30D", "P30D"),
            ("P1M2D", "P1M2D"),
            ("P24M", "P24M"),
            ("P6Y", "P6Y"),
            ("P72M", "P72M"),
        ] {
            assert_eq!(KeepRequests::parse(text).unwrap().to_string(), written);
        }
        // A month can have 28 days.
        for short in ["P0D", "P10D", "P29D", "P1M", "P4W"] {
            let error = KeepRequests::parse(short).unwrap_err();
            assert!(matches!(error, KeepRequestsError::Short(_)), "{short}");
        }
        for long in ["P7Y", "P6Y1D", "P9999Y"] {
            let error = KeepRequests::parse(long).unwrap_err();
            assert!(matches!(error, KeepRequestsError::Long(_)), "{long}");
        }
        for wrong in ["", "24M", "PT1H"] {
            let error = KeepRequests::parse(wrong).unwrap_err();
            assert!(matches!(error, KeepRequestsError::Period(_)), "{wrong}");
        }
    }

    #[test]
    fn the_default_is_due_a_day_early_and_a_longer_period_never() {
        let over = UnixMillis::parse_rfc3339("2026-11-24T10:00:00Z").unwrap();
        for (text, due) in [
            ("P30D", "2026-12-23T10:00:00.000Z"),
            ("P31D", "2026-12-25T10:00:00.000Z"),
            ("P24M", "2028-11-24T10:00:00.000Z"),
        ] {
            let keep = KeepRequests::parse(text).unwrap();
            assert_eq!(keep.due_after(over).unwrap().to_string(), due);
        }
    }
}
