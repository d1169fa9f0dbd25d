//! Persons and data keys that nothing needs, and folded tags of nobody: where the sums show that rows were put into the vault,
//! these are the ones that may have been. A crash between a key and its event leaves such rows, too: they are no finding by
//! themselves.

use crate::audit::{Findings, Subject};
use crate::keys::unneeded::data_keys;
use trailkeep_ports::{LedgerRecord, StoreError};
use trailkeep_proof::ids::{LookupKey, Seq, Tag};

/// Rows of the vault read at once.
const ROWS_PER_READ: u32 = 1_000;
/// Rows of one part that are named.
const NAMED_MAX: usize = 20;
/// The same of folded tags.
const FOLDED_MAX: u32 = 20;

/// Names the rows of a changed part that nothing needs. Persons and keys are named by numbers alone.
pub(super) fn name(
    subject: Subject<'_>,
    record: &LedgerRecord,
    part: &str,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let (rows, why) = match part.split_once('/') {
        Some((_, number)) if number != record.number.get().to_string() => return Ok(()),
        Some(("data-key", _)) => (
            unneeded_keys(subject, record)?,
            "no event is encrypted under it",
        ),
        Some(("person", _)) => (
            unneeded_persons(subject, record)?,
            "no event names this data subject",
        ),
        _ => return Ok(()),
    };
    for row in rows.iter().take(NAMED_MAX) {
        let detail = format!("{row}: {why}; it may have been put back after it was destroyed");
        findings.add(None, "vault-rows", detail);
    }
    if let Some(more) = rows.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        findings.add(None, "vault-rows", format!("{more} more of {part}: {why}"));
    }
    Ok(())
}

/// A folded tag goes with its person.
pub(super) fn check_folded(
    subject: Subject<'_>,
    record: &LedgerRecord,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let vault = subject.keyring.vault();
    // A copy that an earlier version made has no such table.
    if !vault.has_sums()? {
        return Ok(());
    }
    for row in vault.folded_of_nobody(record.number, FOLDED_MAX)? {
        let detail = format!("person_folded row {row}: its data subject does not exist");
        findings.add(None, "vault-rows", detail);
    }
    Ok(())
}

fn unneeded_keys(subject: Subject<'_>, record: &LedgerRecord) -> Result<Vec<String>, StoreError> {
    let rows = data_keys(subject.ledgers, subject.keyring, record)?;
    // The period of some keys is the tag of a record, which is not shown.
    let said = rows.iter().map(|row| {
        let (id, class) = (row.key_id.get(), row.class.get());
        format!("data_key {id:016x} of class {class}")
    });
    Ok(said.collect())
}

fn unneeded_persons(
    subject: Subject<'_>,
    record: &LedgerRecord,
) -> Result<Vec<String>, StoreError> {
    let mut unneeded = Vec::new();
    // A backup has no index; what does not open is a finding already.
    let Some(index) = subject.index else {
        return Ok(unneeded);
    };
    let (origin, number) = (&record.origin, record.number);
    let mut after = 0;
    loop {
        let rows = subject
            .keyring
            .vault()
            .person_tags(number, after, ROWS_PER_READ)?;
        let Some((last, _)) = rows.last() else {
            return Ok(unneeded);
        };
        after = *last;
        for (row, tag) in &rows {
            let person = Tag::from_slice(tag)
                .and_then(|tag| subject.keyring.stored_person(origin, number, tag).ok()?);
            let Some(person) = person else { continue };
            let key = LookupKey::from(person);
            if index
                .find(number, key, Seq::new(0), Seq::MAX, 1)?
                .is_empty()
            {
                unneeded.push(format!("person row {row}"));
            }
        }
    }
}
