//! The data of LiteLLM (https://github.com/BerriAI/litellm): `model_prices_and_context_window.json`, with prices for one token.

use std::collections::{BTreeMap, BTreeSet};

use trailkeep_proof::prices::ModelPattern;

use super::{
    Gathered, IMPORT_BYTES_MAX, ImportError, Imported, Members, Source, Tiered, cited, is_wanted,
    of_something_else, provider_name, rate, said,
};

const PACKAGE: &str = "litellm";
/// Places by which the price of one token is a whole number of 10^-12.
const PER_TOKEN: usize = 12;
/// Kinds of models whose calls are priced by their tokens.
const MODES: &[&str] = &["chat", "completion", "responses", "embedding", "realtime"];
const SERVICE_TIERS: &[(&str, &str)] = &[
    ("_batches", "batch"),
    ("_priority", "priority"),
    ("_flex", "flex"),
    ("_balanced", "balanced"),
    ("_ultrafast", "ultrafast"),
];
/// Fees beside the tokens, which no table has.
const FEES: &[&str] = &[
    "search_context_cost_per_query",
    "google_maps_grounding_cost_per_query",
    "file_search_cost_per_1k_calls",
    "file_search_cost_per_gb_per_day",
    "vector_store_cost_per_gb_per_day",
    "code_interpreter_cost_per_session",
    "computer_use_input_cost_per_1k_tokens",
    "computer_use_output_cost_per_1k_tokens",
];

/// Imports the data of LiteLLM.
pub fn litellm(text: &str, source: Source<'_>) -> Result<Imported, ImportError> {
    if text.len() > IMPORT_BYTES_MAX {
        return Err(ImportError::Large);
    }
    let form = |error| ImportError::Form {
        package: PACKAGE,
        error,
    };
    let models: Members<'_> = serde_json::from_str(text).map_err(form)?;
    let twice = models.twice();
    let mut gathered = Gathered::new(source, PACKAGE);
    let mut taken = BTreeSet::new();
    for (name, raw) in &models.0 {
        if name == "sample_spec" {
            continue;
        }
        let model: Members<'_> = match serde_json::from_str(raw.get()) {
            Ok(model) => model,
            Err(error) => {
                gathered.leave_out("", name, format!("it has another form: {error}"));
                continue;
            }
        };
        let provider = model.text("litellm_provider").unwrap_or_default();
        if !is_wanted(&source, &provider) {
            continue;
        }
        let imported = if twice.contains(name) {
            Err("the file has it twice".to_owned())
        } else {
            import_model(&mut gathered, name, &provider, &model, &mut taken)
        };
        if let Err(why) = imported {
            gathered.leave_out(&provider, name, why);
        }
    }
    gathered.into_table()
}

fn import_model(
    gathered: &mut Gathered<'_>,
    name: &str,
    provider: &str,
    model: &Members<'_>,
    taken: &mut BTreeSet<(String, Option<String>, ModelPattern)>,
) -> Result<(), String> {
    if provider.is_empty() {
        return Err("it names no provider".to_owned());
    }
    let mode = model.text("mode").unwrap_or_default();
    if !MODES.contains(&mode.as_str()) {
        return Err("its calls are not priced by tokens".to_owned());
    }
    let citation = model.text("source").as_deref().and_then(cited);
    let citation = citation.ok_or("the package cites no page for it")?;
    let (region, plain) = region_and_name(name, provider);
    let pattern = ModelPattern::new(&plain.to_ascii_lowercase());
    let pattern = pattern
        .filter(ModelPattern::is_exact)
        .ok_or("its name is not one of a model")?;
    let by_tier = by_service_tier(model)?;
    let provider = provider_name(provider);
    if !taken.insert((provider.clone(), region.clone(), pattern.clone())) {
        return Err("another entry has the same provider and model".to_owned());
    }
    for (service_tier, components) in by_tier {
        let mut price = gathered.price(
            provider.clone(),
            vec![pattern.clone()],
            said(&components),
            &citation,
        );
        price.region.clone_from(&region);
        price.service_tier = service_tier;
        gathered.prices.push(price);
    }
    Ok(())
}

/// The region that stands before a model's name at Bedrock and Azure, and the name without its provider.
fn region_and_name<'a>(name: &'a str, provider: &str) -> (Option<String>, &'a str) {
    let before = name.split_once('/');
    let of_provider =
        |prefix: &str| prefix == provider || provider_name(prefix) == provider_name(provider);
    let Some((_, rest)) = before.filter(|(prefix, _)| of_provider(prefix)) else {
        return (None, name);
    };
    match rest.split_once('/') {
        Some((region, model)) if is_region(region) && !model.contains('/') => {
            (Some(region.to_owned()), model)
        }
        _ => (None, rest),
    }
}

/// `eu`, `us`, `global`, `us-east-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_word = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase());
    match parts.as_slice() {
        [one] => ["eu", "us", "global"].contains(one),
        [land, middle @ .., number] => {
            land.len() == 2
                && is_word(land)
                && middle.iter().all(|part| is_word(part))
                && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        [] => false,
    }
}

type Components = BTreeMap<&'static str, Tiered>;

