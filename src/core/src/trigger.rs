//! Triggers: what happened to a record, such as an audit that was concluded. They start the clocks of all events of
//! that record (section `retention.record`), those that come later too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Engine;
use super::append::{AppendError, append_changing};
use super::keyring::{KeyError, Keyring};
use super::ledger::{Ledger, LedgerKeys};
use super::records::{self, Record};
use super::rows::{Changes, STATED_HERE};
use super::tenant::{ActiveRecord, Tenant};
use trailkeep_crypto::secret::TagLabel;
use trailkeep_policy::clock::is_trigger_name;
use trailkeep_proof::ids::{Tag, hex};
use trailkeep_proof::ledger::action::SystemAction;
use trailkeep_proof::time::UnixMillis;

/// A trigger says what has happened; so far ahead of our clock another one may be.
const SKEW_MAX_MS: u64 = 5 * 60_000;
/// Bytes of a record's name: what the event schema allows.
const RECORD_BYTES_MAX: usize = 1_024;

/// A trigger that fired, as the vault keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Name of the trigger, as in the policies.
    pub name: String,
    /// To which record.
    pub record: String,
    /// When it happened.
    pub at_ms: u64,
    /// When it was recorded.
    pub fired_at_ms: u64,
    /// Id of the API key that told us, or `local`.
    pub by: String,
    /// The entry that records it.
    pub seq: u64,
}

impl Record for Trigger {
    const KIND: &'static str = "trigger";
    const WHAT: &'static str = "a trigger";
    const NAMED_BY_ID: bool = false;
}

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
    engine: &Engine,
    tenant: &Tenant,
    name: &str,
    record: &str,
    at: UnixMillis,
    by: &str,
) -> Result<Trigger, TriggerError> {
    check(engine, name, record, at)?;
    let _one = engine.retention();
    let id = row_id(record_tag(tenant.active(), record), name);
    let active = tenant.active_record().record();
    let known = records::all::<Trigger>(&engine.keyring, active)?;
    if let Some((_, known)) = known.into_iter().find(|(known, _)| *known == id) {
        if known.at_ms > at.get() {
            return Err(TriggerError::Earlier(UnixMillis::new(known.at_ms)));
        }
        if known.at_ms == at.get() {
            return Ok(known);
        }
    }
    let said = json!({"name": name, "at": at.to_string(), "by": by}).to_string();
    let sections: [(&str, &[u8]); 2] = [
        ("action", SystemAction::RetentionTrigger.section()),
        ("trigger", said.as_bytes()),
    ];
    let mut trigger = Trigger {
        name: name.to_owned(),
        record: record.to_owned(),
        at_ms: at.get(),
        fired_at_ms: engine.clock.wall().get(),
        by: by.to_owned(),
        seq: STATED_HERE,
    };
    let mut changes = Changes::default();
    changes.put(&engine.keyring, active, &id, &trigger)?;
    let seq = append_changing(engine, tenant.active(), &sections, changes)
        .map_err(|error| TriggerError::Record(Box::new(error)))?;
    trigger.seq = seq.get();
    Ok(trigger)
}

/// Keeps the triggers of a ledger that was closed with the one that continues it.
pub(super) fn carry_over(
    keyring: &Keyring,
    from: ActiveRecord<'_>,
    to: ActiveRecord<'_>,
) -> Result<(), KeyError> {
    let (from, to) = (from.record(), to.record());
    let keys = LedgerKeys::load(keyring, to)?;
    for (old, trigger) in records::all::<Trigger>(keyring, from)? {
        let tag = keys.index.tag(TagLabel::Record, "", &trigger.record);
        records::put(keyring, to, &row_id(tag, &trigger.name), &trigger)?;
        records::move_away::<Trigger>(keyring, from, &old)?;
    }
    Ok(())
}

/// The triggers of a tenant, by record and name.
pub fn list(engine: &Engine, tenant: &Tenant) -> Result<Vec<Trigger>, KeyError> {
    let active = tenant.active_record().record();
    let mut triggers: Vec<Trigger> = records::all(&engine.keyring, active)?
        .into_iter()
        .map(|(_, trigger)| trigger)
        .collect();
    triggers.sort_by(|one, other| (&one.record, &one.name).cmp(&(&other.record, &other.name)));
    Ok(triggers)
}

/// What happened to each record, by the record's tag.
pub(super) fn by_record(
    keyring: &Keyring,
    tenant: ActiveRecord<'_>,
    tag: impl Fn(&str) -> Tag,
) -> Result<BTreeMap<Tag, BTreeMap<String, UnixMillis>>, KeyError> {
    let mut records: BTreeMap<Tag, BTreeMap<String, UnixMillis>> = BTreeMap::new();
    for (_, trigger) in records::all::<Trigger>(keyring, tenant.record())? {
        let of_record = records.entry(tag(&trigger.record)).or_default();
        of_record.insert(trigger.name, UnixMillis::new(trigger.at_ms));
    }
    Ok(records)
}

/// The keyed tag of a record's name.
pub(super) fn record_tag(ledger: &Ledger, record: &str) -> Tag {
    ledger.index_key.tag(TagLabel::Record, "", record)
}

fn row_id(record: Tag, name: &str) -> String {
    format!("{}-{name}", hex(record.as_bytes()))
}

fn check(engine: &Engine, name: &str, record: &str, at: UnixMillis) -> Result<(), TriggerError> {
    if record.is_empty() || record.len() > RECORD_BYTES_MAX || record.contains(char::is_control) {
        return Err(TriggerError::Wrong(format!(
            "the record must be a line of 1 to {RECORD_BYTES_MAX} bytes, as events name it in `retention.record`"
        )));
    }
    let known: std::collections::BTreeSet<&str> = engine
        .policies
        .iter()
        .flat_map(|policy| policy.triggers())
        .collect();
    if !is_trigger_name(name) || !known.contains(name) {
        let known: Vec<&str> = known.into_iter().collect();
        return Err(TriggerError::Wrong(format!(
            "unknown trigger; triggers are: {}",
            known.join(", ")
        )));
    }
    if at.get() > engine.clock.wall().get().saturating_add(SKEW_MAX_MS) {
        return Err(TriggerError::Wrong(
            "the date is in the future: a trigger fires for something that has happened".to_owned(),
        ));
    }
    Ok(())
}
