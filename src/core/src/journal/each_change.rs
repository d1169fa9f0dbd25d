//! The statements of a ledger that change rows of the vault.

use crate::journal::read::{ReadError, StoredEvent, open_stored};
use crate::keys::keyring::Keyring;
use crate::keys::rows::SECTION;
use crate::short_reads::short_reads;
use crate::tenant::deletion::Tombstones;
use trailkeep_ports::LedgerRecord;
use trailkeep_ports::Ledgers;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::ledger::entry::{Entry, EntryKind};

/// The statements in a range that change the vault, in order.
pub(crate) fn each_change(
    (ledgers, keyring): (&Ledgers, &Keyring),
    record: &LedgerRecord,
    range: std::ops::Range<u64>,
    mut each: impl FnMut(Seq, &StoredEvent),
) -> Result<(), ReadError> {
    // System entries never go.
    let nothing_gone = Tombstones::default();
    for range in short_reads(range) {
        for bytes in ledgers.entries(record.number, range)? {
            let entry = Entry::decode(&bytes).ok();
            let Some(entry) = entry.filter(|entry| entry.kind == EntryKind::System) else {
                continue;
            };
            let opened = open_stored(ledgers, keyring, record, &nothing_gone, entry.seq)?;
            if opened.section(SECTION).is_some() {
                each(entry.seq, &opened);
            }
        }
    }
    Ok(())
}
