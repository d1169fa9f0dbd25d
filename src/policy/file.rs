//! Policy files: one regime each, with its authority and citation.

use chrono::NaiveDate;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::calendar::{CalendarPeriod, PeriodError};
use super::clock::{ClockRule, ClockRuleError};
use super::document::{Authority, Document, Erasure, Retention};
use crate::ids::hex;
use crate::time::UnixMillis;

/// Who stands behind a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Force {
    /// A statute or regulation.
    Law,
    /// A contract, or a standard that one makes binding.
    Contract,
    /// Advice of an authority; of maxima.
    Guidance,
    /// Nobody but habit or the house.
    Custom,
    /// There is no figure.
    None,
}

/// What a person's request for erasure meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnErasureRequest {
    /// It is carried out.
    Honour,
    /// The event is restricted until its minimum ends, and then destroyed.
    RestrictUntilMinimum,
    /// It is refused on the ground that the file names.
    Refuse,
}

/// Periods and what they count from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Nothing is destroyed before this has passed; `P0D`: no minimum.
    pub keep_at_least: CalendarPeriod,
    /// It goes after this; none: it is kept without end.
    pub delete_after: Option<CalendarPeriod>,
    /// Start of the minimum.
    pub clock: ClockRule,
    /// Start of the maximum.
    pub max_clock: ClockRule,
}

/// Other figures for some actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecialCase {
    /// Its name in the file.
    pub name: String,
    /// Patterns of actions.
    pub actions: Vec<ActionPattern>,
    /// Its figures.
    pub figures: Figures,
}

/// Fields that events of some actions should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredFields {
    /// Which actions.
    pub actions: ActionPattern,
    /// Dotted paths in the event's schema.
    pub fields: Vec<String>,
}

/// A pattern of actions: `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionPattern(String);

/// A policy, read and checked for its form; [`super::lint`] checks its sense.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its id, which is also its regime's name.
    pub id: String,
    /// Rises on any change.
    pub version: u32,
    /// For people.
    pub title: String,
    /// Further names of its regime.
    pub regimes: Vec<String>,
    /// Events of these actions alone.
    pub actions: Vec<ActionPattern>,
    /// The day from which the law binds; before it the minimum is a custom.
    pub law_applies_from: Option<NaiveDate>,
    /// When somebody must look at the file again.
    pub review_by: Option<NaiveDate>,
    /// Sources.
    pub authority: Vec<Authority>,
    /// Force of the minimum.
    pub keep_force: Force,
    /// Legal orders that impose it.
    pub keep_law: Vec<String>,
    /// Force of the maximum.
    pub delete_force: Force,
    /// Added to the end of the minimum.
    pub min_margin: CalendarPeriod,
    /// Whether it also waits for the record that its maximum's clock belongs to.
    pub follows_record: bool,
    /// The figures of most events.
    pub figures: Figures,
    /// The figures of some.
    pub special_cases: Vec<SpecialCase>,
    /// On a request for erasure.
    pub erasure: Erasure,
    /// What events should have.
    pub required_fields: Vec<RequiredFields>,
    /// Names that no event may have at any depth.
    pub forbidden_fields: Vec<String>,
    /// SHA-256 of the file's bytes, in hex.
    pub sha256: String,
    /// The file's text.
    pub text: String,
}

