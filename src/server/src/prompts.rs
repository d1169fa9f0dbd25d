//! `/v1/prompts`: prompts of the caller's tenant, fetched by applications, registered and moved by administrators.

pub(super) mod langfuse;
mod problem;
mod shown;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use self::shown::{fetched, listed, shown_label, shown_version};
use super::auth::{Caller, Identified, may};
use super::body::read_json;
use super::etag::tagged;
use super::extract::{Path, Query};
use super::problem::Problem;
use trailkeep_api::prompts::{
    FetchedPrompt, NewLabel, NewPromptVersion, PromptEnd, PromptHistory, PromptList,
    PromptQuestion, Rollback, ShownLabel, ShownPromptVersion, Unit,
};
use trailkeep_core::blocking;
use trailkeep_core::govern::prompts::{
    self as govern, Condition, NewMove, NewVersion, PromptError, States,
};
use trailkeep_core::journal::Journal;
use trailkeep_core::tenant::prompts::{self, Asked, Fetched, PromptVersion};
use trailkeep_core::tenant::{ReadScope, Tenant};
use trailkeep_proof::prompts as proof;
use trailkeep_proof::prompts::PRODUCTION;

/// A client asks again after a minute. While the server is away it goes on with what it has for a day.
const CACHE: &str = "max-age=60, stale-if-error=86400";
/// Bytes of a unit.
const UNIT_BYTES_MAX: usize = 1_024;

/// Lists the prompts with what their labels stand for.
#[utoipa::path(
    get,
    path = "/v1/prompts",
    responses((status = 200, description = "The prompts, by name.", body = PromptList)),
)]
pub(super) async fn list(caller: Caller<may::SeePrompts, ReadScope>) -> Json<PromptList> {
    let prompts = caller.on.ledger().prompts();
    let prompts = prompts.iter().map(|(name, prompt)| listed(name, prompt));
    Json(PromptList {
        prompts: prompts.collect(),
    })
}

/// Fetches the text that a label stands for, or a version. A `/` in the name is written `%2F`.
#[utoipa::path(
    get,
    path = "/v1/prompts/{name}",
    params(("name" = String, Path, description = "The prompt.", example = "greeting"), PromptQuestion),
    responses((status = 200, description = "The text.", body = FetchedPrompt)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "gone", "unprocessable"])), ("x-trailkeep-tagged" = json!(true))),
)]
pub(super) async fn fetch(
    caller: Caller<may::FetchPrompts, ReadScope>,
    Path(name): Path<String>,
    asked: Result<Query<PromptQuestion>, Problem>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|_| {
        Problem::bad_request(
            "unknown or repeated parameter; parameters are label, version (a number) and unit, each once",
        )
    })?;
    if asked.label.is_some() && asked.version.is_some() {
        return Err(Problem::unprocessable(
            "`label` and `version` exclude each other: a label stands for a version",
        ));
    }
    let unit_bytes = asked.unit.as_ref().map_or(1, String::len);
    if !(1..=UNIT_BYTES_MAX).contains(&unit_bytes) {
        return Err(Problem::bad_request(format!(
            "`unit` must have 1 to {UNIT_BYTES_MAX} bytes"
        )));
    }
    let label = asked.label.unwrap_or_else(|| PRODUCTION.to_owned());
    let unit = asked.unit;
    let (found, label) = fetch_by(caller, name, asked.version, label, unit).await?;
    let answer = fetched(found, label);
    let body = serde_json::to_vec(&answer).map_err(|error| {
        tracing::error!(%error, "a prompt cannot be written");
        Problem::internal()
    })?;
    Ok(tagged(&headers, "application/json", CACHE, body))
}

/// What is fetched, and the label that it was asked for by.
async fn fetch_by(
    caller: Caller<may::FetchPrompts, ReadScope>,
    name: String,
    version: Option<u32>,
    label: String,
    unit: Option<String>,
) -> Result<(Fetched, Option<String>), Problem> {
    blocking(move || {
        let keyring = &caller.engine.journal.keyring;
        let asked = version.map_or(Asked::Label(&label, unit.as_deref()), Asked::Version);
        let found = prompts::fetch(keyring, caller.on.ledger(), &name, asked)?;
        Ok((found, version.is_none().then_some(label)))
    })
    .await
}

