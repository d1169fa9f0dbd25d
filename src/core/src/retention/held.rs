//! Placing and lifting holds, between the decisions of runs, and what they cover.

use std::collections::BTreeMap;

use crate::destroy::DeletionError;
use crate::destroy::keys::events_under;
use crate::govern;
use crate::govern::hold::{HoldError, NewHold};
use crate::journal::Journal;
use crate::journal::append::person_tag;
use crate::retention::due;
use crate::retention::due::{facts_of, for_present, is_held};
use crate::tenant::Tenant;
use crate::tenant::hold::{HeldPerson, Hold, HoldScope, Holds};
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::secret::TagLabel;
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::{ClassNumber, Seq};
use trailkeep_proof::ledger::event::Person;

/// Texts that are opened at most to say what a listed hold covers, or what one that covers nothing may have missed.
const TEXTS_MAX: u64 = 100_000;

/// A placed hold, and which events were already deleted.
#[derive(Clone, Debug)]
pub struct PlacedHold {
    /// Its id.
    pub id: String,
    /// The entry that records it.
    pub seq: u64,
    /// When it is due for review.
    pub review_at: Option<String>,
    /// Events that it covers now; it also covers later events that match.
    pub covers_events: u64,
    /// Where it covers none and names a data subject: events about the same id in other namespaces, of the newest
    /// 100,000.
    pub other_namespaces: Option<u64>,
    /// Events that were due for deletion and that the hold keeps now.
    pub late: u64,
    /// Statements by which events were deleted that the hold may have covered.
    pub already_deleted: Vec<TooLate>,
}

/// A deletion before a hold.
#[derive(Clone, Debug)]
pub struct TooLate {
    /// The statement.
    pub statement: u64,
    /// The class that expired.
    pub class: u16,
    /// Up to when.
    pub recorded_before: String,
}

/// Places a hold, between decisions and not during one. With `must_cover` one that covers no event now is refused.
pub fn place_hold(
    journal: &Journal,
    tenant: &Tenant,
    new: NewHold,
    must_cover: bool,
    by: &str,
) -> Result<PlacedHold, RetentionOrHoldError> {
    let _no_run_decides = journal.locks.decision();
    let prepared = govern::hold::prepare(journal, new, by)?;
    let covers_events = covered(journal, tenant, &prepared, u64::MAX)?.unwrap_or_default();
    let other_namespaces = match &prepared.scope.subject {
        Some(person) if covers_events == 0 => Some(in_other_namespaces(journal, tenant, person)?),
        _ => None,
    };
    if must_cover && covers_events == 0 {
        return Err(HoldError::CoversNothing(how_to_go_on(other_namespaces)).into());
    }
    let (id, hold) = govern::hold::place(journal, tenant, prepared)?;
    let now = journal.clock.wall();
    let this = Holds::from_one(&id, &hold);
    let mut late = 0;
    for ledger in tenant.all() {
        late += due::due(journal, ledger, &this, now)?.newly_held();
    }
    Ok(PlacedHold {
        seq: hold.placed_seq,
        review_at: hold.review_at().map(|moment| moment.to_string()),
        covers_events,
        other_namespaces,
        late,
        already_deleted: too_late(journal, tenant.active(), &hold).map_err(DeletionError::from)?,
        id,
    })
}

/// How to go on where a hold would cover nothing, by how many events are about its id in other namespaces.
fn how_to_go_on(other_namespaces: Option<u64>) -> String {
    match other_namespaces.unwrap_or(0) {
        0 => "check its scope".to_owned(),
        1 => "1 event is about the same id in another namespace: give that namespace".to_owned(),
        near => {
            format!("{near} events are about the same id in other namespaces: give one of them")
        }
    }
}

/// How many events a hold covers now, in all ledgers of its tenant; none where so many texts would have to be opened for
/// it that a list should not wait for that.
pub fn covers_events(
    journal: &Journal,
    tenant: &Tenant,
    hold: &Hold,
) -> Result<Option<u64>, DeletionError> {
    covered(journal, tenant, hold, TEXTS_MAX)
}

fn covered(
    journal: &Journal,
    tenant: &Tenant,
    hold: &Hold,
    texts_max: u64,
) -> Result<Option<u64>, DeletionError> {
    let mut events = 0;
    for ledger in tenant.all() {
        let size = ledger.published().head.size;
        let of_index = candidates(journal, ledger, &hold.scope)?;
        if of_index.is_none() && hold.scope.action.is_some() && size > texts_max {
            return Ok(None);
        }
        match of_index {
            Some(seqs) => {
                for seq in seqs {
                    let range = seq.get()..seq.get() + 1;
                    events += count_covered(journal, ledger, hold, range)?;
                }
            }
            None => events += count_covered(journal, ledger, hold, 0..size)?,
        }
    }
    Ok(Some(events))
}

