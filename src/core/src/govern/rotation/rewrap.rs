//! Sealing the vault anew, in chunks, beside the writers.

use crate::failpoint::FailPoint;
use crate::govern::rotation::RotationError;
use crate::journal::Journal;
use crate::keys::keyring::{KeyError, data_key_place, person_place};
use crate::keys::{api_key, records};
use crate::tenant::ledger;
use trailkeep_ports::{LedgerRecord, Rewrapped, SealedPlace, SealedRow, SealedTable};
use trailkeep_proof::ids::LedgerNumber;

/// Rows that one commit seals anew: it holds the vault's writers for a few milliseconds.
const ROWS_PER_CHUNK: u32 = 500;

/// Seals every row that is sealed under an epoch below `epoch` anew, and then ends those epochs: nothing is
/// written under them any more. Gives the number of rows that this call sealed.
pub(super) fn rewrap_vault(
    journal: &Journal,
    epoch: u32,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<u64, RotationError> {
    let vault = journal.keyring.vault();
    let mut done = 0;
    loop {
        let mut total = done;
        for table in SealedTable::ALL {
            total += vault.count_below(table, epoch)?;
        }
        for table in SealedTable::ALL {
            rewrap_table(journal, table, epoch, &mut |rows| {
                done += rows;
                progress(done, total.max(done));
            })?;
        }
        // A row that was sealed before the new epoch and written behind this walk sends it round again.
        if vault.end_epochs_below(epoch)? {
            return Ok(done);
        }
    }
}

fn rewrap_table(
    journal: &Journal,
    table: SealedTable,
    epoch: u32,
    sealed: &mut dyn FnMut(u64),
) -> Result<(), RotationError> {
    let vault = journal.keyring.vault();
    let mut after = i64::MIN;
    loop {
        let rows = vault.rows_below(table, epoch, after, ROWS_PER_CHUNK)?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.number;
        // Read behind the rows, so that a ledger begun meanwhile is known.
        let ledgers = vault.ledgers()?;
        let count = rows.len() as u64;
        let resealed = rows
            .into_iter()
            .map(|row| rewrap_row(journal, &ledgers, table, row))
            .collect::<Result<Vec<_>, KeyError>>()?;
        vault.rewrap(table, &resealed)?;
        sealed(count);
        FailPoint::RotationChunkSealed.reach();
    }
}

fn rewrap_row(
    journal: &Journal,
    ledgers: &[LedgerRecord],
    table: SealedTable,
    row: SealedRow,
) -> Result<Rewrapped, KeyError> {
    let place = place_of(ledgers, &row)?;
    let keyring = &journal.keyring;
    let secret = keyring.unseal(row.epoch, &row.sealed, &place, table.what())?;
    let (epoch, sealed) = keyring.seal(&secret, &place)?;
    Ok(Rewrapped {
        before: row,
        epoch,
        sealed,
    })
}

/// What the sealing of a row is bound to.
pub(crate) fn place_of(ledgers: &[LedgerRecord], row: &SealedRow) -> Result<String, KeyError> {
    let origin = if row.ledger == LedgerNumber::new(0) {
        ""
    } else {
        let named = ledgers.iter().find(|ledger| ledger.number == row.ledger);
        named
            .ok_or(KeyError::DoesNotOpen("a ledger without a name"))?
            .origin
            .as_str()
    };
    Ok(match &row.place {
        SealedPlace::Person => person_place(origin),
        SealedPlace::DataKey {
            key_id,
            class,
            period,
        } => data_key_place(origin, *key_id, *class, period),
        SealedPlace::LedgerSecret { kind, key_id } => ledger::secret_place(origin, kind, *key_id),
        SealedPlace::ApiKey { id } => api_key::place(id),
        SealedPlace::Record { kind, id } => records::place(kind, origin, id),
    })
}
