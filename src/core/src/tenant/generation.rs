//! What a ledger knows of its place among the generations: whether it is superseded, by which one, and how its tables name
//! what its successors state of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::Record;
use crate::tenant::Succession;
use crate::tenant::ledger::Ledger;
use trailkeep_ports::{LedgerRecord, StoredCheckpoint, SupersededLedger};
use trailkeep_proof::ids::Seq;

/// Where a recovery closed a ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SupersededAt {
    pub(crate) size: u64,
    pub(crate) root: String,
    pub(crate) seen: u64,
    pub(crate) at_ms: u64,
}

impl Record for SupersededAt {
    const KIND: &'static str = "closed-ledger";
    const WHAT: &'static str = "the note of a closed ledger";
}

impl SupersededAt {
    /// Entries that it has.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// A superseded ledger never grows.
    pub(crate) fn check(&self, head: &StoredCheckpoint) -> Result<(), &'static str> {
        if head.size == self.size && head.root.to_string() == self.root {
            Ok(())
        } else {
            Err("it is superseded, and was changed since")
        }
    }
}

/// Where a ledger was closed; none of the active one.
pub(crate) fn superseded_at(
    keyring: &Keyring,
    ledger: &LedgerRecord,
) -> Result<Option<SupersededAt>, KeyError> {
    let end = records::all::<SupersededAt>(keyring, ledger)?.pop();
    Ok(end.map(|(_, end)| end))
}

/// The ledger under which the vault keeps a tenant's holds, triggers and requests: the active one. That it is so, only
/// this room says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActiveRecord<'a>(&'a LedgerRecord);

impl<'a> ActiveRecord<'a> {
    /// The record.
    pub(crate) const fn record(self) -> &'a LedgerRecord {
        self.0
    }

    /// The active ledger of a directory that is being restored, or the one that is about to be superseded.
    pub(crate) const fn while_restoring(record: &'a LedgerRecord) -> Self {
        Self(record)
    }

    /// The ledger itself, or, where it is superseded, the last of its successors.
    pub(crate) fn behind(record: &'a LedgerRecord, succession: &'a Succession) -> Self {
        Self(succession.last().unwrap_or(record))
    }
}

/// What continues a superseded ledger.
pub(crate) struct Successor {
    active: Arc<Ledger>,
    succession: Succession,
}

impl Ledger {
    /// Whether a recovery superseded it: it takes no entry and signs no head any more.
    pub fn is_superseded(&self) -> bool {
        self.successor.get().is_some()
    }

    /// The ledger that records what is done with this one: itself, or the active one of its tenant.
    pub(crate) fn recorder(&self) -> &Self {
        self.successor.get().map_or(self, |next| &next.active)
    }

    /// Under which ledger the vault keeps the tenant's holds, triggers and requests.
    pub(crate) fn active_record(&self) -> ActiveRecord<'_> {
        ActiveRecord(&self.recorder().record)
    }

    /// Says that a recovery superseded it, and what continues it.
    pub(crate) fn supersede(&self, active: Arc<Self>, succession: Succession) {
        // A second call says the same.
        let _ = self.successor.set(Successor { active, succession });
    }

    /// How what its recorder states of it is told apart from what that states of itself; none of the active ledger.
    pub(crate) fn as_superseded(&self) -> Option<SupersededLedger> {
        self.successor.get().map(|next| SupersededLedger {
            number: self.record.number,
            first: next.succession.first(),
        })
    }

    /// How its tables name an entry of its recorder.
    pub(crate) fn name_of(&self, recorded: Seq) -> Seq {
        let first = self.as_superseded().map_or(0, |closed| closed.first);
        Seq::new(first + recorded.get())
    }

    /// Where an entry stands that its tables name: in itself, or in a ledger that continues it.
    pub fn place_of(&self, named: Seq) -> (&LedgerRecord, Seq) {
        let next = self.successor.get();
        let found = next.and_then(|next| next.succession.find(named));
        found.unwrap_or((&self.record, named))
    }

    /// Its name among those of its tenant, and in paths.
    pub fn name(&self) -> &str {
        self.record.origin.ledger_name()
    }
}
