//! A copy of the vault that is older than the ledger: what the ledger's statements say of the changes that it lacks is taken over, as
//! far as they say it. They name nobody, so the scope of a hold and the person of a request are not in them.

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
use trailkeep_proof::system::{LackedStatement, SystemEvent, SystemRead};
use trailkeep_proof::time::UnixMillis;

/// Takes over what the statements of an open ledger say that the vault lacks.
pub(super) fn take_over(
    ledgers: &Ledgers,
    keyring: &Keyring,
    record: &LedgerRecord,
) -> Result<Vec<LackedStatement>, RestoreError> {
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
        lacked.push(LackedStatement {
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
    /// None where a later version wrote it, or where it is malformed.
    event: Option<Box<SystemEvent>>,
}

impl Statement {
    fn of(statement: &StoredEvent) -> Self {
        let action = statement.section("action").unwrap_or_default();
        Self {
            action: serde_json::from_slice(action).unwrap_or_default(),
            at_ms: statement.entry.recorded_at.get(),
            event: match statement.system() {
                Ok(SystemRead::Known(event)) => Some(event),
                Ok(SystemRead::Unknown(_)) | Err(_) => None,
            },
        }
    }

    /// Does again what it states; `false` where it does not say enough, or the vault does not know what it is about.
    fn replay(&self, keyring: &Keyring, record: &LedgerRecord, seq: u64) -> Result<bool, KeyError> {
        let at = self.at_ms;
        let active = ActiveRecord::while_restoring(record);
        match self.event.as_deref() {
            Some(SystemEvent::KeyRevoke { key }) => api_key::take_over_revoke(keyring, &key.id, at),
            Some(SystemEvent::HoldLift { hold }) => {
                govern::hold::take_over_lift(keyring, active, &hold.id, (seq, at, &hold.by))
            }
            Some(SystemEvent::TenantSet { tenant }) => {
                govern::settings::take_over(keyring, record, tenant)
            }
            Some(SystemEvent::PricesSet { prices }) => {
                govern::prices::take_over(keyring, record, prices, (seq, at))
            }
            Some(SystemEvent::FiguresName { figures }) => {
                govern::names::take_over(keyring, record, figures, (seq, at))
            }
            Some(SystemEvent::PromptVersion { prompt }) => {
                govern::prompts::take_over_version(keyring, record, prompt, (seq, at))
            }
            Some(SystemEvent::PromptLabel { prompt }) => {
                govern::prompts::take_over_move(keyring, record, prompt, (seq, at))
            }
            Some(SystemEvent::PromptWithdraw { prompt }) => {
                govern::prompts::take_over_end(keyring, record, prompt, (seq, at))
            }
            Some(SystemEvent::PromptErase { prompt }) => {
                govern::prompts::take_over_erasure(keyring, record, prompt, (seq, at))
            }
            Some(SystemEvent::TenantClose { .. }) => {
                govern::settings::take_over_close(keyring, record, at)
            }
            Some(SystemEvent::PrivacyEnd { request }) => {
                requests::take_over_close(keyring, active, &request.name.id, |filed| {
                    filed.end(UnixMillis::new(at), request.decision).is_ok()
                })
            }
            Some(SystemEvent::PrivacyAnswer { answer }) => {
                requests::take_over_close(keyring, active, &answer.name.id, |filed| {
                    filed.answer(UnixMillis::new(at), answer.outcome).is_ok()
                })
            }
            // Nothing of a row is in it.
            Some(SystemEvent::RetentionExpiry { .. }) => Ok(true),
            _ => Ok(false),
        }
    }
}
