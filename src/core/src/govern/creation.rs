//! Creating a tenant takes commits of the vault and one of ledger.db. It is noted in the vault before the first of them, so that
//! the next start knows what a crash cut off: it takes that away again, and the name is free. No token of such a tenant was ever
//! shown, and nothing that its key signed ever left the process.

use serde::{Deserialize, Serialize};

use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::Record;
use crate::tenant::DEFAULT_TENANT;
use trailkeep_ports::Ledgers;
use trailkeep_ports::{LedgerRecord, StoreError};
use trailkeep_proof::ids::{LedgerNumber, Seq};

/// A tenant that is being created. Its id is the number of its ledger.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Creation {
    /// The entry of the operator's ledger that states it.
    stated: u64,
    /// The id of its first API key.
    key: String,
}

impl Record for Creation {
    const KIND: &'static str = "founding";
    const WHAT: &'static str = "a tenant that is being created";
}

/// Notes that a ledger is about to be made. On disk when it returns.
pub(crate) fn begin(
    keyring: &Keyring,
    record: &LedgerRecord,
    stated: Seq,
    first_key: &str,
) -> Result<(), KeyError> {
    let creation = Creation {
        stated: stated.get(),
        key: first_key.to_owned(),
    };
    records::put_own(keyring, &record.number.get().to_string(), &creation)
}

/// The ledger is made.
pub(crate) fn end(keyring: &Keyring, record: &LedgerRecord) -> Result<(), KeyError> {
    records::remove_own::<Creation>(keyring, &record.number.get().to_string())
}

/// Takes away what the vault has of tenants whose creation did not come to its end.
pub(crate) fn clean_up(keyring: &Keyring, ledgers: &Ledgers) -> Result<(), KeyError> {
    let noted = records::all_own::<Creation>(keyring)?;
    if noted.is_empty() {
        return Ok(());
    }
    let known = ledgers.ledgers()?;
    for (id, creation) in noted {
        let number = id
            .parse()
            .map_err(|_| KeyError::DoesNotOpen(Creation::WHAT))?;
        let number = LedgerNumber::new(number);
        let is_made = known.iter().any(|record| record.number == number);
        // An older ledger.db than the note's says nothing of whether the ledger was made.
        if !is_made && is_stated(ledgers, &known, creation.stated)? {
            tracing::warn!(
                ledger = number.get(),
                "an interrupted creation of a tenant was rolled back; its name is free"
            );
            keyring.vault().remove_ledger(number, &creation.key)?;
        }
        records::remove_own::<Creation>(keyring, &id)?;
    }
    Ok(())
}

/// Whether the operator's ledger has the entry that states the creation.
fn is_stated(ledgers: &Ledgers, known: &[LedgerRecord], seq: u64) -> Result<bool, StoreError> {
    let operators = known
        .iter()
        .filter(|record| record.tenant.as_str() == DEFAULT_TENANT);
    // Where a recovery closed one, the newest goes on.
    let Some(operator) = operators.max_by_key(|record| record.number) else {
        return Ok(false);
    };
    Ok(ledgers.stored_end(operator.number)? > seq)
}
