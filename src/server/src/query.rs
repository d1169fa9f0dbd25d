//! `/v1/events`: questions. What may name a person is asked for in a body: an address stands in logs of proxies and
//! in histories of browsers (invariant 4).

use axum::Json;
use axum::body::Body;
use serde_json::{Map, Value};

use super::auth::{Caller, Identified, may};
use super::body::{moment, read_json};
use super::events::shown;
use super::extract;
use super::problem::Problem;
use trailkeep_api::query::{self, EventPage, EventQuestion, PersonAsked, TargetAsked};
use trailkeep_core::blocking;
use trailkeep_core::journal::access_log::{AccessRecord, persons_of, record_read};
use trailkeep_core::query::{
    Cursor, Filters, PAGE_EVENTS_DEFAULT, PAGE_EVENTS_MAX, Page, Query, QueryError,
    query as run_query,
};
use trailkeep_core::tenant::ReadScope;
use trailkeep_ports::Order;
use trailkeep_proof::ledger::event::identifier::{
    CONVERSATION_CHARACTERS_MAX, TARGET_CHARACTERS_MAX, identifier,
};
use trailkeep_proof::ledger::event::{Person, Target};
use trailkeep_proof::near::suggestion_for_field;
use trailkeep_proof::privacy::RestrictedUse;

/// What a question may be about, in words.
const FORM: &str = "a JSON object with from, to, action, outcome, conversation, trace, model, prompt, prompt_version, \
                    regime, order, limit, cursor, all optional, and with subject and actor \
                    {\"id\",\"namespace\"} and target {\"id\",\"type\"}";
/// What is not asked for in an address.
const PRIVATE: [&str; 3] = ["subject", "actor", "target"];

/// Lists events, a page at a time.
///
/// Pages are stable while others write: they are of the ledger as it was at the first. Where little is found, a page
/// may be short, or empty, and not the last. `POST /v1/events/query` takes subjects, actors and targets, too.
#[utoipa::path(
    get,
    path = "/v1/events",
    params(EventQuestion),
    responses((status = 200, description = "A page.", body = EventPage)),
    extensions(("x-trailkeep-problems" = json!(["unprocessable"]))),
)]
pub(super) async fn list(
    caller: Caller<may::Read, ReadScope>,
    pairs: Result<extract::Query<Vec<(String, String)>>, Problem>,
) -> Result<Json<EventPage>, Problem> {
    let extract::Query(pairs) =
        pairs.map_err(|_| Problem::bad_request("the query string is not UTF-8"))?;
    let question = read_parameters(pairs)?;
    answer(caller.identified(), ("GET", "/v1/events"), question).await
}

/// Lists events, a page at a time, with the query in the body.
#[utoipa::path(
    post,
    path = "/v1/events/query",
    request_body(content = EventQuestion, example = json!({"subject": {"id": "p-7"}, "order": "newest"})),
    responses((status = 200, description = "A page.", body = EventPage)),
    extensions(("x-trailkeep-problems" = json!(["too-large", "unprocessable"]))),
)]
pub(super) async fn ask(
    caller: Caller<may::Read, ReadScope>,
    body: Body,
) -> Result<Json<EventPage>, Problem> {
    let question = read_json(body, FORM).await?;
    answer(caller.identified(), ("POST", "/v1/events/query"), question).await
}

