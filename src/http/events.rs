//! `/v1/events`: in, and out again.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::auth::{Caller, Identified, may};
use super::body;
use super::document::Event;
use super::problem::Problem;
use crate::ids::Seq;
use crate::ledger::entry::{Entry, leaf_hash};
use crate::service::access_log::{AccessRecord, persons_of, record_read};
use crate::service::append::{Appended, AppendedAs, Outcome, append as append_events};
use crate::service::blocking;
use crate::service::fate::Departure;
use crate::service::query::{
    Cursor, PAGE_EVENTS_DEFAULT, PAGE_EVENTS_MAX, Page, Query, query as query_events,
};
use crate::service::read::{self, EventName, StoredEvent, find_seq, open_event};
use crate::time::UnixMillis;

/// An event as it was recorded.
#[derive(Serialize, ToSchema)]
#[schema(as = RecordedEvent)]
pub(super) struct Shown {
    /// Its id; entries of the server have none.
    id: Option<String>,
    /// Its place in the ledger.
    seq: u64,
    /// When it was recorded, by the server's clock (RFC 3339, UTC).
    recorded_at: String,
    /// Leaf hash of its entry, base64.
    leaf_hash: String,
    /// Its sections, each exactly as it came; `received` is the server's.
    #[schema(value_type = Object)]
    event: Box<RawValue>,
}

/// A page of events.
#[derive(Serialize, ToSchema)]
#[schema(as = EventPage)]
struct Listed {
    events: Vec<Shown>,
    /// What to give as `cursor` for the next page; none: this is the last.
    next_cursor: Option<String>,
}

/// One event, recorded.
#[derive(Serialize, ToSchema)]
#[schema(as = AppendedOne)]
struct Single {
    id: String,
    /// Its place in the ledger.
    seq: u64,
    /// When it was recorded, by the server's clock (RFC 3339, UTC).
    recorded_at: String,
    /// Leaf hash of its entry, base64.
    leaf_hash: String,
    /// Proof that it is in the ledger: C2SP tlog-proof.
    receipt: String,
}

/// Several events, recorded.
#[derive(Serialize, ToSchema)]
#[schema(as = AppendedMany)]
struct Many {
    /// Recorded by this request.
    accepted: usize,
    /// Recorded before, with the same content.
    duplicates: usize,
    first_seq: Option<u64>,
    last_seq: Option<u64>,
    /// The events in the order in which they were sent.
    events: Vec<Brief>,
    /// Events that had been recorded and whose texts have gone since.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gone: Vec<AlreadyGone>,
    /// A signed head that holds all of them.
    checkpoint: String,
}

/// An event that had been recorded, and whose text has gone since: nothing of it was written.
#[derive(Serialize, ToSchema)]
pub(super) struct AlreadyGone {
    id: String,
    already_recorded: bool,
    /// Its time had come.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    expired: bool,
    /// A person had asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
}

impl AlreadyGone {
    fn of(id: String, departure: Departure) -> Self {
        Self {
            id,
            already_recorded: true,
            expired: departure == Departure::Expired,
            erased: departure == Departure::Erased,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = AppendedBrief)]
struct Brief {
    id: String,
    seq: u64,
    leaf_hash: String,
}

#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is only described")]
enum Submission {
    One(Event),
    Many(Vec<Event>),
}

#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is only described")]
enum AppendAnswer {
    One(Single),
    Many(Many),
}

/// Appends events.
///
/// The answer is sent when they are on disk. A request is all or nothing. The same `id` with the same sections gets
/// its first entry again. The body may have a `Content-Encoding` of `gzip` or `zstd`.
#[utoipa::path(
    post,
    path = "/v1/events",
    request_body(content(
        (Submission = "application/json", example = json!({"id": "order-17", "action": "chat.completion", "outcome": "success", "actor": {"id": "u-1042"}, "subjects": [{"id": "p-7"}], "input": "When will it arrive?", "output": "Tomorrow."})),
        (String = "application/x-ndjson", example = json!("{\"action\":\"chat.completion\",\"actor\":{\"id\":\"u-1042\"}}\n")),
    )),
    responses(
        (status = 201, description = "Recorded, durably.", body = AppendAnswer),
        (status = 200, description = "All of it was recorded before.", body = AppendAnswer),
    ),
    extensions(("x-trailkeep-problems" = json!([
        "id-conflict", "tenant-closed", "too-large", "media-type", "invalid-event", "policy"
    ]))),
)]
pub(super) async fn append(
    caller: Caller<may::Append>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let format = body::format_of(&headers)?;
    let bytes = body::read(&headers, body).await?;
    let caller = caller.identified();
    let entrance = caller.entrance;
    let submitted = blocking(move || body::parse(&bytes, format, entrance)).await?;
    let is_single = submitted.is_single;
    let outcome = append_events(&caller.engine, &caller.ledger, submitted.events).await?;
    blocking(move || {
        if is_single {
            answer_single(&caller, &outcome)
        } else {
            Ok(answer_many(&outcome))
        }
    })
    .await
}

