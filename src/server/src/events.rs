//! `/v1/events`: in, and out again.

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;

use super::auth::{Caller, Identified, may};
use super::body;
use super::extract::Path;
use super::problem::Problem;
use trailkeep_api::events::{
    AlreadyDeleted, AppendAnswer, AppendedBrief, AppendedMany, AppendedOne, RecordedEvent,
    Submission,
};
use trailkeep_core::journal::access_log::{AccessRecord, persons_of, record_read};
use trailkeep_core::journal::append::{Appended, AppendedAs, Outcome, append as append_events};
use trailkeep_core::journal::read;
use trailkeep_core::journal::read::{EventName, StoredEvent, find_seq, open_event};
use trailkeep_core::tenant::deletion::DeletionCause;
use trailkeep_core::tenant::{ReadScope, Tenant};
use trailkeep_core::{blocking, computing};
use trailkeep_proof::ids::Seq;
use trailkeep_proof::ledger::entry::{Entry, leaf_hash};

/// Whether the bytes are the recorded ones, of an event that had been recorded before.
const fn same_bytes(event: &Appended) -> Option<bool> {
    match event.result {
        AppendedAs::Before { same_bytes, .. } => Some(same_bytes),
        AppendedAs::New(_) | AppendedAs::Deleted(_) => None,
    }
}

fn already_deleted(id: String, deletion_cause: DeletionCause) -> AlreadyDeleted {
    AlreadyDeleted {
        id,
        already_recorded: true,
        expired: deletion_cause == DeletionCause::Expired,
        erased: deletion_cause == DeletionCause::Erased,
    }
}

/// Appends events.
///
/// The answer is sent when they are on disk. A request is all or nothing. The same `id` with the same JSON values gets
/// its first entry again, with `already_recorded`; `same_bytes` says whether the spelling is the recorded one, too. The body may have a `Content-Encoding` of `gzip` or `zstd`.
#[utoipa::path(
    post,
    path = "/v1/events",
    params(("Idempotency-Key" = Option<String>, Header, description = "Default `id` of events that have none: for one event the key itself, for several the key, `:` and the position from 1.", min_length = 1, max_length = 200, pattern = "^[!#-~]([ !#-~]*[!#-~])?$")),
    request_body(content(
        (Submission = "application/json", example = json!({"id": "order-17", "action": "chat.completion", "outcome": "success", "actor": {"id": "u-1042"}, "subjects": [{"id": "p-7"}], "input": "When does it arrive?", "output": "Tomorrow."})),
        (String = "application/x-ndjson", example = json!("{\"action\":\"chat.completion\",\"actor\":{\"id\":\"u-1042\"}}\n")),
    )),
    responses(
        (status = 201, description = "Recorded durably.", body = AppendAnswer),
        (status = 200, description = "All events were already recorded.", body = AppendAnswer),
    ),
    extensions(("x-trailkeep-problems" = json!([
        "id-conflict", "tenant-closed", "too-large", "media-type", "invalid-event", "policy"
    ]))),
)]
pub(super) async fn append(
    caller: Caller<may::Append, Tenant>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let format = body::format_of(&headers)?;
    let bytes = body::read(body).await?;
    let caller = caller.identified();
    let entrance = caller.entrance;
    let key = body::idempotency_key(&headers)?;
    let effort = body::effort(&bytes, format);
    let parse = move || body::parse(&bytes, format, entrance, key.as_deref());
    let submitted = computing(effort, parse).await?;
    let is_single = submitted.is_single;
    let journal = &caller.engine.journal;
    let outcome = append_events(journal, &caller.on, submitted.events, effort).await?;
    computing(effort, move || {
        if is_single {
            answer_single(&caller, &outcome)
        } else {
            Ok(answer_many(&outcome))
        }
    })
    .await
}

fn answer_single(caller: &Identified<Tenant>, outcome: &Outcome) -> Result<Response, Problem> {
    let event = outcome.events.first().ok_or_else(Problem::internal)?;
    if let AppendedAs::Deleted(deletion_cause) = event.result {
        return Ok(Json(already_deleted(event.id.clone(), deletion_cause)).into_response());
    }
    let bytes = event.entry().ok_or_else(Problem::internal)?;
    let entry = decode(event)?;
    let ledger = caller.on.active();
    let receipt = ledger.receipt(
        &caller.engine.journal.ledgers,
        &outcome.published,
        entry.seq,
        *bytes,
    );
    let receipt = receipt.map_err(read::ReadError::from)?;
    let checked = ledger.check_receipt(&outcome.published, &receipt);
    checked.map_err(|error| {
        tracing::error!(%error, seq = entry.seq.get(), "a receipt does not verify");
        Problem::damaged("the receipt of this event does not verify: run `trailkeep verify`")
    })?;
    let status = if event.is_duplicate() {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let answer = AppendedOne {
        id: event.id.clone(),
        seq: entry.seq.get(),
        recorded_at: entry.recorded_at.to_string(),
        leaf_hash: leaf_hash(bytes).to_string(),
        receipt: receipt.to_text(),
        already_recorded: same_bytes(event).map(|_| true),
        same_bytes: same_bytes(event),
    };
    Ok((status, Json(answer)).into_response())
}

fn answer_many(outcome: &Outcome) -> Response {
    let briefs: Vec<AppendedBrief> = outcome.events.iter().filter_map(brief).collect();
    let unavailable = outcome
        .events
        .iter()
        .filter_map(|event| match event.result {
            AppendedAs::Deleted(deletion_cause) => {
                Some(already_deleted(event.id.clone(), deletion_cause))
            }
            AppendedAs::New(_) | AppendedAs::Before { .. } => None,
        });
    let duplicates = outcome
        .events
        .iter()
        .filter(|event| event.is_duplicate())
        .count();
    let seqs = || briefs.iter().map(|brief| brief.seq);
    let answer = AppendedMany {
        accepted: outcome.events.len() - duplicates,
        duplicates,
        first_seq: seqs().min(),
        last_seq: seqs().max(),
        checkpoint: outcome.published.head.note.clone(),
        unavailable: unavailable.collect(),
        events: briefs,
    };
    let status = if answer.accepted == 0 {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    (status, Json(answer)).into_response()
}

fn brief(event: &Appended) -> Option<AppendedBrief> {
    let seq = event.decoded()?.seq.get();
    Some(AppendedBrief {
        id: event.id.clone(),
        seq,
        leaf_hash: leaf_hash(event.entry()?).to_string(),
        already_recorded: same_bytes(event).map(|_| true),
        same_bytes: same_bytes(event),
    })
}

fn decode(event: &Appended) -> Result<Entry, Problem> {
    event.decoded().ok_or_else(Problem::internal)
}

/// Shows an event.
#[utoipa::path(
    get,
    path = "/v1/events/{id}",
    params(("id" = String, Path, description = "The event's id.", example = "order-17")),
    responses((status = 200, description = "The event.", body = RecordedEvent)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "gone", "restricted"]))),
)]
pub(super) async fn show(
    caller: Caller<may::Read, ReadScope>,
    Path(id): Path<String>,
) -> Result<Json<RecordedEvent>, Problem> {
    show_named(caller.identified(), EventName::Id(id)).await
}

