//! What a run would do at a moment, by class and month: nothing changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::destroy::DeletionError;
use crate::destroy::present::count_present;
use crate::journal::Journal;
use crate::journal::read::entry_at;
use crate::retention::due::{Due, DueClass, due};
use crate::retention::overdue::{Overdue, overdue};
use crate::tenant::Tenant;
use crate::tenant::hold::Holds;
use crate::tenant::ledger::Ledger;
use crate::tenant::rules::Rules;
use trailkeep_proof::ids::{ClassNumber, Seq};
use trailkeep_proof::time::UnixMillis;

/// What a run would do.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The moment.
    pub as_of: String,
    /// Events that would be deleted.
    pub destroyed: u64,
    /// Those of them whose time has not come and that a request for erasure would destroy, such as one that waited
    /// for a hold.
    pub requested: u64,
    /// Events that are due and that a hold keeps.
    pub held: u64,
    /// Open data subject requests whose hold keeps events: their ids.
    pub held_requests: Vec<String>,
    /// Events that are overdue for deletion; null for another time than now.
    pub overdue: Option<Overdue>,
    /// By class.
    pub classes: Vec<ClassPreview>,
    /// Classes whose events wait for a trigger of their record.
    pub awaiting_trigger: Vec<AwaitingTrigger>,
}

/// What a run would do with one class.
#[derive(Clone, Debug)]
pub struct ClassPreview {
    /// Its number.
    pub class: u16,
    /// The ledger that the number belongs to, if it is superseded.
    pub closed_ledger: Option<String>,
    /// Its policies.
    pub policies: Vec<String>,
    /// Events recorded before this time have expired; absent if each event has its own date.
    pub recorded_before: Option<String>,
    /// Events that would be deleted, by month of receipt.
    pub months: BTreeMap<String, u64>,
    /// Overdue events that were under a hold and would be deleted.
    pub released: u64,
    /// Events that are not due and that an erasure request would delete.
    pub requested: u64,
    /// Events that are due and that a hold keeps.
    pub held: u64,
}

/// A class whose events wait.
#[derive(Clone, Debug)]
pub struct AwaitingTrigger {
    /// Its number.
    pub class: u16,
    /// Its policies.
    pub policies: Vec<String>,
    /// Events that wait, or whose clock runs.
    pub events: u64,
    /// When the oldest of them was recorded. Events that have waited for over two years must be reviewed (Art. 5(1)(e) GDPR).
    pub oldest_recorded_at: Option<String>,
    /// Whether it waits for over two years.
    pub review: bool,
}

/// Two years, in days: longer than any that has a leap day.
const REVIEW_AFTER_MS: u64 = 731 * 86_400_000;

/// Tells what a run at a moment would do with the holds as they are, beside what requests would destroy in each ledger.
pub(crate) fn preview(
    journal: &Journal,
    tenant: &Tenant,
    as_of: UnixMillis,
    asked: Vec<(Arc<Ledger>, BTreeSet<Seq>)>,
) -> Result<Preview, DeletionError> {
    let mut preview = Preview {
        as_of: as_of.to_string(),
        destroyed: 0,
        requested: 0,
        held: 0,
        held_requests: Holds::of(&journal.keyring, tenant)?
            .in_force_at(as_of)
            .requests(),
        overdue: None,
        classes: Vec::new(),
        awaiting_trigger: Vec::new(),
    };
    if as_of <= journal.clock.wall() {
        preview.overdue = Some(overdue(journal, tenant)?);
    }
    for (ledger, asked) in asked {
        let holds = Holds::of(&journal.keyring, tenant)?.in_force_at(as_of);
        let due = due(journal, &ledger, &holds, as_of)?;
        preview.destroyed += due.goes();
        preview.held += due.held();
        preview
            .classes
            .extend(due.classes.iter().map(|class| of_class(&ledger, class)));
        preview.classes.extend(of_single(&ledger, &due));
        // What goes by itself is counted once.
        let mut requested = BTreeMap::new();
        for seq in asked {
            let entry = entry_at(journal, &ledger, seq)?;
            if !due.takes(&entry) {
                *requested.entry(entry.class).or_default() += 1;
            }
        }
        for (class, events) in requested {
            preview.destroyed += events;
            preview.requested += events;
            let known = preview.classes.iter_mut();
            let mut row = ClassPreview::of(&ledger, class);
            let is_same = |known: &&mut ClassPreview| {
                (known.class, &known.closed_ledger) == (row.class, &row.closed_ledger)
            };
            if let Some(known) = known.into_iter().find(is_same) {
                known.requested = events;
            } else {
                row.requested = events;
                preview.classes.push(row);
            }
        }
        let waiting = awaiting(journal, &ledger, as_of)?;
        preview.awaiting_trigger.extend(waiting);
    }
    let is_met = |class: &ClassPreview| {
        class.held + class.released + class.requested > 0 || !class.months.is_empty()
    };
    preview.classes.retain(is_met);
    Ok(preview)
}

