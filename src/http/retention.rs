//! Holds, triggers, and expiry: `/v1/holds`, `/v1/triggers`, `/v1/retention/...`.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Query, rejection::QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::auth::{Caller, Identified, may};
use super::events::parse_seq;
use super::problem::Problem;
use crate::service::access_log::{AccessRecord, record_read};
use crate::service::blocking;
use crate::service::hold::{HeldPerson, Hold, HoldError, HoldScope, Holds, NewHold, REVIEW_EVERY};
use crate::service::read::{EventName, find_seq};
use crate::service::retention::{self, RetentionError, RetentionOrHoldError};
use crate::service::trigger::{self, Trigger, TriggerError};
use crate::time::UnixMillis;

const BODY_BYTES_MAX: usize = 16 << 10;

/// A hold that is to be placed. It covers what every given part fits, what comes later too.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HoldForm {
    matter: String,
    reason: String,
    subject: Option<HeldPerson>,
    regime: Option<String>,
    action: Option<String>,
    from: Option<String>,
    to: Option<String>,
    review: Option<String>,
}

/// `POST /v1/holds`: places a hold.
pub(super) async fn place(
    caller: Caller<may::ManageHolds>,
    body: Body,
) -> Result<Response, Problem> {
    let asked: HoldForm = read(
        body,
        "{\"matter\",\"reason\",\"subject\":{\"id\",\"namespace\"},\"regime\",\"action\",\"from\",\"to\",\"review\"}, of which matter and reason must be there",
    )
    .await?;
    let new = NewHold {
        matter: asked.matter,
        reason: asked.reason,
        scope: HoldScope {
            subject: asked.subject,
            regime: asked.regime,
            action: asked.action,
            from_ms: moment("from", asked.from.as_deref())?.map(UnixMillis::get),
            to_ms: moment("to", asked.to.as_deref())?.map(UnixMillis::get),
        },
        review_every: asked.review.unwrap_or_else(|| REVIEW_EVERY.to_owned()),
    };
    let caller = caller.identified();
    let placed = blocking(move || {
        retention::place_hold(&caller.engine, &caller.ledger, new, &caller.key_id)
    });
    Ok((StatusCode::CREATED, Json(placed.await?)).into_response())
}

