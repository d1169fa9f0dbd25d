//! Request bodies: read to a limit, decoded to a limit, split into events.

mod coding;
pub(super) mod grpc;
pub(super) mod intake;
mod memory;
mod pieces;
mod rest;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use self::pieces::Pieces;
use super::Entrance;
use super::problem::{LineFault, Problem, line_faults};
use trailkeep_core::Effort;
use trailkeep_core::journal::append::Incoming;
use trailkeep_crypto::secret::random_bytes;
use trailkeep_proof::ids::hex;
use trailkeep_proof::ledger::event::{Event, EventError, parse_event, split_array, split_ndjson};
use trailkeep_proof::near::suggestion_for_field;
use trailkeep_proof::time::UnixMillis;

/// Bytes of a request's body, as sent and as decoded.
const BODY_BYTES_MAX: u64 = 32 << 20;
/// Events of a request.
const EVENTS_MAX: usize = 10_000;
/// Faults that are reported of one request.
const FAULTS_MAX: usize = 100;

/// Names what may be sent again.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 200;
/// Bytes of a question.
pub(super) const QUESTION_BYTES_MAX: usize = 1 << 20;

/// How the events of a body are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One object, or an array of them.
    Json,
    /// One object a line.
    Ndjson,
}

/// Why a body was not read to its end. Nothing of its request was recorded.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum BodyFault {
    #[error("`Content-Encoding` (in gRPC `grpc-encoding`) may be gzip, zstd or identity")]
    UnknownCoding,
    #[error("`Content-Encoding` names several compressions: send the body compressed once")]
    CodedTwice,
    #[error("{0}")]
    Undecodable(String),
    #[error("the body is not one gRPC message behind its flag and length")]
    NotOneMessage,
    #[error("the gRPC message is compressed, but `grpc-encoding` does not say how")]
    UnnamedCoding,
    #[error(
        "the body is larger than {BODY_BYTES_MAX} bytes, as sent or as decoded: split it into several requests"
    )]
    TooLarge,
    #[error(
        "the body is larger than the memory for all bodies, {0} bytes: split it into several requests, or raise `limits.body_memory_bytes`"
    )]
    LargerThanAll(u64),
    #[error(
        "the body arrived too slowly: after the first 30 s it needs at least {0} bytes a second, and no pause may reach 30 s; nothing was recorded"
    )]
    TooSlow(u64),
    #[error("the body ended early; nothing was recorded")]
    BrokenOff,
    #[error(
        "the bodies of current requests use all memory for bodies; nothing of this request was recorded: retry"
    )]
    NoRoom,
}

impl BodyFault {
    /// The one that an error of a body comes from; what else happens to a body is that it breaks off.
    fn of(error: &axum::Error) -> Self {
        let first: &(dyn std::error::Error + 'static) = error;
        let mut causes = std::iter::successors(Some(first), |cause| cause.source());
        let fault = causes.find_map(|cause| cause.downcast_ref::<Self>());
        fault.cloned().unwrap_or(Self::BrokenOff)
    }
}

impl From<BodyFault> for Problem {
    fn from(fault: BodyFault) -> Self {
        let detail = fault.to_string();
        match fault {
            BodyFault::UnknownCoding | BodyFault::CodedTwice => {
                Self::unsupported_media_type(detail)
            }
            BodyFault::Undecodable(_) => Self::bad_request(format!(
                "{detail}; nothing was recorded: resend the whole body"
            )),
            BodyFault::TooLarge | BodyFault::LargerThanAll(_) => Self::too_large(detail),
            BodyFault::TooSlow(_) => Self::too_slow(detail),
            BodyFault::BrokenOff | BodyFault::NotOneMessage | BodyFault::UnnamedCoding => {
                Self::bad_request(detail)
            }
            BodyFault::NoRoom => Self::unavailable(detail, 1),
        }
    }
}

/// The events of a request, and whether there can be only one.
pub(super) struct Submitted {
    pub(super) events: Vec<Incoming>,
    pub(super) is_single: bool,
}

/// The format that the headers name.
pub(super) fn format_of(headers: &HeaderMap) -> Result<Format, Problem> {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match media_type.as_str() {
        "application/json" => Ok(Format::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Format::Ndjson),
        _ => Err(Problem::unsupported_media_type(
            "send `Content-Type: application/json` (an object or an array) or `application/x-ndjson` (one object per line)",
        )),
    }
}

/// Reads a question: one JSON object, of the form that is described. The error repeats nothing of the body.
pub(super) async fn read_json<T: DeserializeOwned>(body: Body, form: &str) -> Result<T, Problem> {
    let too_large = || Problem::too_large("the body is larger than 1 MiB");
    let body = collect(body, QUESTION_BYTES_MAX, too_large).await?;
    let wrong = |line, column, hint: &str| {
        Problem::bad_request(format!(
            "the body must be {form} (line {line}, column {column}){hint}"
        ))
    };
    // A list of an object's values would be taken for the object.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(wrong(1, 1, ""));
    }
    serde_json::from_slice(&body).map_err(|error| {
        let hint = suggestion_for_field(&error.to_string());
        wrong(error.line(), error.column(), &hint)
    })
}

