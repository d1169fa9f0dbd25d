//! `/v1/holds`: placed, listed and lifted.

use std::collections::HashMap;

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::auth::{Caller, Identified, may};
use super::body::{moment, read_json};
use super::extract::Path;
use super::keys::name_of;
use super::problem::Problem;
use trailkeep_api::holds::{
    HeldPerson, HoldLift, HoldList, ListedHold, ListedLift, NewHold, PlacedHold, TooLate,
};
use trailkeep_core::blocking;
use trailkeep_core::govern::api_key;
use trailkeep_core::govern::hold::{self as govern_hold, HoldError};
use trailkeep_core::journal::access_log::{AccessRecord, record_read};
use trailkeep_core::keys::api_key::KeyName;
use trailkeep_core::retention::{self, RetentionOrHoldError, covers_events, lift_hold, place_hold};
use trailkeep_core::tenant::hold::{self, Hold, HoldScope, Holds, REVIEW_EVERY};
use trailkeep_core::tenant::{ReadScope, Tenant};
use trailkeep_proof::time::UnixMillis;

/// Places a legal hold: no event that it covers is deleted until the hold is released.
#[utoipa::path(
    post,
    path = "/v1/holds",
    request_body(content = NewHold, example = json!({"matter": "Doe v. Acme", "reason": "litigation is anticipated", "subject": {"id": "p-7"}})),
    responses((status = 201, description = "The hold, and which events were already deleted.", body = PlacedHold)),
    extensions(("x-trailkeep-problems" = json!(["refused", "unprocessable", "too-large"]))),
)]
pub(super) async fn place(
    caller: Caller<may::ManageHolds, Tenant>,
    body: Body,
) -> Result<Response, Problem> {
    let form = "{\"matter\",\"reason\",\"subject\":{\"id\",\"namespace\"},\"regime\",\"action\",\"from\",\"to\",\"review\",\"require_match\"}, of which matter and reason are required";
    let asked: NewHold = read_json(body, form).await?;
    let new = govern_hold::NewHold {
        matter: asked.matter,
        reason: asked.reason,
        scope: HoldScope {
            subject: asked
                .subject
                .map(|HeldPerson { id, namespace }| hold::HeldPerson { id, namespace }),
            regime: asked.regime,
            action: asked.action,
            from_ms: moment("from", asked.from.as_deref())?.map(UnixMillis::get),
            to_ms: moment("to", asked.to.as_deref())?.map(UnixMillis::get),
        },
        review_every: asked.review.unwrap_or_else(|| REVIEW_EVERY.to_owned()),
    };
    let caller = caller.identified();
    let must_cover = asked.require_match;
    let placed = blocking(move || {
        let Identified { engine, on, .. } = &caller;
        place_hold(&engine.journal, on, new, must_cover, &caller.key_id)
    });
    Ok((StatusCode::CREATED, Json(placed_as(placed.await?))).into_response())
}

/// Lists the holds, with those released in the last 30 days. They name data subjects, so the read is recorded.
#[utoipa::path(
    get,
    path = "/v1/holds",
    responses((status = 200, description = "The holds, by id.", body = HoldList)),
)]
pub(super) async fn list(
    caller: Caller<may::ManageHolds, ReadScope>,
) -> Result<Json<HoldList>, Problem> {
    let caller = caller.identified();
    blocking(move || {
        let Identified { engine, on, .. } = &caller;
        let now = engine.journal.clock.wall();
        let holds = Holds::of(&engine.journal.keyring, on.tenant())?;
        let names = api_key::names(&engine.journal, on.tenant())?;
        let mut rows = Vec::new();
        for (id, hold) in holds.iter() {
            let covers = match hold.lifted {
                Some(_) => None,
                None => covers_events(&engine.journal, on.tenant(), hold)?,
            };
            rows.push(listed(id, hold, (covers, now), &names));
        }
        let holds = rows;
        let read = AccessRecord {
            by: &caller.key_id,
            verb: "GET",
            route: "/v1/holds",
            question: "",
            filters: Vec::new(),
            purpose: caller.purpose.as_deref(),
            events: 0,
            restricted: 0,
            seq: None,
            persons: Vec::new(),
        };
        record_read(&engine.journal, on.ledger(), &read)?;
        Ok(Json(HoldList { holds }))
    })
    .await
}

