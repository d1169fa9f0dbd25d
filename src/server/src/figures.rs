//! `/v1/figures`: figures of calls, and the names that they tell apart.

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::auth::{Caller, may};
use super::body::{moment, read_json};
use super::extract::Query;
use super::problem::Problem;
use trailkeep_api::figures::{
    EntryRange, FiguresAnswer, FiguresCost, FiguresNames, FiguresQuestion, FiguresRetrieval,
    FiguresRow, FiguresTokens, FiguresTools, LeftOutEvents, ListedFiguresName, NewFiguresName,
    Percentiles,
};
use trailkeep_core::blocking;
use trailkeep_core::govern::names::{self, NamesError};
use trailkeep_core::journal::read::ReadError;
use trailkeep_core::keys::role::Role;
use trailkeep_core::metering::{
    Answer, By, FiguresError, MS_AN_HOUR, Question, Row, Step, figures,
};
use trailkeep_core::tenant::names::RegisteredName;
use trailkeep_core::tenant::{ReadScope, Tenant};
use trailkeep_proof::metered::Histogram;
use trailkeep_proof::near::suggestion;
use trailkeep_proof::system::NameKind;
use trailkeep_proof::time::UnixMillis;

/// An operator sees no payload, and no group that may be one person's calls.
const LEAST_CALLS_OF_AN_OPERATOR: u64 = 5;
/// Hours of a question that says no `from`.
const HOURS_DEFAULT: u64 = 24;

/// Adds up calls, tokens, costs, errors and times.
///
/// The figures are those of the events that are left: an erased or expired event is counted in none. They show no event, so the
/// question is no read and makes no entry.
#[utoipa::path(
    get,
    path = "/v1/figures",
    params(FiguresQuestion),
    responses((status = 200, description = "The figures.", body = FiguresAnswer)),
    extensions(("x-trailkeep-problems" = json!(["unprocessable"]))),
)]
pub(super) async fn show(
    caller: Caller<may::SeeFigures, ReadScope>,
    asked: Result<Query<FiguresQuestion>, Problem>,
) -> Result<Json<FiguresAnswer>, Problem> {
    let Query(asked) = asked.map_err(|_| {
        Problem::bad_request(
            "unknown or repeated parameter; parameters are from, to, step and by, each once",
        )
    })?;
    let answer = blocking(move || {
        let engine = &caller.engine;
        let mut question = question_of(&asked, engine.journal.clock.wall())?;
        if caller.role == Role::Operator {
            question.least_calls = LEAST_CALLS_OF_AN_OPERATOR;
        }
        let ledger = caller.on.ledger();
        let published = ledger.published();
        let places = (&**ledger, &*published);
        Ok::<_, Problem>(figures(
            &engine.journal,
            &engine.kept_figures,
            places,
            &question,
        )?)
    })
    .await?;
    Ok(Json(shown(&answer)))
}

/// Registers a name that no price table knows, so that figures tell it apart.
#[utoipa::path(
    post,
    path = "/v1/figures/names",
    request_body(content = NewFiguresName, example = json!({"kind": "model", "name": "llama-3.3-70b-internal"})),
    responses((status = 201, description = "The name. One that was registered before is answered as it is.", body = ListedFiguresName)),
    extensions(("x-trailkeep-problems" = json!(["too-large", "unprocessable"]))),
)]
pub(super) async fn allow(
    caller: Caller<may::NameFigures, Tenant>,
    body: Body,
) -> Result<Response, Problem> {
    let form = "{\"kind\":\"model\",\"name\":\"...\"}; both are required";
    let asked: NewFiguresName = read_json(body, form).await?;
    let kinds = [NameKind::Provider, NameKind::Model, NameKind::Dimension];
    let kind = NameKind::parse(&asked.kind).filter(|kind| kinds.contains(kind));
    let kind = kind.ok_or_else(|| {
        let hint = suggestion(&asked.kind, kinds.into_iter().map(NameKind::as_str));
        Problem::unprocessable(format!(
            "`kind` must be provider, model or dimension{hint}; prompts are registered with `trailkeep prompt sync`"
        ))
    })?;
    let caller = caller.identified();
    let name = blocking(move || {
        let journal = &caller.engine.journal;
        names::allow(journal, &caller.on, (kind, &asked.name), &caller.key_id)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(listed(&name))).into_response())
}

/// Lists the names that figures tell apart.
#[utoipa::path(
    get,
    path = "/v1/figures/names",
    responses((status = 200, description = "The names, oldest first.", body = FiguresNames)),
)]
pub(super) async fn list(
    caller: Caller<may::SeeFigures, ReadScope>,
) -> Result<Json<FiguresNames>, Problem> {
    let book = blocking(move || {
        let keyring = &caller.engine.journal.keyring;
        names::list(keyring, caller.on.tenant())
    });
    let book = book.await?;
    Ok(Json(FiguresNames {
        names: book.names.iter().map(listed).collect(),
    }))
}

