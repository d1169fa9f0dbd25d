//! The signed head of each ledger.

use rusqlite::OptionalExtension;

use super::Ledgers;
use trailkeep_ports::{StoreError, StoredCheckpoint};
use trailkeep_proof::ids::{LedgerNumber, RootHash};

impl Ledgers {
    /// The last signed head of a ledger; none before its genesis.
    pub fn checkpoint(&self, ledger: LedgerNumber) -> Result<Option<StoredCheckpoint>, StoreError> {
        let found = self.database.read(|tx| {
            tx.prepare_cached("SELECT size, root, note, stated FROM checkpoint WHERE ledger = ?1")?
                .query_row([ledger.get()], |row| {
                    let root = RootHash::from_slice(&row.get::<_, Vec<u8>>(1)?);
                    let (size, note, stated) = (row.get(0)?, row.get(2)?, row.get(3)?);
                    let head = |root| StoredCheckpoint {
                        size,
                        root,
                        note,
                        stated,
                    };
                    Ok(root.map(head))
                })
                .optional()
        })?;
        found
            .map(|head| head.ok_or_else(|| self.damaged("has a root of a wrong length")))
            .transpose()
    }
}
