//! The keys of a price file, as TOML has them. docs/prices.md says what each means.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

/// The rates of `[[price]]` or of a tier, in the order of [`Component::ALL`]. serde can't share the keys: a flattened part
/// would accept unknown ones.
///
/// [`Component::ALL`]: trailkeep_proof::prices::Component::ALL
macro_rules! rates_of {
    ($keys:expr) => {
        [
            $keys.input,
            $keys.cached_input,
            $keys.cache_write_5m,
            $keys.cache_write_1h,
            $keys.output,
            $keys.reasoning,
            $keys.audio_input,
            $keys.audio_cached_input,
            $keys.audio_output,
        ]
    };
}
pub(super) use rates_of;

/// A price file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) schema: u32,
    pub(super) dated: Datetime,
    /// For people; no ledger states it.
    #[serde(default, rename = "title")]
    pub(super) _title: String,
    /// Of prices that name none.
    pub(super) currency: Option<String>,
    /// Of prices that name none.
    pub(super) unit: Option<String>,
    /// Of secondary prices that name none.
    pub(super) package: Option<String>,
    pub(super) package_version: Option<String>,
    #[serde(default)]
    pub(super) aliases: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) price: Vec<Spanned<PriceKeys>>,
    #[serde(default)]
    pub(super) fx: Vec<Spanned<FxKeys>>,
}

/// One name or several.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`model` is not a text or a list of texts")]
pub(super) enum Models {
    One(String),
    Many(Vec<String>),
}

/// `[[price]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PriceKeys {
    pub(super) provider: String,
    pub(super) model: Models,
    pub(super) region: Option<String>,
    pub(super) service_tier: Option<String>,
    pub(super) from: Option<Datetime>,
    pub(super) until: Option<Datetime>,
    pub(super) currency: Option<String>,
    pub(super) unit: Option<String>,
    pub(super) input: Option<String>,
    pub(super) cached_input: Option<String>,
    pub(super) cache_write_5m: Option<String>,
    pub(super) cache_write_1h: Option<String>,
    pub(super) output: Option<String>,
    pub(super) reasoning: Option<String>,
    pub(super) audio_input: Option<String>,
    pub(super) audio_cached_input: Option<String>,
    pub(super) audio_output: Option<String>,
    #[serde(default)]
    pub(super) tiers: Vec<TierKeys>,
    pub(super) citation: Option<String>,
    pub(super) verified: String,
    pub(super) verified_on: Option<Datetime>,
    pub(super) package: Option<String>,
    pub(super) package_version: Option<String>,
    /// For people; no ledger states it.
    #[serde(default, rename = "note")]
    pub(super) _note: String,
}

/// An element of `tiers`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TierKeys {
    pub(super) above: u64,
    pub(super) by: String,
    pub(super) input: Option<String>,
    pub(super) cached_input: Option<String>,
    pub(super) cache_write_5m: Option<String>,
    pub(super) cache_write_1h: Option<String>,
    pub(super) output: Option<String>,
    pub(super) reasoning: Option<String>,
    pub(super) audio_input: Option<String>,
    pub(super) audio_cached_input: Option<String>,
    pub(super) audio_output: Option<String>,
}

/// `[[fx]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FxKeys {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) day: Datetime,
    pub(super) rate: String,
    pub(super) citation: String,
}
