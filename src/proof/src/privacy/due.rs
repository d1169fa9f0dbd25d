//! Until when a request is to be answered: two dates, the one to act on and the one that the law allows.

use serde::{Deserialize, Serialize};

use super::day::Day;

/// The law under which a request is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// Regulation (EU) 2016/679: one month, two more for reasons (Art. 12(3)).
    #[default]
    Gdpr,
    /// The same in the United Kingdom, where the clock starts with the proof of identity (Art. 12A).
    UkGdpr,
    /// California: 45 calendar days, 45 more with notice, acknowledged within 10 business days (11 CCR 7021).
    Ccpa,
}

/// The last day for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// The day to act on: it moves for no weekend.
    pub due: Day,
    /// The last day by law: the next working day where `due` is a Saturday or Sunday (Regulation 1182/71
    /// Art. 3(4)). Public holidays are not known here.
    pub legal_due: Day,
}

impl Regime {
    /// The last day for an answer, from the day on which the clock started, which does not count itself.
    pub fn deadline(self, start: Day, is_extended: bool) -> Deadline {
        let months = |months| {
            let due = start.plus_months(months);
            Deadline {
                due,
                legal_due: due.or_next_working_day(),
            }
        };
        let days = |days| {
            let due = start.plus_days(days);
            Deadline {
                due,
                legal_due: due,
            }
        };
        match (self, is_extended) {
            (Self::Gdpr | Self::UkGdpr, false) => months(1),
            (Self::Gdpr | Self::UkGdpr, true) => months(3),
            (Self::Ccpa, false) => days(45),
            (Self::Ccpa, true) => days(90),
        }
    }

    /// The last day for telling the person that the request came in, where the law sets one.
    pub fn acknowledge_by(self, received_on: Day) -> Option<Day> {
        (self == Self::Ccpa).then(|| received_on.plus_business_days(10))
    }

    /// Whether the clock waits until the person's identity is established. In the Union the month may be
    /// suspended while information is awaited (EDPB Guidelines 01/2022); the date shown here does not rely on it.
    pub const fn waits_for_identity(self) -> bool {
        matches!(self, Self::UkGdpr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// COMPLIANCE T4, T1, T6: received, due, by law, extended.
    #[test]
    fn answers_are_due_by_the_calendar() {
        for (regime, received, due, legal_due, extended) in [
            (
                Regime::Gdpr,
                "2027-01-31",
                "2027-02-28",
                "2027-03-01",
                "2027-04-30",
            ),
            (
                Regime::Gdpr,
                "2028-01-31",
                "2028-02-29",
                "2028-02-29",
                "2028-04-30",
            ),
            (
                Regime::Gdpr,
                "2026-08-31",
                "2026-09-30",
                "2026-09-30",
                "2026-11-30",
            ),
            (
                Regime::Gdpr,
                "2026-11-24",
                "2026-12-24",
                "2026-12-24",
                "2027-02-24",
            ),
            (
                Regime::Gdpr,
                "2026-10-01",
                "2026-11-01",
                "2026-11-02",
                "2027-01-01",
            ),
            (
                Regime::UkGdpr,
                "2027-01-31",
                "2027-02-28",
                "2027-03-01",
                "2027-04-30",
            ),
            (
                Regime::Ccpa,
                "2026-11-24",
                "2027-01-08",
                "2027-01-08",
                "2027-02-22",
            ),
        ] {
            let start = Day::parse(received).unwrap();
            let first = regime.deadline(start, false);
            assert_eq!(first.due.to_string(), due, "{regime:?} {received}");
            assert_eq!(
                first.legal_due.to_string(),
                legal_due,
                "{regime:?} {received}"
            );
            let longer = regime.deadline(start, true);
            assert_eq!(longer.due.to_string(), extended, "{regime:?} {received}");
        }
    }

    #[test]
    fn california_is_told_within_ten_business_days() {
        let on = |text| {
            Regime::Ccpa
                .acknowledge_by(Day::parse(text).unwrap())
                .unwrap()
                .to_string()
        };
        assert_eq!(on("2026-11-24"), "2026-12-08");
        // Received on a Friday, and on a Sunday.
        assert_eq!(on("2026-11-27"), "2026-12-11");
        assert_eq!(on("2026-11-29"), "2026-12-11");
        assert_eq!(
            Regime::Gdpr.acknowledge_by(Day::parse("2026-11-24").unwrap()),
            None
        );
    }
}
