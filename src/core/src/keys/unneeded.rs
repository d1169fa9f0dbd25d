//! Data keys that no text is sealed under. A crash between a key and its event leaves one; a vault from before an erasure or an
//! expiry has those that they destroyed.

use std::collections::HashSet;

use crate::keys::keyring::Keyring;
use crate::short_reads::short_reads;
use trailkeep_crypto::payload::key_ids;
use trailkeep_ports::{DataKeyRow, LedgerRecord, Ledgers, StoreError};
use trailkeep_proof::ids::KeyId;

/// Rows of the vault read at once.
const ROWS_PER_READ: u32 = 1_000;

/// Those of a ledger. No text is opened.
pub(crate) fn data_keys(
    ledgers: &Ledgers,
    keyring: &Keyring,
    record: &LedgerRecord,
) -> Result<Vec<DataKeyRow>, StoreError> {
    let mut needed: HashSet<KeyId> = HashSet::new();
    let end = ledgers.stored_end(record.number)?;
    for range in short_reads(0..end) {
        for (_, payload) in ledgers.payload_rows(record.number, range)? {
            needed.extend(key_ids(&payload).unwrap_or_default());
        }
    }
    let mut unneeded = Vec::new();
    let mut after = None;
    loop {
        let rows = keyring.vault().data_keys(after, ROWS_PER_READ)?;
        let Some(last) = rows.last() else {
            return Ok(unneeded);
        };
        after = Some(last.key_id);
        let of_ledger = rows.into_iter().filter(|row| row.ledger == record.number);
        unneeded.extend(of_ledger.filter(|row| !needed.contains(&row.key_id)));
    }
}
