//! What differs between two tables.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use trailkeep_proof::prices::{Component, Price, PriceTable, Rates};
use trailkeep_proof::privacy::Day;

/// A price of one model as it is compared.
type Key<'a> = (
    &'a str,
    &'a str,
    Option<&'a str>,
    Option<&'a str>,
    Option<Day>,
);

/// What happened to a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only the new table has it.
    Added,
    /// Only the old table has it.
    Removed,
    /// Both have it, and not as the same.
    Changed,
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// The provider.
    pub provider: String,
    /// The models for which it is the same.
    pub models: Vec<String>,
    /// The service tier, where the price is of one.
    pub service_tier: Option<String>,
    /// The region, where the price is of one.
    pub region: Option<String>,
    /// From when the price holds.
    pub from: Option<Day>,
    /// What happened.
    pub change: Change,
    /// What differs, such as `input` or `input above 200000`.
    pub what: String,
    /// What the old table has.
    pub old: Option<String>,
    /// What the new table has.
    pub new: Option<String>,
}

/// Compares prices model by model. How they were checked is not compared.
pub fn difference(old: &PriceTable, new: &PriceTable) -> Vec<Difference> {
    let (old_prices, new_prices) = (by_key(old), by_key(new));
    let keys: BTreeSet<&Key<'_>> = old_prices.keys().chain(new_prices.keys()).collect();
    // The same difference of several models is told once.
    let mut found: BTreeMap<Difference, Vec<String>> = BTreeMap::new();
    for key in keys {
        let (before, after) = (old_prices.get(key), new_prices.get(key));
        let change = match (before, after) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            _ => Change::Changed,
        };
        let before = before.map(|price| said_by(price)).unwrap_or_default();
        let after = after.map(|price| said_by(price)).unwrap_or_default();
        let whats: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for what in whats
            .into_iter()
            .filter(|what| before.get(*what) != after.get(*what))
        {
            let (provider, model, service_tier, region, from) = *key;
            let difference = Difference {
                provider: provider.to_owned(),
                models: Vec::new(),
                service_tier: service_tier.map(str::to_owned),
                region: region.map(str::to_owned),
                from,
                change,
                what: what.clone(),
                old: before.get(what).cloned(),
                new: after.get(what).cloned(),
            };
            found.entry(difference).or_default().push(model.to_owned());
        }
    }
    let mut all: Vec<Difference> = found
        .into_iter()
        .map(|(difference, models)| Difference {
            models,
            ..difference
        })
        .collect();
    all.sort_by(|one, other| {
        let key =
            |difference: &Difference| (difference.provider.clone(), difference.models.clone());
        key(one).cmp(&key(other))
    });
    all
}

fn by_key(table: &PriceTable) -> BTreeMap<Key<'_>, &Price> {
    let mut prices = BTreeMap::new();
    for price in table.prices() {
        let (tier, region) = (price.service_tier.as_deref(), price.region.as_deref());
        for model in &price.model {
            let key = (
                price.provider.as_str(),
                model.as_str(),
                tier,
                region,
                price.from,
            );
            prices.insert(key, price);
        }
    }
    prices
}

/// All that a price says, by what it is.
fn said_by(price: &Price) -> BTreeMap<String, String> {
    let rates = |rates: &Rates, suffix: String| {
        let said = rates.each();
        let said = said.map(|(component, rate): (Component, _)| {
            (format!("{component}{suffix}"), rate.to_string())
        });
        said.collect::<Vec<_>>()
    };
    let mut said: BTreeMap<String, String> =
        rates(&price.rates, String::new()).into_iter().collect();
    for tier in &price.tiers {
        said.extend(rates(&tier.rates, format!(" above {}", tier.above)));
    }
    said.extend(
        price
            .until
            .map(|until| ("until".to_owned(), until.to_string())),
    );
    if price.currency != "USD" {
        said.insert("currency".to_owned(), price.currency.clone());
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(prices: &str) -> PriceTable {
        let head = "schema = 1\ndated = 2026-11-30\ncurrency = \"USD\"\nunit = \"mtok\"\n";
        crate::read(&format!("{head}{prices}")).unwrap().table
    }

    #[test]
    fn each_difference_is_told_once() {
        let old = table(
            "[[price]]\nprovider = \"a\"\nmodel = [\"m\", \"n\"]\ninput = \"1\"\noutput = \"2\"\nverified = \"unchecked\"\n\
             [[price]]\nprovider = \"b\"\nmodel = \"gone\"\ninput = \"1\"\nverified = \"unchecked\"\n",
        );
        let new = table(
            "[[price]]\nprovider = \"a\"\nmodel = \"m\"\ninput = \"1.5\"\noutput = \"2\"\nverified = \"unchecked\"\n\
             tiers = [{ above = 9, by = \"prompt\", input = \"3\", output = \"2\" }]\n\
             [[price]]\nprovider = \"a\"\nmodel = \"n\"\ninput = \"1.50\"\noutput = \"2\"\nverified = \"unchecked\"\n",
        );
        let told = |old, new| {
            let all = difference(old, new).into_iter();
            all.map(|found| {
                let text = |side: Option<String>| side.unwrap_or_else(|| "-".into());
                format!(
                    "{} {} {} {} {}",
                    found.provider,
                    found.models.join("+"),
                    found.what,
                    text(found.old),
                    text(found.new)
                )
            })
            .collect::<Vec<_>>()
        };
        assert_eq!(
            told(&old, &new),
            [
                "a m input above 9 - 3",
                "a m output above 9 - 2",
                "a m+n input 1 1.5",
                "b gone input 1 -",
            ]
        );
        assert!(told(&old, &old).is_empty());
    }
}
