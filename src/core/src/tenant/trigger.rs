//! Triggers: what happened to a record, such as an audit that was concluded. They start the clocks of all events of
//! that record (section `retention.record`), those that come later too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::Record;
use crate::tenant::ledger::{Ledger, LedgerKeys};
use crate::tenant::{ActiveRecord, Tenant};
use trailkeep_crypto::secret::TagLabel;
use trailkeep_proof::ids::{Tag, hex};
use trailkeep_proof::time::UnixMillis;

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
    const KIND: &'static str = crate::keys::rows::TRIGGER;
    const WHAT: &'static str = "a trigger";
    const NAMED_BY_ID: bool = false;
}

/// Keeps the triggers of a ledger that was closed with the one that continues it.
pub(crate) fn carry_over(
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
pub fn list(keyring: &Keyring, tenant: &Tenant) -> Result<Vec<Trigger>, KeyError> {
    let active = tenant.active_record().record();
    let mut triggers: Vec<Trigger> = records::all(keyring, active)?
        .into_iter()
        .map(|(_, trigger)| trigger)
        .collect();
    triggers.sort_by(|one, other| (&one.record, &one.name).cmp(&(&other.record, &other.name)));
    Ok(triggers)
}

/// What happened to each record, by the record's tag.
pub(crate) fn by_record(
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
pub(crate) fn record_tag(ledger: &Ledger, record: &str) -> Tag {
    ledger.index_key.tag(TagLabel::Record, "", record)
}

pub(crate) fn row_id(record: Tag, name: &str) -> String {
    format!("{}-{name}", hex(record.as_bytes()))
}
