//! Triggers, and what is kept, until when and why: `/v1/triggers`, `/v1/retention/...`.

use axum::Json;
use axum::body::Body;
use serde_json::Value;

use super::auth::{Caller, Identified, may};
use super::body::{moment, read_json};
use super::events::parse_seq;
use super::explained::explanation;
use super::extract::{Path, Query};
use super::problem::Problem;
use super::progress::by_name;
use trailkeep_api::retention::{
    AtTime, AwaitingTrigger, ClassPreview, OverdueEvents, RetentionPreview, RetentionRun,
};
use trailkeep_api::triggers::{ListedTrigger, NewTrigger, TriggerList};
use trailkeep_core::blocking;
use trailkeep_core::destroy::DeletionError;
use trailkeep_core::govern;
use trailkeep_core::govern::trigger::TriggerError;
use trailkeep_core::journal::read::{EventName, find_seq};
use trailkeep_core::ops::run;
use trailkeep_core::retention;
use trailkeep_core::tenant::trigger;
use trailkeep_core::tenant::trigger::Trigger;
use trailkeep_core::tenant::{ReadScope, Tenant};
use trailkeep_proof::time::UnixMillis;

/// Fires a retention trigger, which starts the clocks of all events of its record.
#[utoipa::path(
    post,
    path = "/v1/triggers",
    request_body(content = NewTrigger, example = json!({"name": "audit_concluded", "record": "audit-2026", "at": "2026-11-01T00:00:00Z"})),
    responses((status = 200, description = "The trigger is recorded.", body = ListedTrigger)),
    extensions(("x-trailkeep-problems" = json!(["refused", "unprocessable", "too-large"]))),
)]
pub(super) async fn fire(
    caller: Caller<may::RunRetention, Tenant>,
    body: Body,
) -> Result<Json<ListedTrigger>, Problem> {
    let form =
        "{\"name\":\"audit_concluded\",\"record\":\"audit-2026\",\"at\":\"2027-03-15T00:00:00Z\"}";
    let NewTrigger { name, record, at } = read_json(body, form).await?;
    let at = moment("at", Some(&at))?.unwrap_or(UnixMillis::MAX);
    let caller = caller.identified();
    blocking(move || {
        let Identified { engine, on, .. } = &caller;
        let fired = govern::trigger::fire(&engine.journal, on, &name, &record, at, &caller.key_id)?;
        Ok(Json(listed(&fired)))
    })
    .await
}

/// Lists the fired triggers.
#[utoipa::path(
    get,
    path = "/v1/triggers",
    responses((status = 200, description = "By record and name.", body = TriggerList)),
)]
pub(super) async fn triggers(
    caller: Caller<may::RunRetention, ReadScope>,
) -> Result<Json<TriggerList>, Problem> {
    let caller = caller.identified();
    blocking(move || {
        let triggers = trigger::list(&caller.engine.journal.keyring, caller.on.tenant())?;
        let triggers = triggers.iter().map(listed).collect();
        Ok(Json(TriggerList { triggers }))
    })
    .await
}

fn listed(trigger: &Trigger) -> ListedTrigger {
    ListedTrigger {
        name: trigger.name.clone(),
        record: trigger.record.clone(),
        at: UnixMillis::new(trigger.at_ms).to_string(),
        fired_at: UnixMillis::new(trigger.fired_at_ms).to_string(),
        by: trigger.by.clone(),
        seq: trigger.seq,
    }
}

fn previewed(preview: retention::Preview) -> RetentionPreview {
    let class = |class: retention::ClassPreview| ClassPreview {
        class: class.class,
        closed_ledger: class.closed_ledger,
        policies: class.policies,
        recorded_before: class.recorded_before,
        months: class.months,
        released: class.released,
        requested: class.requested,
        held: class.held,
    };
    let waits = |waits: retention::AwaitingTrigger| AwaitingTrigger {
        class: waits.class,
        policies: waits.policies,
        events: waits.events,
        oldest_recorded_at: waits.oldest_recorded_at,
        review: waits.review,
    };
    RetentionPreview {
        as_of: preview.as_of,
        destroyed: preview.destroyed,
        requested: preview.requested,
        held: preview.held,
        held_requests: preview.held_requests,
        overdue: preview.overdue.map(|overdue| OverdueEvents {
            events: overdue.events,
            since: overdue.since.map(|moment| moment.to_string()),
        }),
        classes: preview.classes.into_iter().map(class).collect(),
        awaiting_trigger: preview.awaiting_trigger.into_iter().map(waits).collect(),
    }
}

