//! Moments and the clock. Time is injected: only [`SystemClock`] asks the machine.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

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

    /// Reads an RFC 3339 time with any offset. Parts of a millisecond are dropped.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let moment = DateTime::parse_from_rfc3339(text).ok()?;
        u64::try_from(moment.timestamp_millis()).ok().map(Self)
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

/// RFC 3339 in UTC with milliseconds: `2026-11-24T09:30:00.000Z`.
impl fmt::Display for UnixMillis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(
            &self
                .to_datetime()
                .to_rfc3339_opts(SecondsFormat::Millis, true),
        )
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The wall clock. It may jump, forwards and backwards.
    fn wall(&self) -> UnixMillis;

    /// Milliseconds since the machine was started, suspended time included. It never jumps.
    fn since_boot_ms(&self) -> u64;
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
}
