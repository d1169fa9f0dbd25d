//! Routes of the operator's commands.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokio_stream::wrappers::ReceiverStream;

use super::App;
use super::auth::{Anyone, Caller, may};
use super::body::collect;
use super::problem::Problem;
use trailkeep_core::audit::{Question, Subject, verify as verify_ledger};
use trailkeep_core::blocking;
use trailkeep_core::ops::readiness::{Readiness, readiness};
use trailkeep_core::tenant::ReadScope;
use trailkeep_proof::ledger::cosignature::WitnessKey;
use trailkeep_proof::ledger::note::NOTE_BYTES_MAX;

/// Lines that wait for a slow reader; the verifier waits with them.
const LINES_WAITING_MAX: usize = 16;

/// Reports that the process is alive.
#[utoipa::path(
    get,
    path = "/healthz",
    responses((status = 200, description = "It answers: `ok`.", body = String)),
)]
pub(super) async fn healthz(_: Anyone) -> &'static str {
    "ok\n"
}

/// Reports whether events are accepted, and if not, why.
///
/// It names no tenant, path or key, so it needs no token.
#[utoipa::path(
    get,
    path = "/readyz",
    responses(
        (status = 200, description = "Ready. The notes name what an operator should check.", body = Readiness),
        (status = 503, description = "Not ready, for these reasons.", body = Readiness),
    ),
)]
pub(super) async fn readyz(_: Anyone, State(app): State<App>) -> Response {
    let tls = app.tls.as_ref().and_then(|tls| tls.failure());
    let mut readiness = blocking(move || readiness(&app.engine.custody)).await;
    if tls.is_some() {
        readiness.notes.push(
            "tls: the changed certificate files are unusable, so the previous certificate stays in use: see the log for the cause"
                .to_owned(),
        );
    }
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness)).into_response()
}

/// Verifies the whole ledger.
///
/// The body may be an older checkpoint, which the ledger must continue. The answer comes as lines of JSON while it
/// runs: `{"done","total"}`, and at the end `{"report"}` or `{"error"}`.
#[utoipa::path(
    post,
    path = "/v1/verify",
    params(("witness" = Option<Vec<String>>, Query, description = "Verifier keys of witnesses whose cosignatures are checked, in addition to those of the settings.")),
    request_body(content = Option<String>, content_type = "text/plain", description = "An older checkpoint, or nothing."),
    responses((status = 200, description = "Lines of JSON.", body = String, content_type = "application/x-ndjson")),
    extensions(("x-trailkeep-problems" = json!(["too-large", "unprocessable"]))),
)]
pub(super) async fn verify(
    caller: Caller<may::Verify, ReadScope>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let witnesses = [caller.engine.anchors.witnesses(), named_witnesses(&uri)?].concat();
    let too_large = || Problem::too_large("the body must be a checkpoint, or empty");
    let body = collect(body, NOTE_BYTES_MAX, too_large).await?;
    let against = match std::str::from_utf8(&body) {
        Ok("") => None,
        Ok(text) => Some(text.to_owned()),
        Err(_) => {
            return Err(Problem::bad_request(
                "the body must be a checkpoint, or empty",
            ));
        }
    };
    let (lines, receiver) =
        tokio::sync::mpsc::channel::<Result<String, std::convert::Infallible>>(LINES_WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let mut progress = |done: u64, total: u64| {
            let _ = lines.blocking_send(Ok(format!("{}\n", json!({"done": done, "total": total}))));
        };
        let question = Question {
            against: against.as_deref(),
            witnesses: &witnesses,
            now: Some(caller.engine.journal.clock.wall()),
        };
        let report = verify_ledger(
            Subject::from(&*caller.engine),
            &caller.on.ledger().record,
            &question,
            &mut progress,
        );
        let last = match report {
            Ok(report) => json!({"report": report}),
            Err(error) => json!({"error": error.to_string()}),
        };
        let _ = lines.blocking_send(Ok(format!("{last}\n")));
    });
    let body = Body::from_stream(ReceiverStream::new(receiver));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// The witnesses that a question names, each as `witness=VKEY`.
fn named_witnesses(uri: &Uri) -> Result<Vec<WitnessKey>, Problem> {
    let parts = uri.query().unwrap_or_default().split('&');
    let parts = parts.filter(|part| !part.is_empty());
    let named = parts.map(|part| {
        let text = part.strip_prefix("witness=");
        let text = text.ok_or_else(|| {
            Problem::bad_request("unknown parameter; the only parameter is `witness`")
        })?;
        let text = percent_decode_str(text).decode_utf8_lossy();
        WitnessKey::parse(&text)
            .map_err(|error| Problem::unprocessable(format!("`witness`: {error}")))
    });
    named.collect()
}
