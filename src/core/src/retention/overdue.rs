//! What should be gone: events whose time has come, that no hold keeps, and that no run has destroyed yet.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::destroy::DeletionError;
use crate::journal::Journal;
use crate::journal::read::{ReadError, entry_at};
use crate::retention::Retention;
use crate::retention::due::{Due, DueClass, due, facts_of};
use crate::retention::single::due_since;
use crate::tenant::Tenant;
use crate::tenant::hold::Holds;
use crate::tenant::ledger::Ledger;
use crate::tenant::rules::Rules;
use trailkeep_proof::ids::{LedgerNumber, Seq};
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::time::UnixMillis;

/// For how long an answer to metrics stands: it is asked for many times a minute, and looks at all that became due.
const KEPT_MS: u64 = 10 * 60_000;

/// Overdue events of a tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overdue {
    /// How many.
    pub events: u64,
    /// When the oldest of them should have been deleted.
    pub since: Option<UnixMillis>,
}

/// The last answers, by ledger.
#[derive(Default)]
pub(super) struct OverdueCache(Mutex<HashMap<LedgerNumber, (UnixMillis, Overdue)>>);

impl Overdue {
    fn add(&mut self, since: UnixMillis) {
        self.since = Some(self.since.map_or(since, |oldest| oldest.min(since)));
    }
}

/// The overdue events of a tenant, as they were at most some minutes ago.
pub fn recently_overdue(retention: &Retention, tenant: &Tenant) -> Result<Overdue, DeletionError> {
    let now = retention.deletions.journal.clock.wall();
    let number = tenant.active().record.number;
    let cache = &retention.overdue.0;
    let known = cache.lock().get(&number).copied();
    if let Some((at, overdue)) = known
        && (at.get()..at.get().saturating_add(KEPT_MS)).contains(&now.get())
    {
        return Ok(overdue);
    }
    let overdue = overdue(&retention.deletions.journal, tenant)?;
    let mut cache = cache.lock();
    cache.insert(number, (now, overdue));
    Ok(overdue)
}

/// Forgets the answers, since a run changed them.
pub(crate) fn forget(retention: &Retention) {
    let mut cache = retention.overdue.0.lock();
    cache.clear();
}

/// The overdue events of a tenant, in its superseded ledgers too.
pub fn overdue(journal: &Journal, tenant: &Tenant) -> Result<Overdue, DeletionError> {
    let now = journal.clock.wall();
    let mut overdue = Overdue::default();
    for ledger in tenant.all() {
        let holds = Holds::of(&journal.keyring, tenant)?.in_force();
        let due = due(journal, ledger, &holds, now)?;
        overdue.events += due.goes();
        for since in oldest(journal, ledger, &due, now)? {
            overdue.add(since);
        }
    }
    Ok(overdue)
}

/// Since when the oldest events of each class are due: what a hold kept counts from its lifting.
fn oldest(
    journal: &Journal,
    ledger: &Ledger,
    due: &Due,
    now: UnixMillis,
) -> Result<Vec<UnixMillis>, DeletionError> {
    let holds = Holds::load(&journal.keyring, ledger.active_record())?;
    let any_lifted = holds.iter().any(|(_, hold)| hold.lifted.is_some());
    let since = |entry: &Entry, since: UnixMillis| {
        if any_lifted {
            lifted_after(journal, ledger, &holds, entry, since)
        } else {
            Ok(since)
        }
    };
    let mut found = Vec::new();
    for DueClass {
        class,
        oldest,
        released,
        ..
    } in &due.classes
    {
        let rules = Rules::of(ledger, class)?;
        let seqs: Vec<Seq> = oldest.iter().chain(released.first()).copied().collect();
        for seq in seqs {
            let entry = entry_at(journal, ledger, seq)?;
            if let Some(due) = due_since(&rules, &entry, None, now) {
                found.push(since(&entry, due)?);
            }
        }
    }
    if let Some(event) = due.single.iter().min_by_key(|event| event.since) {
        found.push(since(&event.entry, event.since)?);
    }
    Ok(found)
}

/// A moment, or the later one at which the last hold that covered an event was lifted.
fn lifted_after(
    journal: &Journal,
    ledger: &Ledger,
    holds: &Holds,
    entry: &Entry,
    since: UnixMillis,
) -> Result<UnixMillis, DeletionError> {
    let Some(class) = ledger.classes.class(entry.class) else {
        return Ok(since);
    };
    let facts = || facts_of(journal, ledger, entry.seq);
    let covering = match holds.covering(entry, &class, facts) {
        Ok(covering) => covering,
        Err(ReadError::Store(error)) => return Err(error.into()),
        // A text that does not open is due since its date.
        Err(_) => return Ok(since),
    };
    let lifted = covering.iter().filter_map(|(_, hold)| hold.lifted.as_ref());
    let lifted = lifted.map(|lifted| UnixMillis::new(lifted.at_ms)).max();
    Ok(lifted.map_or(since, |lifted| lifted.max(since)))
}
