//! Routes of the operator's commands.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;

use super::App;
use super::auth::{Anyone, Caller, may};
use super::body::collect;
use super::problem::Problem;
use super::progress::{Watched, lines};
use trailkeep_api::operate::Readiness;
use trailkeep_api::verify::{self as shown, VerifyLine, VerifyReport};
use trailkeep_core::audit::{self, Question, Subject, verify as verify_ledger};
use trailkeep_core::blocking;
use trailkeep_core::ops::readiness::readiness;
use trailkeep_core::tenant::ReadScope;
use trailkeep_proof::ledger::cosignature::WitnessKey;
use trailkeep_proof::ledger::note::NOTE_BYTES_MAX;

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
    let answer = Readiness {
        ready: readiness.ready,
        reasons: readiness.reasons,
        notes: readiness.notes,
    };
    (status, Json(answer)).into_response()
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
    // The verifier waits with a slow reader.
    Ok(lines(Watched::Wholly, move |progress| {
        let question = Question {
            against: against.as_deref(),
            witnesses: &witnesses,
            now: Some(caller.engine.journal.clock.wall()),
        };
        let (subject, record) = (Subject::from(&*caller.engine), &caller.on.ledger().record);
        let line = |done, total| VerifyLine::<VerifyReport>::Progress { done, total };
        let mut said = |done, total| progress(line(done, total));
        match verify_ledger(subject, record, &question, &mut said) {
            Ok(found) => VerifyLine::Report {
                report: report(found),
            },
            Err(error) => VerifyLine::Error {
                error: error.to_string(),
            },
        }
    }))
}

/// What verifying found, as it is answered. The command line prints what it verifies itself in the same form.
pub fn report(found: audit::Report) -> VerifyReport {
    let finding = |finding: audit::Finding| shown::Finding {
        seq: finding.seq,
        rule: finding.rule.to_owned(),
        detail: finding.detail,
    };
    let anchored = |there: audit::AnchoredAt| shown::AnchoredAt {
        target: there.target,
        kind: there.kind,
        size: there.size,
        at: there.at,
    };
    let witnessed = |by: audit::WitnessedBy| shown::WitnessedBy {
        name: by.name,
        key: by.key,
        size: by.size,
        at: by.at,
    };
    let attested = found.attested;
    VerifyReport {
        ok: found.ok,
        origin: found.origin,
        entries: found.entries,
        events: found.events,
        intact: found.intact,
        expired: found.expired,
        erased: found.erased,
        restricted: found.restricted,
        held: found.held,
        damaged: found.damaged,
        sources: found.sources,
        unbound: found.unbound,
        size: found.size,
        root: found.root,
        attested: shown::Attested {
            level: attested.level,
            anchored: attested.anchored.into_iter().map(anchored).collect(),
            witnessed: attested.witnessed.into_iter().map(witnessed).collect(),
            unchecked: attested.unchecked,
        },
        findings_total: found.findings_total,
        findings: found.findings.into_iter().map(finding).collect(),
    }
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
