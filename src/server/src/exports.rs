//! `/v1/exports`: bundles, made as jobs (docs/api.md, "Exports").

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;

use super::auth::{Caller, Identified, may};
use super::body::{moment, read_json};
use super::document::Bytes as FileBytes;
use super::extract::Path;
use super::problem::Problem;
use trailkeep_api::exports::{Export, ExportProgress, ExportQuestion};
use trailkeep_core::blocking;
use trailkeep_core::export::jobs::{DROPPED, Job, StartError, Status};
use trailkeep_core::export::{ExportRequest, Scope};
use trailkeep_core::tenant::ReadScope;
use trailkeep_crypto::spool::Spool;
use trailkeep_proof::ids::Seq;

/// Starts an export: a signed bundle that can be verified offline.
///
/// It is recorded in the ledger before the answer is sent. Ask for the export until its state is `done`; its file
/// then waits for an hour.
#[utoipa::path(
    post,
    path = "/v1/exports",
    request_body(content = ExportQuestion, example = json!({"action": "chat.completion", "redact": ["input"]})),
    responses((status = 202, description = "The export is being written.", body = Export, headers(
        ("Location" = String, description = "Where to get its state.")
    ))),
    extensions(("x-trailkeep-problems" = json!(["too-large", "too-many", "unprocessable"]))),
)]
pub(super) async fn start(
    caller: Caller<may::Export, ReadScope>,
    body: Body,
) -> Result<Response, Problem> {
    let form = "a JSON object with from, to, seq (\"A..B\"), action, redact, recipients and against, all optional";
    let request = read_question(read_json(body, form).await?, &caller)?;
    let (engine, scope) = (Arc::clone(&caller.engine), caller.on.clone());
    let id = blocking(move || engine.exports.start(scope.ledger(), request)).await?;
    let job = caller.engine.exports.find(caller.on.ledger(), &id);
    let job = job.ok_or_else(Problem::internal)?;
    let location =
        HeaderValue::from_str(&format!("/v1/exports/{id}")).map_err(|_| Problem::internal())?;
    Ok((
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        Json(shown(id, &job)),
    )
        .into_response())
}

/// Returns the progress of an export.
#[utoipa::path(
    get,
    path = "/v1/exports/{id}",
    params(("id" = String, Path, description = "The export's id.", example = "0123456789abcdef0123456789abcdef")),
    responses((status = 200, description = "The export.", body = Export)),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn show(
    caller: Caller<may::Export, ReadScope>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let job = find(&caller, &id)?;
    Ok(Json(shown(id, &job)).into_response())
}

/// Stops an export, or deletes its file.
#[utoipa::path(
    delete,
    path = "/v1/exports/{id}",
    params(("id" = String, Path, description = "The export's id.", example = "0123456789abcdef0123456789abcdef")),
    responses((status = 204, description = "The export is deleted.")),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn remove(
    caller: Caller<may::Export, ReadScope>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let caller = caller.identified();
    // The file goes with the last that knows of it, which takes its time.
    let is_removed = blocking(move || caller.engine.exports.remove(caller.on.ledger(), &id));
    if is_removed.await {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(no_such_export())
    }
}

