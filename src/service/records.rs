//! Records that the vault keeps sealed for a ledger: what a restored ledger must neither bring back nor lose.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::keyring::{KeyError, Keyring};
use crate::ids::LedgerNumber;
use crate::store::{LedgerRecord, SealedRecordRow, StoreError};

/// A kind of record.
pub(super) trait Record: Serialize + DeserializeOwned {
    /// Its name in the vault, which its sealing binds.
    const KIND: &'static str;
    /// What it is, to stand in an error.
    const WHAT: &'static str;
}

/// Keeps a record, in the place of an earlier one with its id. On disk when it returns.
pub(super) fn put<R: Record>(
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
    // A rotation that ends between the sealing and the writing refuses the row.
    loop {
        let row = seal(keyring, ledger, origin, id, record)?;
        match keyring.vault().put_record(&row) {
            Err(StoreError::RetiredEpoch) => {}
            put => return Ok(put?),
        }
    }
}

/// The row that holds a record.
pub(super) fn seal<R: Record>(
    keyring: &Keyring,
    ledger: LedgerNumber,
    origin: &str,
    id: &str,
    record: &R,
) -> Result<SealedRecordRow, KeyError> {
    let text = serde_json::to_vec(record).expect("records are plain data, which has a JSON form");
    let (epoch, sealed) = keyring.seal(&text, &place(R::KIND, origin, id))?;
    Ok(SealedRecordRow {
        kind: R::KIND.to_owned(),
        ledger,
        id: id.to_owned(),
        epoch,
        sealed,
    })
}

/// Forgets a record, if it is there.
pub(super) fn remove<R: Record>(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    id: &str,
) -> Result<(), KeyError> {
    Ok(keyring.vault().delete_record(R::KIND, ledger.number, id)?)
}

/// All records of a kind, with their ids.
pub(super) fn all<R: Record>(
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
    rows.into_iter()
        .map(|row| {
            let place = place(R::KIND, origin, &row.id);
            let text = keyring.unseal(row.epoch, &row.sealed, &place, R::WHAT)?;
            let record =
                serde_json::from_slice(&text).map_err(|_| KeyError::DoesNotOpen(R::WHAT))?;
            Ok((row.id, record))
        })
        .collect()
}

/// Opens every record of a ledger and of the directory in its place, of whatever kind; the first that does not open
/// is the error.
pub(super) fn check_all(keyring: &Keyring, ledger: &LedgerRecord) -> Result<(), KeyError> {
    for (number, origin) in [(ledger.number, ledger.origin.as_str()), (NO_LEDGER, "")] {
        for row in keyring.vault().records_of(number)? {
            let place = place(&row.kind, origin, &row.id);
            keyring.unseal(row.epoch, &row.sealed, &place, "a sealed record")?;
        }
    }
    Ok(())
}

/// What the sealing of a record is bound to. Records of no ledger have no origin.
pub(super) fn place(kind: &str, origin: &str, id: &str) -> String {
    format!("trailkeep/{kind}/v1\n{origin}\n{id}")
}

/// Stands for "no ledger": records of the whole data directory.
pub(super) const NO_LEDGER: LedgerNumber = LedgerNumber::new(0);

/// Keeps a record of the whole data directory, in the place of an earlier one with its id.
pub(super) fn put_own<R: Record>(keyring: &Keyring, id: &str, record: &R) -> Result<(), KeyError> {
    put_at(keyring, NO_LEDGER, "", id, record)
}

/// The same of a record that is no reason to copy the vault anew.
pub(super) fn put_own_note<R: Record>(
    keyring: &Keyring,
    id: &str,
    record: &R,
) -> Result<(), KeyError> {
    loop {
        let row = seal(keyring, NO_LEDGER, "", id, record)?;
        match keyring.vault().put_note(&row) {
            Err(StoreError::RetiredEpoch) => {}
            put => return Ok(put?),
        }
    }
}

/// All records of the whole data directory of a kind, with their ids.
pub(super) fn all_own<R: Record>(keyring: &Keyring) -> Result<Vec<(String, R)>, KeyError> {
    opened(keyring, NO_LEDGER, "")
}

/// Forgets a record of the whole data directory, if it is there.
pub(super) fn remove_own<R: Record>(keyring: &Keyring, id: &str) -> Result<(), KeyError> {
    Ok(keyring.vault().delete_record(R::KIND, NO_LEDGER, id)?)
}
