//! What a request is answered with: its copy, its certificate and the signature over that.

use std::sync::Arc;

use crate::extract::{Path, Query};
use axum::Json;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::auth::{Caller, may};
use crate::document::Bytes as FileBytes;
use crate::exports::chunks;
use crate::problem::Problem;
use trailkeep_api::privacy::{AnswerFormat, AnswerQuestion, CopyCounts, CopyProgress};
use trailkeep_core::blocking;
use trailkeep_core::export::jobs::DROPPED;
use trailkeep_core::requests;
use trailkeep_core::requests::{CopyState, LetterForm};
use trailkeep_core::tenant::ReadScope;

/// Returns the copy of a request. Each time that it is handed out is recorded as a read.
#[utoipa::path(
    get,
    path = "/v1/privacy/requests/{id}/bundle",
    params(("id" = String, Path, description = "The request's id.", example = "0123456789abcdef0123456789abcdef")),
    responses(
        (status = 200, description = "A bundle; for portability JSON only.",
            content((inline(FileBytes) = "application/zip"), (inline(FileBytes) = "application/json"))),
        (status = 202, description = "The copy is being written.", body = CopyProgress)
    ),
    extensions(("x-trailkeep-problems" = json!(["gone", "not-found", "request-state", "too-many"]))),
)]
pub(crate) async fn bundle(
    caller: Caller<may::AnswerRequests, ReadScope>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let caller = caller.identified();
    let state = blocking(move || {
        let by = (caller.key_id.as_str(), caller.purpose.as_deref());
        requests::copy(&caller.engine.requests, &caller.on, &id, by)
    })
    .await?;
    match state {
        CopyState::Running { done, total } => {
            let progress = CopyProgress {
                state: "running".to_owned(),
                progress: CopyCounts { done, total },
            };
            let head = [(header::RETRY_AFTER, "1")];
            Ok((StatusCode::ACCEPTED, head, Json(progress)).into_response())
        }
        CopyState::Dropped => Err(Problem::gone(DROPPED)),
        CopyState::Failed(error) => {
            tracing::warn!(%error, "a data subject's copy failed");
            Err(Problem::damaged(format!(
                "the copy failed: {error}; request it again"
            )))
        }
        CopyState::Ready {
            file,
            summary,
            portable,
        } => {
            let (kind, name) = if portable {
                ("application/json", "person.json")
            } else {
                ("application/zip", "person.zip")
            };
            let bytes = file.size_bytes();
            let head = [
                (header::CONTENT_TYPE, kind.to_owned()),
                (header::CONTENT_LENGTH, bytes.to_string()),
                (
                    header::CONTENT_DISPOSITION,
                    format!("attachment; filename=\"{name}\""),
                ),
                (header::ETAG, format!("\"{}\"", summary.sha256)),
                (header::CACHE_CONTROL, "private, no-store".to_owned()),
            ];
            let body = Body::from_stream(chunks(Arc::clone(&file), 0, bytes));
            Ok((head, body).into_response())
        }
    }
}

/// Returns the certificate of an answered request, byte for byte; the read is recorded.
#[utoipa::path(
    get,
    path = "/v1/privacy/requests/{id}/certificate",
    params(("id" = String, Path, description = "The request's id.", example = "0123456789abcdef0123456789abcdef")),
    responses((status = 200, description = "Its form is schema/certificate.schema.json.", body = Object)),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(crate) async fn certificate(
    caller: Caller<may::AnswerRequests, ReadScope>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let caller = caller.identified();
    let signed = blocking(move || {
        let by = (caller.key_id.as_str(), caller.purpose.as_deref());
        requests::certificate(&caller.engine.custody, caller.on.tenant(), &id, by)
    });
    Ok(private("application/json", signed.await?.text))
}

/// Returns the signature over a certificate: 64 bytes, Ed25519.
#[utoipa::path(
    get,
    path = "/v1/privacy/requests/{id}/certificate/signature",
    params(("id" = String, Path, description = "The request's id.", example = "0123456789abcdef0123456789abcdef")),
    responses((status = 200, description = "The signature.", body = inline(FileBytes), content_type = "application/octet-stream")),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(crate) async fn signature(
    caller: Caller<may::AnswerRequests, ReadScope>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let caller = caller.identified();
    let signed =
        blocking(move || requests::certificate_of(&caller.engine.custody, caller.on.tenant(), &id));
    let signed = signed.await?;
    let bytes = signed.signature_bytes().ok_or_else(Problem::internal)?;
    Ok(private("application/octet-stream", bytes.to_vec()))
}

/// Returns the answer letter for the data subject: what was decided and done, and where they may complain.
///
/// It exists once the request is answered or ended, and until the server forgets who asked. It names the data subject, so it
/// is recorded as a read.
#[utoipa::path(
    get,
    path = "/v1/privacy/requests/{id}/answer",
    params(
        ("id" = String, Path, description = "The request's id.", example = "0123456789abcdef0123456789abcdef"),
        AnswerQuestion
    ),
    responses(
        (status = 200, description = "The letter.",
            content((String = "text/html"), (String = "text/plain")))
    ),
    extensions(("x-trailkeep-problems" = json!(["not-found", "request-state"]))),
)]
pub(crate) async fn answer(
    caller: Caller<may::AnswerRequests, ReadScope>,
    Path(id): Path<String>,
    asked: Result<Query<AnswerQuestion>, Problem>,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|_| {
        Problem::bad_request("the only parameter is format, once, with html or text")
    })?;
    let (form, kind) = match asked.format.unwrap_or_default() {
        AnswerFormat::Html => (LetterForm::Html, "text/html; charset=utf-8"),
        AnswerFormat::Text => (LetterForm::Text, "text/plain; charset=utf-8"),
    };
    let caller = caller.identified();
    let letter = blocking(move || {
        let by = (caller.key_id.as_str(), caller.purpose.as_deref());
        requests::letter(&caller.engine.custody, caller.on.tenant(), &id, form, by)
    });
    Ok(private(kind, letter.await?))
}

/// An answer that no cache keeps.
fn private(kind: &'static str, body: impl IntoResponse) -> Response {
    let head = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    (head, body).into_response()
}
