//! Records that the vault keeps sealed for a ledger: what a restored ledger must neither bring back nor lose.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::keys::keyring::{KeyError, Keyring, with_current_epoch};
use crate::keys::rows::Row;
use trailkeep_ports::{LedgerRecord, SealedRecordRow};
use trailkeep_proof::ids::LedgerNumber;

/// The kind of the keys under which telemetry waits; they are no records.
pub(crate) const INBOX_KEY: &str = "staging-key";

/// A kind of record.
pub(crate) trait Record: Serialize + DeserializeOwned {
    /// Its name in the vault, which its sealing binds.
    const KIND: &'static str;
    /// What it is, to stand in an error.
    const WHAT: &'static str;
    /// Whether statements may name a row by its id: where that is a tag, they name it by a number of its own.
    const NAMED_BY_ID: bool = true;
}

/// Keeps a record, in the place of an earlier one with its id. On disk when it returns.
pub(crate) fn put<R: Record>(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    id: &str,
    record: &R,
) -> Result<(), KeyError> {
    put_at(keyring, ledger.number, ledger.origin.as_str(), id, record)
}

fn put_at<R: Record>(
    keyring: &Keyring,
    ledger: LedgerNumber,
    origin: &str,
    id: &str,
    record: &R,
) -> Result<(), KeyError> {
    with_current_epoch(|| {
        let row = seal(keyring, ledger, origin, id, record)?;
        Ok(keyring.vault().put_record(&row)?)
    })
}

/// The row that holds a record.
pub(crate) fn seal<R: Record>(
    keyring: &Keyring,
    ledger: LedgerNumber,
    origin: &str,
    id: &str,
    record: &R,
) -> Result<SealedRecordRow, KeyError> {
    let text =
        serde_json::to_string(record).expect("records are plain data, which has a JSON form");
    let before = row_at::<R>(keyring, ledger, origin, id)?;
    let text = Row::changed(before, Some(text)).unwrap_or_default();
    seal_text(keyring, (R::KIND, ledger, origin), id, &text)
}

fn seal_text(
    keyring: &Keyring,
    (kind, ledger, origin): (&str, LedgerNumber, &str),
    id: &str,
    text: &[u8],
) -> Result<SealedRecordRow, KeyError> {
    let (epoch, sealed) = keyring.seal(text, &place(kind, origin, id))?;
    Ok(SealedRecordRow {
        kind: kind.to_owned(),
        ledger,
        id: id.to_owned(),
        epoch,
        sealed,
    })
}

/// The row of a record, with what it was stated by.
pub(crate) fn row<R: Record>(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    id: &str,
) -> Result<Option<Row>, KeyError> {
    row_at::<R>(keyring, ledger.number, ledger.origin.as_str(), id)
}

fn row_at<R: Record>(
    keyring: &Keyring,
    ledger: LedgerNumber,
    origin: &str,
    id: &str,
) -> Result<Option<Row>, KeyError> {
    let found = keyring.vault().record(R::KIND, ledger, id)?;
    found.map(|row| open(keyring, origin, &row)).transpose()
}

/// Whether rows of a kind are records: those of the others are bare keys.
pub(crate) fn is_record(kind: &str) -> bool {
    kind != INBOX_KEY && kind != crate::keys::keyring::ROW_KEY_KIND
}

/// Opens a row in its place, of whatever kind.
pub(crate) fn open(
    keyring: &Keyring,
    origin: &str,
    row: &SealedRecordRow,
) -> Result<Row, KeyError> {
    const WHAT: &str = "a sealed record";
    let place = place(&row.kind, origin, &row.id);
    let text = keyring.unseal(row.epoch, &row.sealed, &place, WHAT)?;
    Row::read(&text).ok_or(KeyError::DoesNotOpen(WHAT))
}

/// Forgets a record, if it is there.
pub(crate) fn remove<R: Record>(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    id: &str,
) -> Result<(), KeyError> {
    remove_at::<R>(keyring, ledger.number, ledger.origin.as_str(), id)
}

/// A row that a statement is about stays, empty: the statement is not found without it.
fn remove_at<R: Record>(
    keyring: &Keyring,
    ledger: LedgerNumber,
    origin: &str,
    id: &str,
) -> Result<(), KeyError> {
    with_current_epoch(|| {
        let Some(before) = row_at::<R>(keyring, ledger, origin, id)? else {
            return Ok(());
        };
        let Some(text) = Row::changed(Some(before), None) else {
            return Ok(keyring.vault().delete_record(R::KIND, ledger, id)?);
        };
        let row = seal_text(keyring, (R::KIND, ledger, origin), id, &text)?;
        Ok(keyring.vault().put_record(&row)?)
    })
}

