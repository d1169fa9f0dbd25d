//! What a process may write, and what became of a commit that did not write all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use crate::journal::append::Refusal;
use crate::journal::append::queue::Reply;
use crate::journal::append::writer::{LedgerState, Writer};
use crate::tenant::ledger::Ledger;
use trailkeep_ports::{Claim, Committed, StoreError};
use trailkeep_proof::ids::LedgerNumber;

/// What this process may write: the shards that it took, and the ledgers of them.
pub(crate) struct Shards {
    /// Every commit goes out under these.
    pub(crate) claims: Vec<Claim>,
    /// The ledgers that grow.
    pub(crate) states: HashMap<LedgerNumber, LedgerState>,
    /// Ledgers that take no entry, and of which others state what goes.
    pub(crate) closed: HashMap<LedgerNumber, Arc<Ledger>>,
}

impl Shards {
    pub(crate) const fn new(
        claims: Vec<Claim>,
        states: HashMap<LedgerNumber, LedgerState>,
        closed: HashMap<LedgerNumber, Arc<Ledger>>,
    ) -> Self {
        Self {
            claims,
            states,
            closed,
        }
    }
}

/// Why a commit did not write all.
pub(super) enum Failed {
    /// There is no room: nothing was written, and the writer goes on.
    Full,
    /// Values that its events refer to are not there: nothing was written, and the writer goes on.
    ValuesGone,
    /// Another process writes to the ledgers: nothing was written.
    Fenced(StoreError),
    /// It may be on disk or not.
    Unknown(StoreError),
}

impl Failed {
    pub(super) const fn refusal(&self) -> Refusal {
        match self {
            Self::Full => Refusal::Full,
            Self::ValuesGone => Refusal::LookAgain,
            Self::Fenced(_) => Refusal::Stopped,
            Self::Unknown(_) => Refusal::OutcomeUnknown,
        }
    }
}

impl From<Failed> for Result<(), StoreError> {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Full | Failed::ValuesGone => Ok(()),
            Failed::Fenced(cause) | Failed::Unknown(cause) => Err(cause),
        }
    }
}

/// Answers everybody whose entries were in the commit.
pub(super) fn refuse_commit(replies: Vec<(Reply, Instant)>, refusal: Refusal) {
    for (reply, _) in replies {
        let _ = reply.send(Err(refusal));
    }
}

impl Writer {
    /// Of a commit that did not write all: what became of it.
    pub(super) fn settle(
        &mut self,
        committed: Result<Committed, StoreError>,
    ) -> Result<(), Failed> {
        match committed {
            Ok(Committed::All) => {
                self.room.note_committed();
                Ok(())
            }
            Err(error) if error.is_full() => {
                self.room.note_full();
                Err(Failed::Full)
            }
            // The writer asked before. Somebody else changed the file.
            Err(StoreError::ValuesGone { ledger, values }) => {
                tracing::error!(
                    ledger,
                    "values that events refer to are missing: run `trailkeep verify`"
                );
                self.values.forget(LedgerNumber::new(ledger), values);
                Err(Failed::ValuesGone)
            }
            Ok(Committed::Fenced(fences)) => {
                let cause = fences.into_iter().next().map(|fence| fence.cause);
                Err(Failed::Fenced(cause.unwrap_or(StoreError::Unclaimed)))
            }
            Ok(Committed::Unknown(cause)) => {
                // The writer ends, and the next start reads what is there: nothing of before may come later.
                if let Err(error) = self.ledgers.resolve(&mut self.shards.claims) {
                    tracing::error!(%error, "what became of the last write could not be asked");
                }
                self.shards.claims.clear();
                Err(Failed::Unknown(cause))
            }
            // Nothing was written; a retry with the same id is right in any case.
            Err(error) => Err(Failed::Unknown(error)),
        }
    }
}
