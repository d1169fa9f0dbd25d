//! A table of prices, as a ledger states it.

mod check;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::amount::{FxRate, Rate};
use super::call::Component;
use super::pattern::ModelPattern;
use crate::ids::hex;
use crate::privacy::Day;

/// Largest table in its canonical form, in bytes: it stands in one entry.
pub const TABLE_BYTES_MAX: usize = 768 << 10;
const FORMAT: &str = "trailkeep/prices/v1";
const ENTRIES_MAX: usize = 5_000;
const PATTERNS_MAX: usize = 64;
const TIERS_MAX: usize = 8;
const NAME_MAX: usize = 128;
const URL_MAX: usize = 512;

/// What a price is for.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A million tokens.
    #[default]
    Mtok,
}

/// What picks a tier.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum TierBy {
    /// All input tokens of the call, those read from and written to a cache included.
    #[default]
    Prompt,
}

/// How a price was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verified {
    /// Somebody read the provider's page, on the day that the price gives.
    Page,
    /// It was taken from a package, which cites the page.
    Secondary,
    /// Nobody checked it.
    Unchecked,
}

/// Prices of a million tokens, by what the tokens are. What is absent has no price.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Input that is neither read from nor written to a cache, and is no audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Rate>,
    /// Input read from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<Rate>,
    /// Input written to a cache, for any time but an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_5m: Option<Rate>,
    /// Input written to a cache for an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<Rate>,
    /// Output, and reasoning where it has no price of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Rate>,
    /// Reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Rate>,
    /// Audio input that is not read from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_input: Option<Rate>,
    /// Audio input read from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_cached_input: Option<Rate>,
    /// Audio output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_output: Option<Rate>,
}

impl Rates {
    /// The price of a component.
    pub fn of(&self, component: Component) -> Option<Rate> {
        match component {
            Component::Input => self.input,
            Component::CachedInput => self.cached_input,
            Component::CacheWrite5m => self.cache_write_5m,
            Component::CacheWrite1h => self.cache_write_1h,
            Component::Output => self.output,
            Component::Reasoning => self.reasoning,
            Component::AudioInput => self.audio_input,
            Component::AudioCachedInput => self.audio_cached_input,
            Component::AudioOutput => self.audio_output,
        }
    }

    /// The components that have a price, with it.
    pub fn each(&self) -> impl Iterator<Item = (Component, Rate)> + '_ {
        let all = Component::ALL.into_iter();
        all.filter_map(|component| Some((component, self.of(component)?)))
    }
}

/// Other prices for all tokens of a call with a long prompt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// A call with more tokens than this has these prices.
    pub above: u64,
    /// What is counted.
    pub by: TierBy,
    /// All prices of the tier: none is taken from below.
    pub rates: Rates,
}

/// The prices of some models of a provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The provider, as events name it.
    pub provider: String,
    /// The models.
    pub model: Vec<ModelPattern>,
    /// Where the provider served the call; absent: where no other entry names the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Of calls with this service tier alone; absent: of calls without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// The first day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Day>,
    /// The first day on which it no longer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Day>,
    /// ISO 4217 code.
    pub currency: String,
    /// What the prices are for.
    pub unit: Unit,
    /// The prices.
    pub rates: Rates,
    /// Prices of long prompts, by ascending `above`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    /// URL of the page that has the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citation: Option<String>,
    /// How it was checked.
    pub verified: Verified,
    /// The day on which the page was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_on: Option<Day>,
    /// The package that a secondary price is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The package's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_version: Option<String>,
}

impl Price {
    /// Whether it holds on a day.
    pub fn holds_on(&self, day: Day) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day < until)
    }
}

/// What a currency is worth in another from a day on, until the next rate of the same two.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fx {
    /// ISO 4217 code.
    pub from: String,
    /// ISO 4217 code.
    pub to: String,
    /// The first day.
    pub day: Day,
    /// What one unit of `from` is in `to`.
    pub rate: FxRate,
    /// URL of the source.
    pub citation: String,
}

/// A table of prices: checked, and in the order of its canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stated", into = "Stated")]
pub struct PriceTable {
    dated: Day,
    aliases: BTreeMap<String, String>,
    prices: Vec<Price>,
    fx: Vec<Fx>,
}

/// The table's JSON.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    format: String,
    dated: Day,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    aliases: BTreeMap<String, String>,
    prices: Vec<Price>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fx: Vec<Fx>,
}

/// Where in a table something is wrong: entries by their place as they were given, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the table as a whole.
    Table,
    /// A price.
    Price(usize),
    /// A rate of currencies.
    Fx(usize),
}

/// Something that no table may say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFault {
    /// Where.
    pub place: Place,
    /// The rule's name.
    pub rule: &'static str,
    /// What is wrong.
    pub problem: String,
    /// How to fix it.
    pub remedy: &'static str,
}

