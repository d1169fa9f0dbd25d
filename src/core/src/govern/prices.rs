//! Setting a price table, recorded before it is in force.

use crate::journal::Journal;
use crate::journal::append::{AppendError, append_changing};
use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records::{self, TENANT_ROW};
use crate::keys::rows::{Changes, STATED_HERE};
use crate::tenant::prices::{SetPrices, load};
use crate::tenant::{DEFAULT_TENANT, Tenant};
use trailkeep_ports::LedgerRecord;
use trailkeep_prices::Layer;
use trailkeep_proof::prices::PriceTable;
use trailkeep_proof::system::{PricesSection, SystemEvent};

/// Tables that a tenant may set: the row that lists them stays small.
const TABLES_MAX: u32 = 10_000;

/// Why a price table was not set.
#[derive(Debug, thiserror::Error)]
pub enum PricesError {
    /// There are too many.
    #[error("the tenant has set {TABLES_MAX} price tables, which is the most")]
    TooMany,
    /// It could not be recorded, so it was not done.
    #[error("nothing was changed, because the ledger could not record it: {0}")]
    Record(Box<AppendError>),
    /// The vault failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Sets a table: as an imported one, or else as the operator's or the tenant's own. Set again it changes nothing.
pub fn set(
    journal: &Journal,
    tenant: &Tenant,
    table: &PriceTable,
    is_imported: bool,
    by: &str,
) -> Result<SetPrices, PricesError> {
    let _one = journal.locks.creation();
    // Tables from outside are stated while events come in.
    let _names = journal.locks.names();
    let record = tenant.active_record().record();
    let layer = if is_imported {
        Layer::Imported
    } else if tenant.name().as_str() == DEFAULT_TENANT {
        Layer::Operator
    } else {
        Layer::Tenant
    };
    let mut book = load(&journal.keyring, record)?;
    let sha256 = table.sha256();
    if let Some(same) = book.in_force(layer).filter(|set| set.sha256 == sha256) {
        return Ok(same.clone());
    }
    let number = book.next_number();
    if number > TABLES_MAX {
        return Err(PricesError::TooMany);
    }
    let event = SystemEvent::PricesSet {
        prices: PricesSection {
            by: by.to_owned(),
            layer: layer.name().to_owned(),
            number,
            sha256,
            table: table.to_value(),
        },
    };
    let now = journal.clock.wall().get();
    let mut new = SetPrices::new(table, (number, layer), (now, by), (record, STATED_HERE));
    book.put(new.clone());
    let mut changes = Changes::default();
    changes.put(&journal.keyring, record, TENANT_ROW, &book)?;
    let seq = append_changing(journal, tenant.active(), &event, changes)
        .map_err(|error| PricesError::Record(Box::new(error)))?;
    new.seq = seq.get();
    journal.tables.changed();
    Ok(new)
}

/// Takes over a table that a statement sets, in a vault that lacks it; `false` where it is not understood.
pub(crate) fn take_over(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    stated: &PricesSection,
    (seq, at_ms): (u64, u64),
) -> Result<bool, KeyError> {
    let table = PriceTable::from_value(&stated.table).ok();
    let table = table.filter(|table| table.sha256() == stated.sha256);
    let (Some(table), Some(layer)) = (table, Layer::parse(&stated.layer)) else {
        return Ok(false);
    };
    let mut book = load(keyring, ledger)?;
    if book.set.iter().any(|set| set.number >= stated.number) {
        return Ok(false);
    }
    let placed = (stated.number, layer);
    book.put(SetPrices::new(
        &table,
        placed,
        (at_ms, &stated.by),
        (ledger, seq),
    ));
    records::put(keyring, ledger, TENANT_ROW, &book)?;
    Ok(true)
}
