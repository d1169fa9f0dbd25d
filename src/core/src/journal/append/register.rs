//! What the section `metered` of an event needs in the ledger before the event: numbers of names, and the price table.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::journal::Journal;
use crate::journal::append::{AppendError, append_changing};
use crate::keys::keyring::KeyError;
use crate::keys::records::TENANT_ROW;
use crate::keys::rows::{Changes, STATED_HERE};
use crate::tenant::ledger::Ledger;
use crate::tenant::metering::Metering;
use crate::tenant::names::{self, RegisteredName};
use crate::tenant::prices::{self, SetPrices, TAKEN_IN_BY};
use crate::tenant::{ActiveRecord, Tenant};
use trailkeep_prices::Layer;
use trailkeep_proof::system::{FiguresNameSection, NameKind, PricesSection, SystemEvent};

/// What the ledger has to state first.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Tables by which a call is priced.
    pub(super) tables: BTreeSet<Layer>,
    /// Names that a price table or the prompt registry knows.
    pub(super) names: BTreeSet<(NameKind, String)>,
}

impl Wanted {
    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.names.is_empty()
    }
}

/// Prices and names of a ledger's tenant, from memory where they have not changed.
pub(crate) fn metering(journal: &Journal, ledger: &Ledger) -> Result<Arc<Metering>, KeyError> {
    let recorder = ledger.recorder();
    let known = recorder.metering();
    if let Some(known) = known.filter(|known| known.as_of == journal.tables.changes()) {
        return Ok(known);
    }
    let operator = journal.operator();
    let operator = operator.as_ref().map(Tenant::active_record);
    let read = Metering::load(
        &journal.keyring,
        &journal.tables,
        &recorder.record,
        operator.map(ActiveRecord::record),
    )?;
    let read = Arc::new(read);
    recorder.keep_metering(Some(Arc::clone(&read)));
    Ok(read)
}

/// States what is not stated yet, and gives prices and names as they are then. It waits for the writer.
pub(super) fn register(
    journal: &Journal,
    ledger: &Ledger,
    wanted: &Wanted,
) -> Result<Arc<Metering>, AppendError> {
    let _one = journal.locks.names();
    let recorder = ledger.recorder();
    // Another request may have stated it meanwhile.
    recorder.keep_metering(None);
    let now = metering(journal, ledger)?;
    for layer in &wanted.tables {
        if now.table_number(*layer).is_none() {
            take_in(journal, recorder, (*layer, &now))?;
        }
    }
    for (kind, name) in &wanted.names {
        if now.numbers.get(*kind, name).is_none() {
            let stated = state_name(journal, recorder, (*kind, name), TAKEN_IN_BY)?;
            if stated.is_none() {
                tracing::warn!(%kind, "too many names: figures count the others as `other`");
            }
        }
    }
    recorder.keep_metering(None);
    Ok(metering(journal, ledger)?)
}

/// States a table that is from outside the tenant, so that the tenant's ledger holds what its costs were computed by.
fn take_in(
    journal: &Journal,
    ledger: &Ledger,
    (layer, now): (Layer, &Metering),
) -> Result<(), AppendError> {
    let Some(table) = now.layers.table(layer) else {
        return Ok(());
    };
    let record = &ledger.record;
    let mut book = prices::load(&journal.keyring, record)?;
    let number = book.next_number();
    let section = PricesSection {
        by: TAKEN_IN_BY.to_owned(),
        layer: layer.name().to_owned(),
        number,
        sha256: table.sha256(),
        table: table.to_value(),
    };
    let at_ms = journal.clock.wall().get();
    let placed = (number, layer);
    book.put(SetPrices::new(
        table,
        placed,
        (at_ms, TAKEN_IN_BY),
        (record, STATED_HERE),
    ));
    let mut changes = Changes::default();
    changes.put(&journal.keyring, record, TENANT_ROW, &book)?;
    let event = SystemEvent::PricesSet { prices: section };
    append_changing(journal, ledger, &event, changes).map(drop)
}

/// Gives a name its number, and states it; none where there are too many. A name that has one keeps it. The lock of names is held.
pub(crate) fn state_name(
    journal: &Journal,
    ledger: &Ledger,
    (kind, name): (NameKind, &str),
    by: &str,
) -> Result<Option<RegisteredName>, AppendError> {
    let record = &ledger.record;
    let mut book = names::load(&journal.keyring, record)?;
    if let Some(known) = book.find(kind, name) {
        return Ok(Some(known.clone()));
    }
    let Some(number) = book.next_number(kind) else {
        return Ok(None);
    };
    let section = FiguresNameSection {
        by: by.to_owned(),
        kind,
        name: name.to_owned(),
        number,
    };
    let at_ms = journal.clock.wall().get();
    let mut new = RegisteredName::new(&section, at_ms, (record, STATED_HERE));
    book.names.push(new.clone());
    let mut changes = Changes::default();
    changes.put(&journal.keyring, record, TENANT_ROW, &book)?;
    let event = SystemEvent::FiguresName { figures: section };
    let seq = append_changing(journal, ledger, &event, changes)?;
    ledger.keep_metering(None);
    new.seq = seq.get();
    Ok(Some(new))
}
