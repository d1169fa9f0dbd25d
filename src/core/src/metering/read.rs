//! From events to sums.

use std::ops::Range;

use crate::cores::in_order;
use crate::journal::Journal;
use crate::journal::append::is_call;
use crate::journal::read::{ReadError, StoredEvent, decoded, is_event, open_read};
use crate::metering::FiguresError;
use crate::metering::hours::Hour;
use crate::short_reads::short_reads;
use crate::tenant::deletion::DeletionCause;
use crate::tenant::ledger::Ledger;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::metered::{CellKey, Cost, Kind, METERED, Metered, Named};

/// Bytes of payloads that are read at once.
const READ_BYTES_MAX: usize = 8 << 20;

/// Adds what is counted of a range of entries to an hour.
pub(super) fn read_into(
    journal: &Journal,
    ledger: &Ledger,
    range: Range<u64>,
    hour: &mut Hour,
) -> Result<(), FiguresError> {
    in_order(
        short_reads(range),
        |part| read(journal, ledger, part),
        |part| {
            hour.add(part);
            Ok(())
        },
    )
}

fn read(journal: &Journal, ledger: &Ledger, range: Range<u64>) -> Result<Hour, FiguresError> {
    let number = ledger.record.number;
    let mut events = Vec::new();
    for (seq, bytes) in journal.ledgers.entry_rows(number, range)? {
        let entry = decoded(seq, &bytes)?;
        if is_event(&entry) {
            events.push((seq, entry));
        }
    }
    let mut sums = Hour::default();
    let mut rest = events.as_slice();
    while !rest.is_empty() {
        let seqs: Vec<Seq> = rest.iter().map(|(seq, _)| *seq).collect();
        let rows = journal.ledgers.events(number, &seqs, READ_BYTES_MAX)?;
        let read = rows.len().max(1);
        for ((seq, entry), row) in rest.iter().zip(rows) {
            let row = row.ok_or(ReadError::PayloadMissing(*seq))?;
            match open_read(journal, ledger, row, *entry) {
                Ok(event) if event.restricted_by.is_some() => sums.left_out.restricted += 1,
                Ok(event) => sums.add_event(&event),
                Err(ReadError::Deleted { deletion_cause, .. }) => match deletion_cause {
                    DeletionCause::Erased => sums.left_out.erased += 1,
                    DeletionCause::Expired => sums.left_out.expired += 1,
                },
                Err(error) => return Err(error.into()),
            }
        }
        rest = rest.get(read..).unwrap_or_default();
    }
    Ok(sums)
}

impl Hour {
    fn add_event(&mut self, event: &StoredEvent) {
        match event.section(METERED).map(Metered::read) {
            Some(Ok(metered)) => {
                if let Cost::Table { table, .. } = metered.cost {
                    self.tables.insert(table);
                }
                self.cells
                    .entry(CellKey::of(&metered))
                    .or_default()
                    .add(&metered);
            }
            // It was recorded before the section existed, or by a later version.
            Some(Err(_)) => self.add_unmetered(),
            None => {
                let action = event.section("action");
                let action = action.and_then(|text| serde_json::from_slice::<String>(text).ok());
                let is_call = action.is_some_and(|action| is_call(&action));
                if is_call && event.section("llm").is_some() {
                    self.add_unmetered();
                }
            }
        }
    }

    fn add_unmetered(&mut self) {
        let mut key = CellKey::of(&Metered::of(Kind::Call));
        (key.provider, key.model) = (Named::Other, Named::Other);
        self.cells.entry(key).or_default().unmetered += 1;
    }

    fn add(&mut self, more: Self) {
        self.left_out.add(more.left_out);
        self.tables.extend(more.tables);
        for (key, totals) in more.cells {
            self.cells.entry(key).or_default().merge(&totals);
        }
    }
}