/// Why a policy file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not TOML, or not the keys of a policy.
    #[error("not a policy file: {0}")]
    Form(String),
    /// A period that is none.
    #[error("{0}: {1}")]
    Period(&'static str, PeriodError),
    /// A clock that is none.
    #[error("{0}: {1}")]
    Clock(&'static str, ClockRuleError),
    /// Written for another program.
    #[error("policy schema {0} is unknown; this program knows schema 1")]
    Schema(u32),
    /// An id that can't be a regime's name.
    #[error("`{0}` is no regime's name: 1 to 63 characters of a-z, 0-9 and -")]
    Name(String),
    /// Time zones are not supported.
    #[error("timezone `{0}`: only UTC is supported; min_margin covers every zone")]
    TimeZone(String),
}

impl Policy {
    /// Reads a policy file.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let document: Document =
            toml::from_str(text).map_err(|error| PolicyError::Form(error.to_string()))?;
        if document.schema != 1 {
            return Err(PolicyError::Schema(document.schema));
        }
        let names = std::iter::once(&document.id).chain(&document.applies_to.regimes);
        if let Some(bad) = names.into_iter().find(|name| !is_regime_name(name)) {
            return Err(PolicyError::Name(bad.clone()));
        }
        if let Some(zone) = document.retention.timezone.as_deref()
            && zone != "UTC"
        {
            return Err(PolicyError::TimeZone(zone.to_owned()));
        }
        let figures = figures_of(&document.retention)?;
        let special_cases = document
            .retention
            .class
            .iter()
            .map(|(name, class)| special_case(name, class, &figures))
            .collect::<Result<_, _>>()?;
        let margin = document.retention.min_margin.as_deref();
        Ok(Self {
            min_margin: period("min_margin", margin.unwrap_or("P1D"))?,
            required_fields: required_fields(&document),
            forbidden_fields: document.record.forbidden_event_fields,
            regimes: document.applies_to.regimes,
            actions: patterns(&document.applies_to.event_types),
            law_applies_from: document.law_applies_from.and_then(day_of),
            review_by: document.review_by.and_then(day_of),
            keep_force: document.retention.keep_force,
            keep_law: document.retention.keep_law,
            delete_force: document.retention.delete_force,
            follows_record: document.retention.follows_record,
            figures,
            special_cases,
            erasure: document.erasure,
            authority: document.authority,
            title: document.title,
            id: document.id,
            version: document.version,
            sha256: hex(&Sha256::digest(text.as_bytes())),
            text: text.to_owned(),
        })
    }

    /// Whether a regime is this policy's.
    pub fn is_of(&self, regime: &str) -> bool {
        self.id == regime || self.regimes.iter().any(|name| name == regime)
    }

    /// The figures for an action, with the name of the special case that they are from.
    pub fn figures_for(&self, action: &str) -> (Option<&str>, &Figures) {
        let special = self
            .special_cases
            .iter()
            .find(|special| special.actions.iter().any(|glob| glob.matches(action)));
        match special {
            Some(special) => (Some(&special.name), &special.figures),
            None => (None, &self.figures),
        }
    }

    /// The figures of a special case by its name; of none: those of most events.
    pub fn figures_named(&self, special_case: Option<&str>) -> Option<&Figures> {
        let Some(name) = special_case else {
            return Some(&self.figures);
        };
        self.special_case(name).map(|case| &case.figures)
    }

    /// A special case by its name.
    pub fn special_case(&self, name: &str) -> Option<&SpecialCase> {
        self.special_cases.iter().find(|case| case.name == name)
    }

    /// Whether the law behind the minimum binds events received at a moment.
    pub fn law_applies_at(&self, recorded_at: UnixMillis) -> bool {
        self.law_applies_from
            .is_none_or(|from| recorded_at.to_datetime().date_naive() >= from)
    }

    /// The names of the triggers that any of its clocks waits for or takes up.
    pub fn triggers(&self) -> Vec<&str> {
        let special = self.special_cases.iter().map(|case| &case.figures);
        let figures = std::iter::once(&self.figures).chain(special);
        let clocks = figures.flat_map(|figures| [&figures.clock, &figures.max_clock]);
        clocks.flat_map(ClockRule::triggers).collect()
    }

    /// The citations, joined.
    pub fn citation(&self) -> String {
        let citations: Vec<&str> = self
            .authority
            .iter()
            .map(|authority| authority.citation.as_str())
            .collect();
        citations.join("; ")
    }
}

