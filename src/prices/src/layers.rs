//! Tables above each other: the first from above that prices a call decides.

use trailkeep_proof::prices::{Call, PriceTable, Priced, Unpriced, price};

/// Where a table is from, from the lowest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Its word.
    pub fn name(self) -> &'static str {
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
pub struct Layers(Vec<(Layer, PriceTable)>);

/// A cost, and the layer whose table gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// The layer.
    pub layer: Layer,
    /// The cost.
    pub priced: Priced<'a>,
}

impl Layers {
    /// Puts a table in the place of its layer's.
    #[must_use]
    pub fn with(mut self, layer: Layer, table: PriceTable) -> Self {
        self.0.retain(|(kept, _)| *kept != layer);
        self.0.push((layer, table));
        self.0.sort_by_key(|(layer, _)| std::cmp::Reverse(*layer));
        self
    }

    /// The cost of a call. A layer that names the model and can't price the call ends the search: a lower one would answer for
    /// another price than the one that was set.
    pub fn price(&self, call: &Call<'_>) -> Result<Resolved<'_>, Unpriced> {
        let mut why = Unpriced::Provider;
        for (layer, table) in &self.0 {
            match price(table, call) {
                Ok(priced) => {
                    let layer = *layer;
                    return Ok(Resolved { layer, priced });
                }
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
    use trailkeep_proof::prices::{Basis, Usage};
    use trailkeep_proof::privacy::Day;

    fn table(prices: &[(&str, &str)]) -> PriceTable {
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
        crate::read(&text).unwrap().table
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
            let resolved = layers.price(&call)?;
            let amount = resolved.priced.amount.to_string();
            Ok::<_, Unpriced>((
                resolved.layer.name(),
                amount.split_once('.').unwrap().0.to_owned(),
            ))
        };
        assert_eq!(cost("a"), Ok(("tenant", "4".to_owned())));
        assert_eq!(cost("b"), Ok(("imported", "2".to_owned())));
        assert_eq!(cost("c1"), Ok(("shipped", "1".to_owned())));
        assert_eq!(cost("cc").unwrap_err().code(), "not-reported");
        assert_eq!(cost("d").unwrap_err().code(), "unknown-model");
        // A second table of a layer replaces the first whole.
        let replaced = layers
            .clone()
            .with(Layer::Tenant, table(&[("z", "input = \"9\"")]));
        assert_eq!(replaced.0.len(), 4);
    }
}
