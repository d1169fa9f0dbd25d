//! Tables above each other: the first from above that prices a call decides.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trailkeep_proof::prices::{Call, PriceTable, Unpriced, closest_pattern, find};

/// Where a table is from, from the lowest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The program's own.
    Shipped,
    /// Imported from another package's data.
    Imported,
    /// Set by the operator for all tenants.
    Operator,
    /// Set by the tenant.
    Tenant,
}

impl Layer {
    /// Each, from the lowest on.
    pub const ALL: [Self; 4] = [Self::Shipped, Self::Imported, Self::Operator, Self::Tenant];

    /// The layer of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.name() == word)
    }

    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shipped => "shipped",
            Self::Imported => "imported",
            Self::Operator => "operator",
            Self::Tenant => "tenant",
        }
    }
}

/// The tables that apply to a tenant, at most one a layer.
#[derive(Clone, Debug, Default)]
pub struct Layers(Vec<(Layer, Arc<PriceTable>)>);

impl Layers {
    /// Puts a table in the place of its layer's.
    #[must_use]
    pub fn with(mut self, layer: Layer, table: Arc<PriceTable>) -> Self {
        self.0.retain(|(kept, _)| *kept != layer);
        self.0.push((layer, table));
        self.0.sort_by_key(|(layer, _)| std::cmp::Reverse(*layer));
        self
    }

    /// The table of a layer.
    pub fn table(&self, layer: Layer) -> Option<&Arc<PriceTable>> {
        let mut all = self.0.iter();
        all.find_map(|(of, table)| (*of == layer).then_some(table))
    }

    /// The name of a provider in the first table from above that has prices of it.
    pub fn provider(&self, named: &str) -> Option<String> {
        let mut all = self.0.iter().map(|(_, table)| table);
        all.find_map(|table| {
            let provider = table.provider(named);
            table.knows_provider(&provider).then_some(provider)
        })
    }

    /// The pattern that describes a model most closely, of the first table from above that knows the model.
    pub fn model(&self, provider: &str, model: &str) -> Option<&str> {
        let mut all = self.0.iter();
        all.find_map(|(_, table)| closest_pattern(table, provider, model))
            .map(trailkeep_proof::prices::ModelPattern::as_str)
    }

    /// The layer whose table has the price of a call, and the price's place in it, whatever the tokens. A layer that names the model
    /// and has no price of the call ends the search: a lower one would answer for another price than the one that was set.
    pub fn find(&self, call: &Call<'_>) -> Result<(Layer, usize), Unpriced> {
        let mut why = Unpriced::Provider;
        for (layer, table) in &self.0 {
            match find(table, call) {
                Ok((place, _)) => return Ok((*layer, place)),
                Err(Unpriced::Provider) => {}
                Err(Unpriced::Model) => why = Unpriced::Model,
                Err(other) => return Err(other),
            }
        }
        Err(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trailkeep_proof::prices::{Basis, Usage, cost_by};
    use trailkeep_proof::privacy::Day;

    fn table(prices: &[(&str, &str)]) -> Arc<PriceTable> {
        let mut text =
            String::from("schema = 1\ndated = 2026-11-30\ncurrency = \"USD\"\nunit = \"mtok\"\n");
        for (model, rates) in prices {
            let keys = [
                "[[price]]\nprovider = \"openai\"\nmodel = \"",
                model,
                "\"\nverified = \"unchecked\"\n",
                rates,
                "\n",
            ];
            text.extend(keys);
        }
        Arc::new(crate::read(&text).unwrap().table)
    }

    #[test]
    fn the_highest_layer_that_names_the_model_decides() {
        let layers = Layers::default()
            .with(Layer::Tenant, table(&[("a", "input = \"4\"")]))
            .with(
                Layer::Shipped,
                table(&[
                    ("a", "input = \"1\""),
                    ("b", "input = \"1\""),
                    ("c*", "input = \"1\""),
                ]),
            )
            .with(Layer::Imported, table(&[("b", "input = \"2\"")]))
            .with(Layer::Operator, table(&[("cc", "output = \"3\"")]));
        let cost = |model| {
            let call = Call {
                provider: "openai",
                model,
                day: Day::parse("2026-11-30").unwrap(),
                service_tier: None,
                region: None,
                usage: Usage {
                    input: Some(1_000_000),
                    ..Usage::default()
                },
                basis: Basis::Inclusive,
            };
            let (layer, place) = layers.find(&call)?;
            let price = &layers.table(layer).unwrap().prices()[place];
            let (amount, _) = cost_by(price, &call.usage, call.basis)?;
            let amount = amount.to_string();
            Ok::<_, Unpriced>((layer.name(), amount.split_once('.').unwrap().0.to_owned()))
        };
        assert_eq!(cost("a"), Ok(("tenant", "4".to_owned())));
        assert_eq!(cost("b"), Ok(("imported", "2".to_owned())));
        assert_eq!(cost("c1"), Ok(("shipped", "1".to_owned())));
        assert_eq!(cost("cc").unwrap_err().code(), "not-reported");
        assert_eq!(cost("d").unwrap_err().code(), "unknown-model");
        assert_eq!(layers.model("openai", "CC-9"), Some("c*"));
        assert_eq!(layers.model("openai", "d"), None);
        assert_eq!(layers.provider("OpenAI").as_deref(), Some("openai"));
        assert_eq!(layers.provider("anthropic"), None);
        // A second table of a layer replaces the first whole.
        let replaced = layers
            .clone()
            .with(Layer::Tenant, table(&[("z", "input = \"9\"")]));
        assert_eq!(replaced.0.len(), 4);
    }
}