/// Registers a version; the tenant's ledger records it. The text of the newest version registered again changes nothing.
#[utoipa::path(
    post,
    path = "/v1/prompts/{name}/versions",
    params(("name" = String, Path, description = "The prompt; it need not be there yet.", max_length = 128, pattern = "^([a-z0-9][a-z0-9._-]*|[a-z0-9][a-z0-9._/-]*/[0-9]*[a-z._-][a-z0-9._-]*)$", example = "greeting")),
    request_body(content = NewPromptVersion, example = json!({"text": "Greet {{name}}."})),
    responses(
        (status = 201, description = "The version.", body = ShownPromptVersion),
        (status = 200, description = "The newest version, which has this text.", body = ShownPromptVersion),
    ),
    extensions(("x-trailkeep-problems" = json!(["unprocessable", "too-large"]))),
)]
pub(super) async fn register(
    caller: Caller<may::SetPrompts, Tenant>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Response, Problem> {
    let form = "{\"text\":\"...\",\"git_commit\":\"...\",\"path\":\"...\",\"reason\":\"...\"}; only text is required";
    let asked: NewPromptVersion = read_json(body, form).await?;
    let new = NewVersion {
        name,
        text: asked.text,
        git_commit: asked.git_commit,
        path: asked.path,
        reason: asked.reason,
    };
    let caller = caller.identified();
    blocking(move || {
        let Identified { engine, on, .. } = &caller;
        let done = govern::register(&engine.journal, on, new, &caller.key_id)?;
        let status = if done.is_new {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        let all = on.active().prompts();
        let prompt = all.get(done.version.name.as_str());
        Ok((status, Json(shown_version(&done.version, prompt, None))).into_response())
    })
    .await
}

/// Shows a version with its text, also one that is withdrawn.
#[utoipa::path(
    get,
    path = "/v1/prompts/{name}/versions/{version}",
    params(
        ("name" = String, Path, description = "The prompt.", example = "greeting"),
        ("version" = u32, Path, description = "The version.", example = 1),
    ),
    responses((status = 200, description = "The version; without `text` where that was erased or is lost.", body = ShownPromptVersion)),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn show(
    caller: Caller<may::SeePrompts, ReadScope>,
    Path((name, version)): Path<(String, u32)>,
) -> Result<Json<ShownPromptVersion>, Problem> {
    blocking(move || {
        let ledger = caller.on.ledger();
        let keyring = &caller.engine.journal.keyring;
        let (version, text) = prompts::show(keyring, ledger, &name, version)?;
        let all = ledger.prompts();
        Ok(Json(shown_version(&version, all.get(&name), text)))
    })
    .await
}

/// Shows what a label stands for. `ETag` names the move that made it so.
#[utoipa::path(
    get,
    path = "/v1/prompts/{name}/labels/{label}",
    params(
        ("name" = String, Path, description = "The prompt.", example = "greeting"),
        ("label" = String, Path, description = "The label.", example = "production"),
    ),
    responses((status = 200, description = "The label as it was moved last.", body = ShownLabel, headers(("ETag" = String)))),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn show_label(
    caller: Caller<may::SeePrompts, ReadScope>,
    Path((name, label)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let all = caller.on.ledger().prompts();
    let prompt = all.get(&name).ok_or(PromptError::NoPrompt)?;
    let current = prompt.label(&label).ok_or(PromptError::NoLabel)?;
    Ok(moved(shown_label(current)))
}

/// Moves a label to a version, or to several with their weights; the tenant's ledger records it. With `If-Match` only where
/// nobody moved it meanwhile; with `If-None-Match: *` only where it was never given.
#[utoipa::path(
    put,
    path = "/v1/prompts/{name}/labels/{label}",
    params(
        ("name" = String, Path, description = "The prompt.", example = "greeting"),
        ("label" = String, Path, description = "The label; not `latest`.", pattern = "^[a-z0-9][a-z0-9._/-]{0,127}$", example = "production"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the label as the caller knows it: the label must be in that state. `*`: it must be there."),
        ("If-None-Match" = Option<String>, Header, description = "`*`: the label must not be there yet. An `ETag`: it must be in another state."),
    ),
    request_body(content = NewLabel, example = json!({"to": [{"version": 1}]})),
    responses((status = 200, description = "The label as it is now.", body = ShownLabel, headers(("ETag" = String)))),
    extensions(("x-trailkeep-problems" = json!(["not-found", "not-ready", "precondition-failed", "unprocessable", "too-large"]))),
)]
pub(super) async fn move_label(
    caller: Caller<may::SetPrompts, Tenant>,
    Path((name, label)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let form = "{\"to\":[{\"version\":3,\"weight\":9000},{\"version\":4,\"weight\":1000}],\"unit\":\"conversation\",\"reason\":\"...\"}; only to is required, and one version needs no weight";
    let asked: NewLabel = read_json(body, form).await?;
    let condition = condition(&headers)?;
    let variant = |variant: trailkeep_api::prompts::Variant| proof::Variant {
        version: variant.version,
        weight: variant.weight,
    };
    let new = NewMove {
        name,
        label,
        to: asked.to.into_iter().map(variant).collect(),
        unit: asked.unit.map(unit_of),
        reason: asked.reason,
    };
    let caller = caller.identified();
    blocking(move || {
        let Identified { engine, on, .. } = &caller;
        let made = govern::move_label(&engine.journal, on, new, &condition, &caller.key_id)?;
        Ok(moved(shown_label(&made)))
    })
    .await
}

/// Moves a label back to what it stood for before, or to a version that once was in force. Done twice, it is undone.
#[utoipa::path(
    post,
    path = "/v1/prompts/{name}/rollback",
    params(("name" = String, Path, description = "The prompt.", example = "greeting")),
    request_body(content = Rollback, example = json!({"reason": "wrong answers about refunds"})),
    responses((status = 200, description = "The label as it is now. Caches may serve the old text for up to 60 s.", body = ShownLabel, headers(("ETag" = String)))),
    extensions(("x-trailkeep-problems" = json!(["not-found", "not-ready", "unprocessable", "too-large"]))),
)]
pub(super) async fn roll_back(
    caller: Caller<may::SetPrompts, Tenant>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Response, Problem> {
    let form = "{\"reason\":\"...\",\"label\":\"production\",\"to\":3}; only reason is required";
    let asked: Rollback = read_json(body, form).await?;
    let caller = caller.identified();
    blocking(move || {
        let Identified { engine, on, .. } = &caller;
        let label = asked.label.as_deref().unwrap_or(PRODUCTION);
        let why = (asked.reason.as_str(), caller.key_id.as_str());
        let made = govern::roll_back(&engine.journal, on, (&name, label), asked.to, why)?;
        Ok(moved(shown_label(&made)))
    })
    .await
}

/// Lists all versions of a prompt and all moves of its labels, with who did it and why.
#[utoipa::path(
    get,
    path = "/v1/prompts/{name}/history",
    params(("name" = String, Path, description = "The prompt.", example = "greeting")),
    responses((status = 200, description = "Versions and moves, oldest first.", body = PromptHistory)),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn history(
    caller: Caller<may::SeePrompts, ReadScope>,
    Path(name): Path<String>,
) -> Result<Json<PromptHistory>, Problem> {
    let all = caller.on.ledger().prompts();
    let prompt = all.get(&name).ok_or(PromptError::NoPrompt)?;
    let versions = prompt.versions();
    let versions = versions.map(|version| shown_version(version, Some(prompt), None));
    Ok(Json(PromptHistory {
        versions: versions.collect(),
        moves: prompt.moves().map(shown_label).collect(),
        name,
    }))
}

/// Withdraws a version: it is no longer served. Its text stays.
#[utoipa::path(
    post,
    path = "/v1/prompts/{name}/versions/{version}/withdraw",
    params(
        ("name" = String, Path, description = "The prompt.", example = "greeting"),
        ("version" = u32, Path, description = "The version; no label may stand for it.", example = 1),
    ),
    request_body(content = PromptEnd, example = json!({"reason": "it promised refunds"})),
    responses((status = 200, description = "The version as it is now.", body = ShownPromptVersion)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "not-ready", "unprocessable", "too-large"]))),
)]
pub(super) async fn withdraw(
    caller: Caller<may::SetPrompts, Tenant>,
    Path((name, number)): Path<(String, u32)>,
    body: Body,
) -> Result<Json<ShownPromptVersion>, Problem> {
    let withdraw = |journal: &Journal, on: &Tenant, version: (&str, u32), why: (&str, &str)| {
        Ok((govern::withdraw(journal, on, version, why)?, false))
    };
    end(caller, (name, number), body, withdraw).await
}