fn listed(name: &RegisteredName) -> ListedFiguresName {
    ListedFiguresName {
        kind: name.kind.as_str().to_owned(),
        name: name.name.clone(),
        number: name.number,
        by: name.by.clone(),
        at: UnixMillis::new(name.at_ms).to_string(),
        seq: name.seq,
        ledger: name.ledger.clone(),
    }
}

/// What is asked for: whole hours.
fn question_of(asked: &FiguresQuestion, now: UnixMillis) -> Result<Question, Problem> {
    let to = moment("to", asked.to.as_deref())?.unwrap_or(now).get();
    let to = to.div_ceil(MS_AN_HOUR) * MS_AN_HOUR;
    let from = moment("from", asked.from.as_deref())?.map(UnixMillis::get);
    let from = from.unwrap_or(to.saturating_sub(HOURS_DEFAULT * MS_AN_HOUR));
    let step = match asked.step.as_deref() {
        Some("hour") => Step::Hour,
        Some("day") => Step::Day,
        None | Some("all") => Step::Whole,
        Some(_) => return Err(Problem::bad_request("`step` must be hour, day or all")),
    };
    let words = asked.by.as_deref().unwrap_or_default().split(',');
    let mut by = Vec::new();
    for word in words.filter(|_| asked.by.is_some()) {
        let known = By::parse(word).ok_or_else(|| {
            let all: Vec<&str> = By::ALL.iter().map(|by| by.as_str()).collect();
            let hint = suggestion(word, all.iter().copied());
            let all = all.join(", ");
            Problem::bad_request(format!("`by` must be one or several of {all}{hint}"))
        })?;
        by.push(known);
    }
    by.sort_unstable();
    by.dedup();
    Ok(Question {
        from: UnixMillis::new(from - from % MS_AN_HOUR),
        to: UnixMillis::new(to),
        step,
        by,
        least_calls: 0,
    })
}

fn shown(answer: &Answer) -> FiguresAnswer {
    let left_out = answer.left_out;
    FiguresAnswer {
        entries: EntryRange {
            from: answer.entries.start,
            to: answer.entries.end,
        },
        complete: left_out.is_none(),
        left_out: LeftOutEvents {
            expired: left_out.expired,
            erased: left_out.erased,
            restricted: left_out.restricted,
        },
        prices: answer.tables.clone(),
        series: answer.rows.iter().map(row).collect(),
    }
}

fn row(row: &Row) -> FiguresRow {
    let totals = &row.totals;
    let tokens = &totals.tokens;
    let by = row.group.iter();
    let errors = totals.errors.iter();
    let cost = totals.cost.iter();
    let unpriced = totals.unpriced.iter();
    FiguresRow {
        start: row.start.to_short_rfc3339(),
        by: by
            .map(|(by, word)| (by.as_str().to_owned(), word.clone()))
            .collect(),
        calls: totals.calls,
        errors: errors
            .map(|(fault, count)| (fault.word(), *count))
            .collect(),
        tokens: FiguresTokens {
            input: tokens.input,
            cached_input: tokens.cached_input,
            cache_write: tokens.cache_write,
            cache_write_1h: tokens.cache_write_1h,
            output: tokens.output,
            reasoning: tokens.reasoning,
            audio_input: tokens.audio_input,
            audio_output: tokens.audio_output,
        },
        cost: cost
            .map(|(currency, amount)| FiguresCost {
                currency: currency.as_str().to_owned(),
                amount: amount.to_string(),
            })
            .collect(),
        unpriced: totals.unpriced_calls(),
        unpriced_because: unpriced
            .map(|(reason, count)| (reason.word().to_owned(), *count))
            .collect(),
        unmetered: totals.unmetered,
        latency_ms: percentiles(&totals.latency_ms),
        first_token_ms: percentiles(&totals.first_token_ms),
        retrieval: FiguresRetrieval {
            calls: totals.retrievals,
            hits: totals.retrieved,
            empty: totals.empty_retrievals,
        },
        tools: FiguresTools {
            calls: totals.tools,
            failures: totals.tool_failures,
        },
    }
}

fn percentiles(histogram: &Histogram) -> Percentiles {
    Percentiles {
        p50: histogram.percentile(50),
        p95: histogram.percentile(95),
        p99: histogram.percentile(99),
        n: histogram.len(),
    }
}

impl From<FiguresError> for Problem {
    fn from(error: FiguresError) -> Self {
        match error {
            FiguresError::Times | FiguresError::TooLong | FiguresError::TooManyRows => {
                Self::unprocessable(error.to_string())
            }
            FiguresError::Read(error) => error.into(),
            FiguresError::Key(error) => error.into(),
            FiguresError::Store(error) => ReadError::Store(error).into(),
        }
    }
}

impl From<NamesError> for Problem {
    fn from(error: NamesError) -> Self {
        match error {
            NamesError::Form | NamesError::TooMany => Self::unprocessable(error.to_string()),
            NamesError::Record(error) => (*error).into(),
            NamesError::Key(error) => error.into(),
        }
    }
}