/// Releases a hold. Expired events that it kept are deleted with the next run.
#[utoipa::path(
    post,
    path = "/v1/holds/{id}/lift",
    params(("id" = String, Path, description = "The hold's id.", example = "0000000000000000")),
    request_body(content = HoldLift, example = json!({"reason": "the matter is settled"})),
    responses((status = 200, description = "The hold as it is now.", body = ListedHold)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "not-ready", "unprocessable", "too-large"]))),
)]
pub(super) async fn lift(
    caller: Caller<may::ManageHolds, Tenant>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<ListedHold>, Problem> {
    let asked: HoldLift = read_json(body, "{\"reason\":\"...\"}").await?;
    let caller = caller.identified();
    blocking(move || {
        let Identified { engine, on, .. } = &caller;
        let hold = lift_hold(&engine.journal, on, &id, &asked.reason, &caller.key_id)?;
        let names = api_key::names(&engine.journal, on)?;
        let now = engine.journal.clock.wall();
        Ok(Json(listed(&id, &hold, (None, now), &names)))
    })
    .await
}

fn placed_as(placed: retention::PlacedHold) -> PlacedHold {
    let too_late = |late: retention::TooLate| TooLate {
        statement: late.statement,
        class: late.class,
        recorded_before: late.recorded_before,
    };
    PlacedHold {
        id: placed.id,
        seq: placed.seq,
        review_at: placed.review_at,
        covers_events: placed.covers_events,
        other_namespaces: placed.other_namespaces,
        late: placed.late,
        already_deleted: placed.already_deleted.into_iter().map(too_late).collect(),
    }
}

fn listed(
    id: &str,
    hold: &Hold,
    (covers_events, now): (Option<u64>, UnixMillis),
    names: &HashMap<String, KeyName>,
) -> ListedHold {
    let text = |millis: u64| UnixMillis::new(millis).to_string();
    let subject = hold.scope.subject.clone();
    let review_at = hold.review_at();
    let is_active = hold.lifted.is_none();
    let lifted = hold.lifted.as_ref().map(|lifted| ListedLift {
        at: text(lifted.at_ms),
        by: lifted.by.clone(),
        by_name: name_of(names, &lifted.by),
        reason: lifted.reason.clone(),
        seq: lifted.seq,
    });
    ListedHold {
        id: id.to_owned(),
        matter: hold.matter.clone(),
        reason: hold.reason.clone(),
        subject: subject.map(|hold::HeldPerson { id, namespace }| HeldPerson { id, namespace }),
        regime: hold.scope.regime.clone(),
        action: hold.scope.action.clone(),
        from: hold.scope.from_ms.map(text),
        to: hold.scope.to_ms.map(text),
        placed_at: text(hold.placed_at_ms),
        placed_by: hold.placed_by.clone(),
        placed_by_name: name_of(names, &hold.placed_by),
        placed_seq: hold.placed_seq,
        review_at: review_at.map(|moment| moment.to_string()),
        review_is_due: is_active && review_at.is_some_and(|moment| moment <= now),
        covers_events,
        lifted,
        request: hold.request.clone(),
        until: hold.until_ms.map(text),
    }
}

impl From<HoldError> for Problem {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::Wrong(detail) => Self::unprocessable(detail),
            HoldError::NotFound => Self::not_found(error.to_string()),
            HoldError::CoversNothing(_) => Self::refused(error.to_string()),
            HoldError::Lifted(_) => Self::conflict_state(error.to_string()),
            HoldError::Record(error) => (*error).into(),
            HoldError::Key(error) => error.into(),
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
