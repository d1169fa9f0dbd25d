//! Errors as RFC 9457 problem details: a stable type, what was wrong, how to fix it. No payload text.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use trailkeep_api::privacy::DryRun;
use trailkeep_api::problem;
pub(super) use trailkeep_api::problem::{Kind, LineFault};
use trailkeep_core::DEFAULT_TENANT;
use trailkeep_core::journal::append::AppendError;
use trailkeep_core::journal::read::ReadError;
use trailkeep_core::keys::keyring::KeyError;
use trailkeep_core::keys::role::{Right, Role};
use trailkeep_policy::ingest::Refusal;
use trailkeep_proof::ledger::event::Fault;

/// A problem to answer with.
#[derive(Debug)]
pub(super) struct Problem {
    /// Boxed, since every handler returns one.
    told: Box<problem::Problem>,
    kind: Kind,
    retry_after_seconds: Option<u32>,
}

/// The faults of the event on a line.
pub(super) fn line_faults(line: usize, faults: Vec<Fault>) -> impl Iterator<Item = LineFault> {
    faults.into_iter().map(move |fault| LineFault {
        line,
        pointer: fault.pointer,
        detail: fault.detail,
    })
}

/// The status that a kind of problem is answered with.
pub(super) fn status_of(kind: Kind) -> StatusCode {
    StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl Problem {
    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            told: Box::new(problem::Problem::new(kind, detail)),
            kind,
            retry_after_seconds: None,
        }
    }

    /// 400: the request is not of the form that the route takes.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(Kind::BadRequest, detail)
    }

    /// 401: no token, or a wrong one.
    pub(super) fn unauthorized() -> Self {
        let detail = "send `Authorization: Bearer TOKEN` with a valid API token";
        Self::new(Kind::Unauthorized, detail)
    }

    /// 403: the key's role has not the right.
    pub(super) fn forbidden(role: Role, right: Right) -> Self {
        let what = right.as_words();
        let detail = format!(
            "role {role} may not {what}: use a key of another role; docs/access.md has the matrix"
        );
        Self::new(Kind::Forbidden, detail)
    }

    /// 403: the key is of another tenant than the operator's.
    pub(super) fn not_the_operator() -> Self {
        let detail = format!(
            "only admins of the operator's tenant, `{DEFAULT_TENANT}`, may manage tenants: use a key of that tenant"
        );
        Self::new(Kind::Forbidden, detail)
    }

    /// 404.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, detail)
    }

    /// 405.
    pub(super) fn method_not_allowed() -> Self {
        let detail = "this route does not support this method; docs/api.md lists the routes";
        Self::new(Kind::MethodNotAllowed, detail)
    }

    /// 408: the body came too slowly.
    pub(super) fn too_slow(detail: impl Into<String>) -> Self {
        Self::new(Kind::TooSlow, detail)
    }

    /// 409: an id stands for something else already.
    pub(super) fn conflict(detail: impl Into<String>, line: usize) -> Self {
        let mut problem = Self::new(Kind::IdConflict, detail);
        problem.told.errors.push(LineFault {
            line,
            pointer: "/id".to_owned(),
            detail: "this id is already recorded with other content: use another id".to_owned(),
        });
        problem
    }

    /// 409: a name that is given once only was given.
    pub(super) fn name_taken(detail: impl Into<String>) -> Self {
        Self::new(Kind::NameTaken, detail)
    }

    /// 409: what is asked for is not in the state that it needs.
    pub(super) fn conflict_state(detail: impl Into<String>) -> Self {
        Self::new(Kind::NotReady, detail)
    }

    /// 409: a request of a person is in a state that does not allow it.
    pub(super) fn request_state(detail: impl Into<String>) -> Self {
        Self::new(Kind::RequestState, detail)
    }

    /// 409: the token is not of what the order would do now. The answer has a new preview.
    pub(super) fn stale_preview(detail: impl Into<String>, now: DryRun) -> Self {
        let mut problem = Self::new(Kind::StalePreview, detail);
        problem.told.preview = Some(Box::new(now));
        problem
    }

    /// 409: the tenant takes no more events.
    pub(super) fn tenant_closed(detail: impl Into<String>) -> Self {
        Self::new(Kind::TenantClosed, detail)
    }

    /// 409: a write names a superseded ledger.
    pub(super) fn superseded_ledger(detail: impl Into<String>) -> Self {
        Self::new(Kind::SupersededLedger, detail)
    }

    /// Says first what was done nevertheless.
    #[must_use]
    pub(super) fn after(mut self, done: &str) -> Self {
        self.told.detail.insert_str(0, done);
        self
    }

    /// 410: the text went lawfully.
    pub(super) fn gone(detail: impl Into<String>) -> Self {
        Self::new(Kind::Gone, detail)
    }

    /// 412: what is there is not what the caller knows.
    pub(super) fn precondition_failed(detail: impl Into<String>) -> Self {
        Self::new(Kind::PreconditionFailed, detail)
    }

    /// 413: too large.
    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(Kind::TooLarge, detail)
    }

    /// 415: a media type or encoding that the route does not take.
    pub(super) fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(Kind::MediaType, detail)
    }

    /// 416: no byte of the file is in the range that was asked for.
    pub(super) fn range_not_satisfiable(size: u64) -> Self {
        let detail = format!("the file has {size} bytes: request a range within them");
        Self::new(Kind::RangeNotSatisfiable, detail)
    }

    /// 422: events that break the rules. All bad lines are named; nothing was recorded.
    pub(super) fn invalid_events(errors: Vec<LineFault>) -> Self {
        let detail = "nothing of this request was recorded; fix the fields listed and resend";
        let mut problem = Self::new(Kind::InvalidEvent, detail);
        problem.told.errors = errors;
        problem
    }

    /// 422: the request has the form, and asks for what can't be.
    pub(super) fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(Kind::Unprocessable, detail)
    }

    /// 409: a policy or hold forbids it.
    pub(super) fn refused(detail: impl Into<String>) -> Self {
        Self::new(Kind::Refused, detail)
    }

    /// 422: events that policies refuse.
    fn refused_by_policy(detail: String, refusals: Vec<(usize, Refusal)>) -> Self {
        let mut problem = Self::new(Kind::Policy, detail);
        let faults = refusals.into_iter().map(|(position, refusal)| LineFault {
            line: position + 1,
            pointer: refusal.pointer,
            detail: refusal.detail,
        });
        problem.told.errors = faults.collect();
        problem
    }

    /// 422: a regime that no policy is of.
    pub(super) fn unknown_regime(detail: impl Into<String>) -> Self {
        Self::new(Kind::Policy, detail)
    }

    /// 500: a fault of this program.
    pub(super) fn internal() -> Self {
        let detail = "a fault of trailkeep; see the server's log";
        Self::new(Kind::Internal, detail)
    }

    /// 500: what is stored is not what was written.
    pub(super) fn damaged(detail: impl Into<String>) -> Self {
        Self::new(Kind::Damaged, detail)
    }

    /// 429: as many as may be at once are under way.
    pub(super) fn too_many(detail: impl Into<String>, retry_after_seconds: u32) -> Self {
        let mut problem = Self::new(Kind::TooMany, detail);
        problem.retry_after_seconds = Some(retry_after_seconds);
        problem
    }

    /// 503: not now.
    pub(super) fn unavailable(detail: impl Into<String>, retry_after_seconds: u32) -> Self {
        let mut problem = Self::new(Kind::Unavailable, detail);
        problem.retry_after_seconds = Some(retry_after_seconds);
        problem
    }

    /// 507: the disk is full.
    pub(super) fn disk_full(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(Kind::DiskFull, detail);
        problem.retry_after_seconds = Some(30);
        problem
    }
}

