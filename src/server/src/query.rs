//! `/v1/events`: questions. What may name a person is asked for in a body: an address stands in logs of proxies and
//! in histories of browsers (invariant 4).

use axum::Json;
use axum::body::Body;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::auth::{Caller, Identified, may};
use super::body::{moment, read_json};
use super::events::{Shown, shown};
use super::extract;
use super::problem::Problem;
use trailkeep_core::blocking;
use trailkeep_core::journal::access_log::{AccessRecord, persons_of, record_read};
use trailkeep_core::query::{
    Cursor, Filters, PAGE_EVENTS_DEFAULT, PAGE_EVENTS_MAX, Page, Query, QueryError, query,
};
use trailkeep_core::tenant::ReadScope;
use trailkeep_ports::Order;
use trailkeep_proof::ledger::event::identifier::{
    CONVERSATION_CHARACTERS_MAX, TARGET_CHARACTERS_MAX, identifier,
};
use trailkeep_proof::ledger::event::{Person, Target};

/// What a question may be about, in words.
const FORM: &str = "a JSON object with from, to, action, outcome, conversation, trace, model, prompt, prompt_version, \
                    regime, order, limit, cursor, all optional, and with subject and actor \
                    {\"id\",\"namespace\"} and target {\"id\",\"type\"}";
/// What is not asked for in an address.
const PRIVATE: [&str; 3] = ["subject", "actor", "target"];

/// A query; all filters must match.
#[derive(Default, Deserialize, Serialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[schema(as = EventQuestion)]
#[into_params(parameter_in = Query)]
pub(super) struct Question {
    /// Recorded at this time or later (RFC 3339).
    #[schema(format = DateTime)]
    #[param(format = DateTime)]
    from: Option<String>,
    /// Recorded before this time (RFC 3339).
    #[schema(format = DateTime)]
    #[param(format = DateTime)]
    to: Option<String>,
    /// What was done.
    #[schema(example = "chat.completion")]
    #[param(example = "chat.completion")]
    action: Option<String>,
    /// How it ended.
    outcome: Option<String>,
    /// Who did it.
    #[param(ignore)]
    actor: Option<PersonAsked>,
    /// The data subject.
    #[param(ignore)]
    subject: Option<PersonAsked>,
    /// The target.
    #[param(ignore)]
    target: Option<TargetAsked>,
    /// `context.conversation`.
    conversation: Option<String>,
    /// `context.trace_id`.
    trace: Option<String>,
    /// The requested or answering model.
    model: Option<String>,
    /// Name of the prompt template.
    prompt: Option<String>,
    /// Version of the prompt template.
    prompt_version: Option<String>,
    /// Events under this retention regime.
    regime: Option<String>,
    /// Order: `oldest` first (default) or `newest`.
    order: Option<AskedOrder>,
    /// Maximum events per page; default 100.
    #[schema(minimum = 1, maximum = 1000)]
    #[param(minimum = 1, maximum = 1000)]
    #[serde(default, deserialize_with = "whole_number")]
    limit: Option<u64>,
    /// The `next_cursor` of the previous page; all other filters stay the same.
    #[schema(pattern = "^[cn](0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,18})$")]
    #[param(pattern = "^[cn](0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,18})$")]
    cursor: Option<String>,
}

/// `7.0` is an integer in JSON Schema.
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let number = Option::<f64>::deserialize(deserializer)?;
    let wrong = |_| serde::de::Error::custom("it must be an integer");
    // A whole number is written without a point.
    let read = number.map(|number| number.to_string().parse().map_err(wrong));
    read.transpose()
}

/// Which events come first.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Order)]
enum AskedOrder {
    Oldest,
    Newest,
}

/// A data subject or an actor.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PersonAsked)]
struct PersonAsked {
    id: String,
    /// Which system the id belongs to; without one, the tenant's own.
    #[serde(default)]
    namespace: String,
}

/// A thing that was touched.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TargetAsked)]
struct TargetAsked {
    id: String,
    /// Its type; empty where the event names none.
    #[serde(default, rename = "type")]
    kind: String,
}

/// A page of events. A short or empty page may have a next one: see `next_cursor`.
#[derive(Serialize, ToSchema)]
#[schema(as = EventPage)]
pub(super) struct Listed {
    events: Vec<Shown>,
    /// Value of `cursor` for the next page; absent on the last page.
    next_cursor: Option<String>,
    /// Restricted events that match and are not shown, because no purpose was stated.
    restricted: u64,
}

