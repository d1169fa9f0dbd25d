//! The vault's rows, and rows that belong to nothing.

use crate::audit::tree::OldRoots;
use crate::audit::{Findings, Subject, unneeded};
use crate::keys::keyring::KeyError;
use crate::keys::records::NO_LEDGER;
use crate::keys::{api_key, records};
use crate::tenant::{Succession, settings};
use trailkeep_index::Index;
use trailkeep_ports::{ChangedPart, Extent, LedgerRecord, StoreError, StoredCheckpoint};
use trailkeep_proof::ids::PersonReference;

/// Rows of the vault read at once.
const ROWS_PER_READ: u32 = 1_000;

/// Checks that every secret opens in its place, and that the vault's memory of the head fits.
pub(super) fn check(
    subject: Subject<'_>,
    record: &LedgerRecord,
    head: &StoredCheckpoint,
    roots: &OldRoots,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let vault = subject.keyring.vault();
    let mark = vault.watermark(record.number)?;
    if mark.is_none() {
        findings.add(
            None,
            "watermark",
            "the vault has no record of this ledger's checkpoint",
        );
    }
    if let Some(mark) = mark {
        let root_at = |size| match size {
            size if size == head.size => Ok(head.root),
            older => roots.root_at(subject.ledgers, older),
        };
        // A running server may have gone on since the head was read; only a lead without a head is a finding.
        let newest = subject
            .ledgers
            .checkpoint(record.number)?
            .map_or(head.size, |newest| newest.size);
        if mark.size > newest {
            let detail = format!(
                "the vault knows {} entries, the ledger has {newest}",
                mark.size
            );
            findings.add(None, "rolled-back", detail);
        } else if mark.size <= head.size && mark.root != root_at(mark.size)? {
            findings.add(
                None,
                "rolled-back",
                "the vault knows another root at this size",
            );
        }
    }
    match opened(subject.keyring.changed_parts(u64::MAX))? {
        Err(error) => findings.add(None, "vault-rows", error.to_string()),
        Ok(changed) => {
            for part in changed {
                let ChangedPart {
                    part,
                    written,
                    found,
                } = part;
                let detail = format!(
                    "the rows of {part} were changed: {written} were written, {found} are stored"
                );
                findings.add(None, "vault-rows", detail);
                unneeded::name(subject, record, &part, findings)?;
            }
        }
    }
    unneeded::check_folded(subject, record, findings)?;
    check_names(subject, record, findings)?;
    check_data_keys(subject, record, findings)?;
    check_persons(subject, record, findings)?;
    for row in vault.api_keys()? {
        if let Err(error) = opened(api_key::row_of(subject.keyring, &row))? {
            findings.add(None, "api-key", error.to_string());
        }
    }
    if let Err(error) = opened(settings::load(subject.keyring, record))? {
        findings.add(None, "settings", error.to_string());
    }
    check_records(subject, record, findings)?;
    check_schemas(subject, findings)?;
    check_extents(subject, record, head, findings)
}

/// The tables, indexes and triggers of the files are those of this version. A start compares them too; this one looks at
/// files that are in use.
fn check_schemas(subject: Subject<'_>, findings: &mut Findings) -> Result<(), StoreError> {
    let index = subject.index.map(Index::schema_difference);
    let staging = subject.staging.map(|inbox| inbox.schema_difference());
    let differences = [
        ("ledger.db", subject.ledgers.schema_difference()?),
        ("vault.db", subject.keyring.vault().schema_difference()?),
        ("index.db", index.transpose()?.flatten()),
        ("staging.db", staging.transpose()?.flatten()),
    ];
    for (file, difference) in differences {
        if let Some(difference) = difference {
            findings.add(None, "schema", format!("{file} {difference}"));
        }
    }
    Ok(())
}

