//! The cost of a call.

use std::fmt;

use super::amount::{Amount, Rate};
use super::table::{Price, PriceTable, Rates, Tier};
use crate::privacy::Day;

/// What tokens are, as prices tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the price of its name")]
pub enum Component {
    Input,
    CachedInput,
    CacheWrite5m,
    CacheWrite1h,
    Output,
    Reasoning,
    AudioInput,
    AudioCachedInput,
    AudioOutput,
}

impl Component {
    /// Each, in the order in which files write them.
    pub const ALL: [Self; 9] = [
        Self::Input,
        Self::CachedInput,
        Self::CacheWrite5m,
        Self::CacheWrite1h,
        Self::Output,
        Self::Reasoning,
        Self::AudioInput,
        Self::AudioCachedInput,
        Self::AudioOutput,
    ];

    /// Its key in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CachedInput => "cached_input",
            Self::CacheWrite5m => "cache_write_5m",
            Self::CacheWrite1h => "cache_write_1h",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::AudioInput => "audio_input",
            Self::AudioCachedInput => "audio_cached_input",
            Self::AudioOutput => "audio_output",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What the reported input tokens count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// All of the prompt, with what was read from or written to a cache: OpenTelemetry, OpenAI, Google.
    Inclusive,
    /// What was neither read from nor written to a cache: Anthropic's own API.
    Exclusive,
    /// Nobody knows. Calls that use a cache are not priced.
    Unknown,
}

/// Tokens of a call as they were reported; absent: not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input, as [`Basis`] says.
    pub input: Option<u64>,
    /// Of the prompt: read from a cache.
    pub cached_input: Option<u64>,
    /// Of the prompt: written to a cache, for whatever time.
    pub cache_write: Option<u64>,
    /// Of what was written to a cache: for an hour.
    pub cache_write_1h: Option<u64>,
    /// Output, with reasoning and audio.
    pub output: Option<u64>,
    /// Of the output: reasoning.
    pub reasoning: Option<u64>,
    /// Of the prompt: audio, with what of it was read from a cache.
    pub audio_input: Option<u64>,
    /// Of what was read from a cache: audio.
    pub audio_cached_input: Option<u64>,
    /// Of the output: audio.
    pub audio_output: Option<u64>,
}

/// A call to be priced.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Who served it.
    pub provider: &'a str,
    /// The model.
    pub model: &'a str,
    /// The day whose price holds, by UTC.
    pub day: Day,
    /// The service tier that the provider says to have used.
    pub service_tier: Option<&'a str>,
    /// Where it was served.
    pub region: Option<&'a str>,
    /// Its tokens.
    pub usage: Usage,
    /// What its input tokens count.
    pub basis: Basis,
}

/// What a call cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced<'a> {
    /// The amount, exactly.
    pub amount: Amount,
    /// The price that was used.
    pub price: &'a Price,
    /// Its place in the table, from 0.
    pub place: usize,
    /// `above` of its tier that was used; none: the prices of short prompts.
    pub above: Option<u64>,
}

/// Why a call has no cost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unpriced {
    /// The table has no price of the provider.
    #[error("the price table has no provider of this name")]
    Provider,
    /// It has no price of the model.
    #[error("the price table has no model of this name")]
    Model,
    /// It has prices of the model, and none of the service tier.
    #[error("the price table has no price for this service tier of the model")]
    ServiceTier,
    /// It has prices of the model, and none of the region.
    #[error("the price table has no price for this region of the model")]
    Region,
    /// It has prices of the model, and none of the day.
    #[error("the price table has no price of the model on this day")]
    Day,
    /// Tokens that the price needs were not reported.
    #[error("`{0}` was not reported")]
    NotReported(&'static str),
    /// Parts are more than their whole.
    #[error("`{part}` is more than `{whole}`, of which it is a part")]
    Inconsistent {
        /// The part.
        part: &'static str,
        /// The whole.
        whole: &'static str,
    },
    /// The call used a cache, and it is not known whether the input tokens include that.
    #[error("it is not known whether the input tokens include the cached ones")]
    Basis,
    /// There is no price for some of its tokens.
    #[error("the model has no price for `{0}`")]
    Component(Component),
    /// The numbers are too large.
    #[error("the tokens are too many to be priced")]
    TooMany,
}