/// Why a text is not a price table.
#[derive(Debug, thiserror::Error)]
pub enum TableReadError {
    /// It is no JSON, or has another form.
    #[error("not a price table: {0}")]
    Form(#[from] serde_json::Error),
    /// It says what a table says, in other bytes.
    #[error("not in the canonical form of a price table")]
    NotCanonical,
}

impl PriceTable {
    /// Checks what a table says and brings it into order.
    pub fn new(
        dated: Day,
        aliases: BTreeMap<String, String>,
        prices: Vec<Price>,
        fx: Vec<Fx>,
    ) -> Result<Self, Vec<TableFault>> {
        let mut faults = check::faults(&aliases, &prices, &fx);
        let mut table = Self {
            dated,
            aliases,
            prices,
            fx,
        };
        for price in &mut table.prices {
            price.model.sort_unstable();
        }
        table.prices.sort_unstable();
        table.fx.sort_unstable();
        let size = table.canonical().len();
        if size > TABLE_BYTES_MAX {
            faults.push(TableFault {
                place: Place::Table,
                rule: "size",
                problem: format!("the table has {size} bytes in its canonical form"),
                remedy: "leave out models that are not used: 768 KiB is the most",
            });
        }
        if faults.is_empty() {
            Ok(table)
        } else {
            Err(faults)
        }
    }

    /// Reads a table in its canonical form, and no other.
    pub fn read(bytes: &[u8]) -> Result<Self, TableReadError> {
        let table: Self = serde_json::from_slice(bytes)?;
        if table.canonical().as_bytes() == bytes {
            Ok(table)
        } else {
            Err(TableReadError::NotCanonical)
        }
    }

    /// Reads a table from the section of a statement.
    pub fn from_value(value: &Value) -> Result<Self, TableReadError> {
        let table: Self = serde_json::from_value(value.clone())?;
        if table.to_value() == *value {
            Ok(table)
        } else {
            Err(TableReadError::NotCanonical)
        }
    }

    /// The table as it stands in the section of a statement.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("a table is plain data, which has a JSON form")
    }

    /// Its canonical form: JSON without white space, members in the order of their names.
    pub fn canonical(&self) -> String {
        self.to_value().to_string()
    }

    /// SHA-256 of its canonical form, in hex.
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(self.canonical().as_bytes()))
    }

    /// The day whose prices it says to have.
    pub fn dated(&self) -> Day {
        self.dated
    }

    /// Other names of providers, with the name that they have in the table.
    pub fn aliases(&self) -> &BTreeMap<String, String> {
        &self.aliases
    }

    /// The prices, in order.
    pub fn prices(&self) -> &[Price] {
        &self.prices
    }

    /// Whether it has prices of a provider, by its name in the table.
    pub fn knows_provider(&self, provider: &str) -> bool {
        !self.of_provider(provider).1.is_empty()
    }

    /// The prices of a provider, by its name in the table, and the place of the first.
    pub(super) fn of_provider(&self, provider: &str) -> (usize, &[Price]) {
        let first = self
            .prices
            .partition_point(|price| price.provider.as_str() < provider);
        let rest = self.prices.get(first..).unwrap_or_default();
        let count = rest.partition_point(|price| price.provider == provider);
        (first, rest.get(..count).unwrap_or_default())
    }

    /// The rates of currencies, in order.
    pub fn fx(&self) -> &[Fx] {
        &self.fx
    }

    /// The rate between two currencies on a day: the latest that is not after it.
    pub fn fx_on(&self, from: &str, to: &str, day: Day) -> Option<&Fx> {
        let of_both = self.fx.iter().filter(|fx| fx.from == from && fx.to == to);
        of_both.filter(|fx| fx.day <= day).max_by_key(|fx| fx.day)
    }

    /// The name of a provider in the table.
    pub fn provider(&self, named: &str) -> String {
        let named = named.to_ascii_lowercase();
        self.aliases.get(&named).cloned().unwrap_or(named)
    }
}

impl TryFrom<Stated> for PriceTable {
    type Error = String;

    fn try_from(stated: Stated) -> Result<Self, String> {
        if stated.format != FORMAT {
            return Err(format!("its format is not {FORMAT}"));
        }
        Self::new(stated.dated, stated.aliases, stated.prices, stated.fx).map_err(|faults| {
            let problems: Vec<String> = faults.into_iter().map(|fault| fault.problem).collect();
            problems.join("; ")
        })
    }
}

impl From<PriceTable> for Stated {
    fn from(table: PriceTable) -> Self {
        Self {
            format: FORMAT.to_owned(),
            dated: table.dated,
            aliases: table.aliases,
            prices: table.prices,
            fx: table.fx,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
