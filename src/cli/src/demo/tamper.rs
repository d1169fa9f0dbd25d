//! What an attacker with the file does: changes a byte behind the store's back.

use std::path::Path;

use rusqlite::{Connection, params};

/// Flips one bit in the middle of the payload of the first ledger's entry `seq`.
pub fn change_one_payload_byte(ledger_db: &Path, seq: u64) -> rusqlite::Result<()> {
    let row = (1_i64 << 40) | seq.cast_signed();
    let connection = Connection::open(ledger_db)?;
    let mut bytes: Vec<u8> =
        connection.query_row("SELECT bytes FROM payload WHERE row = ?1", [row], |found| {
            found.get(0)
        })?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    connection.execute(
        "UPDATE payload SET bytes = ?1 WHERE row = ?2",
        params![bytes, row],
    )?;
    Ok(())
}