impl Unpriced {
    /// A word for it, for counting.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Provider => "unknown-provider",
            Self::Model => "unknown-model",
            Self::ServiceTier => "unknown-service-tier",
            Self::Region => "unknown-region",
            Self::Day => "no-price-on-day",
            Self::NotReported(_) => "not-reported",
            Self::Inconsistent { .. } => "inconsistent-usage",
            Self::Basis => "unknown-basis",
            Self::Component(_) => "no-price-for-tokens",
            Self::TooMany => "too-many-tokens",
        }
    }
}

/// The cost of a call by a table.
pub fn price<'a>(table: &'a PriceTable, call: &Call<'_>) -> Result<Priced<'a>, Unpriced> {
    let (place, price) = find(table, call)?;
    let (amount, above) = cost_by(price, &call.usage, call.basis)?;
    Ok(Priced {
        amount,
        price,
        place,
        above,
    })
}

/// The cost of tokens by one price, and `above` of its tier that was used.
pub fn cost_by(
    price: &Price,
    usage: &Usage,
    basis: Basis,
) -> Result<(Amount, Option<u64>), Unpriced> {
    let prompt = Prompt::of(usage, basis, price)?;
    let tier = price
        .tiers
        .iter()
        .rev()
        .find(|tier| prompt.all > tier.above);
    let rates = tier.map_or(&price.rates, |tier| &tier.rates);
    let output = Output::of(usage, rates)?;
    let parts = [
        (Component::Input, prompt.plain),
        (Component::CachedInput, prompt.cached),
        (Component::CacheWrite5m, prompt.written),
        (Component::CacheWrite1h, prompt.written_1h),
        (Component::AudioInput, prompt.audio),
        (Component::AudioCachedInput, prompt.audio_cached),
        (Component::Output, output.plain),
        (Component::Reasoning, output.reasoning),
        (Component::AudioOutput, output.audio),
    ];
    let mut amount = Amount::default();
    for (component, tokens) in parts.into_iter().filter(|(_, tokens)| *tokens > 0) {
        let rate = rates.of(component).ok_or(Unpriced::Component(component))?;
        amount = amount.plus(tokens, rate).ok_or(Unpriced::TooMany)?;
    }
    Ok((amount, tier.map(|tier: &Tier| tier.above)))
}

/// The pattern of a table that describes a model of a provider most closely.
pub fn closest_pattern<'a>(
    table: &'a PriceTable,
    provider: &str,
    model: &str,
) -> Option<&'a super::ModelPattern> {
    let (_, prices) = table.of_provider(&table.provider(provider));
    let patterns = prices.iter().flat_map(|price| &price.model);
    patterns
        .filter(|pattern| pattern.matches(model))
        .max_by_key(|pattern| pattern.closeness())
}

/// Words of providers for the tier that has no name in a table.
pub(super) fn is_standard(service_tier: &str) -> bool {
    ["default", "standard"].contains(&service_tier)
}

/// The price of a call: of the patterns that fit the model the closest one decides, then service tier, region and day.
pub fn find<'a>(table: &'a PriceTable, call: &Call<'_>) -> Result<(usize, &'a Price), Unpriced> {
    let (first, of_provider) = table.of_provider(&table.provider(call.provider));
    if of_provider.is_empty() {
        return Err(Unpriced::Provider);
    }
    let closeness = |price: &Price| {
        let fitting = price.model.iter().filter(|model| model.matches(call.model));
        fitting.map(super::ModelPattern::closeness).max()
    };
    let of_provider = of_provider.iter().enumerate();
    let fitting =
        of_provider.filter_map(|(at, price)| Some((closeness(price)?, first + at, price)));
    let fitting: Vec<_> = fitting.collect();
    let closest = fitting.iter().map(|(closeness, ..)| *closeness).max();
    let closest = closest.ok_or(Unpriced::Model)?;
    let of_model = fitting.into_iter().filter(|(found, ..)| *found == closest);
    let tier = call.service_tier.filter(|tier| !is_standard(tier));
    let of_tier: Vec<_> = of_model
        .filter(|(_, _, price)| price.service_tier.as_deref() == tier)
        .collect();
    if of_tier.is_empty() {
        return Err(Unpriced::ServiceTier);
    }
    let names = |price: &Price| {
        price
            .region
            .as_deref()
            .is_some_and(|at| call.region == Some(at))
    };
    let is_named = of_tier.iter().any(|(_, _, price)| names(price));
    let of_region: Vec<_> = of_tier
        .into_iter()
        .filter(|(_, _, price)| {
            if is_named {
                names(price)
            } else {
                price.region.is_none()
            }
        })
        .collect();
    if of_region.is_empty() {
        return Err(Unpriced::Region);
    }
    let of_day = of_region
        .into_iter()
        .find(|(_, _, price)| price.holds_on(call.day));
    let (_, place, price) = of_day.ok_or(Unpriced::Day)?;
    Ok((place, price))
}

