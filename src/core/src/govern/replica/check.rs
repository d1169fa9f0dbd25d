//! Looking at a copy of the vault as a restore would: does every secret in it open?

use std::path::Path;
use std::sync::Arc;

use crate::govern::replica::CopyError;
use crate::govern::rotation::rewrap::place_of;
use crate::keys::keyring::Keyring;
use trailkeep_crypto::epoch::{self, DirectoryId};
use trailkeep_crypto::secret::RootKey;
use trailkeep_ports::{LedgerRecord, SealedTable, Storage, VaultLook};

/// Rows that are read at once.
const ROWS_PER_READ: u32 = 1_000;

/// Opens every secret of a vault that nobody writes to, with the epoch keys that came with it. Gives what the
/// vault says of itself.
pub(crate) fn check_copy(
    storage: &dyn Storage,
    vault: &Path,
    epoch_key: &[u8],
    root: &RootKey,
) -> Result<VaultLook, CopyError> {
    let look = storage.look_at_vault(vault)?;
    let directory = DirectoryId::parse(&look.directory_id)
        .ok_or(CopyError::Damaged("it names no data directory"))?;
    let epochs = epoch::decode(root, directory, &String::from_utf8_lossy(epoch_key))?;
    let (first, last) = match (epochs.first(), epochs.last()) {
        (Some(first), Some(last)) => (first.number.0, last.number.0),
        _ => return Err(CopyError::Damaged("its epoch.key has no key")),
    };
    if look.lowest_epoch < first || look.highest_epoch > last {
        return Err(CopyError::OtherEpoch {
            rows: (look.lowest_epoch, look.highest_epoch),
            keys: (first, last),
        });
    }
    let keyring = Keyring::new(Arc::new(storage.open_vault_copy(vault)?), directory, epochs);
    let ledgers = keyring.vault().ledgers()?;
    for table in SealedTable::ALL {
        check_table(&keyring, &ledgers, table)?;
    }
    Ok(look)
}

fn check_table(
    keyring: &Keyring,
    ledgers: &[LedgerRecord],
    table: SealedTable,
) -> Result<(), CopyError> {
    let mut after = i64::MIN;
    loop {
        let rows = keyring
            .vault()
            .rows_below(table, u32::MAX, after, ROWS_PER_READ)?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.number;
        for row in &rows {
            let place = place_of(ledgers, row)?;
            keyring.unseal(row.epoch, &row.sealed, &place, table.what())?;
        }
    }
}