fn answer_single(caller: &Identified, outcome: &Outcome) -> Result<Response, Problem> {
    let event = outcome.events.first().ok_or_else(Problem::internal)?;
    if let AppendedAs::Gone(departure) = event.result {
        return Ok(Json(AlreadyGone::of(event.id.clone(), departure)).into_response());
    }
    let bytes = event.entry().ok_or_else(Problem::internal)?;
    let entry = decode(event)?;
    let receipt = caller.ledger.receipt(
        &caller.engine.ledgers,
        &outcome.published,
        entry.seq,
        *bytes,
    );
    let receipt = receipt.map_err(read::ReadError::from)?;
    // What goes out was checked as its reader will check it.
    receipt.verify(&caller.ledger.verifier).map_err(|error| {
        tracing::error!(%error, seq = entry.seq.get(), "a receipt does not verify");
        Problem::damaged("the receipt of this event does not verify: run `trailkeep verify`")
    })?;
    let status = if event.is_duplicate() {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let answer = Single {
        id: event.id.clone(),
        seq: entry.seq.get(),
        recorded_at: entry.recorded_at.to_string(),
        leaf_hash: leaf_hash(bytes).to_string(),
        receipt: receipt.to_text(),
    };
    Ok((status, Json(answer)).into_response())
}

fn answer_many(outcome: &Outcome) -> Response {
    let briefs: Vec<Brief> = outcome.events.iter().filter_map(brief).collect();
    let gone = outcome
        .events
        .iter()
        .filter_map(|event| match event.result {
            AppendedAs::Gone(departure) => Some(AlreadyGone::of(event.id.clone(), departure)),
            AppendedAs::New(_) | AppendedAs::Before(_) => None,
        });
    let duplicates = outcome
        .events
        .iter()
        .filter(|event| event.is_duplicate())
        .count();
    let seqs = || briefs.iter().map(|brief| brief.seq);
    let answer = Many {
        accepted: outcome.events.len() - duplicates,
        duplicates,
        first_seq: seqs().min(),
        last_seq: seqs().max(),
        checkpoint: outcome.published.head.note.clone(),
        gone: gone.collect(),
        events: briefs,
    };
    let status = if answer.accepted == 0 {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    (status, Json(answer)).into_response()
}

fn brief(event: &Appended) -> Option<Brief> {
    let seq = event.decoded()?.seq.get();
    Some(Brief {
        id: event.id.clone(),
        seq,
        leaf_hash: leaf_hash(event.entry()?).to_string(),
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
    responses((status = 200, description = "The event.", body = Shown)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "gone"]))),
)]
pub(super) async fn show(
    caller: Caller<may::Read>,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Problem> {
    show_named(caller.identified(), EventName::Id(id)).await
}

/// Shows an entry, by its place; the server's own too.
#[utoipa::path(
    get,
    path = "/v1/entries/{seq}",
    params(("seq" = u64, Path, description = "Place in the ledger, from 0.", maximum = 1_099_511_627_775_u64, example = 3)),
    responses((status = 200, description = "The entry's event.", body = Shown)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "gone"]))),
)]
pub(super) async fn show_entry(
    caller: Caller<may::Read>,
    Path(seq): Path<String>,
) -> Result<Json<Shown>, Problem> {
    show_named(caller.identified(), EventName::Seq(parse_seq(&seq)?)).await
}