/// The tokens of a prompt, each in one place.
struct Prompt {
    all: u64,
    plain: u64,
    cached: u64,
    written: u64,
    written_1h: u64,
    audio: u64,
    audio_cached: u64,
}

impl Prompt {
    fn of(usage: &Usage, basis: Basis, price: &Price) -> Result<Self, Unpriced> {
        let cached = usage.cached_input.unwrap_or(0);
        let written_1h = usage.cache_write_1h.unwrap_or(0);
        let written_all = usage.cache_write.unwrap_or(written_1h);
        let written = less(
            (written_all, "cache_write_input_tokens"),
            (written_1h, "cache_write_1h_input_tokens"),
        )?;
        let cache = cached.checked_add(written_all).ok_or(Unpriced::TooMany)?;
        // What is free needs no count.
        let is_free = price.rates.input == Some(Rate::FREE) && price.tiers.is_empty();
        let input = match usage.input {
            None if is_free && cache == 0 && usage.audio_input.unwrap_or(0) == 0 => 0,
            input => input.ok_or(Unpriced::NotReported("input_tokens"))?,
        };
        let (all, uncached) = match basis {
            Basis::Unknown if cache > 0 => return Err(Unpriced::Basis),
            Basis::Inclusive | Basis::Unknown => {
                let rest = less(
                    (input, "input_tokens"),
                    (cache, "cached and cache write tokens"),
                )?;
                (input, rest)
            }
            Basis::Exclusive => (input.checked_add(cache).ok_or(Unpriced::TooMany)?, input),
        };
        let audio_all = usage.audio_input.unwrap_or(0);
        let audio_cached = match usage.audio_cached_input {
            None if audio_all > 0 && cached > 0 => {
                return Err(Unpriced::NotReported("audio_cached_input_tokens"));
            }
            audio_cached => audio_cached.unwrap_or(0),
        };
        let audio_cached_part = (audio_cached, "audio_cached_input_tokens");
        let audio = less((audio_all, "audio_input_tokens"), audio_cached_part)?;
        Ok(Self {
            all,
            plain: less((uncached, "input_tokens"), (audio, "audio_input_tokens"))?,
            cached: less((cached, "cached_input_tokens"), audio_cached_part)?,
            written,
            written_1h,
            audio,
            audio_cached,
        })
    }
}

/// The tokens of an output, each in one place.
struct Output {
    plain: u64,
    reasoning: u64,
    audio: u64,
}

impl Output {
    fn of(usage: &Usage, rates: &Rates) -> Result<Self, Unpriced> {
        let audio = usage.audio_output.unwrap_or(0);
        let reasoning = usage.reasoning.unwrap_or(0);
        let needs_none = rates.output.is_none_or(|rate| rate == Rate::FREE);
        let all = match usage.output {
            None if needs_none && audio == 0 && reasoning == 0 => 0,
            output => output.ok_or(Unpriced::NotReported("output_tokens"))?,
        };
        let text = less((all, "output_tokens"), (audio, "audio_output_tokens"))?;
        let plain = less((text, "output_tokens"), (reasoning, "reasoning_tokens"))?;
        // Reasoning is output, and costs what output costs where nothing else is said.
        let (plain, reasoning) = match rates.reasoning {
            Some(_) => (plain, reasoning),
            None => (text, 0),
        };
        Ok(Self {
            plain,
            reasoning,
            audio,
        })
    }
}

/// What is left of a whole without a part of it.
fn less(whole: (u64, &'static str), part: (u64, &'static str)) -> Result<u64, Unpriced> {
    let rest = whole.0.checked_sub(part.0);
    rest.ok_or(Unpriced::Inconsistent {
        part: part.1,
        whole: whole.1,
    })
}

#[cfg(test)]
mod tests;