impl Problem {
    /// Status, detail and seconds to wait, for answers of another form.
    pub(super) fn into_parts(self) -> (StatusCode, String, Option<u32>) {
        (
            status_of(self.kind),
            self.told.detail,
            self.retry_after_seconds,
        )
    }

    /// What it is counted as.
    pub(super) fn answered(&self) -> Answered {
        Answered(self.kind.name())
    }
}

/// The short name of the problem that an answer is, for who counts them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered(pub(super) &'static str);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = status_of(self.kind);
        let retry_after = self.retry_after_seconds;
        let answered = self.answered();
        let mut response = (status, Json(self.told)).into_response();
        response.extensions_mut().insert(answered);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        let detail = error.to_string();
        match error {
            AppendError::Conflict { position, recorded } => match recorded {
                Some(seq) => Self::conflict(
                    format!("{detail}, as seq {seq}; nothing was recorded"),
                    position + 1,
                ),
                None => Self::conflict(
                    "this request has one id twice, with different content",
                    position + 1,
                ),
            },
            AppendError::TooManySubjects | AppendError::Unsealable => {
                Self::invalid_events(vec![LineFault {
                    line: 1,
                    pointer: String::new(),
                    detail,
                }])
            }
            AppendError::Class { position, error } => Self::invalid_events(vec![LineFault {
                line: position + 1,
                pointer: "/regimes".to_owned(),
                detail: error.to_string(),
            }]),
            AppendError::Refused(refusals) => Self::refused_by_policy(detail, refusals),
            AppendError::Busy => Self::unavailable(detail, 1),
            AppendError::Clock(_) | AppendError::RolledBack => Self::unavailable(detail, 60),
            AppendError::Full => Self::disk_full(detail),
            AppendError::TenantClosed => Self::tenant_closed(detail),
            AppendError::Stopped | AppendError::OutcomeUnknown => Self::unavailable(detail, 5),
            AppendError::Read(error) => error.into(),
            AppendError::Key(_) | AppendError::Store(_) => {
                tracing::error!(%error, "an append failed");
                Self::damaged(detail)
            }
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotFound => Self::not_found("no event with this id or seq in this ledger"),
            ReadError::Deleted { .. } => {
                Self::gone(format!("{error}; its entry and proofs remain"))
            }
            ReadError::Restricted { .. } => Self::new(Kind::Restricted, error.to_string()),
            error => {
                tracing::error!(%error, "a read failed");
                Self::damaged(error.to_string())
            }
        }
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        AppendError::from(error).into()
    }
}
