//! Changes of the vault whose statement is on its way, noted before it.

use serde::{Deserialize, Serialize};

use crate::keys::keyring::{KeyError, Keyring, with_current_epoch};
use crate::keys::records;
use crate::keys::records::Record;
use crate::keys::rows::Changes;
use trailkeep_crypto::secret::random_bytes;
use trailkeep_ports::LedgerRecord;
use trailkeep_proof::ids::{Seq, hex};

/// Changes whose statement is on its way.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    /// Entries that the ledger had before: the statement is not among them.
    head: u64,
    /// The statement's section, which no other statement has: its salts are random.
    section: String,
    changes: Changes,
}

impl Record for Pending {
    const KIND: &'static str = "pending";
    const WHAT: &'static str = "a change of the vault that is under way";
}

/// A note of what is about to change.
pub(crate) struct Noted {
    id: String,
    pending: Pending,
}

impl Noted {
    /// Notes what a statement of `recorder` is about to change. On disk when it returns.
    pub(crate) fn begin(
        keyring: &Keyring,
        recorder: &LedgerRecord,
        head: u64,
        changes: Changes,
    ) -> Result<Self, KeyError> {
        let noted = Self {
            id: hex(&random_bytes::<8>()?),
            pending: Pending {
                head,
                section: changes.section(recorder.origin.as_str()),
                changes,
            },
        };
        records::put(keyring, recorder, &noted.id, &noted.pending)?;
        Ok(noted)
    }

    /// Those that a ledger's statements left open.
    pub(crate) fn all(keyring: &Keyring, recorder: &LedgerRecord) -> Result<Vec<Self>, KeyError> {
        let all = records::all::<Pending>(keyring, recorder)?.into_iter();
        Ok(all.map(|(id, pending)| Self { id, pending }).collect())
    }

    /// What the statement says.
    pub(crate) fn section(&self) -> &str {
        &self.pending.section
    }

    /// From which entry on the statement may stand.
    pub(crate) const fn from(&self) -> u64 {
        self.pending.head
    }

    /// The statement stands: its rows are taken. On disk when it returns.
    pub(crate) fn finish(
        &self,
        keyring: &Keyring,
        recorder: &LedgerRecord,
        seq: Seq,
    ) -> Result<(), KeyError> {
        let place = (recorder.number, recorder.origin.as_str());
        with_current_epoch(|| {
            let mut rows = self.pending.changes.rows(keyring, place, seq)?;
            let pending = (Pending::KIND.to_owned(), recorder.number, self.id.clone());
            rows.taken.push(pending);
            Ok(keyring.vault().apply(&rows)?)
        })
    }

    /// The statement does not stand: nothing changes.
    pub(crate) fn drop(&self, keyring: &Keyring, recorder: &LedgerRecord) -> Result<(), KeyError> {
        records::remove::<Pending>(keyring, recorder, &self.id)
    }
}
