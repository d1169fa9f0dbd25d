//! Prompts for the SDK of Langfuse: its route, its form, HTTP Basic with a token of ours as the password.

use axum::http::HeaderMap;
use axum::response::Response;

use super::shown::share;
use super::{CACHE, fetch_by};
use crate::auth::{Caller, may};
use crate::etag::tagged;
use crate::extract::{Path, Query};
use crate::problem::Problem;
use trailkeep_api::prompts::{LangfuseConfig, LangfusePrompt, LangfuseQuestion};
use trailkeep_core::tenant::ReadScope;
use trailkeep_proof::prompts::PRODUCTION;

/// Fetches a prompt in the form of Langfuse's API, for its SDK. The token stands in `Authorization: Bearer`, or as the password of
/// HTTP Basic with any user name.
#[utoipa::path(
    get,
    path = "/api/public/v2/prompts/{name}",
    params(("name" = String, Path, description = "The prompt.", example = "greeting"), LangfuseQuestion),
    responses((status = 200, description = "The prompt.", body = LangfusePrompt)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "gone"])), ("x-trailkeep-tagged" = json!(true))),
)]
pub(crate) async fn get(
    caller: Caller<may::FetchPrompts, ReadScope>,
    Path(name): Path<String>,
    asked: Result<Query<LangfuseQuestion>, Problem>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|_| {
        Problem::bad_request(
            "unknown or repeated parameter; parameters are label, version (a number) and resolve, each once",
        )
    })?;
    let prompts = caller.on.ledger().prompts();
    let label = asked.label.unwrap_or_else(|| PRODUCTION.to_owned());
    let (found, _) = fetch_by(caller, name, asked.version, label, None).await?;
    let prompt = prompts.get(found.version.name.as_str());
    let labels = prompt.map(|prompt| prompt.labels_of(found.version.version));
    let labels = labels.unwrap_or_default().into_iter().map(str::to_owned);
    let answer = LangfusePrompt {
        kind: "text".to_owned(),
        name: found.version.name.to_string(),
        version: found.version.version,
        config: LangfuseConfig {
            sha256: found.version.sha256().unwrap_or_default().to_owned(),
            experiment: found.share.as_ref().map(share),
        },
        labels: labels.collect(),
        tags: Vec::new(),
        commit_message: None,
        prompt: found.text,
    };
    let body = serde_json::to_vec(&answer).map_err(|error| {
        tracing::error!(%error, "a prompt cannot be written");
        Problem::internal()
    })?;
    Ok(tagged(&headers, "application/json", CACHE, body))
}