/// Returns the bundle, or a range of its bytes (RFC 9110 section 14).
#[utoipa::path(
    get,
    path = "/v1/exports/{id}/file",
    params(
        ("id" = String, Path, description = "The export's id.", example = "0123456789abcdef0123456789abcdef"),
        ("Range" = Option<String>, Header, description = "One range of bytes; any other form is answered with the whole file."),
        ("If-Range" = Option<String>, Header, description = "The `ETag` of the file that the range belongs to."),
    ),
    responses(
        (status = 200, description = "The file.", headers(("ETag" = String, description = "SHA-256 of the file.")),
            content((inline(FileBytes) = "application/zip"), (inline(FileBytes) = "application/age-encryption"))),
        (status = 206, description = "The range.", headers(("Content-Range" = String)),
            content((inline(FileBytes) = "application/zip"), (inline(FileBytes) = "application/age-encryption"))),
    ),
    extensions(("x-trailkeep-problems" = json!(["gone", "not-found", "not-ready", "range-not-satisfiable"]))),
)]
pub(super) async fn file(
    caller: Caller<may::Export, ReadScope>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let job = find(&caller, &id)?;
    if matches!(job.status(), Status::Dropped) {
        return Err(Problem::gone(DROPPED));
    }
    let Some((file, summary)) = job.file() else {
        return Err(Problem::conflict_state(
            "the export is not ready: poll /v1/exports/{id} until its state is `done`",
        ));
    };
    let tag = format!("\"{}\"", summary.sha256);
    let size = file.size_bytes();
    let wanted = match asked_range(&headers, &tag, size) {
        Asked::Whole => None,
        Asked::Part(first, last) => Some((first, last)),
        Asked::Unsatisfiable => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            return Ok((range, Problem::range_not_satisfiable(size)).into_response());
        }
    };
    let (first, end) = wanted.map_or((0, size), |(first, last)| (first, last + 1));
    let (kind, name) = if summary.encrypted {
        ("application/age-encryption", "bundle.zip.age")
    } else {
        ("application/zip", "bundle.zip")
    };
    let head = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_LENGTH, (end - first).to_string()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, tag),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    let body = Body::from_stream(chunks(file, first, end));
    Ok(match wanted {
        None => (head, body).into_response(),
        Some((first, last)) => {
            let range = [(
                header::CONTENT_RANGE,
                format!("bytes {first}-{last}/{size}"),
            )];
            (StatusCode::PARTIAL_CONTENT, head, range, body).into_response()
        }
    })
}

pub(super) fn chunks(
    file: Arc<Spool>,
    first: u64,
    end: u64,
) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> {
    stream::try_unfold(first, move |offset| {
        let file = Arc::clone(&file);
        async move {
            if offset >= end {
                return Ok(None);
            }
            let chunk = blocking(move || file.read_chunk(offset)).await?;
            let count = (chunk.len() as u64).min(end - offset);
            let bytes = Bytes::copy_from_slice(&chunk[..count as usize]);
            Ok(Some((bytes, offset + count)))
        }
    })
}

enum Asked {
    Whole,
    Part(u64, u64),
    Unsatisfiable,
}

/// One range of bytes. Several, malformed ones and those of another file are answered with the whole, as
/// RFC 9110 allows.
fn asked_range(headers: &HeaderMap, tag: &str, size: u64) -> Asked {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    if text(header::IF_RANGE).is_some_and(|known| known != tag) {
        return Asked::Whole;
    }
    let Some((first, last)) = text(header::RANGE)
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return Asked::Whole;
    };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last && first < size => {
            Asked::Part(first, last.min(size - 1))
        }
        (Ok(first), _) if last.is_empty() && first < size => Asked::Part(first, size - 1),
        (_, Ok(count)) if first.is_empty() && count > 0 && size > 0 => {
            Asked::Part(size.saturating_sub(count), size - 1)
        }
        (Ok(first), last_read) if first >= size && (last.is_empty() || last_read.is_ok()) => {
            Asked::Unsatisfiable
        }
        (_, Ok(0)) if first.is_empty() => Asked::Unsatisfiable,
        _ => Asked::Whole,
    }
}

fn find(caller: &Identified<ReadScope>, id: &str) -> Result<Arc<Job>, Problem> {
    let job = caller.engine.exports.find(caller.on.ledger(), id);
    job.ok_or_else(no_such_export)
}

fn no_such_export() -> Problem {
    Problem::not_found(
        "export not found: it was deleted, it waited for over an hour, or the server was restarted; request it again",
    )
}

