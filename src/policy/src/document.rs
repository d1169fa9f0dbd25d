//! The keys of a policy file, as TOML has them. docs/retention.md says what each means; read.rs reads their values.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::value::Datetime;

use super::file::{Force, OnErasureRequest};

/// A policy file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) schema: u32,
    pub(super) id: String,
    pub(super) version: u32,
    pub(super) title: String,
    #[serde(default)]
    pub(super) jurisdiction: Vec<String>,
    pub(super) effective_from: Option<Datetime>,
    pub(super) law_applies_from: Option<Datetime>,
    pub(super) review_by: Option<Datetime>,
    #[serde(default)]
    pub(super) applies_to: AppliesTo,
    #[serde(default)]
    pub(super) authority: Vec<Authority>,
    pub(super) retention: Retention,
    pub(super) erasure: Erasure,
    #[serde(default)]
    pub(super) hold: Hold,
    #[serde(default)]
    pub(super) record: Record,
}

/// Which events it is for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AppliesTo {
    #[serde(default)]
    pub(super) regimes: Vec<String>,
    pub(super) event_types: Option<Vec<String>>,
}

/// A source.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// The place in the text.
    pub citation: String,
    /// What kind of text it is.
    pub kind: AuthorityKind,
    /// For the reader.
    pub note: Option<String>,
}

/// What kind of text a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthorityKind {
    /// Statute or regulation.
    Law,
    /// Contract, or a standard that one makes binding.
    Contract,
    Standard,
    /// Advice of an authority.
    Guidance,
}

/// Periods, clocks and their force.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Retention {
    pub(super) keep_at_least: String,
    pub(super) keep_force: Force,
    #[serde(default)]
    pub(super) keep_law: Vec<String>,
    pub(super) figure_force: Option<Force>,
    pub(super) delete_after: Option<String>,
    pub(super) delete_force: Option<Force>,
    pub(super) clock: Option<String>,
    pub(super) max_clock: Option<String>,
    pub(super) min_margin: Option<String>,
    pub(super) timezone: Option<String>,
    pub(super) purge_within: Option<String>,
    pub(super) immediately_available: Option<String>,
    #[serde(default)]
    pub(super) follows_record: bool,
    #[serde(default)]
    pub(super) class: BTreeMap<String, SpecialCase>,
}

/// Other figures for some actions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpecialCase {
    pub(super) event_types: Vec<String>,
    pub(super) keep_at_least: Option<String>,
    pub(super) figure_force: Option<Force>,
    pub(super) delete_after: Option<String>,
    pub(super) clock: Option<String>,
    pub(super) max_clock: Option<String>,
}

/// On a person's request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// What it meets.
    pub request: OnErasureRequest,
    /// Why, in the GDPR's terms.
    pub gdpr_ground: Option<String>,
    /// Why, in the CCPA's terms.
    pub ccpa_ground: Option<String>,
    /// What the processing rests on.
    pub legal_basis: Option<String>,
    /// Why a minimum that is no law stands against a request.
    pub justification: Option<String>,
}

/// What a hold does. No hold can be got past, so only one value of most keys is taken.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hold {
    pub(super) blocks_expiry: Option<bool>,
    pub(super) blocks_erasure: Option<bool>,
    pub(super) restrict_while_held: Option<bool>,
    pub(super) review_every: Option<String>,
    pub(super) on_release: Option<String>,
}

/// What an event should have and must not have.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    #[serde(default)]
    pub(super) required_event_fields: Vec<String>,
    #[serde(default)]
    pub(super) required_for: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) forbidden_event_fields: Vec<String>,
    pub(super) max_clock_skew: Option<String>,
}