async fn answer(
    caller: Identified<ReadScope>,
    (verb, route): (&'static str, &'static str),
    question: EventQuestion,
) -> Result<Json<EventPage>, Problem> {
    // Compared with others in memory, and forgotten.
    let text = serde_json::to_string(&question).map_err(|_| Problem::internal())?;
    let asked = asked_of(question)?;
    let page = blocking(move || -> Result<Page, Problem> {
        let Identified { engine, on, .. } = &caller;
        let ledger = on.ledger();
        let mut asked = asked;
        let purpose = caller.purpose.as_deref();
        asked.shows_restricted = purpose.and_then(RestrictedUse::stated_in).is_some();
        let page = run_query(&engine.journal, ledger, &ledger.published(), &asked)?;
        let read = AccessRecord {
            by: &caller.key_id,
            verb,
            route,
            question: &text,
            filters: asked.names(),
            purpose: caller.purpose.as_deref(),
            events: page.events.len() as u64,
            restricted: page.restricted,
            seq: None,
            persons: persons_of(&engine.journal, ledger, &page.events)?,
        };
        record_read(&engine.journal, ledger, &read)?;
        Ok(page)
    });
    let page = page.await?;
    Ok(Json(EventPage {
        events: page.events.iter().map(shown).collect::<Result<_, _>>()?,
        next_cursor: page.next.map(|cursor| cursor.to_string()),
        restricted: page.restricted,
    }))
}

/// The question of an address's parameters. The errors repeat nothing of them.
fn read_parameters(pairs: Vec<(String, String)>) -> Result<EventQuestion, Problem> {
    let mut object = Map::new();
    for (name, value) in pairs {
        if PRIVATE.contains(&name.as_str()) {
            return Err(Problem::bad_request(
                "a subject, actor or target may identify a person, and URLs are logged: use POST /v1/events/query",
            ));
        }
        let value = match value.parse::<u64>() {
            Ok(number) if name == "limit" => number.into(),
            _ => Value::from(value),
        };
        if object.insert(name, value).is_some() {
            return Err(Problem::bad_request("a parameter is given twice"));
        }
    }
    serde_json::from_value(Value::Object(object)).map_err(|error| {
        let hint = suggestion_for_field(&error.to_string());
        Problem::bad_request(format!(
            "unknown or repeated parameter; parameters are from, to, action, outcome, conversation, trace, model, prompt, prompt_version, regime, \
             order (oldest or newest), limit (a number) and cursor, each once{hint}",
        ))
    })
}

/// An identifier as events hold it; of an empty one there is none.
fn held(id: String, max: usize) -> String {
    if id.is_empty() {
        id
    } else {
        identifier(&id, max)
    }
}

fn asked_of(question: EventQuestion) -> Result<Query, Problem> {
    let limit = question.limit.unwrap_or(PAGE_EVENTS_DEFAULT as u64);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if !(1..=PAGE_EVENTS_MAX).contains(&limit) {
        let detail = format!("`limit` must be a number from 1 to {PAGE_EVENTS_MAX}");
        return Err(Problem::bad_request(detail));
    }
    let cursor = question.cursor.as_deref().map(|text| {
        let wrong = "`cursor` must be the `next_cursor` of the previous page";
        Cursor::parse(text).ok_or_else(|| Problem::bad_request(wrong))
    });
    let person = |asked: PersonAsked| Person::asked(&asked.id, &asked.namespace);
    let target = |TargetAsked { id, kind }| Target {
        kind,
        id: held(id, TARGET_CHARACTERS_MAX),
    };
    Ok(Query {
        from: moment("from", question.from.as_deref())?,
        to: moment("to", question.to.as_deref())?,
        filters: Filters {
            action: question.action,
            outcome: question.outcome,
            actor: question.actor.map(person),
            subject: question.subject.map(person),
            target: question.target.map(target),
            conversation: question
                .conversation
                .map(|id| held(id, CONVERSATION_CHARACTERS_MAX)),
            trace: question.trace,
            model: question.model,
            prompt: question.prompt,
            prompt_version: question.prompt_version,
        },
        regime: question.regime,
        shows_restricted: false,
        order: match question.order {
            None | Some(query::Order::Oldest) => Order::Oldest,
            Some(query::Order::Newest) => Order::Newest,
        },
        limit,
        cursor: cursor.transpose()?,
    })
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::UnknownRegime(_) => Self::unprocessable(error.to_string()),
            QueryError::Read(error) => error.into(),
            QueryError::Key(error) => error.into(),
            QueryError::Store(error) => {
                trailkeep_core::journal::read::ReadError::from(error).into()
            }
        }
    }
}
