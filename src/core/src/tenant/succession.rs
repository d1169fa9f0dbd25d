//! How the ledgers of a tenant follow each other after recoveries.
//!
//! A ledger that was closed takes no entry, so what goes of it is stated in the one that is open then. Its tables name
//! such a statement by where it would stand if all ledgers behind this one were one with it: no two have one name, and
//! each is later than every entry of the closed ledger (docs/design.md, "Closed ledgers").

use crate::keys::keyring::{KeyError, Keyring};
use crate::tenant::superseded_at;
use trailkeep_ports::LedgerRecord;
use trailkeep_proof::ids::Seq;

/// The ledgers behind a closed one, in order; none behind an open one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Succession(Vec<Follower>);

#[derive(Clone, Debug)]
struct Follower {
    record: LedgerRecord,
    /// The name of its entry 0.
    first: u64,
}

impl Succession {
    /// The ledgers of the same tenant that continue this one.
    pub(crate) fn of(keyring: &Keyring, record: &LedgerRecord) -> Result<Self, KeyError> {
        let Some(end) = superseded_at(keyring, record)? else {
            return Ok(Self::default());
        };
        let is_behind = |other: &LedgerRecord| {
            other.tenant == record.tenant && other.origin.generation() > record.origin.generation()
        };
        let mut behind: Vec<LedgerRecord> = keyring.vault().ledgers()?;
        behind.retain(is_behind);
        behind.sort_by_key(|other| other.origin.generation());
        let mut first = end.size();
        let mut followers = Vec::with_capacity(behind.len());
        for record in behind {
            let size = superseded_at(keyring, &record)?.map_or(0, |end| end.size());
            followers.push(Follower { record, first });
            first += size;
        }
        Ok(Self(followers))
    }

    /// The ledgers behind, in order.
    pub(crate) fn records(&self) -> impl Iterator<Item = &LedgerRecord> {
        self.0.iter().map(|follower| &follower.record)
    }

    /// The ledger that goes on today, behind a closed one.
    pub(crate) fn last(&self) -> Option<&LedgerRecord> {
        self.0.last().map(|last| &last.record)
    }

    /// How the closed ledger's tables name entry 0 of the one that goes on.
    pub(crate) fn first(&self) -> u64 {
        self.0.last().map_or(0, |last| last.first)
    }

    /// Which entry of a later ledger is meant; none where it is one of the ledger itself.
    pub(crate) fn find(&self, named: Seq) -> Option<(&LedgerRecord, Seq)> {
        let mut behind = self.0.iter().rev();
        let found = behind.find(|follower| follower.first <= named.get())?;
        Some((&found.record, Seq::new(named.get() - found.first)))
    }
}
