//! What an attacker with the file does: changes a byte behind the store's back. For the demo alone.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::row_number;
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::{LedgerNumber, Seq};

/// Flips one bit in the middle of the payload of the first ledger's entry `seq`.
pub fn change_one_payload_byte(ledger_db: &Path, seq: Seq) -> Result<(), StoreError> {
    let row = row_number(LedgerNumber::new(1), seq);
    let change = || -> rusqlite::Result<()> {
        let connection = Connection::open(ledger_db)?;
        let mut bytes: Vec<u8> =
            connection.query_row("SELECT bytes FROM payload WHERE row = ?1", [row], |found| {
                found.get(0)
            })?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let sql = "UPDATE payload SET bytes = ?1 WHERE row = ?2";
        connection.execute(sql, params![bytes, row]).map(drop)
    };
    change().map_err(|error| StoreError::Engine {
        file: "ledger.db",
        error: error.into(),
    })
}
