//! The data of genai-prices (https://github.com/pydantic/genai-prices): `prices/data.json` or its newer forms.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;
use trailkeep_proof::prices::{ModelPattern, Price};
use trailkeep_proof::privacy::Day;

use super::matching::Clause;
use super::{
    Gathered, IMPORT_BYTES_MAX, ImportError, Imported, Members, Source, Tiered, cited, is_wanted,
    of_something_else, provider_name, rate, said,
};

const PACKAGE: &str = "genai-prices";
/// Places by which the price of a million tokens is a whole price of one in 10^-12.
const PER_MILLION: usize = 6;

#[derive(Deserialize)]
struct Provider<'a> {
    id: String,
    #[serde(default)]
    pricing_urls: Option<Vec<String>>,
    #[serde(borrow)]
    models: Vec<Model<'a>>,
}

#[derive(Deserialize)]
struct Model<'a> {
    id: String,
    #[serde(rename = "match")]
    clause: Clause,
    #[serde(borrow)]
    prices: &'a RawValue,
    #[serde(borrow, default)]
    price_variants: Option<Vec<Variant<'a>>>,
}

/// Prices under a condition of time.
#[derive(Deserialize)]
struct Conditional<'a> {
    #[serde(default)]
    constraint: Option<Constraint>,
    #[serde(borrow)]
    prices: Members<'a>,
}

/// Other prices of some components, for calls of some kind.
#[derive(Deserialize)]
struct Variant<'a> {
    when: BTreeMap<String, String>,
    #[serde(default)]
    constraint: Option<Constraint>,
    #[serde(borrow)]
    prices: Members<'a>,
}

#[derive(Clone, Deserialize)]
struct Constraint {
    start_date: Option<Day>,
    start_time: Option<String>,
}

impl Constraint {
    /// From which day it holds; an error where that is not all.
    fn day(constraint: Option<&Self>) -> Result<Option<Day>, String> {
        match constraint {
            None => Ok(None),
            Some(Self {
                start_date: Some(day),
                start_time: None,
            }) => Ok(Some(*day)),
            Some(_) => Err("its price depends on the time of the day".to_owned()),
        }
    }
}

#[derive(Deserialize)]
struct TieredPrice<'a> {
    #[serde(borrow)]
    base: &'a RawValue,
    #[serde(borrow)]
    tiers: Vec<Start<'a>>,
}

#[derive(Deserialize)]
struct Start<'a> {
    start: u64,
    #[serde(borrow)]
    price: &'a RawValue,
}

type Components = BTreeMap<&'static str, Tiered>;

/// Imports the data of genai-prices.
pub fn genai_prices(text: &str, source: Source<'_>) -> Result<Imported, ImportError> {
    if text.len() > IMPORT_BYTES_MAX {
        return Err(ImportError::Large);
    }
    let form = |error| ImportError::Form {
        package: PACKAGE,
        error,
    };
    let providers: Vec<Provider<'_>> = serde_json::from_str(text).map_err(form)?;
    let mut gathered = Gathered::new(source, PACKAGE);
    for provider in &providers {
        if is_wanted(&source, &provider.id) {
            import_provider(&mut gathered, provider);
        }
    }
    gathered.into_table()
}

fn import_provider(gathered: &mut Gathered<'_>, provider: &Provider<'_>) {
    let mut urls = provider.pricing_urls.iter().flatten();
    let Some(citation) = urls.find_map(|url| cited(url)) else {
        gathered.leave_out(&provider.id, "*", "the package cites no page for it");
        return;
    };
    // Of each model the place of its prices among those that are gathered.
    let mut places: Vec<Option<usize>> = Vec::new();
    let mut taken = BTreeSet::new();
    let first = gathered.prices.len();
    for model in &provider.models {
        let patterns = patterns_of(gathered, provider, model, &mut taken);
        places.push(None);
        if patterns.is_empty() {
            continue;
        }
        match periods(model) {
            Ok(periods) => {
                if let Some(place) = places.last_mut() {
                    *place = Some(gathered.prices.len());
                }
                for period in periods {
                    let name = provider_name(&provider.id);
                    let priced = said(&period.components);
                    let mut price = gathered.price(name, patterns.clone(), priced, &citation);
                    price.from = period.from;
                    price.until = period.until;
                    price.service_tier = period.service_tier;
                    gathered.prices.push(price);
                }
            }
            Err(why) => gathered.leave_out(&provider.id, &model.id, why),
        }
    }
    settle_names(gathered, provider, &places, first);
}