fn ran(report: retention::RunReport) -> RetentionRun {
    RetentionRun {
        tenant: report.tenant,
        destroyed: report.destroyed,
        held: report.held,
        statements: report.statements,
        purge_pending: report.purge_pending,
        longest_step_ms: report.longest_step_ms,
    }
}

/// Previews what a run would delete, by class and month. Nothing changes.
#[utoipa::path(
    get,
    path = "/v1/retention/preview",
    params(AtTime),
    responses((status = 200, description = "What would be deleted, and what waits.", body = RetentionPreview)),
)]
pub(super) async fn preview(
    caller: Caller<may::SeeRetention, ReadScope>,
    asked: Result<Query<AtTime>, Problem>,
) -> Result<Json<RetentionPreview>, Problem> {
    let at = at_of(asked)?;
    let caller = caller.identified();
    blocking(move || {
        let Identified { engine, on, .. } = &caller;
        let at = at.unwrap_or_else(|| engine.journal.clock.wall());
        Ok(Json(previewed(run::preview(
            &engine.journal,
            on.tenant(),
            at,
        )?)))
    })
    .await
}

/// Deletes events that are due and not under a hold. A second run changes nothing.
#[utoipa::path(
    post,
    path = "/v1/retention/run",
    responses((status = 200, description = "What was deleted, and the tombstones.", body = RetentionRun)),
)]
pub(super) async fn run(
    caller: Caller<may::RunRetention, Tenant>,
) -> Result<Json<RetentionRun>, Problem> {
    let caller = caller.identified();
    blocking(move || {
        let Identified { engine, on, .. } = &caller;
        Ok(Json(ran(run::run(engine, on, &caller.key_id)?)))
    })
    .await
}

/// Explains why an event is kept, until when and by which citation, or why it was deleted.
#[utoipa::path(
    get,
    path = "/v1/entries/{seq}/retention",
    params(
        ("seq" = u64, Path, description = "Place in the ledger, from 0.", maximum = 1_099_511_627_775_u64, example = 3),
        AtTime,
    ),
    responses((status = 200, description = "The decision of the policies.", body = Value)),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn explain_entry(
    caller: Caller<may::SeeRetention, ReadScope>,
    Path(seq): Path<String>,
    asked: Result<Query<AtTime>, Problem>,
) -> Result<Json<Value>, Problem> {
    let name = EventName::Seq(parse_seq(&seq)?);
    explain(caller.identified(), name, at_of(asked)?).await
}

/// Explains an event by its id.
#[utoipa::path(
    get,
    path = "/v1/events/{id}/retention",
    params(("id" = String, Path, description = "The event's id.", example = "order-17"), AtTime),
    responses((status = 200, description = "The decision of the policies.", body = Value)),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn explain_event(
    caller: Caller<may::SeeRetention, ReadScope>,
    Path(id): Path<String>,
    asked: Result<Query<AtTime>, Problem>,
) -> Result<Json<Value>, Problem> {
    explain(caller.identified(), EventName::Id(id), at_of(asked)?).await
}

async fn explain(
    caller: Identified<ReadScope>,
    name: EventName,
    at: Option<UnixMillis>,
) -> Result<Json<Value>, Problem> {
    blocking(move || {
        let Identified { engine, on, .. } = &caller;
        let ledger = on.ledger();
        let seq = find_seq(&engine.journal, ledger, &ledger.published(), &name)?;
        let at = at.unwrap_or_else(|| engine.journal.clock.wall());
        let explained = run::explain_event(&engine.journal, on, seq, at)?;
        by_name(&explanation(explained)).map(Json)
    })
    .await
}

fn at_of(asked: Result<Query<AtTime>, Problem>) -> Result<Option<UnixMillis>, Problem> {
    let Query(asked) =
        asked.map_err(|_| Problem::bad_request("unknown parameter; the only parameter is `at`"))?;
    moment("at", asked.at.as_deref())
}

impl From<TriggerError> for Problem {
    fn from(error: TriggerError) -> Self {
        match error {
            TriggerError::Wrong(detail) => Self::unprocessable(detail),
            TriggerError::Earlier(_) => Self::refused(error.to_string()),
            TriggerError::Record(error) => (*error).into(),
            TriggerError::Key(error) => error.into(),
        }
    }
}

impl From<DeletionError> for Problem {
    fn from(error: DeletionError) -> Self {
        match error {
            DeletionError::Record(error) => (*error).into(),
            DeletionError::Read(error) => error.into(),
            DeletionError::Clock(_) => Self::unavailable(error.to_string(), 60),
            DeletionError::Paused(..) => Self::refused(error.to_string()),
            error => {
                tracing::error!(%error, "a retention run failed");
                Self::damaged(error.to_string())
            }
        }
    }
}