async fn show_named(caller: Identified, name: EventName) -> Result<Json<Shown>, Problem> {
    let event = blocking(move || -> Result<StoredEvent, Problem> {
        let published = caller.ledger.published();
        let seq = find_seq(&caller.engine, &caller.ledger, &published, &name)?;
        let event = open_event(&caller.engine, &caller.ledger, seq)?;
        let read = AccessRecord {
            by: &caller.key_id,
            route: match name {
                EventName::Id(_) => "/v1/events/{id}",
                EventName::Seq(_) => "/v1/entries/{seq}",
            },
            question: &seq.to_string(),
            filters: Vec::new(),
            purpose: caller.purpose.as_deref(),
            events: 1,
            seq: Some(seq),
            persons: persons_of(&caller.engine, &caller.ledger, std::slice::from_ref(&event))?,
        };
        record_read(&caller.engine, &caller.ledger, &read)?;
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
    caller: Caller<may::Prove>,
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
    caller: Caller<may::Prove>,
    Path(seq): Path<String>,
) -> Result<Response, Problem> {
    prove(caller.identified(), EventName::Seq(parse_seq(&seq)?)).await
}

async fn prove(caller: Identified, name: EventName) -> Result<Response, Problem> {
    let receipt = blocking(move || {
        let published = caller.ledger.published();
        let seq = find_seq(&caller.engine, &caller.ledger, &published, &name)?;
        read::receipt(&caller.engine, &caller.ledger, &published, seq)
    });
    let text = receipt.await?.to_text();
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// The parameters of a query, each once.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is only described")]
struct Asked {
    /// Recorded at this moment or later (RFC 3339).
    #[param(format = DateTime)]
    from: Option<String>,
    /// Recorded before this moment (RFC 3339).
    #[param(format = DateTime)]
    to: Option<String>,
    /// With this action.
    #[param(example = "chat.completion")]
    action: Option<String>,
    /// Events of a page at most; 100 if nothing is said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// The `next_cursor` of the page before.
    #[param(pattern = "^c[0-9]+-[0-9]+$")]
    cursor: Option<String>,
}

/// Lists events, oldest first, a page at a time.
#[utoipa::path(
    get,
    path = "/v1/events",
    params(Asked),
    responses((status = 200, description = "A page.", body = Listed)),
)]
pub(super) async fn query(
    caller: Caller<may::Read>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let asked = parse_query(raw.as_deref().unwrap_or_default())?;
    let caller = caller.identified();
    let question = raw.unwrap_or_default();
    let page = blocking(move || -> Result<Page, Problem> {
        let Identified { engine, ledger, .. } = &caller;
        let page = query_events(engine, ledger, &ledger.published(), &asked)?;
        let read = AccessRecord {
            by: &caller.key_id,
            route: "/v1/events",
            question: &question,
            filters: names_of_filters(&asked),
            purpose: caller.purpose.as_deref(),
            events: page.events.len() as u64,
            seq: None,
            persons: persons_of(engine, ledger, &page.events)?,
        };
        record_read(engine, ledger, &read)?;
        Ok(page)
    })
    .await?;
    let events = page
        .events
        .iter()
        .map(shown)
        .collect::<Result<Vec<_>, _>>()?;
    let next_cursor = page.next.map(|cursor| cursor.to_string());
    Ok(Json(Listed {
        events,
        next_cursor,
    })
    .into_response())
}

fn names_of_filters(asked: &Query) -> Vec<&'static str> {
    let names = [
        asked.from.map(|_| "from"),
        asked.to.map(|_| "to"),
        asked.action.as_ref().map(|_| "action"),
    ];
    names.into_iter().flatten().collect()
}

fn parse_query(raw: &str) -> Result<Query, Problem> {
    let mut query = Query {
        limit: PAGE_EVENTS_DEFAULT,
        ..Query::default()
    };
    let mut seen: Vec<String> = Vec::new();
    for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode_component(name)?, decode_component(value)?);
        let moment = || {
            let wrong = || {
                Problem::bad_request(format!(
                    "`{name}` must be an RFC 3339 time such as 2026-11-24T09:30:00Z (write + as %2B)"
                ))
            };
            UnixMillis::parse_rfc3339(&value).ok_or_else(wrong)
        };
        match name.as_str() {
            "from" => query.from = Some(moment()?),
            "to" => query.to = Some(moment()?),
            "action" => query.action = Some(value),
            "limit" => {
                let limit = value
                    .parse()
                    .ok()
                    .filter(|limit| (1..=PAGE_EVENTS_MAX).contains(limit));
                query.limit = limit.ok_or_else(|| {
                    Problem::bad_request(format!(
                        "`limit` must be a number from 1 to {PAGE_EVENTS_MAX}"
                    ))
                })?;
            }
            "cursor" => {
                let cursor = Cursor::parse(&value);
                query.cursor = Some(cursor.ok_or_else(|| {
                    Problem::bad_request("`cursor` must be the `next_cursor` of the page before")
                })?);
            }
            _ => {
                return Err(Problem::bad_request(
                    "a parameter is unknown: from, to, action, limit and cursor are",
                ));
            }
        }
        if seen.contains(&name) {
            return Err(Problem::bad_request(format!("`{name}` is given twice")));
        }
        seen.push(name);
    }
    Ok(query)
}

fn decode_component(text: &str) -> Result<String, Problem> {
    let spaced = text.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Problem::bad_request("the query string is not UTF-8"))
}

pub(super) fn parse_seq(text: &str) -> Result<Seq, Problem> {
    let seq = text
        .parse()
        .ok()
        .map(Seq::new)
        .filter(|seq| *seq <= Seq::MAX);
    seq.ok_or_else(|| Problem::bad_request("a seq is a number from 0"))
}

fn shown(event: &StoredEvent) -> Result<Shown, Problem> {
    Ok(Shown {
        id: event.id(),
        seq: event.entry.seq.get(),
        recorded_at: event.entry.recorded_at.to_string(),
        leaf_hash: leaf_hash(&event.entry_bytes).to_string(),
        event: RawValue::from_string(event.to_json()).map_err(|_| Problem::internal())?,
    })
}
