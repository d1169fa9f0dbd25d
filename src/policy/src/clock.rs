//! Which moment a period of a policy counts from.

use std::collections::BTreeMap;
use std::fmt;

use trailkeep_proof::time::UnixMillis;

/// What a period counts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClockRule {
    /// The server's receipt, `recorded_at`.
    Received,
    /// The producer's `occurred_at`; never later than the receipt, so that a claimed date buys no time.
    Occurred,
    /// Something that happens to the record, such as `audit_concluded`.
    Trigger {
        name: String,
        /// Whether it may never happen: it then counts only once it has.
        optional: bool,
    },
    /// The latest of several.
    LaterOf(Vec<Self>),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a clock: write received, occurred, trigger:NAME, trigger:NAME? or later_of:A,B"
)]
pub struct ClockRuleError(pub String);

/// The moments that clocks start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTimes {
    /// The server's receipt.
    pub recorded_at: UnixMillis,
    /// The producer's word.
    pub occurred_at: UnixMillis,
    /// What happened to the event's record, by name.
    pub triggers: BTreeMap<String, UnixMillis>,
}

impl EventTimes {
    /// An event that occurred when it was received, of no record: so every stored event counts.
    pub const fn received(recorded_at: UnixMillis) -> Self {
        Self {
            recorded_at,
            occurred_at: recorded_at,
            triggers: BTreeMap::new(),
        }
    }
}

impl ClockRule {
    /// Reads the form of the policy files.
    pub fn parse(text: &str) -> Result<Self, ClockRuleError> {
        let error = || ClockRuleError(text.to_owned());
        if let Some(list) = text.strip_prefix("later_of:") {
            let rules = list.split(',').map(|part| Self::parse(part.trim()));
            let rules: Vec<Self> = rules.collect::<Result<_, _>>().map_err(|_| error())?;
            let nested = rules.iter().any(|rule| matches!(rule, Self::LaterOf(_)));
            return if rules.len() < 2 || nested {
                Err(error())
            } else {
                Ok(Self::LaterOf(rules))
            };
        }
        match text {
            "received" => return Ok(Self::Received),
            "occurred" => return Ok(Self::Occurred),
            _ => {}
        }
        let name = text.strip_prefix("trigger:").ok_or_else(error)?;
        let optional = name.ends_with('?');
        let name = name.strip_suffix('?').unwrap_or(name);
        if !is_trigger_name(name) {
            return Err(error());
        }
        Ok(Self::Trigger {
            name: name.to_owned(),
            optional,
        })
    }

    /// When the clock starts for an event; none while something that must happen first has not.
    pub fn start(&self, times: &EventTimes) -> Option<UnixMillis> {
        match self {
            Self::Received => Some(times.recorded_at),
            Self::Occurred => Some(times.occurred_at.min(times.recorded_at)),
            Self::Trigger { name, .. } => times.triggers.get(name).copied(),
            Self::LaterOf(rules) => {
                let mut latest = None;
                for rule in rules {
                    let start = rule.start(times);
                    if start.is_none() && !rule.is_optional() {
                        return None;
                    }
                    latest = latest.max(start);
                }
                latest
            }
        }
    }

    /// Whether it starts with the receipt for every stored event. `occurred` does: a producer's clock destroys
    /// nothing and keeps nothing for ever, so what is stored counts from its receipt (docs/retention.md).
    pub fn is_of_receipt(&self) -> bool {
        match self {
            Self::Received | Self::Occurred => true,
            Self::Trigger { .. } => false,
            Self::LaterOf(rules) => rules.iter().all(Self::is_of_receipt),
        }
    }

    /// The names of the triggers that it waits for or takes up.
    pub fn triggers(&self) -> Vec<&str> {
        match self {
            Self::Received | Self::Occurred => Vec::new(),
            Self::Trigger { name, .. } => vec![name],
            Self::LaterOf(rules) => rules.iter().flat_map(Self::triggers).collect(),
        }
    }

    /// The triggers without which it does not start and that have not fired.
    pub fn waits_for(&self, times: &EventTimes) -> Vec<&str> {
        if self.start(times).is_some() {
            return Vec::new();
        }
        match self {
            Self::Received | Self::Occurred => Vec::new(),
            Self::Trigger { name, .. } => vec![name],
            Self::LaterOf(rules) => {
                let must = rules.iter().filter(|rule| !rule.is_optional());
                let waits: Vec<&str> = must.flat_map(|rule| rule.waits_for(times)).collect();
                if waits.is_empty() {
                    rules
                        .iter()
                        .flat_map(|rule| rule.waits_for(times))
                        .collect()
                } else {
                    waits
                }
            }
        }
    }

    fn is_optional(&self) -> bool {
        matches!(self, Self::Trigger { optional: true, .. })
    }
}

/// Lower-case letters, digits and `_`, 1 to 64.
pub fn is_trigger_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

impl fmt::Display for ClockRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Received => formatter.write_str("received"),
            Self::Occurred => formatter.write_str("occurred"),
            Self::Trigger { name, optional } => {
                let mark = if *optional { "?" } else { "" };
                write!(formatter, "trigger:{name}{mark}")
            }
            Self::LaterOf(rules) => {
                let rules: Vec<String> = rules.iter().map(Self::to_string).collect();
                write!(formatter, "later_of:{}", rules.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_read_back() {
        for text in [
            "received",
            "occurred",
            "trigger:audit_concluded",
            "later_of:received,trigger:account_closed?",
        ] {
            assert_eq!(ClockRule::parse(text).unwrap().to_string(), text);
        }
        for bad in [
            "",
            "Received",
            "trigger:",
            "trigger:?",
            "trigger:A",
            "later_of:received",
            "later_of:received,later_of:received,occurred",
        ] {
            assert!(ClockRule::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_must_happen_first_leaves_the_clock_open() {
        let mut times = EventTimes::received(UnixMillis::new(1_000));
        let start = |text: &str, times: &EventTimes| ClockRule::parse(text).unwrap().start(times);
        assert_eq!(start("later_of:received,trigger:closed", &times), None);
        assert_eq!(
            start("later_of:received,trigger:closed?", &times),
            Some(UnixMillis::new(1_000))
        );
        let waits = |text: &str, times: &EventTimes| {
            let clock = ClockRule::parse(text).unwrap();
            clock.waits_for(times).join(" ")
        };
        for (text, names) in [
            ("received", ""),
            ("trigger:closed", "closed"),
            ("later_of:received,trigger:closed", "closed"),
            ("later_of:received,trigger:closed?", ""),
            ("later_of:trigger:ended?,trigger:closed", "closed"),
            ("later_of:trigger:ended?,trigger:closed?", "ended closed"),
        ] {
            assert_eq!(waits(text, &times), names, "{text}");
        }
        times
            .triggers
            .insert("closed".to_owned(), UnixMillis::new(5_000));
        assert_eq!(waits("later_of:trigger:ended?,trigger:closed", &times), "");
        for text in [
            "later_of:received,trigger:closed",
            "later_of:received,trigger:closed?",
        ] {
            assert_eq!(start(text, &times), Some(UnixMillis::new(5_000)), "{text}");
        }
        // A future date that a producer claims counts as the receipt.
        times.occurred_at = UnixMillis::new(9_000);
        assert_eq!(start("occurred", &times), Some(UnixMillis::new(1_000)));
    }
}