/// `GET /v1/holds`: all holds, those too that were lifted in the last 30 days. It shows persons, so it is recorded.
pub(super) async fn list(caller: Caller<may::ManageHolds>) -> Result<Json<Value>, Problem> {
    let caller = caller.identified();
    blocking(move || {
        let Identified { engine, ledger, .. } = &caller;
        let now = engine.clock.wall();
        let holds = Holds::load(&engine.keyring, &ledger.record)?;
        let holds: Vec<Value> = holds
            .iter()
            .map(|(id, hold)| listed(id, hold, now))
            .collect();
        let read = AccessRecord {
            by: &caller.key_id,
            route: "/v1/holds",
            question: "",
            filters: Vec::new(),
            purpose: caller.purpose.as_deref(),
            events: 0,
            seq: None,
            persons: Vec::new(),
        };
        record_read(engine, ledger, &read)?;
        Ok(Json(json!({ "holds": holds })))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LiftForm {
    reason: String,
}

/// `POST /v1/holds/{id}/lift`: ends a hold. What it kept beyond its time goes with the next run.
pub(super) async fn lift(
    caller: Caller<may::ManageHolds>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let asked: LiftForm = read(body, "{\"reason\":\"...\"}").await?;
    let caller = caller.identified();
    blocking(move || {
        let Identified { engine, ledger, .. } = &caller;
        let hold = retention::lift_hold(engine, ledger, &id, &asked.reason, &caller.key_id)?;
        Ok(Json(listed(&id, &hold, engine.clock.wall())))
    })
    .await
}

fn listed(id: &str, hold: &Hold, now: UnixMillis) -> Value {
    let text = |millis: u64| UnixMillis::new(millis).to_string();
    let review_at = hold.review_at();
    let is_active = hold.lifted.is_none();
    json!({
        "id": id,
        "matter": hold.matter,
        "reason": hold.reason,
        "subject": hold.scope.subject,
        "regime": hold.scope.regime,
        "action": hold.scope.action,
        "from": hold.scope.from_ms.map(text),
        "to": hold.scope.to_ms.map(text),
        "placed_at": text(hold.placed_at_ms),
        "placed_by": hold.placed_by,
        "placed_seq": hold.placed_seq,
        "review_at": review_at.map(|moment| moment.to_string()),
        "review_is_due": is_active && review_at.is_some_and(|moment| moment <= now),
        "lifted": hold.lifted.as_ref().map(|lifted| json!({
            "at": text(lifted.at_ms),
            "by": lifted.by,
            "reason": lifted.reason,
            "seq": lifted.seq,
        })),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TriggerForm {
    name: String,
    record: String,
    at: String,
}

/// `POST /v1/triggers`: says what happened to a record, and so starts the clocks of its events.
pub(super) async fn fire(
    caller: Caller<may::RunRetention>,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let asked: TriggerForm = read(
        body,
        "{\"name\":\"audit_concluded\",\"record\":\"audit-2026\",\"at\":\"2027-03-15T00:00:00Z\"}",
    )
    .await?;
    let at =
        moment("at", Some(&asked.at))?.ok_or_else(|| Problem::bad_request("`at` is missing"))?;
    let caller = caller.identified();
    blocking(move || {
        let Identified { engine, ledger, .. } = &caller;
        let fired = trigger::fire(
            engine,
            ledger,
            &asked.name,
            &asked.record,
            at,
            &caller.key_id,
        )?;
        Ok(Json(listed_trigger(&fired)))
    })
    .await
}

/// `GET /v1/triggers`: what happened to which record.
pub(super) async fn triggers(caller: Caller<may::RunRetention>) -> Result<Json<Value>, Problem> {
    let caller = caller.identified();
    blocking(move || {
        let triggers = trigger::list(&caller.engine, &caller.ledger)?;
        let triggers: Vec<Value> = triggers.iter().map(listed_trigger).collect();
        Ok(Json(json!({ "triggers": triggers })))
    })
    .await
}

fn listed_trigger(trigger: &Trigger) -> Value {
    json!({
        "name": trigger.name,
        "record": trigger.record,
        "at": UnixMillis::new(trigger.at_ms).to_string(),
        "fired_at": UnixMillis::new(trigger.fired_at_ms).to_string(),
        "by": trigger.by,
        "seq": trigger.seq,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AtForm {
    #[serde(alias = "as_of")]
    at: Option<String>,
}

/// `GET /v1/retention/preview`: what a run would do, by class and month. Nothing changes.
pub(super) async fn preview(
    caller: Caller<may::SeeRetention>,
    asked: Result<Query<AtForm>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let at = at_of(asked)?;
    let caller = caller.identified();
    blocking(move || {
        let Identified { engine, ledger, .. } = &caller;
        let at = at.unwrap_or_else(|| engine.clock.wall());
        Ok(Json(json!(retention::preview(engine, ledger, at)?)))
    })
    .await
}

/// `POST /v1/retention/run`: destroys what is due.
pub(super) async fn run(caller: Caller<may::RunRetention>) -> Result<Json<Value>, Problem> {
    let caller = caller.identified();
    blocking(move || {
        let Identified { engine, ledger, .. } = &caller;
        Ok(Json(json!(retention::run(engine, ledger, &caller.key_id)?)))
    })
    .await
}

/// `GET /v1/entries/{seq}/retention`: why an event is kept, until when, by which citation; or what became of it.
pub(super) async fn explain_entry(
    caller: Caller<may::SeeRetention>,
    Path(seq): Path<String>,
    asked: Result<Query<AtForm>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let name = EventName::Seq(parse_seq(&seq)?);
    explain(caller.identified(), name, at_of(asked)?).await
}

/// `GET /v1/events/{id}/retention`.
pub(super) async fn explain_event(
    caller: Caller<may::SeeRetention>,
    Path(id): Path<String>,
    asked: Result<Query<AtForm>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    explain(caller.identified(), EventName::Id(id), at_of(asked)?).await
}

async fn explain(
    caller: Identified,
    name: EventName,
    at: Option<UnixMillis>,
) -> Result<Json<Value>, Problem> {
    blocking(move || {
        let Identified { engine, ledger, .. } = &caller;
        let seq = find_seq(engine, ledger, &ledger.published(), &name)?;
        let at = at.unwrap_or_else(|| engine.clock.wall());
        Ok(Json(retention::explain_event(engine, ledger, seq, at)?))
    })
    .await
}

fn at_of(asked: Result<Query<AtForm>, QueryRejection>) -> Result<Option<UnixMillis>, Problem> {
    let Query(asked) = asked.map_err(|_| Problem::bad_request("`at` is the only parameter"))?;
    moment("at", asked.at.as_deref())
}

async fn read<T: DeserializeOwned>(body: Body, form: &str) -> Result<T, Problem> {
    let body = to_bytes(body, BODY_BYTES_MAX).await;
    let body = body.map_err(|_| Problem::too_large("the body is larger than 16 KiB"))?;
    serde_json::from_slice(&body)
        .map_err(|_| Problem::bad_request(format!("the body must be {form}")))
}

fn moment(name: &str, text: Option<&str>) -> Result<Option<UnixMillis>, Problem> {
    let wrong = || {
        Problem::bad_request(format!(
            "`{name}` must be an RFC 3339 time such as 2026-11-24T09:30:00Z (in a URL write + as %2B)"
        ))
    };
    text.map(|text| UnixMillis::parse_rfc3339(text).ok_or_else(wrong))
        .transpose()
}

impl From<HoldError> for Problem {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::Wrong(detail) => Self::unprocessable(detail),
            HoldError::NotFound => Self::not_found(error.to_string()),
            HoldError::Lifted(_) => Self::conflict_state(error.to_string()),
            HoldError::Record(error) => (*error).into(),
            HoldError::Key(error) => error.into(),
        }
    }
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

impl From<RetentionError> for Problem {
    fn from(error: RetentionError) -> Self {
        match error {
            RetentionError::Record(error) => (*error).into(),
            RetentionError::Read(error) => error.into(),
            error => {
                tracing::error!(%error, "expiry failed");
                Self::damaged(error.to_string())
            }
        }
    }
}

impl From<RetentionOrHoldError> for Problem {
    fn from(error: RetentionOrHoldError) -> Self {
        match error {
            RetentionOrHoldError::Hold(error) => error.into(),
            RetentionOrHoldError::Retention(error) => error.into(),
        }
    }
}
