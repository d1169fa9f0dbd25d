//! The events of a range whose payloads are there.

use crate::destroy::DeletionError;
use crate::journal::Journal;
use crate::journal::read::ReadError;
use crate::short_reads::short_reads;
use crate::tenant::ledger::Ledger;
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::entry::EntryKind;

/// Entries of events whose text is there and that no statement covers, of a range. What a hold kept from an earlier
/// expiry is looked at apart.
pub(crate) fn present(
    journal: &Journal,
    ledger: &Ledger,
    range: std::ops::Range<u64>,
) -> Result<Vec<Entry>, DeletionError> {
    let marked = present_marked(journal, ledger, range)?;
    let entries = marked.into_iter().filter(|(_, is_overdue)| !is_overdue);
    Ok(entries.map(|(entry, _)| entry).collect())
}

/// The same with what a hold kept from an earlier expiry, which is marked.
pub(crate) fn present_marked(
    journal: &Journal,
    ledger: &Ledger,
    range: std::ops::Range<u64>,
) -> Result<Vec<(Entry, bool)>, DeletionError> {
    let number = ledger.record.number;
    let there = journal.ledgers.seqs_with_payload(number, range.clone())?;
    if there.is_empty() {
        return Ok(Vec::new());
    }
    let marks = journal.ledgers.marks(number, range.clone())?;
    let mut entries = Vec::with_capacity(there.len());
    for (seq, bytes) in journal.ledgers.entry_rows(number, range)? {
        if there.binary_search(&seq).is_err() {
            continue;
        }
        let entry = Entry::decode(&bytes).map_err(|error| ReadError::Entry { seq, error })?;
        let mark = marks.get(&seq).copied().unwrap_or_default();
        if entry.kind == EntryKind::Event && ledger.tombstones.deletion(&entry, mark).is_none() {
            entries.push((entry, mark.is_overdue));
        }
    }
    Ok(entries)
}

/// How many events of a class are present in a range; for previews.
pub(crate) fn count_present(
    journal: &Journal,
    ledger: &Ledger,
    range: std::ops::Range<u64>,
    mut each: impl FnMut(&Entry),
) -> Result<(), DeletionError> {
    for range in short_reads(range) {
        for entry in present(journal, ledger, range)? {
            each(&entry);
        }
    }
    Ok(())
}