/// Lists events, a page at a time.
///
/// Pages are stable while others write: they are of the ledger as it was at the first. Where little is found, a page
/// may be short, or empty, and not the last. `POST /v1/events/query` takes subjects, actors and targets, too.
#[utoipa::path(
    get,
    path = "/v1/events",
    params(Question),
    responses((status = 200, description = "A page.", body = Listed)),
    extensions(("x-trailkeep-problems" = json!(["unprocessable"]))),
)]
pub(super) async fn list(
    caller: Caller<may::Read, ReadScope>,
    pairs: Result<extract::Query<Vec<(String, String)>>, Problem>,
) -> Result<Json<Listed>, Problem> {
    let extract::Query(pairs) =
        pairs.map_err(|_| Problem::bad_request("the query string is not UTF-8"))?;
    let question = read_parameters(pairs)?;
    answer(caller.identified(), ("GET", "/v1/events"), question).await
}

/// Lists events, a page at a time, with the query in the body.
#[utoipa::path(
    post,
    path = "/v1/events/query",
    request_body(content = Question, example = json!({"subject": {"id": "p-7"}, "order": "newest"})),
    responses((status = 200, description = "A page.", body = Listed)),
    extensions(("x-trailkeep-problems" = json!(["too-large", "unprocessable"]))),
)]
pub(super) async fn ask(
    caller: Caller<may::Read, ReadScope>,
    body: Body,
) -> Result<Json<Listed>, Problem> {
    let question = read_json(body, FORM).await?;
    answer(caller.identified(), ("POST", "/v1/events/query"), question).await
}

async fn answer(
    caller: Identified<ReadScope>,
    (verb, route): (&'static str, &'static str),
    question: Question,
) -> Result<Json<Listed>, Problem> {
    // Compared with others in memory, and forgotten.
    let text = serde_json::to_string(&question).map_err(|_| Problem::internal())?;
    let asked = question.into_query()?;
    let page = blocking(move || -> Result<Page, Problem> {
        let Identified { engine, on, .. } = &caller;
        let ledger = on.ledger();
        let mut asked = asked;
        asked.shows_restricted = caller.purpose.is_some();
        let page = query(&engine.journal, ledger, &ledger.published(), &asked)?;
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
    Ok(Json(Listed {
        events: page.events.iter().map(shown).collect::<Result<_, _>>()?,
        next_cursor: page.next.map(|cursor| cursor.to_string()),
        restricted: page.restricted,
    }))
}

/// The question of an address's parameters. The errors repeat nothing of them.
fn read_parameters(pairs: Vec<(String, String)>) -> Result<Question, Problem> {
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
    serde_json::from_value(Value::Object(object)).map_err(|_| {
        Problem::bad_request(
            "unknown or repeated parameter; parameters are from, to, action, outcome, conversation, trace, model, prompt, prompt_version, regime, \
             order (oldest or newest), limit (a number) and cursor, each once",
        )
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

impl Question {
    fn into_query(self) -> Result<Query, Problem> {
        let limit = self.limit.unwrap_or(PAGE_EVENTS_DEFAULT as u64);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if !(1..=PAGE_EVENTS_MAX).contains(&limit) {
            let detail = format!("`limit` must be a number from 1 to {PAGE_EVENTS_MAX}");
            return Err(Problem::bad_request(detail));
        }
        let cursor = self.cursor.as_deref().map(|text| {
            let wrong = "`cursor` must be the `next_cursor` of the previous page";
            Cursor::parse(text).ok_or_else(|| Problem::bad_request(wrong))
        });
        let person = |asked: PersonAsked| Person::asked(&asked.id, &asked.namespace);
        let target = |TargetAsked { id, kind }| Target {
            kind,
            id: held(id, TARGET_CHARACTERS_MAX),
        };
        Ok(Query {
            from: moment("from", self.from.as_deref())?,
            to: moment("to", self.to.as_deref())?,
            filters: Filters {
                action: self.action,
                outcome: self.outcome,
                actor: self.actor.map(person),
                subject: self.subject.map(person),
                target: self.target.map(target),
                conversation: self
                    .conversation
                    .map(|id| held(id, CONVERSATION_CHARACTERS_MAX)),
                trace: self.trace,
                model: self.model,
                prompt: self.prompt,
                prompt_version: self.prompt_version,
            },
            regime: self.regime,
            shows_restricted: false,
            order: match self.order {
                None | Some(AskedOrder::Oldest) => Order::Oldest,
                Some(AskedOrder::Newest) => Order::Newest,
            },
            limit,
            cursor: cursor.transpose()?,
        })
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::UnknownRegime => Self::unprocessable(error.to_string()),
            QueryError::Read(error) => error.into(),
            QueryError::Key(error) => error.into(),
            QueryError::Store(error) => {
                trailkeep_core::journal::read::ReadError::from(error).into()
            }
        }
    }
}
