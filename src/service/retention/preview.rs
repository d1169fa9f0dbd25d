//! What a run would do at a moment, by class and month: nothing changes.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::RetentionError;
use super::carry_out::count_present;
use super::due::due;
use super::rules::Rules;
use crate::ids::ClassNumber;
use crate::service::Engine;
use crate::service::hold::Holds;
use crate::service::ledger::Ledger;
use crate::time::UnixMillis;

/// What a run would do.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RetentionPreview)]
pub struct Preview {
    /// The moment.
    pub as_of: String,
    /// Events that would be destroyed.
    pub destroyed: u64,
    /// Events whose time has come and that a hold keeps.
    pub held: u64,
    /// By class.
    pub classes: Vec<ClassPreview>,
    /// Classes whose events wait for something that happens to their records.
    pub awaiting_trigger: Vec<AwaitingTrigger>,
}

/// What a run would do with one class.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClassPreview {
    /// Its number.
    pub class: u16,
    /// The ledger that numbers it so, where a recovery closed that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_ledger: Option<String>,
    /// Its policies.
    pub policies: Vec<String>,
    /// Events recorded before this moment have expired.
    pub recorded_before: Option<String>,
    /// Events that would be destroyed, by month of receipt.
    pub months: BTreeMap<String, u64>,
    /// Events of earlier times that a hold kept and that would go.
    pub released: u64,
    /// Events whose time has come and that a hold keeps.
    pub held: u64,
}

/// A class whose events wait.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AwaitingTrigger {
    /// Its number.
    pub class: u16,
    /// Its policies.
    pub policies: Vec<String>,
    /// Events that wait, or whose clock runs.
    pub events: u64,
    /// When the oldest of them was recorded: what waits for over two years is to be reviewed (Art. 5(1)(e) GDPR).
    pub oldest_recorded_at: Option<String>,
    /// Whether it waits for over two years.
    pub review: bool,
}

/// Two years, in days: longer than any that has a leap day.
const REVIEW_AFTER_MS: u64 = 731 * 86_400_000;

/// Tells what a run at a moment would do with the holds as they are.
pub fn preview(
    engine: &Engine,
    ledger: &Ledger,
    as_of: UnixMillis,
) -> Result<Preview, RetentionError> {
    let mut preview = Preview {
        as_of: as_of.to_string(),
        destroyed: 0,
        held: 0,
        classes: Vec::new(),
        awaiting_trigger: Vec::new(),
    };
    for ledger in engine.ledgers_of(ledger) {
        let holds = Holds::load(&engine.keyring, ledger.desk())?.in_force();
        let due = due(engine, &ledger, &holds, as_of)?;
        preview.destroyed += due.by_trigger.len() as u64;
        preview.held += due.held();
        for class in &due.classes {
            preview.destroyed += class.goes();
            let closed = ledger.is_closed().then(|| ledger.name().to_owned());
            preview.classes.push(ClassPreview {
                class: class.class.number.get(),
                closed_ledger: closed,
                policies: policies_of(class.class.definition.key.policies.iter()),
                recorded_before: Some(class.recorded_before.to_string()),
                months: class.months.clone(),
                released: class.released.len() as u64,
                held: class.held.len() as u64 + class.still_held,
            });
        }
        let waiting = awaiting(engine, &ledger, as_of)?;
        preview.awaiting_trigger.extend(waiting);
    }
    let is_met =
        |class: &ClassPreview| class.held > 0 || class.released > 0 || !class.months.is_empty();
    preview.classes.retain(is_met);
    Ok(preview)
}

fn policies_of<'a>(policies: impl Iterator<Item = &'a crate::policy::ClassPolicy>) -> Vec<String> {
    policies.map(|policy| policy.id.clone()).collect()
}

/// The classes that wait for triggers, with their events.
fn awaiting(
    engine: &Engine,
    ledger: &Ledger,
    as_of: UnixMillis,
) -> Result<Vec<AwaitingTrigger>, RetentionError> {
    let mut waiting: BTreeMap<ClassNumber, AwaitingTrigger> = BTreeMap::new();
    let mut start = u64::MAX;
    for class in ledger.classes.all() {
        if Rules::of(ledger, &class)?.waits_for_a_trigger() {
            start = start.min(class.statement.get());
            let policies = policies_of(class.definition.key.policies.iter());
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
    count_present(engine, ledger, start..size, |entry| {
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