/// Takes a record away that stands in another place now.
pub(crate) fn move_away<R: Record>(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    id: &str,
) -> Result<(), KeyError> {
    Ok(keyring.vault().delete_record(R::KIND, ledger.number, id)?)
}

/// All records of a kind, with their ids.
pub(crate) fn all<R: Record>(
    keyring: &Keyring,
    ledger: &LedgerRecord,
) -> Result<Vec<(String, R)>, KeyError> {
    opened(keyring, ledger.number, ledger.origin.as_str())
}

fn opened<R: Record>(
    keyring: &Keyring,
    ledger: LedgerNumber,
    origin: &str,
) -> Result<Vec<(String, R)>, KeyError> {
    let rows = keyring.vault().records(R::KIND, ledger)?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let broken = || KeyError::DoesNotOpen(R::WHAT);
        let place = place(R::KIND, origin, &row.id);
        let text = keyring.unseal(row.epoch, &row.sealed, &place, R::WHAT)?;
        let opened = Row::read(&text).ok_or_else(broken)?;
        if let Some(record) = opened.record() {
            all.push((row.id, record.map_err(|()| broken())?));
        }
    }
    Ok(all)
}

/// The id of the row of a kind of which a tenant has one.
pub(crate) const TENANT_ROW: &str = "tenant";

/// The only record of a kind that a ledger's tenant has; an empty one where none was kept yet.
pub(crate) fn of_tenant<R: Record + Default>(
    keyring: &Keyring,
    ledger: &LedgerRecord,
) -> Result<R, KeyError> {
    let rows = all::<R>(keyring, ledger)?;
    let own = rows.into_iter().find(|(id, _)| id == TENANT_ROW);
    Ok(own.map(|(_, record)| record).unwrap_or_default())
}

/// Gives a ledger that continues another one the only record of a kind of its tenant, if there is one.
pub(crate) fn carry_over_of_tenant<R: Record>(
    keyring: &Keyring,
    from: &LedgerRecord,
    to: &LedgerRecord,
) -> Result<(), KeyError> {
    let rows = all::<R>(keyring, from)?;
    let own = rows.into_iter().find(|(id, _)| id == TENANT_ROW);
    own.map_or(Ok(()), |(id, record)| put(keyring, to, &id, &record))
}

/// Opens every record of a ledger and of the directory in its place, of whatever kind; the first that does not open
/// is the error.
pub(crate) fn check_all(keyring: &Keyring, ledger: &LedgerRecord) -> Result<(), KeyError> {
    for (number, origin) in [(ledger.number, ledger.origin.as_str()), (NO_LEDGER, "")] {
        for row in keyring.vault().records_of(number)? {
            let place = place(&row.kind, origin, &row.id);
            keyring.unseal(row.epoch, &row.sealed, &place, "a sealed record")?;
        }
    }
    Ok(())
}

/// What the sealing of a record is bound to. Records of no ledger have no origin.
pub(crate) fn place(kind: &str, origin: &str, id: &str) -> String {
    format!("trailkeep/{kind}/v1\n{origin}\n{id}")
}

/// Stands for "no ledger": records of the whole data directory.
pub(crate) const NO_LEDGER: LedgerNumber = LedgerNumber::new(0);

/// Keeps a record of the whole data directory, in the place of an earlier one with its id.
pub(crate) fn put_own<R: Record>(keyring: &Keyring, id: &str, record: &R) -> Result<(), KeyError> {
    put_at(keyring, NO_LEDGER, "", id, record)
}

/// The same of a record that is no reason to copy the vault anew.
pub(crate) fn put_own_note<R: Record>(
    keyring: &Keyring,
    id: &str,
    record: &R,
) -> Result<(), KeyError> {
    with_current_epoch(|| {
        let row = seal(keyring, NO_LEDGER, "", id, record)?;
        Ok(keyring.vault().put_note(&row)?)
    })
}

/// All records of the whole data directory of a kind, with their ids.
pub(crate) fn all_own<R: Record>(keyring: &Keyring) -> Result<Vec<(String, R)>, KeyError> {
    opened(keyring, NO_LEDGER, "")
}

/// Forgets a record of the whole data directory, if it is there.
pub(crate) fn remove_own<R: Record>(keyring: &Keyring, id: &str) -> Result<(), KeyError> {
    remove_at::<R>(keyring, NO_LEDGER, "", id)
}
