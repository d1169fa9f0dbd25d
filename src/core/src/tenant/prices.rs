//! The price tables of a tenant, as the vault keeps them: which were set, and those in force whole.

use serde::{Deserialize, Serialize};

use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::Record;
use crate::tenant::{ActiveRecord, Tenant};
use trailkeep_ports::LedgerRecord;
use trailkeep_prices::Layer;
use trailkeep_proof::prices::PriceTable;

/// A price table that was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetPrices {
    /// Its number, from 1.
    pub number: u32,
    /// Where it stands.
    pub layer: Layer,
    /// The day whose prices it says to have.
    pub dated: String,
    /// SHA-256 of its canonical form, in hex.
    pub sha256: String,
    /// How many prices it has.
    pub prices: usize,
    /// When it was set.
    pub set_at_ms: u64,
    /// Id of the API key that set it, or `local`.
    pub by: String,
    /// The entry that states it.
    pub seq: u64,
    /// Origin of that entry's ledger.
    pub ledger: String,
    /// Its canonical form while it is in force, if the tenant set it; later the entry alone has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
}

/// All tables that were set, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceBook {
    /// The tables.
    pub set: Vec<SetPrices>,
}

impl Record for PriceBook {
    const KIND: &'static str = crate::keys::rows::PRICES;
    const WHAT: &'static str = "a tenant's price tables";
}

impl PriceBook {
    /// The table of a layer that the tenant set and that is in force.
    pub fn in_force(&self, layer: Layer) -> Option<&SetPrices> {
        self.newest(layer).filter(|set| set.table.is_some())
    }

    /// The newest statement of a layer: a table that the tenant set, or one from outside that the ledger took in.
    pub fn newest(&self, layer: Layer) -> Option<&SetPrices> {
        self.set.iter().rev().find(|set| set.layer == layer)
    }

    /// The number that the next table gets.
    pub(crate) fn next_number(&self) -> u32 {
        let last = self.set.last().map_or(0, |set| set.number);
        last.saturating_add(1)
    }

    /// Adds a table in the place of its layer's.
    pub(crate) fn put(&mut self, new: SetPrices) {
        for set in &mut self.set {
            if set.layer == new.layer {
                set.table = None;
            }
        }
        self.set.push(new);
    }
}

/// Who states a table in a tenant's ledger that was not set there: the program's own, or the operator's.
pub(crate) const TAKEN_IN_BY: &str = "server";

impl SetPrices {
    /// A table as it is kept. One that was taken in is kept where it is from.
    pub(crate) fn new(
        table: &PriceTable,
        (number, layer): (u32, Layer),
        (set_at_ms, by): (u64, &str),
        (ledger, seq): (&LedgerRecord, u64),
    ) -> Self {
        let canonical = table.canonical();
        Self {
            number,
            layer,
            dated: table.dated().to_string(),
            sha256: table.sha256(),
            prices: table.prices().len(),
            set_at_ms,
            by: by.to_owned(),
            seq,
            ledger: ledger.origin.to_string(),
            table: (by != TAKEN_IN_BY).then_some(canonical),
        }
    }
}

/// The price tables of a ledger's tenant.
pub(crate) fn load(keyring: &Keyring, ledger: &LedgerRecord) -> Result<PriceBook, KeyError> {
    records::of_tenant(keyring, ledger)
}

/// The price tables of a tenant.
pub fn list(keyring: &Keyring, tenant: &Tenant) -> Result<PriceBook, KeyError> {
    load(keyring, tenant.active_record().record())
}

/// Gives a ledger that continues another one the price tables of that.
pub(crate) fn carry_over(
    keyring: &Keyring,
    from: ActiveRecord<'_>,
    to: ActiveRecord<'_>,
) -> Result<(), KeyError> {
    records::carry_over_of_tenant::<PriceBook>(keyring, from.record(), to.record())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(number: u32, layer: Layer) -> SetPrices {
        SetPrices {
            number,
            layer,
            dated: "2026-11-30".to_owned(),
            sha256: String::new(),
            prices: 0,
            set_at_ms: 0,
            by: "local".to_owned(),
            seq: 1,
            ledger: "localhost/default".to_owned(),
            table: Some("{}".to_owned()),
        }
    }

    #[test]
    fn a_table_takes_the_place_of_its_layer_s_and_no_number_returns() {
        let mut book = PriceBook::default();
        assert_eq!(book.next_number(), 1);
        book.put(set(1, Layer::Imported));
        book.put(set(2, Layer::Tenant));
        book.put(set(3, Layer::Tenant));
        let in_force = |layer| book.in_force(layer).map(|set| set.number);
        assert_eq!(in_force(Layer::Imported), Some(1));
        assert_eq!(in_force(Layer::Tenant), Some(3));
        assert_eq!(in_force(Layer::Operator), None);
        assert_eq!(book.next_number(), 4);
        let kept: Vec<bool> = book.set.iter().map(|set| set.table.is_some()).collect();
        assert_eq!(kept, [true, false, true]);
    }
}
