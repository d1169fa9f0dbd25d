//! Policy files: one regime each, with its authority and citation.

use std::fmt;

use chrono::NaiveDate;
use serde::Deserialize;

use super::clock::ClockRule;
use super::document::{Authority, Erasure};
use super::fields::{ForbiddenName, RequiredField};
use super::pattern::ActionPattern;
use trailkeep_proof::period::CalendarPeriod;
use trailkeep_proof::time::UnixMillis;

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

/// The word that policy files have for it.
impl fmt::Display for Force {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Law => "law",
            Self::Contract => "contract",
            Self::Guidance => "guidance",
            Self::Custom => "custom",
            Self::None => "none",
        })
    }
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

/// The word that policy files have for it.
impl fmt::Display for OnErasureRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Honour => "honour",
            Self::RestrictUntilMinimum => "restrict_until_minimum",
            Self::Refuse => "refuse",
        })
    }
}

/// Periods and what they count from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Nothing is destroyed before this has passed; `P0D`: no minimum.
    pub keep_at_least: CalendarPeriod,
    /// Who stands behind that figure, where it is another than who stands behind the duty to keep.
    pub figure_force: Option<Force>,
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
    pub actions: Vec<ActionPattern>,
    pub figures: Figures,
}

/// Fields that events of some actions should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredFields {
    pub actions: ActionPattern,
    pub fields: Vec<RequiredField>,
}

/// A policy, read and checked for its form; [`super::lint`] checks its sense.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its id, which is also its regime's name.
    pub id: String,
    /// Rises on any change.
    pub version: u32,
    /// For people.
    pub title: String,
    /// Legal orders that it is of; for people.
    pub jurisdiction: Vec<String>,
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
    /// How long the destruction may take after the expiry; a legal maximum is due that much earlier.
    pub purge_within: CalendarPeriod,
    /// How long it must be at hand without a restore. All that is kept is; for readers.
    pub immediately_available: Option<CalendarPeriod>,
    /// Whether it also waits for the record that its maximum's clock belongs to.
    pub follows_record: bool,
    /// The figures of most events.
    pub figures: Figures,
    /// The figures of some.
    pub special_cases: Vec<SpecialCase>,
    /// On a request for erasure.
    pub erasure: Erasure,
    /// How often a hold is to be looked at again.
    pub hold_review_every: CalendarPeriod,
    /// What events should have.
    pub required_fields: Vec<RequiredFields>,
    /// Names that no event may have at any depth.
    pub forbidden_names: Vec<ForbiddenName>,
    /// How far a producer's clock may be ahead of the server's, in milliseconds.
    pub max_clock_skew_ms: u64,
    /// SHA-256 of the file's bytes, in hex.
    pub sha256: String,
    pub text: String,
}

impl Policy {
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

    /// The fields that an event of an action should have, each once.
    pub fn required_of(&self, action: &str) -> Vec<&RequiredField> {
        let of_action = self
            .required_fields
            .iter()
            .filter(|required| required.actions.matches(action));
        let mut fields: Vec<&RequiredField> = Vec::new();
        for field in of_action.flat_map(|required| &required.fields) {
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
        fields
    }
}

/// Whether a text can name a regime.
pub fn is_regime_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| plain(byte) || byte == b'-')
        && name.bytes().next().is_some_and(plain)
}