/// Erases a version: its text, SHA-256, path and the reason it was registered for are destroyed. Its number stays taken.
#[utoipa::path(
    post,
    path = "/v1/prompts/{name}/versions/{version}/erase",
    params(
        ("name" = String, Path, description = "The prompt.", example = "greeting"),
        ("version" = u32, Path, description = "The version; no label may stand for it.", example = 1),
    ),
    request_body(content = PromptEnd, example = json!({"reason": "it names a customer"})),
    responses((status = 200, description = "The version as it is now.", body = ShownPromptVersion)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "not-ready", "unprocessable", "too-large"]))),
)]
pub(super) async fn erase(
    caller: Caller<may::SetPrompts, Tenant>,
    Path((name, number)): Path<(String, u32)>,
    body: Body,
) -> Result<Json<ShownPromptVersion>, Problem> {
    let erase = |journal: &Journal, on: &Tenant, version: (&str, u32), why: (&str, &str)| {
        let erased = govern::erase(journal, on, version, why)?;
        Ok((erased.version, erased.purge_pending))
    };
    end(caller, (name, number), body, erase).await
}

/// Ends a version for the reason that the body gives. `how` also says whether bytes of it wait for the next rotation.
async fn end(
    caller: Caller<may::SetPrompts, Tenant>,
    (name, number): (String, u32),
    body: Body,
    how: impl FnOnce(
        &Journal,
        &Tenant,
        (&str, u32),
        (&str, &str),
    ) -> Result<(PromptVersion, bool), PromptError>
    + Send
    + 'static,
) -> Result<Json<ShownPromptVersion>, Problem> {
    let asked: PromptEnd = read_json(body, "{\"reason\":\"...\"}").await?;
    let caller = caller.identified();
    blocking(move || {
        let Identified { engine, on, .. } = &caller;
        let why = (asked.reason.as_str(), caller.key_id.as_str());
        let (version, purge_pending) = how(&engine.journal, on, (&name, number), why)?;
        let all = on.active().prompts();
        let mut shown = shown_version(&version, all.get(&name), None);
        shown.purge_pending = purge_pending;
        Ok(Json(shown))
    })
    .await
}