/// The patterns of a model that no model before it has.
fn patterns_of(
    gathered: &mut Gathered<'_>,
    provider: &Provider<'_>,
    model: &Model<'_>,
    taken: &mut BTreeSet<ModelPattern>,
) -> Vec<ModelPattern> {
    let found = model.clause.patterns();
    let mut patterns = found.patterns;
    if !found.is_whole {
        let why = "some of its names can't be said by a pattern; its own name is priced";
        gathered.leave_out(&provider.id, &model.id, why);
        let own = ModelPattern::new(&model.id.to_ascii_lowercase());
        let is_new = own
            .as_ref()
            .is_some_and(|own| own.is_exact() && !patterns.contains(own));
        patterns.extend(own.filter(|_| is_new));
    }
    // The package asks its models in their order, so the first one keeps a name.
    patterns.retain(|pattern| taken.insert(pattern.clone()));
    patterns
}

/// The package takes the first model that fits a name, a table the closest pattern. Where they differ for a name that the
/// package has, the name itself is given to the package's model.
fn settle_names(
    gathered: &mut Gathered<'_>,
    provider: &Provider<'_>,
    places: &[Option<usize>],
    first: usize,
) {
    let mut names = BTreeSet::new();
    for model in &provider.models {
        names.insert(model.id.to_ascii_lowercase());
        names.extend(model.clause.names());
    }
    let own: Vec<Price> = gathered.prices.iter().skip(first).cloned().collect();
    let mut moved: Vec<(usize, usize, ModelPattern)> = Vec::new();
    let mut unpriced = Vec::new();
    for name in names {
        let fits = |model: &&Model<'_>| model.clause.fits(&name) == Some(true);
        let Some(at) = provider.models.iter().position(|model| fits(&model)) else {
            continue;
        };
        let Some(exact) = ModelPattern::new(&name).filter(ModelPattern::is_exact) else {
            continue;
        };
        let end = places.iter().skip(at + 1).flatten().next().copied();
        let end = end.unwrap_or(first + own.len());
        let begin = places.get(at).copied().flatten();
        let closest = closest(&own, &name).map(|found| found + first);
        match (begin, closest) {
            (Some(begin), Some(found)) if !(begin..end).contains(&found) => {
                moved.push((begin, end, exact));
            }
            // The package has no price that a table could have. A wider pattern of another model must not give it one.
            (None, Some(_)) => unpriced.push(name),
            _ => {}
        }
    }
    for (begin, end, exact) in moved {
        for (place, price) in gathered.prices.iter_mut().enumerate().skip(first) {
            price.model.retain(|model| *model != exact);
            if (begin..end).contains(&place) {
                price.model.push(exact.clone());
            }
        }
    }
    for name in unpriced {
        for price in gathered.prices.iter_mut().skip(first) {
            price.model.retain(|model| !model.matches(&name));
        }
        let why = "it is left out, and so are the patterns of other models that fit its name";
        gathered.leave_out(&provider.id, &name, why);
    }
    gathered.prices.retain(|price| !price.model.is_empty());
}

/// Which of some prices a table would take for a name, whatever the day.
fn closest(prices: &[Price], name: &str) -> Option<usize> {
    let fitting = prices.iter().enumerate().filter_map(|(place, price)| {
        let models = price.model.iter().filter(|model| model.matches(name));
        Some((
            models.map(ModelPattern::closeness).max()?,
            std::cmp::Reverse(place),
        ))
    });
    fitting.max().map(|(_, place)| place.0)
}

/// Prices from a day to another, for one service tier.
struct Period {
    from: Option<Day>,
    until: Option<Day>,
    service_tier: Option<String>,
    components: Components,
}

fn periods(model: &Model<'_>) -> Result<Vec<Period>, String> {
    let standard = standard(model.prices)?;
    let mut periods = Vec::new();
    let ends = |place: usize| standard.get(place + 1).and_then(|(from, _)| *from);
    for (place, (from, components)) in standard.iter().enumerate() {
        periods.push(Period {
            from: *from,
            until: ends(place),
            service_tier: None,
            components: components.clone(),
        });
    }
    let variants = model.price_variants.as_deref().unwrap_or_default();
    let mut by_tier: BTreeMap<String, Vec<(Option<Day>, Components)>> = BTreeMap::new();
    for variant in variants {
        let Some(tier) = service_tier(&variant.when)? else {
            continue;
        };
        let from = Constraint::day(variant.constraint.as_ref())?;
        if variant.prices.0.is_empty() {
            continue;
        }
        let components = components(&variant.prices)?;
        by_tier.entry(tier).or_default().push((from, components));
    }
    for (tier, variants) in by_tier {
        let mut days: BTreeSet<Option<Day>> = standard.iter().map(|(from, _)| *from).collect();
        days.extend(variants.iter().map(|(from, _)| *from));
        let days: Vec<Option<Day>> = days.into_iter().collect();
        for (place, day) in days.iter().enumerate() {
            let active = variants.iter().filter(|(from, _)| from <= day);
            let mut of_tier = Components::new();
            for (_, components) in active {
                for (component, price) in components {
                    of_tier.entry(component).or_insert_with(|| price.clone());
                }
            }
            // The package has no price of the tier for these days.
            if of_tier.is_empty() {
                continue;
            }
            let base = standard.iter().rev().find(|(from, _)| from <= day);
            for (component, price) in base.iter().flat_map(|(_, components)| components) {
                of_tier.entry(component).or_insert_with(|| price.clone());
            }
            periods.push(Period {
                from: *day,
                until: days.get(place + 1).copied().flatten(),
                service_tier: Some(tier.clone()),
                components: of_tier,
            });
        }
    }
    Ok(periods)
}