impl ActionPattern {
    /// A pattern.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an action fits.
    pub fn matches(&self, action: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = action.strip_prefix(first) else {
            return false;
        };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else {
            return rest.is_empty();
        };
        for part in parts {
            let Some(at) = rest.find(part) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

/// Whether a text can name a regime.
pub fn is_regime_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| plain(byte) || byte == b'-')
        && name.bytes().next().is_some_and(plain)
}

fn figures_of(retention: &Retention) -> Result<Figures, PolicyError> {
    let delete_after = retention.delete_after.as_deref();
    Ok(Figures {
        keep_at_least: period("keep_at_least", &retention.keep_at_least)?,
        delete_after: delete_after
            .map(|text| period("delete_after", text))
            .transpose()?,
        clock: clock("clock", &retention.clock)?,
        max_clock: clock(
            "max_clock",
            retention.max_clock.as_deref().unwrap_or("occurred"),
        )?,
    })
}

fn special_case(
    name: &str,
    class: &super::document::SpecialCase,
    base: &Figures,
) -> Result<SpecialCase, PolicyError> {
    let mut figures = base.clone();
    if let Some(text) = &class.keep_at_least {
        figures.keep_at_least = period("keep_at_least", text)?;
    }
    if let Some(text) = &class.delete_after {
        figures.delete_after = Some(period("delete_after", text)?);
    }
    if let Some(text) = &class.clock {
        figures.clock = clock("clock", text)?;
    }
    if let Some(text) = &class.max_clock {
        figures.max_clock = clock("max_clock", text)?;
    }
    Ok(SpecialCase {
        name: name.to_owned(),
        actions: patterns(&class.event_types),
        figures,
    })
}

fn required_fields(document: &Document) -> Vec<RequiredFields> {
    let of_all = RequiredFields {
        actions: ActionPattern::new("*"),
        fields: document.record.required_event_fields.clone(),
    };
    let of_some = document.record.required_for.iter();
    let of_some = of_some.map(|(actions, fields)| RequiredFields {
        actions: ActionPattern::new(actions),
        fields: fields.clone(),
    });
    std::iter::once(of_all).chain(of_some).collect()
}

fn period(key: &'static str, text: &str) -> Result<CalendarPeriod, PolicyError> {
    CalendarPeriod::parse(text).map_err(|error| PolicyError::Period(key, error))
}

fn clock(key: &'static str, text: &str) -> Result<ClockRule, PolicyError> {
    ClockRule::parse(text).map_err(|error| PolicyError::Clock(key, error))
}

fn patterns(texts: &[String]) -> Vec<ActionPattern> {
    texts.iter().map(|text| ActionPattern::new(text)).collect()
}

fn day_of(moment: toml::value::Datetime) -> Option<NaiveDate> {
    let date = moment.date?;
    NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_policy_is_refused() {
        assert!(matches!(Policy::parse("x = 1"), Err(PolicyError::Form(_))));
        let shipped = include_str!("../../policies/default-90d.toml");
        let with = |from: &str, to: &str| Policy::parse(&shipped.replace(from, to)).unwrap_err();
        assert_eq!(with("schema = 1", "schema = 2"), PolicyError::Schema(2));
        assert!(matches!(with("P90D", "90D"), PolicyError::Period(..)));
        assert!(matches!(
            with("clock = \"received\"", "clock = \"now\""),
            PolicyError::Clock(..)
        ));
        assert!(matches!(
            with("id = \"default-90d\"", "id = \"A b\""),
            PolicyError::Name(_)
        ));
        let unknown = with("[retention]", "[retention]\nkeep_for = \"P1D\"");
        assert!(
            unknown.to_string().contains("unknown field `keep_for`"),
            "{unknown}"
        );
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, action, fits) in [
            ("*", "a.b", true),
            ("policy.*", "policy.update", true),
            ("policy.*", "policy", false),
            ("*.delete", "s3.object.delete", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("chat.completion", "chat.completion", true),
            ("chat.completion", "chat.completions", false),
        ] {
            assert_eq!(
                ActionPattern::new(pattern).matches(action),
                fits,
                "{pattern} {action}"
            );
        }
    }
}
