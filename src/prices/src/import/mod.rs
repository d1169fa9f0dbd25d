//! Prices from other packages' data. Each is `secondary`: with the package, its version, and the page that it cites.
//!
//! What a table cannot say exactly is left out and reported, never approximated: a price by the hour of the day, by the image,
//! or one that a cost in 10^-12 would have to round.

mod genai;
mod litellm;
mod matching;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use trailkeep_proof::prices::{
    ModelPattern, Price, PriceTable, Rate, Rates, TableFault, Tier, TierBy, Unit, Verified, scaled,
};
use trailkeep_proof::privacy::Day;

pub use genai::genai_prices;
pub use litellm::litellm;

/// Largest file of prices to import, in bytes.
pub const IMPORT_BYTES_MAX: usize = 32 << 20;
/// Models of one price: more become a second one.
const MODELS_MAX: usize = 64;

/// What the caller knows of a file and the file does not say.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The package's version.
    pub package_version: &'a str,
    /// The day on which that version was published.
    pub dated: Day,
    /// The providers to import, as the table or the package names them; none: all.
    pub providers: &'a [String],
}

/// An imported table, and what is not in it.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The table.
    pub table: PriceTable,
    /// What was left out.
    pub left_out: Vec<LeftOut>,
}

/// Something that was not imported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct LeftOut {
    /// The provider.
    pub provider: String,
    /// The model, or what the package calls it.
    pub model: String,
    /// Why.
    pub why: String,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is too large.
    #[error("the file has more than 32 MiB")]
    Large,
    /// It is no JSON of the form that the package has.
    #[error("not a file of {package}: {error}")]
    Form {
        /// The package.
        package: &'static str,
        /// What was found.
        error: serde_json::Error,
    },
    /// It has no price of the providers that were asked for.
    #[error("the file has no price of {0}; leave --provider out to import all")]
    Nothing(String),
    /// The prices do not make a table.
    #[error("the prices of the file do not make a table: {problem}; {remedy}", problem = .0.problem, remedy = .0.remedy)]
    Table(Box<TableFault>),
}

/// The names that OpenTelemetry gives to providers, with the packages' names for them.
const PROVIDERS: &[(&str, &[&str])] = &[
    (
        "aws.bedrock",
        &[
            "aws",
            "bedrock",
            "bedrock_converse",
            "aws_bedrock",
            "amazon_bedrock",
        ],
    ),
    ("azure.ai.inference", &["azure_ai", "az.ai.inference"]),
    (
        "azure.ai.openai",
        &["azure", "azure_openai", "az.ai.openai"],
    ),
    (
        "gcp.gemini",
        &["google", "gemini", "google_genai", "gcp.gen_ai"],
    ),
    ("gcp.vertex_ai", &["vertex_ai", "vertexai"]),
    ("ibm.watsonx.ai", &["watsonx"]),
    ("mistral_ai", &["mistral", "mistralai"]),
    ("moonshot_ai", &["moonshotai", "moonshot"]),
    ("x_ai", &["x-ai", "xai"]),
];

/// A provider's name in a table.
fn provider_name(of_package: &str) -> String {
    let of_package = of_package.to_ascii_lowercase();
    let known = PROVIDERS
        .iter()
        .find(|(_, others)| others.contains(&of_package.as_str()));
    known.map_or(of_package, |(name, _)| (*name).to_owned())
}

/// The other names of the providers that a table has. Vertex AI answers for the models of Gemini where nothing else does.
fn aliases(prices: &[Price]) -> BTreeMap<String, String> {
    let present: BTreeSet<&str> = prices.iter().map(|price| price.provider.as_str()).collect();
    let of_both = |(name, others): &(&'static str, &'static [&'static str])| {
        let name = *name;
        others
            .iter()
            .map(move |other| (*other, name))
            .collect::<Vec<_>>()
    };
    let all = PROVIDERS.iter().flat_map(of_both);
    let vertex = [
        ("gcp.vertex_ai", "gcp.gemini"),
        ("vertex_ai", "gcp.gemini"),
        ("vertexai", "gcp.gemini"),
    ];
    let vertex = vertex
        .into_iter()
        .filter(|_| !present.contains("gcp.vertex_ai"));
    all.filter(|(_, name)| *name != "gcp.vertex_ai" || present.contains("gcp.vertex_ai"))
        .chain(vertex)
        .filter(|(other, name)| present.contains(name) && !present.contains(other))
        .map(|(other, name)| (other.to_owned(), name.to_owned()))
        .collect()
}

/// Whether the caller asked for a provider.
fn is_wanted(source: &Source<'_>, of_package: &str) -> bool {
    let name = provider_name(of_package);
    source.providers.is_empty()
        || source
            .providers
            .iter()
            .any(|wanted| wanted == of_package || provider_name(wanted) == name)
}

/// What is gathered while a file is read.
struct Gathered<'a> {
    source: Source<'a>,
    package: &'static str,
    prices: Vec<Price>,
    left_out: BTreeSet<LeftOut>,
}