/// Prices by service tier, none first.
fn by_service_tier(model: &Members<'_>) -> Result<Vec<(Option<String>, Components)>, String> {
    let mut found: BTreeMap<Option<&str>, BTreeMap<&'static str, BTreeMap<u64, _>>> =
        BTreeMap::new();
    for (key, raw) in &model.0 {
        let is_price = key.contains("cost") || key == "tiered_pricing";
        if !is_price || raw.get() == "null" || FEES.contains(&key.as_str()) {
            continue;
        }
        let Some(Priced {
            component,
            above,
            tier,
        }) = Priced::of(key)
        else {
            return Err(of_something_else(key));
        };
        let of_tier = found.entry(tier).or_default().entry(component).or_default();
        of_tier.insert(above, rate(raw, PER_TOKEN)?);
    }
    let standard = found.remove(&None).ok_or("it has no price of tokens")?;
    let standard = tiered(standard, None)?;
    let mut all = vec![(None, standard.clone())];
    for (tier, components) in found {
        all.push((
            tier.map(str::to_owned),
            tiered(components, Some(&standard))?,
        ));
    }
    Ok(all)
}

/// Components with their tiers; what a service tier does not name is as in the standard one.
fn tiered(
    components: BTreeMap<&'static str, BTreeMap<u64, trailkeep_proof::prices::Rate>>,
    standard: Option<&Components>,
) -> Result<Components, String> {
    let mut made = Components::new();
    for (component, mut above) in components {
        let base = above
            .remove(&0)
            .ok_or("it has a price of long prompts alone")?;
        let of_standard = standard.and_then(|standard| standard.get(component));
        if above.is_empty() && of_standard.is_some_and(|standard| !standard.above.is_empty()) {
            return Err("a service tier of it has no price of long prompts".to_owned());
        }
        made.insert(component, Tiered { base, above });
    }
    for (component, tiered) in standard.into_iter().flatten() {
        made.entry(component).or_insert_with(|| tiered.clone());
    }
    Ok(made)
}

/// What the name of a price says.
#[derive(Debug, PartialEq, Eq)]
struct Priced<'a> {
    component: &'static str,
    /// 0 for prices of all prompts.
    above: u64,
    tier: Option<&'a str>,
}

impl Priced<'_> {
    fn of(key: &str) -> Option<Self> {
        let tier = SERVICE_TIERS
            .iter()
            .find(|(suffix, _)| key.ends_with(suffix));
        let (key, tier) = match tier {
            Some((suffix, tier)) => (key.strip_suffix(suffix)?, Some(*tier)),
            None => (key, None),
        };
        let (key, above) = match key
            .strip_suffix("k_tokens")
            .and_then(|key| key.rsplit_once("_above_"))
        {
            Some((key, thousands)) => (key, thousands.parse::<u64>().ok()?.checked_mul(1_000)?),
            None => (key, 0),
        };
        let component = match key {
            "input_cost_per_token" => "input",
            "cache_read_input_token_cost" => "cached_input",
            "cache_creation_input_token_cost" => "cache_write_5m",
            "cache_creation_input_token_cost_above_1hr" => "cache_write_1h",
            "output_cost_per_token" => "output",
            "output_cost_per_reasoning_token" => "reasoning",
            "input_cost_per_audio_token" => "audio_input",
            "cache_read_input_audio_token_cost" => "audio_cached_input",
            "output_cost_per_audio_token" => "audio_output",
            _ => return None,
        };
        Some(Self {
            component,
            above,
            tier,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_price_says_what_it_is_for() {
        let of = |key| Priced::of(key).map(|priced| (priced.component, priced.above, priced.tier));
        for (key, said) in [
            ("input_cost_per_token", ("input", 0, None)),
            ("input_cost_per_token_batches", ("input", 0, Some("batch"))),
            (
                "output_cost_per_token_above_200k_tokens_priority",
                ("output", 200_000, Some("priority")),
            ),
            (
                "cache_creation_input_token_cost_above_1hr_above_200k_tokens",
                ("cache_write_1h", 200_000, None),
            ),
            (
                "cache_creation_input_token_cost_above_1hr",
                ("cache_write_1h", 0, None),
            ),
        ] {
            assert_eq!(of(key), Some(said), "{key}");
        }
        for other in [
            "input_cost_per_image",
            "input_cost_per_request",
            "input_cost_per_token_above_xk_tokens",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn a_region_before_the_name_is_the_regions() {
        let of = |name, provider| region_and_name(name, provider);
        let region = |text: &str| Some(text.to_owned());
        assert_eq!(of("azure/eu/gpt-4o", "azure"), (region("eu"), "gpt-4o"));
        assert_eq!(
            of("bedrock/us-east-1/m.v1", "bedrock"),
            (region("us-east-1"), "m.v1")
        );
        assert_eq!(of("azure/gpt-4o", "azure"), (None, "gpt-4o"));
        assert_eq!(of("gpt-4o", "openai"), (None, "gpt-4o"));
        assert_eq!(of("gemini/gemini-x", "gemini"), (None, "gemini-x"));
        let commitment = "bedrock/us-east-1/1-month-commitment/m";
        assert_eq!(
            of(commitment, "bedrock"),
            (None, "us-east-1/1-month-commitment/m")
        );
        assert_eq!(of("meta/llama", "replicate"), (None, "meta/llama"));
    }
}