/// Reads a moment that is asked for.
pub(super) fn moment(name: &str, text: Option<&str>) -> Result<Option<UnixMillis>, Problem> {
    let wrong = || {
        Problem::bad_request(format!(
            "`{name}` must be a day such as 2026-11-24, which is its start in UTC, or an RFC 3339 time such as 2026-11-24T09:30:00Z (in an address write + as %2B)"
        ))
    };
    text.map(|text| UnixMillis::parse_asked(text).ok_or_else(wrong))
        .transpose()
}

/// Reads the body, decoded.
pub(super) async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    collect(body, usize::MAX, || BodyFault::TooLarge.into()).await
}

/// Reads a body up to a route's own limit, besides those of all bodies (intake.rs).
pub(super) async fn collect(
    body: Body,
    limit: usize,
    too_large: impl FnOnce() -> Problem,
) -> Result<Vec<u8>, Problem> {
    let (mut pieces, mut all) = (body.into_data_stream(), Pieces::default());
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| BodyFault::of(&error))?;
        if piece.len() > limit - all.len() {
            return Err(too_large());
        }
        all.push(&piece);
    }
    Ok(all.into_vec())
}

/// Whether a body is one event, and can't be a list of them.
fn is_single(body: &[u8], format: Format) -> bool {
    format == Format::Json && body.trim_ascii_start().first() != Some(&b'[')
}

/// How long the work on a body takes.
pub(super) fn effort(body: &[u8], format: Format) -> Effort {
    if is_single(body, format) {
        Effort::of_event(body.len())
    } else {
        Effort::Long
    }
}

/// Parses the events and adds a missing `id`: the request's key, or a random one.
pub(super) fn parse(
    body: &[u8],
    format: Format,
    entrance: Entrance,
    key: Option<&str>,
) -> Result<Submitted, Problem> {
    let is_single = is_single(body, format);
    let is_array = format == Format::Json && !is_single;
    let texts: Vec<(usize, &[u8])> = match format {
        Format::Ndjson => split_ndjson(body).collect(),
        Format::Json if is_array => {
            let elements = split_array(body).map_err(|error| refuse(vec![(1, error)]))?;
            (1..).zip(elements).collect()
        }
        Format::Json => vec![(1, body)],
    };
    if texts.is_empty() {
        return Err(Problem::invalid_events(vec![LineFault {
            line: 1,
            pointer: String::new(),
            detail: "the body has no event: send at least one".to_owned(),
        }]));
    }
    if texts.len() > EVENTS_MAX {
        return Err(Problem::too_large(format!(
            "the request has more than {EVENTS_MAX} events: split them into several requests"
        )));
    }
    let (mut events, mut errors) = (Vec::with_capacity(texts.len()), Vec::new());
    for (line, text) in texts {
        let id = key.map(|key| {
            if is_single {
                key.to_owned()
            } else {
                format!("{key}:{line}")
            }
        });
        match parse_event(text).and_then(|event| incoming(event, entrance, id)) {
            Ok(event) => events.push(event),
            Err(error) => errors.push((line, error)),
        }
        if errors.len() >= FAULTS_MAX {
            break;
        }
    }
    if errors.is_empty() {
        Ok(Submitted { events, is_single })
    } else {
        Err(refuse(errors))
    }
}

/// The header `Idempotency-Key`, bare or as a string of RFC 9651: it stands for the ids that events lack.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let quoted = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let key = quoted.unwrap_or(text);
    let is_fine = (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len())
        && key
            .bytes()
            .all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"');
    if is_fine {
        Ok(Some(key.to_owned()))
    } else {
        Err(Problem::bad_request(
            "`Idempotency-Key` must have 1 to 200 printable ASCII characters",
        ))
    }
}

fn incoming(
    mut event: Event,
    entrance: Entrance,
    id: Option<String>,
) -> Result<Incoming, EventError> {
    let via = match entrance {
        Entrance::Network => "http",
        Entrance::Local => "cli",
    };
    let mut added = Vec::new();
    if event.facts().id.is_none() {
        let random: [u8; 16] = random_bytes().map_err(|error| {
            let fault = trailkeep_proof::ledger::event::Fault {
                pointer: "/id".to_owned(),
                detail: error.to_string(),
            };
            EventError::Invalid(vec![fault])
        })?;
        let id = id.unwrap_or_else(|| format!("evt-{}", hex(&random)));
        event = event.with_section("id", serde_json::json!(id).to_string().into_bytes())?;
        added.push("id");
    }
    Ok(Incoming {
        event,
        via,
        added,
        lacks_regimes: false,
    })
}

fn refuse(errors: Vec<(usize, EventError)>) -> Problem {
    if let Some((line, error @ (EventError::TooLarge { .. } | EventError::TooMany { .. }))) =
        errors.first()
    {
        return Problem::too_large(format!(
            "line {line}: {error}; nothing of this request was recorded"
        ));
    }
    let faults = errors.into_iter().flat_map(|(line, error)| {
        let faults = match error {
            EventError::Invalid(faults) => faults,
            other => vec![trailkeep_proof::ledger::event::Fault {
                pointer: String::new(),
                detail: other.to_string(),
            }],
        };
        line_faults(line, faults)
    });
    Problem::invalid_events(faults.take(FAULTS_MAX).collect())
}