/// No row lies behind what its ledger, or one that continues it, has entries for.
fn check_extents(
    subject: Subject<'_>,
    record: &LedgerRecord,
    head: &StoredCheckpoint,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut sizes = Vec::new();
    for known in subject.ledgers.ledgers()? {
        let newest = subject.ledgers.checkpoint(known.number)?;
        let newest = newest.map_or(0, |newest| newest.size);
        let this = if known.number == record.number {
            head.size
        } else {
            0
        };
        let entries = newest.max(this);
        let succession = opened(Succession::of(subject.keyring, &known))?.unwrap_or_default();
        let names = match succession.last() {
            Some(last) => {
                let head = subject.ledgers.checkpoint(last.number)?;
                succession.first() + head.map_or(0, |head| head.size)
            }
            None => entries,
        };
        sizes.push(Extent {
            ledger: known.number,
            entries,
            names,
        });
    }
    for (table, _) in subject.ledgers.rows_beyond(&sizes)? {
        findings.add(
            None,
            "stray-row",
            format!("the table {table} has a row that belongs to no entry"),
        );
    }
    Ok(())
}

/// Sealed records open in their place, and belong to a ledger that is there or to the directory.
fn check_records(
    subject: Subject<'_>,
    record: &LedgerRecord,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    if let Err(error) = opened(records::check_all(subject.keyring, record))? {
        findings.add(None, "record", error.to_string());
    }
    let ledgers = subject.ledgers.ledgers()?;
    let is_known = |number| ledgers.iter().any(|known| known.number == number);
    let vault = subject.keyring.vault();
    for number in vault.ledgers_with_records()? {
        // A ledger that an older ledger.db does not show still has its secrets.
        let has_secrets = !vault.ledger_secrets(number)?.is_empty();
        if number != NO_LEDGER && !is_known(number) && !has_secrets {
            findings.add(
                None,
                "record",
                "the vault has a record of a ledger that does not exist",
            );
        }
    }
    Ok(())
}

/// The vault names the ledger as ledger.db does, and ends no epoch whose key is in use.
fn check_names(
    subject: Subject<'_>,
    record: &LedgerRecord,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let vault = subject.keyring.vault();
    match vault.ledgers() {
        Ok(named) if named.contains(record) => {}
        Ok(_) | Err(StoreError::Damaged { .. }) => {
            let detail = "the vault has other names for this ledger than ledger.db";
            findings.add(None, "vault", detail);
        }
        Err(error) => return Err(error),
    }
    let lowest = vault.lowest_epoch()?;
    let epochs = subject.keyring.epochs();
    if !epochs.iter().any(|epoch| epoch.number.0 == lowest) {
        let detail =
            format!("the vault writes from epoch {lowest} on, whose key is not in epoch.key");
        findings.add(None, "vault", detail);
    }
    Ok(())
}

fn check_data_keys(
    subject: Subject<'_>,
    record: &LedgerRecord,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let rows = subject.keyring.vault().data_keys(after, ROWS_PER_READ)?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = Some(last.key_id);
        for row in rows.iter().filter(|row| row.ledger == record.number) {
            if let Err(error) = opened(subject.keyring.open_row(&record.origin, row))? {
                findings.add(None, "vault", error.to_string());
            }
        }
    }
}

fn check_persons(
    subject: Subject<'_>,
    record: &LedgerRecord,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    each_person(subject, record, &mut |person| {
        if let Err(error) = person {
            findings.add(None, "vault", error.to_string());
        }
    })
}

/// Opens the reference of each person of a ledger.
pub(super) fn each_person(
    subject: Subject<'_>,
    record: &LedgerRecord,
    look: &mut dyn FnMut(Result<Option<PersonReference>, KeyError>),
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let tags = subject
            .keyring
            .vault()
            .person_tags(record.number, after, ROWS_PER_READ)?;
        let Some((last, _)) = tags.last() else {
            return Ok(());
        };
        after = *last;
        for (_, tag) in &tags {
            let Some(tag) = trailkeep_proof::ids::Tag::from_slice(tag) else {
                continue;
            };
            let (origin, number) = (&record.origin, record.number);
            look(opened(subject.keyring.stored_person(origin, number, tag))?);
        }
    }
}

/// Keeps a failing store apart from a row that does not open.
pub(super) fn opened<T>(outcome: Result<T, KeyError>) -> Result<Result<T, KeyError>, StoreError> {
    match outcome {
        Err(KeyError::Store(error)) => Err(error),
        other => Ok(other),
    }
}