impl ClassPreview {
    /// A class of which nothing is known yet.
    fn of(ledger: &Ledger, class: ClassNumber) -> Self {
        Self {
            class: class.get(),
            closed_ledger: ledger.is_superseded().then(|| ledger.name().to_owned()),
            policies: policies_of(ledger, class),
            recorded_before: None,
            months: BTreeMap::new(),
            released: 0,
            requested: 0,
            held: 0,
        }
    }
}

fn policies_of(ledger: &Ledger, class: ClassNumber) -> Vec<String> {
    let class = ledger.classes.class(class);
    let policies = class
        .iter()
        .flat_map(|class| &class.definition.key.policies);
    policies.map(|policy| policy.id.clone()).collect()
}

/// Events of a class that go together.
fn of_class(ledger: &Ledger, class: &DueClass) -> ClassPreview {
    ClassPreview {
        recorded_before: Some(class.recorded_before.to_string()),
        months: class.months.clone(),
        released: class.released.len() as u64,
        held: class.held.len() as u64 + class.still_held,
        ..ClassPreview::of(ledger, class.class.number)
    }
}

/// Events that each have a date of their own, by class.
fn of_single(ledger: &Ledger, due: &Due) -> Vec<ClassPreview> {
    let mut classes: BTreeMap<ClassNumber, ClassPreview> = BTreeMap::new();
    for event in due.single.iter().chain(&due.single_held) {
        let class = event.entry.class;
        let of_class = || ClassPreview::of(ledger, class);
        classes.entry(class).or_insert_with(of_class);
    }
    for event in &due.single {
        if let Some(row) = classes.get_mut(&event.entry.class) {
            let month = event.entry.recorded_at.to_string()[..7].to_owned();
            *row.months.entry(month).or_default() += 1;
        }
    }
    for event in &due.single_held {
        if let Some(row) = classes.get_mut(&event.entry.class) {
            row.held += 1;
        }
    }
    classes.into_values().collect()
}

/// The classes that wait for triggers, with their events.
fn awaiting(
    journal: &Journal,
    ledger: &Ledger,
    as_of: UnixMillis,
) -> Result<Vec<AwaitingTrigger>, DeletionError> {
    let mut waiting: BTreeMap<ClassNumber, AwaitingTrigger> = BTreeMap::new();
    let mut start = u64::MAX;
    for class in ledger.classes.all() {
        if Rules::of(ledger, &class)?.waits_for_a_trigger() {
            start = start.min(class.statement.get());
            let policies = policies_of(ledger, class.number);
            let waits = AwaitingTrigger {
                class: class.number.get(),
                policies,
                events: 0,
                oldest_recorded_at: None,
                review: false,
            };
            waiting.insert(class.number, waits);
        }
    }
    let size = ledger.published().head.size;
    count_present(journal, ledger, start..size, |entry| {
        let Some(waits) = waiting.get_mut(&entry.class) else {
            return;
        };
        waits.events += 1;
        if waits.oldest_recorded_at.is_none() {
            waits.oldest_recorded_at = Some(entry.recorded_at.to_string());
            let waited_ms = as_of.get().saturating_sub(entry.recorded_at.get());
            waits.review = waited_ms > REVIEW_AFTER_MS;
        }
    })?;
    Ok(waiting
        .into_values()
        .filter(|waits| waits.events > 0)
        .collect())
}