impl<'a> Gathered<'a> {
    fn new(source: Source<'a>, package: &'static str) -> Self {
        Self {
            source,
            package,
            prices: Vec::new(),
            left_out: BTreeSet::new(),
        }
    }

    fn leave_out(&mut self, provider: &str, model: &str, why: impl Into<String>) {
        let shown = |text: &str| text.chars().filter(|c| !c.is_control()).take(128).collect();
        self.left_out.insert(LeftOut {
            provider: shown(provider),
            model: shown(model),
            why: why.into(),
        });
    }

    /// A secondary price in dollars.
    fn price(
        &self,
        provider: String,
        model: Vec<ModelPattern>,
        said: Said,
        citation: &str,
    ) -> Price {
        Price {
            provider,
            model,
            region: None,
            service_tier: None,
            from: None,
            until: None,
            currency: "USD".to_owned(),
            unit: Unit::Mtok,
            rates: said.rates,
            tiers: said.tiers,
            citation: Some(citation.to_owned()),
            verified: Verified::Secondary,
            verified_on: None,
            package: Some(self.package.to_owned()),
            package_version: Some(self.source.package_version.to_owned()),
        }
    }

    fn into_table(self) -> Result<Imported, ImportError> {
        if self.prices.is_empty() {
            let asked = self.source.providers.join(", ");
            let asked = if asked.is_empty() {
                "any provider".to_owned()
            } else {
                asked
            };
            return Err(ImportError::Nothing(asked));
        }
        // A price with more models than one may have becomes several.
        let whole = self.prices.iter().flat_map(|price| {
            let parts = price.model.chunks(MODELS_MAX);
            parts.map(|model| Price {
                model: model.to_vec(),
                ..price.clone()
            })
        });
        let prices: Vec<Price> = whole.collect();
        let aliases = aliases(&prices);
        let made = PriceTable::new(self.source.dated, aliases, prices, Vec::new());
        let table =
            made.map_err(|mut faults| ImportError::Table(Box::new(faults.swap_remove(0))))?;
        Ok(Imported {
            table,
            left_out: self.left_out.into_iter().collect(),
        })
    }
}

/// The prices of a model at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    rates: Rates,
    tiers: Vec<Tier>,
}

/// A price of one component, with its tiers: from more than so many tokens on, so much.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tiered {
    base: Rate,
    above: BTreeMap<u64, Rate>,
}

/// Prices component by component, as packages have them, as tiers that are whole: a component without a price in a tier
/// keeps the one from below.
fn said(components: &BTreeMap<&'static str, Tiered>) -> Said {
    let rates = |at: Option<u64>| {
        let mut rates = Rates::default();
        for (component, tiered) in components {
            let reached = tiered
                .above
                .iter()
                .rev()
                .find(|(above, _)| Some(**above) <= at);
            let rate = reached.map_or(tiered.base, |(_, rate)| *rate);
            set(&mut rates, component, rate);
        }
        rates
    };
    let starts: BTreeSet<u64> = components
        .values()
        .flat_map(|tiered| tiered.above.keys().copied())
        .collect();
    Said {
        rates: rates(None),
        tiers: starts
            .into_iter()
            .map(|above| Tier {
                above,
                by: TierBy::Prompt,
                rates: rates(Some(above)),
            })
            .collect(),
    }
}

fn set(rates: &mut Rates, component: &str, rate: Rate) {
    let place = match component {
        "input" => &mut rates.input,
        "cached_input" => &mut rates.cached_input,
        "cache_write_5m" => &mut rates.cache_write_5m,
        "cache_write_1h" => &mut rates.cache_write_1h,
        "output" => &mut rates.output,
        "reasoning" => &mut rates.reasoning,
        "audio_input" => &mut rates.audio_input,
        "audio_cached_input" => &mut rates.audio_cached_input,
        "audio_output" => &mut rates.audio_output,
        _ => return,
    };
    *place = Some(rate);
}

/// Why an entry is left out whose price is not for tokens.
fn of_something_else(price: &str) -> String {
    format!("it has a price `{price}` that is not for text or audio tokens")
}

/// A number as it is written, or a decimal in a text; times 10^`places` it is a whole price of a token in 10^-12.
fn rate(raw: &RawValue, places: usize) -> Result<Rate, String> {
    let text = raw.get().trim_matches('"');
    let per_token = scaled(text, places).map_err(|error| format!("a price {error}"))?;
    Rate::of_trillionths(per_token).map_err(|error| format!("a price {error}"))
}

/// The members of an object in their order, with names that occur twice.
#[derive(Debug)]
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Names that occur more than once.
    fn twice(&self) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let names = self.0.iter().map(|(name, _)| name);
        names
            .filter(|name| !seen.insert(name.as_str()))
            .cloned()
            .collect()
    }

    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, raw)| *raw)
    }

    /// A member that is a text.
    fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        reader.deserialize_map(InOrder).map(Self)
    }
}

/// A page that a package cites, where it is an address.
fn cited(url: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
    let is_page =
        url.starts_with("https://") && (9..=500).contains(&url.len()) && url.bytes().all(is_plain);
    is_page.then(|| url.to_owned())
}

#[cfg(test)]
mod tests;
