//! The engine: the ports on SQLite, and the only place that speaks SQL.
//!
//! It knows entries, payloads, tiles, index rows and sealed secrets as bytes; it has no key and
//! opens nothing. Its one write of evidence is [`trailkeep_ports::LedgerStore::commit`]. docs/design.md, "Storage", has
//! the reasons for the files and their settings.
#![forbid(unsafe_code)]

mod sqlite;
#[cfg(feature = "tamper")]
pub mod tamper;

pub use sqlite::Sqlite;

use trailkeep_proof::ids::{LedgerNumber, Seq};

/// Row number of an event: ledger and seq in one integer, so that a ledger's rows stand together.
fn row_number(ledger: LedgerNumber, seq: Seq) -> i64 {
    (i64::from(ledger.get()) << 40) | (seq.get() & Seq::MAX.get()).cast_signed()
}

/// Ledger and seq of a row number.
fn row_place(row: i64) -> (LedgerNumber, Seq) {
    let number = u32::try_from(row >> 40).unwrap_or_default();
    (LedgerNumber::new(number), row_seq(row))
}

/// Seq of a row number.
fn row_seq(row: i64) -> Seq {
    Seq::new(row.cast_unsigned() & Seq::MAX.get())
}