/// The standard prices by the day from which they hold.
fn standard(raw: &RawValue) -> Result<Vec<(Option<Day>, Components)>, String> {
    let other_form = |error: serde_json::Error| format!("its prices have another form: {error}");
    if raw.get().starts_with('{') {
        let prices: Members<'_> = serde_json::from_str(raw.get()).map_err(other_form)?;
        return Ok(vec![(None, components(&prices)?)]);
    }
    let conditional: Vec<Conditional<'_>> = serde_json::from_str(raw.get()).map_err(other_form)?;
    let mut standard: Vec<(Option<Day>, Components)> = Vec::new();
    for one in &conditional {
        let day = Constraint::day(one.constraint.as_ref())?;
        // The package takes the last one that holds, and the first where none does.
        let follows = standard.last().is_none_or(|(before, _)| *before < day);
        if !follows || standard.is_empty() && day.is_some() {
            return Err("its prices are not in the order of their days".to_owned());
        }
        standard.push((day, components(&one.prices)?));
    }
    if standard.is_empty() {
        return Err("it has no price".to_owned());
    }
    Ok(standard)
}

/// The service tier that a variant is for; none for the standard one.
fn service_tier(when: &BTreeMap<String, String>) -> Result<Option<String>, String> {
    let pairs: Vec<(&str, &str)> = when
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    match pairs.as_slice() {
        [("service_tier", "default" | "standard")] => Ok(None),
        [("service_tier" | "processing" | "speed", tier)] => Ok(Some(tier.to_ascii_lowercase())),
        _ => Err("a variant of its price has a condition that is not known".to_owned()),
    }
}

/// The prices of tokens. A price by anything else that every call has makes the model's cost something else than its tokens.
fn components(prices: &Members<'_>) -> Result<Components, String> {
    if let Some(twice) = prices.twice().into_iter().next() {
        return Err(format!("`{twice}` occurs twice"));
    }
    let mut components = Components::new();
    for (key, raw) in prices.0.iter().filter(|(_, raw)| raw.get() != "null") {
        let component = match key.as_str() {
            "input_mtok" => "input",
            "cache_read_mtok" => "cached_input",
            "cache_write_mtok" | "cache_write_5m_mtok" => "cache_write_5m",
            "cache_write_1h_mtok" => "cache_write_1h",
            "output_mtok" => "output",
            "output_reasoning_mtok" => "reasoning",
            "input_audio_mtok" => "audio_input",
            "cache_audio_read_mtok" => "audio_cached_input",
            "output_audio_mtok" => "audio_output",
            // What a search costs is a fee beside the tokens, which no table has.
            "web_searches_kcount" | "storage_searches_kcount" => continue,
            other => {
                return Err(of_something_else(other));
            }
        };
        if components.insert(component, tiered(raw)?).is_some() {
            return Err(format!("it has two prices of `{component}`"));
        }
    }
    if components.is_empty() {
        return Err("it has no price of tokens".to_owned());
    }
    Ok(components)
}

fn tiered(raw: &RawValue) -> Result<Tiered, String> {
    if !raw.get().starts_with('{') {
        return Ok(Tiered {
            base: rate(raw, PER_MILLION)?,
            above: BTreeMap::new(),
        });
    }
    let tiered: TieredPrice<'_> = serde_json::from_str(raw.get())
        .map_err(|error| format!("a tier has another form: {error}"))?;
    let mut above = BTreeMap::new();
    for tier in tiered.tiers {
        above.insert(tier.start, rate(tier.price, PER_MILLION)?);
    }
    Ok(Tiered {
        base: rate(tiered.base, PER_MILLION)?,
        above,
    })
}