fn shown(id: String, job: &Job) -> Export {
    match job.status() {
        Status::Running { done, total } => {
            let progress = ExportProgress { done, total };
            Export::Running { id, progress }
        }
        Status::Done(summary) => {
            let summary = *summary;
            Export::Done {
                id,
                proof: summary.proof,
                range: summary.range,
                recorded: summary.recorded,
                counts: summary.counts,
                export_seq: summary.export_seq,
                size: summary.size,
                bytes: summary.bytes,
                sha256: summary.sha256,
                encrypted: summary.encrypted,
            }
        }
        Status::Failed(error) => Export::Failed { id, error },
        Status::Dropped => Export::Failed {
            id,
            error: DROPPED.to_owned(),
        },
    }
}

fn read_question(
    question: ExportQuestion,
    caller: &Identified<ReadScope>,
) -> Result<ExportRequest, Problem> {
    let scope = match &question.seq {
        None => Scope::Time {
            from: moment("from", question.from.as_deref())?,
            to: moment("to", question.to.as_deref())?,
        },
        Some(_) if question.from.is_some() || question.to.is_some() => {
            return Err(Problem::unprocessable(
                "give a time range or a range of seqs, not both",
            ));
        }
        Some(text) => {
            let (first, last) = read_seqs(text).ok_or_else(|| {
                Problem::bad_request("`seq` must be two numbers, such as 17..42; both are included")
            })?;
            Scope::Seqs { first, last }
        }
    };
    Ok(ExportRequest {
        scope,
        action: question.action,
        person: None,
        redact: question.redact.into_list(),
        recipients: question.recipients.into_list(),
        against: question.against.into_list(),
        asked_by: caller.key_id.clone(),
    })
}

fn read_seqs(text: &str) -> Option<(Seq, Seq)> {
    let (first, last) = text.split_once("..")?;
    let read = |text: &str| {
        text.parse()
            .ok()
            .map(Seq::new)
            .filter(|seq| *seq <= Seq::MAX)
    };
    Some((read(first)?, read(last)?))
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        let detail = error.to_string();
        match error {
            StartError::Busy => Self::too_many(detail, 30),
            StartError::Export(error) if error.is_of_the_question() => Self::unprocessable(detail),
            StartError::Export(trailkeep_core::export::ExportError::Append(error)) => {
                (*error).into()
            }
            StartError::Export(trailkeep_core::export::ExportError::Full) => {
                Self::disk_full(detail)
            }
            StartError::Export(_) | StartError::Random(_) => {
                tracing::error!(%error, "an export could not be started");
                Self::damaged(detail)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_bytes() {
        let ask = |range: &str, if_range: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, range.parse().unwrap());
            if !if_range.is_empty() {
                headers.insert(header::IF_RANGE, if_range.parse().unwrap());
            }
            match asked_range(&headers, "\"a\"", 10) {
                Asked::Whole => "whole".to_owned(),
                Asked::Part(first, last) => format!("{first}-{last}"),
                Asked::Unsatisfiable => "416".to_owned(),
            }
        };
        for (range, expected) in [
            ("bytes=0-0", "0-0"),
            ("bytes=3-99", "3-9"),
            ("bytes=3-", "3-9"),
            ("bytes=-3", "7-9"),
            ("bytes=-99", "0-9"),
            ("bytes=10-", "416"),
            ("bytes=10-12", "416"),
            ("bytes=-0", "416"),
            ("bytes=5-3", "whole"),
            ("bytes=1-2,4-5", "whole"),
            ("bytes=a-b", "whole"),
            ("lines=1-2", "whole"),
        ] {
            assert_eq!(ask(range, ""), expected, "{range}");
        }
        assert_eq!(ask("bytes=1-2", "\"a\""), "1-2");
        assert_eq!(ask("bytes=1-2", "\"b\""), "whole");
    }

    #[test]
    fn ranges_of_seqs() {
        let read = |text| read_seqs(text).map(|(first, last)| (first.get(), last.get()));
        assert_eq!(read("3..17"), Some((3, 17)));
        for bad in "|3|3..|..3|a..b|3-17|0..99999999999999999999".split('|') {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