/// A label with the tag of its state.
fn moved(label: ShownLabel) -> Response {
    let tag = [(header::ETAG, format!("\"{}\"", label.id))];
    (tag, Json(label)).into_response()
}

/// In which state a label must be, as the request says (RFC 9110 section 13.1).
fn condition(headers: &HeaderMap) -> Result<Condition, Problem> {
    Ok(Condition {
        // A weak tag fits nothing here.
        is: states(headers, &header::IF_MATCH, "")?,
        is_not: states(headers, &header::IF_NONE_MATCH, "W/")?,
    })
}

/// The states that a header names. A move is named by what stands in the quotes of its tag, behind what may stand before them.
fn states(headers: &HeaderMap, name: &HeaderName, before: &str) -> Result<Option<States>, Problem> {
    let mut ids = Vec::new();
    for value in headers.get_all(name) {
        let text = value.to_str().map_err(|_| {
            Problem::bad_request(format!(
                "`{name}` must be a list of tags such as \"0f\", or *"
            ))
        })?;
        for tag in text.split(',').map(str::trim) {
            if tag == "*" {
                return Ok(Some(States::All));
            }
            let tag = tag.strip_prefix(before).unwrap_or(tag);
            let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            ids.extend(inner.map(str::to_owned));
        }
    }
    Ok(headers.contains_key(name).then_some(States::MadeBy(ids)))
}

const fn unit_of(unit: Unit) -> proof::Unit {
    match unit {
        Unit::Conversation => proof::Unit::Conversation,
        Unit::Subject => proof::Unit::Subject,
        Unit::Session => proof::Unit::Session,
    }
}
