//! A copy of the vault that is older than the ledger: what the ledger's statements say of the changes that it lacks is taken over, as
//! far as they say it. They name nobody, so the scope of a hold and the person of a request are not in them.

use serde::Serialize;
use serde_json::Value;

use crate::govern;
use crate::journal::append::Newest;
use crate::journal::each_change::each_change;
use crate::journal::read::StoredEvent;
use crate::keys::api_key;
use crate::keys::keyring::{KeyError, Keyring};
use crate::ops::open::end_pending;
use crate::ops::restore::RestoreError;
use crate::requests;
use crate::tenant::ActiveRecord;
use crate::tenant::ledger::LedgerKeys;
use trailkeep_ports::Ledgers;
use trailkeep_ports::{AppliedRows, LedgerRecord};
use trailkeep_proof::ledger::action::SystemAction;

/// A statement whose change the vault lacked.
#[derive(Clone, Debug, Serialize)]
pub struct Lacked {
    /// Its ledger.
    pub origin: String,
    /// Its entry.
    pub seq: u64,
    /// What it states.
    pub action: String,
    /// Whether the statement says enough to be taken over.
    pub taken_over: bool,
}

/// Takes over what the statements of an open ledger say that the vault lacks.
pub(super) fn take_over(
    ledgers: &Ledgers,
    keyring: &Keyring,
    record: &LedgerRecord,
) -> Result<Vec<Lacked>, RestoreError> {
    let Some(head) = ledgers.checkpoint(record.number)? else {
        return Ok(Vec::new());
    };
    let keys = LedgerKeys::load(keyring, record)?;
    keyring.add_system_key(&keys.system);
    end_pending((ledgers, keyring), record, head.size)?;
    let applied = keyring.vault().applied(record.number)?;
    if matches!(Newest::of(&head, &keys.system), Newest::Known(newest) if newest <= applied) {
        return Ok(Vec::new());
    }
    let from = applied.map_or(0, |applied| applied.get() + 1);
    let mut statements = Vec::new();
    let both = (ledgers, keyring);
    each_change(both, record, from..head.size, |seq, statement| {
        statements.push((seq, Statement::of(statement)));
    })
    .map_err(crate::ops::open::OpenError::from)?;
    let mut lacked = Vec::new();
    for (seq, statement) in &statements {
        let taken_over = statement.replay(keyring, record, seq.get())?;
        lacked.push(Lacked {
            origin: record.origin.to_string(),
            seq: seq.get(),
            action: statement.action.clone(),
            taken_over,
        });
    }
    if let Some((last, _)) = statements.last() {
        keyring.vault().apply(&AppliedRows {
            ledger: record.number,
            seq: *last,
            records: Vec::new(),
            api_keys: Vec::new(),
            taken: Vec::new(),
        })?;
    }
    Ok(lacked)
}

/// What a statement says, as far as it is taken over.
struct Statement {
    action: String,
    at_ms: u64,
    said: Value,
}

impl Statement {
    fn of(statement: &StoredEvent) -> Self {
        let read = |name: &str| -> Value {
            let bytes = statement.section(name).unwrap_or_default();
            serde_json::from_slice(bytes).unwrap_or_default()
        };
        let names = ["key", "hold", "tenant", "request", "answer"];
        let said = names.into_iter().map(read).find(|said| !said.is_null());
        Self {
            action: read("action").as_str().unwrap_or_default().to_owned(),
            at_ms: statement.entry.recorded_at.get(),
            said: said.unwrap_or_default(),
        }
    }

    /// Does again what it states; `false` where it does not say enough, or the vault does not know what it is about.
    fn replay(&self, keyring: &Keyring, record: &LedgerRecord, seq: u64) -> Result<bool, KeyError> {
        let id = self.said["id"].as_str().unwrap_or_default();
        let at = self.at_ms;
        let active = ActiveRecord::while_restoring(record);
        let Some(action) = SystemAction::parse(&self.action) else {
            return Ok(false);
        };
        match action {
            SystemAction::KeyRevoke => api_key::take_over_revoke(keyring, id, at),
            SystemAction::HoldLift => {
                let by = self.said["by"].as_str().unwrap_or_default();
                govern::hold::take_over_lift(keyring, active, id, (seq, at, by))
            }
            SystemAction::TenantSet => govern::settings::take_over(keyring, record, &self.said),
            SystemAction::TenantClose => govern::settings::take_over_close(keyring, record, at),
            SystemAction::PrivacyEnd | SystemAction::PrivacyAnswer => {
                requests::take_over_close(keyring, active, id, (at, &self.said))
            }
            // Nothing of a row is in it.
            SystemAction::RetentionExpiry => Ok(true),
            _ => Ok(false),
        }
    }
}