/// The only events that a hold may cover, where the index knows them: those of its data subject or of its action.
fn candidates(
    journal: &Journal,
    ledger: &Ledger,
    scope: &HoldScope,
) -> Result<Option<Vec<Seq>>, DeletionError> {
    if let Some(held) = &scope.subject {
        let person = Person {
            id: held.id.clone(),
            namespace: held.namespace.clone(),
        };
        let tag = person_tag(&ledger.index_key, TagLabel::Subject, &person);
        let (origin, number) = (&ledger.record.origin, ledger.record.number);
        let reference = journal.keyring.stored_person(origin, number, tag)?;
        let Some(reference) = reference else {
            return Ok(Some(Vec::new()));
        };
        return Ok(Some(events_under(journal, ledger, reference.into())?));
    }
    match &scope.action {
        Some(action) if !action.contains('*') => {
            let tag = ledger.index_key.tag(TagLabel::Action, "", action);
            Ok(Some(events_under(journal, ledger, tag.into())?))
        }
        _ => Ok(None),
    }
}

fn count_covered(
    journal: &Journal,
    ledger: &Ledger,
    hold: &Hold,
    range: std::ops::Range<u64>,
) -> Result<u64, DeletionError> {
    let this = Holds::from_one("", hold);
    let mut events = 0;
    for_present(journal, ledger, range, |entry| {
        let Some(class) = ledger.classes.class(entry.class) else {
            return Ok(());
        };
        events += u64::from(is_held(journal, ledger, &this, entry, &class)?);
        Ok(())
    })?;
    Ok(events)
}

/// Events about the same id in another namespace, of the newest.
fn in_other_namespaces(
    journal: &Journal,
    tenant: &Tenant,
    held: &HeldPerson,
) -> Result<u64, DeletionError> {
    let mut events = 0;
    for ledger in tenant.all() {
        let size = ledger.published().head.size;
        let newest = size.saturating_sub(TEXTS_MAX)..size;
        for_present(journal, ledger, newest, |entry| {
            let is_near =
                |person: &Person| person.id == held.id && person.namespace != held.namespace;
            // A text that does not open says nothing here.
            let facts = facts_of(journal, ledger, entry.seq);
            let is_about = facts.is_ok_and(|facts| facts.subjects.iter().any(is_near));
            events += u64::from(is_about);
            Ok(())
        })?;
    }
    Ok(events)
}

/// Lifts a hold. What it kept goes with the next run.
pub fn lift_hold(
    journal: &Journal,
    tenant: &Tenant,
    id: &str,
    reason: &str,
    by: &str,
) -> Result<Hold, HoldError> {
    let _no_run_decides = journal.locks.decision();
    govern::hold::lift(journal, tenant, id, reason, by)
}

/// Why a hold was not placed.
#[derive(Debug, thiserror::Error)]
pub enum RetentionOrHoldError {
    /// The hold is wrong, or was not recorded.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// It is placed; what it came too late for can't be told.
    #[error("the hold is placed; which events were already deleted is unknown: {0}")]
    Retention(#[from] DeletionError),
}

/// The last expiry of each class that a hold may have covered events of.
fn too_late(journal: &Journal, ledger: &Ledger, hold: &Hold) -> Result<Vec<TooLate>, StoreError> {
    let expiries = journal.ledgers.expiries(ledger.record.number)?;
    let mut last: BTreeMap<ClassNumber, TooLate> = BTreeMap::new();
    for row in expiries {
        let class = ledger.classes.class(row.class);
        let is_under = |regime: &String| {
            class.as_ref().is_some_and(|class| {
                let policies = &class.definition.key.policies;
                policies.iter().any(|policy| policy.id == *regime)
            })
        };
        let scope = &hold.scope;
        let reaches = scope
            .from_ms
            .is_none_or(|from| from < row.recorded_before.get());
        if reaches && scope.regime.as_ref().is_none_or(is_under) {
            let said = TooLate {
                statement: row.statement.get(),
                class: row.class.get(),
                recorded_before: row.recorded_before.to_string(),
            };
            last.insert(row.class, said);
        }
    }
    Ok(last.into_values().collect())
}