/// Shows an entry, by its place; the server's own too.
#[utoipa::path(
    get,
    path = "/v1/entries/{seq}",
    params(("seq" = u64, Path, description = "Place in the ledger, from 0.", maximum = 1_099_511_627_775_u64, example = 3)),
    responses((status = 200, description = "The entry's event.", body = RecordedEvent)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "gone", "restricted"]))),
)]
pub(super) async fn show_entry(
    caller: Caller<may::Read, ReadScope>,
    Path(seq): Path<String>,
) -> Result<Json<RecordedEvent>, Problem> {
    show_named(caller.identified(), EventName::Seq(parse_seq(&seq)?)).await
}

async fn show_named(
    caller: Identified<ReadScope>,
    name: EventName,
) -> Result<Json<RecordedEvent>, Problem> {
    let event = blocking(move || -> Result<StoredEvent, Problem> {
        let ledger = caller.on.ledger();
        let published = ledger.published();
        let seq = find_seq(&caller.engine.journal, ledger, &published, &name)?;
        let event = open_event(&caller.engine.journal, ledger, seq)?;
        // Who is refused has asked, and is recorded like who is shown it (COMPLIANCE T21).
        let allowed = event.check_shown(caller.purpose.as_deref());
        let (events, persons) = if allowed.is_ok() {
            let persons = persons_of(&caller.engine.journal, ledger, std::slice::from_ref(&event))?;
            (1, persons)
        } else {
            (0, Vec::new())
        };
        let read = AccessRecord {
            by: &caller.key_id,
            verb: "GET",
            route: match name {
                EventName::Id(_) => "/v1/events/{id}",
                EventName::Seq(_) => "/v1/entries/{seq}",
            },
            question: &seq.to_string(),
            filters: Vec::new(),
            purpose: caller.purpose.as_deref(),
            events,
            restricted: 1 - events,
            seq: Some(seq),
            persons,
        };
        record_read(&caller.engine.journal, ledger, &read)?;
        allowed?;
        Ok(event)
    });
    shown(&event.await?).map(Json)
}

/// Proves that an event is in the ledger.
#[utoipa::path(
    get,
    path = "/v1/events/{id}/proof",
    params(("id" = String, Path, description = "The event's id.", example = "order-17")),
    responses((status = 200, description = "The receipt: C2SP tlog-proof.", body = String)),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn proof(
    caller: Caller<may::Prove, ReadScope>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    prove(caller.identified(), EventName::Id(id)).await
}

/// Proves that an entry is in the ledger.
#[utoipa::path(
    get,
    path = "/v1/entries/{seq}/proof",
    params(("seq" = u64, Path, description = "Place in the ledger, from 0.", maximum = 1_099_511_627_775_u64, example = 3)),
    responses((status = 200, description = "The receipt: C2SP tlog-proof.", body = String)),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn entry_proof(
    caller: Caller<may::Prove, ReadScope>,
    Path(seq): Path<String>,
) -> Result<Response, Problem> {
    prove(caller.identified(), EventName::Seq(parse_seq(&seq)?)).await
}

async fn prove(caller: Identified<ReadScope>, name: EventName) -> Result<Response, Problem> {
    let receipt = blocking(move || {
        let ledger = caller.on.ledger();
        let published = ledger.published();
        let seq = find_seq(&caller.engine.journal, ledger, &published, &name)?;
        read::witnessed_receipt(&caller.engine.journal, ledger, &published, seq)
    });
    let text = receipt.await?.to_text();
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

pub(super) fn parse_seq(text: &str) -> Result<Seq, Problem> {
    let seq = text
        .parse()
        .ok()
        .map(Seq::new)
        .filter(|seq| *seq <= Seq::MAX);
    seq.ok_or_else(|| Problem::bad_request("a seq must be a number from 0"))
}

/// An event as it is shown.
pub(super) fn shown(event: &StoredEvent) -> Result<RecordedEvent, Problem> {
    Ok(RecordedEvent {
        id: event.id(),
        seq: event.entry.seq.get(),
        recorded_at: event.entry.recorded_at.to_string(),
        leaf_hash: leaf_hash(&event.entry_bytes).to_string(),
        event: RawValue::from_string(event.to_json()).map_err(|_| Problem::internal())?,
    })
}
