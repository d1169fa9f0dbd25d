//! Firing a retention trigger for a record, recorded first.

use crate::journal::Journal;
use crate::journal::append::{AppendError, append_changing};
use crate::keys::keyring::KeyError;
use crate::keys::records;
use crate::keys::rows::{Changes, STATED_HERE};
use crate::tenant::Tenant;
use crate::tenant::trigger::{Trigger, record_tag, row_id};
use trailkeep_policy::clock::is_trigger_name;
use trailkeep_proof::near::suggestion;
use trailkeep_proof::system::{SystemEvent, TriggerSection};
use trailkeep_proof::time::UnixMillis;

/// A trigger says what has happened; so far ahead of our clock another one may be.
const SKEW_MAX_MS: u64 = 5 * 60_000;

/// Bytes of a record's name: what the event schema allows.
const RECORD_BYTES_MAX: usize = 1_024;

/// Why a trigger was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TriggerError {
    /// A part of it is wrong.
    #[error("{0}")]
    Wrong(String),
    /// It fired for this record with a later date.
    #[error(
        "this trigger is already recorded for the record at {0}: an earlier date would shorten retention, and is refused"
    )]
    Earlier(UnixMillis),
    /// It could not be recorded, so it was not done.
    #[error("nothing was changed, because the ledger could not record it: {0}")]
    Record(Box<AppendError>),
    /// The vault failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Starts the clock of all events of a record. Told again with the same date nothing changes; a later date lengthens.
pub fn fire(
    journal: &Journal,
    tenant: &Tenant,
    name: &str,
    record: &str,
    at: UnixMillis,
    by: &str,
) -> Result<Trigger, TriggerError> {
    check(journal, name, record, at)?;
    let _one = journal.locks.decision();
    let id = row_id(record_tag(tenant.active(), record), name);
    let active = tenant.active_record().record();
    let known = records::all::<Trigger>(&journal.keyring, active)?;
    if let Some((_, known)) = known.into_iter().find(|(known, _)| *known == id) {
        if known.at_ms > at.get() {
            return Err(TriggerError::Earlier(UnixMillis::new(known.at_ms)));
        }
        if known.at_ms == at.get() {
            return Ok(known);
        }
    }
    let event = SystemEvent::RetentionTrigger {
        trigger: TriggerSection {
            name: name.to_owned(),
            at: at.to_string(),
            by: by.to_owned(),
        },
    };
    let mut trigger = Trigger {
        name: name.to_owned(),
        record: record.to_owned(),
        at_ms: at.get(),
        fired_at_ms: journal.clock.wall().get(),
        by: by.to_owned(),
        seq: STATED_HERE,
    };
    let mut changes = Changes::default();
    changes.put(&journal.keyring, active, &id, &trigger)?;
    let seq = append_changing(journal, tenant.active(), &event, changes)
        .map_err(|error| TriggerError::Record(Box::new(error)))?;
    trigger.seq = seq.get();
    Ok(trigger)
}

fn check(journal: &Journal, name: &str, record: &str, at: UnixMillis) -> Result<(), TriggerError> {
    if record.is_empty() || record.len() > RECORD_BYTES_MAX || record.contains(char::is_control) {
        return Err(TriggerError::Wrong(format!(
            "the record must be a line of 1 to {RECORD_BYTES_MAX} bytes, as events name it in `retention.record`"
        )));
    }
    let known: std::collections::BTreeSet<&str> = journal
        .policies
        .iter()
        .flat_map(|policy| policy.triggers())
        .collect();
    if !is_trigger_name(name) || !known.contains(name) {
        let known: Vec<&str> = known.into_iter().collect();
        return Err(TriggerError::Wrong(format!(
            "unknown trigger; triggers are: {}{}",
            known.join(", "),
            suggestion(name, known.iter().copied())
        )));
    }
    if at.get() > journal.clock.wall().get().saturating_add(SKEW_MAX_MS) {
        return Err(TriggerError::Wrong(
            "the date is in the future: a trigger fires for something that has happened".to_owned(),
        ));
    }
    Ok(())
}
